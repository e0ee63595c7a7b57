import type { Approval } from "../../api/loopTypes";

const WAITING = ["pending", "open", "asked", "waiting"];

/** Whether people are still asked. */
export const pendingOf = ({ state }: Pick<Approval, "state">): boolean => WAITING.includes(state);

/** Whole seconds until a time, in milliseconds, so that a countdown steps once a second; 0 when it is over. */
export function remainingMs(at: string, now: number): number {
  const left = Date.parse(at) - now;
  return left > 0 ? Math.ceil(left / 1000) * 1000 : 0;
}
