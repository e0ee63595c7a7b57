//! StatsD: Etsy's protocol with DogStatsD's additions (tags, several values, container ids, times, events, service checks) and the
//! tags of Telegraf (`name,tag=v`) and Graphite (`name;tag=v`) in the name.
//!
//! **Entry point.** [`Aggregator`] takes packets and adds them up by series; [`Aggregator::flush`] gives what a receiver stores every few
//! seconds. Time is an argument.
//!
//! | sent | stored |
//! | --- | --- |
//! | `c`, `m` | a counter of all that came since the series is known, so that `rate` works as for any counter |
//! | `g` | a gauge, again at each flush until the series is idle |
//! | `s` | a gauge: how many different values the interval had |
//! | `ms`, `h`, `d` | a native histogram, and counters `name_count` and `name_sum`; the unit is the sender's |
//! | `_e{`, `_sc` | log records |
//!
//! A counter or a histogram that is new begins with a zero right behind the flush before, so that its first values count in `rate`. What is
//! in memory is lost with the process: the counters begin again, which queries take for the reset that it is.

mod aggregate;
mod event;
mod parse;
mod sketch;
#[cfg(test)]
mod tests;

pub use aggregate::{Aggregator, DIRECT_SAMPLES_MAX, SET_VALUES_MAX, StatsdOptions};
pub use sketch::SKETCH_BUCKETS_MAX;

/// Longest line, in bytes: the largest datagram.
pub const STATSD_LINE_BYTES_MAX: usize = 64 * 1024;
