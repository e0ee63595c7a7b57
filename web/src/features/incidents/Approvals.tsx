import { useEffect, useState } from "react";
import { isAbsent, useAnswerApproval, useApprovals } from "../../api/loopQueries";
import type { Approval } from "../../api/loopTypes";
import { getToken } from "../../api/session";
import { Link } from "../../app/router";
import { useI18n } from "../../i18n";
import { StateMark } from "../../ui/Marks";
import { ErrorBox } from "../../ui/States";
import { TokenField } from "../../ui/TokenField";
import { pendingOf, remainingMs } from "./approvals";
import "../../ui/forms.css";

const DECISIONS = ["approve", "reject"] as const;
const STATES = ["approved", "rejected", "expired"] as const;

/** What waits for people: of one incident, or of all. A server without approvals has no such panel. */
export function Approvals({ incident }: { incident?: string }) {
  const { t } = useI18n();
  const approvals = useApprovals();
  const [token, setToken] = useState(getToken);
  if (approvals.error)
    return isAbsent(approvals.error) ? null : (
      <ErrorBox error={approvals.error} onRetry={() => void approvals.refetch()} />
    );
  const own = (approvals.data ?? []).filter((one) => !incident || one.incident === incident);
  const shown = incident ? own : own.filter(pendingOf);
  if (shown.length === 0) return null;
  return (
    <section className="approvals" aria-labelledby="approvals-title">
      <h2 id="approvals-title">{t("approvals.title")}</h2>
      {shown.some(pendingOf) && (
        <div className="token">
          <TokenField onChange={setToken} />
        </div>
      )}
      <ul>
        {shown.map((approval) => (
          <ApprovalItem key={approval.id} approval={approval} token={token} linked={!incident} />
        ))}
      </ul>
    </section>
  );
}

function ApprovalItem({ approval, token, linked }: { approval: Approval; token: string; linked: boolean }) {
  const { t, time } = useI18n();
  const pending = pendingOf(approval);
  const given = approval.given ?? [];
  const approved = given.filter(({ decision }) => decision.startsWith("approve")).length;
  const state = pending ? "pending" : (STATES.find((one) => one === approval.state) ?? "expired");
  return (
    <li className="approval">
      <p>
        <StateMark state={state} label={t(`approvals.state.${state}`)} /> <b>{approval.question}</b>
      </p>
      <p className="dim facts-line">
        <span>{t("approvals.need", { given: approved, need: approval.need })}</span>
        {(approval.roles ?? []).length > 0 && (
          <span>{t("approvals.roles", { roles: (approval.roles ?? []).join(", ") })}</span>
        )}
        <span>{approval.playbook}</span>
        {pending && approval.expires_at && <Countdown at={approval.expires_at} />}
        {linked && <Link href={`/incidents/${encodeURIComponent(approval.incident)}`}>{t("alerts.incident")}</Link>}
      </p>
      {given.length > 0 && (
        <ul className="given">
          {given.map(({ by, decision, at, comment }) => {
            const known = DECISIONS.find((one) => decision.startsWith(one));
            const word = known ? t(`approvals.decision.${known}`) : decision;
            return (
              <li key={`${by} ${at}`}>
                {t("approvals.gave", { by, decision: word, time: time(at) })} <span className="dim">{comment}</span>
              </li>
            );
          })}
        </ul>
      )}
      {approval.detail && <p className="dim">{approval.detail}</p>}
      {pending && <Answer approval={approval} token={token} />}
    </li>
  );
}

function Answer({ approval, token }: { approval: Approval; token: string }) {
  const { t } = useI18n();
  const answer = useAnswerApproval();
  const [comment, setComment] = useState("");
  const choices = (approval.choices ?? []).length > 0 ? (approval.choices ?? []) : DECISIONS;
  const off = token === "" || answer.isPending;
  return (
    <div className="form">
      <label className="field">
        <span>{t("approvals.comment")}</span>
        <input
          className="field-input"
          maxLength={1024}
          value={comment}
          onChange={(event) => setComment(event.target.value)}
        />
      </label>
      <div className="buttons">
        {choices.map((choice, index) => {
          const known = DECISIONS.find((one) => one === choice);
          const look = choice === "reject" ? "btn danger" : index === 0 ? "btn primary" : "btn";
          const send = () => answer.mutate({ id: approval.id, decision: choice, comment });
          return (
            <button key={choice} type="button" className={look} disabled={off} onClick={send}>
              {known ? t(`approvals.${known}`) : choice}
            </button>
          );
        })}
        {token === "" && <span className="dim hint">{t("approvals.needToken")}</span>}
      </div>
      {answer.error && <ErrorBox error={answer.error} />}
    </div>
  );
}

const TICK_MS = 1000;

function Countdown({ at }: { at: string }) {
  const { t, span } = useI18n();
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  const left = remainingMs(at, now);
  return <time dateTime={at}>{left > 0 ? t("approvals.expires", { span: span(left) }) : t("approvals.expired")}</time>;
}
