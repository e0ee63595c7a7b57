import { useState } from "react";
import type { Row } from "../../api/types";
import { Link } from "../../app/router";
import { searchHref } from "../../app/searchUrl";
import { useI18n } from "../../i18n";
import { Icon } from "../../ui/Icon";
import { CopyButton } from "../../ui/States";
import { cellText } from "./columns";
import { FilterButtons, type Filters } from "./Filters";
import { valueFilter } from "./queryText";
import { iso } from "./range";
import { Surroundings } from "./Surroundings";
import { useUrlState } from "./useSearch";

/** Longer values are cut on screen; Copy takes all of it. */
const VALUE_CHARS_MAX = 50_000;
const AROUND_MS = 30_000;

interface Props {
  row: Row;
  filters: Filters | null;
  chosen: string[];
  onColumn: (field: string) => void;
}

/** An opened row: every field one click from a filter, in place rather than in a dialog. */
export function RowDetail(props: Props) {
  const { t } = useI18n();
  const [json, setJson] = useState(false);
  const [state, update] = useUrlState();
  const id = String(props.row._id);
  const around = state.around === id;
  const text = JSON.stringify(props.row, null, 2);
  return (
    <div role="row" aria-level={2} className="detail">
      <div role="gridcell">
        <div className="bar">
          <button type="button" className="btn small" aria-pressed={!json} onClick={() => setJson(false)}>
            {t("row.fields")}
          </button>
          <button type="button" className="btn small" aria-pressed={json} onClick={() => setJson(true)}>
            {t("row.json")}
          </button>
          <CopyButton text={text} label={t("row.copyJson")} />
          <button
            type="button"
            className="btn small"
            aria-pressed={around}
            onClick={() => update({ around: around ? "" : id }, { replace: true })}
          >
            {t("around.show")}
          </button>
          <Link className="btn small" href={aroundHref(props.row)}>
            {t("row.around")}
          </Link>
        </div>
        {around && <Surroundings row={props.row} />}
        {json ? <pre className="json">{text.slice(0, VALUE_CHARS_MAX)}</pre> : <FieldTable {...props} />}
      </div>
    </div>
  );
}

function aroundHref(row: Row): string {
  const at = Date.parse(String(row._time));
  const service = row["service.name"];
  return searchHref({
    query: service == null ? "" : valueFilter("service.name", service),
    from: iso(at - AROUND_MS),
    to: iso(at + AROUND_MS),
    open: [String(row._id)],
  });
}

function FieldTable({ row, filters, chosen, onColumn }: Props) {
  const { t } = useI18n();
  return (
    <table>
      <tbody>
        {Object.entries(row).map(([name, value]) => {
          const isColumn = chosen.includes(name);
          const column = t(isColumn ? "row.uncolumn" : "row.column", { field: name });
          const isOwn = name.startsWith("_");
          return (
            <tr key={name}>
              <td className="buttons">
                {!isOwn && <FilterButtons field={name} value={value} filters={filters} />}
                {!isOwn && name !== "body" && name !== "severity" && (
                  <button
                    type="button"
                    className="icon-btn"
                    aria-pressed={isColumn}
                    aria-label={column}
                    title={column}
                    onClick={() => onColumn(name)}
                  >
                    <Icon name="columns" size={14} />
                  </button>
                )}
              </td>
              <th scope="row">{name}</th>
              <td className="value">{cellText(value).slice(0, VALUE_CHARS_MAX)}</td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}
