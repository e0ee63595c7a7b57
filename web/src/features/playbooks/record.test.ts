import { expect, test } from "vitest";
import { figuresOf, offerOf } from "./record";

test("an offer is another mode that is known", () => {
  expect(offerOf({ mode: "observe", offer: { mode: "suggest", why: "12 of 12" } })).toEqual({
    mode: "suggest",
    reason: "12 of 12",
  });
  expect(offerOf({ mode: "observe", offer: { mode: "approve" } })).toEqual({ mode: "approve", reason: null });
  expect(offerOf({ mode: "auto", offer: { mode: "auto" } })).toBeNull();
  expect(offerOf({ mode: "observe", offer: null })).toBeNull();
  expect(offerOf({ mode: "observe", offer: { mode: "reckless" as "auto", why: "" } })).toBeNull();
});

test("only figures above zero are shown", () => {
  expect(figuresOf({ runs: 3, helped: 2, failed: 0, since: "2026" })).toEqual([
    ["runs", 3],
    ["helped", 2],
  ]);
  expect(figuresOf(null)).toEqual([]);
});
