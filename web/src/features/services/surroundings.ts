import type { Service } from "../../api/loopTypes";
import { type Edge, neighboursOf } from "./graph";
import type { Arrow } from "./layout";

/** Most services that are drawn at once: more than this nobody reads. */
export const NODES_MAX = 60;
/** Most arrows that are drawn at once. */
export const ARROWS_MAX = 240;

/** That one service needs another, and who says so. */
export interface Need extends Arrow {
  /** Seen in traces, not written in a file. */
  learned: boolean;
}

/** What is drawn. */
export interface Drawn {
  services: string[];
  needs: Need[];
  /** Services that need nothing and that nothing needs, as far as is known; they are in the list only. */
  alone: number;
  /** How many services have a place in the whole graph. */
  of: number;
  /** Around whom, when not all of it is drawn. */
  around: string | null;
}

/** Who needs whom, as the list of services says it too. Nobody is drawn as needing itself. */
export function needsOf(rows: Service[], edges: Edge[]): Need[] {
  const leaving = new Map<string, Edge[]>();
  for (const edge of edges)
    leaving
      .set(edge.caller, leaving.get(edge.caller) ?? [])
      .get(edge.caller)
      ?.push(edge);
  return rows.flatMap((row) =>
    neighboursOf(row, leaving.get(row.service) ?? [])
      .depends.filter(({ name }) => name !== row.service)
      .map(({ name, learned }) => ({ from: row.service, to: name, learned })),
  );
}

/** All of the graph where it can be read, else what is nearest around the chosen service, or around the one with the most neighbours. */
export function drawnOf(rows: Service[], edges: Edge[], chosen: string | null): Drawn {
  const needs = needsOf(rows, edges);
  const near = new Map<string, string[]>();
  const meet = (a: string, b: string) =>
    near
      .set(a, near.get(a) ?? [])
      .get(a)
      ?.push(b);
  for (const { from, to } of needs) {
    meet(from, to);
    meet(to, from);
  }
  const names = [...near.keys()].sort();
  const alone = rows.filter(({ service }) => !near.has(service)).length;
  const whole = { services: names, needs, alone, of: names.length };
  if (names.length <= NODES_MAX && needs.length <= ARROWS_MAX) return { ...whole, around: null };
  const busiest = names.reduce((best, name) => (size(near, name) > size(near, best) ? name : best), names[0] ?? "");
  const around = chosen !== null && near.has(chosen) ? chosen : busiest;
  return { ...whole, ...surroundings(around, near, needs), around };
}

const size = (near: Map<string, string[]>, name: string) => near.get(name)?.length ?? 0;

/** The nearest of a service, as many as can be drawn with all arrows between them. */
function surroundings(
  start: string,
  near: Map<string, string[]>,
  needs: Need[],
): { services: string[]; needs: Need[] } {
  const into = new Map<string, number>();
  const kept = new Set<string>();
  let arrows = 0;
  const queue = [start];
  const seen = new Set(queue);
  for (let name = queue.shift(); name !== undefined && kept.size < NODES_MAX; name = queue.shift()) {
    const more = into.get(name) ?? 0;
    if (arrows + more > ARROWS_MAX) continue;
    arrows += more;
    kept.add(name);
    // Both directions of a pair are two arrows, and two entries here.
    for (const other of near.get(name) ?? []) {
      into.set(other, (into.get(other) ?? 0) + 1);
      if (seen.has(other)) continue;
      seen.add(other);
      queue.push(other);
    }
  }
  return { services: [...kept].sort(), needs: needs.filter(({ from, to }) => kept.has(from) && kept.has(to)) };
}
