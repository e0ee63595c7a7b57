import type { FieldValue, Row } from "../../api/types";

/** What a result is made of: log lines (which have a time and an id), or a table that `stats` and its like made. */
export interface Columns {
  isLog: boolean;
  names: string[];
  numeric: Set<string>;
}

const COLUMNS_MAX = 40;
const SAMPLE_ROWS = 200;

export function columnsOf(rows: Row[], chosen: string[]): Columns {
  const first = rows[0];
  const isLog = first === undefined || ("_time" in first && "_id" in first);
  const sample = rows.slice(0, SAMPLE_ROWS);
  const names = isLog
    ? logColumns(sample, chosen)
    : [...new Set(sample.flatMap((row) => Object.keys(row)))].slice(0, COLUMNS_MAX);
  const numeric = names.filter((name) => sample.every((row) => row[name] == null || typeof row[name] === "number"));
  return { isLog, names, numeric: new Set(numeric.filter((name) => sample.some((row) => row[name] != null))) };
}

/** Without a choice, the service is shown when there is one: which program speaks is the first question. */
function logColumns(rows: Row[], chosen: string[]): string[] {
  if (chosen.length > 0) return chosen;
  return rows.some((row) => row["service.name"] != null) ? ["service.name"] : [];
}

export function cellText(value: FieldValue | undefined): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const NOT_IN_SUMMARY = new Set(["_time", "_id", "_stream", "severity", "body"]);

/** A line without a body still has to say something: its fields. */
export function lineText(row: Row): string {
  const body = cellText(row.body);
  if (body !== "") return body;
  return Object.entries(row)
    .filter(([name]) => !NOT_IN_SUMMARY.has(name))
    .map(([name, value]) => `${name}=${cellText(value)}`)
    .join(" ");
}

export interface Piece {
  text: string;
  marked: boolean;
}

/** Splits a line at the words that were searched for. */
export function markWords(text: string, words: string[]): Piece[] {
  if (words.length === 0) return [{ text, marked: false }];
  const pattern = new RegExp(`(${words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join("|")})`, "giu");
  return text
    .split(pattern)
    .map((piece, index) => ({ text: piece, marked: index % 2 === 1 }))
    .filter(({ text: piece }) => piece !== "");
}
