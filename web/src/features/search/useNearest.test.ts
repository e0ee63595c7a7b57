import { expect, test } from "vitest";
import { findNearest } from "./useNearest";

/** A histogram over rows at the given times, as the server counts it. */
const counter = (rows: number[]) => async (range: { query: string; start: string; end: string }) => {
  const start = Date.parse(range.start);
  const step_ms = Math.ceil((Date.parse(range.end) - start) / 60);
  const buckets = Array.from({ length: 60 }, (_, index) => {
    const from = start + index * step_ms;
    const total = rows.filter((at) => at >= from && at < from + step_ms).length;
    return { time: new Date(from).toISOString(), total };
  });
  return { step_ms, buckets };
};

const END = "2026-11-23T12:00:00.000Z";

test.each(["2005-06-03T15:42:50Z", "2026-11-23T11:59:58Z", "1999-12-31T23:59:59Z"])(
  "finds a lone row at %s",
  async (at) => {
    const row = Date.parse(at);
    const found = await findNearest({ query: "", start: END, end: END }, counter([Date.parse("1980-01-01"), row]));
    expect(found).not.toBeNull();
    expect(Math.abs((found as number) - row)).toBeLessThan(5000);
  },
);

test("says so when there is none", async () => {
  expect(await findNearest({ query: "", start: END, end: END }, counter([]))).toBeNull();
});
