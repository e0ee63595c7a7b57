import { useState } from "react";
import { useContextRows } from "../../api/queries";
import type { Row } from "../../api/types";
import { useI18n } from "../../i18n";
import { ErrorBox, Loading } from "../../ui/States";
import { severityClass } from "../../ui/severity";
import { cellText, lineText } from "./columns";
import { placeOf, sidesOf } from "./surroundings";
import "./surroundings.css";

const STEP = 10;
/** To each side. Whoever needs more looks at the range of time instead. */
const SIDE_MAX = 500;
const LINE_CHARS_MAX = 1_000;

/** What the same stream said before and after one row, in the order in which it was said. */
export function Surroundings({ row }: { row: Row }) {
  const { t } = useI18n();
  const [size, setSize] = useState({ before: STEP, after: STEP });
  const context = useContextRows(row, size);
  const rows = context.data ?? [];
  const found = sidesOf(rows);
  const more = (side: "before" | "after") =>
    found[side] >= size[side] && size[side] < SIDE_MAX ? (
      <button
        type="button"
        className="btn small"
        disabled={context.isFetching}
        onClick={() => setSize({ ...size, [side]: Math.min(SIDE_MAX, size[side] + STEP) })}
      >
        {t(`around.more.${side}`, { n: STEP })}
      </button>
    ) : (
      <p className="dim">{t(found[side] < size[side] ? `around.end.${side}` : "around.limit")}</p>
    );
  return (
    <section className="surroundings" aria-label={t("around.label")} aria-busy={context.isFetching}>
      {context.error ? <ErrorBox error={context.error} onRetry={() => void context.refetch()} /> : null}
      {context.isLoading && <Loading />}
      {context.data && (
        <>
          {more("before")}
          <ol>
            {rows.map((one, index) => (
              <Line key={String(one._id ?? index)} row={one} />
            ))}
          </ol>
          {more("after")}
        </>
      )}
    </section>
  );
}

function Line({ row }: { row: Row }) {
  const { t, time } = useI18n();
  const isThis = placeOf(row) === "match";
  const severity = cellText(row.severity);
  const at = String(row._time);
  return (
    <li
      className={`sev-${severityClass(severity)}${isThis ? " match" : ""}`}
      aria-current={isThis ? "true" : undefined}
    >
      <time className="time" dateTime={at} title={at}>
        {time(at, 3).slice(11)}
      </time>
      <span className="severity">{severity || t("rows.noSeverity")}</span>
      <span className="line">
        {isThis && <b className="this">{t("around.this")}</b>}
        {lineText(row).slice(0, LINE_CHARS_MAX)}
      </span>
    </li>
  );
}
