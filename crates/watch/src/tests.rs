//! Watches over a service whose counters are made up, over a real ledger, with virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::ledger::{Document, Ledger, LedgerTable, Records, Write};
use change::{ChangeBook, ChangeKind};
use expect_test::{Expect, expect};
use model::{Labels, LabelsBuilder, TimeRange, Timestamp, Value};
use rules::{AlertState, RuleQuery, RuleQueryError};
use serde_json::json;

use crate::{Measured, NoTopology, SelfHealth, Topology, Watcher, WatcherOptions, record_of};

mod checks;
mod native;

const SECOND_NS: i64 = 1_000_000_000;
const START: Timestamp = Timestamp(1_795_424_400_000_000_000);

fn at(seconds: i64) -> Timestamp {
    START.saturating_add_ns(seconds * SECOND_NS)
}

/// A shop whose `checkout` gets 50 requests a second, half of them by the new version from second 0 on.
#[derive(Clone, Copy)]
struct World {
    /// Share of the new version's requests that fail.
    new_fails: f64,
    /// Share of everybody's requests that fail from second 5 on, the bank's included.
    outage: f64,
    /// When counters stop being sampled.
    silent_from: i64,
    /// Whether queries fail.
    broken: bool,
}

const WELL: World = World { new_fails: 0.0, outage: 0.0, silent_from: i64::MAX, broken: false };
const RATE: f64 = 50.0;
const USUAL: f64 = 0.004;

impl World {
    /// The counters of a service at a second: (labels, value).
    fn counters(&self, service: &str, second: i64) -> Vec<(Labels, f64)> {
        let since = (second.min(self.silent_from) + 7_200).max(0) as f64;
        let young = since - 7_200.0;
        let out = self.outage * RATE * (young - 5.0).max(0.0);
        let mut series = Vec::new();
        let mut add = |version: &str, requests: f64, failed: f64| {
            for (code, value) in [("200", requests - failed), ("500", failed)] {
                let mut labels = LabelsBuilder::default();
                for (name, text) in [
                    ("__name__", "http_requests_total"),
                    ("service_name", service),
                    ("service_version", version),
                    ("code", code),
                ] {
                    labels.set(name, text);
                }
                series.push((labels.build(), value.floor()));
            }
        };
        if service == "bank" {
            add("9", RATE * since, USUAL * RATE * since + out);
        } else if young <= 0.0 {
            add("1", RATE * since, USUAL * RATE * since);
        } else {
            let (old, new) = (RATE * (7_200.0 + young / 2.0), RATE * young / 2.0);
            add("1", old, USUAL * old + out / 2.0);
            add("2", new, (USUAL + self.new_fails) * new + out / 2.0);
        }
        series
    }
}

impl RuleQuery for World {
    fn instant(&self, expr: &str, now: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        if self.broken {
            return Err(RuleQueryError("the store is closed".to_owned()));
        }
        let second = (now.0 - START.0) / SECOND_NS;
        let Some(service) =
            ["checkout", "bank"].into_iter().find(|name| expr.contains(&format!("service_name=\"{name}\"")))
        else {
            return Ok(Vec::new());
        };
        if !expr.contains("http_requests_total") {
            return Ok(Vec::new());
        }
        if expr.contains("increase(") {
            let minutes = if expr.contains("[1m]") { 1 } else { 5 };
            let before = self.counters(service, second - 60 * minutes);
            let now = self.counters(service, second).into_iter();
            return Ok(now.zip(before).map(|((labels, now), (_, before))| (labels, now - before)).collect());
        }
        let counters = self.counters(service, second).into_iter();
        if expr.starts_with("timestamp(") {
            let sampled = (START.0 / SECOND_NS + second.min(self.silent_from)) as f64;
            return Ok(counters.map(|(labels, _)| (labels, sampled)).collect());
        }
        Ok(counters.collect())
    }

    fn logs(&self, _query: &str, _range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        Ok(Vec::new())
    }
}

struct Shop;

impl Topology for Shop {
    fn dependencies(&self, service: &str) -> Vec<String> {
        if service == "checkout" { vec!["bank".to_owned()] } else { Vec::new() }
    }

    fn bake_ns(&self, service: &str, kind: ChangeKind) -> i64 {
        NoTopology.bake_ns(service, kind).min(300 * SECOND_NS)
    }

    fn measures(&self, _service: &str) -> Vec<Measured> {
        Vec::new()
    }
}

fn record(ledger: &Arc<Ledger>, id: &str, kind: &str, version: Option<&str>, second: i64) {
    let mut change = json!({
        "id": id, "source": "ci", "kind": kind, "target": {"service": "checkout"},
        "started_at": at(second).to_string(), "finished_at": at(second).to_string(),
    });
    if let Some(version) = version {
        change["from_version"] = "1".into();
        change["to_version"] = version.into();
    }
    ChangeBook::new(Arc::<Ledger>::clone(ledger)).record(&change, "test", at(second)).expect("recorded");
}

/// Ticks for `seconds`, and tells each change of the verdict of change 7 and each change of alerts.
fn check(world: World, changes: &[(&str, &str, Option<&str>, i64)], seconds: i64, want: Expect) {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    for (id, kind, version, second) in changes {
        record(&ledger, id, kind, *version, *second);
    }
    let well = Arc::new(|_: Timestamp| None);
    want.assert_eq(&told(&ledger, &world, &(Arc::new(Shop), well), seconds));
}

/// What the watcher is given besides the data.
type Around = (Arc<dyn Topology>, Arc<dyn SelfHealth>);

fn told(ledger: &Arc<Ledger>, world: &dyn RuleQuery, around: &Around, seconds: i64) -> String {
    let records: Arc<dyn Records> = Arc::<Ledger>::clone(ledger);
    let begin = || {
        let watcher = Watcher::new(records.clone(), around.0.clone(), WatcherOptions::default()).expect("watcher");
        watcher.with_health(around.1.clone())
    };
    let mut watcher = begin();
    let (mut told, mut last, mut firing) = (String::new(), String::new(), false);
    for second in 1..=seconds {
        if second % 50 == 0 {
            // A restart: nothing may depend on what was in memory.
            watcher = begin();
        }
        let alerts = watcher.tick(at(second), world).expect("tick");
        let found = record_of(&*records, "ci/7").expect("ledger").expect("a watch");
        let now = found.card.verdict.text();
        if now != last {
            told.push_str(&format!("{second}s {now}: {}\n", found.card.detail));
            last = now;
        }
        let fires = alerts.iter().any(|alert| alert.state == AlertState::Firing);
        if fires != firing {
            let summary = alerts.first().map(rules::Alert::summary).unwrap_or_default();
            told.push_str(&format!("{second}s {}: {summary}\n", if fires { "fires" } else { "resolved" }));
            firing = fires;
        }
    }
    told
}

const DEPLOY: (&str, &str, Option<&str>, i64) = ("7", "deploy", Some("2"), 0);

#[test]
fn a_bad_version_beside_a_good_one_raises_an_alert() {
    check(
        World { new_fails: 0.1, ..WELL },
        &[DEPLOY],
        60,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            2s unknown (too few requests to tell): 24 requests of 2 so far
            4s bad: 9.46 % of 74 requests of 2 fail, 0.40 % of 180000 before
            4s fires: deploy of checkout 1 -> 2 is bad: 9.46 % of 74 requests of 2 fail, 0.40 % of 180000 before
        "#]],
    );
}

#[test]
fn a_verdict_of_which_nobody_was_told_is_told_by_the_next_process() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    record(&ledger, DEPLOY.0, DEPLOY.1, DEPLOY.2, DEPLOY.3);
    let records: Arc<dyn Records> = Arc::<Ledger>::clone(&ledger);
    let watcher = || Watcher::new(records.clone(), Arc::new(Shop), WatcherOptions::default()).expect("watcher");
    let mut first = watcher();
    let bad = World { new_fails: 0.1, ..WELL };
    let raised = (1..=4).map(|second| first.tick(at(second), &bad).expect("tick")).last().expect("four looks");
    assert_eq!(raised.len(), 1);
    // The version is gone, and so is what it did: only the stored verdict says that it was bad.
    let gone = World { silent_from: 0, ..WELL };
    let mut second = watcher();
    let late = second.tick(at(100), &gone).expect("tick");
    assert_eq!(late.iter().map(|alert| alert.state).collect::<Vec<_>>(), [AlertState::Firing]);
    assert_eq!(late[0].summary(), raised[0].summary());
    let over = (101..=115).map(|look| second.tick(at(look), &gone).expect("tick")).last().expect("looks");
    assert_eq!(over.iter().map(|alert| alert.state).collect::<Vec<_>>(), [AlertState::Resolved]);
    // Told once: the ledger has the alert now.
    let document = Document {
        id: late[0].id.clone(),
        time: at(100),
        service: "checkout".to_owned(),
        state: "resolved".to_owned(),
        body: json!(late[0]),
    };
    ledger.commit(vec![Write::Put(LedgerTable::Alerts, document)]).expect("commit");
    assert_eq!(watcher().tick(at(200), &gone).expect("tick"), []);
}

#[test]
fn a_good_version_is_called_good_and_its_watch_ends() {
    check(
        WELL,
        &[DEPLOY],
        320,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            2s unknown (too few requests to tell): 24 requests of 2 so far
            122s good: 3024 requests of 2 show no harm
        "#]],
    );
}

#[test]
fn an_outage_of_a_dependency_clears_the_change() {
    check(
        World { outage: 0.3, ..WELL },
        &[DEPLOY],
        120,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            2s unknown (too few requests to tell): 24 requests of 2 so far
            7s unknown (another cause is as likely): 2 does not do well, and neither does bank: bank does not do well either: 2.2 % of its requests fail lately, 0.4 % is usual
        "#]],
    );
}

#[test]
fn silence_is_never_bad() {
    check(
        World { new_fails: 0.1, silent_from: 2, ..WELL },
        &[DEPLOY],
        120,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            2s unknown (too few requests to tell): 24 requests of 2 so far
            24s unknown (stale data): the newest data of 2 is 21s old
            64s unknown (no data): 2 has been silent for 61s
        "#]],
    );
}

#[test]
fn nothing_is_concluded_while_backstop_itself_is_ill_and_what_was_missed_is_asked_for_later() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    record(&ledger, "7", "deploy", Some("2"), 0);
    let ill = Arc::new(|now: Timestamp| (at(3)..at(15)).contains(&now).then(|| "the clock jumped".to_owned()));
    let world = World { new_fails: 0.1, ..WELL };
    expect![[r#"
        1s unknown (no data): nothing was heard of 2 since the change began
        2s unknown (too few requests to tell): 24 requests of 2 so far
        3s unknown (the measuring itself is suspect): the clock jumped
        15s bad: 10.32 % of 349 requests of 2 fail, 0.44 % of 900 of 1
        15s fires: deploy of checkout 1 -> 2 is bad: 10.32 % of 349 requests of 2 fail, 0.44 % of 900 of 1
    "#]]
    .assert_eq(&told(&ledger, &world, &(Arc::new(Shop), ill), 20));
    // From before the first look on, and the queries fail as well: it is still Backstop that is suspect.
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    record(&ledger, "7", "deploy", Some("2"), 0);
    let ill = Arc::new(|_: Timestamp| Some("the store is out of use".to_owned()));
    let world = World { broken: true, ..world };
    expect![[r#"
        1s unknown (the measuring itself is suspect): the store is out of use
    "#]]
    .assert_eq(&told(&ledger, &world, &(Arc::new(Shop), ill), 60));
}

#[test]
fn what_both_versions_did_beside_each_other_is_in_the_record() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    record(&ledger, "7", "deploy", Some("2"), 0);
    let well = Arc::new(|_: Timestamp| None);
    told(&ledger, &World { new_fails: 0.1, ..WELL }, &(Arc::new(Shop), well), 30);
    let found = record_of(&*ledger, "ci/7").expect("ledger").expect("a watch").beside.expect("both ran");
    expect![[r#"{"since":"2026-11-23T09:00:01Z","until":"2026-11-23T09:00:28Z","new":{"n":699,"bad":72},"old":{"n":699,"bad":2}}"#]].assert_eq(&serde_json::to_string(&found).expect("json"));
}

#[test]
fn a_question_that_fails_is_never_bad() {
    check(
        World { new_fails: 0.1, broken: true, ..WELL },
        &[DEPLOY],
        30,
        expect![[r#"
            1s unknown (could not be measured at the last evaluation): the store is closed
        "#]],
    );
}

#[test]
fn two_changes_that_no_version_tells_apart_are_a_conflict() {
    let config = ("7", "config", None, 0);
    let other = ("8", "flag", None, 1);
    check(
        World { new_fails: 0.2, ..WELL },
        &[config, other],
        40,
        expect![[r#"
            1s unknown (no data): nothing was heard of after since the change began
            2s unknown (too few requests to tell): 48 requests of after so far
            4s unknown (another cause is as likely): 10.14 % of 148 requests of after fail, 0.40 % of 180000 before; flag of checkout at the same time: the same service
        "#]],
    );
    check(
        World { new_fails: 0.2, ..WELL },
        &[config],
        40,
        expect![[r#"
            1s unknown (no data): nothing was heard of after since the change began
            2s unknown (too few requests to tell): 48 requests of after so far
            4s bad: 10.14 % of 148 requests of after fail, 0.40 % of 180000 before
            4s fires: config of checkout is bad: 10.14 % of 148 requests of after fail, 0.40 % of 180000 before
        "#]],
    );
}

#[test]
fn what_was_missed_is_caught_up_with() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    record(&ledger, "7", "deploy", Some("2"), 0);
    let records: Arc<dyn Records> = ledger;
    let mut watcher = Watcher::new(records.clone(), Arc::new(NoTopology), WatcherOptions::default()).expect("watcher");
    // 55 minutes without a watcher, and all that happened counts: nothing is taken for a gap.
    let alerts = watcher.tick(at(3_300), &World { new_fails: 0.1, ..WELL }).expect("tick");
    let card = record_of(&*records, "ci/7").expect("ledger").expect("a watch").card;
    let told = format!("{} alerts, {} left out: {}", alerts.len(), card.left_out, card.detail);
    expect!["1 alerts, 0 left out: 10.33 % of 900 requests of 2 fail, 0.33 % of 900 of 1"].assert_eq(&told);
}
