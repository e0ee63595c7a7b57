//! Watches over a service whose counters are made up, over a real ledger, with virtual time.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::ledger::{Ledger, Records};
use change::{ChangeBook, ChangeKind};
use expect_test::{Expect, expect};
use model::{Labels, LabelsBuilder, TimeRange, Timestamp, Value};
use rules::{AlertState, RuleQuery, RuleQueryError};
use serde_json::json;

use crate::{Measured, NoTopology, Topology, Watcher, WatcherOptions, record_of};

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
    let records: Arc<dyn Records> = Arc::<Ledger>::clone(&ledger);
    let mut watcher = Watcher::new(records.clone(), Arc::new(Shop), WatcherOptions::default()).expect("watcher");
    let (mut told, mut last, mut firing) = (String::new(), String::new(), false);
    for second in 1..=seconds {
        if second % 50 == 0 {
            // A restart: nothing may depend on what was in memory.
            watcher = Watcher::new(records.clone(), Arc::new(Shop), WatcherOptions::default()).expect("watcher");
        }
        let alerts = watcher.tick(at(second), &world).expect("tick");
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
    want.assert_eq(&told);
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
            5s bad: 10.10 % of 99 requests of 2 fail, 0.40 % of 180000 before
            5s fires: deploy of checkout 1 -> 2 is bad: 10.10 % of 99 requests of 2 fail, 0.40 % of 180000 before
        "#]],
    );
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
            7s unknown (another cause is as likely): 2 does not do well, and neither does bank: bank does not do well either: 5.4 % of its requests fail lately, 0.4 % is usual
        "#]],
    );
}

#[test]
fn silence_is_never_bad() {
    check(
        World { new_fails: 0.1, silent_from: 3, ..WELL },
        &[DEPLOY],
        120,
        expect![[r#"
            1s unknown (no data): nothing was heard of 2 since the change began
            2s unknown (too few requests to tell): 24 requests of 2 so far
            25s unknown (stale data): the newest data of 2 is 21s old
            65s unknown (no data): 2 has been silent for 61s
        "#]],
    );
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
