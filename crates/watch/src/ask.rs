//! What a watch asks about a service besides what it finds by itself.

use change::{ChangeKind, bake_ns_default};
use model::Timestamp;

/// What kind of thing an additional measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasuredKind {
    /// How many requests failed, and how many there were.
    Errors,
    /// Requests by latency bucket.
    Latency,
    /// How full something is, 0 to 1.
    Saturation,
    /// How often something happens; more often than before is harm.
    Count,
}

/// An additional measure of a service, from its entry in the catalogue. The texts are PromQL with `$window`, or one log query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: MeasuredKind,
    /// All requests, the buckets, or the value.
    pub total: String,
    /// The failed ones, for errors in PromQL.
    pub bad: Option<String>,
    /// Whether `total` is a log query over the window, whose rows have the column `n` and, for errors, `bad`.
    pub logs: bool,
    /// The label that tells versions apart, or the field with `_` for dots; `None` when nothing does.
    pub version_label: Option<String>,
}

/// What is known of services: who needs whom, how long to watch, what else to measure.
pub trait Topology: Send + Sync {
    /// The services that a service needs.
    fn dependencies(&self, service: &str) -> Vec<String>;
    /// How long a change of a kind is watched, in nanoseconds.
    fn bake_ns(&self, service: &str, kind: ChangeKind) -> i64;
    /// Additional measures.
    fn measures(&self, service: &str) -> Vec<Measured>;
}

/// Says whether Backstop itself can be trusted now: data that comes late or not at all looks like a fault of everyone else.
pub trait SelfHealth: Send + Sync {
    /// Why what is measured now is suspect, if it is. Must be quick.
    fn suspect(&self, now: Timestamp) -> Option<String>;
}

/// A function or closure that knows.
impl<F: Fn(Timestamp) -> Option<String> + Send + Sync> SelfHealth for F {
    fn suspect(&self, now: Timestamp) -> Option<String> {
        self(now)
    }
}

/// Nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoTopology;

impl Topology for NoTopology {
    fn dependencies(&self, _service: &str) -> Vec<String> {
        Vec::new()
    }

    fn bake_ns(&self, _service: &str, kind: ChangeKind) -> i64 {
        bake_ns_default(kind)
    }

    fn measures(&self, _service: &str) -> Vec<Measured> {
        Vec::new()
    }
}
