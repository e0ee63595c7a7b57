import type { Row } from "../../api/types";

export type Place = "before" | "match" | "after";

/** Where a row of a context stands; the server says so in a field of its own. */
export const placeOf = (row: Row): Place =>
  row._context === "match" || row._context === "before" ? row._context : "after";

/** How many rows were found to each side: fewer than asked for is the end of the stream. */
export function sidesOf(rows: Row[]): { before: number; after: number } {
  const count = (place: Place) => rows.filter((row) => placeOf(row) === place).length;
  return { before: count("before"), after: count("after") };
}
