//! What a watch asks about a service besides what it finds by itself.

use change::{ChangeKind, bake_ns_default};

/// What kind of thing an additional measure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasuredKind {
    /// How many requests failed, and how many there were.
    Errors,
    /// Requests by latency bucket.
    Latency,
    /// How full something is, 0 to 1.
    Saturation,
}

/// An additional measure of a service, from its entry in the catalogue. The texts are PromQL with `$window`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Its name.
    pub name: String,
    /// Its kind.
    pub kind: MeasuredKind,
    /// All requests, the buckets, or the value.
    pub total: String,
    /// The failed ones, for errors.
    pub bad: Option<String>,
    /// The label that tells versions apart.
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
