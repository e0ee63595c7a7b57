import type { Service, ServiceGraph } from "../../api/loopTypes";

export type Edge = ServiceGraph["edges"][number];

export interface Neighbour {
  name: string;
  /** Seen in traces, not written in a file. */
  learned: boolean;
}

const nameOf = (node: ServiceGraph["nodes"][number]): string =>
  typeof node === "string" ? node : (node.name ?? node.id ?? "");

/** The services of the catalogue, and those that only the graph knows. */
export function rowsOf(services: Service[], graph: ServiceGraph | undefined): Service[] {
  const known = new Set(services.map(({ name }) => name));
  const others = (graph?.nodes ?? []).flatMap((node) => {
    const name = nameOf(node);
    return name && !known.has(name) ? [{ name, owner: typeof node === "string" ? null : (node.owner ?? null) }] : [];
  });
  return [...services, ...others].sort((a, b) => a.name.localeCompare(b.name));
}

const learnedOf = ({ learned, source }: Edge): boolean => learned ?? (source === "traces" || source === "learned");

/** What a service depends on, and what depends on it; an edge that a file names is not a learned one. */
export function neighboursOf(service: Service, edges: Edge[]): { depends: Neighbour[]; usedBy: Neighbour[] } {
  const collect = (found: Neighbour[]): Neighbour[] => {
    const byName = new Map<string, Neighbour>();
    for (const one of found) if (byName.get(one.name)?.learned !== false) byName.set(one.name, one);
    return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name));
  };
  const written = (service.depends_on ?? []).map((name) => ({ name, learned: false }));
  const out = edges.filter(({ from }) => from === service.name);
  const into = edges.filter(({ to }) => to === service.name);
  return {
    depends: collect([...written, ...out.map((edge) => ({ name: edge.to, learned: learnedOf(edge) }))]),
    usedBy: collect(into.map((edge) => ({ name: edge.from, learned: learnedOf(edge) }))),
  };
}
