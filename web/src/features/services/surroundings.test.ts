import { expect, test } from "vitest";
import type { Service } from "../../api/loopTypes";
import { ARROWS_MAX, drawnOf, NODES_MAX } from "./surroundings";

const named = (count: number): Service[] =>
  Array.from({ length: count }, (_, at) => ({ service: `s${String(at).padStart(4, "0")}` }));
const edge = (caller: string, callee: string, ...provenance: ("file" | "traces")[]) => ({ caller, callee, provenance });

/** So many services in a row, each needing the next. */
function row(count: number) {
  const rows = named(count);
  const edges = rows.slice(1).map(({ service }, at) => edge(rows[at]?.service ?? "", service, "file"));
  return { rows, edges };
}

test("a graph that can be read is drawn whole, but for who has no neighbours", () => {
  const rows: Service[] = [{ service: "a", needs: ["b"] }, { service: "b" }, { service: "c" }, { service: "d" }];
  expect(drawnOf(rows, [edge("b", "c", "traces"), edge("c", "c", "traces")], null)).toEqual({
    services: ["a", "b", "c"],
    needs: [
      { from: "a", to: "b", learned: false },
      { from: "b", to: "c", learned: true },
    ],
    alone: 1,
    of: 3,
    around: null,
  });
});

test("of a larger one the nearest of the chosen service are drawn", () => {
  const { rows, edges } = row(1000);
  const drawn = drawnOf(rows, edges, "s0500");
  expect([drawn.around, drawn.services.length, drawn.of, drawn.needs.length]).toEqual([
    "s0500",
    NODES_MAX,
    1000,
    NODES_MAX - 1,
  ]);
  expect([drawn.services[0], drawn.services.at(-1)]).toEqual(["s0470", "s0529"]);
});

test("without a choice, or with one that has no neighbours, it is the one with the most", () => {
  const { rows, edges } = row(200);
  const more = [...edges, edge("s0100", "s0150", "file")];
  expect(drawnOf(rows, more, null).around).toBe("s0100");
  expect(drawnOf([...rows, { service: "z" }], more, "z").around).toBe("s0100");
});

test("few services with very many arrows are too much as well", () => {
  const rows = named(40);
  const edges = rows.flatMap(({ service: a }) =>
    rows.filter(({ service: b }) => a !== b).map(({ service: b }) => edge(a, b, "file")),
  );
  const drawn = drawnOf(rows, edges, "s0007");
  expect(drawn.services).toContain("s0007");
  expect(drawn.services.length).toBeGreaterThan(10);
  expect(drawn.needs.length).toBeLessThanOrEqual(ARROWS_MAX);
});
