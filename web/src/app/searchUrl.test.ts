import { expect, test } from "vitest";
import { parseSearch, type SearchState, searchHref } from "./searchUrl";

const cases: SearchState[] = [
  { query: "", from: "-1h", to: "now", columns: [], wrap: false, limit: 500, open: [] },
  {
    query: 'error body:"a & b=c" | stats count() as n # + %',
    from: "2026-11-23T09:00:00.000Z",
    to: "2026-11-23T10:00:00.000Z",
    columns: ["service.name", "http.status_code", "odd name,;"],
    wrap: true,
    limit: 2000,
    open: ["00000000000000a1", "00000000000000a2"],
  },
  { query: "错误 服务:结账", from: "-15m", to: "now", columns: [], wrap: false, limit: 500, open: [] },
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
