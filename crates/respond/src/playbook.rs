//! What a playbook is.

use std::collections::BTreeMap;

use rules::When;
use serde::{Deserialize, Serialize};

use crate::Call;

const MINUTE_NS: i64 = 60_000_000_000;

/// How long after a rollback of a target the next one is refused, unless the playbook says otherwise.
pub(crate) const COOLDOWN_NS_DEFAULT: i64 = 30 * MINUTE_NS;

/// How long before an alert a change can have been to be blamed, unless the playbook says otherwise.
pub(crate) const CHANGE_WITHIN_NS_DEFAULT: i64 = 30 * MINUTE_NS;

/// How many actions a playbook may start per hour, unless it says otherwise.
pub(crate) const ACTIONS_PER_HOUR_DEFAULT: u32 = 3;

/// How long an action may take, unless the step says otherwise.
pub(crate) const ACTION_TIMEOUT_NS_DEFAULT: i64 = MINUTE_NS;

/// A playbook: what to do about an alert, under which conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Playbook {
    /// Its name.
    pub name: String,
    /// The file it comes from.
    pub file: String,
    /// How far it may go.
    pub mode: Mode,
    /// Labels that an alert must have for the playbook to run for it; empty when only rules name it.
    pub matches: BTreeMap<String, String>,
    /// What must be known before it acts.
    pub requires: Requires,
    /// What keeps it from acting.
    pub guards: Guards,
    /// Its steps.
    pub steps: Vec<Step>,
}

impl Playbook {
    /// The place of the step with an id.
    pub fn step_by_id(&self, id: &str) -> Option<usize> {
        self.steps.iter().position(|step| step.id.as_deref() == Some(id))
    }

    /// Whether a step is where some `on_fail` goes to. The straight path ends before such a step: it is a branch.
    pub fn is_branch(&self, step: usize) -> bool {
        let id = self.steps.get(step).and_then(|step| step.id.as_deref());
        id.is_some_and(|id| self.steps.iter().any(|step| step.on_fail.as_deref() == Some(id)))
    }
}

/// How far a playbook may go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// It records what it would have done.
    #[default]
    Observe,
    /// Like observe, until suggestions exist.
    Suggest,
    /// Like observe, until approvals exist.
    Approve,
    /// It acts.
    Auto,
}

impl Mode {
    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Observe => "observe",
            Self::Suggest => "suggest",
            Self::Approve => "approve",
            Self::Auto => "auto",
        }
    }
}

/// What must be known before a playbook acts. The verdict must be Bad whatever a file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requires {
    /// How long before the alert the change may have begun, in nanoseconds.
    pub change_within_ns: i64,
}

impl Default for Requires {
    fn default() -> Self {
        Self { change_within_ns: CHANGE_WITHIN_NS_DEFAULT }
    }
}

/// What keeps a playbook from acting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guards {
    /// The least time between two actions on one target, in nanoseconds.
    pub cooldown_ns: i64,
    /// Window in nanoseconds, and how many actions of this playbook it may hold.
    pub max_per: Vec<(i64, u32)>,
    /// How many targets one incident may touch.
    pub max_targets: usize,
}

impl Default for Guards {
    fn default() -> Self {
        Self {
            cooldown_ns: COOLDOWN_NS_DEFAULT,
            max_per: vec![(60 * MINUTE_NS, ACTIONS_PER_HOUR_DEFAULT)],
            max_targets: 1,
        }
    }
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its id, for `goto`.
    pub id: Option<String>,
    /// What it does.
    pub kind: StepKind,
    /// Where to go when it fails; without it the run ends and people are paged.
    pub on_fail: Option<String>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Undoes the change.
    Rollback(Rollback),
    /// Waits until a condition holds.
    Verify(Verify),
    /// Tells people.
    Notify(NotifyStep),
}

/// A rollback.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollback {
    /// The service to roll back, a template; the incident's service without it.
    pub service: Option<String>,
    /// The version to go to, a template; `None` for the version before the change.
    pub to: Option<String>,
    /// How long it may take, in nanoseconds.
    pub timeout_ns: i64,
    /// How it is done; all texts are templates.
    pub call: Call,
}

/// A condition that must come to hold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verify {
    /// What is asked.
    pub query: VerifyQuery,
    /// How long it must hold without a break, in nanoseconds.
    pub for_ns: i64,
    /// How long to wait for that, in nanoseconds.
    pub within_ns: i64,
}

/// What a verification asks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VerifyQuery {
    /// PromQL that yields at least one sample when all is well.
    Expr(String),
    /// A log query; all is well when there are rows and all meet the condition.
    Logs {
        /// The query.
        query: String,
        /// How far it looks back, in nanoseconds.
        window_ns: i64,
        /// The condition's text.
        when: String,
    },
}

impl VerifyQuery {
    /// The query's text.
    pub fn text(&self) -> String {
        match self {
            Self::Expr(expr) => expr.clone(),
            Self::Logs { query, when, .. } => format!("{query} when {when}"),
        }
    }

    /// The condition of a log query. It was checked when the file was loaded.
    pub(crate) fn condition(&self) -> Option<When> {
        match self {
            Self::Expr(_) => None,
            Self::Logs { when, .. } => When::parse(when).ok(),
        }
    }
}

/// Whom to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifyStep {
    /// The receiver's name.
    pub receiver: String,
    /// The name of the text.
    pub template: Option<String>,
}
