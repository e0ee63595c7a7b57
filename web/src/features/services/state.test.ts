import { expect, test } from "vitest";
import type { Watch } from "../../api/loopTypes";
import type { Alert } from "../../api/types";
import { statesOf, toneOf } from "./state";

const alert = (state: Alert["state"], labels: Record<string, string>): Alert => ({
  id: "1",
  rule: "r",
  group: "g",
  state,
  labels,
  annotations: {},
  value: null,
  active_at: null,
  fired_at: null,
  resolved_at: null,
});
const watch = (service: string, minute: number, state: Watch["state"], verdict: Watch["verdict"]): Watch => ({
  id: `ci/${service}${minute}`,
  service,
  state,
  verdict,
  started_at: `2026-11-23T09:${String(minute).padStart(2, "0")}:00Z`,
});

test("alerts that fire count, and the newest watch speaks", () => {
  const alerts = [
    alert("firing", { service: "a" }),
    alert("firing", { "service.name": "a" }),
    alert("pending", { service: "a" }),
    alert("resolved", { service: "b" }),
    alert("firing", { host: "node-2" }),
  ];
  const watches = [
    watch("b", 5, "ended", { verdict: "bad" }),
    watch("b", 2, "watching", "good"),
    watch("c", 1, "watching", { verdict: "unknown" }),
  ];
  expect([...statesOf(alerts, watches)]).toEqual([
    ["b", { firing: 0, watching: false, verdict: "bad" }],
    ["c", { firing: 0, watching: true, verdict: "unknown" }],
    ["a", { firing: 2, watching: false, verdict: "none" }],
  ]);
});

test.each([
  [{ firing: 1, watching: false, verdict: "good" }, "bad"],
  [{ firing: 0, watching: true, verdict: "bad" }, "bad"],
  [{ firing: 0, watching: true, verdict: "unknown" }, "warn"],
  [{ firing: 0, watching: true, verdict: "good" }, "good"],
  [{ firing: 0, watching: false, verdict: "bad" }, "plain"],
] as const)("%j is %s", (state, want) => {
  expect(toneOf(state)).toBe(want);
});
