//! Merging incidents by hand: one tells the stories of both from then on.
//!
//! Nothing is moved. The merged incident keeps its timeline, and its runs go on under its id; whoever reads the other one reads both
//! ([`crate::dossier`]), and what a run has to say of its incident it says of the other one.

use model::Timestamp;
use serde_json::json;

use crate::incident::add;
use crate::notes::{author_of, state};
use crate::writes::Batch;
use crate::{Changed, DeskError, EntryKind, Incident, IncidentState, Responder};

/// Most incidents that one incident may hold.
pub const MERGED_MAX: usize = 100;

/// What is merged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merge {
    /// The incident that becomes a part of the other.
    pub id: String,
    /// The incident that goes on.
    pub into: String,
}

impl Responder {
    /// Merges an incident into another one; answers the one that goes on.
    pub fn merge(&self, merge: &Merge, author: &str, now: Timestamp) -> Result<Changed, DeskError> {
        let author = author_of(author)?;
        let Merge { id, into } = merge;
        if id == into {
            let (problem, hint) = ("names the incident itself".to_owned(), "name another incident".to_owned());
            return Err(DeskError::Field { field: "into", problem, hint });
        }
        let _deciding = self.deciding.lock();
        let (mut from, mut to) = (self.known(id)?, self.known(into)?);
        match &from.handling.merged_into {
            Some(there) if there == into => return Ok(Changed::not(to)),
            Some(there) => {
                return Err(state(&from, &format!("was merged into {there:?}"), &format!("merge {there:?} instead")));
            }
            None => {}
        }
        if let Some(there) = &to.handling.merged_into {
            return Err(state(&to, &format!("was merged into {there:?}"), &format!("merge into {there:?} instead")));
        }
        if to.state == IncidentState::Resolved && from.state == IncidentState::Open {
            let hint = "reopen it first, or merge the other way round";
            return Err(state(&to, "is resolved, and the other one is open", hint));
        }
        if to.handling.merged.len() + from.handling.merged.len() >= MERGED_MAX {
            return Err(state(&to, &format!("holds {MERGED_MAX} incidents already"), "merge into another one"));
        }
        take_over(&mut from, &mut to);
        let mut batch = Batch::new(now);
        let detail =
            json!({"author": author, "merged": from.id, "into": to.id, "title": from.title, "service": from.service});
        let text = format!("{author} merged this into {} ({})", to.id, to.title);
        batch.timeline(&from.id, EntryKind::Note, text, detail.clone());
        let text = format!("{author} merged {} ({}) into this", from.id, from.title);
        batch.timeline(&to.id, EntryKind::Note, text, detail.clone());
        batch.audit_by(&author, "incident.merged", &from.id, detail);
        batch.put_incident(&from);
        self.keep(to, batch)
    }
}

fn take_over(from: &mut Incident, to: &mut Incident) {
    for (ours, theirs) in [
        (&mut to.alerts, &from.alerts),
        (&mut to.firing, &from.firing),
        (&mut to.runs, &from.runs),
        (&mut to.active_runs, &from.active_runs),
        (&mut to.handling.fingerprints, &from.handling.fingerprints),
        (&mut to.handling.services, &from.handling.services),
        (&mut to.handling.merged, &from.handling.merged),
    ] {
        theirs.iter().for_each(|one| add(ours, one));
    }
    let (own, service) = (to.service.clone(), from.service.clone());
    to.add_service(&own);
    to.add_service(&service);
    add(&mut to.handling.merged, &from.id);
    to.started_at = to.started_at.min(from.started_at);
    to.handling.last_alert_at = to.handling.last_alert_at.max(from.handling.last_alert_at);
    to.handling.held_open |= from.handling.held_open && to.state == IncidentState::Open;
    to.change = to.change.take().or_else(|| from.change.clone());
    to.outcome = to.outcome.take().or_else(|| from.outcome.clone());
    if !to.firing.is_empty() {
        to.handling.flap.quiet_since = None;
    }
    from.state = IncidentState::Merged;
    from.handling.merged_into = Some(to.id.clone());
    from.handling.held_open = false;
    from.firing.clear();
    from.active_runs.clear();
}
