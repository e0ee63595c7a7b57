import { expect, test } from "vitest";
import { ndjsonValues, parseJson } from "./json";

function streamOf(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.slice(at, at + size));
      controller.close();
    },
  });
}

test.each([1, 2, 3, 7, 1000])("lines survive being cut every %d bytes", async (size) => {
  const rows = [{ body: "错误 🎈" }, { n: 1 }, { _end: { complete: true } }];
  const text = `${rows.map((row) => JSON.stringify(row)).join("\n")}\n\n`;
  const seen: unknown[] = [];
  for await (const batch of ndjsonValues(streamOf(new TextEncoder().encode(text), size))) seen.push(...batch);
  expect(seen).toEqual(rows);
});

test("a last line without a newline counts", async () => {
  const seen: unknown[] = [];
  for await (const batch of ndjsonValues(streamOf(new TextEncoder().encode('{"a":1}\n{"a":2}'), 4)))
    seen.push(...batch);
  expect(seen).toEqual([{ a: 1 }, { a: 2 }]);
});

test("numbers in strings stay strings, small numbers stay numbers", () => {
  expect(parseJson('{"id":"12345678901234567890","n":9007199254740991}')).toEqual({
    id: "12345678901234567890",
    n: 9007199254740991,
  });
});

// The source text of a number is known to Chromium 114, Firefox 135, Safari 18.4, Node 21 and later.
const hasSource = (() => {
  let seen = false;
  JSON.parse("1", (_key, value, context?: { source?: string }) => {
    seen = context?.source === "1";
    return value;
  });
  return seen;
})();

test.runIf(hasSource)("an int64 keeps its digits", () => {
  expect(parseJson('{"id":1234567890123456789}')).toEqual({ id: "1234567890123456789" });
});
