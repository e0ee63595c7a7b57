//! Changes: what was deployed, configured or switched, where, when and by whom, and which of them an alert is likely about.
//!
//! **Entry points.** [`ChangeBook::record`] takes the native JSON shape and keeps it; [`ChangeBook::recent`] lists the changes of a
//! service before a time; [`rank_with`] orders them as suspects for an alert and says why. [`load_services`] reads the service
//! catalogue; a [`TraceLearner`] teaches the [`ServiceGraph`] who needs whom. [`dora()`] makes the four figures.
//!
//! [`translate`] turns what other systems send (module `adapters`) into that shape; [`diff`] shows what a change changed.
//!
//! **Write path.** JSON -> [`ChangeReport`] (validated, fields may be absent, secrets in `raw` replaced) -> merged (module `merge`)
//! with the record of the same `(source, id)` -> the version before inferred where nobody says it (module `lane`) -> [`Change`],
//! committed with an audit entry.
//!
//! **Guarantees.** Recording is an upsert by `(source, id)`: any order of the same deliveries, each any number of times, leaves the
//! same records. Of two deliveries that contradict each other the one that was said later holds (`reported_at`); what a delivery
//! does not say stays as it was. A delivery that changes nothing writes nothing. A change from the future is refused.
//!
//! **Not here.** Sockets and routes (`api`), the decision to act (`respond`).

mod adapters;
mod book;
mod catalogue;
mod catalogue_file;
mod catalogue_query;
#[cfg(test)]
mod catalogue_tests;
mod diff;
mod dora;
mod graph;
mod graph_learn;
mod lane;
mod merge;
mod rank;
mod rank_split;
#[cfg(test)]
mod rank_tests;
mod record;
mod redact;

pub use adapters::{
    Adapter, BATCH_MAX, DELIVERY_BYTES_MAX, Defaults, Delivery, Mapping, SIGNATURE_AGE_MAX_S, Secret, Source,
    Translated, amend, annotation_id, translate,
};
pub use book::{
    ChangeBook, ChangeFilter, LANE_LOOK_MAX, LANE_REPAIR_MAX, LIST_SCAN_MAX, RECENT_MAX, RECORD_BYTES_MAX, RecordError,
    Recorded, Refusal,
};
pub use catalogue::{
    BAKE_NS_MAX, BAKE_NS_MIN, BakeTimes, Catalogue, Check, CheckKind, Measure, ServiceEntry, Slo, SloMeasure, TIER_MAX,
    VERSION_LABEL_DEFAULT, WINDOW, bake_ns_default, fill_window,
};
pub use catalogue_file::{
    CHECKS_MAX, SERVICE_LIST_MAX, SERVICES_FILE_BYTES_MAX, SERVICES_MAX, SLOS_MAX, ServicesReport, check_services,
    load_services,
};
pub use diff::{ChangeDiff, DIFF_LINES_MAX, DocumentDiff, FieldDiff, diff};
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
    CLOCK_SKEW_MAX_NS, Change, ChangeError, ChangeKind, ChangeReport, ChangeStatus, INFERRED_LABEL, LABEL_BYTES_MAX,
    LABELS_MAX, NAME_BYTES_MAX, RAW_BYTES_MAX, Reversible, STAGES_MAX, Stage, TEXT_BYTES_MAX, Target,
};
