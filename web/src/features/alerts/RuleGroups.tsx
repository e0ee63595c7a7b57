import type { Rule, RuleGroup } from "../../api/types";
import { type MessageKey, useI18n } from "../../i18n";
import { StateMark } from "../../ui/Marks";

const STATE_WORDS: Record<string, MessageKey> = {
  firing: "alerts.state.firing",
  pending: "alerts.state.pending",
  resolved: "alerts.state.resolved",
  inactive: "rules.inactive",
};

/** The rules that watch, with whether they can: a rule that fails to evaluate is worse than one that fires. */
export function RuleGroups({ groups }: { groups: RuleGroup[] }) {
  const { t, span } = useI18n();
  return groups.map((group) => (
    <section key={`${group.file} ${group.name}`} className="rule-group">
      <h3>
        {group.name} <span className="dim">{group.file}</span>{" "}
        <span className="dim">{t("rules.every", { span: span(group.interval_ms) })}</span>
      </h3>
      <table className="data-table">
        <thead>
          <tr>
            <th>{t("rules.health")}</th>
            <th>{t("alerts.rule")}</th>
            <th>{t("rules.query")}</th>
            <th>{t("rules.state")}</th>
            <th>{t("rules.last")}</th>
          </tr>
        </thead>
        <tbody>
          {group.rules.map((rule) => (
            <RuleLine key={rule.name} rule={rule} />
          ))}
        </tbody>
      </table>
    </section>
  ));
}

function RuleLine({ rule }: { rule: Rule }) {
  const { t, span, time } = useI18n();
  const state = rule.state ?? "inactive";
  const word = STATE_WORDS[state];
  return (
    <tr>
      <td>
        <StateMark
          state={rule.health === "unknown" ? "unevaluated" : rule.health}
          label={t(`rules.health.${rule.health}`)}
        />
      </td>
      <td className="nowrap">
        <b>{rule.name}</b>
        {rule.for_ms ? <p className="dim">{t("rules.for", { span: span(rule.for_ms) })}</p> : null}
      </td>
      <td>
        <code>{rule.query}</code>
        {rule.last_error && <p className="rule-error">{rule.last_error}</p>}
      </td>
      <td className="nowrap">{word ? t(word) : state}</td>
      <td className="nowrap">
        {rule.last_evaluation && <time dateTime={rule.last_evaluation}>{time(rule.last_evaluation)}</time>}
        {rule.evaluation_ms != null && <p className="dim">{t("rules.took", { span: span(rule.evaluation_ms) })}</p>}
      </td>
    </tr>
  );
}
