//! What a decision rests on.

use std::collections::BTreeMap;

use catalog::ledger::time_text;
use change::{Change, Suspect};
use model::Timestamp;
use rules::DataState;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Whether a change is bad. **Only `Bad` may act.** `Unknown` may hold or page, never roll back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict", content = "reason")]
pub enum Verdict {
    /// It does no harm.
    Good,
    /// It does harm.
    Bad,
    /// It can not be told.
    Unknown(UnknownReason),
}

impl Verdict {
    /// For people.
    pub fn text(&self) -> String {
        match self {
            Self::Good => "good".to_owned(),
            Self::Bad => "bad".to_owned(),
            Self::Unknown(reason) => format!("unknown ({})", reason.as_str()),
        }
    }
}

/// Why it can not be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnknownReason {
    /// The alert rests on missing data.
    NoData,
    /// The alert's query fails now.
    QueryError,
    /// The alert was not evaluated for longer than twice its interval.
    StaleData,
    /// Several changes ran at the same time.
    Conflict,
    /// No change to the service is recent enough and before the alert.
    NoChange,
    /// The alert names no service.
    NoService,
}

impl UnknownReason {
    /// For people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoData => "no data",
            Self::QueryError => "could not be measured at the last evaluation",
            Self::StaleData => "stale data",
            Self::Conflict => "several changes ran at the same time",
            Self::NoChange => "no change to the service in the window before the alert",
            Self::NoService => "the alert names no service",
        }
    }
}

/// What a guard said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardResult {
    /// The guard.
    pub guard: String,
    /// Whether it lets the action happen.
    pub passed: bool,
    /// Why, with the numbers.
    pub detail: String,
}

/// Everything that a decision rests on, stored before the action starts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The alert's rule.
    pub rule: String,
    /// Its query.
    pub query: String,
    /// The window of a log rule, in nanoseconds.
    pub window_ns: Option<i64>,
    /// The alert's labels.
    pub labels: BTreeMap<String, String>,
    /// Its last value.
    pub value: Option<f64>,
    /// The columns of a log rule's row.
    pub columns: BTreeMap<String, Json>,
    /// What the alert's state rests on.
    pub data: DataState,
    /// When its condition began to hold.
    #[serde(with = "time_text")]
    pub active_at: Timestamp,
    /// When it was last evaluated.
    #[serde(with = "time_text")]
    pub evaluated_at: Timestamp,
    /// When the decision was taken.
    #[serde(with = "time_text")]
    pub decided_at: Timestamp,
    /// The change that is blamed.
    pub change: Option<Change>,
    /// Why it is.
    pub attribution: Option<String>,
    /// Changes that ran at the same time.
    pub concurrent: Vec<Suspect>,
    /// Changes that were cleared, and why.
    pub exonerated: Vec<Suspect>,
    /// The verdict.
    pub verdict: Verdict,
    /// What each guard said; empty when the verdict already decided.
    pub guards: Vec<GuardResult>,
}
