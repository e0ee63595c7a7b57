import { useState } from "react";
import { getAuthor, setAuthor } from "../api/session";
import { useI18n } from "../i18n";

/** The name that signs what a person does. It is remembered in this browser. */
export function AuthorField() {
  const { t } = useI18n();
  const [value, setValue] = useState(getAuthor);
  return (
    <label className="field">
      <span>{t("act.author")}</span>
      <input
        className="field-input"
        autoComplete="name"
        maxLength={128}
        value={value}
        onChange={(event) => {
          setValue(event.target.value);
          setAuthor(event.target.value);
        }}
      />
    </label>
  );
}
