import type { Prefs } from "./prefs";

export const LANGUAGES: Prefs["lang"][] = ["en", "zh-CN"];
