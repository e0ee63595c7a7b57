import { describe, expect, test } from "vitest";
import { type Arrow, BOX, layout, pathOf } from "./layout";

/** `a>b b>c`: arrows, and the names in them. */
function graph(text: string): { names: string[]; arrows: Arrow[] } {
  const arrows = text.split(" ").flatMap((pair) => {
    const [from, to] = pair.split(">");
    return from && to ? [{ from, to }] : [];
  });
  return { names: text.split(/[ >]/).filter(Boolean), arrows };
}

function laidOut(text: string) {
  const { names, arrows } = graph(text);
  return layout(names, arrows);
}

/** The names of each layer from the left, each from the top. */
function columns(text: string): string[] {
  const { boxes } = laidOut(text);
  const found = new Map<number, [number, string][]>();
  for (const [name, { x, y }] of boxes) found.set(x, [...(found.get(x) ?? []), [y, name]]);
  const lefts = [...found.keys()].sort((a, b) => a - b);
  return lefts.map((x) =>
    (found.get(x) ?? [])
      .sort(([a], [b]) => a - b)
      .map(([, name]) => name)
      .join(" "),
  );
}

/** A graph of so many services, each needing up to three others, with circles among them. */
function tangle(size: number): string {
  let seed = 7;
  const next = () => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return seed % size;
  };
  return Array.from({ length: size }, (_, at) => [`s${at}>s${next()}`, `s${at}>s${next()}`, `s${at}>s${next()}`])
    .flat()
    .join(" ");
}

test.each([
  ["a chain goes right", "a>b b>c", ["a", "b", "c"]],
  ["the longest way counts", "a>b b>c a>c", ["a", "b", "c"]],
  ["what is alone is left", "a>b c", ["a c", "b"]],
  ["nobody at all", "", []],
  ["arrows to nobody and to oneself are left out", "a>a a>b", ["a", "b"]],
  ["arrows do not cross where they need not", "a>d b>c c>e d>f", ["a b", "d c", "f e"]],
])("%s", (_, text, want) => {
  expect(columns(text)).toEqual(want);
});

describe("circles", () => {
  test.each([
    ["of two", "a>b b>a", ["a", "b"]],
    ["of three, and a way in", "in>a a>b b>c c>a", ["in", "a", "b", "c"]],
    ["two that meet", "a>b b>a b>c c>b", ["a", "b", "c"]],
  ])("%s", (_, text, want) => {
    expect(columns(text)).toEqual(want);
  });

  test("an arrow that closes one is drawn from whom it leaves to whom it enters", () => {
    const { boxes, ways } = laidOut("a>b b>c c>a");
    const back = ways.find(({ arrow }) => arrow.from === "c");
    const [leaves, enters] = [back?.points[0], back?.points.at(-1)];
    expect(leaves?.x).toBe(boxes.get("c")?.x);
    expect(enters?.x).toBe((boxes.get("a")?.x ?? 0) + BOX.width);
    for (const [name, point] of [
      ["c", leaves],
      ["a", enters],
    ] as const)
      expect(Math.abs((point?.y ?? 0) - (boxes.get(name)?.y ?? 0) - BOX.height / 2)).toBeLessThan(BOX.height / 2);
  });
});

describe.each([
  ["a chain", "a>b b>c c>d"],
  ["a fan", "a>b a>c a>d a>e b>f c>f d>f e>f a>f"],
  ["parts that do not meet", "a>b c>d e>f g h"],
  ["a tangle", tangle(60)],
])("%s", (_, text) => {
  const { boxes, ways, width, height } = laidOut(text);
  const list = [...boxes];

  test("no box touches another, all are inside", () => {
    for (const [name, { x, y }] of list) {
      expect([name, x >= 0, y >= -1e-6, x + BOX.width <= width, y + BOX.height <= height + 1e-6]).toEqual([
        name,
        true,
        true,
        true,
        true,
      ]);
      const touching = list.filter(
        ([other, at]) => other !== name && at.x === x && Math.abs(at.y - y) < BOX.height + BOX.gapY - 1e-6,
      );
      expect(touching).toEqual([]);
    }
  });

  test("every arrow is drawn, and none goes through the box of another", () => {
    const wanted = graph(text).arrows.filter(({ from, to }) => from !== to).length;
    expect(ways.length).toBe(wanted);
    for (const { arrow, points } of ways)
      for (let at = 1; at < points.length; at++) {
        const [before, after] = [points[at - 1], points[at]];
        if (!before || !after || Math.abs(after.x - before.x) !== BOX.width) continue;
        const left = Math.min(before.x, after.x);
        const hit = list.filter(
          ([name, { x, y }]) =>
            x === left && before.y > y && before.y < y + BOX.height && name !== arrow.from && name !== arrow.to,
        );
        expect(hit).toEqual([]);
      }
  });

  test("the same graph looks the same in any order of its parts", () => {
    const { names, arrows } = graph(text);
    expect(layout([...names].reverse(), arrows).boxes).toEqual(boxes);
  });
});

test("no two arrows meet a box in the same point", () => {
  const { ways } = laidOut("a>b a>c a>d b>a c>d e>d f>d");
  const ends = ways.flatMap(({ points }) => [points[0], points.at(-1)]).map((point) => `${point?.x} ${point?.y}`);
  expect(new Set(ends).size).toBe(ends.length);
});

test("a path curves between layers and goes straight past boxes", () => {
  const { ways } = laidOut("a>b b>c a>c");
  const long = ways.find(({ arrow }) => arrow.from === "a" && arrow.to === "c");
  expect(pathOf(long?.points ?? [])).toMatch(/^M204 [\d.]+C240 .* 276 [\d.]+L480 [\d.]+C516 .* 552 [\d.]+$/);
});
