import { useEffect, useReducer, useState } from "react";
import { openTail } from "../../api/tail";
import type { Language, Row } from "../../api/types";
import { TAIL_ROWS_MAX, TAIL_START, type TailEvent, type TailState, tailReducer } from "./tail";

/** Rows are shown at most this often: more than a few repaints a second nobody reads. */
const PAINT_MS = 150;
/** The server tells of every moment in which it leaves rows out, and is silent when it shows all of them again. */
const SAMPLED_FOR_MS = 2_000;

export interface Tail {
  state: TailState;
  dispatch: (event: TailEvent) => void;
  /** Starts again after it has ended. */
  restart: () => void;
}

/** Follows the rows of a query for as long as the component is on screen. */
export function useTail(query: string, language: Language): Tail {
  const [state, dispatch] = useReducer(tailReducer, TAIL_START);
  const [run, setRun] = useState(0);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new run is a new connection
  useEffect(() => {
    let waiting: Row[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    let sampling: ReturnType<typeof setTimeout> | undefined;
    const paint = () => {
      clearTimeout(timer);
      timer = undefined;
      if (waiting.length > 0) dispatch({ type: "rows", rows: waiting });
      waiting = [];
    };
    dispatch({ type: "restart" });
    const stop = openTail(
      { query, language },
      {
        opened: () => dispatch({ type: "opened" }),
        rows: (rows) => {
          waiting = waiting.concat(rows);
          // In a hidden tab timers stand still for a minute; the rows must not pile up meanwhile.
          if (waiting.length >= TAIL_ROWS_MAX) paint();
          else timer ??= setTimeout(paint, PAINT_MS);
        },
        dropped: (dropped, sampled) => {
          dispatch({ type: "dropped", dropped, sampled });
          clearTimeout(sampling);
          sampling = setTimeout(() => dispatch({ type: "dropped", dropped: 0, sampled: 1 }), SAMPLED_FOR_MS);
        },
        lost: () => dispatch({ type: "lost" }),
        failed: (error) => {
          paint();
          dispatch({ type: "failed", error });
        },
      },
    );
    return () => {
      clearTimeout(timer);
      clearTimeout(sampling);
      stop();
    };
  }, [query, language, run]);
  return { state, dispatch, restart: () => setRun((count) => count + 1) };
}
