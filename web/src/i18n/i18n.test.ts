import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { en, type MessageKey } from "./en";
import { formatMessage, placeholders } from "./message";
import { zhCN } from "./zh-CN";

const keys = Object.keys(en) as MessageKey[];
const source = new URL("../", import.meta.url).pathname;

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return /\.tsx?$/.test(entry.name) && !/^((en|zh-CN)(-loop|-card|-services|-search)?|.*\.test)\.ts$/.test(entry.name)
      ? [readFileSync(path, "utf8")]
      : [];
  });
}

describe("catalogues", () => {
  test("hold the same keys in the same order", () => {
    expect(Object.keys(zhCN)).toEqual(keys);
  });

  test("use the same placeholders", () => {
    for (const key of keys) expect([key, placeholders(zhCN[key])]).toEqual([key, placeholders(en[key])]);
  });

  test("zh-CN is translated, apart from names", () => {
    const same = keys.filter((key) => zhCN[key] === en[key]);
    expect(same).toEqual([
      "app.name",
      "lang.en",
      "lang.zh-CN",
      "row.json",
      "incident.after",
      "language.lucene",
      "language.promql",
      "language.sql",
      "card.verbatim",
    ]);
  });

  test("hold no message that nothing uses", () => {
    const text = sources(source).join("\n");
    const prefixes = [...text.matchAll(/`([a-z]+(?:\.[a-zA-Z]+)*\.)\$\{/g)].map((match) => match[1] as string);
    const unused = keys.filter(
      (key) => !text.includes(`"${key}"`) && !prefixes.some((prefix) => key.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });
});

describe("formatMessage", () => {
  const plural = "{n, plural, =0 {no rows} one {# row} other {# rows}} of {name}";
  test.each([
    [0, "en", "no rows of a"],
    [1, "en", "1 row of a"],
    [1200, "en", "1,200 rows of a"],
    [1, "zh-CN", "1 rows of a"],
  ])("%s in %s", (n, locale, expected) => {
    expect(formatMessage(plural, { n, name: "a" }, locale)).toBe(expected);
  });

  test("leaves an unknown placeholder visible", () => {
    expect(formatMessage("{a} {b}", { a: "x" }, "en")).toBe("x {b}");
  });

  test("does not read values as messages", () => {
    expect(formatMessage("{a}", { a: "{b}" }, "en")).toBe("{b}");
  });
});
