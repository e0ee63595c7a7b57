/**
 * JSON as the server writes it. An int64 above 2^53 does not fit a double, so such numbers are kept as the text that was
 * sent: a trace or user id on screen must be the one in the log line.
 */
const LONG_INTEGER = /-?\d{16,}/;

type Reviver = (key: string, value: unknown, context?: { source?: string }) => unknown;

const keepLongIntegers: Reviver = (_key, value, context) =>
  typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)
    ? (context?.source ?? String(value))
    : value;

export function parseJson(text: string): unknown {
  return LONG_INTEGER.test(text) ? JSON.parse(text, keepLongIntegers) : JSON.parse(text);
}

/** The values of a stream of JSON lines, in batches as the network delivers them. A line may be split anywhere. */
export async function* ndjsonValues(stream: ReadableStream<Uint8Array>): AsyncGenerator<unknown[]> {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      rest += done ? decoder.decode() : decoder.decode(value, { stream: true });
      const lines = rest.split("\n");
      rest = done ? "" : (lines.pop() as string);
      const values = lines.filter((line) => line.trim() !== "").map(parseJson);
      if (values.length > 0) yield values;
      if (done) return;
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
