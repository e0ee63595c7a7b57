import type { FieldValue } from "../../api/types";

/**
 * The same edits as in queryText.ts for Lucene's syntax. Without AND and OR its words are alternatives, so a filter is joined with
 * AND, and what the person wrote goes in brackets first unless it already is such a chain.
 */
const name = (field: string) => field.replace(/[+\-&|!(){}[\]^"~*?:\\/\s]/g, "\\$&");
const phrase = (text: string) => `"${text.replace(/[\\"]/g, "\\$&")}"`;

/** The clause that matches rows with this value of this field. */
export function luceneClause(field: string, value: FieldValue): string {
  if (value === null || value === "") return `NOT _exists_:${name(field)}`;
  if (typeof value === "object") return `_exists_:${name(field)}`;
  if (typeof value === "string" || (typeof value === "number" && value < 0))
    return `${name(field)}:${phrase(`${value}`)}`;
  return `${name(field)}:${value}`;
}

export const negated = (clause: string) => (clause.startsWith("NOT ") ? clause.slice(4) : `NOT ${clause}`);

/** The words of a query, cut at spaces outside quotes and brackets; null when one of those stays open. */
function words(query: string): string[] | null {
  const found: string[] = [];
  let word = "";
  let depth = 0;
  let quote = false;
  for (let at = 0; at < query.length; at += 1) {
    const char = query[at] as string;
    if (depth === 0 && !quote && /\s/.test(char)) {
      if (word) found.push(word);
      word = "";
      continue;
    }
    word += char;
    if (char === "\\") word += query[++at] ?? "";
    else if (char === '"') quote = !quote;
    else if (!quote && "([{".includes(char)) depth += 1;
    else if (!quote && ")]}".includes(char)) depth -= 1;
  }
  if (quote || depth !== 0) return null;
  return word ? [...found, word] : found;
}

/** The clauses that AND joins, or null when anything else stands between them. */
function chain(query: string): string[] | null {
  const clauses: string[] = [];
  let not = "";
  let wanted = true;
  for (const word of words(query) ?? ["OR"]) {
    if (word === "AND" && !wanted) wanted = true;
    else if (word === "NOT" && wanted && !not) not = "NOT ";
    else if (!wanted || /^(AND|OR|NOT|&&|\|\||[+!-].*)$/.test(word)) return null;
    else {
      clauses.push(not + word);
      not = "";
      wanted = false;
    }
  }
  return wanted && clauses.length > 0 ? null : clauses;
}

export const hasClause = (query: string, clause: string) => chain(query)?.includes(clause) ?? false;

const ALL = "*:*";

/** Adds the clause, or takes it out again if it is there; its opposite goes either way. */
export function toggleClause(query: string, clause: string): string {
  const written = query.trim();
  const parts = chain(written) ?? [`(${written})`];
  const left = parts.filter((part) => part !== clause && part !== negated(clause) && part !== ALL);
  if (parts.includes(clause)) return left.join(" AND ");
  // A query of exclusions only would match nothing.
  const all = [...left, clause].every((part) => part.startsWith("NOT ")) ? [ALL] : [];
  return [...all, ...left, clause].join(" AND ");
}
