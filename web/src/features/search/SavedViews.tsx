import { type FormEvent, useRef, useState } from "react";
import { isConflict, isForbidden, useSaveView, useViews, VIEW_NAME_CHARS_MAX } from "../../api/views";
import type { SearchState } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";
import { Popover } from "../../ui/Popover";
import { ErrorBox, Loading } from "../../ui/States";
import { TokenField } from "../../ui/TokenField";
import { ViewItem } from "./ViewItem";
import { bodyOf, sameName, sorted } from "./views";
import "../../ui/forms.css";
import "./views.css";

/** Searches kept under a name: the query, its language, the range as written, and the columns. */
export function SavedViews({ state }: { state: SearchState }) {
  const { t } = useI18n();
  const [open, setOpen] = useState(false);
  return (
    <Popover name={t("views.title")} className="icon-btn" open={open} onOpen={setOpen} label={<Icon name="bookmark" />}>
      <Views state={state} onDone={() => setOpen(false)} />
    </Popover>
  );
}

function Views({ state, onDone }: { state: SearchState; onDone: () => void }) {
  const { t, prefs } = useI18n();
  const views = useViews(true);
  const list = useRef<HTMLUListElement>(null);
  const all = sorted(views.data ?? [], prefs.lang);
  return (
    <div className="views">
      <h2>{t("views.title")}</h2>
      <SaveForm state={state} idOf={(name) => all.find((view) => sameName(view.name, name))?.id} />
      {views.error ? <ErrorBox error={views.error} onRetry={() => void views.refetch()} /> : null}
      {views.isLoading && <Loading />}
      {views.data && all.length === 0 && <p className="dim">{t("views.none")}</p>}
      <ul ref={list} tabIndex={-1} aria-label={t("views.title")}>
        {all.map((view) => (
          <ViewItem
            // A renamed view has another id, and is the same one.
            key={`${view.owner} ${view.created_at}`}
            view={view}
            state={state}
            onOpen={onDone}
            // The button that had the focus is gone with its view.
            onDeleted={() => list.current?.focus()}
          />
        ))}
      </ul>
    </div>
  );
}

/** A new view of the search on screen. A name that is taken may be taken over. */
function SaveForm({ state, idOf }: { state: SearchState; idOf: (name: string) => string | undefined }) {
  const { t } = useI18n();
  const save = useSaveView();
  const [name, setName] = useState("");
  const taken = isConflict(save.error) ? idOf(name.trim()) : undefined;
  const send = (id?: string) =>
    save.mutate({ ...(id === undefined ? {} : { id }), body: bodyOf(state, name) }, { onSuccess: () => setName("") });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send();
  };
  return (
    <form className="form" onSubmit={submit}>
      <label className="field">
        <span>{t("views.name")}</span>
        <span className="views-save">
          <input
            className="field-input"
            required
            maxLength={VIEW_NAME_CHARS_MAX}
            value={name}
            onChange={(event) => {
              setName(event.target.value);
              save.reset();
            }}
          />
          <button type="submit" className="btn primary" disabled={save.isPending || name.trim() === ""}>
            {t("views.save")}
          </button>
        </span>
      </label>
      <p role="status" className="dim">
        {save.isSuccess && name === "" ? t("views.saved") : ""}
      </p>
      {save.error ? <ErrorBox error={save.error} /> : null}
      {isForbidden(save.error) && <TokenField />}
      {taken !== undefined && (
        <button type="button" className="btn" disabled={save.isPending} onClick={() => send(taken)}>
          {t("views.overwrite", { name: name.trim() })}
        </button>
      )}
    </form>
  );
}
