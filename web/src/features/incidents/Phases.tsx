import type { IncidentDetail } from "../../api/types";
import { useI18n } from "../../i18n";
import { phasesOf } from "./phases";

/** How long each part of the loop took, drawn to scale, said in words. */
export function Phases({ incident }: { incident: IncidentDetail }) {
  const { t, span } = useI18n();
  const phases = phasesOf(incident);
  const first = phases[0];
  const last = phases.at(-1);
  if (!first || !last) return null;
  const total = Math.max(1, last.end - first.start);
  return (
    <section className="phases" aria-label={t("incident.phases")}>
      <div className="track" aria-hidden="true">
        {phases.map(({ name, start, end }) => (
          <div key={name} className={name} style={{ flexGrow: Math.max(0.02, (end - start) / total) }} />
        ))}
      </div>
      <ul>
        {phases.map(({ name, start, end }) => (
          <li key={name} className={name}>
            <span className="key" aria-hidden="true" />
            {t(`incident.phase.${name}`)} <b>{span(end - start)}</b>
          </li>
        ))}
        {phases.length > 1 && (
          <li>
            {t("incident.phase.total")} <b>{span(total)}</b>
          </li>
        )}
      </ul>
    </section>
  );
}
