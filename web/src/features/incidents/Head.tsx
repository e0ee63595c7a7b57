import type { IncidentDetail } from "../../api/types";
import { KillControl } from "../../app/KillSwitch";
import { Link } from "../../app/router";
import { useI18n } from "../../i18n";
import { StateMark } from "../../ui/Marks";
import { Flags } from "./Flags";
import { OutcomeText } from "./OutcomeText";

/** What it is, how it stands, since when. */
export function Head({ incident }: { incident: IncidentDetail }) {
  const { t, time, span, zone } = useI18n();
  const { title, state, severity, service, services = [], opened_at, resolved_at, summary, outcome } = incident;
  const length = span((resolved_at ? Date.parse(resolved_at) : Date.now()) - Date.parse(opened_at));
  const facts: [string, string | null][] = [
    services.length > 1 ? [t("incident.services"), services.join(", ")] : [t("incidents.service"), service],
    [t("incidents.severity"), severity],
    [t("incidents.opened"), `${time(opened_at)} ${zone}`],
    [t("incidents.duration"), resolved_at ? length : t("incidents.ongoing", { span: length })],
  ];
  return (
    <header className="incident-head">
      <div>
        <h1>{title}</h1>
        <StateMark state={state} label={t(`incidents.state.${state}`)} />
        <Flags incident={incident} />
        <KillControl />
      </div>
      {summary && summary !== title && <p>{summary}</p>}
      {outcome && (
        <p className="outcome">
          <OutcomeText outcome={outcome} />
        </p>
      )}
      <Merged incident={incident} />
      <dl>
        {facts.map(([name, value]) =>
          value ? (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ) : null,
        )}
      </dl>
    </header>
  );
}

function Merged({ incident: { merged_into, merged = [] } }: { incident: IncidentDetail }) {
  const { t } = useI18n();
  if (merged_into)
    return (
      <p className="merged-into">
        {t("incident.mergedInto")}{" "}
        <Link href={`/incidents/${encodeURIComponent(merged_into)}`}>{t("incident.mergedOpen")}</Link>
      </p>
    );
  if (merged.length === 0) return null;
  return (
    <p className="dim">
      {t("incident.merged")}:{" "}
      {merged.map((id) => (
        <Link key={id} href={`/incidents/${encodeURIComponent(id)}`} className="merged-id">
          {id}
        </Link>
      ))}
    </p>
  );
}
