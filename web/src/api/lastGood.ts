import { useState } from "react";
import { ApiError } from "./client";

/** The query itself is wrong. The rows' panel explains it; the others have nothing to add. */
export const isBadQuery = (error: unknown): boolean => error instanceof ApiError && error.diagnostics.length > 0;

/** This question makes no sense of this query, as the times of samples of PromQL. The rows are there all the same. */
export const isUnsupported = (error: unknown): boolean => error instanceof ApiError && error.code === "unsupported";

/** What a panel shows: its data, or, while the query is wrong, what it showed before. */
export function useLastGood<T>({ data, error }: { data: T | undefined; error: unknown }): T | undefined {
  const [last, setLast] = useState(data);
  if (data !== undefined && data !== last) setLast(() => data);
  return isBadQuery(error) ? last : data;
}
