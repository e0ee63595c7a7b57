import { expect, test } from "vitest";
import { neighboursOf, rowsOf } from "./graph";

const graph = {
  nodes: ["checkout", { name: "payment" }, { id: "bank" }],
  edges: [
    { from: "checkout", to: "payment", source: "file" },
    { from: "checkout", to: "payment", source: "traces" },
    { from: "payment", to: "bank", learned: true },
  ],
};

test("services of the graph that no file names are listed too", () => {
  expect(rowsOf([{ name: "checkout", owner: "shop" }], graph).map(({ name }) => name)).toEqual([
    "bank",
    "checkout",
    "payment",
  ]);
});

test("neighbours, each once, and learned only where nobody wrote it", () => {
  expect(neighboursOf({ name: "checkout", depends_on: ["cart"] }, graph.edges).depends).toEqual([
    { name: "cart", learned: false },
    { name: "payment", learned: false },
  ]);
  expect(neighboursOf({ name: "bank" }, graph.edges).usedBy).toEqual([{ name: "payment", learned: true }]);
});
