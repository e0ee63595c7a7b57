import { useMemo } from "react";
import type { FieldValue, Language } from "../../api/types";
import type { SearchState } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";
import { hasClause, luceneClause, negated, toggleClause } from "./lucene";
import { hasFilter, type Mode, toggleFilter } from "./queryText";

/** Filters on one value as part of the query's text. There are none in PromQL and SQL, which say it in ways of their own. */
export interface Filters {
  has: (field: string, value: FieldValue, mode: Mode) => boolean;
  toggle: (field: string, value: FieldValue, mode: Mode) => void;
  /** The query with the filter in it, or out of it again. */
  toggled: (field: string, value: FieldValue, mode: Mode) => string;
}

interface Syntax {
  has: (query: string, field: string, value: FieldValue, mode: Mode) => boolean;
  toggled: (query: string, field: string, value: FieldValue, mode: Mode) => string;
}

const clause = (field: string, value: FieldValue, mode: Mode) =>
  mode === "include" ? luceneClause(field, value) : negated(luceneClause(field, value));

const SYNTAX: Record<Language, Syntax | null> = {
  native: { has: hasFilter, toggled: toggleFilter },
  lucene: {
    has: (query, ...filter) => hasClause(query, clause(...filter)),
    toggled: (query, ...filter) => toggleClause(query, clause(...filter)),
  },
  promql: null,
  sql: null,
};

export function useFilters({ query, language }: SearchState, update: (change: Partial<SearchState>) => void) {
  return useMemo((): Filters | null => {
    const syntax = SYNTAX[language];
    if (!syntax) return null;
    return {
      has: (...filter) => syntax.has(query, ...filter),
      toggled: (...filter) => syntax.toggled(query, ...filter),
      toggle: (...filter) => update({ query: syntax.toggled(query, ...filter), open: [] }),
    };
  }, [query, language, update]);
}

/** Show only, hide: pressed when the query already says so, and pressing again takes it back. */
export function FilterButtons(props: {
  field: string;
  value: FieldValue;
  filters: Filters | null;
  /** What the value is called, where its own text says little. */
  names?: Record<Mode, string>;
}) {
  const { t } = useI18n();
  const { field, value, filters } = props;
  if (!filters) return null;
  const shown = String(typeof value === "object" ? JSON.stringify(value) : value).slice(0, 80);
  return (
    <span className="filter-buttons">
      {(["include", "exclude"] as const).map((mode) => {
        const name = props.names?.[mode] ?? t(`row.${mode}`, { field, value: shown });
        return (
          <button
            key={mode}
            type="button"
            className="icon-btn"
            aria-pressed={filters.has(field, value, mode)}
            aria-label={name}
            title={name}
            onClick={() => filters.toggle(field, value, mode)}
          >
            <Icon name={mode === "include" ? "plus" : "minus"} size={14} />
          </button>
        );
      })}
    </span>
  );
}
