import type { Evidence, Suspect } from "../../api/loopTypes";
import type { Action } from "../../api/types";
import { readVerdict } from "../../api/verdict";
import { useI18n } from "../../i18n";
import { Guards, Reasons } from "../../ui/Evidence/Lists";
import { QueryText } from "../../ui/Evidence/QueryText";
import { useToldAll } from "../../ui/Evidence/useTold";
import { VerdictMark } from "../../ui/Evidence/VerdictMark";
import { OutcomeMark } from "../../ui/Marks";
import { changeLine } from "./changeLine";
import { Facts } from "./Facts";
import "../../ui/Evidence/evidence.css";

const OUTCOME_OF_STATE: Record<string, string> = { succeeded: "ok", done: "ok", finished: "ok", error: "failed" };

/** What was done, decided against or suggested, each with what the decision rests on. */
export function ActionCards({ actions }: { actions: Action[] }) {
  const { t } = useI18n();
  return (
    <section className="card" aria-labelledby="actions-title">
      <h2 id="actions-title">{t("incident.actions")}</h2>
      {actions.length === 0 && <p className="dim">{t("incident.noActions")}</p>}
      {actions.map((action) => (
        <ActionCard key={action.key} action={action} />
      ))}
    </section>
  );
}

function ActionCard({ action }: { action: Action }) {
  const { t, time } = useI18n();
  const versions = [action.from_version, action.to_version].filter(Boolean).join(" \u2192 ");
  const target = typeof action.target === "string" ? action.target : JSON.stringify(action.target);
  const suggested = action.state === "suggested" || (action.state === "observed" && action.mode === "suggest");
  return (
    <div className="action">
      <p>
        <b>{action.kind}</b> <OutcomeMark outcome={OUTCOME_OF_STATE[action.state] ?? action.state} />
      </p>
      {suggested && <p className="suggestion">{t("incident.suggestion", { what: `${target} ${versions}`.trim() })}</p>}
      <Facts
        facts={[
          ["incident.target", target],
          ["incident.version", versions],
          ["incident.playbook", action.playbook],
          ["incident.mode", action.mode],
          ["incident.started", action.started_at ? time(action.started_at) : null],
          ["incident.finished", action.finished_at ? time(action.finished_at) : null],
          ["incident.dryRun", action.precheck?.detail],
          ["incident.revision", action.precheck?.revision],
          ["incident.result", action.detail],
          ["incident.key", action.key],
        ]}
      />
      {action.output && (
        <details>
          <summary>{t("incident.output")}</summary>
          <pre>{action.output}</pre>
        </details>
      )}
      {action.evidence && <DecisionEvidence evidence={action.evidence} />}
    </div>
  );
}

const reasons = (suspects: Suspect[] = []) =>
  suspects.map(({ change, reason, message }) => ({ what: changeLine(change), reason, message: message ?? null }));

function DecisionEvidence({ evidence }: { evidence: Evidence }) {
  const { t, time, span, number } = useI18n();
  const toldAll = useToldAll();
  const { word, reason } = readVerdict(evidence.verdict);
  const value = typeof evidence.value === "number" ? number(evidence.value) : null;
  return (
    <details className="decision-evidence" open={word !== "bad"}>
      <summary>{t("evidence.decision")}</summary>
      <p>
        <VerdictMark badge={word} reason={reason} />
      </p>
      <Facts
        facts={[
          ["incident.rule", evidence.rule],
          ["incident.value", value],
          ["incident.window", evidence.window_ns ? span(evidence.window_ns / 1e6) : null],
          ["incident.decided", evidence.decided_at ? time(evidence.decided_at) : null],
          ["incident.why", toldAll(evidence.attribution_messages, evidence.attribution)],
        ]}
      />
      {evidence.query && (
        <QueryText query={evidence.query} from={evidence.active_at ?? null} to={evidence.decided_at ?? null} />
      )}
      <Reasons title={t("evidence.exonerated")} items={reasons(evidence.exonerated)} />
      <Reasons title={t("evidence.concurrent")} items={reasons(evidence.concurrent)} />
      <Guards guards={evidence.guards ?? []} />
    </details>
  );
}
