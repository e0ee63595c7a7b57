import { expect, test } from "vitest";
import { barHeights, peakOf, stepsFrom, templatePieces } from "./templates";

const shown = (template: string) =>
  templatePieces(template)
    .map(({ text, kind }) => (kind ? `[${kind} ${text}]` : text))
    .join("|");

test.each([
  ["user <num> logged in from <ip>", "user |[num <num>]| logged in from |[ip <ip>]"],
  ["<time><id> <path> <*>", "[time <time>]|[id <id>]| |[path <path>]| |[any <*>]"],
  ["<script>alert(1)</script> <nums> <", "<script>alert(1)</script> <nums> <"],
  ["", ""],
])("the pieces of %s", (template, expected) => {
  expect(shown(template)).toBe(expected);
});

test("bars are as high as their share of the highest, and never invisible", () => {
  expect(barHeights([0, 1, 50, 100], 0.1)).toEqual([0, 0.1, 0.5, 1]);
  expect(barHeights([0, 0], 0.1)).toEqual([0, 0]);
  expect(barHeights([], 0.1)).toEqual([]);
});

test("the peak is the first of the highest", () => {
  expect(peakOf([0, 7, 3, 7])).toEqual({ index: 1, count: 7 });
  expect(peakOf([0, 0])).toBeNull();
});

test("steps are counted from 1970", () => {
  expect([stepsFrom(1_005, 10), stepsFrom(1_000, 10), stepsFrom(1_005, 2.5)]).toEqual([1_000, 1_000, 1_005]);
});
