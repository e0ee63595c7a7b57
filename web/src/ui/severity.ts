/** Severity words come from many senders; six classes carry the colour, and the sender's own word is what is shown. */
export type SeverityClass = "fatal" | "error" | "warn" | "info" | "debug" | "none";

/** From the baseline of a bar upwards: errors sit on the baseline, where heights can be compared. */
export const SEVERITY_ORDER: SeverityClass[] = ["fatal", "error", "warn", "info", "debug", "none"];

const PREFIXES: [RegExp, SeverityClass][] = [
  [/^(fatal|crit|emerg|alert|panic)/i, "fatal"],
  [/^(err|severe)/i, "error"],
  [/^warn/i, "warn"],
  [/^(info|notice)/i, "info"],
  [/^(debug|trace|verbose|fine)/i, "debug"],
];

export function severityClass(text: unknown): SeverityClass {
  if (typeof text !== "string") return "none";
  return PREFIXES.find(([pattern]) => pattern.test(text))?.[1] ?? "none";
}

/** Counts by the sender's words, summed by class. */
export function bySeverityClass(counts: Record<string, number>): Record<SeverityClass, number> {
  const sums = { fatal: 0, error: 0, warn: 0, info: 0, debug: 0, none: 0 };
  for (const [word, count] of Object.entries(counts)) sums[severityClass(word)] += count;
  return sums;
}
