import type { Exonerated, Guard, Message, Watch } from "../../api/loopTypes";
import { readVerdict } from "../../api/verdict";
import { useI18n } from "../../i18n";
import { Icon } from "../Icon";
import { useTold } from "./useTold";
import { VerdictMark } from "./VerdictMark";

/** Each guard, whether it let the action happen, and why; those that refused come first. */
export function Guards({ guards }: { guards: Guard[] }) {
  const { t } = useI18n();
  if (guards.length === 0) return null;
  const refused = guards.filter(({ passed }) => !passed);
  const passed = guards.filter((guard) => guard.passed);
  return (
    <div className="evidence-part">
      <h3>{t("evidence.guards")}</h3>
      <GuardLines guards={refused} />
      {passed.length > 0 && (
        <details>
          <summary>{t("evidence.guardsPassed", { n: passed.length })}</summary>
          <GuardLines guards={passed} />
        </details>
      )}
    </div>
  );
}

function GuardLines({ guards }: { guards: Guard[] }) {
  const { t } = useI18n();
  return (
    <ul className="guards">
      {guards.map(({ guard, passed, detail }) => (
        <li key={guard} className={passed ? "passed" : "refused"}>
          <Icon name={passed ? "verify" : "cross"} size={14} />
          <span className="sr-only">{t(passed ? "outcome.ok" : "outcome.refused")}</span>
          <code>{guard}</code> <span>{detail}</span>
        </li>
      ))}
    </ul>
  );
}

/** Changes or causes with the reason why each is on this list. */
export function Reasons({ title, items }: { title: string; items: Exonerated[] }) {
  const told = useTold();
  if (items.length === 0) return null;
  return (
    <div className="evidence-part">
      <h3>{title}</h3>
      <ul className="reasons">
        {items.map(({ what, title, reason, message }) => (
          <li key={`${what} ${reason}`}>
            <b>{told(title, what)}</b> <span className="dim">{told(message, reason)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

export function WouldChange({ items, messages }: { items: string[]; messages?: Message[] | null | undefined }) {
  const { t } = useI18n();
  const told = useTold();
  if (items.length === 0) return null;
  return (
    <div className="evidence-part">
      <h3>{t("evidence.wouldChange")}</h3>
      <ul className="bullets">
        {items.map((item, index) => (
          <li key={item}>{told(messages?.[index], item)}</li>
        ))}
      </ul>
    </div>
  );
}

export function VerdictHistory({ history }: { history: NonNullable<Watch["history"]> }) {
  const { t, time } = useI18n();
  const told = useTold();
  if (history.length === 0) return null;
  return (
    <details className="evidence-part">
      <summary>{t("evidence.history")}</summary>
      <ol className="history">
        {history.map(({ at, verdict, reason: beside, detail, message }) => {
          const { word, reason } = readVerdict(verdict, beside);
          return (
            <li key={`${at} ${word}`}>
              <time dateTime={at}>{time(at).slice(11)}</time> <VerdictMark badge={word} reason={reason} />{" "}
              <span className="dim">{told(message, detail)}</span>
            </li>
          );
        })}
      </ol>
    </details>
  );
}
