import { type FormEvent, useState } from "react";
import { useKillSwitch, useSetKillSwitch } from "../api/loopQueries";
import { useI18n } from "../i18n";
import { Icon } from "../ui/Icon";
import { Popover } from "../ui/Popover";
import { ErrorBox } from "../ui/States";
import { TokenField } from "../ui/TokenField";
import "../ui/forms.css";
import "./kill.css";

/** On every page while the switch is engaged: whoever looks must know that nothing will act. */
export function KillBanner() {
  const { t, time } = useI18n();
  const { data } = useKillSwitch();
  if (!data?.engaged) return null;
  return (
    <div className="kill-banner" role="status">
      <Icon name="cross" />
      <b>{t("kill.banner")}</b>
      {data.reason && <span>{data.reason}</span>}
      {data.at && <span className="dim">{t("kill.by", { by: data.by ?? "", time: time(data.at) })}</span>}
    </div>
  );
}

/** The switch itself, in the head of the loop's pages. Absent where the server has none. */
export function KillControl() {
  const { t } = useI18n();
  const { data } = useKillSwitch();
  const [open, setOpen] = useState(false);
  if (!data) return null;
  return (
    <span className="kill-control">
      <Popover
        name={t("kill.title")}
        open={open}
        onOpen={setOpen}
        align="right"
        className={data.engaged ? "btn engaged" : "btn"}
        label={
          <>
            <Icon name={data.engaged ? "cross" : "action"} size={14} />
            {t(data.engaged ? "kill.on" : "kill.off")}
          </>
        }
      >
        <KillForm engaged={data.engaged} onDone={() => setOpen(false)} />
      </Popover>
    </span>
  );
}

function KillForm({ engaged, onDone }: { engaged: boolean; onDone: () => void }) {
  const { t } = useI18n();
  const [reason, setReason] = useState("");
  const set = useSetKillSwitch();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    set.mutate({ engage: !engaged, reason }, { onSuccess: onDone });
  };
  return (
    <form className="form" onSubmit={submit}>
      <p>{t("kill.text")}</p>
      <label className="field">
        <span>{t("act.reason")}</span>
        <input
          className="field-input"
          required={!engaged}
          maxLength={256}
          value={reason}
          onChange={(event) => setReason(event.target.value)}
        />
      </label>
      <TokenField />
      {set.error && <ErrorBox error={set.error} />}
      <div className="buttons">
        <button type="submit" className={engaged ? "btn primary" : "btn danger"} disabled={set.isPending}>
          {t(engaged ? "kill.release" : "kill.engage")}
        </button>
      </div>
    </form>
  );
}
