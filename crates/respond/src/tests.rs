//! The whole path from an alert to the end of a run, over a real ledger, with virtual time, a counting executor, and crashes
//! at every step.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use catalog::ledger::{Document, Filter, Ledger, LedgerError, LedgerTable, Records, Write};
use change::ChangeBook;
use expect_test::{Expect, expect};
use model::{Labels, TimeRange, Timestamp, Value};
use rules::{Alert, AlertState, DataState, RuleQuery, RuleQueryError};
use serde_json::json;

use crate::{
    ActionRequest, ActionResult, ActionState, Effects, Executor, Playbook, Responder, ResponderOptions, load_playbooks,
};

const SECOND_NS: i64 = 1_000_000_000;
const MINUTE_NS: i64 = 60 * SECOND_NS;
/// When the tests begin.
const START: Timestamp = Timestamp(1_795_424_400_000_000_000);

const PLAYBOOK: &str = r#"
playbook: rollback-checkout
mode: auto
match: {service: checkout}
requires: {verdict: bad, change_within: 30m}
steps:
- rollback:
    kind: exec
    target: {argv: [/usr/local/bin/rollback, "{{ service }}", "{{ change.from_version }}"]}
    to: previous
  on_fail: {goto: page}
- verify: {expr: "errors < 1", for: 3s, within: 30s}
  on_fail: {goto: page}
- notify: {receiver: team, template: rolled_back}
- id: page
  notify: {receiver: oncall}
"#;

fn playbooks(text: &str) -> Vec<Playbook> {
    let (playbooks, report) = load_playbooks(&[("playbook.yaml".to_owned(), text.to_owned())]);
    assert!(report.is_ok(), "{report}");
    playbooks
}

fn at(seconds: i64) -> Timestamp {
    START.saturating_add_ns(seconds * SECOND_NS)
}

fn firing(now: Timestamp) -> Alert {
    Alert {
        id: "alert-1".into(),
        fingerprint: "fp-1".into(),
        rule: "CheckoutErrors".into(),
        group: "checkout".into(),
        labels: BTreeMap::from([("alertname".into(), "CheckoutErrors".into()), ("service".into(), "checkout".into())]),
        annotations: BTreeMap::from([("summary".into(), "checkout fails".into())]),
        state: AlertState::Firing,
        active_at: at(5),
        fired_at: Some(at(8)),
        keep_firing_since: None,
        resolved_at: None,
        value: Some(7.0),
        columns: BTreeMap::new(),
        data: DataState::Measured,
        evaluated_at: now,
        interval_ns: SECOND_NS,
        query: "errors > 1".into(),
        window_ns: None,
        playbook: None,
    }
}

fn deploy(ledger: &Arc<Ledger>, id: &str, from: &str, to: &str, when: Timestamp) {
    let delivery = json!({
        "id": id, "source": "ci", "kind": "deploy", "target": {"service": "checkout"}, "from_version": from,
        "to_version": to, "started_at": when.to_string(), "finished_at": when.to_string(), "reversible": "yes",
    });
    ChangeBook::new(records(ledger)).record(&delivery, "test", when).expect("recorded");
}

fn records(ledger: &Arc<Ledger>) -> Arc<dyn Records> {
    Arc::<Ledger>::clone(ledger)
}

/// Says that all is well once something was executed.
struct World {
    executed: AtomicUsize,
    result: ActionState,
    helps: bool,
}

impl World {
    fn new(result: ActionState, helps: bool) -> Self {
        Self { executed: AtomicUsize::new(0), result, helps }
    }

    fn executed(&self) -> usize {
        self.executed.load(SeqCst)
    }
}

impl RuleQuery for World {
    fn instant(&self, _expr: &str, _at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        let well = self.helps && self.executed() > 0;
        Ok(if well { vec![(Labels::default(), 0.0)] } else { Vec::new() })
    }

    fn logs(&self, _query: &str, _range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        Ok(Vec::new())
    }
}

impl Executor for World {
    fn execute(&self, request: &ActionRequest) -> ActionResult {
        assert!(!request.key.is_empty());
        self.executed.fetch_add(1, SeqCst);
        ActionResult { state: self.result, detail: "exit 0".into(), output: String::new(), finished_at: Timestamp(0) }
    }
}

/// A ledger that lets the process die at its n-th commit: before it is applied, or after it was and before anyone knew. From
/// then on nothing works any more, as for a dead process.
struct Mortal {
    ledger: Arc<Ledger>,
    commits_left: AtomicUsize,
    applied: bool,
}

impl Mortal {
    fn dead() -> LedgerError {
        LedgerError::Injected("the process is dead".into())
    }

    /// Counts down; true while alive.
    fn alive(&self) -> bool {
        self.commits_left.load(SeqCst) > 0
    }
}

impl Records for Mortal {
    fn commit(&self, batch: Vec<Write>) -> Result<(), LedgerError> {
        if !self.alive() {
            return Err(Self::dead());
        }
        if self.commits_left.fetch_sub(1, SeqCst) > 1 {
            return self.ledger.commit(batch);
        }
        if self.applied {
            self.ledger.commit(batch)?;
        }
        Err(Self::dead())
    }

    fn get(&self, table: LedgerTable, id: &str) -> Result<Option<Document>, LedgerError> {
        if self.alive() { self.ledger.get(table, id) } else { Err(Self::dead()) }
    }

    fn list(&self, table: LedgerTable, filter: &Filter) -> Result<Vec<Document>, LedgerError> {
        if self.alive() { self.ledger.list(table, filter) } else { Err(Self::dead()) }
    }
}

fn responder(records: Arc<dyn Records>, playbook: &str, now: Timestamp) -> Result<Responder, crate::RespondError> {
    Responder::new(records, playbooks(playbook), ResponderOptions::default(), Box::new(|| None), now)
}

/// Lets time pass second by second: the alert fires on, runs go on. Ends when no run is left, or with the error of a crash.
fn live(responder: &Responder, world: &World, from: Timestamp) -> Result<Timestamp, crate::RespondError> {
    let mut now = from;
    for _ in 0..600 {
        responder.observe(&[firing(now)], now)?;
        let effects = Effects { query: world, executor: world };
        for run in responder.due(now)?.0 {
            responder.advance(&run, now, &effects)?;
        }
        if responder.active_runs()?.is_empty() {
            return Ok(now);
        }
        now = now.saturating_add_ns(SECOND_NS);
    }
    panic!("the run has not ended in ten minutes");
}

fn actions(ledger: &Ledger) -> Vec<serde_json::Value> {
    let found = ledger.list(LedgerTable::Actions, &Filter::default()).expect("actions");
    found.into_iter().map(|document| document.body).collect()
}

fn story(ledger: &Ledger) -> String {
    let entries = ledger.list(LedgerTable::Timeline, &Filter::default()).expect("timeline");
    let line = |body: &serde_json::Value| {
        format!("{}: {}\n", body["kind"].as_str().unwrap_or(""), body["summary"].as_str().unwrap_or(""))
    };
    entries.iter().map(|document| line(&document.body)).collect()
}

fn check(playbook: &str, changes: &[(&str, &str, &str, i64)], world: &World, want: Expect) {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    for (id, from, to, when) in changes {
        deploy(&ledger, id, from, to, at(*when));
    }
    let responder = responder(records(&ledger), playbook, at(8)).expect("responder");
    live(&responder, world, at(8)).expect("no crash");
    ledger.verify_audit().expect("the audit trail verifies");
    want.assert_eq(&story(&ledger));
}

#[test]
fn a_bad_change_is_rolled_back_verified_and_told() {
    let world = World::new(ActionState::Succeeded, true);
    check(
        PLAYBOOK,
        &[("d1", "1.9", "2.0", 2)],
        &world,
        expect![[r#"
        alert: CheckoutErrors fires: checkout fails
        decision: playbook rollback-checkout begins, mode auto
        change: suspect: deploy of checkout 1.9 -> 2.0 (same service, began 3s before the alert)
        decision: roll checkout back from 2.0 to 1.9: verdict bad, all guards passed
        action: rollback of checkout 2.0 -> 1.9: started
        action: rollback of checkout 2.0 -> 1.9: succeeded (exit 0)
        verify: verifying for 3s within 30s
        verify: verified: {} 0
        notify: telling team: playbook rollback-checkout rolled it back, and it helped; suspect: deploy of checkout 1.9 -> 2.0
        decision: playbook rollback-checkout ended: helped (all steps done)
    "#]],
    );
    assert_eq!(world.executed(), 1);
}

#[test]
fn without_a_change_nothing_is_rolled_back_and_people_are_told() {
    let world = World::new(ActionState::Succeeded, true);
    check(
        PLAYBOOK,
        &[],
        &world,
        expect![[r#"
        alert: CheckoutErrors fires: checkout fails
        decision: playbook rollback-checkout begins, mode auto
        decision: waiting: verdict unknown (no change to the service in the window before the alert)
        decision: not rolled back: verdict unknown (no change to the service in the window before the alert): only bad may act
        notify: telling oncall: playbook rollback-checkout: held: not rolled back: verdict unknown (no change to the service in the window before the alert): only bad may act
        decision: playbook rollback-checkout ended: held (not rolled back: verdict unknown (no change to the service in the window before the alert): only bad may act)
    "#]],
    );
    assert_eq!(world.executed(), 0);
}

#[test]
fn a_change_after_the_alert_is_not_to_blame() {
    let world = World::new(ActionState::Succeeded, true);
    check(
        PLAYBOOK,
        &[("d1", "1.9", "2.0", 7)],
        &world,
        expect![[r#"
        alert: CheckoutErrors fires: checkout fails
        decision: playbook rollback-checkout begins, mode auto
        decision: waiting: verdict unknown (no change to the service in the window before the alert)
        decision: not rolled back: verdict unknown (no change to the service in the window before the alert): only bad may act
        notify: telling oncall: playbook rollback-checkout: held: not rolled back: verdict unknown (no change to the service in the window before the alert): only bad may act
        decision: playbook rollback-checkout ended: held (not rolled back: verdict unknown (no change to the service in the window before the alert): only bad may act)
    "#]],
    );
    assert_eq!(world.executed(), 0);
}

#[test]
fn mode_observe_says_what_it_would_have_done() {
    let world = World::new(ActionState::Succeeded, true);
    let playbook = PLAYBOOK.replace("mode: auto", "mode: observe");
    check(
        &playbook,
        &[("d1", "1.9", "2.0", 2)],
        &world,
        expect![[r#"
        alert: CheckoutErrors fires: checkout fails
        decision: playbook rollback-checkout begins, mode observe
        decision: would have rolled checkout back from 2.0 to 1.9; mode observe: not done
        decision: playbook rollback-checkout ended: observed (would have rolled checkout back from 2.0 to 1.9; mode observe: not done)
    "#]],
    );
    assert_eq!(world.executed(), 0);
}

#[test]
fn a_rollback_that_does_not_help_pages() {
    let world = World::new(ActionState::Succeeded, false);
    check(
        PLAYBOOK,
        &[("d1", "1.9", "2.0", 2)],
        &world,
        expect![[r#"
        alert: CheckoutErrors fires: checkout fails
        decision: playbook rollback-checkout begins, mode auto
        change: suspect: deploy of checkout 1.9 -> 2.0 (same service, began 3s before the alert)
        decision: roll checkout back from 2.0 to 1.9: verdict bad, all guards passed
        action: rollback of checkout 2.0 -> 1.9: started
        action: rollback of checkout 2.0 -> 1.9: succeeded (exit 0)
        verify: verifying for 3s within 30s
        verify: not verified within 30s: the expression yields nothing
        notify: telling oncall: playbook rollback-checkout: not_helped: not verified within 30s: the expression yields nothing; suspect: deploy of checkout 1.9 -> 2.0
        decision: playbook rollback-checkout ended: not_helped (not verified within 30s: the expression yields nothing)
    "#]],
    );
    assert_eq!(world.executed(), 1);
}

#[test]
fn an_unknown_outcome_is_not_tried_again() {
    let world = World::new(ActionState::Unknown, true);
    check(
        PLAYBOOK,
        &[("d1", "1.9", "2.0", 2)],
        &world,
        expect![[r#"
        alert: CheckoutErrors fires: checkout fails
        decision: playbook rollback-checkout begins, mode auto
        change: suspect: deploy of checkout 1.9 -> 2.0 (same service, began 3s before the alert)
        decision: roll checkout back from 2.0 to 1.9: verdict bad, all guards passed
        action: rollback of checkout 2.0 -> 1.9: started
        action: rollback of checkout 2.0 -> 1.9: unknown (exit 0)
        notify: telling log: playbook rollback-checkout: unknown: exit 0; suspect: deploy of checkout 1.9 -> 2.0
        notify: telling oncall: playbook rollback-checkout: unknown: exit 0; suspect: deploy of checkout 1.9 -> 2.0
        decision: playbook rollback-checkout ended: unknown (exit 0)
    "#]],
    );
    assert_eq!(world.executed(), 1);
}

/// R42, R40: the process dies at every commit, before it is applied and after, and another one goes on. The action happens at
/// most once, and the incident says how it ended.
#[test]
fn r42_a_crash_at_every_step_executes_an_action_at_most_once() {
    let mut crashes = 0;
    let mut outcomes = BTreeMap::<String, usize>::new();
    for applied in [false, true] {
        for commits in 1.. {
            let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
            deploy(&ledger, "d1", "1.9", "2.0", at(2));
            let world = World::new(ActionState::Succeeded, true);
            let mortal = Mortal { ledger: Arc::clone(&ledger), commits_left: AtomicUsize::new(commits), applied };
            let first = responder(Arc::new(mortal), PLAYBOOK, at(8)).expect("a start commits nothing");
            let crashed = live(&first, &world, at(8)).is_err();
            drop(first);
            let before = world.executed();
            let second = responder(records(&ledger), PLAYBOOK, at(60)).expect("responder");
            live(&second, &world, at(60)).expect("the second process lives");
            let what = format!("crash at commit {commits}, applied: {applied}\n{}", story(&ledger));
            assert!(world.executed() <= 1, "executed {} times; {what}", world.executed());
            let actions = actions(&ledger);
            let states: Vec<&str> = actions.iter().filter_map(|action| action["state"].as_str()).collect();
            if before == 1 {
                assert!(states == ["succeeded"] || states == ["unknown"], "{states:?}; {what}");
            }
            assert!(!states.contains(&"started") && !states.contains(&"planned"), "{states:?}; {what}");
            let incidents = ledger.list(LedgerTable::Incidents, &Filter::default()).expect("incidents");
            assert_eq!(incidents.len(), 1, "{what}");
            let outcome = incidents[0].body["outcome"].as_str().unwrap_or_else(|| panic!("no outcome; {what}"));
            *outcomes.entry(outcome.to_owned()).or_default() += 1;
            ledger.verify_audit().expect("the audit trail verifies");
            if !crashed {
                break;
            }
            crashes += 1;
        }
    }
    assert!(crashes >= 10, "only {crashes} crashes were tried");
    assert!(outcomes.contains_key("helped") && outcomes.contains_key("unknown"), "{outcomes:?}");
}

#[test]
fn a_second_rollback_of_a_target_within_the_cooldown_is_refused() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    let world = World::new(ActionState::Succeeded, true);
    let responder = responder(records(&ledger), PLAYBOOK, at(8)).expect("responder");
    let ended = live(&responder, &world, at(8)).expect("lives");
    let resolved = Alert { state: AlertState::Resolved, resolved_at: Some(ended), ..firing(ended) };
    responder.observe(&[resolved], ended).expect("observed");
    // A new change, a new episode of the alert, five minutes later.
    let later = ended.saturating_add_ns(5 * MINUTE_NS);
    deploy(&ledger, "d2", "1.9", "2.1", later.saturating_add_ns(-2 * SECOND_NS));
    let second =
        |now: Timestamp| Alert { id: "alert-2".into(), active_at: later, fired_at: Some(later), ..firing(now) };
    let mut now = later;
    for _ in 0..120 {
        responder.observe(&[second(now)], now).expect("observed");
        let effects = Effects { query: &world, executor: &world };
        for run in responder.due(now).expect("due").0 {
            responder.advance(&run, now, &effects).expect("advanced");
        }
        now = now.saturating_add_ns(SECOND_NS);
    }
    assert_eq!(world.executed(), 1, "{}", story(&ledger));
    assert!(story(&ledger).contains("cooldown"), "{}", story(&ledger));
}

#[test]
fn the_kill_switch_stops_everything() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    let world = World::new(ActionState::Succeeded, true);
    let kill_switch = Box::new(|| Some("pulled by a test".to_owned()));
    let options = ResponderOptions::default();
    let responder =
        Responder::new(records(&ledger), playbooks(PLAYBOOK), options, kill_switch, at(8)).expect("responder");
    live(&responder, &world, at(8)).expect("lives");
    assert_eq!(world.executed(), 0);
    assert!(story(&ledger).contains("pulled by a test"), "{}", story(&ledger));
}
