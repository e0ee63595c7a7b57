import { expect, test } from "vitest";
import { placeOf, sidesOf } from "./surroundings";

const rows = ["before", "before", "match", "after"].map((_context, index) => ({ _id: String(index), _context }));

test("the rows to each side are counted, without the row itself", () => {
  expect(sidesOf(rows)).toEqual({ before: 2, after: 1 });
  expect(sidesOf([])).toEqual({ before: 0, after: 0 });
  expect(rows.map(placeOf)).toEqual(["before", "before", "match", "after"]);
});
