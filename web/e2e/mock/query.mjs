// As much of the query language as the tests need: words, phrases, fields, negation, and `stats by (f) count() as n`.
import { patternOf } from "./patterns.mjs";

/** PromQL and SQL are answered without being read: the samples of a series, a table of groups. */
export function otherLanguage(language, rows) {
  if (language === "promql")
    return { rows: rows.slice(0, 3).map(({ _time }, index) => ({ _time, service: "checkout", value: index / 2 })) };
  if (language === "sql") return { rows: [{ "service.name": "checkout", n: rows.length }] };
  return null;
}

/** A table that is none, as the server says it. */
function sqlMistakes(text) {
  const at = text.indexOf("logz");
  const message = "there is no table logz";
  return at < 0 ? [] : [{ span: [at, at + 4], severity: "error", message, hint: "did you mean logs?" }];
}

export function parse(text, language = "native") {
  if (language === "sql") return { terms: [], pipes: [], tokens: [], diagnostics: sqlMistakes(text) };
  if (language === "promql") return { terms: [], pipes: [], tokens: [], diagnostics: [] };
  // Lucene's phrases on a field are the native language's words on it, as far as the tests go.
  const tokens = [];
  const diagnostics = [];
  const pattern =
    /\s+|\|[^|]*|(-|!|not\s+)?(?:("[^"]+"|[\w.\p{L}]+)(:=?>?=?))?("(?:[^"\\]|\\.)*"|[\w.*\p{L}]+|[()])|./giu;
  const terms = [];
  const pipes = [];
  const bytes = (at) => Buffer.byteLength(text.slice(0, at));
  const token = (from, to, kind) => tokens.push({ span: [bytes(from), bytes(to)], kind });
  let depth = 0;
  for (const match of text.matchAll(pattern)) {
    const [whole, negation, field, operator, value] = match;
    const at = match.index;
    if (/^\s+$/.test(whole)) continue;
    if (whole.startsWith("|")) {
      pipes.push(whole.slice(1).trim());
      pipeTokens(whole, at, token);
    } else if (value === undefined) {
      diagnostics.push({
        span: [bytes(at), bytes(at + whole.length)],
        severity: "error",
        message: `unexpected ${JSON.stringify(whole)}`,
        hint: "quote it to search for it",
      });
      token(at, at + 1, "error");
    } else if (value === "(" || value === ")") depth += value === "(" ? 1 : -1;
    else if (!field && /^(and|or)$/i.test(value)) token(at, at + whole.length, "keyword");
    else {
      if (field === "level") {
        diagnostics.push({
          span: [bytes(at), bytes(at + 5)],
          severity: "warning",
          message: "no record has the field level",
          hint: "the severity is in severity",
        });
      }
      if (field) token(at, at + whole.indexOf(field) + field.length, "field");
      const from = at + whole.length - value.length;
      token(
        from,
        at + whole.length,
        value.startsWith('"')
          ? "string"
          : /^\d+$/.test(value)
            ? "number"
            : field
              ? "string"
              : "error".slice(0, 0) || "string",
      );
      terms.push({ negated: Boolean(negation), field: field?.replace(/^"|"$/g, ""), operator, value: unquote(value) });
    }
  }
  if (depth !== 0) {
    diagnostics.push({
      span: [bytes(text.length), bytes(text.length)],
      severity: "error",
      message: "a bracket is not closed",
      hint: "add )",
    });
  }
  return { terms, pipes, tokens, diagnostics };
}

function pipeTokens(whole, at, token) {
  token(at, at + 1, "pipe");
  const name = /\w+/.exec(whole);
  if (name) token(at + name.index, at + name.index + name[0].length, "keyword");
  for (const call of whole.matchAll(/\b(count|sum|avg|min|max)(?=\()/g))
    token(at + call.index, at + call.index + call[0].length, "function");
}

const unquote = (text) => (text.startsWith('"') ? text.slice(1, -1).replace(/\\(.)/g, "$1") : text);

export function matches(row, terms) {
  return terms.every(({ negated, field, operator, value }) => matchesOne(row, field, operator, value) !== negated);
}

function matchesOne(row, field, operator, value) {
  if (!field)
    return (
      value === "*" ||
      String(row.body ?? "")
        .toLowerCase()
        .includes(value.replace(/\*$/, "").toLowerCase())
    );
  const own = field === "_pattern" ? patternOf(row).id : row[field];
  if (value === "*") return own !== undefined;
  if (own === undefined) return false;
  if (operator === ":=") return String(own) === value;
  if (operator?.includes(">")) return Number(own) >= Number(value);
  return String(own).toLowerCase().includes(value.toLowerCase());
}

export function applyPipes(rows, pipes) {
  let result = rows;
  for (const pipe of pipes) {
    const stats = /^stats(?:\s+by\s*\(([^)]*)\))?\s+count\(\)\s+as\s+(\w+)/.exec(pipe);
    const limit = /^limit\s+(\d+)/.exec(pipe);
    const sort = /^sort by \((\S+)( desc)?\)/.exec(pipe);
    if (stats)
      result = countBy(
        result,
        (stats[1] ?? "")
          .split(",")
          .map((name) => name.trim())
          .filter(Boolean),
        stats[2],
      );
    else if (limit) result = result.slice(0, Number(limit[1]));
    else if (sort) result = [...result].sort((a, b) => (a[sort[1]] < b[sort[1]] ? -1 : 1) * (sort[2] ? -1 : 1));
  }
  return result;
}

function countBy(rows, fields, as) {
  const groups = new Map();
  for (const row of rows) {
    const key = JSON.stringify(fields.map((field) => row[field] ?? null));
    const group = groups.get(key) ?? {
      ...Object.fromEntries(fields.map((field) => [field, row[field] ?? null])),
      [as]: 0,
    };
    group[as] += 1;
    groups.set(key, group);
  }
  return [...groups.values()];
}
