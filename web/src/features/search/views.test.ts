import { expect, test } from "vitest";
import { parseSearch, type SearchState } from "../../app/searchUrl";
import { bodyOf, isShown, sameName, sorted, viewHref } from "./views";

const state: SearchState = {
  ...parseSearch(""),
  query: 'error AND a:"b & c"',
  language: "lucene",
  from: "-15m",
  columns: ["service.name", "host"],
  open: ["a1"],
  limit: 1000,
  show: "patterns",
};

test("a view keeps the search and opens it again, without what was only being looked at", () => {
  const body = bodyOf(state, "  Errors ");
  expect(body).toEqual({
    name: "Errors",
    query: state.query,
    language: "lucene",
    range: { from: "-15m", to: "now" },
    columns: ["service.name", "host"],
  });
  const opened = parseSearch(new URL(viewHref(body), "http://x").search);
  expect(opened).toEqual({ ...state, open: [], limit: 500, show: "rows" });
  expect(isShown(body, state)).toBe(true);
  expect(isShown(body, { ...state, columns: [] })).toBe(false);
});

test("views are sorted by name", () => {
  const view = (name: string) => ({ ...bodyOf(state, name), id: name, created_at: "", updated_at: "" });
  expect(sorted([view("b"), view("A"), view("ä")], "en").map(({ name }) => name)).toEqual(["A", "ä", "b"]);
});

test("names that differ in case only are the same", () => {
  expect([sameName(" Errors", "errors "), sameName("a", "b")]).toEqual([true, false]);
});
