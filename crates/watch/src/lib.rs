//! Watches over changes: after each change, is the service worse than before, and is it because of the change?
//!
//! **Entry point.** [`Watcher::tick`]: it finds changes that need a watch, asks what has happened since the last tick, and judges.
//! What it concludes is in the ledger as [`WatchRecord`]s; a Bad verdict also comes out as an alert, which opens an incident.
//!
//! **Read path.** change in the ledger -> [`Telemetry`] found for its service (counters of requests by version, endpoint and
//! status, latency buckets, dependencies, error lines) -> baseline from the hour before, and the same hour yesterday and a week ago ->
//! counters at each tick -> `verdict::Block` -> `verdict::Card`.
//!
//! **Guarantees.** The card is in the ledger before the alert comes out, so before anything acts on it. A verdict that changed is in
//! the audit trail. Samples and lines that come late count. After a restart a watch asks for everything since its change again: nothing
//! depends on memory. While Backstop itself is suspect ([`SelfHealth`]) nobody looks, and what there was to see is asked for afterwards.
//!
//! **Not here.** The tests themselves (`verdict`), what follows (`respond`), when to tick and who answers the questions (`server`).

mod ask;
mod beside;
mod family;
mod labels;
mod measures;
mod patterns;
mod record;
mod session;
mod spans;
mod telemetry;
#[cfg(test)]
mod tests;
mod watcher;

pub use ask::{Measured, MeasuredKind, NoTopology, SelfHealth, Topology};
pub use beside::{BESIDE_NS, Beside};
pub use labels::VERSION_LABELS;
pub use record::{HISTORY_MAX, HistoryEntry, WatchRecord, WatchState, record_of};
pub use telemetry::{DEPENDENCIES_MAX, Telemetry};
pub use watcher::{CHANGE_VERDICT, WATCHES_MAX, WatchError, Watcher, WatcherOptions};
