import { useId, useState } from "react";
import { getToken, setToken } from "../api/session";
import { useI18n } from "../i18n";

/** Where the token of this tab is entered; it is sent with whatever needs a permission. */
export function TokenField({ onChange }: { onChange?: (token: string) => void }) {
  const { t } = useI18n();
  const [value, setValue] = useState(getToken);
  const hint = useId();
  const change = (text: string) => {
    setValue(text);
    setToken(text);
    onChange?.(text.trim());
  };
  return (
    <label className="field">
      <span>{t("act.token")}</span>
      <input
        type="password"
        className="field-input"
        autoComplete="off"
        spellCheck={false}
        value={value}
        aria-describedby={hint}
        onChange={(event) => change(event.target.value)}
      />
      <span id={hint} className="dim">
        {t("act.tokenHint")}
      </span>
    </label>
  );
}
