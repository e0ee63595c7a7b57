//! Incidents and their timelines.

use catalog::ledger::time_text;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The state of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// Some alert fires, or some run has not ended.
    Open,
    /// All alerts are resolved and all runs have ended.
    Resolved,
}

impl IncidentState {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
        }
    }
}

/// An incident: alerts of one service (or of one rule group, when they name no service) while any of them fires.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: String,
    /// What people call it: the first alert's summary.
    pub title: String,
    /// The service; empty when no alert names one.
    pub service: String,
    /// The rule group of its first alert.
    pub group: String,
    /// The `severity` label of its first alert.
    pub severity: Option<String>,
    /// Its state.
    pub state: IncidentState,
    /// When its first alert became active.
    #[serde(with = "time_text")]
    pub started_at: Timestamp,
    /// When it was opened.
    #[serde(with = "time_text")]
    pub opened_at: Timestamp,
    /// When it was resolved.
    #[serde(default, with = "time_text::option", skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// Its alerts, by id.
    pub alerts: Vec<String>,
    /// Those of them that fire.
    pub firing: Vec<String>,
    /// Its runs, by id.
    pub runs: Vec<String>,
    /// Those of them that have not ended.
    pub active_runs: Vec<String>,
    /// The change that is blamed, by `source/id`.
    pub change: Option<String>,
    /// How its last run ended.
    pub outcome: Option<String>,
}

/// What an entry of a timeline is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EntryKind {
    /// A change that is looked at.
    Change,
    /// An alert began to fire or was resolved.
    Alert,
    /// Why something is done or not.
    Decision,
    /// An action began or ended.
    Action,
    /// A verification began, passed or failed.
    Verify,
    /// Somebody is told.
    Notify,
    /// Anything else.
    Note,
}

impl EntryKind {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Change => "change",
            Self::Alert => "alert",
            Self::Decision => "decision",
            Self::Action => "action",
            Self::Verify => "verify",
            Self::Notify => "notify",
            Self::Note => "note",
        }
    }
}

/// An entry of an incident's timeline.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// The incident.
    pub incident: String,
    /// What it is about.
    pub kind: EntryKind,
    /// When it happened.
    #[serde(with = "time_text")]
    pub at: Timestamp,
    /// For people.
    pub summary: String,
    /// For programs.
    pub detail: Json,
}
