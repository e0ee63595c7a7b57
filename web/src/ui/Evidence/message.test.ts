import { describe, expect, test } from "vitest";
import type { Message } from "../../api/loopTypes";
import type { FieldValue } from "../../api/types";
import known from "../../i18n/card-codes.json";
import { en, type MessageKey } from "../../i18n/en";
import { formatMessage, type Params, placeholders } from "../../i18n/message";
import { formatSpan } from "../../i18n/time";
import { zhCN } from "../../i18n/zh-CN";
import { messageText, nameText, toldFields, type Words } from "./message";

const catalogues = { en, "zh-CN": zhCN };
type Lang = keyof typeof catalogues;
const LANGS: Lang[] = ["en", "zh-CN"];

function words(lang: Lang): Words {
  const t = (key: MessageKey, params: Params = {}) => formatMessage(catalogues[lang][key], params, lang);
  const numbers = new Intl.NumberFormat(lang, { maximumFractionDigits: 2 });
  return { t, number: (n) => numbers.format(n), span: (ms) => formatSpan(ms, (unit, n) => t(`span.${unit}`, { n })) };
}

const errors: Message = {
  code: "errors_before",
  values: { percent: 10.14, requests: 1480, version: "after", old_percent: 0.4, old_requests: 180000 },
};
const change: Message = {
  code: "change_from_to",
  values: { that: { code: "change", values: { kind: "flag", service: "checkout" } }, from: "off", to: "on" },
};
const conflict: Message = {
  code: "same_time",
  values: { that: errors, change, why: { code: "same_service_changed", values: {} } },
};

// The server's tests write card-codes.json from the table of its sentences.
describe.each(LANGS)("in %s", (lang) => {
  test("every code of the server has a text with the values of the code", () => {
    for (const [code, names] of Object.entries(known.codes)) {
      const text: string | undefined = catalogues[lang][`card.${code}` as MessageKey];
      expect([code, text && placeholders(text)]).toEqual([code, [...names].sort()]);
    }
  });

  test("every word of the server has one", () => {
    for (const word of Object.values(known.words))
      expect([word, catalogues[lang][`card.word.${word}` as MessageKey]]).toEqual([word, expect.any(String)]);
  });

  test("no text is left of a code that is gone", () => {
    const wanted = [...Object.keys(known.codes), ...Object.values(known.words).map((word) => `word.${word}`)];
    const there = Object.keys(catalogues[lang]).filter((key) => key.startsWith("card."));
    expect(there.sort()).toEqual(wanted.map((name) => `card.${name}`).sort());
  });
});

test("sentences nest, numbers are formatted, words and kinds are translated", () => {
  expect(messageText(words("en"), conflict)).toBe(
    "10.14 % of 1,480 requests of after fail, 0.4 % of 180,000 before; flag of checkout off → on at the same time: the same service",
  );
  expect(messageText(words("zh-CN"), conflict)).toBe(
    "变更后 的 1,480 个请求中 10.14% 失败，变更前的 180,000 个请求中 0.4% 失败；同时有 checkout 的开关（off → on）：同一服务",
  );
});

test("spans are told in the reader's units", () => {
  const apart: Message = { code: "began_before", values: { early_ns: 41e9 } };
  expect(messageText(words("en"), apart)).toBe("began 41 s before the alert");
  expect(messageText(words("zh-CN"), apart)).toBe("在告警前 41 秒 开始");
});

test("a name that is no word stays as it is", () => {
  expect(nameText(words("zh-CN"), "1.9.4")).toBe("1.9.4");
  expect(nameText(words("zh-CN"), "constructor")).toBe("constructor");
  expect(nameText(words("zh-CN"), "before")).toBe("变更前");
  const verbatim: Message = { code: "verbatim", values: { text: "before" } };
  expect(messageText(words("zh-CN"), verbatim)).toBe("before");
});

test.each<[string, Message | null | undefined]>([
  ["there is none", undefined],
  ["it is null", null],
  ["the code is not known", { code: "of_tomorrow", values: {} }],
  ["the code is a name of every object", { code: "toString", values: {} }],
  ["a value is missing", { code: "silent", values: { version: "2" } }],
  ["there are no values", { code: "silent" }],
  ["a value is of no kind that is known", { code: "overload", values: { that: true } }],
  ["a part is not known", { code: "overload", values: { that: { code: "of_tomorrow" } } }],
])("the English text is taken when %s", (_, message) => {
  expect(messageText(words("zh-CN"), message)).toBeNull();
});

test("a message that holds too many is not followed", () => {
  let deep: Message = { code: "any_signal", values: {} };
  for (let depth = 0; depth < 20; depth++) deep = { code: "overload", values: { that: deep } };
  expect(messageText(words("en"), deep)).toBeNull();
});

test("in stored evidence messages take the place of the texts beside them", () => {
  const stored: Record<string, FieldValue> = {
    name: "errors",
    title: { code: "signal_errors", values: {} },
    detail: "in English",
    message: { code: "of_tomorrow", values: {} },
    would_change: ["one"],
    would_change_messages: [{ code: "any_signal", values: {} }],
    attribution: "same service",
    attribution_messages: [
      { code: "of_same_service", values: {} },
      { code: "began_before", values: { early_ns: 41e9 } },
    ],
    log_e: 1.5,
  };
  expect(toldFields(words("zh-CN"), stored)).toEqual({
    name: "错误",
    detail: "in English",
    message: { code: "of_tomorrow", values: {} },
    would_change: ["监视期间任一信号达到所需的证据"],
    attribution: "同一服务，在告警前 41 秒 开始",
    log_e: 1.5,
  });
  expect(toldFields(words("en"), { title: "a", message: "b", messages: [] })).toEqual({
    title: "a",
    message: "b",
    messages: [],
  });
});
