import { isAbsent, useServiceGraph, useServices } from "../../api/loopQueries";
import type { Service } from "../../api/loopTypes";
import { KillControl } from "../../app/KillSwitch";
import { Link } from "../../app/router";
import { searchHref } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import { Empty, ErrorBox, Loading } from "../../ui/States";
import { type Edge, neighboursOf, rowsOf } from "./graph";
import "../../ui/marks.css";
import "./services.css";

/** What runs, who owns it, and what depends on what: from the catalogue's files and from traces. */
export function ServicesPage() {
  const { t } = useI18n();
  const services = useServices();
  const graph = useServiceGraph();
  const noGraph = graph.error && !isAbsent(graph.error);
  const failed = services.error && !isAbsent(services.error);
  const edges = graph.data?.edges ?? [];
  const rows = rowsOf(services.data ?? [], graph.data);
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
        <ServiceTable rows={rows} edges={edges} />
      ) : (
        <Empty title={t("services.none.title")}>
          <p>{t("services.none.text")}</p>
        </Empty>
      )}
    </div>
  );
}

function ServiceTable({ rows, edges }: { rows: Service[]; edges: Edge[] }) {
  const { t } = useI18n();
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
        {rows.map((service) => (
          <ServiceLine key={service.service} service={service} edges={edges} />
        ))}
      </tbody>
    </table>
  );
}

function ServiceLine({ service, edges }: { service: Service; edges: Edge[] }) {
  const { t } = useI18n();
  const { service: name, owners = [], criticality, description } = service;
  const { depends, usedBy } = neighboursOf(service, edges);
  return (
    <tr id={name}>
      <td>
        <b>{name}</b>
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
            {name} {learned && <span className="dim">{t("services.learned")}</span>}
          </li>
        ))}
      </ul>
    </td>
  );
}
