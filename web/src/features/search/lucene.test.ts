import { describe, expect, test } from "vitest";
import { hasClause, luceneClause, negated, toggleClause } from "./lucene";

test.each([
  ["service.name", "checkout", 'service.name:"checkout"'],
  ["http.status", 500, "http.status:500"],
  ["delta", -3, 'delta:"-3"'],
  ["path", 'a "b" \\c', 'path:"a \\"b\\" \\\\c"'],
  ["odd name:x", "1", 'odd\\ name\\:x:"1"'],
  ["user", null, "NOT _exists_:user"],
  ["tags", ["a"], "_exists_:tags"],
])("a clause on %s = %s", (field, value, expected) => {
  expect(luceneClause(field, value)).toBe(expected);
});

describe("adding", () => {
  test.each([
    ["", 'a:"x"'],
    ["*:*", 'a:"x"'],
    ["error", 'error AND a:"x"'],
    ["error timeout", '(error timeout) AND a:"x"'],
    ["error OR timeout", '(error OR timeout) AND a:"x"'],
    ["+error -debug", '(+error -debug) AND a:"x"'],
    ["error || b", '(error || b) AND a:"x"'],
    ['"two words" AND (b OR c)', '"two words" AND (b OR c) AND a:"x"'],
    ["n:[1 TO 5]", 'n:[1 TO 5] AND a:"x"'],
    ["NOT b", 'NOT b AND a:"x"'],
    ["don't stop", '(don\'t stop) AND a:"x"'],
    ['"open', '("open) AND a:"x"'],
    ["b AND", '(b AND) AND a:"x"'],
  ])("to %s", (query, expected) => {
    expect(toggleClause(query, 'a:"x"')).toBe(expected);
  });

  test("of exclusions alone starts from everything", () => {
    expect(toggleClause("", 'NOT a:"x"')).toBe('*:* AND NOT a:"x"');
    expect(toggleClause('*:* AND NOT a:"x"', 'NOT b:"y"')).toBe('*:* AND NOT a:"x" AND NOT b:"y"');
  });
});

test.each(["", "error", "error AND b:1", "(a OR b)"])("what was added to %s is found and taken out again", (query) => {
  for (const clause of ['odd\\ name:"a b) \\" AND"', 'NOT a:"x"']) {
    const added = toggleClause(query, clause);
    expect(hasClause(added, clause)).toBe(true);
    expect(hasClause(added, negated(clause))).toBe(false);
    expect(toggleClause(added, clause)).toBe(query);
  }
});

test("the opposite goes", () => {
  expect(toggleClause('error AND a:"x"', 'NOT a:"x"')).toBe('error AND NOT a:"x"');
});
