import type { Action, Change } from "../../api/types";
import { type MessageKey, useI18n } from "../../i18n";
import { OutcomeMark } from "../../ui/Marks";

/** The change under suspicion and the actions taken, beside the timeline. */
export function ChangeCard({ change }: { change: Change | null }) {
  const { t, time } = useI18n();
  const facts: [MessageKey, string | null | undefined][] = change
    ? [
        ["incident.target", Object.values(change.target).join(" / ")],
        ["incident.version", [change.from_version, change.to_version].filter(Boolean).join(" → ")],
        ["incident.actor", change.actor],
        ["incident.source", change.source],
        ["incident.started", time(change.started_at)],
        ["incident.finished", change.finished_at ? time(change.finished_at) : null],
        ["incident.reversible", change.reversible == null ? null : String(change.reversible)],
      ]
    : [];
  return (
    <section className="card" aria-labelledby="change-title">
      <h2 id="change-title">{t("incident.change")}</h2>
      {change ? <Facts facts={facts} /> : <p className="dim">{t("incident.noChange")}</p>}
      {change?.link && isWebLink(change.link) && (
        <a href={change.link} target="_blank" rel="noreferrer noopener">
          {t("incident.link")}
        </a>
      )}
    </section>
  );
}

/** A link comes from whoever recorded the change; only web addresses are followed. */
function isWebLink(link: string): boolean {
  try {
    return ["http:", "https:"].includes(new URL(link).protocol);
  } catch {
    return false;
  }
}

const OUTCOME_OF_STATE: Record<string, string> = { succeeded: "ok", done: "ok", finished: "ok", error: "failed" };

export function ActionCards({ actions }: { actions: Action[] }) {
  const { t, time } = useI18n();
  return (
    <section className="card" aria-labelledby="actions-title">
      <h2 id="actions-title">{t("incident.actions")}</h2>
      {actions.length === 0 && <p className="dim">{t("incident.noActions")}</p>}
      {actions.map((action) => (
        <div key={action.key} className="action">
          <p>
            <b>{action.kind}</b> <OutcomeMark outcome={OUTCOME_OF_STATE[action.state] ?? action.state} />
          </p>
          <Facts
            facts={[
              ["incident.target", typeof action.target === "string" ? action.target : JSON.stringify(action.target)],
              ["incident.version", [action.from_version, action.to_version].filter(Boolean).join(" \u2192 ")],
              ["incident.mode", action.mode],
              ["incident.started", action.started_at ? time(action.started_at) : null],
              ["incident.finished", action.finished_at ? time(action.finished_at) : null],
              ["incident.key", action.key],
            ]}
          />
          {action.output && (
            <details>
              <summary>{t("incident.output")}</summary>
              <pre>{action.output}</pre>
            </details>
          )}
        </div>
      ))}
    </section>
  );
}

function Facts({ facts }: { facts: [MessageKey, string | null | undefined][] }) {
  const { t } = useI18n();
  return (
    <dl className="facts">
      {facts.map(([label, value]) =>
        value ? (
          <div key={label}>
            <dt>{t(label)}</dt>
            <dd>{value}</dd>
          </div>
        ) : null,
      )}
    </dl>
  );
}
