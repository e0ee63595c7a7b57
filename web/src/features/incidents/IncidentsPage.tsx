import { useIncidents } from "../../api/queries";
import type { Incident } from "../../api/types";
import { KillControl } from "../../app/KillSwitch";
import { Link, navigate, useSearchText } from "../../app/router";
import { useI18n } from "../../i18n";
import { Choice, StateMark } from "../../ui/Marks";
import { Command, Empty, ErrorBox, Loading } from "../../ui/States";
import { Approvals } from "./Approvals";
import { Flags } from "./Flags";
import { OpenIncident } from "./OpenIncident";
import { OutcomeText } from "./OutcomeText";
import "./desk.css";
import "./incidents.css";

const STATES = ["all", "open", "mitigated", "resolved", "merged"] as const;
type Filter = (typeof STATES)[number];

export function IncidentsPage() {
  const { t } = useI18n();
  const wanted = new URLSearchParams(useSearchText()).get("state");
  const filter: Filter = STATES.find((state) => state === wanted) ?? "all";
  const { data, error, refetch } = useIncidents(filter);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{t("incidents.title")}</h1>
        <Choice
          label={t("incidents.state")}
          options={STATES.map((value) => ({ value, label: `incidents.state.${value}` as const }))}
          value={filter}
          onChange={(state) => navigate(state === "all" ? "/incidents" : `/incidents?state=${state}`)}
        />
        <OpenIncident />
        <KillControl />
      </div>
      <Approvals />
      {error ? (
        <ErrorBox error={error} onRetry={() => void refetch()} />
      ) : !data ? (
        <Loading />
      ) : data.length > 0 ? (
        <IncidentTable incidents={data} />
      ) : (
        <Empty title={t("incidents.none.title")}>
          <p>{t("incidents.none.text")}</p>
          <Command text="backstop demo" />
        </Empty>
      )}
    </div>
  );
}

function IncidentTable({ incidents }: { incidents: Incident[] }) {
  const { t } = useI18n();
  return (
    <table className="data-table">
      <thead>
        <tr>
          <th>{t("incidents.state")}</th>
          <th>{t("incidents.title.col")}</th>
          <th>{t("incidents.service")}</th>
          <th>{t("incidents.severity")}</th>
          <th>{t("incidents.opened")}</th>
          <th>{t("incidents.duration")}</th>
        </tr>
      </thead>
      <tbody>
        {incidents.map((incident) => (
          <IncidentLine key={incident.id} incident={incident} />
        ))}
      </tbody>
    </table>
  );
}

function IncidentLine({ incident }: { incident: Incident }) {
  const { t, time, span } = useI18n();
  const { id, state, title, summary, outcome, service, severity, opened_at, resolved_at } = incident;
  const length = span((resolved_at ? Date.parse(resolved_at) : Date.now()) - Date.parse(opened_at));
  return (
    <tr>
      <td>
        <StateMark state={state} label={t(`incidents.state.${state}`)} />
      </td>
      <td>
        <Link href={`/incidents/${encodeURIComponent(id)}`}>
          <b>{title}</b>
        </Link>{" "}
        <Flags incident={incident} />
        {((summary && summary !== title) || outcome) && (
          <p className="dim">{(summary !== title && summary) || <OutcomeText outcome={outcome ?? ""} />}</p>
        )}
      </td>
      <td className="mono nowrap">{service}</td>
      <td>{severity}</td>
      <td className="nowrap">
        <time dateTime={opened_at}>{time(opened_at)}</time>
      </td>
      <td className="nowrap">{resolved_at ? length : t("incidents.ongoing", { span: length })}</td>
    </tr>
  );
}
