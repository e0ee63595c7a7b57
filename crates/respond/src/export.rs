//! An incident with everything that belongs to it, and the report of it in Markdown.
//!
//! What an attacker or a program wrote (log lines, labels, outputs, notes) is data here: it is escaped in running text and in
//! tables, and fenced by a longer fence than it holds itself, so that it can not become a heading, a link or a picture.

use catalog::ledger::{Filter, LedgerError, LedgerTable, Records};
use serde_json::Value as Json;

use crate::writes::{parse, read};
use crate::{Incident, TimelineEntry};

mod markdown;
mod text;

/// Most entries of a timeline that a dossier holds.
pub const EXPORT_ENTRIES_MAX: usize = 10_000;

/// The longest output of an action that a report shows, in bytes; a longer one is cut, and says so.
pub const EXPORT_OUTPUT_BYTES_MAX: usize = 8 * 1024;

/// An incident and everything that belongs to it, of the incidents that were merged into it too.
#[derive(Clone, Debug)]
pub struct Dossier {
    /// The incident.
    pub incident: Incident,
    /// Its timeline, in the order in which things happened.
    pub timeline: Vec<TimelineEntry>,
    /// Its alerts, as the ledger has them.
    pub alerts: Vec<Json>,
    /// Its actions, in the order in which they were decided.
    pub actions: Vec<Json>,
    /// The change that is blamed.
    pub change: Option<Json>,
    /// The watch over that change, with its evidence and the history of its verdict.
    pub watch: Option<Json>,
}

impl Dossier {
    /// The report, in Markdown as GitHub and GitLab read it.
    pub fn markdown(&self) -> String {
        markdown::report(self)
    }
}

/// Collects the dossier of an incident; nothing when there is no such incident.
pub fn dossier(records: &dyn Records, id: &str) -> Result<Option<Dossier>, LedgerError> {
    let Some(incident) = read::<Incident>(records, LedgerTable::Incidents, id)? else { return Ok(None) };
    let ids: Vec<&str> = std::iter::once(id).chain(incident.handling.merged.iter().map(String::as_str)).collect();
    let mut timeline: Vec<TimelineEntry> = Vec::new();
    for id in &ids {
        let filter = Filter { id_prefix: Some(format!("{id}/")), limit: EXPORT_ENTRIES_MAX, ..Filter::default() };
        for document in records.list(LedgerTable::Timeline, &filter)? {
            timeline.push(parse(LedgerTable::Timeline, document)?);
        }
    }
    // Both sides of a merge say so; told together, once is enough.
    timeline.retain(|entry| entry.incident == id || entry.detail["into"] != id);
    // The ledger lists each incident's entries in their order already; a stable sort keeps it within one instant.
    timeline.sort_by_key(|entry| entry.at);
    let body = |table, id: &str| Ok::<_, LedgerError>(records.get(table, id)?.map(|document| document.body));
    let mut alerts = Vec::new();
    for alert in &incident.alerts {
        alerts.extend(body(LedgerTable::Alerts, alert)?);
    }
    let (mut change, mut watch) = (None, None);
    if let Some(key) = &incident.change {
        change = body(LedgerTable::Changes, key)?;
        watch = body(LedgerTable::Watches, key)?.map(unfolded);
    }
    let actions = actions(records, &incident, &ids)?;
    Ok(Some(Dossier { incident, timeline, alerts, actions, change, watch }))
}

/// A watch with its card's parts beside its own fields, as clients read it.
fn unfolded(mut watch: Json) -> Json {
    if let Json::Object(card) = watch["card"].take() {
        for (name, part) in card {
            watch[name] = part;
        }
    }
    if let Some(fields) = watch.as_object_mut() {
        fields.remove("card");
    }
    watch
}

/// The actions of its runs. All actions since it began are looked at: a run may act on another service than its own.
fn actions(records: &dyn Records, incident: &Incident, ids: &[&str]) -> Result<Vec<Json>, LedgerError> {
    let range = model::TimeRange::new(incident.started_at, model::Timestamp(i64::MAX));
    let filter = Filter { range, ..Filter::default() };
    let found = records.list(LedgerTable::Actions, &filter)?;
    let ours = |body: &Json| body["incident"].as_str().is_some_and(|id| ids.contains(&id));
    Ok(found.into_iter().map(|document| document.body).filter(ours).collect())
}
