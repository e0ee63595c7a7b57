//! Verdicts on changes: Good, Bad or Unknown with its reason.
//!
//! **Not here.** Where the numbers come from, and what follows from a verdict (`respond`). No clock, no network.

mod verdict;

pub use verdict::{UnknownReason, Verdict};
