import type { Alert } from "../../api/types";
import { Link } from "../../app/router";
import { searchHref } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import { Labels, StateMark } from "../../ui/Marks";

/** The link to logs looks this far around the alert. */
const BEFORE_MS = 15 * 60_000;
const AFTER_MS = 5 * 60_000;

export function AlertTable({ alerts }: { alerts: Alert[] }) {
  const { t } = useI18n();
  return (
    <table className="data-table alerts">
      <thead>
        <tr>
          <th>{t("alerts.filter")}</th>
          <th>{t("alerts.rule")}</th>
          <th className="num">{t("alerts.value")}</th>
          <th>{t("alerts.since")}</th>
          <th />
        </tr>
      </thead>
      <tbody>
        {alerts.map((alert) => (
          <AlertLine key={alert.id} alert={alert} />
        ))}
      </tbody>
    </table>
  );
}

function AlertLine({ alert }: { alert: Alert }) {
  const { t, time, span, number } = useI18n();
  const { alertname, ...labels } = alert.labels;
  const since = alert.state === "resolved" ? alert.resolved_at : (alert.fired_at ?? alert.active_at);
  const why = alert.annotations.summary ?? alert.annotations.description;
  return (
    <tr>
      <td>
        <StateMark state={alert.state} label={t(`alerts.state.${alert.state}`)} />
      </td>
      <td>
        <b>{alert.rule || alertname}</b>
        {why && <p>{why}</p>}
        <Labels labels={labels} />
      </td>
      <td className="num mono">{typeof alert.value === "number" ? number(alert.value) : alert.value}</td>
      <td className="nowrap">
        {since && (
          <>
            <time dateTime={since}>{time(since)}</time>
            <p className="dim">{t("time.ago", { span: span(Date.now() - Date.parse(since)) })}</p>
          </>
        )}
      </td>
      <td className="links">
        {alert.incident && (
          <Link href={`/incidents/${encodeURIComponent(alert.incident)}`}>{t("alerts.incident")}</Link>
        )}
        <Link href={logsHref(alert)}>{t("alerts.logs")}</Link>
        {alert.playbook && <span className="dim">{t("alerts.playbook", { name: alert.playbook })}</span>}
      </td>
    </tr>
  );
}

/** The alert's service around the time it began; an expression in PromQL is no log query, so it is not pasted there. */
function logsHref({ labels, active_at, fired_at, resolved_at }: Alert): string {
  const at = Date.parse(fired_at ?? active_at ?? "");
  const service = labels.service ?? labels["service.name"] ?? labels.service_name;
  const query = service ? `service.name:=${JSON.stringify(service)}` : "";
  if (Number.isNaN(at)) return searchHref({ query });
  const end = resolved_at ? Date.parse(resolved_at) + AFTER_MS : at + BEFORE_MS;
  return searchHref({ query, from: new Date(at - BEFORE_MS).toISOString(), to: new Date(end).toISOString() });
}
