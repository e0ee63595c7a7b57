import { useMemo } from "react";
import { isAbsent, useServiceGraph, useServices, useWatches } from "../../api/loopQueries";
import type { Service } from "../../api/loopTypes";
import { useAlerts } from "../../api/queries";
import { KillControl } from "../../app/KillSwitch";
import { Link, navigate, useSearchText } from "../../app/router";
import { searchHref } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import { Empty, ErrorBox, Loading } from "../../ui/States";
import { DependencyGraph, serviceHref } from "./DependencyGraph";
import { type Edge, neighboursOf, rowsOf } from "./graph";
import { statesOf } from "./state";
import { type Drawn, drawnOf } from "./surroundings";
import "../../ui/marks.css";
import "./services.css";

const NO_EDGES: Edge[] = [];

/** What runs, who owns it, and what depends on what: from the catalogue's files and from traces. */
export function ServicesPage() {
  const { t } = useI18n();
  const services = useServices();
  const graph = useServiceGraph();
  const noGraph = graph.error && !isAbsent(graph.error);
  const failed = services.error && !isAbsent(services.error);
  const edges = graph.data?.edges ?? NO_EDGES;
  const rows = useMemo(() => rowsOf(services.data ?? [], graph.data), [services.data, graph.data]);
  const wanted = new URLSearchParams(useSearchText()).get("service");
  const chosen = rows.find(({ service }) => service === wanted)?.service ?? null;
  const loading = !services.data && !services.error;
  return (
    <div className="page services">
      <div className="page-head">
        <h1>{t("services.title")}</h1>
        <KillControl />
      </div>
      {noGraph ? (
        <ErrorBox error={graph.error} note={t("services.graphFailed")} onRetry={() => void graph.refetch()} />
      ) : null}
      {failed ? (
        <ErrorBox error={services.error} onRetry={() => void services.refetch()} />
      ) : loading ? (
        <Loading />
      ) : rows.length > 0 ? (
        <>
          <Dependencies rows={rows} edges={edges} chosen={chosen} />
          <ServiceTable rows={rows} edges={edges} chosen={chosen} />
        </>
      ) : (
        <Empty title={t("services.none.title")}>
          <p>{t("services.none.text")}</p>
        </Empty>
      )}
    </div>
  );
}

/** The drawing of who needs whom, with how each does; not while nothing is known to need anything. */
function Dependencies({ rows, edges, chosen }: { rows: Service[]; edges: Edge[]; chosen: string | null }) {
  const { t } = useI18n();
  const alerts = useAlerts().data;
  const watches = useWatches().data;
  const states = useMemo(() => statesOf(alerts ?? [], watches ?? []), [alerts, watches]);
  const drawn = useMemo(() => drawnOf(rows, edges, chosen), [rows, edges, chosen]);
  if (drawn.needs.length === 0) return null;
  return (
    <section aria-labelledby="dependencies-title">
      <div className="bar">
        <h2 id="dependencies-title">{t("services.graph")}</h2>
        <label>
          {t("services.name")}{" "}
          <select
            value={chosen ?? ""}
            onChange={({ target }) => navigate(target.value ? serviceHref(target.value) : "/services")}
          >
            <option value="">{t("services.noneChosen")}</option>
            {rows.map(({ service }) => (
              <option key={service}>{service}</option>
            ))}
          </select>
        </label>
        <Legend />
      </div>
      <Partly drawn={drawn} />
      <DependencyGraph drawn={drawn} chosen={chosen} states={states} />
    </section>
  );
}

/** What the drawing leaves out, so that nobody takes it for the whole. */
function Partly({ drawn: { around, services, of, alone } }: { drawn: Drawn }) {
  const { t } = useI18n();
  return (
    <>
      {around !== null && (
        <p className="partly" role="status">
          {t("services.partly", { name: around, n: services.length, of })}
        </p>
      )}
      {alone > 0 && <p className="dim">{t("services.alone", { n: alone })}</p>}
    </>
  );
}

function Legend() {
  const { t } = useI18n();
  return (
    <ul className="legend">
      {(["written", "learned"] as const).map((kind) => (
        <li key={kind}>
          <svg width="34" height="10" aria-hidden="true">
            <path className={`need ${kind}`} d="M1 5H33" />
          </svg>
          {t(`services.legend.${kind}`)}
        </li>
      ))}
    </ul>
  );
}

/** The chosen service comes first: it is right below the drawing then. */
function ServiceTable({ rows, edges, chosen }: { rows: Service[]; edges: Edge[]; chosen: string | null }) {
  const { t } = useI18n();
  const first = rows.filter(({ service }) => service === chosen);
  const rest = rows.filter(({ service }) => service !== chosen);
  return (
    <table className="data-table">
      <thead>
        <tr>
          <th>{t("services.name")}</th>
          <th>{t("services.owner")}</th>
          <th>{t("services.tier")}</th>
          <th>{t("services.depends")}</th>
          <th>{t("services.usedBy")}</th>
          <th>{t("services.links")}</th>
        </tr>
      </thead>
      <tbody>
        {[...first, ...rest].map((service) => (
          <ServiceLine key={service.service} service={service} edges={edges} chosen={service.service === chosen} />
        ))}
      </tbody>
    </table>
  );
}

function ServiceLine({ service, edges, chosen }: { service: Service; edges: Edge[]; chosen: boolean }) {
  const { t } = useI18n();
  const { service: name, owners = [], criticality, description } = service;
  const { depends, usedBy } = neighboursOf(service, edges);
  return (
    <tr id={name} className={chosen ? "chosen" : undefined} aria-current={chosen ? "true" : undefined}>
      <td>
        <Link href={serviceHref(name)}>
          <b>{name}</b>
        </Link>
        {description && <p className="dim">{description}</p>}
      </td>
      <td>{owners.join(", ")}</td>
      <td>{criticality?.tier}</td>
      <Neighbours edges={depends} />
      <Neighbours edges={usedBy} />
      <td className="nowrap">
        <Link href={`/changes?service=${encodeURIComponent(name)}`}>{t("nav.changes")}</Link>{" "}
        <Link href={searchHref({ query: `service.name:=${JSON.stringify(name)}` })}>{t("alerts.logs")}</Link>
      </td>
    </tr>
  );
}

function Neighbours({ edges }: { edges: { name: string; learned: boolean }[] }) {
  const { t } = useI18n();
  return (
    <td>
      <ul className="neighbours">
        {edges.map(({ name, learned }) => (
          <li key={name}>
            <Link href={serviceHref(name)}>{name}</Link>{" "}
            {learned && <span className="dim">{t("services.learned")}</span>}
          </li>
        ))}
      </ul>
    </td>
  );
}
