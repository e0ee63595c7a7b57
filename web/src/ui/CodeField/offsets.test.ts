import { expect, test } from "vitest";
import { utf8Offset, utf16Offsets } from "./offsets";

const texts = ["", "error", "é:1", "错误 服务", "a🎈b", "🎈🎈", "混x🎈é"];

test.each(texts)("offsets of %j agree with the encoder in both directions", (text) => {
  const encoder = new TextEncoder();
  let at = 0;
  const pairs: [number, number][] = [[0, 0]];
  for (const char of text) {
    at += char.length;
    pairs.push([encoder.encode(text.slice(0, at)).length, at]);
  }
  for (const [bytes, units] of pairs) expect(utf8Offset(text, units)).toBe(bytes);
  const shuffled = [...pairs].reverse();
  expect(
    utf16Offsets(
      text,
      shuffled.map(([bytes]) => bytes),
    ),
  ).toEqual(shuffled.map(([, units]) => units));
});

test("offsets past the end are the end", () => {
  expect(utf16Offsets("ab", [99])).toEqual([2]);
});
