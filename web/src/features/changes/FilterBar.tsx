import { useEffect, useState } from "react";
import { useI18n } from "../../i18n";
import { BADGES, DEFAULT_FROM, type Filter, KINDS, SPANS } from "./filter";

/** Typing is applied when it pauses, so that each letter is not a request and a step of the history. */
const TYPING_MS = 300;

export function FilterBar({ filter, onChange }: { filter: Filter; onChange: (filter: Filter) => void }) {
  const { t, span } = useI18n();
  const [service, setService] = useState(filter.service);
  useEffect(() => setService(filter.service), [filter.service]);
  useEffect(() => {
    if (service === filter.service) return;
    const timer = setTimeout(() => onChange({ ...filter, service }), TYPING_MS);
    return () => clearTimeout(timer);
  }, [service, filter, onChange]);
  const fixed = SPANS.some(([from]) => from === filter.from);
  return (
    <search className="filter-bar" aria-label={t("nav.changes")}>
      <label>
        <span>{t("changes.service")}</span>
        <input
          className="field-input"
          type="search"
          value={service}
          onChange={(event) => setService(event.target.value)}
        />
      </label>
      <label>
        <span>{t("changes.kind")}</span>
        <select
          className="field-input"
          value={filter.kind}
          onChange={(event) => onChange({ ...filter, kind: event.target.value })}
        >
          <option value="">{t("changes.any")}</option>
          {KINDS.map((kind) => (
            <option key={kind} value={kind}>
              {t(`changes.kind.${kind}`)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{t("changes.verdict")}</span>
        <select
          className="field-input"
          value={filter.verdict}
          onChange={(event) => onChange({ ...filter, verdict: event.target.value as Filter["verdict"] })}
        >
          <option value="">{t("changes.any")}</option>
          {BADGES.map((badge) => (
            <option key={badge} value={badge}>
              {t(`verdict.${badge}`)}
            </option>
          ))}
        </select>
      </label>
      <label>
        <span>{t("changes.since")}</span>
        <select
          className="field-input"
          value={filter.from}
          onChange={(event) => onChange({ ...filter, from: event.target.value || DEFAULT_FROM })}
        >
          {SPANS.map(([from, ms]) => (
            <option key={from} value={from}>
              {t("time.last", { span: span(ms) })}
            </option>
          ))}
          {!fixed && <option value={filter.from}>{filter.from}</option>}
        </select>
      </label>
    </search>
  );
}
