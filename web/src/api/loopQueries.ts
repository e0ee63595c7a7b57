import { keepPreviousData, useMutation, useQuery } from "@tanstack/react-query";
import { ApiError, act, get } from "./client";
import type {
  Approval,
  ChangeDiff,
  Dora,
  KillSwitch,
  Playbook,
  PlaybookGraph,
  Service,
  ServiceGraph,
  Watch,
} from "./loopTypes";
import { queryClient } from "./queries";
import type { Change, Incident } from "./types";

const REFRESH_MS = 5_000;
const SLOW_REFRESH_MS = 30_000;
/** Most changes of one page; the server answers with the latest. */
export const CHANGES_PAGE_MAX = 500;

/** The server is older than this page, or has this part switched off: the page goes on without. */
export const isAbsent = (error: unknown): boolean => error instanceof ApiError && error.status === 404;

const params = (values: Record<string, string | undefined>) =>
  new URLSearchParams(Object.entries(values).filter((entry): entry is [string, string] => Boolean(entry[1])));

export interface ChangeFilter {
  service?: string;
  kind?: string;
  start: string;
  end: string;
}

export function useChangeList(filter: ChangeFilter, range: { start: string; end: string }) {
  return useQuery({
    queryKey: ["change-list", filter],
    queryFn: async ({ signal }) => {
      const { service, kind } = filter;
      const query = params({ service, kind, start: range.start, end: range.end, limit: String(CHANGES_PAGE_MAX) });
      return (await get<{ changes: Change[] }>(`/changes?${query}`, signal)).changes;
    },
    refetchInterval: REFRESH_MS,
    placeholderData: keepPreviousData,
  });
}

/** A change is named by its source and its id there; either may hold any character. */
export const changePath = (source: string, id: string) =>
  `/changes/${encodeURIComponent(source)}/${encodeURIComponent(id)}`;

export function useChange(source: string, id: string) {
  return useQuery({
    queryKey: ["change", source, id],
    queryFn: async ({ signal }) => {
      const found = await get<Change | { change: Change }>(changePath(source, id), signal);
      return "change" in found ? found.change : found;
    },
  });
}

export function useDiff(source: string, id: string) {
  return useQuery({
    queryKey: ["diff", source, id],
    queryFn: ({ signal }) => get<ChangeDiff>(`${changePath(source, id)}/diff`, signal),
  });
}

export function useWatches() {
  return useQuery({
    queryKey: ["watches"],
    queryFn: async ({ signal }) => (await get<{ watches: Watch[] }>("/watches", signal)).watches,
    refetchInterval: REFRESH_MS,
  });
}

export function useWatch(source: string, id: string) {
  return useQuery({
    queryKey: ["watch", source, id],
    queryFn: async ({ signal }) => {
      const path = `/watches/${encodeURIComponent(source)}/${encodeURIComponent(id)}`;
      const found = await get<Watch | { watch: Watch }>(path, signal);
      return "watch" in found ? found.watch : found;
    },
    refetchInterval: (query) => (query.state.data?.state === "watching" ? REFRESH_MS : false),
  });
}

export function useDora() {
  return useQuery({
    queryKey: ["dora"],
    queryFn: ({ signal }) => get<Dora>("/dora", signal),
    staleTime: SLOW_REFRESH_MS,
  });
}

export function useApprovals() {
  return useQuery({
    queryKey: ["approvals"],
    queryFn: async ({ signal }) => (await get<{ approvals: Approval[] }>("/approvals", signal)).approvals,
    refetchInterval: (query) => (isAbsent(query.state.error) ? false : REFRESH_MS),
    retry: false,
  });
}

export function useKillSwitch() {
  return useQuery({
    queryKey: ["switches"],
    queryFn: async ({ signal }) => (await get<{ kill: KillSwitch }>("/switches", signal)).kill,
    refetchInterval: (query) => (isAbsent(query.state.error) ? false : REFRESH_MS),
    retry: false,
  });
}

export function usePlaybooks() {
  return useQuery({
    queryKey: ["playbooks"],
    queryFn: async ({ signal }) => {
      const { playbooks } = await get<{ playbooks: (Playbook & { playbook?: string })[] }>("/playbooks", signal);
      return playbooks.map((one) => ({ ...one, name: one.name ?? one.playbook ?? "" }));
    },
    refetchInterval: REFRESH_MS,
  });
}

export function usePlaybookGraph(name: string, enabled: boolean) {
  return useQuery({
    queryKey: ["playbook-graph", name],
    queryFn: ({ signal }) => get<PlaybookGraph>(`/playbooks/${encodeURIComponent(name)}/graph`, signal),
    enabled,
  });
}

export function useServices() {
  return useQuery({
    queryKey: ["services"],
    queryFn: async ({ signal }) => (await get<{ services: Service[] }>("/services", signal)).services,
  });
}

export function useServiceGraph() {
  return useQuery({
    queryKey: ["service-graph"],
    queryFn: ({ signal }) => get<ServiceGraph>("/services/graph", signal),
  });
}

/** Something that a person does. What it may have changed is asked for again. */
function useAct<V>(run: (value: V) => Promise<unknown>, keys: string[]) {
  return useMutation({
    mutationFn: run,
    onSettled: () => Promise.all(keys.map((key) => queryClient.invalidateQueries({ queryKey: [key] }))),
  });
}

export type IncidentVerb = "notes" | "ack" | "resolve" | "reopen" | "merge";

export function useIncidentAct(id: string) {
  const run = ({ verb, body }: { verb: IncidentVerb; body: Record<string, string> }) =>
    act<{ incident: Incident; changed: boolean }>("POST", `/incidents/${encodeURIComponent(id)}/${verb}`, body);
  return useAct(run, ["incident", "incidents"]);
}

export interface NewIncident {
  title: string;
  service: string;
  severity: string | null;
  author: string;
}

export function useOpenIncident() {
  return useMutation({
    mutationFn: (body: NewIncident) => act<{ incident: Incident }>("POST", "/incidents", body),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ["incidents"] }),
  });
}

export function useAnswerApproval() {
  const run = ({ id, decision, comment }: { id: string; decision: string; comment: string }) =>
    act("POST", `/approvals/${encodeURIComponent(id)}`, { decision, comment });
  return useAct(run, ["approvals", "incident"]);
}

export function useSetKillSwitch() {
  const run = ({ engage, reason }: { engage: boolean; reason: string }) =>
    act(engage ? "POST" : "DELETE", "/switches/kill", { reason });
  return useAct(run, ["switches"]);
}

export function useSetMode() {
  const run = ({ name, mode }: { name: string; mode: string }) =>
    act("POST", `/playbooks/${encodeURIComponent(name)}/mode`, { mode });
  return useAct(run, ["playbooks"]);
}
