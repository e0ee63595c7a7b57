import type { Incident } from "../../api/types";
import { useI18n } from "../../i18n";

/** Reopened so often within the server's window, an incident comes and goes. */
const FLAP_REOPENS_MIN = 3;

/** What else is to know of an incident at a glance. */
export function Flags({ incident }: { incident: Incident }) {
  const { t } = useI18n();
  const { reopened = 0, flap, acked_by, resolved_by, state } = incident;
  const flags = [
    reopened > 0 && t("incidents.reopened", { n: reopened }),
    state !== "resolved" && (flap?.reopens ?? 0) >= FLAP_REOPENS_MIN && t("incidents.flapping"),
    state !== "resolved" && acked_by && t("incidents.ackedBy", { author: acked_by }),
    state === "resolved" && resolved_by && t("incident.resolvedBy", { author: resolved_by }),
  ].filter((flag): flag is string => Boolean(flag));
  return flags.map((flag) => (
    <span key={flag} className="flag">
      {flag}
    </span>
  ));
}
