/**
 * The search page's state and its form in the URL. Anything that links to a search (an alert, a timeline entry) goes through
 * here, so the format has one home.
 */
export interface SearchState {
  query: string;
  /** As written: `-15m`, `now`, RFC 3339 or `0`. Relative times are resolved when the query runs. */
  from: string;
  to: string;
  columns: string[];
  wrap: boolean;
  limit: number;
  /** `_id`s of expanded rows. */
  open: string[];
}

export const ROWS_STEP = 500;
export const ROWS_MAX = 10_000;

const DEFAULTS: SearchState = {
  query: "",
  from: "-1h",
  to: "now",
  columns: [],
  wrap: false,
  limit: ROWS_STEP,
  open: [],
};

export function parseSearch(text: string): SearchState {
  const params = new URLSearchParams(text);
  const limit = Number(params.get("limit"));
  return {
    query: params.get("q") ?? DEFAULTS.query,
    from: params.get("from") || DEFAULTS.from,
    to: params.get("to") || DEFAULTS.to,
    columns: params.getAll("col"),
    wrap: params.get("wrap") === "1",
    limit: Number.isInteger(limit) && limit > 0 ? Math.min(limit, ROWS_MAX) : DEFAULTS.limit,
    open: params.getAll("open"),
  };
}

/** Only what differs from the defaults is written, so that links stay short enough to read aloud. */
export function searchHref(change: Partial<SearchState>): string {
  const state = { ...DEFAULTS, ...change };
  const params = new URLSearchParams();
  if (state.query) params.set("q", state.query);
  if (state.from !== DEFAULTS.from || state.to !== DEFAULTS.to) {
    params.set("from", state.from);
    params.set("to", state.to);
  }
  for (const column of state.columns) params.append("col", column);
  if (state.wrap) params.set("wrap", "1");
  if (state.limit !== DEFAULTS.limit) params.set("limit", String(state.limit));
  for (const id of state.open) params.append("open", id);
  const text = params.toString();
  return text ? `/search?${text}` : "/search";
}
