import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import type { Row } from "../../api/types";
import { useShortcuts } from "../../app/shortcuts";
import { useI18n } from "../../i18n";
import { VirtualList, type VirtualListHandle } from "../../ui/VirtualList";
import { type Columns, cellText } from "./columns";
import type { Filters } from "./Filters";
import { LogRow } from "./LogRow";

const ROW_PX = 22;

interface Props {
  rows: Row[];
  columns: Columns;
  query: string;
  /** Words to mark in the lines. */
  words: string[];
  longRange: boolean;
  wrap: boolean;
  open: string[];
  footer: React.ReactNode;
  onOpen: (open: string[]) => void;
  filters: Filters | null;
  onColumn: (field: string) => void;
  chosen: string[];
  /** Someone reads: the list has the focus, is scrolled, or is walked through. */
  onReading?: () => void;
  /** Another number: another list, shown from its top. */
  run?: number;
}

/** The result as a grid. Rows are found by j and k, opened by Enter, and stay open while scrolling and re-running. */
export function RowsPanel(props: Props) {
  const { t, number } = useI18n();
  const { rows, columns, open, onOpen, run = 0, onReading } = props;
  const list = useRef<VirtualListHandle>(null);
  const [active, setActive] = useState(-1);
  const openIds = useMemo(() => new Set(open), [open]);
  const idOf = useCallback((index: number) => String(rows[index]?._id ?? index), [rows]);
  const toggle = useCallback(
    (id: string) => onOpen(open.includes(id) ? open.filter((one) => one !== id) : [...open, id]),
    [open, onOpen],
  );
  const move = (to: number) => {
    const index = Math.min(rows.length - 1, Math.max(0, to));
    setActive(index);
    list.current?.scrollTo(index);
    onReading?.();
  };
  useShortcuts({
    next: () => move(active + 1),
    previous: () => move(active - 1),
    expand: () => active >= 0 && columns.isLog && toggle(idOf(active)),
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: another query is another list
  useEffect(() => setActive(-1), [props.query, run]);
  useEffect(() => {
    if (run > 0) list.current?.scrollTo(0);
  }, [run]);

  return (
    <VirtualList
      ref={list}
      className={`rows${props.wrap ? " wrap" : ""}${columns.isLog ? " log" : " table"}`}
      role={columns.isLog ? "treegrid" : "grid"}
      tabIndex={0}
      aria-label={t("rows.label")}
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.names.length + (columns.isLog ? 3 : 0)}
      aria-activedescendant={active >= 0 ? `row-${idOf(active)}` : undefined}
      onFocus={onReading}
      onScroll={(event) => event.currentTarget.scrollTop > ROW_PX && onReading?.()}
      count={rows.length}
      itemKey={idOf}
      estimatedPx={ROW_PX}
      header={<Header columns={columns} longRange={props.longRange} />}
      footer={props.footer}
    >
      {(index) => {
        const row = rows[index] as Row;
        const id = idOf(index);
        const shared = { id, index, active: index === active, onActive: setActive };
        if (!columns.isLog) return <TableRow {...shared} row={row} columns={columns} number={number} />;
        return (
          <LogRow
            {...shared}
            row={row}
            columns={columns.names}
            longRange={props.longRange}
            words={props.words}
            open={openIds.has(id)}
            chosen={props.chosen}
            onToggle={toggle}
            filters={props.filters}
            onColumn={props.onColumn}
          />
        );
      }}
    </VirtualList>
  );
}

function Header({ columns, longRange }: { columns: Columns; longRange: boolean }) {
  const { t, zone } = useI18n();
  return (
    <div role="row" aria-rowindex={1} className="row head">
      {columns.isLog && (
        <>
          <span role="columnheader" className={longRange ? "time long" : "time"}>
            {t("rows.time")} <span className="dim">{zone}</span>
          </span>
          <span role="columnheader" className="severity">
            {t("rows.severity")}
          </span>
        </>
      )}
      {columns.names.map((name) => (
        <span
          key={name}
          role="columnheader"
          className={columns.numeric.has(name) ? "cell num ellipsis" : "cell ellipsis"}
          title={name}
        >
          {name}
        </span>
      ))}
      {columns.isLog && (
        <span role="columnheader" className="line">
          {t("rows.body")}
        </span>
      )}
    </div>
  );
}

interface TableRowProps {
  id: string;
  index: number;
  row: Row;
  columns: Columns;
  active: boolean;
  number: (value: number) => string;
  onActive: (index: number) => void;
}

function TableRow({ id, index, row, columns, active, number, onActive }: TableRowProps) {
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: j and k do the same from the keyboard
    <div
      role="row"
      id={`row-${id}`}
      aria-rowindex={index + 2}
      aria-selected={active}
      className="row"
      onClick={() => onActive(index)}
    >
      {columns.names.map((name) => {
        const value = row[name];
        const numeric = columns.numeric.has(name);
        return (
          <span key={name} role="gridcell" className={numeric ? "cell num" : "cell"} title={cellText(value)}>
            {typeof value === "number" && numeric ? number(value) : cellText(value)}
          </span>
        );
      })}
    </div>
  );
}
