import type { Row } from "../../api/types";

/**
 * What a live tail shows, as a state and events: no timers and no connection here. Newest first, like every list of rows.
 * While it is paused nothing that someone reads moves: what arrives is held, and shown on resume.
 */
export interface TailState {
  status: "connecting" | "live" | "lost" | "ended";
  error: unknown;
  paused: boolean;
  rows: Row[];
  /** Arrived since the pause, newest first. */
  held: Row[];
  /** All that arrived since the pause, also what no longer fits into `held`. */
  heldCount: number;
  /** All that was ever shown. */
  shownCount: number;
  /** Rows that the server left out because they come too fast. */
  leftOut: number;
  /** At the moment one in so many is shown; 1 for all. */
  sampled: number;
  /** How often it was resumed: each time the list starts at its top again. */
  resumes: number;
}

export type TailEvent =
  | { type: "opened" }
  | { type: "rows"; rows: Row[] }
  | { type: "dropped"; dropped: number; sampled: number }
  | { type: "lost" }
  | { type: "failed"; error: unknown }
  | { type: "pause" }
  | { type: "resume" }
  | { type: "restart" };

/** Rows kept on screen, and as many again while paused. The older ones go: the rows of a range are one click away. */
export const TAIL_ROWS_MAX = 1_000;

export const TAIL_START: TailState = {
  status: "connecting",
  error: null,
  paused: false,
  rows: [],
  held: [],
  heldCount: 0,
  shownCount: 0,
  leftOut: 0,
  sampled: 1,
  resumes: 0,
};

export function tailReducer(state: TailState, event: TailEvent): TailState {
  switch (event.type) {
    case "opened":
      return { ...state, status: "live", error: null };
    case "rows":
      return arrived(state, event.rows);
    case "dropped":
      return { ...state, leftOut: state.leftOut + event.dropped, sampled: Math.max(1, event.sampled) };
    case "lost":
      return { ...state, status: "lost" };
    case "failed":
      return { ...state, status: "ended", error: event.error };
    case "pause":
      return state.paused ? state : { ...state, paused: true };
    case "resume":
      return resumed(state);
    case "restart":
      return TAIL_START;
  }
}

const newestFirst = (rows: Row[], more: Row[]) => [...more].reverse().concat(rows).slice(0, TAIL_ROWS_MAX);

function arrived(state: TailState, more: Row[]): TailState {
  if (state.paused) return { ...state, held: newestFirst(state.held, more), heldCount: state.heldCount + more.length };
  return { ...state, rows: newestFirst(state.rows, more), shownCount: state.shownCount + more.length };
}

function resumed(state: TailState): TailState {
  return {
    ...state,
    paused: false,
    rows: state.held.concat(state.rows).slice(0, TAIL_ROWS_MAX),
    held: [],
    heldCount: 0,
    shownCount: state.shownCount + state.heldCount,
    resumes: state.resumes + 1,
  };
}
