import { type FormEvent, useRef, useState } from "react";
import { isForbidden, type SavedView, useDeleteView, useSaveView, VIEW_NAME_CHARS_MAX } from "../../api/views";
import { Link } from "../../app/router";
import type { SearchState } from "../../app/searchUrl";
import { type MessageKey, useI18n } from "../../i18n";
import { Icon, type IconName } from "../../ui/Icon";
import { copyText, ErrorBox } from "../../ui/States";
import { TokenField } from "../../ui/TokenField";
import { bodyOf, isShown, viewHref } from "./views";

type Doing = "nothing" | "rename" | "overwrite" | "delete";
const ACTS: { act: "rename" | "overwrite" | "delete"; icon: IconName }[] = [
  { act: "rename", icon: "edit" },
  { act: "overwrite", icon: "save" },
  { act: "delete", icon: "trash" },
];
const COPIED_MS = 1500;

/** One saved view: its link, and what can be done to it. What cannot be undone is asked for once more. */
export function ViewItem(props: { view: SavedView; state: SearchState; onOpen: () => void; onDeleted: () => void }) {
  const { t, time } = useI18n();
  const { view, state } = props;
  const { name } = view;
  const [doing, setDoing] = useState<Doing>("nothing");
  const save = useSaveView();
  const remove = useDeleteView();
  const buttons = useRef<Partial<Record<Doing, HTMLButtonElement | null>>>({});
  // The form that had the focus goes, so the focus goes back to where it was opened.
  const close = () => {
    buttons.current[doing]?.focus();
    setDoing("nothing");
  };
  const done = { onSuccess: close };
  const error = save.error ?? remove.error;
  return (
    <li className="view">
      <div className="view-head">
        <Link
          href={viewHref(view)}
          className="ellipsis"
          aria-current={isShown(view, state) ? "true" : undefined}
          onClick={props.onOpen}
        >
          {name}
        </Link>
        <CopyLink view={view} />
        {ACTS.map(({ act, icon }) => (
          <button
            key={act}
            ref={(button) => {
              buttons.current[act] = button;
            }}
            type="button"
            className="icon-btn"
            aria-label={t(`views.${act}`, { name })}
            title={t(`views.${act}`, { name })}
            aria-expanded={doing === act}
            onClick={() => setDoing(doing === act ? "nothing" : act)}
          >
            <Icon name={icon} size={14} />
          </button>
        ))}
      </div>
      <p className="dim ellipsis mono" title={view.query}>
        {view.query || "*"}
      </p>
      <p className="dim">
        {[t(`language.${view.language}`), view.owner, time(view.updated_at)].filter(Boolean).join(" \u00b7 ")}
      </p>
      {doing === "rename" && (
        <RenameForm
          name={name}
          busy={save.isPending}
          onName={(newName) => save.mutate({ id: view.id, body: { ...bodyOfView(view), name: newName } }, done)}
          onKeep={close}
        />
      )}
      {doing === "overwrite" && (
        <Confirm
          question="views.overwriteAsk"
          act="views.overwriteDo"
          name={name}
          busy={save.isPending}
          onAct={() => save.mutate({ id: view.id, body: bodyOf(state, name) }, done)}
          onKeep={close}
        />
      )}
      {doing === "delete" && (
        <Confirm
          question="views.deleteAsk"
          act="views.deleteDo"
          name={name}
          busy={remove.isPending}
          onAct={() => remove.mutate(view.id, { onSuccess: props.onDeleted })}
          onKeep={close}
        />
      )}
      {error && doing !== "nothing" ? <ErrorBox error={error} /> : null}
      {isForbidden(error) && doing !== "nothing" && <TokenField />}
    </li>
  );
}

const bodyOfView = ({ name, query, language, range, columns }: SavedView) => ({
  name,
  query,
  language,
  range,
  columns,
});

function CopyLink({ view }: { view: SavedView }) {
  const { t } = useI18n();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    setCopied(await copyText(location.origin + viewHref(view)));
    setTimeout(() => setCopied(false), COPIED_MS);
  };
  const label = t("views.copy", { name: view.name });
  return (
    <>
      <button type="button" className="icon-btn" aria-label={label} title={label} onClick={() => void copy()}>
        <Icon name={copied ? "verify" : "link"} size={14} />
      </button>
      <span role="status" className="sr-only">
        {copied ? t("time.copied") : ""}
      </span>
    </>
  );
}

function RenameForm(props: { name: string; busy: boolean; onName: (name: string) => void; onKeep: () => void }) {
  const { t } = useI18n();
  const [name, setName] = useState(props.name);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    props.onName(name.trim());
  };
  return (
    <form className="form" onSubmit={submit}>
      <input
        className="field-input"
        aria-label={t("views.newName", { name: props.name })}
        // biome-ignore lint/a11y/noAutofocus: the field takes the place of the button that was pressed
        autoFocus
        required
        maxLength={VIEW_NAME_CHARS_MAX}
        value={name}
        onChange={(event) => setName(event.target.value)}
      />
      <div className="buttons">
        <button type="submit" className="btn small" disabled={props.busy || name.trim() === ""}>
          {t("views.renameDo")}
        </button>
        <button type="button" className="btn small" onClick={props.onKeep}>
          {t("views.keep")}
        </button>
      </div>
    </form>
  );
}

function Confirm(props: {
  question: MessageKey;
  act: MessageKey;
  name: string;
  busy: boolean;
  onAct: () => void;
  onKeep: () => void;
}) {
  const { t } = useI18n();
  const question = t(props.question, { name: props.name });
  return (
    <fieldset className="confirm" aria-label={question}>
      <p>{question}</p>
      {/* biome-ignore lint/a11y/noAutofocus: the safe answer is the one that Enter gives */}
      <button type="button" className="btn small" autoFocus onClick={props.onKeep}>
        {t("views.keep")}
      </button>
      <button type="button" className="btn small" disabled={props.busy} onClick={props.onAct}>
        {t(props.act)}
      </button>
    </fieldset>
  );
}
