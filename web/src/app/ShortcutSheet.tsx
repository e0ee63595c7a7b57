import { useEffect, useRef } from "react";
import { type MessageKey, useI18n } from "../i18n";
import { setPrefs } from "../i18n/prefs";
import { SHORTCUTS, WIDGET_KEYS } from "./shortcuts";

/** Every shortcut, from the table that registers them. */
export function ShortcutSheet({ open, onClose }: { open: boolean; onClose: () => void }) {
  const { t, prefs } = useI18n();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open && !dialog.current?.open) dialog.current?.showModal();
    if (!open) dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} className="sheet" aria-labelledby="sheet-title" onClose={onClose}>
      <h2 id="sheet-title">{t("keys.title")}</h2>
      <dl>
        {[...Object.values(SHORTCUTS), ...WIDGET_KEYS].map(({ keys, label }) => (
          <KeyLine key={label} keys={keys} label={label} />
        ))}
      </dl>
      <label className="switch">
        <input type="checkbox" checked={prefs.keys} onChange={(event) => setPrefs({ keys: event.target.checked })} />
        {t("keys.enabled")}
      </label>
      <button type="button" className="btn" onClick={onClose}>
        {t("keys.close")}
      </button>
    </dialog>
  );
}

function KeyLine({ keys, label }: { keys: readonly string[]; label: MessageKey }) {
  const { t } = useI18n();
  const shown = keys.map((key) => key.replace("ArrowDown", "↓").replace("ArrowUp", "↑"));
  return (
    <div>
      <dt>
        {shown
          .flatMap((key) => key.split(" "))
          .map((key) => (
            <kbd key={key}>{key}</kbd>
          ))}
      </dt>
      <dd>{t(label)}</dd>
    </div>
  );
}
