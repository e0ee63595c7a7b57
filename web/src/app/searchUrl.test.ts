import { expect, test } from "vitest";
import { changed, parseSearch, type SearchState, searchHref } from "./searchUrl";

const cases: SearchState[] = [
  { ...parseSearch(""), query: "" },
  {
    language: "lucene",
    show: "patterns",
    around: "00000000000000a1",
    query: 'error body:"a & b=c" | stats count() as n # + %',
    from: "2026-11-23T09:00:00.000Z",
    to: "2026-11-23T10:00:00.000Z",
    columns: ["service.name", "http.status_code", "odd name,;"],
    wrap: true,
    limit: 2000,
    open: ["00000000000000a1", "00000000000000a2"],
  },
  { ...parseSearch(""), query: "错误 服务:结账", from: "-15m", to: "now", show: "tail" },
];

test.each(cases)("state survives the URL: $query", (state) => {
  const href = searchHref(state);
  expect(parseSearch(new URL(href, "http://x").search)).toEqual(state);
});

test("the start page has the shortest address", () => {
  expect(searchHref({})).toBe("/search");
});

test.each(["limit=-3", "limit=abc", "limit=1e99", "limit="])("a bad %s does not break the page", (text) => {
  expect(parseSearch(`?${text}`).limit).toBeLessThanOrEqual(10_000);
  expect(parseSearch(`?${text}`).limit).toBeGreaterThan(0);
});

test.each(["lang=klingon", "show=everything", "lang=&show="])("an unknown choice (%s) is the usual one", (text) => {
  expect(parseSearch(`?${text}`)).toEqual(parseSearch(""));
});

test("another query, language or range ends a live tail; anything else lets it run", () => {
  const tail: SearchState = { ...parseSearch(""), query: "error", show: "tail" };
  expect(changed(tail, { query: "warn" }).show).toBe("rows");
  expect(changed(tail, { language: "lucene" }).show).toBe("rows");
  expect(changed(tail, { from: "-5m" }).show).toBe("rows");
  expect(changed(tail, { query: "error", wrap: true, open: ["1"] }).show).toBe("tail");
  expect(changed({ ...tail, show: "patterns" }, { query: "warn" }).show).toBe("patterns");
  expect(changed({ ...tail, show: "rows" }, { query: "warn", show: "tail" }).show).toBe("tail");
});

test("surroundings close with their row", () => {
  const state: SearchState = { ...parseSearch(""), open: ["a", "b"], around: "a" };
  expect(changed(state, { open: ["a"] }).around).toBe("a");
  expect(changed(state, { open: ["b"] }).around).toBe("");
  expect(changed(state, { query: "x", open: [] }).around).toBe("");
});
