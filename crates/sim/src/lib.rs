//! Simulated releases: what a service and its telemetry do around a change, in virtual time, from a seed.
//!
//! For tests and benches only; nothing that ships depends on it. `docs/loop-benchmark.md` says what the model is and why.
//!
//! **Entry points.** [`Release::of_set`] gives seeded releases with their truth; [`Trace::planned`] is what happens when nobody
//! intervenes; [`run`] lets a [`Policy`] watch a release through a [`TelemetryView`] and act on it; [`Score::of`] counts how well it
//! did; [`baseline::all`] has the policies of other tools.
//!
//! **Flow.** Release -> seconds (`generate`) -> sums ([`Trace`]) -> what has arrived ([`TelemetryView`]) -> [`PolicyAction`] ->
//! [`Outcome`] -> [`Score`].
//!
//! **Guarantees.** The same seed gives the same trace, whatever was drawn before: each second has a stream of random numbers of its
//! own. Policies of one release see the same requests until they act. The view never shows what has not arrived. Harm is counted,
//! not estimated.
//!
//! **Not here.** The product's own judge (the bench wires it), and single requests: they are counted as they are drawn.

pub mod baseline;
mod confound;
mod counts;
mod fault;
mod generate;
mod pattern;
mod policy;
mod release;
mod rollout;
mod score;
mod service;
mod telemetry;
mod time;
mod trace;
mod view;

#[cfg(test)]
mod tests;

pub use confound::{CONFOUNDERS, Confounder, Confounding, OtherChange, Trouble};
pub use counts::{BOUNDS_S, Counts, Harm};
pub use fault::{BAD_KINDS, Fault, Kind, MEMORY_HURTS};
pub use pattern::{PATTERNS, Pattern, Severity};
pub use policy::{BLIND_S, Nobody, Outcome, Policy, PolicyAction, run};
pub use release::{OVERLAP_MIN_S, Release};
pub use rollout::{Rollout, Style};
pub use score::{Score, Spread, by};
pub use service::{ENDPOINTS, Endpoint, Service};
pub use telemetry::{Delivery, Gap, LAG_S, Late, SCRAPE_S, Source, Version};
pub use time::{AFTER_S, END_S, HISTORY_S, START_S, second, timestamp};
pub use trace::Trace;
pub use view::{ChangeSeen, Changed, Neighbour, TelemetryView};
