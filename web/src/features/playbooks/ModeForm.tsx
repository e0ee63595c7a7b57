import { type FormEvent, useState } from "react";
import { useSetMode } from "../../api/loopQueries";
import { MODES, type Mode, type Playbook } from "../../api/loopTypes";
import { useI18n } from "../../i18n";
import { Popover } from "../../ui/Popover";
import { ErrorBox } from "../../ui/States";
import { TokenField } from "../../ui/TokenField";
import { offerOf } from "./record";
import "../../ui/forms.css";

/** Sets how far a playbook may go. The one that its record has earned is chosen to begin with. */
export function ModeForm({ playbook }: { playbook: Playbook }) {
  const { t } = useI18n();
  const [open, setOpen] = useState(false);
  const offer = offerOf(playbook);
  const [mode, setMode] = useState<Mode>(offer?.mode ?? playbook.mode);
  const set = useSetMode();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    set.mutate({ name: playbook.name, mode }, { onSuccess: () => setOpen(false) });
  };
  const name = offer ? t("playbooks.accept", { mode: t(`playbooks.mode.${offer.mode}`) }) : t("playbooks.change");
  return (
    <Popover
      name={name}
      label={name}
      open={open}
      onOpen={setOpen}
      align="right"
      className={offer ? "btn primary" : "btn"}
    >
      <form className="form" onSubmit={submit}>
        <label className="field">
          <span>{t("playbooks.mode")}</span>
          <select
            className="field-input"
            value={mode}
            onChange={(event) => setMode(MODES.find((one) => one === event.target.value) ?? mode)}
          >
            {MODES.map((one) => (
              <option key={one} value={one}>
                {t(`playbooks.mode.${one}`)}
              </option>
            ))}
          </select>
        </label>
        <TokenField />
        {set.error && <ErrorBox error={set.error} />}
        <div className="buttons">
          <button type="submit" className="btn primary" disabled={set.isPending || mode === playbook.mode}>
            {t("playbooks.change")}
          </button>
        </div>
      </form>
    </Popover>
  );
}
