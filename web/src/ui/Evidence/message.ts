import { CHANGE_KINDS, type Message } from "../../api/loopTypes";
import type { FieldValue } from "../../api/types";
import type { I18n, MessageKey } from "../../i18n";
import known from "../../i18n/card-codes.json";

/** What of the language is needed here. */
export type Words = Pick<I18n, "t" | "number" | "span">;
type Code = keyof typeof known.codes;
type Word = keyof typeof known.words;

const isCode = (code: string): code is Code => Object.hasOwn(known.codes, code);
const isWord = (text: string): text is Word => Object.hasOwn(known.words, text);

/** Values that name a version or a time: a word of the server stands there where nothing has a name. */
const NAMES = ["version", "old", "other"];
/** Sentences nest: a message that goes deeper than this is not one of ours. */
const DEPTH_MAX = 8;

/** A name, or the word that stands for one, in the reader's language. */
export function nameText({ t }: Words, name: string): string {
  return isWord(name) ? t(`card.word.${known.words[name]}` as MessageKey) : name;
}

/** A sentence of the server in the reader's language; nothing for a code that this page does not know, or with a value missing. */
export function messageText(i18n: Words, message: Message | null | undefined, depth = 0): string | null {
  if (!message || !isCode(message.code) || depth > DEPTH_MAX) return null;
  const shown: Record<string, string> = {};
  for (const name of known.codes[message.code]) {
    const text = valueText(i18n, name, message.values?.[name], depth);
    if (text === null) return null;
    shown[name] = text;
  }
  return i18n.t(`card.${message.code}`, shown);
}

function valueText(i18n: Words, name: string, value: unknown, depth: number): string | null {
  if (typeof value === "number") return name.endsWith("_ns") ? i18n.span(value / 1e6) : i18n.number(value);
  if (typeof value === "object") return messageText(i18n, value as Message | null, depth + 1);
  if (typeof value !== "string") return null;
  const kind = name === "kind" && CHANGE_KINDS.find((one) => one === value);
  if (kind) return i18n.t(`changes.kind.${kind}`);
  return NAMES.includes(name) ? nameText(i18n, value) : value;
}

/** Each message of a list in the reader's language; nothing when one of them is not known. */
export function allText(i18n: Words, messages: Message[]): string[] | null {
  const texts = messages.flatMap((message) => messageText(i18n, message) ?? []);
  return texts.length === messages.length ? texts : null;
}

/** Which fields of stored evidence a message is the same as. */
const SAME_AS: Record<string, readonly string[]> = { message: ["detail", "reason"], title: ["name", "what"] };
const SAME_AS_LISTS: Record<string, string> = {
  would_change_messages: "would_change",
  attribution_messages: "attribution",
  messages: "reasons",
};

/** Fields of evidence as they are shown: messages take the place of the texts beside them. */
export function toldFields(i18n: Words, fields: Record<string, FieldValue>): Record<string, FieldValue> {
  const told = { ...fields };
  for (const [name, texts] of Object.entries(SAME_AS)) {
    const text = texts.find((one) => typeof fields[one] === "string");
    const message = text && isMessage(fields[name]) && messageText(i18n, fields[name]);
    if (!text || !message) continue;
    told[text] = message;
    delete told[name];
  }
  for (const [name, text] of Object.entries(SAME_AS_LISTS)) {
    const list = fields[name];
    if (!fields[text] || !Array.isArray(list) || !list.every(isMessage)) continue;
    const messages = allText(i18n, list);
    if (!messages) continue;
    told[text] = Array.isArray(fields[text]) ? messages : messages.join(i18n.t("list.comma"));
    delete told[name];
  }
  return told;
}

function isMessage(value: FieldValue | undefined): value is FieldValue & Message {
  return typeof value === "object" && value !== null && !Array.isArray(value) && typeof value.code === "string";
}
