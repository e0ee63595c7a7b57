import { memo, type ReactNode, useState } from "react";
import { useLastGood } from "../../api/lastGood";
import { type RangeQuery, usePatterns } from "../../api/queries";
import type { Pattern, PatternList } from "../../api/types";
import { type I18n, useI18n } from "../../i18n";
import { StateMark } from "../../ui/Marks";
import { Empty, ErrorBox, Loading } from "../../ui/States";
import { FilterButtons, type Filters } from "./Filters";
import { barHeights, peakOf, stepsFrom, templatePieces } from "./templates";
import type { Search } from "./useSearch";
import "./patterns.css";

const STEP = 50;
/** The most that the server gives. */
const PATTERNS_MAX = 1_000;
const FIELD = "_pattern";
/** A line of megabytes makes a template of megabytes; its start says what it is. */
const TEXT_CHARS_MAX = 2_000;
const DAY_MS = 86_400_000;

interface Props {
  search: Search;
  /** The filter of the query, without its pipes. */
  request: RangeQuery;
  filters: Filters | null;
  choice: ReactNode;
}

/** The rows folded into the few lines of code that wrote them, with how often, since when, and what is new. */
export function PatternsPanel({ search, request, filters, choice }: Props) {
  const { t } = useI18n();
  const [limit, setLimit] = useState(STEP);
  const patterns = usePatterns(request, limit);
  const data = useLastGood(patterns);
  const onOpen = filters
    ? (id: string) => {
        const query = filters.has(FIELD, id, "include") ? search.state.query : filters.toggled(FIELD, id, "include");
        search.update({ query, show: "rows", open: [] });
      }
    : undefined;
  return (
    <section className="rows-panel" aria-label={t("patterns.label")} aria-busy={patterns.isFetching}>
      <div className="result-bar">
        {choice}
        {data && <Summary list={data} all={data.patterns.length < limit} />}
      </div>
      {patterns.error ? (
        <ErrorBox
          error={patterns.error}
          onRetry={() => void patterns.refetch()}
          {...(data ? { note: t("rows.stale") } : {})}
        />
      ) : null}
      {data && data.patterns.length > 0 ? (
        <div className="patterns">
          <Table list={data} filters={filters} onOpen={onOpen} />
          {data.patterns.length >= limit && limit < PATTERNS_MAX && (
            <button
              type="button"
              className="btn load-more"
              disabled={patterns.isFetching}
              onClick={() => setLimit(Math.min(PATTERNS_MAX, limit + Math.max(STEP, limit)))}
            >
              {t("patterns.more")}
            </button>
          )}
        </div>
      ) : data ? (
        <Empty title={t("patterns.none")} />
      ) : (
        !patterns.error && <Loading />
      )}
    </section>
  );
}

function Summary({ list, all }: { list: PatternList; all: boolean }) {
  const { t } = useI18n();
  const n = list.patterns.length;
  const fresh = list.patterns.filter((pattern) => pattern.new).length;
  return (
    <div className="completeness">
      <p role="status">
        <b>{t(all ? "patterns.all" : "patterns.some", { n, rows: list.total })}</b>
        {fresh > 0 && <span title={t("patterns.newHint")}>{t("patterns.newCount", { n: fresh })}</span>}
      </p>
    </div>
  );
}

const COLUMNS = ["template", "count", "share", "trend", "first", "last"] as const;

function Table({ list, filters, onOpen }: { list: PatternList } & Pick<ItemProps, "filters" | "onOpen">) {
  const { t } = useI18n();
  const start = Date.parse(list.start);
  const steps = stepsFrom(start, list.step_ms);
  return (
    <table className="data-table" aria-label={t("patterns.label")}>
      <thead>
        <tr>
          {COLUMNS.map((name) => (
            <th key={name} scope="col" className={name === "count" || name === "share" ? "num" : ""}>
              {t(`patterns.${name}`)}
            </th>
          ))}
          {filters && <th scope="col">{t("patterns.filter")}</th>}
        </tr>
      </thead>
      <tbody>
        {list.patterns.map((pattern) => (
          <PatternRow
            key={pattern.id}
            pattern={pattern}
            start={steps}
            step={list.step_ms}
            longRange={Date.parse(list.end) - start > DAY_MS}
            filters={filters}
            onOpen={onOpen}
          />
        ))}
      </tbody>
    </table>
  );
}

interface ItemProps {
  pattern: Pattern;
  start: number;
  step: number;
  longRange: boolean;
  filters: Filters | null;
  onOpen: ((id: string) => void) | undefined;
}

const PatternRow = memo(function PatternRow({ pattern, longRange, filters, onOpen, ...axis }: ItemProps) {
  const i18n = useI18n();
  const { t, number } = i18n;
  const { id, template } = pattern;
  const seen = (at: string) => (longRange ? i18n.time(at) : i18n.time(at).slice(11));
  const short = template.slice(0, 80);
  return (
    <tr>
      <th scope="row" className="template">
        {pattern.new && (
          <span title={t("patterns.newHint")}>
            <StateMark state="new" label={t("patterns.new")} />{" "}
          </span>
        )}
        {onOpen ? (
          <button type="button" className="template-btn" title={t("patterns.open")} onClick={() => onOpen(id)}>
            <Template text={template} />
          </button>
        ) : (
          <Template text={template} />
        )}
        <span className="example">
          <span className="dim">{t("patterns.example")}</span>{" "}
          <span className="mono">{pattern.example.slice(0, TEXT_CHARS_MAX)}</span>
        </span>
      </th>
      <td className="num">{number(pattern.count)}</td>
      <td className="num">{shareText(pattern.share, i18n)}</td>
      <td>
        <Trend trend={pattern.trend} {...axis} />
      </td>
      <td className="nowrap">
        <time dateTime={pattern.first_seen}>{seen(pattern.first_seen)}</time>
      </td>
      <td className="nowrap">
        <time dateTime={pattern.last_seen}>{seen(pattern.last_seen)}</time>
      </td>
      {filters && (
        <td className="nowrap">
          <FilterButtons
            field={FIELD}
            value={id}
            filters={filters}
            names={{
              include: t("patterns.include", { template: short }),
              exclude: t("patterns.exclude", { template: short }),
            }}
          />
        </td>
      )}
    </tr>
  );
});

/** What is rare is not nothing. */
function shareText(share: number, { percent }: I18n): string {
  return share > 0 && share < 0.01 ? `<${percent(0.01)}` : percent(share);
}

function Template({ text }: { text: string }) {
  return (
    <code>
      {templatePieces(text.slice(0, TEXT_CHARS_MAX)).map(({ text: piece, kind }, index) =>
        kind ? (
          <span key={index} className={`hole ${kind}`}>
            {piece}
          </span>
        ) : (
          piece
        ),
      )}
    </code>
  );
}

const BAR_MIN = 0.1;
const GAP = 0.2;

function Trend({ trend, start, step }: { trend: number[]; start: number; step: number }) {
  const { t, time, span } = useI18n();
  const peak = peakOf(trend);
  if (!peak) return null;
  const name = t("patterns.peak", { n: peak.count, step: span(step), time: time(start + peak.index * step).slice(11) });
  return (
    <svg className="trend" role="img" aria-label={name} viewBox={`0 0 ${trend.length} 1`} preserveAspectRatio="none">
      <title>{name}</title>
      {barHeights(trend, BAR_MIN).map((height, index) => (
        <rect key={index} x={index} y={1 - height} width={1 - GAP} height={height} />
      ))}
    </svg>
  );
}
