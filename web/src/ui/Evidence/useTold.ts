import type { Message } from "../../api/loopTypes";
import { useI18n } from "../../i18n";
import { allText, messageText } from "./message";

/** Tells what the server says: its message where there is one that is known here, its English text else. */
export function useTold(): (message: Message | null | undefined, text: string | null | undefined) => string {
  const i18n = useI18n();
  return (message, text) => messageText(i18n, message) ?? text ?? "";
}

/** The same of a list that is one text: all of it in the reader's language, or all in English. */
export function useToldAll() {
  const i18n = useI18n();
  return (messages: Message[] | null | undefined, text: string | null | undefined): string =>
    allText(i18n, messages ?? [])?.join(i18n.t("list.comma")) || (text ?? "");
}
