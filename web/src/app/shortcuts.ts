import { useEffect, useRef } from "react";
import type { MessageKey } from "../i18n";
import { usePrefs } from "../i18n/prefs";

/** One table registers the shortcuts and fills the sheet that lists them, so neither can drift from the other. */
export const SHORTCUTS = {
  focusQuery: { keys: ["/"], label: "keys.focusQuery" },
  next: { keys: ["j", "ArrowDown"], label: "keys.next" },
  previous: { keys: ["k", "ArrowUp"], label: "keys.previous" },
  expand: { keys: ["Enter"], label: "keys.expand" },
  time: { keys: ["t"], label: "keys.time" },
  earlier: { keys: ["["], label: "keys.earlier" },
  later: { keys: ["]"], label: "keys.later" },
  zoomOut: { keys: ["-"], label: "keys.zoomOut" },
  search: { keys: ["g s"], label: "keys.search" },
  alerts: { keys: ["g a"], label: "keys.alerts" },
  incidents: { keys: ["g i"], label: "keys.incidents" },
  changes: { keys: ["g c"], label: "keys.changes" },
  playbooks: { keys: ["g p"], label: "keys.playbooks" },
  services: { keys: ["g v"], label: "keys.services" },
  help: { keys: ["?"], label: "keys.help" },
} as const satisfies Record<string, { keys: readonly string[]; label: MessageKey }>;

export type ShortcutId = keyof typeof SHORTCUTS;

/** Keys that belong to one widget while it has the focus; listed in the sheet only. */
export const WIDGET_KEYS: { keys: string[]; label: MessageKey }[] = [
  { keys: ["Enter"], label: "keys.run" },
  { keys: ["Shift Enter"], label: "keys.newline" },
  { keys: ["← → Shift Enter -"], label: "keys.histogram" },
];

const SEQUENCE_MS_MAX = 1000;
const byKeys = new Map<string, ShortcutId>();
for (const [id, { keys }] of Object.entries(SHORTCUTS)) for (const key of keys) byKeys.set(key, id as ShortcutId);

/** The element that really has the focus: the query editor lives in a shadow root. */
function targetOf(event: KeyboardEvent): HTMLElement | null {
  const first = event.composedPath()[0];
  return first instanceof HTMLElement ? first : null;
}

function isTaken(event: KeyboardEvent): boolean {
  const target = targetOf(event);
  if (!target) return false;
  if (target.isContentEditable || target.closest("input, textarea, select, dialog, [role=slider]")) return true;
  const activates = event.key === "Enter" || event.key === " ";
  return activates && target.closest("a, button, summary") !== null;
}

/** Calls the handler of a shortcut while the component is on screen. */
export function useShortcuts(handlers: Partial<Record<ShortcutId, () => void>>): void {
  const latest = useRef(handlers);
  latest.current = handlers;
  const { keys: enabled } = usePrefs();
  useEffect(() => {
    if (!enabled) return;
    let first = { key: "", at: 0 };
    const onKey = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || isTaken(event)) return;
      const sequence = event.timeStamp - first.at < SEQUENCE_MS_MAX ? `${first.key} ${event.key}` : "";
      const id = byKeys.get(sequence) ?? byKeys.get(event.key);
      first = { key: event.key, at: event.timeStamp };
      const handler = id && latest.current[id];
      if (!handler) return;
      event.preventDefault();
      handler();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [enabled]);
}
