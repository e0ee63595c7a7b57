import { useChanges, useHistogram, useIncident } from "../../api/queries";
import type { IncidentDetail } from "../../api/types";
import { Link } from "../../app/router";
import { searchHref } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import { WatchCard } from "../../ui/Evidence/WatchCard";
import { Labels, OutcomeMark, StateMark } from "../../ui/Marks";
import { ErrorBox, Loading } from "../../ui/States";
import { TimeChart } from "../../ui/TimeChart/TimeChart";
import { ActionCards } from "./ActionCards";
import { Approvals } from "./Approvals";
import { ChangeCard } from "./ChangeCard";
import { Head } from "./Head";
import { IncidentBar } from "./IncidentBar";
import { NoteForm } from "./NoteForm";
import { Phases } from "./Phases";
import { Timeline } from "./Timeline";
import "./desk.css";
import "./incidents.css";

export function IncidentPage({ id }: { id: string }) {
  const { t } = useI18n();
  const { data, error, refetch } = useIncident(id);
  return (
    <div className="page incident">
      <Link href="/incidents" className="back">
        {t("incident.back")}
      </Link>
      {data ? (
        <Incident incident={data} />
      ) : error ? (
        <ErrorBox error={error} onRetry={() => void refetch()} />
      ) : (
        <Loading />
      )}
    </div>
  );
}

function Incident({ incident }: { incident: IncidentDetail }) {
  const { t } = useI18n();
  return (
    <>
      <Head incident={incident} />
      <IncidentBar incident={incident} />
      <Approvals incident={incident.id} />
      <Phases incident={incident} />
      {incident.service && <ServiceLogs incident={incident} service={incident.service} />}
      {incident.watch && <WatchCard watch={incident.watch} title={t("evidence.title")} />}
      <div className="columns">
        <section aria-labelledby="timeline-title">
          <h2 id="timeline-title">{t("incident.timeline")}</h2>
          <Timeline incident={incident} />
          {incident.state !== "merged" && <NoteForm id={incident.id} />}
        </section>
        <div>
          <ChangeCard change={incident.change} />
          <ActionCards actions={incident.actions} />
          <Verification incident={incident} />
          <Alerts incident={incident} />
        </div>
      </div>
    </>
  );
}

/** The chart shows the incident in its surroundings: three times its length on both sides, within these bounds. */
const MARGIN_MS_MIN = 30_000;
const MARGIN_MS_MAX = 5 * 60_000;
const MARGIN_LENGTHS = 3;
const CHART_BUCKETS = 80;
const CHART_PX = 110;

/** What the service logged around the incident, with the change on the same axis. */
function ServiceLogs({ incident, service }: { incident: IncidentDetail; service: string }) {
  const { t } = useI18n();
  const times = [incident.opened_at, incident.resolved_at, incident.change?.started_at]
    .concat(incident.timeline.map(({ time }) => time))
    .flatMap((time) => (time ? [Date.parse(time)] : []));
  const [first, last] = [Math.min(...times), Math.max(...times)];
  const margin = Math.min(MARGIN_MS_MAX, Math.max(MARGIN_MS_MIN, (last - first) * MARGIN_LENGTHS));
  const start = new Date(first - margin).toISOString();
  const end = new Date(last + margin).toISOString();
  const query = `service.name:=${JSON.stringify(service)}`;
  const histogram = useHistogram({ query, start, end }, CHART_BUCKETS);
  const changes = useChanges({ start, end }, service);
  return (
    <section className="service-logs" aria-labelledby="logs-title">
      <div className="bar">
        <h2 id="logs-title">{t("incident.logs", { service })}</h2>
        <Link href={searchHref({ query, from: start, to: end })}>{t("incident.openSearch")}</Link>
      </div>
      {histogram.data ? (
        <TimeChart histogram={histogram.data} changes={changes.data ?? []} height={CHART_PX} />
      ) : histogram.error ? (
        <ErrorBox error={histogram.error} onRetry={() => void histogram.refetch()} />
      ) : (
        <Loading />
      )}
    </section>
  );
}

function Alerts({ incident }: { incident: IncidentDetail }) {
  const { t } = useI18n();
  if (incident.alerts.length === 0) return null;
  return (
    <section className="card" aria-labelledby="alerts-title">
      <h2 id="alerts-title">{t("incident.alerts")}</h2>
      {incident.alerts.map(({ id, rule, state, labels, annotations }) => (
        <div key={id} className="alert">
          <StateMark state={state} label={t(`alerts.state.${state}`)} /> <b>{rule}</b>
          {annotations.summary && <p>{annotations.summary}</p>}
          <Labels labels={labels} />
        </div>
      ))}
    </section>
  );
}

/** How it was checked that an action helped. */
function Verification({ incident }: { incident: IncidentDetail }) {
  const { t, time } = useI18n();
  const entries = incident.timeline.filter(({ kind }) => kind === "verify");
  if (incident.actions.length === 0 && entries.length === 0) return null;
  return (
    <section className="card" aria-labelledby="verify-title">
      <h2 id="verify-title">{t("incident.verification")}</h2>
      {entries.length === 0 && <p className="dim">{t("incident.noVerification")}</p>}
      <ul className="verify-list">
        {entries.map(({ time: at, title, outcome }, index) => (
          <li key={`${at} ${index}`}>
            <time dateTime={at}>{time(at).slice(11)}</time> {title} {outcome && <OutcomeMark outcome={outcome} />}
          </li>
        ))}
      </ul>
    </section>
  );
}
