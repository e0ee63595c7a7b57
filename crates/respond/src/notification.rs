//! What people are told.

use catalog::ledger::time_text;
use change::Change;
use model::Timestamp;
use rules::Alert;
use serde::{Deserialize, Serialize};

use crate::{Action, Incident};

/// A notification in the outbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Notification {
    /// Its id: receivers may see a notification twice, and tell by this.
    pub id: String,
    /// The receiver's name.
    pub receiver: String,
    /// The name of the text, as the playbook gives it; `escalation` for pages that no step asked for.
    pub template: String,
    /// For people: what happened.
    pub text: String,
    /// When it was queued.
    #[serde(with = "time_text")]
    pub at: Timestamp,
    /// The incident.
    pub incident: Incident,
    /// Its alerts.
    pub alerts: Vec<Alert>,
    /// The change that is blamed.
    pub change: Option<Change>,
    /// The last action of the run.
    pub action: Option<Action>,
    /// How the run stands: `helped`, `not_helped`, ...; `running` before its end.
    pub outcome: String,
}
