//! An action, and how it is carried out.

use catalog::ledger::{canonical_json, sha256_hex, time_text};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::{Call, Evidence, Mode, Verb};

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
    /// Its key: the hash of playbook, run, step, target, from and to. An incident has one run of a playbook, and one more for each
    /// time that it is reopened and the guards allow it.
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
    /// The group of services that the target is in: what guards count together.
    #[serde(default)]
    pub group: String,
    /// What is asked of the target.
    #[serde(default = "rollback")]
    pub verb: Verb,
    /// Whether it takes back the effect of the step.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub undo: bool,
    /// The mode of the playbook when it was decided.
    #[serde(default)]
    pub mode: Mode,
    /// The version that runs.
    pub from_version: String,
    /// The version to go to.
    pub to_version: String,
    /// Its state.
    pub state: ActionState,
    /// The approval that it waits for or was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<String>,
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
        format!("{}: {}", self.what(), self.state.as_str())
    }

    /// What is done, without how far it is.
    pub fn what(&self) -> String {
        let what = self.bare();
        if self.undo { format!("undoing: {what}") } else { what }
    }

    fn bare(&self) -> String {
        let (target, from, to) = (&self.target, &self.from_version, &self.to_version);
        match self.verb {
            Verb::Rollback => format!("rollback of {target} {from} -> {to}"),
            Verb::Restart => format!("restart of {target}"),
            Verb::Scale => format!("scaling of {target} to {to}"),
            Verb::Act => format!("action on {target}"),
        }
    }

    /// What is about to be done, as an order.
    pub(crate) fn order(&self) -> String {
        let (target, from, to) = (&self.target, &self.from_version, &self.to_version);
        match (self.undo, self.verb) {
            (true, _) => format!("take it back by {}", self.bare()),
            (false, Verb::Rollback) => format!("roll {target} back from {from} to {to}"),
            (false, Verb::Restart) => format!("restart {target}"),
            (false, Verb::Scale) => format!("scale {target} to {to}"),
            (false, Verb::Act) => format!("act on {target} by {}", self.kind()),
        }
    }

    /// The kind of its call.
    pub(crate) fn kind(&self) -> &'static str {
        self.request.as_ref().map_or("nothing", |request| request.call.kind())
    }
}

fn rollback() -> Verb {
    Verb::Rollback
}

/// The key of an action. Whoever decides the same thing again gets the same key, and the ledger keeps it from happening twice.
pub(crate) fn action_key(playbook: &str, run: &str, step: usize, undo: bool, goes: (&str, &str, &str)) -> String {
    let (target, from, to) = goes;
    let mut parts = vec![json!(playbook), json!(run), json!(step), json!(target), json!(from), json!(to)];
    if undo {
        parts.push(json!("undo"));
    }
    sha256_hex(canonical_json(&json!(parts)).as_bytes())[..32].to_owned()
}

/// What an executor is asked to do. All templates are filled in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActionRequest {
    /// The action's key; executors send it along, so that the other side can tell a repetition.
    pub key: String,
    /// The fencing token of the lease on the target: it only grows, so the other side can refuse whoever comes late. 0 without one.
    #[serde(default)]
    pub fence: u64,
    /// How long it may take, in nanoseconds.
    pub timeout_ns: i64,
    /// What is asked.
    pub verb: Verb,
    /// The version that should run now; empty when that does not matter.
    #[serde(default)]
    pub from_version: String,
    /// The version to go to; empty when there is none.
    #[serde(default)]
    pub to_version: String,
    /// The number of instances to scale to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// What the precheck saw at the target: the action must not replace anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What to call.
    pub call: Call,
}

/// What a look at the target said before anything is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "precheck")]
pub enum Precheck {
    /// The kind can not look.
    NotOffered,
    /// The action would do what it should.
    Ready {
        /// What a dry run said, for people.
        detail: String,
        /// The revision that it would replace, as the target names it.
        revision: Option<String>,
    },
    /// It must not be done: another revision is there, the target is gone, a reconciler would undo it.
    Refused {
        /// Why, and what to do instead.
        detail: String,
    },
    /// The look itself failed; this is not "ready".
    Unknown {
        /// Why.
        detail: String,
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
    /// Looks at the target and runs the action dry, without changing anything.
    fn precheck(&self, _request: &ActionRequest) -> Precheck {
        Precheck::NotOffered
    }

    /// Carries out one. The side effect must not begin before this is called, nor after it returned.
    fn execute(&self, request: &ActionRequest) -> ActionResult;
}
