import type { RangeQuery } from "../../api/queries";
import type { FieldValue } from "../../api/types";

/**
 * Edits of a query's text: adding and removing a filter on one value without disturbing what the person wrote. This is not a
 * parser (the server has the only one): it knows quotes, brackets and the first pipe, which is enough to find where the
 * filter ends and which of its parts stand alone.
 */
interface Part {
  start: number;
  end: number;
  text: string;
}

interface Shape {
  /** Where the filter ends: the first pipe outside quotes and brackets, or the end of the text. */
  filterEnd: number;
  /** Space-separated parts of the filter outside brackets. */
  parts: Part[];
}

function scan(text: string): Shape {
  const parts: Part[] = [];
  let start = -1;
  let depth = 0;
  let at = 0;
  const close = (end: number) => {
    if (start >= 0) parts.push({ start, end, text: text.slice(start, end) });
    start = -1;
  };
  for (; at < text.length; at += 1) {
    const char = text[at] as string;
    if (depth === 0 && char === "|") break;
    if (depth === 0 && /\s/.test(char)) {
      close(at);
      continue;
    }
    if (start < 0) start = at;
    if (char === '"' || char === "'" || char === "`") at = endOfQuote(text, at);
    else if ("([{".includes(char)) depth += 1;
    else if (")]}".includes(char)) depth = Math.max(0, depth - 1);
  }
  close(Math.min(at, text.length));
  return { filterEnd: Math.min(at, text.length), parts };
}

function endOfQuote(text: string, open: number): number {
  const quote = text[open];
  for (let at = open + 1; at < text.length; at += 1) {
    if (text[at] === "\\" && quote !== "`") at += 1;
    else if (text[at] === quote) return at;
  }
  return text.length;
}

export const quoted = (text: string) =>
  `"${text.replace(/[\\"]/g, "\\$&").replace(/\n/g, "\\n").replace(/\t/g, "\\t").replace(/\r/g, "\\r")}"`;
/** What `lang` takes as a bare word (`is_word_char` there); a name of other characters is quoted. */
const BARE_NAME = /^[\p{L}\p{N}_.@$#%&/][\p{L}\p{N}_.@$#%&/-]*$/u;
export const fieldName = (name: string) => (BARE_NAME.test(name) ? name : quoted(name));

/** The filter that matches exactly this value of this field. */
export function valueFilter(field: string, value: FieldValue): string {
  if (value === null || value === "") return `not ${fieldName(field)}:*`;
  if (typeof value === "object") return `${fieldName(field)}:*`;
  return `${fieldName(field)}:=${typeof value === "string" ? quoted(value) : String(value)}`;
}

export type Mode = "include" | "exclude";

const filterText = (field: string, value: FieldValue, mode: Mode) => {
  const filter = valueFilter(field, value);
  if (mode === "include") return filter;
  return filter.startsWith("not ") ? filter.slice(4) : `-${filter}`;
};

/** Is the query restricted to (or rid of) this value by a part of its own? */
export function hasFilter(query: string, field: string, value: FieldValue, mode: Mode): boolean {
  const wanted = filterText(field, value, mode);
  return scan(query).parts.some((part) => part.text === wanted);
}

/**
 * Adds the filter before the first pipe, or takes it out again if it is already there. The opposite filter on the same value is
 * replaced. A filter with a bare `or` is put in brackets first, because "and" binds tighter.
 */
export function toggleFilter(query: string, field: string, value: FieldValue, mode: Mode): string {
  const wanted = filterText(field, value, mode);
  if (hasFilter(query, field, value, mode)) return without(query, wanted);
  const opposite = filterText(field, value, mode === "include" ? "exclude" : "include");
  return appendFilter(
    hasFilter(query, field, value, mode === "include" ? "exclude" : "include") ? without(query, opposite) : query,
    wanted,
  );
}

function without(query: string, filter: string): string {
  const { parts } = scan(query);
  const index = parts.findIndex((part) => part.text === filter);
  if (index < 0) return query;
  const part = parts[index] as Part;
  const before = parts[index - 1];
  const from = before && /^and$/i.test(before.text) ? before.start : part.start;
  const left = query.slice(0, from).trimEnd();
  const right = query.slice(part.end).trimStart();
  return [left, index === 0 ? right.replace(/^and\s+/i, "") : right].filter(Boolean).join(" ");
}

export function appendFilter(query: string, filter: string): string {
  const { filterEnd, parts } = scan(query);
  const pipes = query.slice(filterEnd).trim();
  let head = query.slice(0, filterEnd).trim();
  if (head === "*") head = "";
  if (parts.some((part) => /^or$/i.test(part.text))) head = `(${head})`;
  return [head, filter, pipes].filter(Boolean).join(" ");
}

/** The filter without its pipes: what the histogram and "rows around this one" are about. */
export function filterOf(query: string): string {
  return query.slice(0, scan(query).filterEnd).trim();
}

/**
 * What the panels beside the rows are about: the filter without pipes; in Lucene and PromQL the query, which is one whole; in SQL, which
 * tells no rows of a table from its text, all records of the range.
 */
export function filterRequest({ language, ...request }: RangeQuery): RangeQuery {
  if (language === "sql") return { ...request, query: "" };
  return language ? { ...request, language } : { ...request, query: filterOf(request.query) };
}

/** Plain words and phrases that the rows were asked to contain, for highlighting. Longest first, so phrases win over words. */
export function searchedWords(query: string): string[] {
  const words: string[] = [];
  let negated = false;
  for (const { text } of scan(query).parts) {
    if (/^(and|or)$/i.test(text)) continue;
    if (/^not$/i.test(text)) {
      negated = true;
      continue;
    }
    const word = negated ? null : plainWord(text.replace(/^body:=?/, ""));
    negated = false;
    if (word) words.push(word);
  }
  return words.sort((a, b) => b.length - a.length);
}

function plainWord(text: string): string | null {
  if (/^"(?:[^"\\]|\\.)*"$/.test(text)) return text.slice(1, -1).replace(/\\(.)/g, "$1") || null;
  const word = text.replace(/^=/, "").replace(/\*$/, "");
  return /^[\p{L}\p{N}_][\p{L}\p{N}_.-]*$/u.test(word) ? word : null;
}
