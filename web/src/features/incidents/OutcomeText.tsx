import { useI18n } from "../../i18n";

const OUTCOMES = ["helped", "not_helped", "acted", "failed", "unknown", "held", "observed", "notified"] as const;

/** How the loop ended, in a sentence; a word that is not known here is shown as it came. */
export function OutcomeText({ outcome }: { outcome: string }) {
  const { t } = useI18n();
  const known = OUTCOMES.find((one) => one === outcome);
  return known ? t(`incident.outcome.${known}`) : outcome;
}
