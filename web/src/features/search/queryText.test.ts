import { describe, expect, test } from "vitest";
import { appendFilter, filterOf, hasFilter, searchedWords, toggleFilter, valueFilter } from "./queryText";

test.each([
  ["service.name", "checkout", 'service.name:="checkout"'],
  ["http.status", 500, "http.status:=500"],
  ["ok", true, "ok:=true"],
  ["shop@32473.id", "x", 'shop@32473.id:="x"'],
  ["path", 'a "b" \\c\nd', 'path:="a \\"b\\" \\\\c\\nd"'],
  ["odd name", "x", '"odd name":="x"'],
  ["user", null, "not user:*"],
  ["字段", "值", '字段:="值"'],
])("filter on %s = %s", (field, value, expected) => {
  expect(valueFilter(field, value)).toBe(expected);
});

describe("adding", () => {
  test.each([
    ["", 'a:="x"'],
    ["*", 'a:="x"'],
    ["error", 'error a:="x"'],
    ["error | stats count() as n", 'error a:="x" | stats count() as n'],
    ['"a | b" | limit 5', '"a | b" a:="x" | limit 5'],
    ["one or two", '(one or two) a:="x"'],
    ["(one or two) | limit 5", '(one or two) a:="x" | limit 5'],
    ["| limit 5", 'a:="x" | limit 5'],
    ['{service.name="c|d"}', '{service.name="c|d"} a:="x"'],
  ])("to %s", (query, expected) => {
    expect(toggleFilter(query, "a", "x", "include")).toBe(expected);
    expect(appendFilter(query, 'a:="x"')).toBe(expected);
  });
});

describe("toggling", () => {
  test.each(["", "error", "error | limit 5", '"a b" c:in(1,2) | stats count() as n'])(
    "twice gives %s back",
    (query) => {
      for (const mode of ["include", "exclude"] as const) {
        const once = toggleFilter(query, "a.b", "x y", mode);
        expect(hasFilter(once, "a.b", "x y", mode)).toBe(true);
        expect(toggleFilter(once, "a.b", "x y", mode)).toBe(query);
      }
    },
  );

  test("the other way round replaces", () => {
    const included = toggleFilter("error", "a", 1, "include");
    expect(toggleFilter(included, "a", 1, "exclude")).toBe("error -a:=1");
  });

  test("absence and presence are opposites too", () => {
    expect(toggleFilter("x", "a", null, "exclude")).toBe("x a:*");
  });

  test("an explicit and goes with its part", () => {
    expect(toggleFilter("x and a:=1 and y", "a", 1, "include")).toBe("x and y");
    expect(toggleFilter("a:=1 and y", "a", 1, "include")).toBe("y");
  });
});

test("the filter ends at the first pipe outside quotes", () => {
  expect(filterOf('a "x|y" ~"p|q" | stats count() as n | limit 5')).toBe('a "x|y" ~"p|q"');
});

test.each([
  ["error", ["error"]],
  ['"connection refused" error', ["connection refused", "error"]],
  ["not error -debug !x ok", ["ok"]],
  ['pay* service.name:checkout ~"x.y" status:>=500', ["pay"]],
  ["a or b and body:c | stats count() as error", ["a", "b", "c"]],
  ["超时", ["超时"]],
])("words to highlight in %s", (query, expected) => {
  expect(searchedWords(query)).toEqual(expected);
});

test("an unclosed quote neither hangs nor throws", () => {
  expect(filterOf('a "b | c')).toBe('a "b | c');
});
