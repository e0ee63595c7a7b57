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
    ActionRequest, ActionResult, ActionState, Effects, Executor, Playbook, Precheck, Principal, Responder,
    ResponderOptions, load_playbooks,
};

mod approvals;
mod attribution;
mod bad_input;
mod graph;
mod guards;
mod leases;
mod protocol;
mod simulation;
mod steps;
mod switches;

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
    /// What queries yield before anything was executed and after, by their text; the rest says that all is well or nothing.
    numbers: BTreeMap<String, (f64, f64)>,
    /// What a look at the target says, by how many looks there were.
    looks: Vec<Precheck>,
    looked: AtomicUsize,
    /// Everything that was executed.
    requests: parking_lot::Mutex<Vec<ActionRequest>>,
}

impl World {
    fn new(result: ActionState, helps: bool) -> Self {
        let (executed, looked) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (numbers, looks) = (BTreeMap::new(), Vec::new());
        Self { executed, result, helps, numbers, looks, looked, requests: parking_lot::Mutex::default() }
    }

    /// A query that yields a number before the first action and another after it.
    fn with(mut self, expr: &str, before: f64, after: f64) -> Self {
        self.numbers.insert(expr.to_owned(), (before, after));
        self
    }

    /// What looks at the target say, one after the other; the last goes on.
    fn looks(mut self, looks: Vec<Precheck>) -> Self {
        self.looks = looks;
        self
    }

    /// What was done, in short.
    fn done(&self) -> Vec<String> {
        let requests = self.requests.lock();
        requests
            .iter()
            .map(|request| format!("{} {} -> {}", request.verb, request.from_version, request.to_version))
            .collect()
    }

    fn executed(&self) -> usize {
        self.executed.load(SeqCst)
    }
}

impl RuleQuery for World {
    fn instant(&self, expr: &str, _at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        if let Some((before, after)) = self.numbers.get(expr) {
            let value = if self.executed() == 0 { *before } else { *after };
            return Ok(if value.is_nan() { Vec::new() } else { vec![(Labels::default(), value)] });
        }
        let well = self.helps && self.executed() > 0;
        Ok(if well { vec![(Labels::default(), 0.0)] } else { Vec::new() })
    }

    fn logs(&self, _query: &str, _range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        Ok(Vec::new())
    }
}

impl Executor for World {
    fn precheck(&self, _request: &ActionRequest) -> Precheck {
        let looked = self.looked.fetch_add(1, SeqCst);
        self.looks.get(looked).or(self.looks.last()).cloned().unwrap_or(Precheck::NotOffered)
    }

    fn execute(&self, request: &ActionRequest) -> ActionResult {
        assert!(!request.key.is_empty());
        self.executed.fetch_add(1, SeqCst);
        self.requests.lock().push(request.clone());
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

/// A responder with people who may approve.
fn responder_with(ledger: &Arc<Ledger>, playbook: &str, change: impl FnOnce(&mut ResponderOptions)) -> Responder {
    let person = |name: &str, role: &str| Principal { name: name.to_owned(), roles: vec![role.to_owned()] };
    let mut options = ResponderOptions {
        approvers: vec![person("ada", "sre"), person("bob", "sre"), person("eve", "guest")],
        ..ResponderOptions::default()
    };
    change(&mut options);
    Responder::new(records(ledger), playbooks(playbook), options, Box::new(|| None), at(8)).expect("responder")
}

/// Lets time pass from one second to another, with the alert firing on.
fn pass(responder: &Responder, world: &World, from: i64, to: i64) {
    for second in from..to {
        let now = at(second);
        responder.observe(&[firing(now)], now).expect("observed");
        let effects = Effects { query: world, executor: world };
        for run in responder.due(now).expect("due").0 {
            responder.advance(&run, now, &effects).expect("advanced");
        }
    }
}

fn audit(ledger: &Ledger) -> String {
    let records = ledger.audit(0, 10_000).expect("audit");
    records
        .iter()
        .map(|record| format!("{} {} {}\n", record.entry.actor, record.entry.verb, record.entry.detail))
        .collect()
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

/// Approves everything that is asked, as two people.
fn approve_all(responder: &Responder, now: Timestamp) -> Result<(), crate::RespondError> {
    for approval in responder.approvals(true, 10, now)? {
        let choice = approval.choices[0].clone();
        for name in ["ada", "bob"] {
            let person = Principal { name: name.into(), roles: vec!["sre".into()] };
            match responder.answer(&approval.id, &person, &choice, "", now) {
                Ok(_) | Err(crate::AnswerError::Refused { .. } | crate::AnswerError::NotFound(_)) => {}
                Err(crate::AnswerError::Respond(error)) => return Err(error),
            }
        }
    }
    Ok(())
}

/// Like `live`, with people who approve.
fn live_with_people(responder: &Responder, world: &World, from: Timestamp) -> Result<(), crate::RespondError> {
    let mut now = from;
    for _ in 0..600 {
        responder.observe(&[firing(now)], now)?;
        approve_all(responder, now)?;
        let effects = Effects { query: world, executor: world };
        for run in responder.due(now)?.0 {
            responder.advance(&run, now, &effects)?;
        }
        if responder.active_runs()?.is_empty() {
            return Ok(());
        }
        now = now.saturating_add_ns(SECOND_NS);
    }
    panic!("the run has not ended in ten minutes");
}

/// The process dies at every commit, before it is applied and after, and another one goes on. Every action happens at most once, and
/// the incident says how it ended. Gives how often it ended how.
fn die_everywhere(playbook: &str, world: impl Fn() -> World) -> BTreeMap<String, usize> {
    let mut crashes = 0;
    let mut outcomes = BTreeMap::<String, usize>::new();
    let people = |name: &str| Principal { name: name.into(), roles: vec!["sre".into()] };
    let options = || ResponderOptions { approvers: vec![people("ada"), people("bob")], ..ResponderOptions::default() };
    let process = |records: Arc<dyn Records>, now| {
        Responder::new(records, playbooks(playbook), options(), Box::new(|| None), now)
    };
    for applied in [false, true] {
        for commits in 1.. {
            let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
            deploy(&ledger, "d1", "1.9", "2.0", at(2));
            let world = world();
            let mortal = Mortal { ledger: Arc::clone(&ledger), commits_left: AtomicUsize::new(commits), applied };
            let first = process(Arc::new(mortal), at(8)).expect("a start commits nothing");
            let crashed = live_with_people(&first, &world, at(8)).is_err();
            drop(first);
            let before = world.executed();
            let second = process(records(&ledger), at(60)).expect("responder");
            live_with_people(&second, &world, at(60)).expect("the second process lives");
            let what = format!("crash at commit {commits}, applied: {applied}\n{}", story(&ledger));
            let mut keys: Vec<String> = world.requests.lock().iter().map(|request| request.key.clone()).collect();
            keys.sort();
            let all = keys.len();
            keys.dedup();
            assert_eq!(keys.len(), all, "executed twice; {what}");
            let actions = actions(&ledger);
            let states: Vec<&str> = actions.iter().filter_map(|action| action["state"].as_str()).collect();
            if before >= 1 {
                assert!(states.contains(&"succeeded") || states.contains(&"unknown"), "{states:?}; {what}");
            }
            assert!(!states.contains(&"started") && !states.contains(&"planned"), "{states:?}; {what}");
            let lease = crate::Lease::of(&*ledger, "checkout").expect("lease");
            assert!(!lease.is_held(at(9)) && lease.holder.is_empty(), "{lease:?}; {what}");
            let pending = second.approvals(true, 10, at(60)).expect("approvals");
            assert!(pending.is_empty(), "{pending:?}; {what}");
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
    println!("{crashes} crashes: {outcomes:?}");
    outcomes
}

/// R42, R40.
#[test]
fn r42_a_crash_at_every_step_executes_an_action_at_most_once() {
    let outcomes = die_everywhere(PLAYBOOK, || World::new(ActionState::Succeeded, true));
    assert!(outcomes.contains_key("helped") && outcomes.contains_key("unknown"), "{outcomes:?}");
}

/// R42 with every kind of step: measured, probed, decided, asked, approved by two, done, found to be worse, taken back.
#[test]
fn r42_a_crash_at_every_step_of_a_long_playbook_executes_every_action_at_most_once() {
    let playbook = r#"
playbook: long
mode: approve
match: {service: checkout}
requires: {verdict: none}
guards: {approvals: {need: 2, of: [sre]}}
steps:
- id: now
  query: {expr: instances}
- id: db
  probe: {kind: tcp, address: 'db:5432'}
- decide: {cases: [{when: 'steps.now.value > 1', goto: sure}], else: {goto: page}}
- id: sure
  ask: {question: 'scale?', of: [sre], choices: {go: {}, stop: {goto: page}}}
- wait: {for: 2s}
- scale:
    kind: exec
    target: {argv: [/bin/scale, "{{ to_version }}"]}
    replicas: {of: "{{ steps.now.value }}", add: 2, min: 1, max: 9}
  undo: {scale: {kind: exec, target: {argv: [/bin/scale, "{{ to_version }}"]}, replicas: {of: "{{ steps.now.value }}", min: 1, max: 9}}}
- verify: {expr: 'errors < 1', for: 3s, within: 30s}
  on_fail: {goto: page}
- notify: {receiver: team}
- id: page
  notify: {receiver: oncall}
"#;
    let world = || {
        let world = World::new(ActionState::Succeeded, true).with("instances", 3.0, 3.0);
        world.with("errors < 1", f64::NAN, f64::NAN).with("errors", 4.0, 9.0)
    };
    let outcomes = die_everywhere(playbook, world);
    assert!(outcomes.contains_key("worse") && outcomes.contains_key("unknown"), "{outcomes:?}");
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
