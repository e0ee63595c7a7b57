//! What the ledger keeps of a watch.

use catalog::ledger::{AuditEntry, Document, LedgerError, LedgerTable, Records, Write, time_text};
use change::Change;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;
use verdict::{Card, Message, Verdict, stored_message};

use crate::Beside;

/// Most changes of its verdict that a record keeps: the latest.
pub const HISTORY_MAX: usize = 50;

/// Whether a watch has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WatchState {
    /// It goes on.
    Watching,
    /// It has ended.
    Ended,
}

impl WatchState {
    /// The word in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Watching => "watching",
            Self::Ended => "ended",
        }
    }
}

/// A verdict that a watch had.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HistoryEntry {
    /// Since when.
    #[serde(with = "time_text")]
    pub at: Timestamp,
    /// The verdict.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// Why.
    pub detail: String,
    /// The same for readers of any language; nothing in records of before there was one.
    #[serde(default, deserialize_with = "stored_message", skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
}

/// A watch as the ledger has it. Its id is the change's key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WatchRecord {
    /// The change, `source/id`.
    pub id: String,
    /// The service.
    pub service: String,
    /// The change.
    pub change: Change,
    /// Whether it goes on.
    pub state: WatchState,
    /// When it began: when the change did.
    #[serde(with = "time_text")]
    pub started_at: Timestamp,
    /// When it ends.
    #[serde(with = "time_text")]
    pub ends_at: Timestamp,
    /// When it was first called bad, if it was.
    #[serde(default, with = "time_text::option", skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Timestamp>,
    /// When it was last judged.
    #[serde(with = "time_text")]
    pub evaluated_at: Timestamp,
    /// How far apart two looks are now, in nanoseconds.
    pub interval_ns: i64,
    /// Whether there is anything to compare with: counts of the service, and a time before or another version. Without, no verdict
    /// will ever come.
    pub comparable: bool,
    /// What it compares, for people.
    pub sources: Vec<String>,
    /// What the new and the old version did while both served: exact counts for whoever asks which change is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beside: Option<Beside>,
    /// The newest card.
    pub card: Card,
    /// The card that first called it bad: what was decided on, when the version is long gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided: Option<Card>,
    /// Its verdicts, the latest last.
    pub history: Vec<HistoryEntry>,
}

impl WatchRecord {
    /// Of a watch that begins at `now`. When it ends and what it compares is filled in with each look.
    pub(crate) fn begin(change: &Change, card: &Card, now: Timestamp) -> Self {
        Self {
            id: change.key(),
            service: change.target.service.clone(),
            change: change.clone(),
            state: WatchState::Watching,
            started_at: change.started_at,
            ends_at: now,
            decided_at: None,
            evaluated_at: now,
            interval_ns: 0,
            comparable: false,
            sources: Vec::new(),
            beside: None,
            card: card.clone(),
            decided: None,
            history: Vec::new(),
        }
    }

    /// Puts a newer card in. True when the verdict is another one.
    pub fn judge(&mut self, card: Card, now: Timestamp) -> bool {
        self.evaluated_at = now;
        let changed = self.history.last().is_none_or(|last| last.verdict != card.verdict);
        if changed {
            let (verdict, detail, message) = (card.verdict.clone(), card.detail.clone(), card.message.clone());
            self.history.push(HistoryEntry { at: now, verdict, detail, message });
            let surplus = self.history.len().saturating_sub(HISTORY_MAX);
            self.history.drain(..surplus);
        }
        if card.verdict == Verdict::Bad && self.decided_at.is_none() {
            self.decided_at = Some(now);
            self.decided = Some(card.clone());
        }
        self.card = card;
        changed
    }

    /// Writes it; with an entry in the audit trail when its verdict changed.
    pub fn commit(&self, audited: bool, records: &dyn Records) -> Result<(), LedgerError> {
        let summary = format!("{}: {}", self.change.summary(), self.card.verdict.text());
        let unreadable = |source| LedgerError::Document { table: "watches", id: self.id.clone(), source };
        let mut body = serde_json::to_value(self).map_err(unreadable)?;
        body["summary"] = summary.clone().into();
        let document = Document {
            id: self.id.clone(),
            time: self.started_at,
            service: self.service.clone(),
            state: self.state.as_str().to_owned(),
            body,
        };
        let mut writes = vec![Write::Put(LedgerTable::Watches, document)];
        if audited {
            writes.push(Write::Audit(AuditEntry {
                time: self.evaluated_at,
                actor: "watch".to_owned(),
                verb: "verdict.changed".to_owned(),
                subject: self.id.clone(),
                detail: json!({"summary": summary, "card": self.card}),
            }));
        }
        records.commit(writes)
    }
}

/// The watch over a change, if there is one.
pub fn record_of(records: &dyn Records, change: &str) -> Result<Option<WatchRecord>, LedgerError> {
    records.get(LedgerTable::Watches, change)?.map(read).transpose()
}

pub(crate) fn read(document: Document) -> Result<WatchRecord, LedgerError> {
    let id = document.id;
    serde_json::from_value(document.body).map_err(|source| LedgerError::Document { table: "watches", id, source })
}
