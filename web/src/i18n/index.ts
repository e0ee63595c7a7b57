import { useMemo } from "react";
import { en, type MessageKey } from "./en";
import { formatMessage, type Params } from "./message";
import { type Prefs, usePrefs } from "./prefs";
import { dateTime, formatSpan, zoneName } from "./time";
import { zhCN } from "./zh-CN";

export type { MessageKey } from "./en";
export { LANGUAGES } from "./languages";

const catalogues = { en, "zh-CN": zhCN };

/** Everything a component needs to show text, numbers and times to one person. */
export interface I18n {
  prefs: Prefs;
  t: (key: MessageKey, params?: Params) => string;
  number: (value: number) => string;
  percent: (share: number) => string;
  /** Date and time to the second, or with `digits` of a second, in the chosen zone. */
  time: (at: number | string, digits?: 0 | 3) => string;
  /** A duration in the two units that matter. */
  span: (ms: number) => string;
  zone: string;
}

export function makeI18n(prefs: Prefs): I18n {
  const t = (key: MessageKey, params: Params = {}) => formatMessage(catalogues[prefs.lang][key], params, prefs.lang);
  const numbers = new Intl.NumberFormat(prefs.lang, { maximumFractionDigits: 2 });
  const percents = new Intl.NumberFormat(prefs.lang, { style: "percent", maximumFractionDigits: 0 });
  return {
    prefs,
    t,
    number: (value) => numbers.format(value),
    percent: (share) => percents.format(share),
    time: (at, digits = 0) => dateTime(at, prefs.zone, digits),
    span: (ms) => formatSpan(ms, (unit, n) => t(`span.${unit}`, { n })),
    zone: zoneName(prefs.zone),
  };
}

export function useI18n(): I18n {
  const prefs = usePrefs();
  return useMemo(() => makeI18n(prefs), [prefs]);
}
