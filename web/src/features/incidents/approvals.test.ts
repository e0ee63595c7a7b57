import { expect, test } from "vitest";
import { pendingOf, remainingMs } from "./approvals";

test("who still waits", () => {
  expect(["pending", "approved", "rejected", "expired"].map((state) => pendingOf({ state }))).toEqual([
    true,
    false,
    false,
    false,
  ]);
});

test("a countdown steps by seconds and ends at 0", () => {
  const at = "2026-11-23T09:00:10Z";
  const now = Date.parse("2026-11-23T09:00:00.400Z");
  expect(remainingMs(at, now)).toBe(10_000);
  expect(remainingMs(at, now + 20_000)).toBe(0);
  expect(remainingMs("never", now)).toBe(0);
});
