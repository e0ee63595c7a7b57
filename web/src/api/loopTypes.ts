import type { Alert, Change, Labels } from "./types";

/** The shapes of the loop: watches, evidence, approvals, playbooks, services. Older servers leave parts out. */
export type VerdictWord = "good" | "bad" | "unknown";

/** A verdict as a watch writes it, or as the evidence of an action does. */
export type Verdict = VerdictWord | { verdict: VerdictWord; reason?: string | null };

/** A sentence as a value: what the English text beside it says, for readers of any language. A value may be a message again. */
export interface Message {
  code: string;
  values?: Record<string, unknown>;
}

export const CHANGE_KINDS = [
  "deploy",
  "config",
  "flag",
  "schema",
  "infra",
  "scale",
  "secret",
  "route",
  "data",
] as const;

export interface SignalSide {
  label: string;
  n: number | null;
  bad?: number | null;
  value: number | null;
}

export interface Signal {
  name: string;
  title?: Message | null;
  kind: string;
  query: string;
  compare?: string | null;
  old: SignalSide | null;
  new: SignalSide | null;
  effect: number | null;
  effect_unit?: string | null;
  log_e: number | null;
  log_e_needed: number | null;
  min_n?: number | null;
  verdict: Verdict;
  detail?: string | null;
  message?: Message | null;
}

/** What was cleared, and why. */
export interface Exonerated {
  what: string;
  title?: Message | null;
  reason: string;
  message?: Message | null;
}

export interface Watch {
  id: string;
  service: string;
  change?: Change | null;
  state: "watching" | "ended";
  verdict: Verdict;
  started_at: string;
  ends_at?: string | null;
  decided_at?: string | null;
  evaluated_at?: string | null;
  signals?: Signal[];
  exonerated?: Exonerated[];
  would_change?: string[];
  would_change_messages?: Message[] | null;
  detail?: string | null;
  message?: Message | null;
  history?: {
    at: string;
    verdict: Verdict;
    reason?: string | null;
    detail?: string | null;
    message?: Message | null;
  }[];
}

export interface Guard {
  guard: string;
  passed: boolean;
  detail: string;
}

export interface Suspect {
  change: Change;
  score?: number;
  reason: string;
  message?: Message | null;
}

/** What a decision rests on, as it was stored before the action began. */
export interface Evidence {
  rule?: string | null;
  query?: string | null;
  window_ns?: number | null;
  labels?: Labels;
  value?: number | null;
  data?: Alert["state"] | string | null;
  active_at?: string | null;
  evaluated_at?: string | null;
  decided_at?: string | null;
  change?: Change | null;
  attribution?: string | null;
  attribution_messages?: Message[] | null;
  concurrent?: Suspect[];
  exonerated?: Suspect[];
  verdict?: Verdict;
  guards?: Guard[];
}

export interface Approval {
  id: string;
  incident: string;
  playbook: string;
  action?: string | null;
  question: string;
  need: number;
  roles?: string[];
  /** The answers that are possible; approve and reject where there are none. */
  choices?: string[];
  detail?: string | null;
  given?: { by: string; decision: string; at: string; comment?: string | null }[];
  state: string;
  expires_at?: string | null;
}

export interface KillSwitch {
  engaged: boolean;
  reason?: string | null;
  by?: string | null;
  at?: string | null;
}

export const MODES = ["observe", "suggest", "approve", "auto"] as const;
export type Mode = (typeof MODES)[number];

export interface Playbook {
  name: string;
  mode: Mode;
  file?: string | null;
  steps?: unknown[];
  record?: Record<string, number | string | null> | null;
  offer?: { mode: Mode; why?: string | null } | null;
}

export interface PlaybookGraph {
  mermaid: string;
  svg?: string | null;
}

/** A median of durations: of `n` that could be measured, where there would be `of`. */
export interface Median {
  median_ns: number | null;
  n: number;
  of: number;
}

/** DORA's figures over a window; a figure that can not be told is null, and the notes say why. */
export interface Dora {
  start: string;
  end: string;
  overall: {
    deployments: number;
    rollbacks: number;
    deployments_per_day: number | null;
    lead_time: Median;
    change_failures: { share: number | null; interval: [number, number] | null; n: number; of: number };
    time_to_restore: Median;
    notes: string[];
  };
}

export interface Service {
  service: string;
  in_catalogue?: boolean;
  owners?: string[];
  criticality?: { tier?: number | null } | null;
  description?: string | null;
  environments?: string[];
  needs?: string[];
  needed_by?: string[];
}

/** Who asks whom, and who says so: a file of the catalogue, or traces. */
export interface ServiceGraph {
  nodes: { service: string }[];
  edges: { caller: string; callee: string; kind?: string; provenance: ("file" | "traces")[] }[];
}

export interface ChangeDiff {
  fields: { field: string; before?: string | null; after?: string | null }[];
  documents: { name: string; unified: string }[];
}
