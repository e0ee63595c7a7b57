//! The documents of the loop, and batches of writes that say what happened three times: in the state, in the timeline, in the
//! audit trail.

use catalog::ledger::{AuditEntry, Document, LedgerError, LedgerTable, Records, Write, sha256_hex};
use model::Timestamp;
use rules::Alert;
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};

use crate::{Action, EntryKind, Incident, Notification, Run, TimelineEntry};

/// Who writes the audit entries of this crate.
pub(crate) const ACTOR: &str = "respond";

/// A batch under construction. Everything in it is committed at once.
pub(crate) struct Batch {
    now: Timestamp,
    writes: Vec<Write>,
}

impl Batch {
    pub(crate) fn new(now: Timestamp) -> Self {
        Self { now, writes: Vec::new() }
    }

    /// The time that everything in it happens at.
    pub(crate) fn now(&self) -> Timestamp {
        self.now
    }

    pub(crate) fn commit(self, records: &dyn Records) -> Result<(), LedgerError> {
        if self.writes.is_empty() { Ok(()) } else { records.commit(self.writes) }
    }

    pub(crate) fn put_alert(&mut self, alert: &Alert) {
        let document = Document {
            id: alert.id.clone(),
            time: alert.fired_at.unwrap_or(alert.active_at),
            service: alert.service().unwrap_or("").to_owned(),
            state: alert.state.as_str().to_owned(),
            body: with_summary(json!(alert), alert.summary()),
        };
        self.writes.push(Write::Put(LedgerTable::Alerts, document));
    }

    pub(crate) fn put_incident(&mut self, incident: &Incident) {
        let document = Document {
            id: incident.id.clone(),
            time: incident.opened_at,
            service: incident.service.clone(),
            state: incident.state.as_str().to_owned(),
            body: with_summary(json!(incident), incident.title.clone()),
        };
        self.writes.push(Write::Put(LedgerTable::Incidents, document));
    }

    /// Replaces a run as it was read; the batch fails when someone else has moved it on meanwhile. Once a batch.
    pub(crate) fn put_run(&mut self, run: &Run) {
        let (table, id) = (LedgerTable::Runs, run.id.clone());
        self.writes.push(Write::Expect { table, id, key: "version", is: run.version });
        let mut document = run_document(run);
        document.body["version"] = json!(run.version + 1);
        self.writes.push(Write::Put(table, document));
    }

    /// Adds any write.
    pub(crate) fn push(&mut self, write: Write) {
        self.writes.push(write);
    }

    pub(crate) fn insert_run(&mut self, run: &Run) {
        self.writes.push(Write::Insert(LedgerTable::Runs, run_document(run)));
    }

    pub(crate) fn insert_action(&mut self, action: &Action) {
        self.writes.push(Write::Insert(LedgerTable::Actions, action_document(action)));
        self.audit_action(action);
    }

    /// Moves an action on; the batch fails when it is not in the state `from`.
    pub(crate) fn move_action(&mut self, from: &'static str, action: &Action) {
        self.writes.push(Write::Transition { table: LedgerTable::Actions, from, to: action_document(action) });
        self.audit_action(action);
    }

    pub(crate) fn timeline(&mut self, incident: &str, kind: EntryKind, summary: impl Into<String>, detail: Json) {
        let summary = summary.into();
        let hash = sha256_hex(format!("{}\0{summary}\0{}", kind.as_str(), self.writes.len()).as_bytes());
        let id = format!("{incident}/{:020}/{}", self.now.0, &hash[..12]);
        self.entry(id, incident, kind, summary, detail);
    }

    /// An entry that is kept once, however often it is written: by its key within the incident.
    /// Answers its id.
    pub(crate) fn timeline_once(
        &mut self,
        incident: &str,
        key: &str,
        kind: EntryKind,
        summary: &str,
        detail: Json,
    ) -> String {
        let id = format!("{incident}/once/{}", &sha256_hex(key.as_bytes())[..16]);
        self.entry(id.clone(), incident, kind, summary.to_owned(), detail);
        id
    }

    fn entry(&mut self, id: String, incident: &str, kind: EntryKind, summary: String, detail: Json) {
        let entry = TimelineEntry { incident: incident.to_owned(), kind, at: self.now, summary, detail };
        let document = Document {
            id,
            time: self.now,
            service: String::new(),
            state: kind.as_str().to_owned(),
            body: json!(entry),
        };
        self.writes.push(Write::InsertOrKeep(LedgerTable::Timeline, document));
    }

    pub(crate) fn audit(&mut self, verb: &str, subject: &str, detail: Json) {
        self.audit_by(ACTOR, verb, subject, detail);
    }

    /// Like `audit`, for what a person did.
    pub(crate) fn audit_by(&mut self, actor: &str, verb: &str, subject: &str, detail: Json) {
        self.writes.push(Write::Audit(AuditEntry {
            time: self.now,
            actor: actor.to_owned(),
            verb: verb.to_owned(),
            subject: subject.to_owned(),
            detail,
        }));
    }

    pub(crate) fn queue(&mut self, notification: &Notification) {
        let document = Document {
            id: notification.id.clone(),
            time: self.now,
            service: notification.incident.service.clone(),
            state: "queued".to_owned(),
            body: json!({"notification": notification, "attempts": 0}),
        };
        self.writes.push(Write::InsertOrKeep(LedgerTable::Outbox, document));
    }

    fn audit_action(&mut self, action: &Action) {
        let verb = format!("action.{}", action.state.as_str());
        let detail = json!({
            "summary": action.summary(), "incident": action.incident, "run": action.run, "playbook": action.playbook,
            "request": action.request, "evidence": action.evidence, "detail": action.detail,
        });
        self.audit(&verb, &action.key, detail);
    }
}

fn with_summary(mut body: Json, summary: String) -> Json {
    body["summary"] = Json::String(summary);
    body
}

fn run_document(run: &Run) -> Document {
    Document {
        id: run.id.clone(),
        time: run.created_at,
        service: run.service.clone(),
        state: run.state.as_str().to_owned(),
        body: json!(run),
    }
}

fn action_document(action: &Action) -> Document {
    Document {
        id: action.key.clone(),
        time: action.started_at.unwrap_or(action.planned_at),
        service: action.target.clone(),
        state: action.state.as_str().to_owned(),
        body: with_summary(json!(action), action.summary()),
    }
}

/// Reads a document by its id.
pub(crate) fn read<T: DeserializeOwned>(
    records: &dyn Records,
    table: LedgerTable,
    id: &str,
) -> Result<Option<T>, LedgerError> {
    records.get(table, id)?.map(|document| parse(table, document)).transpose()
}

/// Reads a document's body.
pub(crate) fn parse<T: DeserializeOwned>(table: LedgerTable, document: Document) -> Result<T, LedgerError> {
    let id = document.id;
    serde_json::from_value(document.body).map_err(|source| LedgerError::Document { table: table.as_str(), id, source })
}
