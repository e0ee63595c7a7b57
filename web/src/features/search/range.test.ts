import { expect, test } from "vitest";
import { parseTime, relativeSpan, resolveRange, shifted, zoomedOut } from "./range";

const NOW = Date.UTC(2026, 10, 23, 12, 0, 0);

test.each([
  ["now", NOW],
  ["-15m", NOW - 900_000],
  ["now-2h", NOW - 7_200_000],
  [" -1w ", NOW - 604_800_000],
  ["0", 0],
  ["2026-11-23", Date.UTC(2026, 10, 23)],
  ["2026-11-23 09:30", Date.UTC(2026, 10, 23, 9, 30)],
  ["2026-11-23T09:30:01.250Z", Date.UTC(2026, 10, 23, 9, 30, 1, 250)],
  ["2026-11-23T09:30:00+08:00", Date.UTC(2026, 10, 23, 1, 30)],
  ["yesterday", null],
  ["-15", null],
  ["2026-13-45", null],
  ["", null],
])("%s", (text, expected) => {
  expect(parseTime(text, NOW, "utc")).toBe(expected);
});

test("a range that ends before it starts is none", () => {
  expect(resolveRange("now", "-1h", NOW, "utc")).toBeNull();
  expect(resolveRange("-1h", "now", NOW, "utc")).toEqual({ start: NOW - 3_600_000, end: NOW });
});

test("relative spans", () => {
  expect(relativeSpan("-5m")).toBe(300_000);
  expect(relativeSpan("now")).toBeNull();
});

test("moving and zooming keep the length they promise", () => {
  const range = { start: NOW - 3_600_000, end: NOW };
  expect(shifted(range, -1)).toEqual({ start: NOW - 7_200_000, end: NOW - 3_600_000 });
  expect(zoomedOut(range, NOW)).toEqual({ start: NOW - 7_200_000, end: NOW });
  const past = shifted(range, -1);
  expect(zoomedOut(past, NOW)).toEqual({ start: past.start - 1_800_000, end: past.end + 1_800_000 });
});
