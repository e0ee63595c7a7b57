import type { Status } from "./types";

/** Records the server holds: written segments, and what is still in memory. */
export function storedRecords({ tables = [], memtable_rows = 0, rows_ingested = 0 }: Status): number {
  return Math.max(rows_ingested, memtable_rows + tables.reduce((sum, { rows }) => sum + rows, 0));
}
