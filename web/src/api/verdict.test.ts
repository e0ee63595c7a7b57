import { expect, test } from "vitest";
import { badgeOf, isPromQl, readVerdict, sideText, splitKey, strengthOf } from "./verdict";

test("a verdict is a word or an object", () => {
  expect(readVerdict("bad")).toEqual({ word: "bad", reason: null });
  expect(readVerdict({ verdict: "unknown", reason: "low_sample" })).toEqual({ word: "unknown", reason: "low_sample" });
  expect(readVerdict(undefined)).toEqual({ word: "unknown", reason: null });
});

test("a badge says what is known", () => {
  expect(badgeOf(null)).toBe("none");
  expect(badgeOf({ state: "watching", verdict: { verdict: "unknown", reason: "low_sample" } })).toBe("watching");
  expect(badgeOf({ state: "watching", verdict: "bad" })).toBe("bad");
  expect(badgeOf({ state: "ended", verdict: "unknown" })).toBe("unknown");
});

test.each([
  [41, 9.2, 1],
  [4.6, 9.2, 0.5],
  [-3, 9.2, 0],
  [null, 9.2, null],
  [1, null, null],
])("evidence %s of %s is %s", (log_e, log_e_needed, share) => {
  expect(strengthOf({ log_e, log_e_needed })).toBe(share);
});

test("shares are percents, what was not measured is nothing", () => {
  expect(sideText({ label: "2.0", n: 10, value: 0.5 }, true, String)).toBe("50 %");
  expect(sideText({ label: "2.0", n: 10, value: 180 }, false, String)).toBe("180");
  expect(sideText({ label: "2.0", n: 0, value: null }, false, String)).toBeNull();
  expect(sideText(null, true, String)).toBeNull();
});

test.each([
  ['sum by (service_version) (rate(http_requests_total{code=~"5.."}[1m])) > 1', true],
  ["up == 0", false],
  ["errors > 1", true],
  ['http_requests_total{job="a"}', true],
  ["service.name:checkout severity:ERROR | stats by (service.version) count() as n", false],
  ['service.name:="checkout" severity:="ERROR"', false],
  ["error checkout", false],
])("%s is PromQL: %s", (query, expected) => {
  expect(isPromQl(query)).toBe(expected);
});

test("a change's key is cut at its first slash", () => {
  expect(splitKey("ci/a/b")).toEqual({ source: "ci", id: "a/b" });
  expect(splitKey("x")).toEqual({ source: "", id: "x" });
});
