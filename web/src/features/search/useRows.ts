import { useCallback, useEffect, useRef, useState } from "react";
import { cancelQuery, newQueryId, type QueryRequest, streamQuery } from "../../api/client";
import type { QueryEnd, Row } from "../../api/types";

/**
 * The rows of the current query, as they stream in. The previous result stays on screen until the first row (or the end) of the
 * new one arrives, and for good when the new one fails: nothing that someone is reading is taken away by an error.
 */
export interface RowsState {
  rows: Row[];
  end: QueryEnd | null;
  error: unknown;
  loading: boolean;
  cancelled: boolean;
  /** The rows belong to an earlier query. */
  previous: boolean;
}

const NOTHING: RowsState = { rows: [], end: null, error: null, loading: true, cancelled: false, previous: false };
/** Rows are shown at most this often: a repaint per network packet would cost more than the query. */
const PAINT_MS = 80;

export function useRows(request: QueryRequest): RowsState & { cancel: () => void } {
  const [state, setState] = useState(NOTHING);
  const cancelRun = useRef(() => {});
  const { query, language, start, end, limit } = request;

  useEffect(() => {
    const abort = new AbortController();
    const id = newQueryId();
    let rows: Row[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const paint = (change: Partial<RowsState>) => {
      clearTimeout(timer);
      timer = undefined;
      setState((last) => ({ ...last, rows, previous: false, ...change }));
    };
    setState((last) => ({ ...last, loading: true, error: null, cancelled: false, previous: last.rows.length > 0 }));
    const sink = {
      rows: (more: Row[]) => {
        rows = rows.concat(more);
        timer ??= setTimeout(() => paint({ end: null }), PAINT_MS);
      },
      end: (last: QueryEnd) => paint({ end: last, loading: false }),
    };
    streamQuery({ query, ...(language && { language }), start, end, limit }, id, abort.signal, sink).catch(
      (error: unknown) => {
        if (abort.signal.aborted) return;
        clearTimeout(timer);
        if (rows.length > 0) paint({ error, loading: false, end: null });
        else setState((last) => ({ ...last, error, loading: false }));
      },
    );
    cancelRun.current = () => {
      abort.abort();
      cancelQuery(id);
      if (rows.length > 0) paint({ loading: false, cancelled: true, end: null });
      else setState((last) => ({ ...last, loading: false, cancelled: true }));
    };
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [query, language, start, end, limit]);

  const cancel = useCallback(() => cancelRun.current(), []);
  return { ...state, cancel };
}
