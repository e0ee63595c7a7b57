import { describe, expect, test } from "vitest";
import type { Row } from "../../api/types";
import { TAIL_ROWS_MAX, TAIL_START, type TailEvent, tailReducer } from "./tail";

const rows = (from: number, to: number): Row[] =>
  Array.from({ length: to - from + 1 }, (_, index) => ({ _id: String(from + index) }));
const stateAfter = (...events: TailEvent[]) => events.reduce(tailReducer, TAIL_START);
const ids = (list: Row[]) => list.map(({ _id }) => _id).join(" ");

describe("a live tail", () => {
  test("shows the newest row first", () => {
    const state = stateAfter(
      { type: "opened" },
      { type: "rows", rows: rows(1, 2) },
      { type: "rows", rows: rows(3, 4) },
    );
    expect(ids(state.rows)).toBe("4 3 2 1");
    expect(state.status).toBe("live");
  });

  test("moves nothing while paused, and shows all of it afterwards", () => {
    const paused = stateAfter(
      { type: "rows", rows: rows(1, 2) },
      { type: "pause" },
      { type: "rows", rows: rows(3, 5) },
    );
    expect(ids(paused.rows)).toBe("2 1");
    expect(paused.heldCount).toBe(3);
    const resumed = tailReducer(paused, { type: "resume" });
    expect(ids(resumed.rows)).toBe("5 4 3 2 1");
    expect(resumed).toMatchObject({ heldCount: 0, shownCount: 5, paused: false, resumes: 1 });
  });

  test("keeps a bounded number of rows, and counts all", () => {
    const state = stateAfter({ type: "rows", rows: rows(1, 900) }, { type: "rows", rows: rows(901, 1_300) });
    expect(state.rows.length).toBe(TAIL_ROWS_MAX);
    expect([state.rows[0]?._id, state.rows.at(-1)?._id, state.shownCount]).toEqual(["1300", "301", 1_300]);
    const held = stateAfter({ type: "pause" }, { type: "rows", rows: rows(1, 5_000) });
    expect([held.held.length, held.heldCount]).toEqual([TAIL_ROWS_MAX, 5_000]);
    expect(tailReducer(held, { type: "resume" }).shownCount).toBe(5_000);
  });

  test("adds up what was left out; the sampling is the latest", () => {
    const dropped = stateAfter(
      { type: "dropped", dropped: 120, sampled: 8 },
      { type: "dropped", dropped: 30, sampled: 4 },
    );
    expect([dropped.leftOut, dropped.sampled]).toEqual([150, 4]);
    expect(tailReducer(dropped, { type: "dropped", dropped: 0, sampled: 0 }).sampled).toBe(1);
  });

  test("a lost connection that comes back is live again; an error keeps the rows", () => {
    expect(stateAfter({ type: "opened" }, { type: "lost" }, { type: "opened" }).status).toBe("live");
    const failed = stateAfter({ type: "rows", rows: rows(1, 1) }, { type: "failed", error: "bad" });
    expect([failed.status, failed.error, ids(failed.rows)]).toEqual(["ended", "bad", "1"]);
  });
});
