//! An action, and how it is carried out.

use std::collections::BTreeMap;

use catalog::ledger::{canonical_json, sha256_hex, time_text};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::Evidence;

/// The state of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActionState {
    /// Decided, not begun.
    Planned,
    /// Begun: the side effect may have happened.
    Started,
    /// It happened, and said that it went well.
    Succeeded,
    /// It did not happen, or said that it went wrong.
    Failed,
    /// Nobody knows whether it happened. Never retried.
    Unknown,
    /// Decided against.
    Refused,
    /// It would have happened, were the playbook in mode auto.
    Observed,
}

impl ActionState {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Refused => "refused",
            Self::Observed => "observed",
        }
    }

    /// The states in which the side effect happened or may have.
    pub(crate) fn acted() -> Vec<String> {
        [Self::Started, Self::Succeeded, Self::Failed, Self::Unknown].map(|state| state.as_str().to_owned()).to_vec()
    }
}

/// An action: decided, done, or decided against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Action {
    /// Its key: the hash of playbook, incident, step, target, from and to.
    pub key: String,
    /// The run that it belongs to.
    pub run: String,
    /// The incident.
    pub incident: String,
    /// The playbook's name.
    pub playbook: String,
    /// The step's place in the playbook.
    pub step: usize,
    /// The service that is acted on.
    pub target: String,
    /// The version that runs.
    pub from_version: String,
    /// The version to go to.
    pub to_version: String,
    /// Its state.
    pub state: ActionState,
    /// What is called; nothing for a refused action that never got so far.
    pub request: Option<ActionRequest>,
    /// What the decision rests on.
    pub evidence: Evidence,
    /// When it was decided.
    #[serde(with = "time_text")]
    pub planned_at: Timestamp,
    /// When it began.
    #[serde(default, with = "time_text::option", skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, with = "time_text::option", skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// How it ended, or why it was refused.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What it printed or answered, capped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
}

impl Action {
    /// One line for people.
    pub fn summary(&self) -> String {
        let (state, target, from, to) = (self.state.as_str(), &self.target, &self.from_version, &self.to_version);
        format!("rollback of {target} {from} -> {to}: {state}")
    }
}

/// The key of an action.
pub(crate) fn action_key(playbook: &str, incident: &str, step: usize, target: &str, from: &str, to: &str) -> String {
    let parts = json!([playbook, incident, step, target, from, to]);
    sha256_hex(canonical_json(&parts).as_bytes())[..32].to_owned()
}

/// What an executor is asked to do. All templates are filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionRequest {
    /// The action's key; executors send it along, so that the other side can tell a repetition.
    pub key: String,
    /// How long it may take, in nanoseconds.
    pub timeout_ns: i64,
    /// What to call.
    pub call: Call,
}

/// What to call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Call {
    /// An HTTP request.
    Http {
        /// The method.
        method: String,
        /// The URL.
        url: String,
        /// Headers.
        headers: BTreeMap<String, String>,
        /// The body, sent as JSON.
        body: Option<Json>,
        /// The statuses that mean success; any 2xx when empty.
        expect_status: Vec<u16>,
    },
    /// A program.
    Exec {
        /// The absolute path of the program and its arguments.
        argv: Vec<String>,
        /// Its whole environment.
        env: BTreeMap<String, String>,
    },
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActionResult {
    /// Succeeded, Failed (it certainly did not happen, or said that it went wrong) or Unknown.
    pub state: ActionState,
    /// What happened, with the numbers.
    pub detail: String,
    /// What was printed or answered, capped and redacted.
    pub output: String,
    /// When it ended.
    pub finished_at: Timestamp,
}

/// Carries out actions. Implementations block and do not retry.
pub trait Executor: Send + Sync {
    /// Carries out one. The side effect must not begin before this is called, nor after it returned.
    fn execute(&self, request: &ActionRequest) -> ActionResult;
}
