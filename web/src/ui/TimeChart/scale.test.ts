import { expect, test } from "vitest";
import { niceCeil, ticks } from "./scale";

const NOON = Date.UTC(2026, 10, 23, 12, 0, 0);

test.each([
  [10_000, ["12:00:00", "12:00:02", "12:00:04", "12:00:06", "12:00:08", "12:00:10"]],
  [3_600_000, ["12:00", "12:10", "12:20", "12:30", "12:40", "12:50", "13:00"]],
  [86_400_000, ["12:00", "18:00", "11-24 00:00", "06:00", "12:00"]],
  [30 * 86_400_000, ["11-26", "12-03", "12-10", "12-17"]],
])("ticks over %d ms", (length, labels) => {
  expect(ticks(NOON, NOON + length, 6, "utc").map(({ label }) => label)).toEqual(labels);
});

test("half a century has few ticks", () => {
  const found = ticks(0, NOON, 6, "utc");
  expect(found.length).toBeGreaterThan(1);
  expect(found.length).toBeLessThanOrEqual(7);
});

test.each([
  [0, 1],
  [1, 1],
  [3, 3],
  [11, 12],
  [68, 80],
  [50, 50],
  [99, 100],
])("niceCeil(%d)", (value, expected) => {
  expect(niceCeil(value)).toBe(expected);
});
