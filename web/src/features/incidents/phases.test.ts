import { expect, test } from "vitest";
import type { TimelineEntry } from "../../api/types";
import { phasesOf } from "./phases";

const entry = (
  second: number,
  kind: TimelineEntry["kind"],
  outcome: TimelineEntry["outcome"] = null,
): TimelineEntry => ({
  time: new Date(second * 1000).toISOString(),
  kind,
  title: kind,
  outcome,
});

const shown = (timeline: TimelineEntry[], resolved?: number) =>
  phasesOf({
    timeline,
    change: null,
    resolved_at: resolved === undefined ? null : new Date(resolved * 1000).toISOString(),
  }).map(({ name, start, end }) => `${name} ${(end - start) / 1000}`);

test("a closed loop has three phases", () => {
  const timeline = [
    entry(0, "change"),
    entry(41, "alert"),
    entry(42, "decision"),
    entry(44, "action", "ok"),
    entry(90, "verify", "ok"),
  ];
  expect(shown(timeline)).toEqual(["detect 41", "act 3", "recover 46"]);
});

test("only what happened is shown", () => {
  expect(shown([entry(0, "change"), entry(41, "alert")])).toEqual(["detect 41"]);
  expect(shown([entry(41, "alert"), entry(50, "action", "refused")], 80)).toEqual([]);
  expect(shown([])).toEqual([]);
});

test("a failed verification is no recovery; a resolved incident is", () => {
  const timeline = [entry(10, "alert"), entry(12, "action", "ok"), entry(40, "verify", "failed")];
  expect(shown(timeline)).toEqual(["act 2"]);
  expect(shown(timeline, 100)).toEqual(["act 2", "recover 88"]);
});
