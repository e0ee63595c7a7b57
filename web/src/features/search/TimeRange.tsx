import { type FormEvent, useState } from "react";
import type { SearchState } from "../../app/searchUrl";
import { type I18n, useI18n } from "../../i18n";
import { setPrefs } from "../../i18n/prefs";
import { Icon } from "../../ui/Icon";
import { Popover } from "../../ui/Popover";
import { ALL_TIME, iso, PRESETS, parseTime, type Range, relativeSpan, shifted, zoomedOut } from "./range";

interface Props {
  state: SearchState;
  range: Range;
  open: boolean;
  onOpen: (open: boolean) => void;
  onRange: (range: Range) => void;
  onChange: (change: { from: string; to: string }) => void;
}

/** The one time range of the page: presets, absolute times, earlier, later, zoom out. */
export function TimeRange({ state, range, open, onOpen, onRange, onChange }: Props) {
  const i18n = useI18n();
  const { t } = i18n;
  const pick = (from: string, to: string) => {
    onOpen(false);
    onChange({ from, to });
  };
  return (
    <div className="time-range">
      <button
        type="button"
        className="icon-btn"
        aria-label={t("time.earlier")}
        title={t("time.earlier")}
        onClick={() => onRange(shifted(range, -1))}
      >
        <Icon name="left" />
      </button>
      <Popover
        name={t("time.label")}
        open={open}
        onOpen={onOpen}
        label={
          <>
            <Icon name="clock" />
            <span className="ellipsis">{rangeText(state, range, i18n)}</span>
            <span className="dim">{i18n.zone}</span>
          </>
        }
      >
        <Presets state={state} onPick={pick} />
        <RangeForm key={`${state.from} ${state.to}`} state={state} range={range} onPick={pick} />
        <div className="zone">
          <span className="dim">{t("time.zone", { zone: i18n.zone })}</span>
          <button
            type="button"
            className="link-btn"
            onClick={() => setPrefs({ zone: i18n.prefs.zone === "utc" ? "local" : "utc" })}
          >
            {t(i18n.prefs.zone === "utc" ? "time.useLocal" : "time.useUtc")}
          </button>
        </div>
      </Popover>
      <button
        type="button"
        className="icon-btn"
        aria-label={t("time.later")}
        title={t("time.later")}
        onClick={() => onRange(shifted(range, 1))}
      >
        <Icon name="right" />
      </button>
      <button
        type="button"
        className="icon-btn"
        aria-label={t("time.zoomOut")}
        title={t("time.zoomOut")}
        onClick={() => onRange(zoomedOut(range, Date.now()))}
      >
        <Icon name="minus" />
      </button>
    </div>
  );
}

function rangeText({ from, to }: SearchState, range: Range, { t, time, span }: I18n): string {
  const relative = relativeSpan(from);
  if (to === "now" && relative !== null) return t("time.last", { span: span(relative) });
  if (to === "now" && from === ALL_TIME) return t("time.all");
  const [start, end] = [time(range.start), time(range.end)];
  const sameDay = start.slice(0, 10) === end.slice(0, 10);
  return t("time.range", { from: start, to: sameDay ? end.slice(11) : end });
}

function Presets({ state, onPick }: { state: SearchState; onPick: (from: string, to: string) => void }) {
  const { t, span } = useI18n();
  const isCurrent = (from: string) => state.to === "now" && state.from === from;
  return (
    <div className="presets">
      {PRESETS.map((from) => (
        <button
          key={from}
          type="button"
          className="btn"
          aria-pressed={isCurrent(from)}
          onClick={() => onPick(from, "now")}
        >
          {t("time.last", { span: span(relativeSpan(from) ?? 0) })}
        </button>
      ))}
      <button type="button" className="btn" aria-pressed={isCurrent(ALL_TIME)} onClick={() => onPick(ALL_TIME, "now")}>
        {t("time.all")}
      </button>
    </div>
  );
}

function RangeForm(props: { state: SearchState; range: Range; onPick: (from: string, to: string) => void }) {
  const { t, time, prefs } = useI18n();
  const shown = (text: string, at: number) => (relativeSpan(text) !== null || text === "now" ? text : time(at));
  const [from, setFrom] = useState(shown(props.state.from, props.range.start));
  const [to, setTo] = useState(shown(props.state.to, props.range.end));
  const [problem, setProblem] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const now = Date.now();
    const [start, end] = [parseTime(from, now, prefs.zone), parseTime(to, now, prefs.zone)];
    if (start === null || end === null) {
      setProblem(t("time.bad", { text: start === null ? from : to, hint: t("time.hint") }));
    } else if (end < start) {
      setProblem(t("time.order"));
    } else {
      // Absolute times go into the URL with their zone, so that a colleague elsewhere sees the same range.
      const text = (written: string, at: number) => (/^(now|-\d+\w)/.test(written.trim()) ? written.trim() : iso(at));
      props.onPick(text(from, start), text(to, end));
    }
  };
  return (
    <form onSubmit={submit} className="range-form">
      <label>
        <span>{t("time.from")}</span>
        <input className="field-input mono" value={from} onChange={(event) => setFrom(event.target.value)} />
      </label>
      <label>
        <span>{t("time.to")}</span>
        <input className="field-input mono" value={to} onChange={(event) => setTo(event.target.value)} />
      </label>
      <button type="submit" className="btn primary">
        {t("time.apply")}
      </button>
      <p className={problem ? "problem" : "dim"} role={problem ? "alert" : undefined}>
        {problem || t("time.hint")}
      </p>
    </form>
  );
}
