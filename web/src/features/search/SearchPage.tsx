import { useCallback, useEffect, useRef, useState } from "react";
import { useStatus } from "../../api/queries";
import { useShortcuts } from "../../app/shortcuts";
import type { CodeFieldHandle } from "../../ui/CodeField/CodeField";
import { FirstLine, hasNoData } from "./EmptyStates";
import { HistogramPanel } from "./HistogramPanel";
import { Result } from "./Result";
import { shifted, zoomedOut } from "./range";
import { SearchToolbar } from "./SearchToolbar";
import { useRows } from "./useRows";
import { useSearch } from "./useSearch";
import "./search.css";

export function SearchPage() {
  const search = useSearch();
  const { state, request, range, setRange, rerun } = search;
  const result = useRows({ ...request, limit: state.limit });
  const status = useStatus();
  const field = useRef<CodeFieldHandle>(null);
  const [timeOpen, setTimeOpen] = useState(false);
  useFirstArrival(hasNoData(status.data), rerun);
  const zoomOut = useCallback(() => setRange(zoomedOut(range, Date.now())), [range, setRange]);
  useShortcuts({
    focusQuery: () => field.current?.focus(),
    time: () => setTimeOpen(true),
    earlier: () => setRange(shifted(range, -1)),
    later: () => setRange(shifted(range, 1)),
    zoomOut,
  });
  return (
    <div className="search">
      <SearchToolbar
        search={search}
        field={field}
        running={result.loading}
        onCancel={result.cancel}
        timeOpen={timeOpen}
        onTimeOpen={setTimeOpen}
      />
      {status.data && hasNoData(status.data) ? (
        <FirstLine status={status.data} />
      ) : (
        <>
          <HistogramPanel request={request} rows={result.rows} onRange={setRange} onZoomOut={zoomOut} />
          <Result search={search} result={result} />
        </>
      )}
    </div>
  );
}

/** The first record of a new install shows by itself. */
function useFirstArrival(empty: boolean, rerun: () => void): void {
  const was = useRef(empty);
  useEffect(() => {
    if (was.current && !empty) rerun();
    was.current = empty;
  }, [empty, rerun]);
}
