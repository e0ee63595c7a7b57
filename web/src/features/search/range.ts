/** Time ranges as people write them, resolved against the moment the query was run. */
export interface Range {
  start: number;
  end: number;
}

const UNIT_MS: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

export const PRESETS = ["-5m", "-15m", "-1h", "-6h", "-24h", "-7d", "-30d"];
export const ALL_TIME = "0";
const RANGE_MIN_MS = 1;

/** Milliseconds since 1970, or null when the text is no time. `zone` says what a time without an offset means. */
export function parseTime(text: string, now: number, zone: "local" | "utc"): number | null {
  const trimmed = text.trim();
  if (trimmed === "now") return now;
  if (trimmed === ALL_TIME) return 0;
  const relative = /^(?:now)?-(\d+)([smhdw])$/.exec(trimmed);
  if (relative) return now - Number(relative[1]) * (UNIT_MS[relative[2] as string] as number);
  const absolute = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?))?\s*(Z|[+-]\d\d:?\d\d)?$/.exec(
    trimmed,
  );
  if (!absolute) return null;
  const [, day, clock = "00:00:00", offset = zone === "utc" ? "Z" : ""] = absolute;
  const at = Date.parse(`${day}T${clock}${offset}`);
  return Number.isNaN(at) ? null : at;
}

/** The length in ms of a relative time such as `-15m`, or null. */
export function relativeSpan(text: string): number | null {
  const at = /^-\d+[smhdw]$/.test(text) ? parseTime(text, 0, "utc") : null;
  return at === null ? null : -at;
}

export function resolveRange(from: string, to: string, now: number, zone: "local" | "utc"): Range | null {
  const start = parseTime(from, now, zone);
  const end = parseTime(to, now, zone);
  if (start === null || end === null || end < start) return null;
  return { start, end: Math.max(end, start + RANGE_MIN_MS) };
}

export const iso = (ms: number) => new Date(ms).toISOString();

/** The same length, one length earlier (-1) or later (1). */
export function shifted({ start, end }: Range, direction: -1 | 1): Range {
  const length = end - start;
  return { start: Math.max(0, start + direction * length), end: Math.max(length, end + direction * length) };
}

/** Twice the length around the same middle, but not into the future when the range ends now. */
export function zoomedOut({ start, end }: Range, now: number): Range {
  const half = (end - start) / 2;
  const newEnd = Math.max(end, Math.min(end + half, now));
  return { start: Math.max(0, newEnd - 4 * half), end: newEnd };
}
