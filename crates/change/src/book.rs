//! The book of changes: records them in the ledger, finds them again.

use std::sync::{Arc, Mutex, PoisonError};

use catalog::ledger::{AuditEntry, Document, Filter, LEDGER_LIST_MAX, LedgerError, LedgerTable, Records, Write};
use model::{TimeRange, Timestamp};
use serde_json::{Value as Json, json};

use crate::lane;
use crate::merge::{Record, Said};
use crate::{Change, ChangeError, ChangeKind, ChangeReport};

/// Most changes that one look at a service considers, the latest.
pub const RECENT_MAX: usize = 200;

/// How many changes of a service and source before a change are looked at for the version that it came from.
pub const LANE_LOOK_MAX: usize = 200;

/// Most changes after a late delivery whose inferred versions are set right.
pub const LANE_REPAIR_MAX: usize = 1_000;

/// Largest record, in bytes of JSON; a delivery that would make it larger is refused.
pub const RECORD_BYTES_MAX: usize = 512 * 1024;

/// Most changes that a listing reads to find those that its filter wants.
pub const LIST_SCAN_MAX: usize = 10_000;

/// How often a delivery is tried again when another process wrote the same record in between.
const ATTEMPTS_MAX: usize = 8;

/// Field of a document that holds when each field was said. Its name begins with `_`, so queries do not show it.
const SAID: &str = "_said";

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

/// A delivery that was refused, for the audit trail.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The source that it claims to come from.
    pub source: String,
    /// Why, for people.
    pub reason: String,
    /// What else is known of it. No secrets.
    pub detail: Json,
}

/// Which changes a listing wants. What is absent does not narrow it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChangeFilter {
    /// Of this service.
    pub service: Option<String>,
    /// In this environment.
    pub environment: Option<String>,
    /// Of this kind.
    pub kind: Option<ChangeKind>,
    /// Reported by this source.
    pub source: Option<String>,
    /// With this status: `succeeded`, `failed`, `running` or `unknown`.
    pub status: Option<String>,
}

impl ChangeFilter {
    fn wants(&self, change: &Change) -> bool {
        let same = |wanted: &Option<String>, text: &str| wanted.as_deref().is_none_or(|wanted| wanted == text);
        same(&self.environment, change.target.environment.as_deref().unwrap_or_default())
            && same(&self.source, &change.source)
            && same(&self.status, change.status.as_str())
            && self.kind.is_none_or(|kind| kind == change.kind)
    }
}

/// The changes in a ledger. Clones of a book write in turn; two books over one ledger lose no delivery either, but may infer
/// a version from a record that the other is just replacing.
#[derive(Clone)]
pub struct ChangeBook {
    records: Arc<dyn Records>,
    turn: Arc<Mutex<()>>,
}

impl ChangeBook {
    /// The book over a ledger.
    pub fn new(records: Arc<dyn Records>) -> Self {
        Self { records, turn: Arc::default() }
    }

    /// Records a delivery in the native JSON shape, which arrived at `now` from the principal `actor`.
    pub fn record(&self, delivery: &Json, actor: &str, now: Timestamp) -> Result<Recorded, RecordError> {
        let report = ChangeReport::from_json(delivery)?;
        report.check_not_future(now)?;
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut attempt = 1;
        loop {
            match self.try_record(report.clone(), actor, now) {
                Err(RecordError::Ledger(LedgerError::Conflict { .. })) if attempt < ATTEMPTS_MAX => attempt += 1,
                outcome => return outcome,
            }
        }
    }

    fn try_record(&self, report: ChangeReport, actor: &str, now: Timestamp) -> Result<Recorded, RecordError> {
        let key = format!("{}/{}", report.source, report.id);
        let was = self.records.get(LedgerTable::Changes, &key)?;
        let known = was.clone().map(read_record).transpose()?;
        let mut record = match known.clone() {
            Some(known) => known.absorb(report, now)?,
            None => Record::begin(report, now)?,
        };
        let mut repairs = Vec::new();
        if known.as_ref() != Some(&record) {
            repairs = self.infer_versions(&mut record, known.as_ref().map(|known| &known.change))?;
        }
        // The same said again may only move the moment at which it was said; that is kept, and is no news.
        let altered = known.as_ref().is_none_or(|known| known.change != record.change);
        let created = known.is_none();
        if known.as_ref() != Some(&record) {
            let to = document(&record)?;
            let bytes = to.body.to_string().len();
            if bytes > RECORD_BYTES_MAX {
                let message = format!("the record would have {bytes} bytes, {RECORD_BYTES_MAX} are allowed");
                return Err(ChangeError::new("body", message, "send less in labels, stages and raw").into());
            }
            let verb = if created { "change.recorded" } else { "change.updated" };
            let mut batch = vec![Write::Replace { table: LedgerTable::Changes, was, to }];
            if altered {
                batch.push(Write::Audit(entry(&record.change, verb, actor, now, None)));
            }
            for (was, repaired) in repairs {
                let because = format!("{key} is what came before it");
                batch.push(Write::Audit(entry(&repaired.change, "change.updated", actor, now, Some(because))));
                let to = document(&repaired)?;
                batch.push(Write::Replace { table: LedgerTable::Changes, was: Some(was), to });
            }
            self.records.commit(batch)?;
        }
        Ok(Recorded { change: record.change, created, altered })
    }

    /// Sets the version before of a record, and of those records after it that it may now precede, wherever no delivery says
    /// it. Returns the others that this alters, each with the document that it replaces.
    ///
    /// The version is a function of what the ledger holds, not of the order in which it came: each write sets right whatever
    /// depends on the record that it alters, in the same commit.
    fn infer_versions(
        &self,
        record: &mut Record,
        was: Option<&Change>,
    ) -> Result<Vec<(Document, Record)>, LedgerError> {
        let mut services = vec![record.change.target.service.clone()];
        let started_at = was.map_or(record.change.started_at, |was| was.started_at.min(record.change.started_at));
        services.extend(was.map(|was| was.target.service.clone()).filter(|service| *service != services[0]));
        let mut repairs = Vec::new();
        for service in services {
            let mut others = self.around(&service, &record.change, started_at)?;
            let of_service = service == record.change.target.service;
            let mut changes: Vec<Change> = others.iter().map(|(_, other)| other.change.clone()).collect();
            if of_service {
                let before = lane::before(&record.change, &changes).and_then(|before| before.to_version.clone());
                record.infer_from_version(before.as_deref());
                changes.push(record.change.clone());
            }
            for (document, other) in others.drain(..) {
                if other.says_from_version() || other.change.started_at < started_at {
                    continue;
                }
                let before = lane::before(&other.change, &changes).and_then(|before| before.to_version.as_deref());
                let mut repaired = other.clone();
                repaired.infer_from_version(before);
                if repaired != other {
                    repairs.push((document, repaired));
                }
            }
        }
        Ok(repairs)
    }

    /// The records of a service from a change's source around a time, without that change's own.
    fn around(&self, service: &str, change: &Change, time: Timestamp) -> Result<Vec<(Document, Record)>, LedgerError> {
        let prefix = Some(format!("{}/", change.source));
        let filter = Filter { service: Some(service.to_owned()), id_prefix: prefix, ..Filter::default() };
        let earlier = Filter {
            range: TimeRange::new(Timestamp(i64::MIN), time),
            latest_first: true,
            limit: LANE_LOOK_MAX,
            ..filter.clone()
        };
        let later = Filter { range: TimeRange::new(time, TimeRange::ALL.end), limit: LANE_REPAIR_MAX, ..filter };
        let mut documents = self.records.list(LedgerTable::Changes, &earlier)?;
        documents.extend(self.records.list(LedgerTable::Changes, &later)?);
        let others = documents.into_iter().filter(|document| document.id != change.key());
        others.map(|document| Ok((document.clone(), read_record(document)?))).collect()
    }

    /// Writes a refused delivery to the audit trail, as `change.refused`.
    pub fn refuse(&self, refusal: &Refusal, actor: &str, now: Timestamp) -> Result<(), LedgerError> {
        let mut detail = json!({"source": refusal.source, "reason": refusal.reason});
        if let (Some(detail), Json::Object(more)) = (detail.as_object_mut(), &refusal.detail) {
            detail.extend(more.clone());
        }
        let audit = AuditEntry {
            time: now,
            actor: actor.to_owned(),
            verb: "change.refused".to_owned(),
            subject: refusal.source.clone(),
            detail,
        };
        self.records.commit(vec![Write::Audit(audit)])
    }

    /// A change by its source and id.
    pub fn get(&self, source: &str, id: &str) -> Result<Option<Change>, LedgerError> {
        self.by_key(&format!("{source}/{id}"))
    }

    /// A change by its key, `source/id`.
    pub fn by_key(&self, key: &str) -> Result<Option<Change>, LedgerError> {
        self.records.get(LedgerTable::Changes, key)?.map(read).transpose()
    }

    /// The change of the same target, kind and source that was over when a change began: what was there before it.
    pub fn before(&self, change: &Change) -> Result<Option<Change>, LedgerError> {
        let others = self.around(&change.target.service, change, change.started_at.saturating_add_ns(1))?;
        let others: Vec<Change> = others.into_iter().map(|(_, other)| other.change).collect();
        Ok(lane::before(change, &others).cloned())
    }

    /// The changes to a service that began in the `within_ns` before `at` (included), the latest first.
    pub fn recent(&self, service: &str, at: Timestamp, within_ns: i64) -> Result<Vec<Change>, LedgerError> {
        let range = TimeRange::new(at.saturating_add_ns(-within_ns), at.saturating_add_ns(1));
        self.list(Some(service), range, RECENT_MAX)
    }

    /// The changes that began in a range, of one service or of all, the latest first, at most `limit`.
    pub fn list(&self, service: Option<&str>, range: TimeRange, limit: usize) -> Result<Vec<Change>, LedgerError> {
        let filter = ChangeFilter { service: service.map(str::to_owned), ..ChangeFilter::default() };
        Ok(self.find(&filter, range, limit)?.0)
    }

    /// The changes that a filter wants and that began in a range, the latest first, at most `limit`; and whether these are all
    /// that the filter can find: not when [`LIST_SCAN_MAX`] records were read without coming to an end.
    pub fn find(
        &self,
        wanted: &ChangeFilter,
        range: TimeRange,
        limit: usize,
    ) -> Result<(Vec<Change>, bool), LedgerError> {
        let whole = ChangeFilter { service: wanted.service.clone(), ..ChangeFilter::default() } == *wanted;
        let scan = if whole { limit.min(LEDGER_LIST_MAX) } else { LIST_SCAN_MAX };
        let filter = Filter {
            service: wanted.service.clone(),
            id_prefix: wanted.source.as_ref().map(|source| format!("{source}/")),
            range,
            latest_first: true,
            limit: scan,
            ..Filter::default()
        };
        let documents = self.records.list(LedgerTable::Changes, &filter)?;
        let complete = whole || documents.len() < scan;
        let mut found = Vec::new();
        for document in documents {
            let change = read(document)?;
            if wanted.wants(&change) {
                found.push(change);
            }
            if found.len() == limit {
                return Ok((found, true));
            }
        }
        Ok((found, complete))
    }
}

fn entry(change: &Change, verb: &str, actor: &str, now: Timestamp, because: Option<String>) -> AuditEntry {
    let mut detail = json!({"summary": change.summary(), "service": change.target.service});
    if let Some(because) = because {
        detail["because"] = because.into();
    }
    AuditEntry { time: now, actor: actor.to_owned(), verb: verb.to_owned(), subject: change.key(), detail }
}

fn document(record: &Record) -> Result<Document, LedgerError> {
    let change = &record.change;
    let unreadable = |source| LedgerError::Document { table: "changes", id: change.key(), source };
    let mut body = serde_json::to_value(change).map_err(unreadable)?;
    body["summary"] = Json::String(change.summary());
    body[SAID] = serde_json::to_value(&record.said).map_err(unreadable)?;
    Ok(Document {
        id: change.key(),
        time: change.started_at,
        service: change.target.service.clone(),
        state: if change.finished_at.is_some() { "finished" } else { "started" }.to_owned(),
        body,
    })
}

fn read(document: Document) -> Result<Change, LedgerError> {
    Ok(read_record(document)?.change)
}

fn read_record(mut document: Document) -> Result<Record, LedgerError> {
    let id = document.id;
    let said = document.body.as_object_mut().and_then(|body| body.remove(SAID));
    let unreadable = |source| LedgerError::Document { table: "changes", id: id.clone(), source };
    let change: Change = serde_json::from_value(document.body).map_err(unreadable)?;
    let said: Option<Said> = said.map(serde_json::from_value).transpose().map_err(unreadable)?;
    Ok(match said {
        Some(said) => Record { change, said },
        None => Record::of_change(change),
    })
}

#[cfg(test)]
mod tests {
    use catalog::ledger::Ledger;

    use super::*;
    use crate::INFERRED_LABEL;

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
    fn the_version_before_is_inferred_whatever_comes_first() {
        let deploy = |id: &str, to: &str, start: i64, end: i64, status: &str| {
            json!({"id": id, "source": "ci", "kind": "deploy", "target": {"service": "checkout"}, "to_version": to,
                "started_at": start, "finished_at": end, "status": status})
        };
        let mut elsewhere = deploy("s", "0.9", 105, 106, "succeeded");
        elsewhere["target"]["environment"] = "staging".into();
        let mut told = deploy("5", "5", 500, 510, "succeeded");
        told["from_version"] = "3.9".into();
        let deliveries = [
            deploy("1", "1", 100, 110, "succeeded"),
            deploy("2", "2", 200, 210, "failed"),
            deploy("3", "3", 300, 310, "succeeded"),
            deploy("4", "4", 305, 320, "succeeded"),
            told,
            elsewhere,
        ];
        let outcome = |order: &[usize]| {
            let (book, _) = book();
            for at in order {
                book.record(&deliveries[*at], "test", secs(1000)).unwrap();
            }
            let changes = book.list(None, TimeRange::ALL, 100).unwrap();
            let shown = changes.iter().rev().map(|change| {
                let from = change.from_version.as_deref().unwrap_or("?");
                let inferred = if change.labels.contains_key(INFERRED_LABEL) { " inferred" } else { "" };
                format!("{}: {from}{inferred}", change.id)
            });
            shown.collect::<Vec<_>>().join(", ")
        };
        // 2 failed, so 3 follows 1; 4 began before 3 was over, so it follows 1 too.
        let want = "1: ?, s: ?, 2: 1 inferred, 3: 1 inferred, 4: 1 inferred, 5: 3.9";
        assert_eq!(outcome(&[0, 1, 2, 3, 4, 5]), want);
        assert_eq!(outcome(&[5, 4, 3, 2, 1, 0]), want);
        assert_eq!(outcome(&[3, 0, 5, 2, 4, 1, 3, 0]), want);
    }

    #[test]
    fn a_late_delivery_sets_right_what_came_after_it() {
        let (book, ledger) = book();
        let deploy = |json: Json| {
            let mut json = json;
            json["kind"] = "deploy".into();
            json["target"] = json!({"service": "a"});
            book.record(&json, "test", secs(1000)).unwrap();
        };
        let from = |id: &str| book.get("api", id).unwrap().unwrap().from_version;
        deploy(json!({"id": "1", "to_version": "1", "started_at": 100, "finished_at": 110}));
        deploy(json!({"id": "3", "to_version": "3", "started_at": 300, "finished_at": 310}));
        assert_eq!(from("3").as_deref(), Some("1"));
        deploy(json!({"id": "2", "to_version": "2", "started_at": 200}));
        assert_eq!(from("3").as_deref(), Some("1"), "2 has not ended");
        deploy(json!({"id": "2", "finished_at": 210, "status": "succeeded"}));
        assert_eq!((from("2").as_deref(), from("3").as_deref()), (Some("1"), Some("2")));
        deploy(json!({"id": "2", "status": "failed", "reported_at": 220}));
        assert_eq!(from("3").as_deref(), Some("1"), "2 failed after all");
        deploy(json!({"id": "3", "from_version": "2b"}));
        let last = book.get("api", "3").unwrap().unwrap();
        assert_eq!((last.from_version.as_deref(), last.labels.len()), (Some("2b"), 0), "what is said holds");
        assert_eq!(book.before(&last).unwrap().unwrap().id, "1");
        let rows = ledger.rows("changes", TimeRange::ALL, 10).unwrap();
        assert!(rows.iter().all(|row| row.fields.iter().all(|(name, _)| !name.starts_with('_'))), "{rows:?}");
    }

    #[test]
    fn refusals_and_changes_from_the_future() {
        let (book, ledger) = book();
        let future = json!({"id": "7", "kind": "deploy", "target": {"service": "a"}, "started_at": 1301});
        let error = book.record(&future, "test", secs(1000)).unwrap_err().to_string();
        assert!(error.contains("in the future"), "{error}");
        assert!(book.get("api", "7").unwrap().is_none());
        let refusal = Refusal { source: "ci".into(), reason: error, detail: json!({"bytes": 3}) };
        book.refuse(&refusal, "intake", secs(1000)).unwrap();
        let trail = ledger.audit(0, 10).unwrap();
        assert_eq!((trail.len(), trail[0].entry.verb.as_str()), (1, "change.refused"));
        assert_eq!((&trail[0].entry.detail["source"], &trail[0].entry.detail["bytes"]), (&json!("ci"), &json!(3)));
    }

    #[test]
    fn two_books_over_one_ledger_lose_nothing() {
        let ledger = Arc::new(Ledger::in_memory().unwrap());
        std::thread::scope(|scope| {
            for writer in 0..4 {
                let book = ChangeBook::new(ledger.clone());
                scope.spawn(move || {
                    for n in 0..10 {
                        let mut delivery =
                            json!({"id": "1", "kind": "deploy", "target": {"service": "a"}, "started_at": 1});
                        delivery["labels"] = json!({format!("w{writer}-{n}"): "x"});
                        while book.record(&delivery, "test", secs(5)).is_err() {}
                    }
                });
            }
        });
        assert_eq!(ChangeBook::new(ledger).get("api", "1").unwrap().unwrap().labels.len(), 40);
    }

    #[test]
    fn a_record_does_not_grow_without_bound() {
        let (book, _) = book();
        let grow = |n: usize| {
            let labels: serde_json::Map<String, Json> =
                (0..90).map(|label| (format!("{n}-{label}"), Json::String("x".repeat(1000)))).collect();
            let delivery = json!({"id": "1", "kind": "deploy", "target": {"service": "a"}, "labels": labels});
            book.record(&delivery, "test", secs(5)).map(|_| ()).map_err(|error| error.to_string())
        };
        let error = (0..20).find_map(|n| grow(n).err()).unwrap();
        assert!(error.contains("524288 are allowed"), "{error}");
    }

    #[test]
    fn listings_are_filtered() {
        let (book, _) = book();
        for (id, kind, environment, source) in [
            ("1", "deploy", "prod", "ci"),
            ("2", "config", "prod", "ci"),
            ("3", "deploy", "dev", "ci"),
            ("4", "deploy", "prod", "cd"),
        ] {
            let delivery = json!({"id": id, "source": source, "kind": kind, "started_at": id.parse::<i64>().unwrap(),
                "target": {"service": "a", "environment": environment}});
            book.record(&delivery, "test", secs(5)).unwrap();
        }
        let ids = |filter: ChangeFilter, limit: usize| -> Vec<String> {
            let (found, complete) = book.find(&filter, TimeRange::ALL, limit).unwrap();
            assert!(complete);
            found.into_iter().map(|change| change.id).collect()
        };
        let of = |text: &str| Some(text.to_owned());
        assert_eq!(ids(ChangeFilter { environment: of("prod"), ..ChangeFilter::default() }, 9), ["4", "2", "1"]);
        assert_eq!(ids(ChangeFilter { kind: Some(ChangeKind::Deploy), ..ChangeFilter::default() }, 2), ["4", "3"]);
        assert_eq!(ids(ChangeFilter { source: of("cd"), ..ChangeFilter::default() }, 9), ["4"]);
        assert!(ids(ChangeFilter { status: of("failed"), ..ChangeFilter::default() }, 9).is_empty());
        assert!(ids(ChangeFilter { service: of("b"), ..ChangeFilter::default() }, 9).is_empty());
    }

    #[test]
    fn a_duplicate_writes_nothing() {
        let (book, ledger) = book();
        let delivery = json!({"id": "7", "kind": "flag", "target": {"service": "a"}, "started_at": 1});
        let first = book.record(&delivery, "test", secs(5)).unwrap();
        let second = book.record(&delivery, "test", secs(6)).unwrap();
        assert_eq!((first.created, first.altered, second.created, second.altered), (true, true, false, false));
        assert_eq!(ledger.verify_audit().unwrap().0, 1);
        let timeless = json!({"id": "7", "kind": "flag", "target": {"service": "a"}, "link": "x"});
        let outcomes = [7, 8].map(|at| book.record(&timeless, "test", secs(at)).unwrap().altered);
        assert_eq!((outcomes, ledger.verify_audit().unwrap().0), ([true, false], 2), "the same said again is no news");
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
