import type { Badge } from "../../api/verdict";
import { type MessageKey, useI18n } from "../../i18n";
import { StateMark } from "../Marks";

const REASONS = [
  "no_data",
  "query_error",
  "low_sample",
  "stale_data",
  "conflict",
  "self_suspect",
  "no_change",
  "no_service",
] as const;

/** Why a verdict is unknown, in words; a reason that is not known here is shown as it came. */
export function useReason(reason: string | null | undefined): string | null {
  const { t } = useI18n();
  if (!reason) return null;
  const word = reason.trim().toLowerCase().replaceAll(" ", "_");
  const known = REASONS.find((one) => one === word);
  return known ? t(`reason.${known}` satisfies MessageKey) : reason;
}

export function VerdictMark({ badge, reason }: { badge: Badge; reason?: string | null }) {
  const { t } = useI18n();
  const why = useReason(reason);
  const word = t(`verdict.${badge}`);
  return <StateMark state={badge} label={why && badge === "unknown" ? `${word} (${why})` : word} />;
}
