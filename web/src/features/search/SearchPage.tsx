import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { type RangeQuery, useHistogram, useStatus } from "../../api/queries";
import type { FieldValue } from "../../api/types";
import { ROWS_MAX, ROWS_STEP } from "../../app/searchUrl";
import { useShortcuts } from "../../app/shortcuts";
import { useI18n } from "../../i18n";
import type { CodeFieldHandle } from "../../ui/CodeField/CodeField";
import { ErrorBox, Loading } from "../../ui/States";
import { Completeness } from "./Completeness";
import { columnsOf } from "./columns";
import { FirstLine, hasNoData, NothingInRange } from "./EmptyStates";
import { FieldsPanel } from "./FieldsPanel";
import { HISTOGRAM_BUCKETS, HistogramPanel } from "./HistogramPanel";
import { filterOf, type Mode, toggleFilter } from "./queryText";
import { RowsPanel } from "./RowsPanel";
import { shifted, zoomedOut } from "./range";
import { SearchToolbar } from "./SearchToolbar";
import { type RowsState, useRows } from "./useRows";
import { type Search, useSearch } from "./useSearch";
import "./search.css";

const DAY_MS = 86_400_000;

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

function Result({ search, result }: { search: Search; result: RowsState & { cancel: () => void } }) {
  const { t } = useI18n();
  const { state, request, range, update, setRange, rerun } = search;
  const { rows, error, loading } = result;
  const columns = useMemo(() => columnsOf(rows, state.columns), [rows, state.columns]);
  const onFilter = useCallback(
    (name: string, value: FieldValue, mode: Mode) =>
      update({ query: toggleFilter(state.query, name, value, mode), open: [] }),
    [state.query, update],
  );
  const onColumn = useCallback(
    (name: string) => {
      const chosen = state.columns;
      update(
        { columns: chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name] },
        { replace: true },
      );
    },
    [state.columns, update],
  );
  const onOpen = useCallback((open: string[]) => update({ open }, { replace: true }), [update]);
  const counted = useCounted(request);
  const fieldsRequest = useMemo(() => ({ ...request, query: filterOf(request.query) }), [request]);
  return (
    <div className="result">
      <FieldsPanel request={fieldsRequest} columns={state.columns} onColumn={onColumn} onFilter={onFilter} />
      <section className="rows-panel" aria-label={t("rows.label")} aria-busy={loading}>
        {error ? (
          <ErrorBox error={error} onRetry={rerun} {...(rows.length > 0 ? { note: t("rows.stale") } : {})} />
        ) : null}
        {(rows.length > 0 || loading || result.cancelled) && !(error && rows.length === 0) && (
          <Completeness
            result={result}
            counted={columns.isLog ? counted : undefined}
            isLog={columns.isLog}
            wrap={state.wrap}
            onWrap={(wrap) => update({ wrap }, { replace: true })}
          />
        )}
        {rows.length > 0 ? (
          <RowsPanel
            rows={rows}
            columns={columns}
            query={state.query}
            longRange={range.end - range.start > DAY_MS}
            wrap={state.wrap}
            open={state.open}
            chosen={state.columns}
            onOpen={onOpen}
            onFilter={onFilter}
            onColumn={onColumn}
            footer={<LoadMore search={search} result={result} />}
          />
        ) : loading ? (
          <Loading onCancel={result.cancel} />
        ) : (
          !error &&
          !result.cancelled && (
            <NothingInRange
              request={fieldsRequest}
              range={range}
              onRange={setRange}
              onClear={() => update({ query: "" })}
            />
          )
        )}
      </section>
    </div>
  );
}

/** The histogram's total, when it is whole and of this very query. The panel above asked for it; this reads its answer. */
function useCounted(request: RangeQuery): number | undefined {
  const filter = filterOf(request.query);
  const { data, isPlaceholderData } = useHistogram({ ...request, query: filter }, HISTOGRAM_BUCKETS);
  return data?.complete && !isPlaceholderData && filter === request.query.trim() ? data.total : undefined;
}

function LoadMore({ search, result }: { search: Search; result: RowsState }) {
  const { t, number } = useI18n();
  const { limit } = search.state;
  if (!result.end?.limit_reached || limit >= ROWS_MAX) return null;
  const more = Math.min(ROWS_MAX - limit, Math.max(ROWS_STEP, limit));
  return (
    <div role="row">
      <div role="gridcell">
        <button
          type="button"
          className="btn load-more"
          onClick={() => search.update({ limit: limit + more }, { replace: true })}
        >
          {t("rows.more", { n: number(more) })}
        </button>
      </div>
    </div>
  );
}
