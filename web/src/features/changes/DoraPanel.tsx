import { isAbsent, useDora } from "../../api/loopQueries";
import type { Dora } from "../../api/loopTypes";
import { type I18n, useI18n } from "../../i18n";
import { ErrorBox } from "../../ui/States";

type Figure = [label: string, value: string | null, note: string | null];

function figuresOf(dora: Dora, { t, number, span }: I18n): Figure[] {
  const known = <T,>(value: T | null | undefined, show: (value: T) => string) =>
    value === null || value === undefined ? null : show(value);
  const seconds = (value: number) => span(value * 1000);
  return [
    [
      t("dora.frequency"),
      known(dora.deployments, number),
      known(dora.deployments_per_day, (n) => t("dora.perDay", { n: number(n) })),
    ],
    [t("dora.lead"), known(dora.lead_time_seconds, seconds), null],
    [
      t("dora.failure"),
      known(dora.change_failure_rate, (share) => `${number(share * 100)} %`),
      known(dora.failed, (n) => t("dora.failed", { n: number(n), total: number(dora.deployments ?? 0) })),
    ],
    [t("dora.restore"), known(dora.time_to_restore_seconds, seconds), null],
  ];
}

/** DORA's four figures over the server's window. A figure that can not be told says so; a server without them has no panel. */
export function DoraPanel() {
  const i18n = useI18n();
  const { t } = i18n;
  const { data, error, refetch } = useDora();
  if (error) return isAbsent(error) ? null : <ErrorBox error={error} onRetry={() => void refetch()} />;
  if (!data) return null;
  const title = data.window_days ? t("dora.title", { days: data.window_days }) : t("dora.titleAny");
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
    </section>
  );
}
