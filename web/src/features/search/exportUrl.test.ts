import { expect, test } from "vitest";
import { EXPORT_FORMATS, exportUrl } from "./exportUrl";

const range = { start: "2026-11-23T00:00:00.000Z", end: "2026-11-23T01:00:00.000Z" };

test("a download is of the whole query, whatever it holds", () => {
  const query = 'error & a:="b #1" | limit 5 + 王';
  for (const { format } of EXPORT_FORMATS) {
    const url = new URL(exportUrl({ query, language: "lucene", ...range }, format), "http://x");
    expect(url.pathname).toBe("/backstop/api/v1/export");
    expect(Object.fromEntries(url.searchParams)).toEqual({ query, language: "lucene", ...range, format });
  }
});

test("the native language is named too", () => {
  expect(exportUrl({ query: "", ...range }, "csv")).toContain("language=native");
});
