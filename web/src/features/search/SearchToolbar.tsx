import { type RefObject, useEffect, useState } from "react";
import { LANGUAGES_OF_QUERIES, type Language } from "../../api/types";
import { type SearchState, searchHref } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import type { CodeFieldHandle } from "../../ui/CodeField/CodeField";
import { Icon } from "../../ui/Icon";
import { copyText } from "../../ui/States";
import { ExportMenu } from "./ExportMenu";
import { QueryBar } from "./QueryBar";
import { iso } from "./range";
import { SavedViews } from "./SavedViews";
import { SyntaxCard } from "./SyntaxCard";
import { TimeRange } from "./TimeRange";
import type { Search } from "./useSearch";

interface Props {
  search: Search;
  field: RefObject<CodeFieldHandle | null>;
  running: boolean;
  onCancel: () => void;
  timeOpen: boolean;
  onTimeOpen: (open: boolean) => void;
}

export function SearchToolbar({ search, field, running, onCancel, timeOpen, onTimeOpen }: Props) {
  const { t } = useI18n();
  const { state, range, update, rerun } = search;
  const [draft, setDraft] = useDraft(state);
  const slow = useLasting(running);
  const run = ({ text, language }: Draft) => {
    setDraft({ text, language });
    if (text.trim() === state.query && language === state.language) rerun();
    else update({ query: text.trim(), language, open: [] });
  };
  return (
    <div className="toolbar" role="search">
      <LanguagePicker value={draft.language} onChange={(language) => setDraft({ ...draft, language })} />
      <QueryBar
        range={search.request}
        ref={field}
        language={draft.language}
        draft={draft.text}
        onDraft={(text) => setDraft({ ...draft, text })}
        onRun={() => run(draft)}
      />
      <SyntaxCard onTry={(text) => run({ text, language: "native" })} />
      <TimeRange
        state={state}
        range={range}
        open={timeOpen}
        onOpen={onTimeOpen}
        onRange={search.setRange}
        onChange={update}
      />
      {slow ? (
        <button type="button" className="btn run" onClick={onCancel}>
          {t("query.cancel")}
        </button>
      ) : (
        <button type="button" className="btn primary run" onClick={() => run(draft)}>
          {t("query.run")}
        </button>
      )}
      <CopyLink search={search} />
      <SavedViews state={state} />
      <ExportMenu request={search.request} />
    </div>
  );
}

const CANCEL_AFTER_MS = 400;

/** True once `running` has lasted: a button that changes for a tenth of a second is noise. */
function useLasting(running: boolean): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!running) return setLasting(false);
    const timer = setTimeout(() => setLasting(true), CANCEL_AFTER_MS);
    return () => clearTimeout(timer);
  }, [running]);
  return lasting && running;
}

interface Draft {
  text: string;
  language: Language;
}

/** What is typed and chosen but not yet run. It follows the URL: Back, a filter button or a link replace it. */
function useDraft({ query, language }: SearchState): [Draft, (draft: Draft) => void] {
  const [draft, setDraft] = useState({ query, ran: language, text: query, language });
  if (draft.query !== query || draft.ran !== language) setDraft({ query, ran: language, text: query, language });
  return [draft, ({ text, language: chosen }) => setDraft({ query, ran: language, text, language: chosen })];
}

function LanguagePicker({ value, onChange }: { value: Language; onChange: (language: Language) => void }) {
  const { t } = useI18n();
  return (
    <select
      className="field-input language"
      aria-label={t("language.label")}
      title={t("language.label")}
      value={value}
      onChange={(event) => onChange(event.target.value as Language)}
    >
      {LANGUAGES_OF_QUERIES.map((language) => (
        <option key={language} value={language}>
          {t(`language.${language}`)}
        </option>
      ))}
    </select>
  );
}

/** A link that shows a colleague the same rows tomorrow: relative times become the ones of this run. */
function CopyLink({ search }: { search: Search }) {
  const { t } = useI18n();
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    const href = searchHref({ ...search.state, from: iso(search.range.start), to: iso(search.range.end) });
    setCopied(await copyText(location.origin + href));
    setTimeout(() => setCopied(false), 1500);
  };
  return (
    <button
      type="button"
      className="icon-btn"
      title={t("time.pinHint")}
      aria-label={t("time.pin")}
      onClick={() => void copy()}
    >
      <Icon name={copied ? "verify" : "link"} />
    </button>
  );
}
