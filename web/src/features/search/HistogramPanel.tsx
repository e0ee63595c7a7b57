import { isBadQuery, isUnsupported, useLastGood } from "../../api/lastGood";
import { type RangeQuery, useChanges, useHistogram } from "../../api/queries";
import type { Row } from "../../api/types";
import { ErrorBox, Loading, NotHere } from "../../ui/States";
import { TimeChart } from "../../ui/TimeChart/TimeChart";
import { filterRequest } from "./queryText";
import type { Range } from "./range";

export const HISTOGRAM_BUCKETS = 60;
const HEIGHT_PX = 92;

interface Props {
  request: RangeQuery;
  rows: Row[];
  onRange: (range: Range) => void;
  onZoomOut: () => void;
}

/** Counts come from their own aggregate, never from the loaded rows; if they fail, the rows are still there. */
export function HistogramPanel({ request, rows, onRange, onZoomOut }: Props) {
  const histogram = useHistogram(filterRequest(request), HISTOGRAM_BUCKETS);
  const changes = useChanges(request);
  const data = useLastGood(histogram);
  return (
    <div className="histogram-panel" aria-busy={histogram.isFetching}>
      {data ? (
        <TimeChart
          histogram={data}
          changes={changes.data ?? []}
          height={HEIGHT_PX}
          covered={coveredBy(rows)}
          onZoom={(start, end) => onRange({ start, end })}
          onZoomOut={onZoomOut}
        />
      ) : isBadQuery(histogram.error) ? null : isUnsupported(histogram.error) ? (
        <NotHere error={histogram.error} />
      ) : histogram.error ? (
        <ErrorBox error={histogram.error} onRetry={() => void histogram.refetch()} />
      ) : (
        <Loading />
      )}
    </div>
  );
}

function coveredBy(rows: Row[]): Range | undefined {
  const times = [rows[0]?._time, rows.at(-1)?._time].map((time) => Date.parse(String(time)));
  const [start, end] = [Math.min(...times), Math.max(...times)];
  return Number.isNaN(start) || Number.isNaN(end) ? undefined : { start, end };
}
