import { useQuery } from "@tanstack/react-query";
import { fetchHistogram, type RangeQuery } from "../../api/queries";
import { iso } from "./range";

const BUCKETS = 60;
/** 50 years / 60^5 is about two seconds. */
const ROUNDS_MAX = 5;
const PRECISE_MS = 1000;

/** When nothing matches in the range: the newest match before its end, found by narrowing a coarse histogram. */
export function useNearest(request: RangeQuery, enabled: boolean) {
  return useQuery({
    queryKey: ["nearest", request],
    enabled,
    queryFn: ({ signal }) => findNearest(request, (range) => fetchHistogram(range, BUCKETS, signal)),
  });
}

type Count = (range: RangeQuery) => Promise<{ step_ms: number; buckets: { time: string; total: number }[] }>;

export async function findNearest({ start: _, end, ...query }: RangeQuery, count: Count): Promise<number | null> {
  let start = 0;
  let stop = Date.parse(end);
  for (let round = 0; round < ROUNDS_MAX && stop - start > PRECISE_MS; round += 1) {
    const { buckets, step_ms } = await count({ ...query, start: iso(start), end: iso(stop) });
    const last = buckets.findLast(({ total }) => total > 0);
    if (!last) return round === 0 ? null : stop;
    start = Math.max(start, Date.parse(last.time));
    stop = Math.min(stop, Date.parse(last.time) + step_ms);
  }
  return stop;
}
