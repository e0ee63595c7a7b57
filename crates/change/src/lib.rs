//! Changes: what was deployed, configured or switched, where, when and by whom, and which of them an alert is likely about.
//!
//! **Entry points.** [`ChangeBook::record`] takes the native JSON shape and keeps it; [`ChangeBook::recent`] lists the changes of a
//! service before a time; [`rank_with`] orders them as suspects for an alert and says why. [`load_services`] reads the service
//! catalogue; a [`TraceLearner`] teaches the [`ServiceGraph`] who needs whom. [`dora()`] makes the four figures.
//!
//! **Write path.** JSON -> [`ChangeReport`] (validated, fields may be absent) -> merged over the record of the same
//! `(source, id)` -> [`Change`], committed with an audit entry.
//!
//! **Guarantees.** Recording is an upsert by `(source, id)`: the same delivery twice, or the end of a change before its
//! beginning, leaves the same record. What a later delivery does not say stays as it was. A record that changes nothing writes nothing.
//!
//! **Not here.** The adapters for other systems' shapes (they produce the native one), the decision to act (`respond`).

mod book;
mod catalogue;
mod catalogue_file;
mod catalogue_query;
#[cfg(test)]
mod catalogue_tests;
mod dora;
mod graph;
mod graph_learn;
mod rank;
mod rank_split;
#[cfg(test)]
mod rank_tests;
mod record;

pub use book::{ChangeBook, RECENT_MAX, RecordError, Recorded};
pub use catalogue::{
    BAKE_NS_MAX, BAKE_NS_MIN, BakeTimes, Catalogue, Check, CheckKind, Measure, ServiceEntry, Slo, SloMeasure, TIER_MAX,
    VERSION_LABEL_DEFAULT, WINDOW, bake_ns_default, fill_window,
};
pub use catalogue_file::{
    CHECKS_MAX, SERVICE_LIST_MAX, SERVICES_FILE_BYTES_MAX, SERVICES_MAX, SLOS_MAX, ServicesReport, check_services,
    load_services,
};
pub use dora::{
    COMMITTED_AT_LABEL, DoraFigures, DoraInput, DoraReport, IncidentFacts, Median, OBSERVED_NS_MIN, Share, dora,
};
pub use graph::{
    Criticality, DISTANCE_MAX, EDGE_EXPIRES_NS, EDGE_HALF_LIFE_NS, EDGES_MAX, Edge, EdgeKind, EdgeTraffic,
    GraphSnapshot, Node, Provenance, ServiceGraph,
};
pub use graph_learn::{LearnReport, PEER_GRACE_NS, SPAN_MEMORY_NS, SPANS_REMEMBERED_MAX, SpanFact, TraceLearner};
pub use rank::{
    APART_NS, AttributionInput, NEIGHBOUR, RIVAL_SHARE, SPLIT_UNKNOWN, STEP_FACTOR, ScoreParts, Suspect, Suspects,
    half_life_ns, kind_prior, rank_with,
};
pub use rank_split::{ALIKE_RATIO, SPLIT_ALPHA, SPLIT_REQUESTS_MIN, SplitCounts, SplitOutcome, VersionSplit};
pub use record::{
    Change, ChangeError, ChangeKind, ChangeReport, NAME_BYTES_MAX, RAW_BYTES_MAX, Reversible, Stage, Target,
};
