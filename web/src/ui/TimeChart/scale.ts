import { dateTime, type Zone } from "../../i18n/time";

/** Ticks of a time axis: at round local times, with only the digits that change. */
export interface Tick {
  at: number;
  label: string;
}

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const STEPS = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((n) => n * 1000),
  ...[1, 2, 5, 10, 15, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 30, 90, 180, 365, 730, 1825, 3650, 7300].map((n) => n * DAY),
];

export function ticks(start: number, end: number, countMax: number, zone: Zone): Tick[] {
  const step = STEPS.find((size) => (end - start) / size <= countMax) ?? (end - start) / Math.max(1, countMax);
  const offset = zone === "utc" ? 0 : -new Date(start).getTimezoneOffset() * MINUTE;
  const result: Tick[] = [];
  let at = Math.ceil((start + offset) / step) * step - offset;
  for (; at <= end && result.length <= countMax; at += step) result.push({ at, label: tickLabel(at, step, zone) });
  return result;
}

function tickLabel(at: number, step: number, zone: Zone): string {
  const text = dateTime(at, zone, 3);
  if (step >= 90 * DAY) return text.slice(0, 7);
  if (step >= DAY) return text.slice(5, 10);
  const clock = step < 1000 ? text.slice(11) : step < MINUTE ? text.slice(11, 19) : text.slice(11, 16);
  return clock.startsWith("00:00") && step >= MINUTE ? `${text.slice(5, 10)} ${clock}` : clock;
}

/** The next round number that is not smaller: the top of the value axis. */
export function niceCeil(value: number): number {
  if (value <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  const round = power >= 10 ? [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10] : [1, 2, 3, 4, 5, 6, 8, 10];
  return round.map((n) => n * power).find((n) => n >= value) ?? value;
}
