import type { Service, ServiceGraph } from "../../api/loopTypes";

export type Edge = ServiceGraph["edges"][number];

export interface Neighbour {
  name: string;
  /** Seen in traces, not written in a file. */
  learned: boolean;
}

/** The services of the list, and those that only the graph knows, by name. */
export function rowsOf(services: Service[], graph: ServiceGraph | undefined): Service[] {
  const known = new Set(services.map(({ service }) => service));
  const others = (graph?.nodes ?? []).filter(({ service }) => !known.has(service));
  return [...services, ...others].sort((a, b) => a.service.localeCompare(b.service));
}

/** Whom a service needs, and who needs it. An edge that no file names is learned; without a graph, the list's word is taken. */
export function neighboursOf(
  { service, needs = [], needed_by = [] }: Service,
  edges: Edge[],
): { depends: Neighbour[]; usedBy: Neighbour[] } {
  const collect = (names: string[], found: { name: string; edge: Edge }[]): Neighbour[] => {
    const all = new Set([...names, ...found.map(({ name }) => name)]);
    return [...all].sort().map((name) => {
      const own = found.filter((one) => one.name === name);
      return { name, learned: own.length > 0 && own.every(({ edge }) => !edge.provenance.includes("file")) };
    });
  };
  const out = edges.filter(({ caller }) => caller === service).map((edge) => ({ name: edge.callee, edge }));
  const into = edges.filter(({ callee }) => callee === service).map((edge) => ({ name: edge.caller, edge }));
  return { depends: collect(needs, out), usedBy: collect(needed_by, into) };
}
