import type { Evidence, Watch } from "./loopTypes";

/** The shapes of the native API (`/backstop/api/v1`), as the server writes them. Times are RFC 3339 text. */
export type FieldValue = string | number | boolean | null | FieldValue[] | { [key: string]: FieldValue };

/** One row of a result. Log rows carry `_time`, `_id`, `_stream`, `severity`, `body` and every field flat. */
export type Row = Record<string, FieldValue>;

/** How the text of a query is read. */
export type Language = "native" | "lucene" | "promql" | "sql";
export const LANGUAGES_OF_QUERIES: readonly Language[] = ["native", "lucene", "promql", "sql"];

/** `span` counts UTF-8 bytes of the query text. */
export interface Diagnostic {
  span: [number, number];
  severity: "error" | "warning";
  message: string;
  hint?: string | null;
}

export interface QueryStats {
  rows_returned?: number;
  rows_scanned?: number;
  rows_matched?: number | null;
  segments_total?: number;
  segments_pruned?: number;
  segments_scanned?: number;
  bytes_read?: number;
  elapsed_ms?: number;
}

/** What is known when a result has ended: is it whole, and if not, why. */
export interface QueryEnd {
  stats: QueryStats;
  complete: boolean;
  limit_reached: boolean;
  rows_matched?: number | null;
  warnings: string[];
  query_id: string;
}

export interface HistogramBucket {
  time: string;
  total: number;
  by_severity: Record<string, number>;
}

export interface Histogram {
  start: string;
  end: string;
  step_ms: number;
  buckets: HistogramBucket[];
  total: number;
  complete: boolean;
}

export type FieldType = "string" | "int" | "double" | "bool" | "mixed";

export interface FieldInfo {
  name: string;
  type: FieldType;
  rows: number;
}

export interface FieldList {
  fields: FieldInfo[];
  rows: number;
  sampled: boolean;
}

export interface FieldValues {
  field: string;
  values: { value: FieldValue; rows: number }[];
  more: boolean;
}

/** Lines that differ in their changing parts only. `trend` counts per step. */
export interface Pattern {
  id: string;
  template: string;
  count: number;
  share: number;
  first_seen: string;
  last_seen: string;
  example: string;
  trend: number[];
  /** None of it in the window of the same length before. */
  new: boolean;
}

export interface PatternList {
  patterns: Pattern[];
  start: string;
  end: string;
  step_ms: number;
  /** Rows of all patterns, also of those that are not listed. */
  total: number;
}

export type TokenKind =
  | "keyword"
  | "field"
  | "operator"
  | "string"
  | "number"
  | "regex"
  | "pipe"
  | "function"
  | "comment"
  | "error";

export interface Completion {
  label: string;
  kind: string;
  insert: string;
  detail?: string;
}

export interface Diagnosis {
  diagnostics: Diagnostic[];
  tokens?: { span: [number, number]; kind: TokenKind }[];
  completions?: Completion[];
  /** What the data should add to the completions: it is asked with the other panels' requests. */
  wanted?: "nothing" | "fields" | { values: string } | null;
}

export interface Status {
  version: string;
  started_at: string;
  ready: boolean;
  /** Records since the start, where the server counts them. */
  rows_ingested?: number;
  memtable_rows?: number;
  tables?: { table: string; rows: number; segments: number; bytes: number }[];
  listeners?: { name: string; address: string }[];
}

export type Labels = Record<string, string>;

export interface Alert {
  id: string;
  rule: string;
  group: string;
  state: "pending" | "firing" | "resolved";
  labels: Labels;
  annotations: Labels;
  value: number | string | null;
  active_at: string | null;
  fired_at: string | null;
  resolved_at: string | null;
  query?: string | null;
  playbook?: string | null;
  incident?: string | null;
}

export interface Rule {
  name: string;
  kind: string;
  query: string;
  for_ms: number | null;
  health: "ok" | "err" | "unknown";
  last_error?: string | null;
  last_evaluation?: string | null;
  evaluation_ms?: number | null;
  state?: string | null;
}

export interface RuleGroup {
  name: string;
  file: string;
  interval_ms: number;
  rules: Rule[];
}

export interface Incident {
  id: string;
  title: string;
  state: "open" | "mitigated" | "resolved" | "merged";
  severity: string | null;
  service: string | null;
  services?: string[];
  opened_at: string;
  resolved_at: string | null;
  summary?: string | null;
  outcome?: string | null;
  reopened?: number;
  flap?: { reopens?: number; quiet_since?: string | null } | null;
  acked_by?: string | null;
  acked_at?: string | null;
  resolved_by?: string | null;
  merged_into?: string | null;
  merged?: string[];
}

export type TimelineKind = "change" | "alert" | "decision" | "action" | "verify" | "notify" | "note";
export type Outcome = "ok" | "failed" | "unknown" | "refused" | "observed";

export interface TimelineEntry {
  time: string;
  kind: TimelineKind;
  title: string;
  detail?: string | null;
  author?: string | null;
  outcome?: Outcome | null;
  evidence?: Record<string, FieldValue> | null;
  link?: { query: string; start: string; end: string } | null;
}

export interface Change {
  id: string;
  source: string;
  kind: string;
  target: Record<string, string>;
  from_version?: string | null;
  to_version?: string | null;
  actor?: string | null;
  started_at: string;
  finished_at?: string | null;
  link?: string | null;
  reversible?: string | boolean | null;
  artifact?: string | null;
  stages?: { percent: number; at: string }[];
  labels?: Labels;
  depends_on?: string[];
}

export interface Action {
  key: string;
  kind: string;
  target: FieldValue;
  from_version?: string | null;
  to_version?: string | null;
  detail?: string | null;
  state: string;
  started_at: string | null;
  finished_at: string | null;
  output?: string | null;
  mode?: string | null;
  playbook?: string | null;
  evidence?: Evidence | null;
  /** What the look at the target before the action said. */
  precheck?: { precheck?: string; detail?: string | null; revision?: string | null } | null;
}

export interface IncidentDetail extends Incident {
  timeline: TimelineEntry[];
  alerts: Alert[];
  change: Change | null;
  actions: Action[];
  watch?: Watch | null;
}
