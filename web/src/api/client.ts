import { ndjsonValues, parseJson } from "./json";
import { authorization } from "./session";
import type { Diagnostic, Language, QueryEnd, Row } from "./types";

const BASE = "/backstop/api/v1";

/** A failed request. `code` is the server's, or `network` / `bad_reply` when the server did not get to say. */
export class ApiError extends Error {
  constructor(
    readonly code: string,
    message: string,
    readonly status = 0,
    readonly hint?: string,
    readonly diagnostics: Diagnostic[] = [],
  ) {
    super(message);
  }
}

interface ErrorBody {
  error?: { code?: string; message?: string; hint?: string; diagnostics?: Diagnostic[] };
}

/** The address of an endpoint for what the browser itself opens: a stream of events, a download. */
export const apiUrl = (path: string) => BASE + path;

export async function send(path: string, init: RequestInit): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(BASE + path, init);
  } catch (error) {
    if ((error as Error).name === "AbortError") throw error;
    throw new ApiError("network", "");
  }
  if (response.ok) return response;
  const body = (await response.json().catch(() => ({}))) as ErrorBody;
  const { code = "http", message = "", hint, diagnostics } = body.error ?? {};
  throw new ApiError(code, message, response.status, hint, diagnostics);
}

async function read<T>(response: Response): Promise<T> {
  const text = await response.text();
  if (response.status === 204) return undefined as T;
  try {
    return parseJson(text) as T;
  } catch {
    throw new ApiError("bad_reply", "", response.status);
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return read<T>(await send(path, { signal: signal ?? null, headers: { Accept: "application/json" } }));
}

export async function post<T>(path: string, body: unknown, signal?: AbortSignal): Promise<T> {
  const headers = { "Content-Type": "application/json", Accept: "application/json" };
  return read<T>(await send(path, { method: "POST", signal: signal ?? null, headers, body: JSON.stringify(body) }));
}

/** A request that changes something, as the person whose token was given. */
export async function act<T>(method: "POST" | "PUT" | "DELETE", path: string, body: unknown = {}): Promise<T> {
  const headers = { "Content-Type": "application/json", Accept: "application/json", ...authorization() };
  return read<T>(await send(path, { method, headers, body: JSON.stringify(body) }));
}

export interface QueryRequest {
  query: string;
  language?: Language;
  start: string;
  end: string;
  limit: number;
}

interface RowSink {
  rows: (rows: Row[]) => void;
  end: (end: QueryEnd) => void;
}

/**
 * Runs a query and hands over rows as they arrive. A stream that stops without its `_end` line was cut off by the network or
 * a restart, and says so as `network`: the rows so far must not look like a whole result.
 */
export async function streamQuery(request: QueryRequest, queryId: string, signal: AbortSignal, sink: RowSink) {
  const headers = {
    "Content-Type": "application/json",
    Accept: "application/x-ndjson",
    "X-Backstop-End-Line": "1",
    "X-Backstop-Query-Id": queryId,
  };
  const response = await send("/query", { method: "POST", signal, headers, body: JSON.stringify(request) });
  if (!response.body) throw new ApiError("bad_reply", "", response.status);
  let ended = false;
  for await (const batch of ndjsonValues(response.body)) {
    const last = batch.at(-1) as { _end?: QueryEnd; error?: ErrorBody["error"] } | undefined;
    if (last?._end) {
      batch.pop();
      ended = true;
    }
    if (last?.error && Object.keys(last).length === 1 && typeof last.error === "object") {
      throw new ApiError(last.error.code ?? "query", last.error.message ?? "", response.status, last.error.hint);
    }
    if (batch.length > 0) sink.rows(batch as Row[]);
    if (last?._end) sink.end(last._end);
  }
  if (!ended) throw new ApiError("network", "");
}

/** Tells the server to stop. Closing the connection does so too; this one also reaches it through a proxy. */
export function cancelQuery(queryId: string): void {
  void fetch(`${BASE}/queries/${encodeURIComponent(queryId)}/cancel`, { method: "POST" }).catch(() => undefined);
}

export function newQueryId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  return `ui-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
