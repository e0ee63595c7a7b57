import { useCallback, useMemo, useState } from "react";
import type { RangeQuery } from "../../api/queries";
import type { Language } from "../../api/types";
import { navigate, useSearchText } from "../../app/router";
import { changed, parseSearch, type SearchState, searchHref } from "../../app/searchUrl";
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

/** The native language goes without saying, so that an older server understands the request too. */
const languageOf = (language: Language): { language?: Language } => (language === "native" ? {} : { language });

type Update = Search["update"];

/** The state in the URL and the one way to change it. */
export function useUrlState(): [SearchState, Update] {
  const text = useSearchText();
  const state = useMemo(() => parseSearch(text), [text]);
  const update: Update = useCallback(
    (change, options) => navigate(searchHref(changed(parseSearch(location.search), change)), options),
    [],
  );
  return [state, update];
}

/** The page's state, read from the URL. The only thing kept beside it is when the query was last run. */
export function useSearch(): Search {
  const { prefs } = useI18n();
  const [state, update] = useUrlState();
  const [run, setRun] = useState(0);
  const { query, language, from, to } = state;
  // biome-ignore lint/correctness/useExhaustiveDependencies: "now" moves exactly when the query, the range or the run changes
  const range = useMemo(() => {
    const now = Date.now();
    return resolveRange(from, to, now, prefs.zone) ?? { start: now - HOUR_MS, end: now };
  }, [query, language, from, to, run, prefs.zone]);
  const request = useMemo(
    () => ({ query, ...languageOf(language), start: iso(range.start), end: iso(range.end) }),
    [query, language, range],
  );
  const setRange = useCallback(({ start, end }: Range) => update({ from: iso(start), to: iso(end) }), [update]);
  const rerun = useCallback(() => setRun((count) => count + 1), []);
  return { state, range, request, update, setRange, rerun };
}
