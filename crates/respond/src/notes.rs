//! What people do with incidents: open one, write a note, say that they have seen it, that it is over, or that it is not.
//!
//! Every one of these may be sent twice: the second time it changes nothing and writes nothing. Each is one commit with its
//! entries in the timeline and in the audit trail.

use catalog::ledger::{LedgerError, LedgerTable, sha256_hex};
use model::Timestamp;
use serde_json::{Value as Json, json};

use crate::join::reopen;
use crate::writes::{Batch, read};
use crate::{EntryKind, Handling, Incident, IncidentState, RespondError, Responder};

/// Longest text of a note, in bytes.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;

/// Longest title, service or severity of an incident that a person opens, in bytes.
pub const TITLE_BYTES_MAX: usize = 256;

/// Longest name of a person, and longest key of a request, in bytes.
pub const AUTHOR_BYTES_MAX: usize = 128;

/// Who acts when nobody says.
const NOBODY: &str = "someone";

/// Why a request of a person is refused. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// There is no such incident.
    #[error("there is no incident {0:?}; GET /backstop/api/v1/incidents lists them")]
    NotFound(String),
    /// The incident is in a state in which this makes no sense.
    #[error("incident {id:?} {problem}")]
    State {
        /// The incident.
        id: String,
        /// What is in the way.
        problem: String,
        /// What to do instead.
        hint: String,
    },
    /// A field that can not be used.
    #[error("{field} {problem}")]
    Field {
        /// The field.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
        /// What would do.
        hint: String,
    },
    /// The ledger failed.
    #[error(transparent)]
    Respond(#[from] RespondError),
}

impl From<LedgerError> for DeskError {
    fn from(error: LedgerError) -> Self {
        Self::Respond(error.into())
    }
}

impl DeskError {
    /// What to do about it; may be empty.
    pub fn hint(&self) -> &str {
        match self {
            Self::State { hint, .. } | Self::Field { hint, .. } => hint,
            Self::NotFound(_) | Self::Respond(_) => "",
        }
    }
}

/// An incident that a person opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewIncident {
    /// What people call it.
    pub title: String,
    /// The service; may be empty.
    pub service: String,
    /// The severity, if it is known.
    pub severity: Option<String>,
    /// A key of the sender: the same key again finds the incident that it opened. Without one, an open incident of the same title
    /// and service that a person opened is found.
    pub key: Option<String>,
}

/// A note.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewNote {
    /// What it says.
    pub text: String,
    /// A key of the sender: a note of the same key is kept once. Without one, the same text of the same author is.
    pub key: Option<String>,
}

/// An incident after a request, and whether the request changed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The incident.
    pub incident: Incident,
    /// Whether anything changed: not when it was so already.
    pub changed: bool,
}

impl Changed {
    pub(crate) fn not(incident: Incident) -> Self {
        Self { incident, changed: false }
    }
}

impl Responder {
    /// Opens an incident by hand. Only a person resolves it.
    pub fn open_by_hand(&self, new: &NewIncident, author: &str, now: Timestamp) -> Result<Changed, DeskError> {
        let author = author_of(author)?;
        let title = text_of("title", &new.title, TITLE_BYTES_MAX)?;
        let service = optional("service", &new.service, TITLE_BYTES_MAX)?;
        let severity = optional("severity", new.severity.as_deref().unwrap_or(""), TITLE_BYTES_MAX)?;
        let key = optional("key", new.key.as_deref().unwrap_or(""), AUTHOR_BYTES_MAX)?;
        let _deciding = self.deciding.lock();
        let id = match key.as_str() {
            "" => incident_id(&json!(["by hand", title, service, now.to_string()])),
            key => incident_id(&json!(["by hand", key])),
        };
        let found: Option<Incident> = read(&*self.records, LedgerTable::Incidents, &id)?;
        let alike = |incident: &Incident| {
            incident.handling.held_open
                && incident.alerts.is_empty()
                && (&incident.title, &incident.service) == (&title, &service)
        };
        let found = match found {
            None if key.is_empty() => self.open_incidents()?.into_iter().find(alike),
            found => found,
        };
        if let Some(incident) = found {
            return Ok(Changed::not(incident));
        }
        let mut incident = Incident {
            id,
            title,
            service,
            group: String::new(),
            severity: Some(severity).filter(|severity| !severity.is_empty()),
            state: IncidentState::Open,
            started_at: now,
            opened_at: now,
            resolved_at: None,
            alerts: Vec::new(),
            firing: Vec::new(),
            runs: Vec::new(),
            active_runs: Vec::new(),
            change: None,
            outcome: None,
            handling: Handling { held_open: true, ..Handling::default() },
        };
        let service = incident.service.clone();
        incident.add_service(&service);
        let detail = json!({"title": incident.title, "service": incident.service, "severity": incident.severity, "author": author});
        let mut batch = Batch::new(now);
        batch.timeline(&incident.id, EntryKind::Note, format!("opened by {author}"), detail.clone());
        batch.audit_by(&author, "incident.opened", &incident.id, detail);
        self.keep(incident, batch)
    }

    /// Writes a note into the timeline, also into that of a resolved incident: what was learned belongs there.
    pub fn add_note(&self, id: &str, note: &NewNote, author: &str, now: Timestamp) -> Result<Changed, DeskError> {
        let author = author_of(author)?;
        let text = text_of("text", &note.text, NOTE_BYTES_MAX)?;
        let key = optional("key", note.key.as_deref().unwrap_or(""), AUTHOR_BYTES_MAX)?;
        let _deciding = self.deciding.lock();
        let incident = self.unmerged(id)?;
        let key = if key.is_empty() { json!(["note", author, text]) } else { json!(["note", key]) }.to_string();
        let detail = json!({"author": author, "text": text});
        let mut batch = Batch::new(now);
        let entry = batch.timeline_once(&incident.id, &key, EntryKind::Note, &text, detail.clone());
        if self.records.get(LedgerTable::Timeline, &entry).map_err(RespondError::from)?.is_some() {
            return Ok(Changed::not(incident));
        }
        batch.audit_by(&author, "incident.noted", &incident.id, detail);
        self.keep(incident, batch)
    }

    /// Says that somebody looks after it.
    pub fn acknowledge(&self, id: &str, author: &str, now: Timestamp) -> Result<Changed, DeskError> {
        let author = author_of(author)?;
        let _deciding = self.deciding.lock();
        let mut incident = self.unmerged(id)?;
        if incident.state == IncidentState::Resolved {
            let hint = "reopen it if it is not over";
            return Err(state(&incident, "is resolved; there is nothing to look after", hint));
        }
        if incident.handling.acked_by.as_deref() == Some(&author) {
            return Ok(Changed::not(incident));
        }
        let before = incident.handling.acked_by.replace(author.clone());
        incident.handling.acked_at = Some(now);
        let text = match &before {
            Some(before) => format!("{author} looks after it, in place of {before}"),
            None => format!("{author} looks after it"),
        };
        let detail = json!({"author": author, "before": before, "acked": true});
        let mut batch = Batch::new(now);
        batch.timeline(&incident.id, EntryKind::Note, text, detail.clone());
        batch.audit_by(&author, "incident.acknowledged", &incident.id, detail);
        self.keep(incident, batch)
    }

    /// Says that it is over. Alerts that still fire do not open it again; new ones do. A run that goes on has to end first.
    pub fn resolve_by_hand(&self, id: &str, note: &str, author: &str, now: Timestamp) -> Result<Changed, DeskError> {
        let author = author_of(author)?;
        let note = optional("note", note, NOTE_BYTES_MAX)?;
        let _deciding = self.deciding.lock();
        let mut incident = self.unmerged(id)?;
        if incident.state == IncidentState::Resolved {
            return Ok(Changed::not(incident));
        }
        if let Some(run) = incident.active_runs.first() {
            let problem = format!("has a run that goes on, {run}");
            return Err(state(
                &incident,
                &problem,
                "wait for its end, or engage the kill switch to stop it from acting",
            ));
        }
        incident.state = IncidentState::Resolved;
        incident.resolved_at = Some(now);
        incident.handling.resolved_by = Some(author.clone());
        incident.handling.held_open = false;
        incident.handling.flap.quiet_since = None;
        let firing = incident.firing.len();
        let mut text = format!("resolved by {author}");
        if firing > 0 {
            text.push_str(&format!(" while alerts still fire ({firing})"));
        }
        if !note.is_empty() {
            text.push_str(&format!(": {note}"));
        }
        let detail = json!({"author": author, "note": note, "state": "resolved", "firing": incident.firing});
        let mut batch = Batch::new(now);
        batch.timeline(&incident.id, EntryKind::Note, text, detail.clone());
        batch.audit_by(&author, "incident.resolved", &incident.id, detail);
        self.keep(incident, batch)
    }

    /// Says that it is not over. From then on only a person resolves it.
    pub fn reopen_by_hand(&self, id: &str, note: &str, author: &str, now: Timestamp) -> Result<Changed, DeskError> {
        let author = author_of(author)?;
        let note = optional("note", note, NOTE_BYTES_MAX)?;
        let _deciding = self.deciding.lock();
        let mut incident = self.unmerged(id)?;
        if incident.state == IncidentState::Open {
            return Ok(Changed::not(incident));
        }
        reopen(&mut incident, now);
        incident.handling.held_open = true;
        let mut text = format!("reopened by {author}");
        if !note.is_empty() {
            text.push_str(&format!(": {note}"));
        }
        let detail = json!({"author": author, "note": note, "reopened": incident.handling.reopened});
        let mut batch = Batch::new(now);
        batch.timeline(&incident.id, EntryKind::Note, text, detail.clone());
        batch.audit_by(&author, "incident.reopened", &incident.id, detail);
        self.keep(incident, batch)
    }

    pub(crate) fn keep(&self, incident: Incident, mut batch: Batch) -> Result<Changed, DeskError> {
        batch.put_incident(&incident);
        batch.commit(&*self.records)?;
        Ok(Changed { incident, changed: true })
    }

    pub(crate) fn known(&self, id: &str) -> Result<Incident, DeskError> {
        let found: Option<Incident> = read(&*self.records, LedgerTable::Incidents, id)?;
        found.ok_or_else(|| DeskError::NotFound(id.to_owned()))
    }

    fn unmerged(&self, id: &str) -> Result<Incident, DeskError> {
        let incident = self.known(id)?;
        match &incident.handling.merged_into {
            Some(into) => {
                Err(state(&incident, &format!("was merged into {into:?}"), &format!("send this to {into:?}")))
            }
            None => Ok(incident),
        }
    }
}

pub(crate) fn state(incident: &Incident, problem: &str, hint: &str) -> DeskError {
    DeskError::State { id: incident.id.clone(), problem: problem.to_owned(), hint: hint.to_owned() }
}

fn incident_id(parts: &Json) -> String {
    format!("inc-{}", &sha256_hex(parts.to_string().as_bytes())[..12])
}

pub(crate) fn author_of(author: &str) -> Result<String, DeskError> {
    let author = optional("author", author, AUTHOR_BYTES_MAX)?;
    Ok(if author.is_empty() { NOBODY.to_owned() } else { author })
}

fn text_of(field: &'static str, text: &str, bytes_max: usize) -> Result<String, DeskError> {
    let text = optional(field, text, bytes_max)?;
    if text.is_empty() {
        let hint = format!("give 1 to {bytes_max} bytes of text");
        return Err(DeskError::Field { field, problem: "is empty".to_owned(), hint });
    }
    Ok(text)
}

fn optional(field: &'static str, text: &str, bytes_max: usize) -> Result<String, DeskError> {
    let text = text.trim();
    if text.len() > bytes_max {
        let problem = format!("has {} bytes", text.len());
        return Err(DeskError::Field { field, problem, hint: format!("give at most {bytes_max}") });
    }
    Ok(text.to_owned())
}
