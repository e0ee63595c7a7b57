import type { Outcome } from "../api/types";
import { type MessageKey, useI18n } from "../i18n";
import { Icon, type IconName } from "./Icon";
import "./marks.css";

/** A state as icon and word; the colour only repeats what they say. */
const LOOKS: Record<string, { icon: IconName; tone: string }> = {
  firing: { icon: "alert", tone: "bad" },
  pending: { icon: "clock", tone: "warn" },
  resolved: { icon: "verify", tone: "good" },
  open: { icon: "alert", tone: "bad" },
  mitigated: { icon: "action", tone: "warn" },
  ok: { icon: "verify", tone: "good" },
  err: { icon: "cross", tone: "bad" },
  failed: { icon: "cross", tone: "bad" },
  refused: { icon: "minus", tone: "warn" },
  unknown: { icon: "help", tone: "warn" },
  observed: { icon: "circle", tone: "plain" },
  suggested: { icon: "note", tone: "warn" },
  merged: { icon: "link", tone: "plain" },
  good: { icon: "verify", tone: "good" },
  bad: { icon: "cross", tone: "bad" },
  watching: { icon: "clock", tone: "plain" },
  new: { icon: "plus", tone: "warn" },
  live: { icon: "action", tone: "good" },
  paused: { icon: "pause", tone: "warn" },
  none: { icon: "minus", tone: "plain" },
  approved: { icon: "verify", tone: "good" },
  rejected: { icon: "cross", tone: "bad" },
  expired: { icon: "clock", tone: "warn" },
};

export function StateMark({ state, label }: { state: string; label: string }) {
  const { icon, tone } = LOOKS[state] ?? { icon: "circle", tone: "plain" };
  return (
    <span className={`state-mark ${tone}`}>
      <Icon name={icon} size={14} />
      {label}
    </span>
  );
}

const OUTCOMES: Outcome[] = ["ok", "failed", "unknown", "refused", "observed"];

export function OutcomeMark({ outcome }: { outcome: string }) {
  const { t } = useI18n();
  const known = OUTCOMES.find((one) => one === outcome);
  return <StateMark state={outcome} label={known ? t(`outcome.${known}`) : outcome} />;
}

export function Labels({ labels }: { labels: Record<string, string> }) {
  return (
    <ul className="labels">
      {Object.entries(labels).map(([name, value]) => (
        <li key={name}>
          <span className="dim">{name}</span> {value}
        </li>
      ))}
    </ul>
  );
}

/** Which part of a list is shown: a row of toggle buttons whose choice lives in the URL. */
export function Choice<T extends string>(props: {
  label: string;
  options: readonly { value: T; label: MessageKey; count?: number | undefined }[];
  value: T;
  onChange: (value: T) => void;
}) {
  const { t, number } = useI18n();
  return (
    <fieldset className="choice" aria-label={props.label}>
      {props.options.map(({ value, label, count }) => (
        <button
          key={value}
          type="button"
          className="btn"
          aria-pressed={value === props.value}
          onClick={() => props.onChange(value)}
        >
          {t(label)}
          {count !== undefined && <span className="dim">{number(count)}</span>}
        </button>
      ))}
    </fieldset>
  );
}
