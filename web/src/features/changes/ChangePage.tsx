import { isAbsent, useChange, useDiff, useWatch } from "../../api/loopQueries";
import type { ChangeDiff } from "../../api/loopTypes";
import type { Change } from "../../api/types";
import { KillControl } from "../../app/KillSwitch";
import { Link } from "../../app/router";
import { searchHref } from "../../app/searchUrl";
import { type MessageKey, useI18n } from "../../i18n";
import { WatchCard } from "../../ui/Evidence/WatchCard";
import { Labels } from "../../ui/Marks";
import { ErrorBox, Loading } from "../../ui/States";
import { diffLines, KINDS } from "./filter";
import "./changes.css";

/** The link to logs looks this far around the change. */
const AROUND_MS = 15 * 60_000;

export function ChangePage({ source, id }: { source: string; id: string }) {
  const { t } = useI18n();
  const { data, error, refetch } = useChange(source, id);
  return (
    <div className="page changes">
      <Link href="/changes" className="back">
        {t("change.back")}
      </Link>
      {data ? (
        <Detail change={data} />
      ) : error ? (
        <ErrorBox error={error} onRetry={() => void refetch()} />
      ) : (
        <Loading />
      )}
    </div>
  );
}

function Detail({ change }: { change: Change }) {
  const { t } = useI18n();
  const kind = KINDS.find((one) => one === change.kind);
  const versions = [change.from_version, change.to_version].filter(Boolean).join(" \u2192 ");
  return (
    <>
      <div className="page-head">
        <h1>
          {kind ? t(`changes.kind.${kind}`) : change.kind} {change.target.service} {versions}
        </h1>
        <KillControl />
      </div>
      <Watching source={change.source} id={change.id} />
      <div className="columns">
        <Diff source={change.source} id={change.id} />
        <div>
          <FactsCard change={change} />
          <Stages change={change} />
        </div>
      </div>
    </>
  );
}

function Watching({ source, id }: { source: string; id: string }) {
  const { t } = useI18n();
  const { data, error, refetch } = useWatch(source, id);
  if (data) return <WatchCard watch={data} title={t("evidence.title")} />;
  if (error && isAbsent(error)) return <p className="dim">{t("change.noWatch")}</p>;
  return error ? <ErrorBox error={error} onRetry={() => void refetch()} /> : <Loading />;
}

function Diff({ source, id }: { source: string; id: string }) {
  const { t } = useI18n();
  const { data, error, refetch } = useDiff(source, id);
  return (
    <section className="diff" aria-labelledby="diff-title">
      <h2 id="diff-title">{t("change.diff")}</h2>
      {error && !isAbsent(error) ? (
        <ErrorBox error={error} onRetry={() => void refetch()} />
      ) : error ? (
        <p className="dim">{t("change.noDiff")}</p>
      ) : data === undefined ? (
        <Loading />
      ) : data.fields.length + data.documents.length === 0 ? (
        <p className="dim">{t("change.sameDiff")}</p>
      ) : (
        <>
          <FieldTable fields={data.fields} />
          {data.documents.map(({ name, unified }) => (
            <Document key={name} name={name} unified={unified} />
          ))}
        </>
      )}
    </section>
  );
}

function FieldTable({ fields }: { fields: ChangeDiff["fields"] }) {
  const { t } = useI18n();
  if (fields.length === 0) return null;
  return (
    <table className="data-table">
      <thead>
        <tr>
          <th>{t("change.field")}</th>
          <th>{t("change.before")}</th>
          <th>{t("change.after")}</th>
        </tr>
      </thead>
      <tbody>
        {fields.map(({ field, before, after }) => (
          <tr key={field}>
            <td>{field}</td>
            <td>{before && <code>{before}</code>}</td>
            <td>{after && <code>{after}</code>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Document({ name, unified }: { name: string; unified: string }) {
  return (
    <figure>
      <figcaption>{name}</figcaption>
      <pre tabIndex={0}>
        {diffLines(unified).map(({ kind, text }, index) => (
          <span key={index} className={kind}>
            {`${text}\n`}
          </span>
        ))}
      </pre>
    </figure>
  );
}

function FactsCard({ change }: { change: Change }) {
  const { t, time } = useI18n();
  const service = change.target.service;
  const started = Date.parse(change.started_at);
  const end = (change.finished_at ? Date.parse(change.finished_at) : started) + AROUND_MS;
  const logs = searchHref({
    query: service ? `service.name:=${JSON.stringify(service)}` : "",
    from: new Date(started - AROUND_MS).toISOString(),
    to: new Date(end).toISOString(),
  });
  const facts: [MessageKey, string | null | undefined][] = [
    ["incident.target", Object.values(change.target).filter(Boolean).join(" / ")],
    ["incident.actor", change.actor],
    ["incident.source", `${change.source} / ${change.id}`],
    ["incident.started", time(change.started_at)],
    ["incident.finished", change.finished_at ? time(change.finished_at) : t("changes.running")],
    ["change.artifact", change.artifact],
    ["incident.reversible", change.reversible == null ? null : String(change.reversible)],
    ["change.depends", (change.depends_on ?? []).join(", ")],
  ];
  return (
    <section className="side-card" aria-labelledby="facts-title">
      <h2 id="facts-title">{t("change.facts")}</h2>
      <dl>
        {facts.map(([label, value]) =>
          value ? (
            <div key={label}>
              <dt>{t(label)}</dt>
              <dd>{value}</dd>
            </div>
          ) : null,
        )}
      </dl>
      {change.labels && Object.keys(change.labels).length > 0 && <Labels labels={change.labels} />}
      <p>
        <Link href={logs}>{t("change.logs")}</Link>
      </p>
    </section>
  );
}

function Stages({ change }: { change: Change }) {
  const { t, time, number } = useI18n();
  const stages = change.stages ?? [];
  if (stages.length === 0) return null;
  return (
    <section className="side-card" aria-labelledby="stages-title">
      <h2 id="stages-title">{t("change.stages")}</h2>
      <ol className="stages">
        {stages.map(({ percent, at }) => (
          <li key={at}>
            <span className="stage-bar" aria-hidden="true">
              <span style={{ width: `${Math.min(100, Math.max(0, percent))}%` }} />
            </span>
            {t("change.stage", { percent: `${number(percent)} %`, time: time(at).slice(11) })}
          </li>
        ))}
      </ol>
    </section>
  );
}
