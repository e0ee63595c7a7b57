import { CHANGE_KINDS, type Watch } from "../../api/loopTypes";
import type { Change } from "../../api/types";
import { type Badge, badgeOf } from "../../api/verdict";

/** The filter of the page, as the URL has it. Times are relative or RFC 3339; the server reads both. */
export interface Filter {
  service: string;
  kind: string;
  verdict: Badge | "";
  from: string;
}

export const BADGES: Badge[] = ["bad", "unknown", "good", "watching", "none"];
export const KINDS = CHANGE_KINDS;
export const SPANS = [
  ["-1h", 3_600_000],
  ["-24h", 86_400_000],
  ["-7d", 7 * 86_400_000],
  ["-30d", 30 * 86_400_000],
] as const;
export const DEFAULT_FROM = "-24h";

export function parseFilter(search: string): Filter {
  const params = new URLSearchParams(search);
  const verdict = BADGES.find((one) => one === params.get("verdict")) ?? "";
  return {
    service: params.get("service") ?? "",
    kind: params.get("kind") ?? "",
    verdict,
    from: params.get("from") || DEFAULT_FROM,
  };
}

export function filterHref(filter: Filter): string {
  const params = new URLSearchParams();
  for (const name of ["service", "kind", "verdict"] as const) if (filter[name]) params.set(name, filter[name]);
  if (filter.from !== DEFAULT_FROM) params.set("from", filter.from);
  const text = params.toString();
  return text ? `/changes?${text}` : "/changes";
}

export interface Line {
  change: Change;
  watch: Watch | null;
  badge: Badge;
}

/** Joins changes with their watches, keeps what the filter wants, and puts the latest first. The server may not filter by kind. */
export function linesOf(changes: Change[], watches: Watch[], { kind, verdict }: Filter): Line[] {
  const byKey = new Map(watches.map((watch) => [watch.id, watch]));
  return changes
    .map((change) => {
      const watch = byKey.get(`${change.source}/${change.id}`) ?? null;
      return { change, watch, badge: badgeOf(watch) };
    })
    .filter(({ change, badge }) => (!kind || change.kind === kind) && (!verdict || badge === verdict))
    .sort((a, b) => (a.change.started_at < b.change.started_at ? 1 : -1));
}

export interface DiffLine {
  kind: "add" | "del" | "hunk" | "head" | "same";
  text: string;
}

/** The lines of a unified diff, by what they are. */
export function diffLines(unified: string): DiffLine[] {
  return unified
    .replace(/\n$/, "")
    .split("\n")
    .map((text) => {
      if (text.startsWith("+++") || text.startsWith("---") || text.startsWith("diff ")) return { kind: "head", text };
      if (text.startsWith("@@")) return { kind: "hunk", text };
      if (text.startsWith("+")) return { kind: "add", text };
      if (text.startsWith("-")) return { kind: "del", text };
      return { kind: "same", text };
    });
}
