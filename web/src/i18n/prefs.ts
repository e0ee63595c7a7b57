import { useSyncExternalStore } from "react";

/**
 * What a person chooses for themselves, not for a search: language, theme, time zone. Kept in localStorage; search state
 * lives in the URL instead.
 */
export interface Prefs {
  lang: "en" | "zh-CN";
  theme: "system" | "light" | "dark";
  zone: "local" | "utc";
  /** Single-key shortcuts can be switched off (WCAG 2.1.4). */
  keys: boolean;
}

const KEY = "backstop.prefs";
const listeners = new Set<() => void>();
let prefs = load();

function load(): Prefs {
  const lang = navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
  const fallback: Prefs = { lang, theme: "system", zone: "local", keys: true };
  try {
    return { ...fallback, ...(JSON.parse(localStorage.getItem(KEY) ?? "{}") as Partial<Prefs>) };
  } catch {
    return fallback; // storage is blocked or holds something else: the defaults work
  }
}

/** Shows the choice on the document: the tokens follow `data-theme`, fonts and screen readers follow `lang`. */
export function applyPrefs(): void {
  document.documentElement.lang = prefs.lang;
  if (prefs.theme === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = prefs.theme;
}

export function setPrefs(change: Partial<Prefs>): void {
  prefs = { ...prefs, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(prefs));
  } catch {
    // The choice then holds until the page is left.
  }
  applyPrefs();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePrefs(): Prefs {
  return useSyncExternalStore(subscribe, () => prefs);
}
