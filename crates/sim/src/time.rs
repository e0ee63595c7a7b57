//! Virtual time: whole seconds from the beginning of a trace, and the timestamps that policies are given.

use model::Timestamp;

/// Seconds of history before a release: what a comparison with the time before can look at.
pub const HISTORY_S: u32 = 2 * 60 * 60;
/// Seconds that a release is watched. The slowest fault (a leak) begins to hurt 25 minutes after the rollout.
pub const AFTER_S: u32 = 45 * 60;
/// The second at which every release starts.
pub const START_S: u32 = HISTORY_S;
/// The second at which every trace ends.
pub const END_S: u32 = HISTORY_S + AFTER_S;

/// The timestamp of second 0: 2026-03-02T08:00:00Z. Which day it is has no meaning; the phase of the day is seeded.
const ORIGIN_UNIX_S: i64 = 1_772_438_400;

/// The timestamp at which a second of the trace begins.
pub fn timestamp(second: u32) -> Timestamp {
    Timestamp::from_secs(ORIGIN_UNIX_S + i64::from(second))
}

/// The second of the trace in which a timestamp falls; times before the trace fall into its first second, times after it
/// into its end.
pub fn second(at: Timestamp) -> u32 {
    let seconds = at.millis().div_euclid(1_000) - ORIGIN_UNIX_S;
    seconds.clamp(0, i64::from(END_S)) as u32
}
