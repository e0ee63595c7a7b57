import { useCallback, useMemo, useState } from "react";
import type { RangeQuery } from "../../api/queries";
import { navigate, useSearchText } from "../../app/router";
import { parseSearch, type SearchState, searchHref } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import { iso, type Range, resolveRange } from "./range";

export interface Search {
  state: SearchState;
  range: Range;
  /** The query over the frozen range, as every panel sends it. */
  request: RangeQuery;
  update: (change: Partial<SearchState>, options?: { replace?: boolean }) => void;
  setRange: (range: Range) => void;
  /** Runs the query again with a new "now". */
  rerun: () => void;
}

const HOUR_MS = 3_600_000;

/** The page's state, read from the URL. The only thing kept beside it is when the query was last run. */
export function useSearch(): Search {
  const text = useSearchText();
  const { prefs } = useI18n();
  const state = useMemo(() => parseSearch(text), [text]);
  const [run, setRun] = useState(0);
  const { query, from, to } = state;
  // biome-ignore lint/correctness/useExhaustiveDependencies: "now" moves exactly when the query, the range or the run changes
  const range = useMemo(() => {
    const now = Date.now();
    return resolveRange(from, to, now, prefs.zone) ?? { start: now - HOUR_MS, end: now };
  }, [query, from, to, run, prefs.zone]);
  const request = useMemo(() => ({ query, start: iso(range.start), end: iso(range.end) }), [query, range]);
  const update = useCallback(
    (change: Partial<SearchState>, options?: { replace?: boolean }) =>
      navigate(searchHref({ ...parseSearch(location.search), ...change }), options),
    [],
  );
  const setRange = useCallback(({ start, end }: Range) => update({ from: iso(start), to: iso(end) }), [update]);
  const rerun = useCallback(() => setRun((count) => count + 1), []);
  return { state, range, request, update, setRange, rerun };
}
