import { type FormEvent, useState } from "react";
import { useIncidentAct } from "../../api/loopQueries";
import { getAuthor } from "../../api/session";
import { useI18n } from "../../i18n";
import { AuthorField } from "../../ui/AuthorField";
import { ErrorBox } from "../../ui/States";
import "../../ui/forms.css";

/** Writes a note into the timeline. What was typed stays until the server has it. */
export function NoteForm({ id }: { id: string }) {
  const { t } = useI18n();
  const act = useIncidentAct(id);
  const [text, setText] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    act.mutate({ verb: "notes", body: { text, author: getAuthor() } }, { onSuccess: () => setText("") });
  };
  return (
    <form className="form note-form" onSubmit={submit} aria-label={t("incident.note")}>
      <label className="field">
        <span>{t("incident.note.text")}</span>
        <textarea
          className="field-input"
          required
          maxLength={16_384}
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
      </label>
      <div className="note-foot">
        <AuthorField />
        <button type="submit" className="btn" disabled={act.isPending || text.trim() === ""}>
          {t("incident.note.save")}
        </button>
      </div>
      {act.error && <ErrorBox error={act.error} />}
    </form>
  );
}
