import { expect, test } from "vitest";
import type { Watch } from "../../api/loopTypes";
import type { Change } from "../../api/types";
import { diffLines, filterHref, linesOf, parseFilter } from "./filter";

test("the URL is the filter, and holds only what differs from the defaults", () => {
  for (const href of ["/changes", "/changes?service=checkout&kind=deploy&verdict=bad&from=-7d"])
    expect(filterHref(parseFilter(href.slice("/changes".length)))).toBe(href);
  expect(parseFilter("?verdict=nonsense").verdict).toBe("");
});

const change = (id: string, kind = "deploy") =>
  ({ id, source: "ci", kind, started_at: `2026-11-23T09:00:0${9 - Number(id)}Z` }) as Change;
const watch = (id: string, state: Watch["state"], verdict: Watch["verdict"]) => ({ id, state, verdict }) as Watch;

test("changes are joined with their watches and filtered by what the badge says", () => {
  const changes = [change("2"), change("1"), change("3", "flag"), change("4")];
  const watches = [watch("ci/1", "ended", "bad"), watch("ci/2", "watching", "unknown"), watch("ci/4", "ended", "good")];
  const ids = (search: string) => linesOf(changes, watches, parseFilter(search)).map(({ change: { id } }) => id);
  expect(ids("")).toEqual(["1", "2", "3", "4"]);
  expect(ids("?verdict=bad")).toEqual(["1"]);
  expect(ids("?verdict=watching")).toEqual(["2"]);
  expect(ids("?verdict=none")).toEqual(["3"]);
  expect(ids("?kind=deploy&verdict=good")).toEqual(["4"]);
});

test("the lines of a diff", () => {
  const kinds = diffLines("--- a\n+++ b\n@@ -1 +1 @@\n same\n-old\n+new\n").map(({ kind }) => kind);
  expect(kinds).toEqual(["head", "head", "hunk", "same", "del", "add"]);
});
