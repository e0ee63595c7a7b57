import { MODES, type Mode, type Playbook } from "../../api/loopTypes";

/** The mode that a playbook's record allows next, and why; the server sends a word or an object. */
export function offerOf({
  offer,
  mode,
}: Pick<Playbook, "offer" | "mode">): { mode: Mode; reason: string | null } | null {
  if (!offer) return null;
  const wanted = typeof offer === "string" ? offer : offer.mode;
  const known = MODES.find((one) => one === wanted);
  if (!known || known === mode) return null;
  return { mode: known, reason: typeof offer === "string" ? null : (offer.reason ?? null) };
}

/** The figures of a record that say something, in the order in which the server wrote them. */
export function figuresOf(record: Playbook["record"]): [string, number][] {
  return Object.entries(record ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number" && entry[1] > 0,
  );
}
