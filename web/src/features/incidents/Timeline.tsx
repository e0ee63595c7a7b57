import type { FieldValue, IncidentDetail, TimelineEntry, TimelineKind } from "../../api/types";
import { Link } from "../../app/router";
import { searchHref } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import { toldFields } from "../../ui/Evidence/message";
import { Icon } from "../../ui/Icon";
import { OutcomeMark } from "../../ui/Marks";

const KINDS: TimelineKind[] = ["change", "alert", "decision", "action", "verify", "notify", "note"];

/** What happened, in order, each with its outcome and the evidence it rests on. Times also count from the first entry. */
export function Timeline({ incident }: { incident: IncidentDetail }) {
  const { t } = useI18n();
  const timeline = [...useChangeEntry(incident), ...incident.timeline];
  const zero = Date.parse(timeline[0]?.time ?? incident.opened_at);
  if (timeline.length === 0) return <p className="dim">{t("incident.emptyTimeline")}</p>;
  return (
    <ol className="timeline">
      {timeline.map((entry, index) => (
        <Entry key={`${entry.time} ${index}`} entry={entry} zero={zero} />
      ))}
    </ol>
  );
}

/** The change comes first where the server's own entries begin with the alert: it is where the story begins. */
function useChangeEntry({ change, timeline }: IncidentDetail): TimelineEntry[] {
  const { t } = useI18n();
  const first = timeline[0];
  if (!change || !first || first.kind === "change" || Date.parse(change.started_at) > Date.parse(first.time)) return [];
  const versions = [change.from_version, change.to_version].filter(Boolean).join(" \u2192 ");
  const title = [change.target.service, versions].filter(Boolean).join(" ");
  const detail = t("incident.changeBy", { kind: change.kind, source: change.source, actor: change.actor ?? "" });
  return [{ time: change.started_at, kind: "change", title, detail }];
}

function Entry({ entry, zero }: { entry: TimelineEntry; zero: number }) {
  const { t, time, span } = useI18n();
  const { kind, title, detail, outcome, evidence, link } = entry;
  const known = KINDS.find((one) => one === kind) ?? "note";
  const since = Date.parse(entry.time) - zero;
  return (
    <li className={`entry ${known}`}>
      <div className="when">
        <time dateTime={entry.time} title={entry.time}>
          {time(entry.time).slice(11)}
        </time>
        {since > 0 && <span className="dim">{t("incident.after", { span: span(since) })}</span>}
      </div>
      <span className="knot">
        <Icon name={known} />
      </span>
      <div className="what">
        <p>
          <span className="kind">{t(`kind.${known}`)}</span> {entry.author && <span>{entry.author}</span>}{" "}
          <b className="entry-title">{title}</b> {outcome && <OutcomeMark outcome={outcome} />}
        </p>
        {detail && <p className="detail-text">{detail}</p>}
        {link && (
          <Link href={searchHref({ query: link.query, from: link.start, to: link.end })}>{t("alerts.logs")}</Link>
        )}
        {evidence && Object.keys(evidence).length > 0 && !(known === "note" && entry.author) && (
          <Evidence evidence={evidence} />
        )}
      </div>
    </li>
  );
}

function Evidence({ evidence }: { evidence: Record<string, FieldValue> }) {
  const { t } = useI18n();
  return (
    <details className="evidence">
      <summary>{t("incident.evidence")}</summary>
      <EvidenceTable value={evidence} />
    </details>
  );
}

/** Nested evidence is shown as nested tables, to a depth; deeper parts as JSON. */
const DEPTH_MAX = 3;

function EvidenceTable({ value, depth = 0 }: { value: Record<string, FieldValue>; depth?: number }) {
  const i18n = useI18n();
  return (
    <table>
      <tbody>
        {Object.entries(toldFields(i18n, value)).map(([name, part]) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            <td>
              {isObjectList(part) ? (
                <ListTable items={part} />
              ) : part !== null && typeof part === "object" && !Array.isArray(part) && depth < DEPTH_MAX ? (
                <EvidenceTable value={part} depth={depth + 1} />
              ) : (
                <code>{typeof part === "string" ? part : JSON.stringify(part)}</code>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

type Fields = Record<string, FieldValue>;

const isObject = (value: FieldValue): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isObjectList = (value: FieldValue): value is Fields[] =>
  Array.isArray(value) && value.length > 0 && value.every(isObject);

/** A list of things alike (guards, checks), one a line. */
function ListTable({ items: stored }: { items: Fields[] }) {
  const i18n = useI18n();
  const items = stored.map((item) => toldFields(i18n, item));
  const names = [...new Set(items.flatMap((item) => Object.keys(item)))];
  return (
    <table className="list">
      <thead>
        <tr>
          {names.map((name) => (
            <th key={name} scope="col">
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {items.map((item, index) => (
          <tr key={index}>
            {names.map((name) => (
              <td key={name}>
                <code>{typeof item[name] === "string" ? item[name] : JSON.stringify(item[name])}</code>
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
