import { type FormEvent, useState } from "react";
import { useIncidentAct } from "../../api/loopQueries";
import { useIncidents } from "../../api/queries";
import { getAuthor } from "../../api/session";
import type { IncidentDetail } from "../../api/types";
import { navigate } from "../../app/router";
import { useI18n } from "../../i18n";
import { AuthorField } from "../../ui/AuthorField";
import { Popover } from "../../ui/Popover";
import { ErrorBox } from "../../ui/States";
import "../../ui/forms.css";

type Act = ReturnType<typeof useIncidentAct>;

/** What a person can do with an incident. What the server refuses it says here. */
export function IncidentBar({ incident }: { incident: IncidentDetail }) {
  const { t } = useI18n();
  const act = useIncidentAct(incident.id);
  const { state } = incident;
  const href = `/backstop/api/v1/incidents/${encodeURIComponent(incident.id)}/export?format=markdown`;
  const over = state === "resolved" || state === "merged";
  return (
    <div className="incident-bar">
      {!over && <AskName act={act} verb="ack" name={t("incident.ack")} />}
      {!over && <AskName act={act} verb="resolve" name={t("incident.resolve")} note={t("incident.resolveNote")} />}
      {state === "resolved" && <AskName act={act} verb="reopen" name={t("incident.reopen")} note={t("act.reason")} />}
      {state !== "merged" && <MergeForm act={act} incident={incident} />}
      <a className="btn" href={href} download={`${incident.id}.md`}>
        {t("incident.export")}
      </a>
      {act.error && <ErrorBox error={act.error} />}
    </div>
  );
}

/** A button that asks for a name, and for a note where one makes sense. */
function AskName(props: { act: Act; verb: "ack" | "resolve" | "reopen"; name: string; note?: string }) {
  const { act, verb, name } = props;
  const [open, setOpen] = useState(false);
  const [note, setNote] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const body = { author: getAuthor(), ...(props.note ? { note } : {}) };
    act.mutate({ verb, body }, { onSettled: () => setOpen(false) });
  };
  return (
    <Popover name={name} label={name} open={open} onOpen={setOpen} align="left">
      <form className="form" onSubmit={submit}>
        <AuthorField />
        {props.note && (
          <label className="field">
            <span>{props.note}</span>
            <textarea className="field-input" value={note} onChange={(event) => setNote(event.target.value)} />
          </label>
        )}
        <Submit name={name} pending={act.isPending} />
      </form>
    </Popover>
  );
}

function MergeForm({ act, incident }: { act: Act; incident: IncidentDetail }) {
  const { t } = useI18n();
  const [open, setOpen] = useState(false);
  const [into, setInto] = useState("");
  const others = (useIncidents("all").data ?? []).filter(({ id, state }) => id !== incident.id && state !== "merged");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const onSuccess = () => navigate(`/incidents/${encodeURIComponent(into)}`);
    act.mutate({ verb: "merge", body: { into, author: getAuthor() } }, { onSuccess, onSettled: () => setOpen(false) });
  };
  return (
    <Popover name={t("incident.merge")} label={t("incident.merge")} open={open} onOpen={setOpen} align="left">
      {others.length === 0 ? (
        <p>{t("incident.mergeNone")}</p>
      ) : (
        <form className="form" onSubmit={submit}>
          <p>{t("incident.mergeHint")}</p>
          <label className="field">
            <span>{t("incident.mergeInto")}</span>
            <select className="field-input" required value={into} onChange={(event) => setInto(event.target.value)}>
              <option value="" />
              {others.map(({ id, title, state }) => (
                <option key={id} value={id}>
                  {`${title} (${t(`incidents.state.${state}`)})`}
                </option>
              ))}
            </select>
          </label>
          <AuthorField />
          <Submit name={t("incident.merge")} pending={act.isPending} />
        </form>
      )}
    </Popover>
  );
}

function Submit({ name, pending }: { name: string; pending: boolean }) {
  return (
    <div className="buttons">
      <button type="submit" className="btn primary" disabled={pending}>
        {name}
      </button>
    </div>
  );
}
