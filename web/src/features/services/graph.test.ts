import { expect, test } from "vitest";
import type { ServiceGraph } from "../../api/loopTypes";
import { neighboursOf, rowsOf } from "./graph";

const graph: ServiceGraph = {
  nodes: [{ service: "checkout" }, { service: "payment" }, { service: "bank" }],
  edges: [
    { caller: "checkout", callee: "payment", provenance: ["file", "traces"] },
    { caller: "payment", callee: "bank", provenance: ["traces"] },
  ],
};

test("services of the graph that the list lacks are shown too", () => {
  const names = rowsOf([{ service: "checkout", owners: ["shop"] }], graph).map(({ service }) => service);
  expect(names).toEqual(["bank", "checkout", "payment"]);
});

test("neighbours, each once, and learned only where nobody wrote it", () => {
  expect(neighboursOf({ service: "checkout", needs: ["cart", "payment"] }, graph.edges).depends).toEqual([
    { name: "cart", learned: false },
    { name: "payment", learned: false },
  ]);
  expect(neighboursOf({ service: "bank" }, graph.edges).usedBy).toEqual([{ name: "payment", learned: true }]);
});
