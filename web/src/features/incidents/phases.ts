import type { IncidentDetail } from "../../api/types";

/** The loop in four moments: the change, noticing it, acting, being well again. */
export type PhaseName = "detect" | "act" | "recover";

export interface Phase {
  name: PhaseName;
  start: number;
  end: number;
}

export function phasesOf(incident: Pick<IncidentDetail, "timeline" | "change" | "resolved_at">): Phase[] {
  const { timeline, change } = incident;
  const at = (text: string | null | undefined) => (text ? Date.parse(text) : Number.NaN);
  const first = (kind: string, accept: (outcome: string | null) => boolean = () => true) =>
    at(timeline.find((entry) => entry.kind === kind && accept(entry.outcome ?? null))?.time);
  const changed = change ? at(change.started_at) : first("change");
  const alerted = first("alert");
  const acted = first("action", (outcome) => outcome === null || outcome === "ok");
  const verified = at(timeline.findLast(({ kind, outcome }) => kind === "verify" && outcome === "ok")?.time);
  const well = Number.isNaN(verified) ? at(incident.resolved_at) : verified;
  const phases: Phase[] = [
    { name: "detect", start: changed, end: alerted },
    { name: "act", start: alerted, end: acted },
    { name: "recover", start: acted, end: well },
  ];
  // A phase that did not happen, or whose clock ran backwards, is left out rather than guessed.
  return phases.filter(({ start, end }) => end >= start);
}
