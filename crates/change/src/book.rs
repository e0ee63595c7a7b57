//! The book of changes: records them in the ledger, finds them again.

use std::sync::Arc;

use catalog::ledger::{AuditEntry, Document, Filter, LedgerError, LedgerTable, Records, Write};
use model::{TimeRange, Timestamp};
use serde_json::{Value as Json, json};

use crate::{Change, ChangeError, ChangeReport};

/// Most changes that one look at a service considers, the latest.
pub const RECENT_MAX: usize = 200;

/// What became of a delivery.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// The record after it.
    pub change: Change,
    /// Whether the change was not known before.
    pub created: bool,
    /// Whether it altered the record; a duplicate does not.
    pub altered: bool,
}

/// Why a delivery was not recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The delivery is at fault.
    #[error(transparent)]
    Refused(#[from] ChangeError),
    /// The ledger is.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// The changes in a ledger.
#[derive(Clone)]
pub struct ChangeBook {
    records: Arc<dyn Records>,
}

impl ChangeBook {
    /// The book over a ledger.
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self { records }
    }

    /// Records a delivery in the native JSON shape, which arrived at `now` from the principal `actor`.
    pub fn record(&self, delivery: &Json, actor: &str, now: Timestamp) -> Result<Recorded, RecordError> {
        let report = ChangeReport::from_json(delivery)?;
        let known = self.get(&report.source, &report.id)?;
        let change = report.merge_over(known.as_ref(), now)?;
        let (created, altered) = (known.is_none(), known.as_ref() != Some(&change));
        if altered {
            let verb = if created { "change.recorded" } else { "change.updated" };
            let audit = AuditEntry {
                time: now,
                actor: actor.to_owned(),
                verb: verb.to_owned(),
                subject: change.key(),
                detail: json!({"summary": change.summary(), "service": change.target.service}),
            };
            self.records.commit(vec![Write::Put(LedgerTable::Changes, document(&change)?), Write::Audit(audit)])?;
        }
        Ok(Recorded { change, created, altered })
    }

    /// A change by its source and id.
    pub fn get(&self, source: &str, id: &str) -> Result<Option<Change>, LedgerError> {
        let found = self.records.get(LedgerTable::Changes, &format!("{source}/{id}"))?;
        found.map(read).transpose()
    }

    /// The changes to a service that began in the `within_ns` before `at` (included), the latest first.
    pub fn recent(&self, service: &str, at: Timestamp, within_ns: i64) -> Result<Vec<Change>, LedgerError> {
        let range = TimeRange::new(at.saturating_add_ns(-within_ns), at.saturating_add_ns(1));
        self.list(Some(service), range, RECENT_MAX)
    }

    /// The changes that began in a range, of one service or of all, the latest first, at most `limit`.
    pub fn list(&self, service: Option<&str>, range: TimeRange, limit: usize) -> Result<Vec<Change>, LedgerError> {
        let filter =
            Filter { service: service.map(str::to_owned), range, latest_first: true, limit, ..Filter::default() };
        self.records.list(LedgerTable::Changes, &filter)?.into_iter().map(read).collect()
    }
}

fn document(change: &Change) -> Result<Document, LedgerError> {
    let unreadable = |source| LedgerError::Document { table: "changes", id: change.key(), source };
    let mut body = serde_json::to_value(change).map_err(unreadable)?;
    body["summary"] = Json::String(change.summary());
    Ok(Document {
        id: change.key(),
        time: change.started_at,
        service: change.target.service.clone(),
        state: if change.finished_at.is_some() { "finished" } else { "started" }.to_owned(),
        body,
    })
}

fn read(document: Document) -> Result<Change, LedgerError> {
    let id = document.id;
    serde_json::from_value(document.body).map_err(|source| LedgerError::Document { table: "changes", id, source })
}

#[cfg(test)]
mod tests {
    use catalog::ledger::Ledger;

    use super::*;

    fn secs(n: i64) -> Timestamp {
        Timestamp::from_secs(n)
    }

    fn book() -> (ChangeBook, Arc<Ledger>) {
        let ledger = Arc::new(Ledger::in_memory().unwrap());
        (ChangeBook::new(ledger.clone()), ledger)
    }

    #[test]
    fn late_and_duplicate_deliveries_are_harmless() {
        let begin = json!({"id": "7", "source": "ci", "kind": "deploy", "target": {"service": "checkout"},
            "from_version": "1", "to_version": "2", "started_at": 100});
        let end =
            json!({"id": "7", "source": "ci", "kind": "deploy", "target": {"service": "checkout"}, "finished_at": 130});
        let orders: [&[&Json]; 4] =
            [&[&begin, &end], &[&begin, &begin, &end], &[&end, &begin], &[&end, &begin, &end, &begin]];
        let records: Vec<Change> = orders
            .iter()
            .map(|deliveries| {
                let (book, _) = book();
                for delivery in *deliveries {
                    book.record(delivery, "test", secs(200)).unwrap();
                }
                book.get("ci", "7").unwrap().unwrap()
            })
            .collect();
        assert_eq!(records[0].finished_at, Some(secs(130)));
        assert!(records.iter().all(|record| *record == records[0]), "{records:#?}");
    }

    #[test]
    fn a_duplicate_writes_nothing() {
        let (book, ledger) = book();
        let delivery = json!({"id": "7", "kind": "flag", "target": {"service": "a"}, "started_at": 1});
        let first = book.record(&delivery, "test", secs(5)).unwrap();
        let second = book.record(&delivery, "test", secs(6)).unwrap();
        assert_eq!((first.created, first.altered, second.created, second.altered), (true, true, false, false));
        assert_eq!(ledger.verify_audit().unwrap().0, 1);
    }

    #[test]
    fn recent_looks_back_from_a_time() {
        let (book, _) = book();
        for (id, service, started) in [("1", "a", 100), ("2", "a", 200), ("3", "b", 200), ("4", "a", 300)] {
            let delivery = json!({"id": id, "kind": "deploy", "target": {"service": service}, "started_at": started});
            book.record(&delivery, "test", secs(400)).unwrap();
        }
        let ids = |at, within_s: i64| -> Vec<String> {
            let within_ns = within_s * 1_000_000_000;
            book.recent("a", secs(at), within_ns).unwrap().into_iter().map(|change| change.id).collect()
        };
        assert_eq!(ids(300, 100), ["4", "2"]);
        assert_eq!(ids(250, 60), ["2"]);
        assert!(ids(99, 50).is_empty());
    }
}
