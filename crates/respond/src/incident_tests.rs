//! Incidents over a real ledger, with virtual time: who joins, what reopens, what people do, and the report.

use std::collections::BTreeMap;
use std::sync::Arc;

use catalog::ledger::{Document, Filter, Ledger, LedgerTable, Records, Write};
use change::{Catalogue, ChangeBook, ServiceEntry, ServiceGraph};
use expect_test::{Expect, expect};
use model::{Labels, TimeRange, Timestamp, Value};
use rules::{Alert, AlertState, DataState, RuleQuery, RuleQueryError};
use serde_json::json;

use crate::{
    ActionRequest, ActionResult, ActionState, Changed, DeskError, Effects, Executor, Incident, Merge, NewIncident,
    NewNote, Responder, ResponderOptions, dossier, load_playbooks,
};

const SECOND_NS: i64 = 1_000_000_000;
const START: Timestamp = Timestamp(1_795_424_400_000_000_000);
const PLAYBOOK: &str = r#"
playbook: rollback
mode: auto
match: {team: shop}
requires: {verdict: bad, change_within: 30m}
steps:
- rollback:
    kind: exec
    target: {argv: [/usr/local/bin/rollback, "{{ service }}", "{{ change.from_version }}"]}
    to: previous
- verify: {expr: "errors < 1", for: 3s, within: 30s}
"#;

fn at(seconds: i64) -> Timestamp {
    START.saturating_add_ns(seconds * SECOND_NS)
}

/// An alert of a service that fires from the n-th second on.
fn firing(rule: &str, service: &str, since: i64) -> Alert {
    let labels = [("alertname", rule), ("service", service), ("severity", "page")];
    Alert {
        id: format!("{rule}-{service}-{since}"),
        fingerprint: format!("{rule}-{service}"),
        rule: rule.into(),
        group: "shop".into(),
        labels: labels.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        annotations: BTreeMap::from([("summary".into(), format!("{service} fails"))]),
        state: AlertState::Firing,
        active_at: at(since),
        fired_at: Some(at(since)),
        keep_firing_since: None,
        resolved_at: None,
        value: Some(7.0),
        columns: BTreeMap::new(),
        data: DataState::Measured,
        evaluated_at: at(since),
        interval_ns: SECOND_NS,
        query: "errors > 1".into(),
        window_ns: None,
        playbook: None,
    }
}

fn resolved(alert: &Alert, when: i64) -> Alert {
    Alert { state: AlertState::Resolved, resolved_at: Some(at(when)), evaluated_at: at(when), ..alert.clone() }
}

fn labelled(mut alert: Alert, name: &str, value: &str) -> Alert {
    alert.labels.insert(name.to_owned(), value.to_owned());
    alert
}

/// Executes whatever it is asked to, and says what it printed; then all is well.
struct World(std::sync::atomic::AtomicUsize);

impl RuleQuery for World {
    fn instant(&self, _expr: &str, _at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        Ok(vec![(Labels::default(), 0.0)])
    }

    fn logs(&self, _query: &str, _range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        Ok(Vec::new())
    }
}

impl Executor for World {
    fn execute(&self, request: &ActionRequest) -> ActionResult {
        self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let output = format!("{} is back\n```\n# not a heading\n", request.to_version);
        let state = ActionState::Succeeded;
        ActionResult { state, detail: "exit 0".into(), output, finished_at: Timestamp(0) }
    }
}

struct Desk {
    ledger: Arc<Ledger>,
    responder: Responder,
    world: World,
}

impl Desk {
    fn new(options: ResponderOptions) -> Self {
        let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
        let (playbooks, report) = load_playbooks(&[("playbook.yaml".to_owned(), PLAYBOOK.to_owned())]);
        assert!(report.is_ok(), "{report}");
        let records: Arc<dyn Records> = Arc::<Ledger>::clone(&ledger);
        let responder = Responder::new(records, playbooks, options, Box::new(|| None), at(0)).expect("responder");
        Self { ledger, responder, world: World(0.into()) }
    }

    /// Another process over the same ledger, after this one ended.
    fn restarted(&self, when: i64) -> Responder {
        let records: Arc<dyn Records> = Arc::<Ledger>::clone(&self.ledger);
        let playbooks = self.responder.playbooks().to_vec();
        Responder::new(records, playbooks, ResponderOptions::default(), Box::new(|| None), at(when)).expect("responder")
    }

    /// With one service that needs another.
    fn needing(needy: &str, needed: &str) -> Self {
        let (service, depends_on) = (needy.to_owned(), vec![needed.to_owned()]);
        let entry = ServiceEntry { service, depends_on, ..ServiceEntry::default() };
        let graph = ServiceGraph::from_catalogue(&Catalogue::new([entry]));
        let desk = desk();
        Self { responder: desk.responder.with_surroundings(Arc::new(graph)), ..desk }
    }

    fn observe(&self, alert: &Alert, when: i64) {
        self.responder.observe(std::slice::from_ref(alert), at(when)).expect("observed");
    }

    /// An alert that fires for ten seconds.
    fn episode(&self, alert: &Alert, since: i64) {
        self.observe(alert, since);
        self.observe(&resolved(alert, since + 10), since + 10);
    }

    fn deploy(&self, id: &str, service: &str, from: &str, to: &str, when: i64) {
        let delivery = json!({
            "id": id, "source": "ci", "kind": "deploy", "target": {"service": service}, "from_version": from,
            "to_version": to, "started_at": at(when).to_string(), "finished_at": at(when).to_string(),
            "reversible": "yes", "actor": "mei",
        });
        let records: Arc<dyn Records> = Arc::<Ledger>::clone(&self.ledger);
        ChangeBook::new(records).record(&delivery, "test", at(when)).expect("recorded");
    }

    /// Runs what is due for so many seconds, with an alert that fires on.
    fn live(&self, alert: &Alert, from: i64, seconds: i64) {
        for second in from..from + seconds {
            let now = at(second);
            self.observe(&Alert { evaluated_at: now, ..alert.clone() }, second);
            let effects = Effects { query: &self.world, executor: &self.world };
            for run in self.responder.due(now).expect("due").0 {
                self.responder.advance(&run, now, &effects).expect("advanced");
            }
        }
    }

    fn executed(&self) -> usize {
        self.world.0.load(std::sync::atomic::Ordering::SeqCst)
    }

    fn incidents(&self) -> Vec<Incident> {
        let found = self.ledger.list(LedgerTable::Incidents, &Filter::default()).expect("incidents");
        found.into_iter().map(|document| serde_json::from_value(document.body).expect("incident")).collect()
    }

    fn only(&self) -> String {
        let incidents = self.incidents();
        assert_eq!(incidents.len(), 1, "{incidents:?}");
        incidents[0].id.clone()
    }

    /// Every incident with its timeline, in seconds since the start.
    fn story(&self) -> String {
        let mut out = String::new();
        for incident in self.incidents() {
            let services = incident.handling.services.join("+");
            out.push_str(&format!("{} [{}] {services}\n", incident.title, incident.state.as_str()));
            let dossier = dossier(&*self.ledger, &incident.id).expect("ledger").expect("dossier");
            for entry in &dossier.timeline {
                assert!(!entry.detail.is_null(), "no detail for programs: {}", entry.summary);
                let seconds = (entry.at.0 - START.0) / SECOND_NS;
                out.push_str(&format!("  {seconds} {}: {}\n", entry.kind.as_str(), entry.summary));
            }
        }
        self.ledger.verify_audit().expect("the audit trail verifies");
        out
    }

    fn audit(&self) -> Vec<String> {
        let entries = self.ledger.audit(0, 1_000).expect("audit");
        entries.into_iter().map(|record| format!("{} {}", record.entry.actor, record.entry.verb)).collect()
    }
}

fn desk() -> Desk {
    Desk::new(ResponderOptions::default())
}

fn check(desk: &Desk, want: Expect) {
    want.assert_eq(&desk.story());
}

#[test]
fn a_bad_verdict_opens_an_incident_that_begins_with_its_change() {
    let desk = desk();
    desk.deploy("d1", "checkout", "1.9", "2.0", 1);
    let verdict = labelled(firing("ChangeVerdict", "checkout", 20), "change", "ci/d1");
    desk.observe(&verdict, 20);
    check(
        &desk,
        expect![[r#"
        checkout fails [open] checkout
          20 change: deploy of checkout 1.9 -> 2.0 by mei
          20 alert: verdict bad on deploy of checkout 1.9 -> 2.0 by mei: checkout fails
    "#]],
    );
    assert_eq!(desk.incidents()[0].change.as_deref(), Some("ci/d1"));
}

#[test]
fn an_alert_joins_the_incident_of_its_service_and_no_other() {
    let desk = desk();
    desk.observe(&firing("Errors", "checkout", 10), 10);
    desk.observe(&firing("Slow", "checkout", 20), 20);
    desk.observe(&firing("Slow", "cart", 30), 30);
    check(
        &desk,
        expect![[r#"
        checkout fails [open] checkout
          10 alert: Errors fires: checkout fails
          20 alert: Slow fires: checkout fails
        cart fails [open] cart
          30 alert: Slow fires: cart fails
    "#]],
    );
}

#[test]
fn an_alert_of_a_related_service_joins_within_the_window() {
    let desk = Desk::needing("checkout", "payment");
    desk.observe(&firing("Errors", "payment", 10), 10);
    desk.observe(&firing("Errors", "checkout", 100), 100);
    desk.observe(&firing("Errors", "search", 110), 110);
    // The joined service belongs to the incident from now on; the window is over for the others.
    desk.observe(&firing("Slow", "checkout", 2_000), 2_000);
    check(
        &desk,
        expect![[r#"
        payment fails [open] payment+checkout
          10 alert: Errors fires: payment fails
          100 decision: an alert of checkout joins: checkout needs payment
          100 alert: Errors fires: checkout fails
          2000 alert: Slow fires: checkout fails
        search fails [open] search
          110 alert: Errors fires: search fails
    "#]],
    );
}

#[test]
fn outside_the_window_a_related_service_has_an_incident_of_its_own() {
    let desk = Desk::needing("checkout", "payment");
    desk.observe(&firing("Errors", "payment", 10), 10);
    desk.observe(&firing("Errors", "checkout", 700), 700);
    assert_eq!(desk.incidents().len(), 2);
}

#[test]
fn verdicts_that_blame_one_change_are_one_incident() {
    let desk = desk();
    desk.deploy("d1", "payment", "1.9", "2.0", 1);
    desk.observe(&labelled(firing("ChangeVerdict", "payment", 20), "change", "ci/d1"), 20);
    desk.observe(&labelled(firing("ChangeVerdict", "checkout", 30), "change", "ci/d1"), 30);
    check(
        &desk,
        expect![[r#"
        payment fails [open] payment+checkout
          20 change: deploy of payment 1.9 -> 2.0 by mei
          20 alert: verdict bad on deploy of payment 1.9 -> 2.0 by mei: payment fails
          30 decision: an alert of checkout joins: both blame the change ci/d1
          30 change: deploy of payment 1.9 -> 2.0 by mei
          30 alert: verdict bad on deploy of payment 1.9 -> 2.0 by mei: checkout fails
    "#]],
    );
}

#[test]
fn an_alert_soon_after_the_end_reopens_and_the_playbook_waits_for_the_cooldown() {
    let desk = desk();
    desk.deploy("d1", "checkout", "1.9", "2.0", 8);
    let first = labelled(firing("Errors", "checkout", 10), "team", "shop");
    desk.live(&first, 10, 10);
    desk.observe(&resolved(&first, 30), 30);
    desk.deploy("d2", "checkout", "1.9", "2.1", 300);
    let second = labelled(firing("Errors", "checkout", 310), "team", "shop");
    desk.live(&second, 310, 10);
    assert_eq!(desk.executed(), 1);
    check(
        &desk,
        expect![[r#"
        checkout fails [open] checkout
          10 alert: Errors fires: checkout fails
          10 decision: playbook rollback begins, mode auto
          10 change: suspect: deploy of checkout 1.9 -> 2.0 by mei (same service, began 2s before the alert)
          10 decision: roll checkout back from 2.0 to 1.9: verdict bad, all guards passed
          10 action: rollback of checkout 2.0 -> 1.9: started
          10 action: rollback of checkout 2.0 -> 1.9: succeeded (exit 0)
          10 verify: verifying for 3s within 30s
          13 verify: verified: {} 0
          13 decision: playbook rollback ended: helped (all steps done)
          30 alert: Errors is resolved
          30 note: resolved, outcome: helped
          310 note: reopened: the same alert fires 280s after it was resolved
          310 alert: Errors fires: checkout fails
          310 decision: playbook rollback does not run again: guard cooldown: the last action on checkout was 300s ago, less than 1800s
          310 notify: telling log: Errors fires again, no playbook runs
    "#]],
    );
    assert_eq!(desk.incidents()[0].handling.reopened, 1);
}

#[test]
fn after_the_cooldown_a_reopened_incident_runs_its_playbook_once_more() {
    let desk = desk();
    desk.deploy("d1", "checkout", "1.9", "2.0", 8);
    let first = labelled(firing("Errors", "checkout", 10), "team", "shop");
    desk.live(&first, 10, 10);
    // It fires on for long after the rollback, so that the cooldown is over soon after its end.
    desk.observe(&resolved(&first, 1_500), 1_500);
    desk.deploy("d2", "checkout", "1.9", "2.0", 1_895);
    let second = labelled(firing("Errors", "checkout", 1_900), "team", "shop");
    desk.live(&second, 1_900, 10);
    desk.observe(&resolved(&second, 1_950), 1_950);
    assert_eq!(desk.executed(), 2, "{}", desk.story());
    let incidents = desk.incidents();
    assert_eq!((incidents.len(), incidents[0].runs.len()), (1, 2));
    assert_eq!(incidents[0].outcome.as_deref(), Some("helped"));
}

#[test]
fn long_after_the_end_or_for_another_change_a_new_incident_opens() {
    let desk = desk();
    desk.episode(&firing("Errors", "checkout", 10), 10);
    desk.episode(&firing("Errors", "checkout", 1_900), 1_900);
    assert_eq!(desk.incidents().len(), 2);
    desk.deploy("d1", "cart", "1", "2", 1);
    desk.deploy("d2", "cart", "2", "3", 50);
    desk.episode(&labelled(firing("ChangeVerdict", "cart", 20), "change", "ci/d1"), 20);
    desk.episode(&labelled(firing("ChangeVerdict", "cart", 60), "change", "ci/d2"), 60);
    assert_eq!(desk.incidents().len(), 4, "{}", desk.story());
}

#[test]
fn an_alert_that_comes_and_goes_keeps_one_incident_open_until_it_is_quiet() {
    let desk = desk();
    for episode in 0..6 {
        desk.episode(&firing("Errors", "checkout", 100 * episode), 100 * episode);
    }
    check(
        &desk,
        expect![[r#"
        checkout fails [open] checkout
          0 alert: Errors fires: checkout fails
          10 alert: Errors is resolved
          10 note: resolved
          100 note: reopened: the same alert fires 90s after it was resolved
          100 alert: Errors fires: checkout fails
          100 notify: telling log: Errors fires again, no playbook runs
          110 alert: Errors is resolved
          110 note: resolved
          200 note: reopened: the same alert fires 90s after it was resolved
          200 alert: Errors fires: checkout fails
          200 notify: telling log: Errors fires again, no playbook runs
          210 alert: Errors is resolved
          210 note: resolved
          300 note: reopened: the same alert fires 90s after it was resolved
          300 alert: Errors fires: checkout fails
          300 notify: telling log: Errors fires again, no playbook runs, and it flaps: no more of this until it is quiet
          310 alert: Errors is resolved
          310 note: nothing fires any more; it was reopened 3 times, so it is resolved after 900s of quiet
          400 alert: Errors fires: checkout fails
          410 alert: Errors is resolved
          410 note: nothing fires any more; it was reopened 3 times, so it is resolved after 900s of quiet
          500 alert: Errors fires: checkout fails
          510 alert: Errors is resolved
          510 note: nothing fires any more; it was reopened 3 times, so it is resolved after 900s of quiet
    "#]],
    );
    let told = desk.ledger.list(LedgerTable::Outbox, &Filter::default()).expect("outbox").len();
    assert_eq!(told, 3);
    desk.responder.observe(&[], at(510 + 14 * 60)).expect("observed");
    assert_eq!(desk.incidents()[0].state.as_str(), "open");
    desk.responder.observe(&[], at(510 + 16 * 60)).expect("observed");
    assert_eq!(desk.incidents()[0].state.as_str(), "resolved");
}

fn twice(act: impl Fn() -> Result<Changed, DeskError>) -> Incident {
    let first = act().expect("first");
    assert!(first.changed, "the first time changes something");
    let second = act().expect("second");
    assert!(!second.changed, "the second time changes nothing");
    assert_eq!(first.incident, second.incident);
    first.incident
}

fn refused(result: Result<Changed, DeskError>) -> String {
    let error = result.expect_err("refused");
    format!("{error}; {}\n", error.hint())
}

#[test]
fn people_open_note_acknowledge_resolve_and_reopen_and_every_request_counts_once() {
    let desk = desk();
    let responder = &desk.responder;
    let new = NewIncident { title: " Phones ring ".into(), service: "checkout".into(), ..NewIncident::default() };
    let id = twice(|| responder.open_by_hand(&new, "mei", at(1))).id;
    let note = NewNote { text: "customers call\n| about | money".into(), key: None };
    twice(|| responder.add_note(&id, &note, "mei", at(2)));
    twice(|| responder.acknowledge(&id, "ada", at(3)));
    desk.episode(&firing("Errors", "checkout", 5), 5);
    assert_eq!(desk.incidents()[0].state.as_str(), "open", "only a person ends it");
    twice(|| responder.resolve_by_hand(&id, "it was a test", "ada", at(20)));
    twice(|| responder.reopen_by_hand(&id, "", "mei", at(30)));
    check(
        &desk,
        expect![[r#"
        Phones ring [open] checkout
          1 note: opened by mei
          2 note: customers call
        | about | money
          3 note: ada looks after it
          5 alert: Errors fires: checkout fails
          15 alert: Errors is resolved
          20 note: resolved by ada: it was a test
          30 note: reopened by mei
    "#]],
    );
    let audit = desk.audit();
    let by_people: Vec<&str> = audit.iter().map(String::as_str).filter(|line| !line.starts_with("respond")).collect();
    assert_eq!(
        by_people,
        [
            "mei incident.opened",
            "mei incident.noted",
            "ada incident.acknowledged",
            "ada incident.resolved",
            "mei incident.reopened"
        ]
    );
}

#[test]
fn a_person_may_resolve_while_an_alert_fires_and_its_end_is_still_told() {
    let desk = desk();
    let alert = firing("Errors", "checkout", 10);
    desk.observe(&alert, 10);
    let id = desk.only();
    desk.responder.resolve_by_hand(&id, "known and harmless", "ada", at(20)).expect("resolved");
    desk.observe(&alert, 25);
    desk.observe(&resolved(&alert, 30), 30);
    check(
        &desk,
        expect![[r#"
        checkout fails [resolved] checkout
          10 alert: Errors fires: checkout fails
          20 note: resolved by ada while alerts still fire (1): known and harmless
          30 alert: Errors is resolved
    "#]],
    );
}

#[test]
fn an_episode_that_ended_while_nobody_was_there_is_told_once() {
    let desk = desk();
    let alert = resolved(&firing("Errors", "checkout", 10), 12);
    desk.observe(&alert, 20);
    desk.observe(&alert, 21);
    desk.restarted(22).observe(std::slice::from_ref(&alert), at(22)).expect("observed");
    check(
        &desk,
        expect![[r#"
        checkout fails [resolved] checkout
          20 alert: Errors fires: checkout fails
          20 alert: Errors is resolved
          20 note: resolved
    "#]],
    );
}

#[test]
fn an_episode_that_another_took_the_place_of_is_over() {
    let desk = desk();
    let first = firing("Errors", "checkout", 10);
    desk.observe(&first, 10);
    let second = Alert { id: "alert-second".into(), active_at: at(29), fired_at: Some(at(30)), ..first.clone() };
    let restarted = desk.restarted(29);
    restarted.observe(std::slice::from_ref(&second), at(30)).expect("observed");
    restarted.observe(&[resolved(&second, 40)], at(40)).expect("observed");
    check(
        &desk,
        expect![[r#"
        checkout fails [resolved] checkout
          10 alert: Errors fires: checkout fails
          30 alert: Errors is resolved
          30 note: resolved
          30 note: reopened: the same alert fires 0s after it was resolved
          30 alert: Errors fires: checkout fails
          30 notify: telling log: Errors fires again, no playbook runs
          40 alert: Errors is resolved
          40 note: resolved
    "#]],
    );
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason_and_changes_nothing() {
    let desk = desk();
    let responder = &desk.responder;
    desk.deploy("d1", "checkout", "1.9", "2.0", 8);
    desk.observe(&labelled(firing("Errors", "checkout", 10), "team", "shop"), 10);
    let running = desk.only();
    desk.episode(&firing("Errors", "cart", 20), 20);
    let done = desk.incidents()[1].id.clone();
    let before = desk.audit().len();
    let merge = |id: &str, into: &str| responder.merge(&Merge { id: id.into(), into: into.into() }, "ada", at(40));
    let long = NewNote { text: "x".repeat(20_000), key: None };
    let said = [
        refused(responder.acknowledge("inc-nope", "ada", at(40))),
        refused(responder.acknowledge(&done, "ada", at(40))),
        refused(responder.resolve_by_hand(&running, "", "ada", at(40))),
        refused(responder.add_note(&running, &NewNote::default(), "ada", at(40))),
        refused(responder.add_note(&running, &long, "ada", at(40))),
        refused(responder.open_by_hand(&NewIncident::default(), "ada", at(40))),
        refused(merge(&running, &running)),
        refused(merge(&running, &done)),
        refused(merge(&running, "inc-nope")),
    ];
    expect![[r#"
        there is no incident "inc-nope"; GET /backstop/api/v1/incidents lists them; 
        incident "inc-5724c8bfca09" is resolved; there is nothing to look after; reopen it if it is not over
        incident "inc-7276f5dae132" has a run that goes on, run-cde389d202b2c3f5; wait for its end, or engage the kill switch to stop it from acting
        text is empty; give 1 to 16384 bytes of text
        text has 20000 bytes; give at most 16384
        title is empty; give 1 to 256 bytes of text
        into names the incident itself; name another incident
        incident "inc-5724c8bfca09" is resolved, and the other one is open; reopen it first, or merge the other way round
        there is no incident "inc-nope"; GET /backstop/api/v1/incidents lists them; 
    "#]].assert_eq(&said.concat());
    assert_eq!(desk.audit().len(), before);
}

#[test]
fn a_merged_incident_is_told_as_a_part_of_the_other_and_its_run_goes_on() {
    let desk = desk();
    let responder = &desk.responder;
    desk.deploy("d1", "checkout", "1.9", "2.0", 8);
    let alert = labelled(firing("Errors", "checkout", 10), "team", "shop");
    desk.observe(&alert, 10);
    let from = desk.only();
    let other = firing("Slow", "cart", 12);
    desk.observe(&other, 12);
    let into = desk.incidents()[1].id.clone();
    let merge = Merge { id: from.clone(), into: into.clone() };
    twice(|| responder.merge(&merge, "ada", at(13)));
    let back = Merge { id: into.clone(), into: from.clone() };
    let hint = refused(responder.merge(&back, "ada", at(14)));
    assert!(hint.contains(&format!("merge into {into:?} instead")), "{hint}");
    assert!(refused(responder.acknowledge(&from, "ada", at(14))).contains("was merged into"));
    desk.live(&alert, 15, 10);
    desk.observe(&resolved(&alert, 30), 30);
    desk.observe(&resolved(&other, 31), 31);
    check(
        &desk,
        expect![[r#"
            checkout fails [merged] checkout
              10 alert: Errors fires: checkout fails
              10 decision: playbook rollback begins, mode auto
              13 note: ada merged this into inc-1b038045d9d1 (cart fails)
              15 change: suspect: deploy of checkout 1.9 -> 2.0 by mei (same service, began 2s before the alert)
              15 decision: roll checkout back from 2.0 to 1.9: verdict bad, all guards passed
              15 action: rollback of checkout 2.0 -> 1.9: started
              15 action: rollback of checkout 2.0 -> 1.9: succeeded (exit 0)
              15 verify: verifying for 3s within 30s
              18 verify: verified: {} 0
              18 decision: playbook rollback ended: helped (all steps done)
            cart fails [resolved] cart+checkout
              10 alert: Errors fires: checkout fails
              10 decision: playbook rollback begins, mode auto
              12 alert: Slow fires: cart fails
              13 note: ada merged inc-7276f5dae132 (checkout fails) into this
              15 change: suspect: deploy of checkout 1.9 -> 2.0 by mei (same service, began 2s before the alert)
              15 decision: roll checkout back from 2.0 to 1.9: verdict bad, all guards passed
              15 action: rollback of checkout 2.0 -> 1.9: started
              15 action: rollback of checkout 2.0 -> 1.9: succeeded (exit 0)
              15 verify: verifying for 3s within 30s
              18 verify: verified: {} 0
              18 decision: playbook rollback ended: helped (all steps done)
              30 alert: Errors is resolved
              31 alert: Slow is resolved
              31 note: resolved, outcome: helped
        "#]],
    );
    let whole = desk.incidents().into_iter().find(|incident| incident.id == into).expect("there");
    assert_eq!((whole.outcome.as_deref(), whole.change.as_deref()), (Some("helped"), Some("ci/d1")));
    assert_eq!(desk.executed(), 1);
    // An alert of the merged service belongs to the whole now, and the playbook that ran there does not run twice.
    desk.observe(&labelled(firing("Errors", "checkout", 40), "team", "shop"), 40);
    assert_eq!(desk.incidents().len(), 2);
}

/// What the watch over the change wrote, as the report reads it.
fn watch(ledger: &Ledger) {
    let side = |label: &str, n: f64, value: f64| json!({"label": label, "n": n, "value": value});
    let unknown = json!({"verdict": "unknown", "reason": "low_sample"});
    let card = json!({
        "verdict": {"verdict": "bad"},
        "detail": "2.0 fails 47.8 points more",
        "signals": [
            {"name": "error share", "kind": "errors", "query": "sum(rate(x{code=~\"5..|4..\"}[1m]))",
             "compare": "version_split", "old": side("1.9", 4012.0, 0.00415), "new": side("2.0", 398.0, 0.4823),
             "effect": 47.8151, "effect_unit": "points", "log_e": 41.25, "log_e_needed": 9.21, "min_n": 50.0,
             "verdict": {"verdict": "bad"}, "detail": ""},
            {"name": "latency p99", "kind": "latency", "query": "q", "compare": "version_split",
             "old": side("1.9", 4012.0, 180.0), "new": side("2.0", 398.0, 181.0), "effect": 1.01,
             "effect_unit": "ratio", "log_e": 0.1, "log_e_needed": 9.21, "min_n": 500.0, "verdict": unknown,
             "detail": ""},
        ],
        "exonerated": [{"what": "ci/d0", "reason": "the old version fails alike"}],
        "would_change": ["200 more requests"],
        "until": at(12).to_string(),
        "left_out": 0.0,
    });
    let change = ledger.get(LedgerTable::Changes, "ci/d1").expect("ledger").expect("change").body;
    let body = json!({
        "id": "ci/d1", "service": "checkout", "change": change, "state": "ended", "card": card,
        "started_at": at(8).to_string(), "ends_at": at(13).to_string(), "decided_at": at(12).to_string(),
        "evaluated_at": at(12).to_string(), "interval_ns": SECOND_NS, "comparable": true, "sources": ["metrics"],
        "history": [
            {"at": at(9).to_string(), "verdict": "unknown", "reason": "low_sample", "detail": "n 3 of 50"},
            {"at": at(12).to_string(), "verdict": "bad", "detail": "log e 41.25"},
        ],
    });
    let document =
        Document { id: "ci/d1".into(), time: at(9), service: "checkout".into(), state: "ended".into(), body };
    ledger.commit(vec![Write::Put(LedgerTable::Watches, document)]).expect("written");
}

#[test]
fn the_report_in_markdown() {
    let desk = desk();
    desk.deploy("d1", "checkout", "1.9", "2.0", 8);
    watch(&desk.ledger);
    let mut alert = labelled(firing("Errors", "checkout", 10), "team", "shop");
    let hostile =
        "a|b <img src=x> [click](https://evil.example) @oncall **bold** `code` \u{202e}www.evil.example\n# heading";
    alert.annotations.insert("summary".into(), hostile.into());
    desk.live(&alert, 10, 10);
    let note = NewNote { text: "```\n<script>\n- list".into(), key: None };
    desk.responder.add_note(&desk.only(), &note, "mei", at(21)).expect("noted");
    desk.observe(&resolved(&alert, 130), 130);
    let dossier = dossier(&*desk.ledger, &desk.only()).expect("ledger").expect("there");
    let report = dossier.markdown();
    expect_test::expect_file!["export/report.md"].assert_eq(&report);
    // Nothing of what was said is a line, a cell or a tag of its own.
    assert!(!report.contains("\n# heading") && !report.contains("](http"), "{report}");
    let without_code = report.replace("errors < 1", "");
    assert!(!without_code.replace("\\<", "").contains('<'), "{report}");
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    assert!(report.lines().filter(|line| line.starts_with("| ")).all(|line| cells(line) == 5), "{report}");
}
