//! Verdicts on changes: Good, Bad or Unknown with its reason, by sequential tests that may be looked at all the time.
//!
//! **Entry points.** [`Counters`] turns cumulative counters into [`Block`]s; a [`Watch`] takes blocks and [`Watch::judge`] gives the
//! verdict with its [`Card`]. [`Baseline::learn`] says what was usual before the change.
//!
//! **How it decides.** Every measure is compared in two ways. *Beside the old version*: counts of the same moment and
//! endpoint, so that an outage, a change of traffic or the time of day hits both sides. *Against the time before*: where the old
//! version is gone; only if no dependency fails and no other change ran. Both are e-processes ([`Detector`]): their false alarm
//! rate holds whenever one looks. On top of the evidence a verdict needs an effect that matters, that goes on, and a fewest
//! number of requests.
//!
//! **Guarantees.** Missing data is never bad: without counts there is no evidence. No single moment convicts
//! ([`TICK_LOG_MAX`]). What failed alike in the old version or in a dependency is not held against the change.
//!
//! **Not guaranteed.** Evidence assumes that requests fail independently of each other within a moment; bursts are met by the cap
//! only. A fault that hits one version by chance of placement (a broken host) looks like a fault of that version.
//!
//! **Not here.** Where the counts come from (`server`), and what follows from a verdict (`respond`). No clock, no network.

mod baseline;
mod block;
mod card;
mod comparison;
mod everywhere;
mod evidence;
mod excuse;
mod judge;
mod latency;
mod leak;
mod message;
mod pattern;
mod rates;
#[cfg(test)]
mod tests;
mod verdict;
mod watch;

pub use baseline::{Baseline, HISTORY_MIN, RATE_SLACK, SLOW_SLACK, Window};
pub use block::{Block, Cell, Counter, Counters, GAP_MAX_NS, Part, REST, Role, SILENCE_MAX_NS, STRATA_MAX};
pub use card::{Card, Compare, Exonerated, Side, Signal, SignalKind};
pub use comparison::{ALIKE_LOG, DEPENDENCY_STRATUM, RECENT_NS};
pub use evidence::{Detector, TICK_LOG_MAX};
pub use judge::{Concurrent, Facts};
pub use latency::{Buckets, SLOWDOWNS, Shape};
pub use leak::{LEAK_BIN_NS, LEAK_FULL_WITHIN_NS, LEAK_WARMUP_NS};
pub use message::{
    AFTER, BEFORE, MESSAGE_CODES, Message, Span, TIME_BEFORE, USUAL, WORDS, stored_message, stored_messages,
};
pub use pattern::{PATTERN_RATE_MIN, PATTERNS_MAX};
pub use rates::{Counts, HARMS, difference};
pub use verdict::{UnknownReason, Verdict};
pub use watch::{Alphas, FAILURES_MIN, LATENCY_WAIT_NS, REQUESTS_MIN, ROLLOUT_MAX_NS, WARMUP_NS, Watch, WatchSpec};
