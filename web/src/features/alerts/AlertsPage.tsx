import { useAlerts, useRules } from "../../api/queries";
import { navigate, useSearchText } from "../../app/router";
import { useI18n } from "../../i18n";
import { Choice } from "../../ui/Marks";
import { Command, Empty, ErrorBox, Loading } from "../../ui/States";
import { AlertTable } from "./AlertTable";
import { RuleGroups } from "./RuleGroups";
import "./alerts.css";

const STATES = ["all", "firing", "pending", "resolved"] as const;
type Filter = (typeof STATES)[number];

function useFilter(): Filter {
  const wanted = new URLSearchParams(useSearchText()).get("state");
  return STATES.find((state) => state === wanted) ?? "all";
}

export function AlertsPage() {
  const { t } = useI18n();
  const filter = useFilter();
  const alerts = useAlerts();
  const rules = useRules();
  const all = alerts.data ?? [];
  const shown = filter === "all" ? all : all.filter(({ state }) => state === filter);
  const count = (state: Filter) => (state === "all" ? all.length : all.filter((alert) => alert.state === state).length);
  return (
    <div className="page">
      <div className="page-head">
        <h1>{t("alerts.title")}</h1>
        <Choice
          label={t("alerts.filter")}
          options={STATES.map((value) => ({
            value,
            label: `alerts.state.${value}` as const,
            count: alerts.data && count(value),
          }))}
          value={filter}
          onChange={(state) => navigate(state === "all" ? "/alerts" : `/alerts?state=${state}`)}
        />
      </div>
      {alerts.error ? (
        <ErrorBox error={alerts.error} onRetry={() => void alerts.refetch()} />
      ) : !alerts.data ? (
        <Loading />
      ) : shown.length > 0 ? (
        <AlertTable alerts={shown} />
      ) : (
        rules.data?.length !== 0 && (
          <Empty title={t("alerts.none.title")}>
            <p>{t("alerts.none.text")}</p>
          </Empty>
        )
      )}
      <h2 className="section">{t("alerts.rules")}</h2>
      {rules.error ? (
        <ErrorBox error={rules.error} onRetry={() => void rules.refetch()} />
      ) : !rules.data ? (
        <Loading />
      ) : rules.data.length > 0 ? (
        <RuleGroups groups={rules.data} />
      ) : (
        <Empty title={t("alerts.norules.title")}>
          <p>{t("alerts.norules.text")}</p>
          <Command text="backstop serve --rules '/etc/backstop/rules/*.yaml'" />
        </Empty>
      )}
    </div>
  );
}
