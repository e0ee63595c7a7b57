import type { Watch } from "../../api/loopTypes";
import type { Alert } from "../../api/types";
import { type Badge, readVerdict } from "../../api/verdict";

/** How a service does, as far as alerts and watches say. */
export interface ServiceState {
  firing: number;
  /** The newest watch goes on. */
  watching: boolean;
  /** What the newest watch says; none where nothing watches. */
  verdict: Badge;
}

/** What colours a service: the worst that is known of it. */
export type Tone = "bad" | "warn" | "good" | "plain";

const UNKNOWN: ServiceState = { firing: 0, watching: false, verdict: "none" };

export const serviceOf = ({ labels }: Pick<Alert, "labels">): string | undefined =>
  labels.service ?? labels["service.name"] ?? labels.service_name;

/** The state of every service that an alert or a watch is about. */
export function statesOf(alerts: Alert[], watches: Watch[]): Map<string, ServiceState> {
  const states = new Map<string, ServiceState>();
  const newest = new Map<string, Watch>();
  for (const watch of watches) {
    const known = newest.get(watch.service);
    if (!known || Date.parse(watch.started_at) > Date.parse(known.started_at)) newest.set(watch.service, watch);
  }
  for (const [service, { state, verdict }] of newest)
    states.set(service, { firing: 0, watching: state === "watching", verdict: readVerdict(verdict).word });
  for (const alert of alerts) {
    const service = serviceOf(alert);
    if (alert.state !== "firing" || service === undefined) continue;
    const state = states.get(service) ?? UNKNOWN;
    states.set(service, { ...state, firing: state.firing + 1 });
  }
  return states;
}

/** A verdict counts while its watch goes on: what was called bad and is over has been dealt with, unless an alert still fires. */
export function toneOf({ firing, watching, verdict }: ServiceState): Tone {
  if (firing > 0 || (watching && verdict === "bad")) return "bad";
  if (watching) return verdict === "good" ? "good" : "warn";
  return "plain";
}
