import { type PointerEvent, useLayoutEffect, useRef, useState } from "react";
import type { Change, Histogram } from "../../api/types";
import { type I18n, useI18n } from "../../i18n";
import { bySeverityClass, SEVERITY_ORDER } from "../severity";
import { ChartReadout } from "./ChartReadout";
import { niceCeil, ticks } from "./scale";
import { useSelection } from "./selection";
import "./timechart.css";

const AXIS_PX = 18;
const TOP_PX = 8;
const TICK_PX = 96;

interface Props {
  histogram: Histogram;
  changes: Change[];
  height: number;
  /** Shaded: the part of the range that the loaded rows cover. */
  covered?: { start: number; end: number } | undefined;
  onZoom?: ((start: number, end: number) => void) | undefined;
  onZoomOut?: (() => void) | undefined;
}

/** Rows over time, stacked by severity, with the changes of the services in it. */
export function TimeChart({ histogram, changes, height, covered, onZoom, onZoomOut }: Props) {
  const i18n = useI18n();
  const { t } = i18n;
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const { buckets, step_ms: step } = histogram;
  const start = Date.parse(histogram.start);
  const end = Math.max(Date.parse(histogram.end), start + 1);
  const x = (at: number) => ((Math.min(end, Math.max(start, at)) - start) / (end - start)) * width;
  const times = buckets.map(({ time }) => Date.parse(time));
  const barAt = (event: PointerEvent<Element>) => {
    const left = event.clientX - event.currentTarget.getBoundingClientRect().left;
    const at = start + (left / Math.max(1, width)) * (end - start);
    const index = times.findLastIndex((time) => time <= at);
    return Math.min(buckets.length - 1, Math.max(0, index));
  };
  const edges = (first: number, last: number): [number, number] => [
    Math.max(start, times[first] ?? start),
    Math.min(end, (times[last] ?? end) + step),
  ];
  const selection = useSelection({
    bars: buckets.length,
    barAt,
    onZoom: onZoom && ((first, last) => onZoom(...edges(first, last))),
    onZoomOut,
  });
  const top = niceCeil(Math.max(0, ...buckets.map(({ total }) => total)));
  const plot = height - AXIS_PX - TOP_PX;
  const chosen = selection.selected && edges(...selection.selected);
  const value = valueText(i18n, histogram, selection.cursor, chosen);
  return (
    <div className="time-chart">
      <ChartReadout histogram={histogram} changes={changes} cursor={selection.cursor} />
      {/* A slider, because that is what the arrow keys do: they move one position along the time axis. */}
      <div
        ref={box}
        className="plot"
        role="slider"
        tabIndex={0}
        aria-label={t("chart.label")}
        aria-description={t("chart.keys")}
        aria-valuemin={0}
        aria-valuemax={Math.max(0, buckets.length - 1)}
        aria-valuenow={selection.cursor ?? 0}
        aria-valuetext={value}
        onKeyDown={selection.onKeyDown}
        onBlur={selection.clear}
      >
        <svg width={width} height={height} aria-hidden="true" {...selection.pointer}>
          <rect className="hit" width={width} height={height} />
          {covered && (
            <rect
              className="covered"
              x={x(covered.start)}
              width={x(covered.end) - x(covered.start)}
              y={height - AXIS_PX}
              height={3}
            />
          )}
          <line className="grid" x1={0} x2={width} y1={TOP_PX} y2={TOP_PX} />
          <line className="axis" x1={0} x2={width} y1={height - AXIS_PX} y2={height - AXIS_PX} />
          {buckets.map((bucket, index) => (
            <Bar
              key={bucket.time}
              counts={bucket.by_severity}
              active={index === selection.cursor}
              left={x(times[index] as number)}
              right={x((times[index] as number) + step)}
              base={height - AXIS_PX}
              scale={plot / top}
            />
          ))}
          {chosen && (
            <rect className="chosen" x={x(chosen[0])} width={x(chosen[1]) - x(chosen[0])} y={TOP_PX} height={plot} />
          )}
          {changes.map((change) => (
            <ChangeMark key={change.id} at={x(Date.parse(change.started_at))} base={height - AXIS_PX} />
          ))}
          {ticks(start, end, Math.max(1, Math.floor(width / TICK_PX)), i18n.prefs.zone).map(({ at, label }) => (
            <text key={at} className="tick" x={Math.min(width - 20, Math.max(16, x(at)))} y={height - 4}>
              {label}
            </text>
          ))}
          <text className="tick top" x={2} y={TOP_PX + 10}>
            {i18n.number(top)}
          </text>
        </svg>
      </div>
    </div>
  );
}

function valueText(
  { t, number, time, span }: I18n,
  histogram: Histogram,
  cursor: number | null,
  chosen: [number, number] | null,
) {
  const { buckets, total, step_ms } = histogram;
  if (chosen) return t("chart.selected", { from: time(chosen[0]), to: time(chosen[1]) });
  const bucket = cursor === null ? undefined : buckets[cursor];
  if (bucket) return t("chart.bar", { time: time(bucket.time), step: span(step_ms), rows: bucket.total });
  const peak = buckets.reduce((a, b) => (b.total > a.total ? b : a), buckets[0] ?? { total: 0, time: "" });
  if (peak.total === 0) return t("chart.none");
  return t("chart.summary", {
    total,
    buckets: buckets.length,
    step: span(step_ms),
    peak: number(peak.total),
    time: time(peak.time),
  });
}

function Bar(props: {
  counts: Record<string, number>;
  active: boolean;
  left: number;
  right: number;
  base: number;
  scale: number;
}) {
  const sums = bySeverityClass(props.counts);
  const width = Math.max(1, props.right - props.left - 1);
  let y = props.base;
  return (
    <g className={props.active ? "bar active" : "bar"}>
      {SEVERITY_ORDER.filter((severity) => sums[severity] > 0).map((severity) => {
        // One row in a bar of thousands is still drawn: a lone error must not vanish.
        const height = Math.max(1, sums[severity] * props.scale);
        y -= height;
        return <rect key={severity} className={`sev-${severity}`} x={props.left} y={y} width={width} height={height} />;
      })}
    </g>
  );
}

function ChangeMark({ at, base }: { at: number; base: number }) {
  return (
    <g className="change-mark">
      <line x1={at} x2={at} y1={4} y2={base} />
      <path d={`M${at} 0l4 4-4 4-4-4Z`} />
    </g>
  );
}

function useWidth(box: React.RefObject<HTMLDivElement | null>): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    setWidth(element.clientWidth);
    return () => observer.disconnect();
  }, [box]);
  return width;
}
