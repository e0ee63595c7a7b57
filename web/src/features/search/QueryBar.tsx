import { useQuery } from "@tanstack/react-query";
import { type Ref, useEffect, useMemo, useState } from "react";
import { diagnose } from "../../api/queries";
import type { Diagnosis, Language } from "../../api/types";
import { useI18n } from "../../i18n";
import { CodeField, type CodeFieldHandle } from "../../ui/CodeField/CodeField";
import { Icon } from "../../ui/Icon";
import { complete } from "./complete";

const DIAGNOSE_AFTER_MS = 100;
/** Words under the bar wait until the typing pauses: half a query is always wrong. */
const PROBLEMS_AFTER_MS = 700;

interface Props {
  range: { start: string; end: string };
  language: Language;
  draft: string;
  onDraft: (text: string) => void;
  onRun: () => void;
  ref: Ref<CodeFieldHandle>;
}

/** The query, with colours, squiggles and completions from the server's parser: the only one there is. */
export function QueryBar({ range, language, draft, onDraft, onRun, ref }: Props) {
  const { t } = useI18n();
  const diagnosed = useDiagnosis(draft, language);
  return (
    <div className="query-bar">
      <Icon name="search" />
      <CodeField
        ref={ref}
        text={draft}
        label={t("query.label")}
        completionsLabel={t("query.completions")}
        placeholder={t(language === "native" ? "query.placeholder" : `query.placeholder.${language}`)}
        diagnosis={diagnosed}
        onChange={onDraft}
        onSubmit={onRun}
        complete={(text, cursor) => (language === "native" ? complete(text, cursor, range) : Promise.resolve([]))}
      />
      {diagnosed?.text === draft && <Problems key={draft} diagnosis={diagnosed.diagnosis} />}
    </div>
  );
}

/** PromQL is checked when it runs; its text has no marks. */
const NO_MARKS: Diagnosis = { diagnostics: [] };

function useDiagnosis(draft: string, language: Language): { text: string; diagnosis: Diagnosis } | null {
  const settled = useSettled(draft, DIAGNOSE_AFTER_MS);
  const checked = language !== "promql";
  const { data } = useQuery({
    queryKey: ["diagnose", language, settled],
    queryFn: async ({ signal }) => ({ text: settled, diagnosis: await checkedBy(language, settled, signal) }),
    enabled: checked && settled !== "",
    staleTime: Number.POSITIVE_INFINITY,
  });
  const unmarked = useMemo(() => ({ text: draft, diagnosis: NO_MARKS }), [draft]);
  return checked ? (data ?? null) : unmarked;
}

/** The colours are those of the native language; of Lucene's and SQL's text only what is wrong is marked. */
async function checkedBy(language: Language, text: string, signal: AbortSignal): Promise<Diagnosis> {
  const diagnosis = await diagnose(text, undefined, signal, language);
  return language === "native" ? diagnosis : { diagnostics: diagnosis.diagnostics };
}

function useSettled(text: string, ms: number): string {
  const [settled, setSettled] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(text), ms);
    return () => clearTimeout(timer);
  }, [text, ms]);
  return settled;
}

function Problems({ diagnosis }: { diagnosis: Diagnosis }) {
  const { t } = useI18n();
  const [shown, setShown] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), PROBLEMS_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!shown || diagnosis.diagnostics.length === 0) return null;
  return (
    <ul className="problems" aria-label={t("query.problems")} aria-live="polite">
      {diagnosis.diagnostics.map(({ severity, message, hint }, index) => (
        <li key={index} className={severity}>
          <b>{message}</b>
          {hint && <span className="dim"> {hint}</span>}
        </li>
      ))}
    </ul>
  );
}
