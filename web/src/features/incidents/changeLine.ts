import type { Change } from "../../api/types";

/** A change in one line: `checkout 1.9.4 → 2.0.0`. */
export function changeLine(change: Pick<Change, "target" | "from_version" | "to_version">): string {
  const versions = [change.from_version, change.to_version].filter(Boolean).join(" \u2192 ");
  return [change.target.service, versions].filter(Boolean).join(" ");
}
