/**
 * Times as operators read them: ISO order, 24 hours, seconds, the same in every language so that they can be compared with
 * what other tools print. Times with nanoseconds stay text until shown, because a double cannot hold them.
 */
export type Zone = "local" | "utc";
export type SpanUnit = "ms" | "s" | "m" | "h" | "d";

const pad = (value: number, width = 2) => String(value).padStart(width, "0");

export function dateTime(at: number | string, zone: Zone, digits: 0 | 3 = 0): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return String(at);
  const utc = zone === "utc";
  const day = utc
    ? [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate()]
    : [date.getFullYear(), date.getMonth() + 1, date.getDate()];
  const clock = utc
    ? [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()]
    : [date.getHours(), date.getMinutes(), date.getSeconds()];
  const fraction = digits === 3 ? `.${pad(date.getUTCMilliseconds(), 3)}` : "";
  return `${day.map((part) => pad(part)).join("-")} ${clock.map((part) => pad(part)).join(":")}${fraction}`;
}

/** `UTC+08:00`: the offset says more than a zone's name when two people compare screens. */
export function zoneName(zone: Zone, now = new Date()): string {
  if (zone === "utc") return "UTC";
  const minutes = -now.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  return `UTC${minutes < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}:${pad(size % 60)}`;
}

const UNITS: [SpanUnit, number][] = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["m", 60_000],
  ["s", 1000],
  ["ms", 1],
];

/** The largest unit, and the next one when it is not zero: `1 h 5 min`. */
export function formatSpan(ms: number, unitText: (unit: SpanUnit, n: number) => string): string {
  const size = Math.max(0, Math.round(ms));
  const first = UNITS.findIndex(([, length]) => size >= length);
  if (first === -1) return unitText("ms", 0);
  const [unit, length] = UNITS[first] as [SpanUnit, number];
  const whole = Math.floor(size / length);
  const next = UNITS[first + 1];
  if (!next || unit === "s") return unitText(unit, unit === "s" && size < 10_000 ? Math.round(size / 100) / 10 : whole);
  const rest = Math.floor((size % length) / next[1]);
  return rest === 0 ? unitText(unit, whole) : `${unitText(unit, whole)} ${unitText(next[0], rest)}`;
}
