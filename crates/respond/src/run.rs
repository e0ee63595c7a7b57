//! A run of a playbook: everything needed to go on with it after a restart.

use std::collections::BTreeMap;

use catalog::ledger::{sha256_hex, time_text};
use change::Change;
use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Incident, Playbook, StepResult};

/// Whether a run has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It has not.
    Active,
    /// It has.
    Done,
}

impl RunState {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Done => "done",
        }
    }
}

/// How far the current step is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Not begun.
    Begin,
    /// An action is planned or started.
    Acting {
        /// Its key.
        action: String,
    },
    /// A verification runs.
    Verifying {
        /// Since when.
        #[serde(with = "time_text")]
        since: Timestamp,
        /// Since when the condition holds without a break.
        #[serde(default, with = "time_text::option")]
        holding_since: Option<Timestamp>,
        /// How many times in a row things were worse than before.
        #[serde(default)]
        worse: u32,
    },
    /// Something is tried again, or waited for.
    Waiting {
        /// Since when.
        #[serde(with = "time_text")]
        since: Timestamp,
    },
    /// People are asked.
    Asking {
        /// The approval's id.
        approval: String,
    },
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It acted, and the verification passed.
    Helped,
    /// It acted, and the verification did not pass.
    NotHelped,
    /// It acted, and things were worse than before; it was taken back where a step says how.
    Worse,
    /// It acted; the playbook verifies nothing.
    Acted,
    /// The action failed.
    Failed,
    /// Nobody knows whether the action happened or helped.
    Unknown,
    /// It did not act: the verdict or a guard forbade it, or nobody approved in time.
    Held,
    /// People said no.
    Rejected,
    /// It would have acted.
    Observed,
    /// It only told people.
    Notified,
}

impl Outcome {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helped => "helped",
            Self::NotHelped => "not_helped",
            Self::Worse => "worse",
            Self::Acted => "acted",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::Held => "held",
            Self::Rejected => "rejected",
            Self::Observed => "observed",
            Self::Notified => "notified",
        }
    }
}

/// A run of a playbook. It carries the playbook as it was when the run began: a file that changes meanwhile changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id: a hash of incident and playbook, so that an incident runs a playbook once.
    pub id: String,
    /// The incident.
    pub incident: String,
    /// The alert that began it.
    pub alert: String,
    /// The service.
    pub service: String,
    /// The playbook.
    pub playbook: Playbook,
    /// Whether it has ended.
    pub state: RunState,
    /// When it began.
    #[serde(with = "time_text")]
    pub created_at: Timestamp,
    /// When it wants to go on.
    #[serde(with = "time_text")]
    pub wake_at: Timestamp,
    /// How often it was written: it is only replaced as it was read, so that two processes never move it apart.
    #[serde(default)]
    pub version: u64,
    /// The current step.
    pub step: usize,
    /// When the current step began.
    #[serde(default, with = "time_text::option")]
    pub step_since: Option<Timestamp>,
    /// How far the current step is.
    pub phase: Phase,
    /// What steps found out, by their names.
    #[serde(default)]
    pub results: BTreeMap<String, StepResult>,
    /// What verifications compare with, measured before the first action, by the names of their steps.
    #[serde(default)]
    pub baselines: BTreeMap<String, f64>,
    /// Steps whose effect can be taken back, in the order in which they acted.
    #[serde(default)]
    pub undoable: Vec<usize>,
    /// Steps whose effect is being taken back, the last one first; the current step is the verification that asked for it.
    #[serde(default)]
    pub undoing: Vec<usize>,
    /// Why it waits to decide; said once in the timeline.
    pub hold_reason: Option<String>,
    /// The change that is blamed.
    pub change: Option<Change>,
    /// The key of its last action.
    pub action: Option<String>,
    /// Whether an action succeeded.
    pub acted: bool,
    /// Whether a verification passed.
    pub verified: bool,
    /// How it ended, or what its branch was taken for.
    pub outcome: Option<Outcome>,
    /// How it ended, for people.
    pub summary: String,
}

impl Run {
    /// A run that has not done anything.
    pub(crate) fn new(
        id: String,
        incident: &Incident,
        alert: &str,
        service: String,
        playbook: Playbook,
        now: Timestamp,
    ) -> Run {
        Run {
            id,
            incident: incident.id.clone(),
            alert: alert.to_owned(),
            service,
            playbook,
            state: RunState::Active,
            created_at: now,
            wake_at: now,
            version: 0,
            step: 0,
            step_since: None,
            phase: Phase::Begin,
            results: BTreeMap::new(),
            baselines: BTreeMap::new(),
            undoable: Vec::new(),
            undoing: Vec::new(),
            hold_reason: None,
            change: None,
            action: None,
            acted: false,
            verified: false,
            outcome: None,
            summary: String::new(),
        }
    }

    /// When the current step began.
    pub(crate) fn since(&self) -> Timestamp {
        self.step_since.unwrap_or(self.created_at)
    }

    /// Goes to a step.
    pub(crate) fn go_to(&mut self, step: usize, now: Timestamp) {
        self.step = step;
        self.step_since = Some(now);
        self.phase = Phase::Begin;
        self.hold_reason = None;
        self.wake_at = now;
    }
}

/// The id of the run of a playbook for an incident.
pub(crate) fn run_id(incident: &str, playbook: &str) -> String {
    format!("run-{}", &sha256_hex(format!("{incident}\0{playbook}").as_bytes())[..16])
}

/// The id of the run that begins anew when an incident is reopened for the n-th time.
pub(crate) fn run_id_again(incident: &str, playbook: &str, reopened: u32) -> String {
    run_id(&format!("{incident}\0{reopened}"), playbook)
}
