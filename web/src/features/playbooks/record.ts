import { MODES, type Mode, type Playbook } from "../../api/loopTypes";

/** The mode that a playbook's record allows next, and why. */
export function offerOf({
  offer,
  mode,
}: Pick<Playbook, "offer" | "mode">): { mode: Mode; reason: string | null } | null {
  const known = MODES.find((one) => one === offer?.mode);
  return known && known !== mode ? { mode: known, reason: offer?.why ?? null } : null;
}

/** The figures of a record that say something, in the order in which the server wrote them. */
export function figuresOf(record: Playbook["record"]): [string, number][] {
  return Object.entries(record ?? {}).filter(
    (entry): entry is [string, number] => typeof entry[1] === "number" && entry[1] > 0,
  );
}
