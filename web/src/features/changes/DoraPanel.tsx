import { isAbsent, useDora } from "../../api/loopQueries";
import type { Dora, Median } from "../../api/loopTypes";
import { type I18n, useI18n } from "../../i18n";
import { ErrorBox } from "../../ui/States";

type Figure = [label: string, value: string | null, note: string | null];

function figuresOf({ overall }: Dora, { t, number, span }: I18n): Figure[] {
  const { deployments, deployments_per_day, lead_time, change_failures, time_to_restore } = overall;
  const median = ({ median_ns }: Median) => (median_ns === null ? null : span(median_ns / 1e6));
  const of = ({ n, of: all }: { n: number; of: number }) =>
    all > 0 ? t("dora.failed", { n: number(n), total: number(all) }) : null;
  const { share } = change_failures;
  return [
    [
      t("dora.frequency"),
      number(deployments),
      deployments_per_day === null ? null : t("dora.perDay", { n: number(deployments_per_day) }),
    ],
    [t("dora.lead"), median(lead_time), of(lead_time)],
    [t("dora.failure"), share === null ? null : `${number(share * 100)} %`, of(change_failures)],
    [t("dora.restore"), median(time_to_restore), of(time_to_restore)],
  ];
}

const DAY_MS = 86_400_000;

/** DORA's four figures over the server's window. A figure that can not be told says so; a server without them has no panel. */
export function DoraPanel() {
  const i18n = useI18n();
  const { t } = i18n;
  const { data, error, refetch } = useDora();
  if (error) return isAbsent(error) ? null : <ErrorBox error={error} onRetry={() => void refetch()} />;
  if (!data) return null;
  const days = Math.max(1, Math.round((Date.parse(data.end) - Date.parse(data.start)) / DAY_MS));
  const title = t("dora.title", { days });
  return (
    <section className="dora" aria-label={title}>
      <h2>{title}</h2>
      <dl>
        {figuresOf(data, i18n).map(([label, value, note]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>
              {value === null ? <span className="dim">{t("dora.unknown")}</span> : <b>{value}</b>}{" "}
              {note && <span className="dim">{note}</span>}
            </dd>
          </div>
        ))}
      </dl>
      {data.overall.notes.length > 0 && (
        <details>
          <summary>{t("dora.notes")}</summary>
          <ul>
            {data.overall.notes.map((note) => (
              <li key={note}>{note}</li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
