import { useQuery } from "@tanstack/react-query";
import { type Ref, useEffect, useState } from "react";
import { diagnose } from "../../api/queries";
import type { Diagnosis } from "../../api/types";
import { useI18n } from "../../i18n";
import { CodeField, type CodeFieldHandle } from "../../ui/CodeField/CodeField";
import { Icon } from "../../ui/Icon";
import { complete } from "./complete";

const DIAGNOSE_AFTER_MS = 100;
/** Words under the bar wait until the typing pauses: half a query is always wrong. */
const PROBLEMS_AFTER_MS = 700;

interface Props {
  range: { start: string; end: string };
  draft: string;
  onDraft: (text: string) => void;
  onRun: () => void;
  ref: Ref<CodeFieldHandle>;
}

/** The query, with colours, squiggles and completions from the server's parser: the only one there is. */
export function QueryBar({ range, draft, onDraft, onRun, ref }: Props) {
  const { t } = useI18n();
  const diagnosed = useDiagnosis(draft);
  return (
    <div className="query-bar">
      <Icon name="search" />
      <CodeField
        ref={ref}
        text={draft}
        label={t("query.label")}
        completionsLabel={t("query.completions")}
        placeholder={t("query.placeholder")}
        diagnosis={diagnosed}
        onChange={onDraft}
        onSubmit={onRun}
        complete={(text, cursor) => complete(text, cursor, range)}
      />
      {diagnosed?.text === draft && <Problems key={draft} diagnosis={diagnosed.diagnosis} />}
    </div>
  );
}

function useDiagnosis(draft: string): { text: string; diagnosis: Diagnosis } | null {
  const settled = useSettled(draft, DIAGNOSE_AFTER_MS);
  const { data } = useQuery({
    queryKey: ["diagnose", settled],
    queryFn: async ({ signal }) => ({ text: settled, diagnosis: await diagnose(settled, undefined, signal) }),
    enabled: settled !== "",
    staleTime: Number.POSITIVE_INFINITY,
  });
  return data ?? null;
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
