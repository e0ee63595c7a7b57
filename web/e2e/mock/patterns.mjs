// Templates of lines, as far as the mock's own lines need them: numbers, addresses and paths are the changing parts.
import { createHash } from "node:crypto";

const known = new WeakMap();

export function patternOf(row) {
  let found = known.get(row);
  if (!found) {
    const template = String(row.body ?? "")
      .slice(0, 200)
      .replace(/\b\d+\.\d+\.\d+\.\d+\b/g, "<ip>")
      .replace(/\/[a-z][\w/]*/g, "<path>")
      .replace(/\d+/g, "<num>");
    found = { template, id: createHash("md5").update(template).digest("hex").slice(0, 16) };
    known.set(row, found);
  }
  return found;
}

/** `rows` are those of the window, `before` those of the window of the same length before it. */
export function patterns(rows, before, { start, end, limit = 50 }) {
  const step = Math.max(1, Math.ceil((end - start) / 24));
  // Steps are counted from 1970, like those of `stats by (_time:...)`.
  const first = Math.floor(start / step) * step;
  const groups = new Map();
  for (const row of rows) {
    const { id, template } = patternOf(row);
    const group = groups.get(id) ?? {
      id,
      template,
      count: 0,
      share: 0,
      first_seen: row._time,
      last_seen: row._time,
      example: String(row.body ?? "").slice(0, 400),
      trend: Array.from({ length: Math.ceil((end - first) / step) }, () => 0),
      new: true,
    };
    group.count += 1;
    if (row._time < group.first_seen) group.first_seen = row._time;
    if (row._time > group.last_seen) group.last_seen = row._time;
    group.trend[Math.min(group.trend.length - 1, Math.floor((Date.parse(row._time) - first) / step))] += 1;
    groups.set(id, group);
  }
  const seen = new Set(before.map((row) => patternOf(row).id));
  const all = [...groups.values()].sort((a, b) => b.count - a.count);
  for (const group of all) {
    group.share = group.count / rows.length;
    group.new = !seen.has(group.id);
  }
  return {
    patterns: all.slice(0, limit),
    start: new Date(start).toISOString(),
    end: new Date(end).toISOString(),
    step_ms: step,
    total: rows.length,
  };
}
