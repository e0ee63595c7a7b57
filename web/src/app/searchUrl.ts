import { LANGUAGES_OF_QUERIES, type Language } from "../api/types";

/** What the page makes of the query: its rows, their patterns, or the rows that arrive from now on. */
export type Show = "rows" | "patterns" | "tail";
const SHOWS: readonly Show[] = ["rows", "patterns", "tail"];

/**
 * The search page's state and its form in the URL. Anything that links to a search (an alert, a timeline entry) goes through
 * here, so the format has one home.
 */
export interface SearchState {
  query: string;
  language: Language;
  show: Show;
  /** As written: `-15m`, `now`, RFC 3339 or `0`. Relative times are resolved when the query runs. */
  from: string;
  to: string;
  columns: string[];
  wrap: boolean;
  limit: number;
  /** `_id`s of expanded rows. */
  open: string[];
  /** `_id` of the opened row whose surroundings are shown; empty for none. */
  around: string;
}

export const ROWS_STEP = 500;
export const ROWS_MAX = 10_000;

const DEFAULTS: SearchState = {
  query: "",
  language: "native",
  show: "rows",
  from: "-1h",
  to: "now",
  columns: [],
  wrap: false,
  limit: ROWS_STEP,
  open: [],
  around: "",
};

export function parseSearch(text: string): SearchState {
  const params = new URLSearchParams(text);
  const limit = Number(params.get("limit"));
  return {
    query: params.get("q") ?? DEFAULTS.query,
    language: oneOf(LANGUAGES_OF_QUERIES, params.get("lang"), DEFAULTS.language),
    show: oneOf(SHOWS, params.get("show"), DEFAULTS.show),
    from: params.get("from") || DEFAULTS.from,
    to: params.get("to") || DEFAULTS.to,
    columns: params.getAll("col"),
    wrap: params.get("wrap") === "1",
    limit: Number.isInteger(limit) && limit > 0 ? Math.min(limit, ROWS_MAX) : DEFAULTS.limit,
    open: params.getAll("open"),
    around: params.get("around") ?? DEFAULTS.around,
  };
}

const oneOf = <T extends string>(known: readonly T[], text: string | null, fallback: T): T =>
  known.find((one) => one === text) ?? fallback;

/** Only what differs from the defaults is written, so that links stay short enough to read aloud. */
export function searchHref(change: Partial<SearchState>): string {
  const state = { ...DEFAULTS, ...change };
  const params = new URLSearchParams();
  if (state.query) params.set("q", state.query);
  if (state.language !== DEFAULTS.language) params.set("lang", state.language);
  if (state.show !== DEFAULTS.show) params.set("show", state.show);
  if (state.from !== DEFAULTS.from || state.to !== DEFAULTS.to) {
    params.set("from", state.from);
    params.set("to", state.to);
  }
  for (const column of state.columns) params.append("col", column);
  if (state.wrap) params.set("wrap", "1");
  if (state.limit !== DEFAULTS.limit) params.set("limit", String(state.limit));
  for (const id of state.open) params.append("open", id);
  if (state.around) params.set("around", state.around);
  const text = params.toString();
  return text ? `/search?${text}` : "/search";
}

/**
 * The state after a change. A live tail is of one query and one range: another of either ends it. Surroundings are part of an
 * opened row and close with it.
 */
export function changed(state: SearchState, change: Partial<SearchState>): SearchState {
  const next = { ...state, ...change };
  if (!next.open.includes(next.around)) next.around = "";
  const other = (["query", "language", "from", "to"] as const).some((name) => next[name] !== state[name]);
  return other && state.show === "tail" && change.show === undefined ? { ...next, show: "rows" } : next;
}
