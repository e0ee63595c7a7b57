//! Backstop's view of itself: metrics, logs, the clock, named tasks.
//!
//! **Entry points.** [`metrics`] holds every metric as a typed static; [`metrics::render`] prints them in Prometheus's text
//! format. [`logging::init`] starts structured logging. [`clock::now`] is the only reader of the wall clock. [`spawn`]
//! starts a named task.
//!
//! **Guarantees.** A metric is one static with one name and one help text; touching it is one atomic addition. A task that
//! panics is logged and counted, never silent.
//!
//! **Not here.** Metrics that users send: those are data, and live in the store.

pub mod clock;
pub mod logging;
pub mod metrics;
mod task;

pub use task::spawn;
