import { type ReactNode, useCallback, useMemo } from "react";
import { type MessageKey, useI18n } from "../../i18n";
import { StateMark } from "../../ui/Marks";
import { Empty, ErrorBox } from "../../ui/States";
import { columnsOf } from "./columns";
import type { RowActions } from "./Result";
import { RowsPanel } from "./RowsPanel";
import type { TailState } from "./tail";
import type { Search } from "./useSearch";
import { useTail } from "./useTail";
import "./tail.css";

/** The rows that match from now on, as they arrive. Whoever reads one is not disturbed by the next. */
export function TailPanel({ search, actions, choice }: { search: Search; actions: RowActions; choice: ReactNode }) {
  const { t } = useI18n();
  const { state } = search;
  const { state: tail, dispatch, restart } = useTail(state.query, state.language);
  const columns = useMemo(() => columnsOf(tail.rows, state.columns), [tail.rows, state.columns]);
  const pause = useCallback(() => dispatch({ type: "pause" }), [dispatch]);
  const resume = useCallback(() => dispatch({ type: "resume" }), [dispatch]);
  return (
    <section className="rows-panel" aria-label={t("rows.label")}>
      <div className="result-bar">
        {choice}
        <TailBar tail={tail} onPause={pause} onResume={resume} />
      </div>
      {tail.error ? <ErrorBox error={tail.error} onRetry={restart} /> : null}
      {tail.rows.length > 0 ? (
        <RowsPanel
          rows={tail.rows}
          columns={columns}
          query={state.query}
          longRange={false}
          wrap={state.wrap}
          open={state.open}
          chosen={state.columns}
          {...actions}
          onReading={pause}
          run={tail.resumes}
          footer={null}
        />
      ) : (
        tail.status !== "ended" && (
          <Empty title={t("tail.waiting")}>
            <p>{t("tail.hint")}</p>
          </Empty>
        )
      )}
    </section>
  );
}

const MARKS: Record<string, { state: string; label: MessageKey }> = {
  connecting: { state: "watching", label: "tail.connecting" },
  live: { state: "live", label: "tail.live" },
  paused: { state: "paused", label: "tail.paused" },
  lost: { state: "err", label: "tail.lost" },
  ended: { state: "none", label: "tail.ended" },
};

function TailBar(props: { tail: TailState; onPause: () => void; onResume: () => void }) {
  const { t } = useI18n();
  const { tail } = props;
  const mark = MARKS[tail.status === "live" && tail.paused ? "paused" : tail.status] ?? MARKS.live;
  const shown = tail.rows.length;
  return (
    <div className="completeness tail-bar">
      {/* Only the state is announced: counts that change several times a second would drown everything else. */}
      <span role="status">{mark && <StateMark state={mark.state} label={t(mark.label)} />}</span>
      <p>
        {tail.shownCount > 0 && (
          <b>
            {tail.shownCount > shown
              ? t("tail.kept", { n: shown, of: tail.shownCount })
              : t("tail.rows", { n: tail.shownCount })}
          </b>
        )}
        {tail.sampled > 1 && <span className="partial">{t("tail.sampled", { sampled: tail.sampled })}</span>}
        {tail.leftOut > 0 && <span className="partial">{t("tail.leftOut", { n: tail.leftOut })}</span>}
      </p>
      {tail.paused ? (
        <button type="button" className="btn small primary" onClick={props.onResume}>
          {tail.heldCount > 0 ? t("tail.resumeNew", { n: tail.heldCount }) : t("tail.resume")}
        </button>
      ) : (
        tail.status !== "ended" && (
          <button type="button" className="btn small" onClick={props.onPause}>
            {t("tail.pause")}
          </button>
        )
      )}
    </div>
  );
}
