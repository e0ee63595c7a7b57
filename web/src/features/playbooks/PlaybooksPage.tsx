import { usePlaybooks } from "../../api/loopQueries";
import type { Playbook } from "../../api/loopTypes";
import { KillControl } from "../../app/KillSwitch";
import { navigate, useSearchText } from "../../app/router";
import { type MessageKey, useI18n } from "../../i18n";
import { Command, Empty, ErrorBox, Loading } from "../../ui/States";
import { Graph } from "./Graph";
import { ModeForm } from "./ModeForm";
import { figuresOf, offerOf } from "./record";
import "./playbooks.css";

export function PlaybooksPage() {
  const { t } = useI18n();
  const { data, error, refetch } = usePlaybooks();
  const shown = new URLSearchParams(useSearchText()).get("show");
  return (
    <div className="page playbooks">
      <div className="page-head">
        <h1>{t("playbooks.title")}</h1>
        <KillControl />
      </div>
      {error ? (
        <ErrorBox error={error} onRetry={() => void refetch()} />
      ) : !data ? (
        <Loading />
      ) : data.length > 0 ? (
        data.map((playbook) => <PlaybookCard key={playbook.name} playbook={playbook} open={shown === playbook.name} />)
      ) : (
        <Empty title={t("playbooks.none.title")}>
          <p>{t("playbooks.none.text")}</p>
          <Command text="backstop serve --playbooks '/etc/backstop/playbooks/*.yaml'" />
        </Empty>
      )}
    </div>
  );
}

function PlaybookCard({ playbook, open }: { playbook: Playbook; open: boolean }) {
  const { t } = useI18n();
  const { name, mode, file, steps } = playbook;
  const toggle = () => navigate(open ? "/playbooks" : `/playbooks?show=${encodeURIComponent(name)}`, { replace: true });
  const offer = offerOf(playbook);
  return (
    <section className="playbook" aria-labelledby={`playbook-${name}`}>
      <header>
        <h2 id={`playbook-${name}`}>{name}</h2>
        <span className={`mode ${mode}`}>{t(`playbooks.mode.${mode}`)}</span>
        {Array.isArray(steps) && <span className="dim">{t("playbooks.steps", { n: steps.length })}</span>}
        {file && <span className="dim mono">{file}</span>}
        <span className="grow" />
        <ModeForm playbook={playbook} />
        <button type="button" className="btn" aria-expanded={open} onClick={toggle}>
          {t("playbooks.graph")}
        </button>
      </header>
      <Record record={playbook.record} />
      {offer && (
        <p className="offer">
          {t("playbooks.offer", { mode: t(`playbooks.mode.${offer.mode}`) })}
          {offer.reason && <span className="dim">{offer.reason}</span>}
        </p>
      )}
      {open && <Graph name={name} />}
    </section>
  );
}

const RECORD_WORDS: Record<string, MessageKey> = {
  decided: "record.decided",
  right: "record.right",
  wrong: "record.wrong",
  unjudged: "record.unjudged",
  approved: "record.approved",
  rejected: "record.rejected",
  expired: "record.expired",
  helped: "record.helped",
  not_helped: "record.not_helped",
  worse: "record.worse",
  unknown: "record.unknown",
};

/** What came of its runs, in figures. */
function Record({ record }: { record: Playbook["record"] }) {
  const { t, number } = useI18n();
  const figures = figuresOf(record);
  if (figures.length === 0) return <p className="dim">{t("playbooks.noRecord")}</p>;
  return (
    <dl className="record" aria-label={t("playbooks.record")}>
      {figures.map(([name, n]) => {
        const word = RECORD_WORDS[name];
        return (
          <div key={name}>
            <dt>{word ? t(word) : name}</dt>
            <dd>{number(n)}</dd>
          </div>
        );
      })}
    </dl>
  );
}
