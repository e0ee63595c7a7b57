import { useCallback, useMemo } from "react";
import { type RangeQuery, useHistogram } from "../../api/queries";
import { ROWS_MAX, ROWS_STEP, type SearchState } from "../../app/searchUrl";
import { type MessageKey, useI18n } from "../../i18n";
import { Choice } from "../../ui/Marks";
import { ErrorBox, Loading } from "../../ui/States";
import { Completeness } from "./Completeness";
import { columnsOf } from "./columns";
import { NothingInRange } from "./EmptyStates";
import { FieldsPanel } from "./FieldsPanel";
import { type Filters, useFilters } from "./Filters";
import { HISTOGRAM_BUCKETS } from "./HistogramPanel";
import { PatternsPanel } from "./PatternsPanel";
import { filterRequest, searchedWords } from "./queryText";
import { RowsPanel } from "./RowsPanel";
import { TailPanel } from "./TailPanel";
import type { RowsState } from "./useRows";
import type { Search } from "./useSearch";

const DAY_MS = 86_400_000;

/** What a list of rows needs of the page, whichever rows it shows. */
export interface RowActions {
  filters: Filters | null;
  words: string[];
  onColumn: (field: string) => void;
  onOpen: (open: string[]) => void;
}

interface Props {
  search: Search;
  result: RowsState & { cancel: () => void };
}

const SHOWS: { value: SearchState["show"]; label: MessageKey }[] = [
  { value: "rows", label: "show.rows" },
  { value: "patterns", label: "show.patterns" },
  { value: "tail", label: "show.tail" },
];

/** The fields at the side, and beside them what was chosen to be shown of the query. */
export function Result({ search, result }: Props) {
  const { t } = useI18n();
  const { state, request, update } = search;
  const actions = useRowActions(search);
  const fieldsRequest = useMemo(() => filterRequest(request), [request]);
  const choice = (
    <Choice label={t("show.label")} options={SHOWS} value={state.show} onChange={(show) => update({ show })} />
  );
  return (
    <div className="result">
      <FieldsPanel
        request={fieldsRequest}
        columns={state.columns}
        onColumn={actions.onColumn}
        filters={actions.filters}
      />
      {state.show === "tail" ? (
        <TailPanel search={search} actions={actions} choice={choice} />
      ) : state.show === "patterns" ? (
        <PatternsPanel search={search} request={fieldsRequest} filters={actions.filters} choice={choice} />
      ) : (
        <Rows search={search} result={result} actions={actions} fieldsRequest={fieldsRequest} choice={choice} />
      )}
    </div>
  );
}

function useRowActions({ state, update }: Search): RowActions {
  const filters = useFilters(state, update);
  const { query, language } = state;
  const words = useMemo(
    () => (language === "native" || language === "lucene" ? searchedWords(query) : []),
    [query, language],
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
  return useMemo(() => ({ filters, words, onColumn, onOpen }), [filters, words, onColumn, onOpen]);
}

function Rows(props: Props & { actions: RowActions; fieldsRequest: RangeQuery; choice: React.ReactNode }) {
  const { t } = useI18n();
  const { search, result, actions } = props;
  const { state, request, range, update, setRange, rerun } = search;
  const { rows, error, loading } = result;
  const columns = useMemo(() => columnsOf(rows, state.columns), [rows, state.columns]);
  const counted = useCounted(request);
  const known = (rows.length > 0 || loading || result.cancelled) && !(error && rows.length === 0);
  return (
    <section className="rows-panel" aria-label={t("rows.label")} aria-busy={loading}>
      <div className="result-bar">
        {props.choice}
        {known && (
          <Completeness
            result={result}
            counted={columns.isLog ? counted : undefined}
            isLog={columns.isLog}
            wrap={state.wrap}
            onWrap={(wrap) => update({ wrap }, { replace: true })}
          />
        )}
      </div>
      {error ? (
        <ErrorBox error={error} onRetry={rerun} {...(rows.length > 0 ? { note: t("rows.stale") } : {})} />
      ) : null}
      {rows.length > 0 ? (
        <RowsPanel
          rows={rows}
          columns={columns}
          query={state.query}
          longRange={range.end - range.start > DAY_MS}
          wrap={state.wrap}
          open={state.open}
          chosen={state.columns}
          {...actions}
          footer={<LoadMore search={search} result={result} />}
        />
      ) : loading ? (
        <Loading onCancel={result.cancel} />
      ) : (
        !error &&
        !result.cancelled && (
          <NothingInRange
            request={props.fieldsRequest}
            range={range}
            onRange={setRange}
            onClear={() => update({ query: "", language: "native" })}
          />
        )
      )}
    </section>
  );
}

/** The histogram's total, when it is whole and of this very query. The panel above asked for it; this reads its answer. */
function useCounted(request: RangeQuery): number | undefined {
  const filter = filterRequest(request);
  const { data, isPlaceholderData } = useHistogram(filter, HISTOGRAM_BUCKETS);
  return data?.complete && !isPlaceholderData && filter.query === request.query.trim() ? data.total : undefined;
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
