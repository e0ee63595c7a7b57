import { ApiError, apiUrl, send } from "./client";
import { parseJson } from "./json";
import type { Language, Row } from "./types";

/** What a live tail tells. After `failed` nothing more comes. */
export interface TailSink {
  opened: () => void;
  /** Oldest first. */
  rows: (rows: Row[]) => void;
  /** Rows were left out since the last such call; one in `sampled` is shown. */
  dropped: (dropped: number, sampled: number) => void;
  /** The connection broke; the browser tries again by itself. */
  lost: () => void;
  failed: (error: unknown) => void;
}

interface ErrorData {
  error?: { code?: string; message?: string; hint?: string };
}

/** Follows the rows that match from now on. Returns how to stop. */
export function openTail(query: { query: string; language?: Language }, sink: TailSink): () => void {
  const path = `/tail?${new URLSearchParams({ query: query.query, language: query.language ?? "native" })}`;
  const source = new EventSource(apiUrl(path));
  const abort = new AbortController();
  const fail = (error: unknown) => {
    source.close();
    if (!abort.signal.aborted) sink.failed(error);
  };
  const read = <T>(event: Event, use: (data: T) => void) => {
    let data: T;
    try {
      data = parseJson((event as MessageEvent<string>).data) as T;
    } catch {
      return fail(new ApiError("bad_reply", ""));
    }
    use(data);
  };
  source.addEventListener("open", sink.opened);
  source.addEventListener("rows", (event) => read<{ rows: Row[] }>(event, ({ rows }) => sink.rows(rows)));
  source.addEventListener("dropped", (event) =>
    read<{ dropped: number; sampled: number }>(event, ({ dropped, sampled }) => sink.dropped(dropped, sampled)),
  );
  // The server's own event of this name carries data; the browser's, about the connection, does not.
  source.addEventListener("error", (event) => {
    if (event instanceof MessageEvent)
      read<ErrorData>(event, ({ error = {} }) =>
        fail(new ApiError(error.code ?? "tail", error.message ?? "", 0, error.hint)),
      );
    else if (source.readyState === EventSource.CLOSED) void refusal(path, abort.signal).then(fail);
    else sink.lost();
  });
  return () => {
    abort.abort();
    source.close();
  };
}

/** An EventSource does not say why it was refused, so the same request is made once more for its answer. */
async function refusal(path: string, signal: AbortSignal): Promise<unknown> {
  try {
    const response = await send(path, { signal, headers: { Accept: "text/event-stream" } });
    await response.body?.cancel();
    return new ApiError("network", "");
  } catch (error) {
    return error;
  }
}
