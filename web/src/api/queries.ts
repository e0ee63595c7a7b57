import { keepPreviousData, QueryClient, useQuery } from "@tanstack/react-query";
import { ApiError, get, post } from "./client";
import type {
  Alert,
  Change,
  Diagnosis,
  FieldList,
  FieldValues,
  Histogram,
  Incident,
  IncidentDetail,
  Language,
  PatternList,
  Row,
  RuleGroup,
  Status,
} from "./types";

/** A query over a fixed range: `now` was resolved when it was run, so every panel counts the same rows. */
export interface RangeQuery {
  query: string;
  language?: Language;
  start: string;
  end: string;
}

const ALERTS_REFRESH_MS = 5_000;
const STATUS_REFRESH_MS = 5_000;
const CHANGES_MAX = 200;

/** Only a request that never reached the server is tried again by itself; an answer, even an error, is an answer. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      retry: (count, error) => count < 1 && error instanceof ApiError && error.code === "network",
      refetchOnWindowFocus: false,
      staleTime: 10_000,
    },
  },
});

export function useHistogram(range: RangeQuery, buckets: number, enabled = true) {
  return useQuery({
    queryKey: ["histogram", range, buckets],
    queryFn: ({ signal }) => post<Histogram>("/histogram", { ...range, buckets }, signal),
    placeholderData: keepPreviousData,
    enabled,
  });
}

export function useFields(range: RangeQuery) {
  return useQuery({
    queryKey: ["fields", range],
    queryFn: ({ signal }) => post<FieldList>("/fields", range, signal),
    placeholderData: keepPreviousData,
  });
}

export function useValues(range: RangeQuery, field: string, limit: number) {
  return useQuery({
    queryKey: ["values", range, field, limit],
    queryFn: ({ signal }) => post<FieldValues>("/values", { ...range, field, limit }, signal),
    placeholderData: keepPreviousData,
  });
}

export function usePatterns(range: RangeQuery, limit: number) {
  return useQuery({
    queryKey: ["patterns", range, limit],
    queryFn: ({ signal }) => post<PatternList>("/patterns", { ...range, limit }, signal),
    placeholderData: keepPreviousData,
  });
}

/** The rows of the same stream around one, oldest first; `_context` says on which side each stands. */
export function useContextRows(row: Row, size: { before: number; after: number }) {
  const params = new URLSearchParams({
    id: String(row._id),
    time: String(row._time),
    stream: String(row._stream ?? ""),
    before: String(size.before),
    after: String(size.after),
  });
  return useQuery({
    queryKey: ["context", params.toString()],
    queryFn: async ({ signal }) => (await get<{ rows: Row[] }>(`/context?${params}`, signal)).rows,
    placeholderData: keepPreviousData,
  });
}

export function useChanges(range: { start: string; end: string }, service?: string) {
  return useQuery({
    queryKey: ["changes", range.start, range.end, service],
    queryFn: async ({ signal }) => {
      const params = new URLSearchParams({ start: range.start, end: range.end });
      if (service) params.set("service", service);
      return (await get<{ changes: Change[] }>(`/changes?${params}`, signal)).changes.slice(0, CHANGES_MAX);
    },
  });
}

export function useStatus() {
  return useQuery({
    queryKey: ["status"],
    queryFn: ({ signal }) => get<Status>("/status", signal),
    refetchInterval: STATUS_REFRESH_MS,
    retry: false,
  });
}

export function useAlerts() {
  return useQuery({
    queryKey: ["alerts"],
    queryFn: async ({ signal }) => (await get<{ alerts: Alert[] }>("/alerts", signal)).alerts,
    refetchInterval: ALERTS_REFRESH_MS,
  });
}

export function useRules() {
  return useQuery({
    queryKey: ["rules"],
    queryFn: async ({ signal }) => (await get<{ groups: RuleGroup[] }>("/rules", signal)).groups,
    refetchInterval: ALERTS_REFRESH_MS,
  });
}

export function useIncidents(state: string) {
  return useQuery({
    queryKey: ["incidents", state],
    queryFn: async ({ signal }) =>
      (await get<{ incidents: Incident[] }>(`/incidents?state=${state}`, signal)).incidents,
    refetchInterval: ALERTS_REFRESH_MS,
    placeholderData: keepPreviousData,
  });
}

export function useIncident(id: string) {
  return useQuery({
    queryKey: ["incident", id],
    queryFn: ({ signal }) => get<IncidentDetail>(`/incidents/${encodeURIComponent(id)}`, signal),
    refetchInterval: (query) => (query.state.data?.state === "resolved" ? false : ALERTS_REFRESH_MS),
  });
}

export const diagnose = (
  query: string,
  cursor: number | undefined,
  signal?: AbortSignal,
  language: Language = "native",
) =>
  post<Diagnosis>(
    "/diagnose",
    { query, ...(cursor === undefined ? {} : { cursor }), ...(language === "native" ? {} : { language }) },
    signal,
  );

export const fetchHistogram = (range: RangeQuery, buckets: number, signal?: AbortSignal) =>
  post<Histogram>("/histogram", { ...range, buckets }, signal);

/** Fields and values for completions, from the same cache as the panels. */
export const fetchFields = (range: RangeQuery) =>
  queryClient.fetchQuery({
    queryKey: ["fields", range],
    queryFn: ({ signal }) => post<FieldList>("/fields", range, signal),
  });

export const fetchValues = (range: RangeQuery, field: string, limit: number) =>
  queryClient.fetchQuery({
    queryKey: ["values", range, field, limit],
    queryFn: ({ signal }) => post<FieldValues>("/values", { ...range, field, limit }, signal),
  });
