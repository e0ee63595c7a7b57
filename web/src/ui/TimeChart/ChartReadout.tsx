import { useState } from "react";
import type { Change, Histogram } from "../../api/types";
import { useI18n } from "../../i18n";
import { Icon } from "../Icon";
import { Popover } from "../Popover";
import { SEVERITY_ORDER, severityClass } from "../severity";

/** The line above the chart: counts by severity (of the bar under the cursor, or of all), the changes, and the table. */
export function ChartReadout(props: { histogram: Histogram; changes: Change[]; cursor: number | null }) {
  const { t, number, time, span } = useI18n();
  const { histogram, changes, cursor } = props;
  const bucket = cursor === null ? undefined : histogram.buckets[cursor];
  const counts = bucket?.by_severity ?? totals(histogram);
  return (
    <div className="readout">
      <span className="when">{bucket ? time(bucket.time) : t("chart.bucket", { step: span(histogram.step_ms) })}</span>
      <ul>
        {Object.entries(counts)
          .filter(([, count]) => count > 0)
          .sort(([a], [b]) => rank(a) - rank(b))
          .map(([word, count]) => (
            <li key={word}>
              <Swatch word={word} />
              {word || t("rows.noSeverity")} <b>{number(count)}</b>
            </li>
          ))}
      </ul>
      {!histogram.complete && <span className="partial">{t("chart.partial")}</span>}
      <span className="space" />
      {changes.length > 0 && <ChangeList changes={changes} />}
      <ChartTable histogram={histogram} />
    </div>
  );
}

const rank = (word: string) => SEVERITY_ORDER.indexOf(severityClass(word));

function totals(histogram: Histogram): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const bucket of histogram.buckets)
    for (const [word, count] of Object.entries(bucket.by_severity)) sums[word] = (sums[word] ?? 0) + count;
  return sums;
}

function Swatch({ word }: { word: string }) {
  return <span className={`swatch sev-${severityClass(word)}`} aria-hidden="true" />;
}

function ChangeList({ changes }: { changes: Change[] }) {
  const { t, time } = useI18n();
  const [open, setOpen] = useState(false);
  return (
    <Popover
      name={t("chart.changes")}
      className="icon-btn change-btn"
      open={open}
      onOpen={setOpen}
      label={
        <>
          <Icon name="change" />
          {changes.length}
        </>
      }
    >
      <h2>{t("chart.changes")}</h2>
      <ul className="change-list">
        {changes.map((change) => (
          <li key={change.id}>
            <time>{time(change.started_at)}</time>{" "}
            {t("chart.change", {
              source: change.source,
              kind: change.kind,
              target: change.target.service ?? "",
              version: [change.from_version, change.to_version].filter(Boolean).join(" → "),
              actor: change.actor ?? "",
            })}
          </li>
        ))}
      </ul>
    </Popover>
  );
}

function ChartTable({ histogram }: { histogram: Histogram }) {
  const { t, time, number } = useI18n();
  const [open, setOpen] = useState(false);
  return (
    <Popover name={t("chart.asTable")} className="icon-btn" open={open} onOpen={setOpen} label={<Icon name="table" />}>
      <table className="plain-table">
        <caption className="sr-only">{t("chart.label")}</caption>
        <thead>
          <tr>
            <th>{t("chart.time")}</th>
            <th className="num">{t("chart.rows")}</th>
          </tr>
        </thead>
        <tbody>
          {histogram.buckets
            .filter(({ total }) => total > 0)
            .map((bucket) => (
              <tr key={bucket.time}>
                <td>{time(bucket.time)}</td>
                <td className="num">{number(bucket.total)}</td>
              </tr>
            ))}
        </tbody>
      </table>
    </Popover>
  );
}
