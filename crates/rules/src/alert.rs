//! What an alert is.

use std::collections::BTreeMap;

use catalog::ledger::time_text;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// The state of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    /// The condition holds, not yet for long enough.
    Pending,
    /// It fires.
    Firing,
    /// It fired, and the condition holds no more.
    Resolved,
}

impl AlertState {
    /// The word in APIs and files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
            Self::Resolved => "resolved",
        }
    }
}

/// What the state rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DataState {
    /// Values were measured at the last evaluation.
    Measured,
    /// There was no data, and the rule says that this is an alert.
    NoData,
    /// It could not be measured at the last evaluation: no data, or the query failed. The state is that of before.
    Unknown,
}

/// One alert: a rule and a label set, from when the condition first held until after it is resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its id: a hash of rule, labels and `active_at`. Each episode has one of its own.
    pub id: String,
    /// A hash of rule and labels: the same for every episode.
    pub fingerprint: String,
    /// The rule's name.
    pub rule: String,
    /// The rule's group.
    pub group: String,
    /// Its labels, `alertname` included.
    pub labels: BTreeMap<String, String>,
    /// Its annotations, filled in at the last evaluation.
    pub annotations: BTreeMap<String, String>,
    /// Its state.
    pub state: AlertState,
    /// When the condition began to hold.
    #[serde(with = "time_text")]
    pub active_at: Timestamp,
    /// When it began to fire.
    #[serde(default, with = "time_text::option", skip_serializing_if = "Option::is_none")]
    pub fired_at: Option<Timestamp>,
    /// Since when it only fires because of `keep_firing_for`.
    #[serde(default, with = "time_text::option", skip_serializing_if = "Option::is_none")]
    pub keep_firing_since: Option<Timestamp>,
    /// When it was resolved.
    #[serde(default, with = "time_text::option", skip_serializing_if = "Option::is_none")]
    pub resolved_at: Option<Timestamp>,
    /// The last value measured, `None` when there was none or it is no number that JSON can say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// All columns of a log rule's row.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Json>,
    /// What the state rests on.
    pub data: DataState,
    /// When the last evaluation was.
    #[serde(with = "time_text")]
    pub evaluated_at: Timestamp,
    /// How often it is evaluated, in nanoseconds.
    pub interval_ns: i64,
    /// The rule's query.
    pub query: String,
    /// The window of a log rule, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_ns: Option<i64>,
    /// The playbook that the rule names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<String>,
}

impl Alert {
    /// The service it is about, by its labels.
    pub fn service(&self) -> Option<&str> {
        service_of(&self.labels)
    }

    /// One line for people.
    pub fn summary(&self) -> String {
        let text = ["summary", "description"].iter().find_map(|name| self.annotations.get(*name));
        match text {
            Some(text) => text.clone(),
            None => format!("{} is {}", self.rule, self.state.as_str()),
        }
    }
}

/// The service that labels name: `service`, OpenTelemetry's `service.name` in either spelling, else Prometheus's `job`.
pub fn service_of(labels: &BTreeMap<String, String>) -> Option<&str> {
    ["service", "service.name", "service_name", "job"].iter().find_map(|name| labels.get(*name)).map(String::as_str)
}
