import { memo } from "react";
import type { Row } from "../../api/types";
import { useI18n } from "../../i18n";
import { severityClass } from "../../ui/severity";
import { cellText, lineText, markWords } from "./columns";
import type { Filters } from "./Filters";
import { RowDetail } from "./RowDetail";

/** A closed row shows the start of its line: one message of megabytes must not stop the page. The opened row shows more. */
const LINE_CHARS_MAX = 4_000;

interface Props {
  id: string;
  index: number;
  row: Row;
  columns: string[];
  longRange: boolean;
  words: string[];
  active: boolean;
  open: boolean;
  filters: Filters | null;
  chosen: string[];
  onActive: (index: number) => void;
  onToggle: (id: string) => void;
  onColumn: (field: string) => void;
}

export const LogRow = memo(function LogRow(props: Props) {
  const { t, time } = useI18n();
  const { id, index, row, open } = props;
  const severity = cellText(row.severity);
  const at = String(row._time);
  const shownTime = time(at, 3);
  const line = lineText(row);
  const activate = () => {
    props.onActive(index);
    // Selecting text in a line must not open it.
    if (getSelection()?.isCollapsed !== false) props.onToggle(id);
  };
  return (
    <>
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: Enter does the same from the keyboard */}
      <div
        role="row"
        id={`row-${id}`}
        aria-level={1}
        aria-rowindex={index + 2}
        aria-selected={props.active}
        aria-expanded={open}
        className={`row sev-${severityClass(severity)}`}
        onClick={activate}
      >
        <time role="gridcell" className={props.longRange ? "time long" : "time"} dateTime={at} title={at}>
          {props.longRange ? shownTime : shownTime.slice(11)}
        </time>
        <span role="gridcell" className="severity">
          {severity || t("rows.noSeverity")}
        </span>
        {props.columns.map((name) => (
          <span key={name} role="gridcell" className="cell" title={cellText(row[name])}>
            {cellText(row[name])}
          </span>
        ))}
        <span role="gridcell" className="line">
          {markWords(line.slice(0, LINE_CHARS_MAX), props.words).map((piece, at) =>
            piece.marked ? <mark key={at}>{piece.text}</mark> : piece.text,
          )}
        </span>
      </div>
      {open && <RowDetail row={row} filters={props.filters} chosen={props.chosen} onColumn={props.onColumn} />}
    </>
  );
});
