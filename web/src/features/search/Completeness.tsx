import { useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";
import type { RowsState } from "./useRows";

interface Props {
  result: RowsState;
  /** Rows that match, counted by the histogram's aggregate, when the answer itself does not know. */
  counted: number | undefined;
  isLog: boolean;
  wrap: boolean;
  onWrap: (wrap: boolean) => void;
}

/** What the rows below are, and what they are not: never a silent limit, never a silent gap. */
export function Completeness({ result, counted, isLog, wrap, onWrap }: Props) {
  const { t } = useI18n();
  const { end, loading, cancelled, previous, rows } = result;
  const stats = end?.stats;
  const waiting = previous && loading;
  const details = [
    isLog && !loading && rows.length > 0 && t("rows.newest"),
    stats?.elapsed_ms !== undefined && t("rows.took", { ms: Math.round(stats.elapsed_ms) }),
    stats?.rows_scanned !== undefined && t("rows.scanned", { n: stats.rows_scanned }),
    stats?.segments_total && t("rows.pruned", { pruned: stats.segments_pruned ?? 0, total: stats.segments_total }),
  ];
  return (
    <div className="completeness">
      <p role="status" aria-live="polite">
        <b>{waiting ? t("rows.previous") : countText(result, counted, t)}</b>
        {!waiting && details.filter(Boolean).map((detail, index) => <span key={index}>{detail}</span>)}
        {cancelled && <span className="partial">{t(previous ? "rows.kept" : "rows.cancelled")}</span>}
        {end && !end.complete && <span className="partial">{t("rows.incomplete")}</span>}
        {end?.warnings?.map((warning) => (
          <span key={warning} className="partial">
            {warning}
          </span>
        ))}
      </p>
      {isLog && (
        <button
          type="button"
          className="icon-btn"
          aria-pressed={wrap}
          aria-label={t("rows.wrap")}
          title={t("rows.wrap")}
          onClick={() => onWrap(!wrap)}
        >
          <Icon name="wrap" />
        </button>
      )}
    </div>
  );
}

function countText(
  { rows, end, loading }: RowsState,
  counted: number | undefined,
  t: ReturnType<typeof useI18n>["t"],
): string {
  const n = rows.length;
  if (loading) return t("rows.loading", { n });
  if (!end) return t("rows.unknown", { n });
  const matched = end.rows_matched ?? end.stats.rows_matched ?? counted;
  if (end.limit_reached && matched != null && matched > n) return t("rows.count", { shown: n, n: matched });
  if (end.limit_reached) return t("rows.some", { n });
  return end.complete ? t("rows.all", { n }) : t("rows.unknown", { n });
}
