import type { Signal, SignalSide, Verdict, VerdictWord, Watch } from "./loopTypes";

/** What a badge says: the verdict's word, `watching` before there is one, `none` where nothing watches. */
export type Badge = VerdictWord | "watching" | "none";

/** The word and the reason; a history writes the reason beside the word. */
export function readVerdict(
  verdict: Verdict | null | undefined,
  beside?: string | null,
): { word: VerdictWord; reason: string | null } {
  if (!verdict) return { word: "unknown", reason: null };
  if (typeof verdict === "string") return { word: verdict, reason: beside ?? null };
  return { word: verdict.verdict, reason: verdict.reason ?? null };
}

/** A watch that goes on and knows nothing yet is watching; what it knows already is said at once. */
export function badgeOf(watch: Pick<Watch, "state" | "verdict"> | null | undefined): Badge {
  if (!watch) return "none";
  const { word } = readVerdict(watch.verdict);
  return watch.state === "watching" && word === "unknown" ? "watching" : word;
}

/** How much of the evidence that a verdict needs is there, 0 to 1; null where it is not measured. */
export function strengthOf({ log_e, log_e_needed }: Pick<Signal, "log_e" | "log_e_needed">): number | null {
  if (log_e === null || log_e === undefined || !log_e_needed) return null;
  return Math.min(1, Math.max(0, log_e / log_e_needed));
}

/** A share is shown in percent: its effect is told in points. */
export const isShare = (signal: Pick<Signal, "effect_unit">): boolean => signal.effect_unit === "points";

export function sideText(side: SignalSide | null, share: boolean, number: (n: number) => string): string | null {
  if (!side || side.value === null || side.value === undefined) return null;
  return share ? `${number(side.value * 100)} %` : number(side.value);
}

/**
 * Whether a query is PromQL. The search page reads the native language, so only the other ones get a link to it. Calls with a
 * window in brackets and aggregations with a bracket are PromQL's; the native language has neither before its first pipe.
 */
export function isPromQl(query: string): boolean {
  const filter = query.split(/\s\|\s/)[0] ?? "";
  return (
    /\b(sum|avg|min|max|count|rate|increase|irate|histogram_quantile|topk|quantile)\s*(by\s*\([^)]*\)\s*)?\(/.test(
      filter,
    ) ||
    /\[\d+[smhdw]\]/.test(filter) ||
    /^\s*[a-z_:][\w:]*\s*(\{|[<>]|$)/i.test(filter)
  );
}

/** `source/id` of a change's key; the source holds no slash, the id may. */
export function splitKey(key: string): { source: string; id: string } {
  const at = key.indexOf("/");
  return at < 0 ? { source: "", id: key } : { source: key.slice(0, at), id: key.slice(at + 1) };
}
