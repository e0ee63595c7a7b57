import { apiUrl } from "../../api/client";
import type { RangeQuery } from "../../api/queries";

export const EXPORT_FORMATS = [
  { format: "ndjson", name: "NDJSON" },
  { format: "csv", name: "CSV" },
  { format: "arrow", name: "Arrow" },
  { format: "parquet", name: "Parquet" },
] as const;

export type ExportFormat = (typeof EXPORT_FORMATS)[number]["format"];

/** Where the rows of a query over a fixed range are downloaded, all of them. */
export function exportUrl({ query, language = "native", start, end }: RangeQuery, format: ExportFormat): string {
  return apiUrl(`/export?${new URLSearchParams({ query, language, start, end, format })}`);
}
