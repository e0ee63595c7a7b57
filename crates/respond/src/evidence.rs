//! What a decision rests on.

use std::collections::BTreeMap;

use catalog::ledger::time_text;
use change::{Change, ScoreParts, Suspect, VersionSplit};
use model::Timestamp;
use rules::DataState;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use verdict::{Card, Message, Verdict, stored_messages};

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
    /// The same for readers of any language, one for each reason; empty in records of before there were any.
    #[serde(default, deserialize_with = "stored_messages", skip_serializing_if = "Vec::is_empty")]
    pub attribution_messages: Vec<Message>,
    /// The parts of its score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<ScoreParts>,
    /// What its version and the one before it did at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub versions: Option<VersionSplit>,
    /// Changes that ran at the same time.
    pub concurrent: Vec<Suspect>,
    /// Changes that were cleared, and why.
    pub exonerated: Vec<Suspect>,
    /// The verdict.
    pub verdict: Verdict,
    /// The card of the watch over the change, where one could compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<Card>,
    /// What each guard said; empty when the verdict already decided.
    pub guards: Vec<GuardResult>,
}
