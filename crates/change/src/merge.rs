//! How the deliveries of one change become one record, whatever their order.
//!
//! Each field is a register: of two deliveries that say it the one that was said later holds, and at the same moment the greater
//! value, so that the outcome does not depend on which came first. A delivery that is silent about a field leaves it. Stages and
//! dependencies are sets: what was said once stays. What is derived from several fields (the beginning, the end while it runs
//! again) is derived from the registers each time. This makes the merge commutative, associative and idempotent, which a property
//! test tries on permutations with duplicates.

use std::collections::BTreeMap;

use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

use crate::record::{ChangeReport, INFERRED_LABEL, STAGES_MAX, Times};
use crate::{Change, ChangeError, ChangeStatus, Reversible, Stage};

/// A change, and when each of its fields was said.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Record {
    /// The change as others see it.
    pub(crate) change: Change,
    pub(crate) said: Said,
}

/// When each field was said, and the times as they were said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The moment of each register, in nanoseconds.
    at: BTreeMap<String, i64>,
    /// The earliest moment of all: the beginning of a change that nobody saw begin.
    first: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    started_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished_at: Option<i64>,
}

impl Record {
    /// The record of a change that was not known, after its first delivery.
    pub(crate) fn begin(report: ChangeReport, now: Timestamp) -> Result<Record, ChangeError> {
        let times = report.times(now)?;
        let change = Change {
            id: report.id.clone(),
            source: report.source.clone(),
            kind: report.kind()?,
            target: report.target.clone(),
            from_version: None,
            to_version: None,
            artifact: None,
            started_at: times.said_at,
            finished_at: None,
            status: ChangeStatus::Unknown,
            stages: Vec::new(),
            actor: None,
            link: None,
            reversible: Reversible::Unknown,
            rollback: None,
            depends_on: Vec::new(),
            labels: BTreeMap::new(),
            raw: None,
        };
        let said = Said { first: times.said_at.0, ..Said::default() };
        Record { change, said }.absorb(report, now)
    }

    /// A record from a change alone: everything in it was said before anything that a later delivery says.
    pub(crate) fn of_change(change: Change) -> Record {
        let mut said = Said {
            first: change.started_at.0,
            started_at: Some(change.started_at.0),
            finished_at: change.finished_at.map(|time| time.0),
            at: BTreeMap::new(),
        };
        if change.from_version.is_some() && !change.labels.contains_key(INFERRED_LABEL) {
            said.at.insert("from_version".to_owned(), i64::MIN);
        }
        Record { change, said }
    }

    /// The record after one more delivery, which arrived at `now`.
    pub(crate) fn absorb(mut self, report: ChangeReport, now: Timestamp) -> Result<Record, ChangeError> {
        let times = report.times(now)?;
        let kind = report.kind()?;
        let Record { change, said } = &mut self;
        said.first = said.first.min(times.said_at.0);
        let mut registers = Registers { said, said_at: times.said_at.0 };
        registers.fixed("kind", kind, &mut change.kind);
        registers.fixed("target.service", report.target.service, &mut change.target.service);
        registers.field("target.environment", report.target.environment, &mut change.target.environment);
        registers.field("target.cluster", report.target.cluster, &mut change.target.cluster);
        registers.field("target.namespace", report.target.namespace, &mut change.target.namespace);
        registers.field("target.workload", report.target.workload, &mut change.target.workload);
        registers.version_before(report.from_version, change);
        registers.field("to_version", report.to_version, &mut change.to_version);
        registers.field("artifact", report.artifact, &mut change.artifact);
        registers.field("actor", report.actor, &mut change.actor);
        registers.field("link", report.link, &mut change.link);
        registers.field("rollback", report.rollback, &mut change.rollback);
        if let Some(status) = report.status {
            registers.fixed("status", status, &mut change.status);
        }
        if let Some(reversible) = report.reversible {
            registers.fixed("reversible", reversible, &mut change.reversible);
        }
        for (name, value) in report.labels {
            registers.entry("labels", name, value, &mut change.labels);
        }
        registers.raw(report.raw, &mut change.raw);
        registers.times(&times);
        union_of_stages(&mut change.stages, report.stages.unwrap_or_default());
        change.depends_on.extend(report.depends_on.unwrap_or_default());
        change.depends_on.sort();
        change.depends_on.dedup();
        self.derive();
        Ok(self)
    }

    /// Sets what follows from several registers. A change that runs again has no end yet; one that is said to have succeeded or
    /// failed, without when, ended when that was said. A change begins at the latest when the
    /// first thing of it was seen: two systems whose clocks differ may report an end before the beginning.
    fn derive(&mut self) {
        let Record { change, said } = self;
        let moment = |field: &str| said.at.get(field).copied().unwrap_or(i64::MIN);
        let runs_again = change.status == ChangeStatus::Running && moment("status") > moment("finished_at");
        let is_over = matches!(change.status, ChangeStatus::Succeeded | ChangeStatus::Failed);
        let finished = said.finished_at.or(is_over.then(|| moment("status"))).filter(|time| *time > i64::MIN);
        change.finished_at = finished.filter(|_| !runs_again).map(Timestamp);
        let seen = change.stages.iter().map(|stage| stage.at.0).chain(finished);
        let begun = said.started_at.unwrap_or(said.first);
        change.started_at = Timestamp(seen.fold(begun, i64::min));
    }

    /// Whether a delivery said the version before.
    pub(crate) fn says_from_version(&self) -> bool {
        self.said.at.contains_key("from_version")
    }

    /// Sets the version before to what the change before this one left, unless a delivery said it.
    pub(crate) fn infer_from_version(&mut self, before: Option<&str>) {
        if self.says_from_version() {
            return;
        }
        self.change.from_version = before.map(str::to_owned);
        if before.is_some() {
            self.change.labels.insert(INFERRED_LABEL.to_owned(), "true".to_owned());
        } else {
            self.change.labels.remove(INFERRED_LABEL);
        }
    }
}

/// The registers of a record while one delivery is merged in.
struct Registers<'a> {
    said: &'a mut Said,
    said_at: i64,
}

impl Registers<'_> {
    /// Whether the delivery's value takes the register, whose value now is `current`.
    fn takes<T: Serialize>(&mut self, field: &str, value: &T, current: Option<&T>) -> bool {
        let wins = match (self.said.at.get(field), current) {
            (Some(at), Some(current)) => (self.said_at, rank(value)) > (*at, rank(current)),
            (Some(at), None) => self.said_at >= *at,
            (None, _) => true,
        };
        if wins {
            self.said.at.insert(field.to_owned(), self.said_at);
        }
        wins
    }

    fn fixed<T: Serialize>(&mut self, field: &str, value: T, current: &mut T) {
        if self.takes(field, &value, Some(current)) {
            *current = value;
        }
    }

    fn field<T: Serialize>(&mut self, field: &str, value: Option<T>, current: &mut Option<T>) {
        if let Some(value) = value
            && self.takes(field, &value, current.as_ref())
        {
            *current = Some(value);
        }
    }

    fn entry(&mut self, group: &str, name: String, value: String, entries: &mut BTreeMap<String, String>) {
        if self.takes(&format!("{group}.{name}"), &value, entries.get(&name)) {
            entries.insert(name, value);
        }
    }

    /// A version that was inferred gives way to one that is said.
    fn version_before(&mut self, value: Option<String>, change: &mut Change) {
        if value.is_some() && change.labels.remove(INFERRED_LABEL).is_some() {
            change.from_version = None;
        }
        self.field("from_version", value, &mut change.from_version);
    }

    /// What the source sent, key by key, so that the end of a change does not erase what its beginning brought. A document that is
    /// not an object gives way to one that is.
    fn raw(&mut self, value: Option<Json>, current: &mut Option<Json>) {
        match value {
            None => {}
            Some(Json::Object(fields)) => {
                let mut merged = match current.take() {
                    Some(Json::Object(known)) => known,
                    _ => Map::new(),
                };
                self.said.at.remove("raw");
                for (name, value) in fields {
                    if self.takes(&format!("raw.{name}"), &value, merged.get(&name)) {
                        merged.insert(name, value);
                    }
                }
                merged.sort_keys();
                *current = Some(Json::Object(merged));
            }
            Some(_) if current.as_ref().is_some_and(Json::is_object) => {}
            Some(value) => self.field("raw", Some(value), current),
        }
    }

    fn times(&mut self, times: &Times) {
        let (mut started, mut finished) = (self.said.started_at, self.said.finished_at);
        self.field("started_at", times.started_at.map(|time| time.0), &mut started);
        self.field("finished_at", times.finished_at.map(|time| time.0), &mut finished);
        (self.said.started_at, self.said.finished_at) = (started, finished);
    }
}

/// The order of values that were said at the same moment. Words whose order matters have one: an end beats a beginning, a failure
/// beats a success, and `no` beats `yes`; of all else the greater text holds.
fn rank<T: Serialize>(value: &T) -> (u8, String) {
    let text = match serde_json::to_value(value) {
        Ok(Json::String(text)) => text,
        Ok(Json::Number(number)) => format!("{:0>20}", number.to_string()),
        Ok(mut other) => {
            other.sort_all_objects();
            other.to_string()
        }
        Err(_) => String::new(),
    };
    let order = match text.as_str() {
        "unknown" => 0,
        "running" | "yes" => 1,
        "succeeded" | "no" => 2,
        "failed" => 3,
        _ => 4,
    };
    (order, text)
}

/// Adds stages. A phase without a share of traffic is told once, at its earliest time; of too many the earliest stay.
fn union_of_stages(known: &mut Vec<Stage>, more: Vec<Stage>) {
    known.extend(more);
    known.sort_by(|a, b| {
        let share = |stage: &Stage| stage.percent.unwrap_or(-1.0);
        a.at.cmp(&b.at).then(share(a).total_cmp(&share(b))).then_with(|| a.name.cmp(&b.name))
    });
    known.dedup();
    let mut phases = std::collections::BTreeSet::new();
    known.retain(|stage| stage.percent.is_some() || phases.insert(stage.name.clone()));
    known.truncate(STAGES_MAX);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use catalog::ledger::{Filter, Ledger, LedgerTable, Records as _};
    use proptest::collection::vec;
    use proptest::option;
    use proptest::prelude::*;
    use serde_json::json;

    use crate::ChangeBook;

    use super::*;

    /// Few values, so that deliveries contradict each other, and at the same moment too.
    fn delivery() -> impl Strategy<Value = Json> {
        let words = |words: &'static [&'static str]| option::of(proptest::sample::select(words));
        let identity = (0..3u8, proptest::sample::select(&["deploy", "config"][..]), words(&["prod", "dev"]));
        let versions = (words(&["1", "2", "3"]), words(&["0", "1"]));
        let times = (option::of(100..110i64), option::of(0..10i64), 100..125i64);
        let status = words(&["running", "succeeded", "failed"]);
        let rest = (words(&["yes", "no", "unknown"]), words(&["a", "b"]), words(&["x", "y"]), option::of(0..3u8));
        (identity, versions, times, status, rest).prop_map(|((id, kind, environment), (to, from), times, status, rest)| {
            let (started, took, said) = times;
            let (reversible, label, raw, percent) = rest;
            let finished = took.map(|took| started.unwrap_or(105) + took);
            let mut json = json!({
                "id": id.to_string(), "source": "ci", "kind": kind, "target": {"service": "a", "environment": environment},
                "from_version": from, "to_version": to, "started_at": started, "finished_at": finished,
                "reported_at": said, "status": status, "reversible": reversible,
            });
            if let Some(label) = label {
                json["labels"] = json!({"l": label, (label): "1"});
                json["depends_on"] = json!([format!("ci/{label}")]);
            }
            if let Some(raw) = raw {
                json["raw"] = if raw == "x" { json!({"k": raw, (label.unwrap_or("z")): said}) } else { json!(raw) };
            }
            if let Some(percent) = percent {
                json["stages"] = json!([{"percent": percent, "at": format!("1970-01-01T00:01:4{percent}Z")},
                    {"name": "begun", "at": format!("1970-01-01T00:01:5{percent}Z")}]);
            }
            json
        })
    }

    fn ledger_after(deliveries: &[Json]) -> Vec<String> {
        let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
        let book = ChangeBook::new(ledger.clone());
        for delivery in deliveries {
            book.record(delivery, "test", Timestamp::from_secs(200)).expect("recorded");
        }
        let documents = ledger.list(LedgerTable::Changes, &Filter::default()).expect("list");
        let mut shown: Vec<String> = documents
            .into_iter()
            .map(|document| {
                let mut body = document.body;
                body.sort_all_objects();
                format!("{} {} {} {body}", document.id, document.time, document.state)
            })
            .collect();
        shown.sort();
        shown
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

        /// Any order of the same deliveries, with any of them again, leaves the same ledger.
        #[test]
        fn order_and_duplicates_do_not_matter(
            (deliveries, shuffled) in vec(delivery(), 1..9).prop_flat_map(|deliveries| {
                let mut twice = deliveries.clone();
                twice.extend(deliveries.iter().take(3).cloned());
                (Just(deliveries), Just(twice).prop_shuffle())
            }),
        ) {
            prop_assert_eq!(ledger_after(&deliveries), ledger_after(&shuffled));
        }

        /// What one delivery said is still there when later ones are silent about it.
        #[test]
        fn silence_erases_nothing(first in delivery(), said in 125..150i64) {
            let silent = json!({"id": first["id"], "source": "ci", "kind": first["kind"], "target": {"service": "a"},
                "reported_at": said});
            let (alone, both) = (ledger_after(std::slice::from_ref(&first)), ledger_after(&[first, silent]));
            let without_said = |shown: &[String]| -> Vec<Json> {
                let parse = |line: &String| -> Json {
                    let at = line.find('{').expect("JSON");
                    let mut body: Json = serde_json::from_str(&line[at..]).expect("JSON");
                    body["_said"] = Json::Null;
                    body
                };
                shown.iter().map(parse).collect()
            };
            prop_assert_eq!(without_said(&alone), without_said(&both));
        }
    }
}
