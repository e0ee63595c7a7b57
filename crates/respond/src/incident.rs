//! Incidents and their timelines.

use catalog::ledger::{LedgerError, LedgerTable, Records, time_text};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::writes::read;

const MINUTE_NS: i64 = 60 * 1_000_000_000;

/// An alert joins the open incident of a related service when that incident's last alert is no older than this, in nanoseconds.
pub const RELATED_WINDOW_NS: i64 = 10 * MINUTE_NS;

/// An alert of the same fingerprint or service reopens an incident that was resolved no longer ago than this, in nanoseconds.
pub const REOPEN_WINDOW_NS: i64 = 30 * MINUTE_NS;

/// Resolved incidents that are looked at for reopening, latest first.
pub const REOPEN_CANDIDATES_MAX: usize = 200;

/// Reopened so often within [`FLAP_WINDOW_NS`], an incident flaps.
pub const FLAP_REOPENS_MIN: u32 = 3;

/// The window in which reopenings are counted, in nanoseconds.
pub const FLAP_WINDOW_NS: i64 = 2 * 60 * MINUTE_NS;

/// An incident that flaps is resolved only after nothing has fired for so long, in nanoseconds.
pub const FLAP_QUIET_NS: i64 = 15 * MINUTE_NS;

/// Most incidents that were merged one into the next.
pub const MERGE_CHAIN_MAX: usize = 64;

/// The state of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    /// Some alert fires, or some run has not ended.
    Open,
    /// All alerts are resolved and all runs have ended, or a person says that it is over.
    Resolved,
    /// It is told as a part of another incident now.
    Merged,
}

impl IncidentState {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Resolved => "resolved",
            Self::Merged => "merged",
        }
    }
}

/// How often an incident was reopened lately, so that an alert that comes and goes does not open and close it all day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flap {
    /// When the count began.
    #[serde(with = "time_text::option")]
    pub since: Option<Timestamp>,
    /// Reopened so often since then.
    pub reopens: u32,
    /// Since when nothing fires, while it flaps: it is resolved only after a quiet time.
    #[serde(with = "time_text::option")]
    pub quiet_since: Option<Timestamp>,
}

impl Flap {
    /// Whether it comes and goes.
    pub fn flapping(&self) -> bool {
        self.reopens >= FLAP_REOPENS_MIN
    }

    /// Counts a reopening at `now`. The count begins anew when the last one began longer than [`FLAP_WINDOW_NS`] ago.
    pub(crate) fn count(&mut self, now: Timestamp) {
        let recent = self.since.is_some_and(|since| now.0.saturating_sub(since.0) < FLAP_WINDOW_NS);
        let before = if recent { self.reopens } else { 0 };
        let since = if recent { self.since } else { Some(now) };
        *self = Self { since, reopens: before + 1, quiet_since: None };
    }
}

/// What has been done with an incident, by people and by the rules of merging and reopening.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Handling {
    /// Every service that it is about, its first one included; empty in records of before there were several.
    pub services: Vec<String>,
    /// The fingerprints of its alerts: the same alert within [`REOPEN_WINDOW_NS`] reopens it.
    pub fingerprints: Vec<String>,
    /// When an alert last joined it.
    #[serde(with = "time_text::option")]
    pub last_alert_at: Option<Timestamp>,
    /// How often it was reopened.
    pub reopened: u32,
    /// When it was last reopened.
    #[serde(with = "time_text::option")]
    pub reopened_at: Option<Timestamp>,
    /// Whether it comes and goes.
    pub flap: Flap,
    /// Opened or reopened by a person: only a person resolves it.
    pub held_open: bool,
    /// Who has seen it.
    pub acked_by: Option<String>,
    /// When.
    #[serde(with = "time_text::option")]
    pub acked_at: Option<Timestamp>,
    /// The person who said that it is over; nobody when it ended by itself.
    pub resolved_by: Option<String>,
    /// The incident that tells its story now.
    pub merged_into: Option<String>,
    /// The incidents whose stories it tells too.
    pub merged: Vec<String>,
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
    /// How its last run ended; nothing once it is reopened.
    pub outcome: Option<String>,
    /// What has been done with it.
    #[serde(flatten)]
    pub handling: Handling,
}

impl Incident {
    /// Whether it is about a service.
    pub(crate) fn concerns(&self, service: &str) -> bool {
        !service.is_empty() && (self.service == service || self.handling.services.iter().any(|one| one == service))
    }

    /// Notes that it is about a service too.
    pub(crate) fn add_service(&mut self, service: &str) {
        if !service.is_empty() {
            add(&mut self.handling.services, service);
        }
    }
}

/// Adds a text to a list that has it at most once.
pub(crate) fn add(list: &mut Vec<String>, text: &str) {
    if !list.iter().any(|one| one == text) {
        list.push(text.to_owned());
    }
}

/// Reads the incident that an id stands for now: itself, or the one that it was merged into.
pub(crate) fn current(records: &dyn Records, id: &str) -> Result<Option<Incident>, LedgerError> {
    let mut found: Option<Incident> = read(records, LedgerTable::Incidents, id)?;
    // Merging goes into incidents that are not merged, so a chain grows at its end only and has no loop; the bound is for a
    // ledger that was written by hand.
    for _ in 0..MERGE_CHAIN_MAX {
        let Some(into) = found.as_ref().and_then(|incident| incident.handling.merged_into.clone()) else { break };
        found = read(records, LedgerTable::Incidents, &into)?;
    }
    Ok(found)
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
