import { type FormEvent, useState } from "react";
import { useOpenIncident } from "../../api/loopQueries";
import { getAuthor } from "../../api/session";
import { navigate } from "../../app/router";
import { useI18n } from "../../i18n";
import { AuthorField } from "../../ui/AuthorField";
import { Popover } from "../../ui/Popover";
import { ErrorBox } from "../../ui/States";
import "../../ui/forms.css";

/** Opens an incident by hand: people notice what no rule does. */
export function OpenIncident() {
  const { t } = useI18n();
  const [open, setOpen] = useState(false);
  const [fields, setFields] = useState({ title: "", service: "", severity: "" });
  const opening = useOpenIncident();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const body = { ...fields, severity: fields.severity || null, author: getAuthor() };
    const onSuccess = ({ incident }: { incident: { id: string } }) =>
      navigate(`/incidents/${encodeURIComponent(incident.id)}`);
    opening.mutate(body, { onSuccess });
  };
  const inputs = [
    ["title", t("incidents.new.title")],
    ["service", t("incidents.service")],
    ["severity", t("incidents.severity")],
  ] as const;
  return (
    <Popover name={t("incidents.new")} label={t("incidents.new")} open={open} onOpen={setOpen} align="left">
      <form className="form" onSubmit={submit}>
        {inputs.map(([name, label]) => (
          <label key={name} className="field">
            <span>{label}</span>
            <input
              className="field-input"
              required={name === "title"}
              maxLength={256}
              value={fields[name]}
              onChange={(event) => setFields({ ...fields, [name]: event.target.value })}
            />
          </label>
        ))}
        <AuthorField />
        {opening.error && <ErrorBox error={opening.error} />}
        <div className="buttons">
          <button type="submit" className="btn primary" disabled={opening.isPending}>
            {t("incidents.new.save")}
          </button>
        </div>
      </form>
    </Popover>
  );
}
