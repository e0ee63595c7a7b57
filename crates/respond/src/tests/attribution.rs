//! Who is blamed: by time, topology and version split; and that blame alone never acts.

use change::{Catalogue, ServiceEntry, ServiceGraph, SpanFact, SplitCounts, TraceLearner};
use model::{SpanId, SpanKind, TraceId};
use verdict::{Card, Compare, Message, Side, Signal, SignalKind};
use watch::{Beside, WatchRecord, WatchState};

use super::*;
use crate::{UnknownReason, Verdict};

const UNDECIDED: Verdict = Verdict::Unknown(UnknownReason::LowSample);

/// `id service kind start[..end] [to=V] [ns=N]`, in seconds.
fn record(ledger: &Arc<Ledger>, text: &str) {
    let words: Vec<&str> = text.split(' ').collect();
    let option = |name: &str| words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    let (start, end) = words[3].split_once("..").unwrap_or((words[3], words[3]));
    let time = |text: &str| at(text.parse().expect("seconds")).to_string();
    let delivery = json!({
        "id": words[0], "source": "ci", "kind": words[2], "started_at": time(start), "finished_at": time(end),
        "target": {"service": words[1], "namespace": option("ns")}, "to_version": option("to"),
        "from_version": option("to").map(|_| "1.9"), "raw": {"whole": "delivery"},
    });
    ChangeBook::new(records(ledger)).record(&delivery, "test", at(8)).expect("recorded");
}

/// Counts as `bad/n`.
fn counts(text: &str) -> SplitCounts {
    let (bad, n) = text.split_once('/').expect("bad/n");
    SplitCounts { n: n.parse().expect("n"), bad: bad.parse().expect("bad") }
}

/// The watch over a change, which compared both versions until second 20: `new old before`, each `bad/n`.
fn watched(ledger: &Arc<Ledger>, id: &str, verdict: Verdict, text: &str) {
    let sides: Vec<SplitCounts> = text.split(' ').map(counts).collect();
    let change = ChangeBook::new(records(ledger)).get("ci", id).expect("ledger").expect("a change");
    let side = |counts: SplitCounts| Side {
        label: "before".to_owned(),
        n: counts.n as f64,
        bad: Some(counts.bad as f64),
        value: counts.bad as f64 / counts.n as f64,
    };
    let signal = Signal {
        name: "errors against before".to_owned(),
        kind: SignalKind::Errors,
        query: String::new(),
        compare: Compare::BeforeAfter,
        old: side(sides[2]),
        new: side(sides[0]),
        effect: 0.0,
        effect_unit: "points".to_owned(),
        interval: None,
        log_e: 0.0,
        log_e_needed: 8.0,
        min_n: 20.0,
        verdict: verdict.clone(),
        detail: String::new(),
        title: None,
        message: None,
    };
    let card = Card::new(verdict, Message::Verbatim { text: "compared".to_owned() }, at(20));
    let card = card.with(vec![signal], Vec::new(), Vec::new());
    let record = WatchRecord {
        id: change.key(),
        service: change.target.service.clone(),
        started_at: change.started_at,
        change,
        state: WatchState::Watching,
        ends_at: at(3600),
        decided_at: None,
        evaluated_at: at(20),
        interval_ns: 10 * MINUTE_NS,
        comparable: true,
        sources: Vec::new(),
        beside: Some(Beside { since: at(0), until: at(20), new: sides[0], old: sides[1] }),
        card,
        decided: None,
        history: Vec::new(),
    };
    record.commit(false, &**ledger).expect("committed");
}

/// Who needs whom, as two calls in a trace show: checkout -> payment -> bank.
fn learned() -> ServiceGraph {
    let mut graph = ServiceGraph::default();
    let span = |id: u8, parent: Option<u8>, service: &'static str| SpanFact {
        trace_id: TraceId([7; 16]),
        span_id: SpanId([id; 8]),
        parent_span_id: parent.map(|id| SpanId([id; 8])),
        service,
        kind: SpanKind::Server,
        failed: false,
        at: at(0),
        peer: None,
    };
    let spans = [span(1, None, "checkout"), span(2, Some(1), "payment"), span(3, Some(2), "bank")];
    let report = TraceLearner::default().learn(&mut graph, spans, 1.0, at(0));
    assert_eq!(report.calls, 2);
    graph
}

/// Lets the alert fire until the run has ended. Tells whom its last decision blamed, why, and what it held of the others.
fn outcome(ledger: &Arc<Ledger>, graph: ServiceGraph) -> (usize, String) {
    let world = World::new(ActionState::Succeeded, true);
    let responder = responder_with(ledger, PLAYBOOK, |_| {}).with_surroundings(Arc::new(graph));
    live(&responder, &world, at(8)).expect("lives");
    (world.executed(), evidence(ledger))
}

fn evidence(ledger: &Ledger) -> String {
    let evidence = actions(ledger).pop().expect("a decision")["evidence"].clone();
    let text = |json: &serde_json::Value| json.as_str().unwrap_or("nobody").to_owned();
    let verdict: Verdict = serde_json::from_value(evidence["verdict"].clone()).expect("a verdict");
    let mut told = format!("{}\n", verdict.text());
    told += &format!("blamed {}: {}\n", text(&evidence["change"]["id"]), text(&evidence["attribution"]));
    for list in ["concurrent", "exonerated"] {
        for one in evidence[list].as_array().expect("a list") {
            assert!(one["change"]["raw"].is_null(), "{one}");
            told += &format!("{list} {}: {}\n", text(&one["change"]["id"]), text(&one["reason"]));
        }
    }
    told
}

fn check(changes: &[&str], watches: &[(&str, Verdict, &str)], executed: usize, want: Expect) {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    changes.iter().for_each(|text| record(&ledger, text));
    watches.iter().for_each(|(id, verdict, text)| watched(&ledger, id, verdict.clone(), text));
    let (done, told) = outcome(&ledger, learned());
    want.assert_eq(&told);
    assert_eq!(done, executed, "{}", story(&ledger));
}

#[test]
fn a_change_of_what_the_service_needs_is_blamed_and_not_acted_on() {
    // Only spans say who needs whom. Stock is nobody's dependency.
    let changes = ["p payment deploy 2 to=3", "s stock deploy 3 to=8", "b bank config -30..-25"];
    check(
        &changes,
        &[],
        0,
        expect![[r#"
        unknown (another cause is as likely)
        blamed p: a dependency (checkout -> payment), began 3s before the alert
        concurrent b: it ran less than 60s before deploy of payment 1.9 -> 3
    "#]],
    );
    // Not even when its own watch calls it bad: that raises an alert of its own, and this playbook would roll checkout back.
    check(
        &changes,
        &[("p", Verdict::Bad, "60/600 0/600 1/10000")],
        0,
        expect![[r#"
        unknown (another cause is as likely)
        blamed p: a dependency (checkout -> payment), began 3s before the alert, its new version is worse: 60 of 600 requests of the new version failed, 0 of 600 of the old one beside it
        exonerated b: the new version of deploy of payment 1.9 -> 3 is worse by itself: its old version meets the same dependencies and fails less
    "#]],
    );
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    changes.iter().for_each(|text| record(&ledger, text));
    assert!(outcome(&ledger, ServiceGraph::default()).1.contains("blamed nobody"));
    let incident = ledger.list(LedgerTable::Incidents, &Filter::default()).expect("incidents").remove(0);
    assert!(incident.body["change"].is_null(), "{}", incident.body);
}

#[test]
fn the_catalogue_says_who_needs_whom_as_well() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    record(&ledger, "p payment deploy 2 to=3");
    let (service, depends_on) = ("checkout".to_owned(), vec!["payment".to_owned()]);
    let entry = ServiceEntry { service, depends_on, ..ServiceEntry::default() };
    let graph = ServiceGraph::from_catalogue(&Catalogue::new([entry]));
    expect![[r#"
        unknown (another cause is as likely)
        blamed p: a dependency (checkout -> payment), began 3s before the alert
    "#]]
    .assert_eq(&outcome(&ledger, graph).1);
}

#[test]
fn a_change_is_cleared_when_its_old_version_fails_alike() {
    let split = "300/600 290/600 2/10000";
    check(
        &["d checkout deploy 2 to=2.0"],
        &[("d", UNDECIDED, split)],
        0,
        expect![[r#"
        unknown (another cause is as likely)
        blamed nobody: nobody
        exonerated d: its old version fails alike: 300 of 600 requests of the new version failed, 290 of 600 of the old one beside it
    "#]],
    );
    // Then somebody else is to blame.
    check(
        &["d checkout deploy 2 to=2.0", "p payment config 1"],
        &[("d", UNDECIDED, split)],
        0,
        expect![[r#"
        unknown (another cause is as likely)
        blamed p: a dependency (checkout -> payment), began 4s before the alert
        exonerated d: its old version fails alike: 300 of 600 requests of the new version failed, 290 of 600 of the old one beside it
    "#]],
    );
    // Both fail as they always did: the alert is about something else, and clears nobody.
    check(
        &["d checkout deploy 2 to=2.0"],
        &[("d", UNDECIDED, "300/600 290/600 5000/10000")],
        0,
        expect![[r#"
        unknown (too few requests to tell)
        blamed d: same service, began 3s before the alert
    "#]],
    );
    // The watch found the new version worse by another measure, such as latency.
    check(
        &["d checkout deploy 2 to=2.0"],
        &[("d", Verdict::Bad, split)],
        1,
        expect![[r#"
        bad
        blamed d: same service, began 3s before the alert
    "#]],
    );
}

#[test]
fn two_changes_at_once_are_a_conflict_unless_the_version_tells_them_apart() {
    let changes = ["d checkout deploy 2 to=2.0", "f checkout flag 3"];
    check(
        &changes,
        &[],
        0,
        expect![[r#"
        unknown (another cause is as likely)
        blamed d: same service, began 3s before the alert
        concurrent f: it came after deploy of checkout 1.9 -> 2.0 and before the alert
    "#]],
    );
    // Blame alone never acts: the new version looks worse, and the watch is not sure yet.
    check(
        &changes,
        &[("d", UNDECIDED, "30/600 0/600 1/10000")],
        0,
        expect![[r#"
        unknown (too few requests to tell)
        blamed d: same service, began 3s before the alert, its new version is worse: 30 of 600 requests of the new version failed, 0 of 600 of the old one beside it
        concurrent f: it came after deploy of checkout 1.9 -> 2.0 and before the alert
    "#]],
    );
    check(
        &changes,
        &[("d", Verdict::Bad, "60/600 0/600 1/10000")],
        1,
        expect![[r#"
        bad
        blamed d: same service, began 3s before the alert, its new version is worse: 60 of 600 requests of the new version failed, 0 of 600 of the old one beside it
        concurrent f: it came after deploy of checkout 1.9 -> 2.0 and before the alert
    "#]],
    );
    let canaries = ["d checkout deploy 2 to=2.0", "e checkout deploy 3 to=2.1"];
    let watches = [("d", UNDECIDED, "0/600 1/600 1/10000"), ("e", Verdict::Bad, "200/600 1/600 1/10000")];
    check(
        &canaries,
        &watches,
        1,
        expect![[r#"
        bad
        blamed e: same service, began 2s before the alert, its new version is worse: 200 of 600 requests of the new version failed, 1 of 600 of the old one beside it
        concurrent d: it ran less than 60s before deploy of checkout 1.9 -> 2.1
    "#]],
    );
    // A change of what both versions need, at the same time.
    check(
        &["d checkout deploy 2 to=2.0", "p payment deploy 3 to=3"],
        &[],
        0,
        expect![[r#"
        unknown (another cause is as likely)
        blamed d: same service, began 3s before the alert
        concurrent p: it came after deploy of checkout 1.9 -> 2.0 and before the alert
    "#]],
    );
}

#[test]
fn a_split_from_before_the_alert_says_nothing() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    record(&ledger, "d checkout deploy 2 to=2.0");
    watched(&ledger, "d", UNDECIDED, "300/600 290/600 2/10000");
    let mut old = watch::record_of(&*ledger, "ci/d").expect("ledger").expect("a watch");
    old.beside = old.beside.map(|beside| Beside { until: at(4), ..beside });
    old.commit(false, &*ledger).expect("committed");
    expect![[r#"
        unknown (too few requests to tell)
        blamed d: same service, began 3s before the alert
    "#]]
    .assert_eq(&outcome(&ledger, learned()).1);
}

#[test]
fn neighbours_are_told_of_and_blamed_by_nobody() {
    check(
        &["n stock deploy 3 to=8 ns=shop", "d checkout deploy -3000 to=2.0 ns=shop"],
        &[],
        0,
        expect![[r#"
        unknown (no change to the service in the window before the alert)
        blamed nobody: nobody
        concurrent n: in the same namespace, began 2s before the alert
    "#]],
    );
    check(
        &["n stock deploy 3 to=8 ns=shop", "d checkout deploy 2 to=2.0 ns=shop"],
        &[],
        1,
        expect![[r#"
        bad
        blamed d: same service, began 3s before the alert
        exonerated n: far less likely than deploy of checkout 1.9 -> 2.0: 0.10 against 1.00
    "#]],
    );
}

#[test]
fn a_log_rule_that_counts_by_version_tells_versions_apart_by_itself() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    record(&ledger, "d checkout deploy 2 to=2.0");
    let world = World::new(ActionState::Succeeded, true);
    let responder = responder_with(&ledger, PLAYBOOK, |_| {});
    let by_version = |version: &str, bad: u64, now: Timestamp| {
        let mut alert = Alert { id: format!("alert-{version}"), window_ns: Some(MINUTE_NS), ..firing(now) };
        alert.labels.insert("service.version".into(), version.into());
        alert.columns = BTreeMap::from([("n".into(), json!(600)), ("bad".into(), json!(bad))]);
        alert
    };
    for second in 8..90 {
        let alerts = [by_version("2.0", 200, at(second)), by_version("1.9", 190, at(second))];
        responder.observe(&alerts, at(second)).expect("observed");
        let effects = Effects { query: &world, executor: &world };
        for run in responder.due(at(second)).expect("due").0 {
            responder.advance(&run, at(second), &effects).expect("advanced");
        }
    }
    expect![[r#"
        unknown (another cause is as likely)
        blamed nobody: nobody
        exonerated d: its old version fails alike: 200 of 600 requests of the new version failed, 190 of 600 of the old one beside it
    "#]].assert_eq(&evidence(&ledger));
    assert_eq!(world.executed(), 0);
}
