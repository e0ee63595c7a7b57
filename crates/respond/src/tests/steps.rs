//! One test for each kind of step and each way out of it.

use expect_test::{Expect, expect};

use super::*;
use crate::{ProbeAnswer, ProbeRequest, Prober, ResultState};

/// A prober that says the same every time.
struct Says(ResultState);

impl Prober for Says {
    fn probe(&self, request: &ProbeRequest) -> ProbeAnswer {
        assert!(request.timeout_ns > 0);
        let detail = "connection refused".to_owned();
        ProbeAnswer { state: self.0, latency_ms: Some(3.0), status: None, detail }
    }
}

const SERVICES: &str = "
- query: {expr: instances}
  id: now
- probe: {kind: tcp, address: 'db:5432'}
  id: db
- decide:
    cases:
    - {when: 'steps.db.result = \"failed\"', goto: restart}
    - {when: 'steps.now.value < 5', goto: grow}
    else: {goto: page}
- id: restart
  restart: {kind: exec, target: {service: db, argv: [/bin/restart, '{{ service }}', 'was={{ steps.db.result }}']}}
- id: grow
  scale:
    kind: exec
    target: {argv: [/bin/scale, '{{ service }}', '{{ to_version }}']}
    replicas: {of: '{{ steps.now.value }}', add: 4, min: 1, max: 6}
- id: page
  notify: {receiver: oncall, text: '{{ steps.now.value }} instances'}
";

fn story_of(steps: &str, prober: Option<ResultState>, world: &World) -> String {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    let playbook =
        format!("playbook: p\nmode: auto\nmatch: {{service: checkout}}\nrequires: {{verdict: none}}\nsteps:{steps}");
    let mut responder = responder_with(&ledger, &playbook, |_| {});
    if let Some(state) = prober {
        responder = responder.with_prober(Box::new(Says(state)));
    }
    live(&responder, world, at(8)).expect("no crash");
    ledger.verify_audit().expect("the audit trail verifies");
    story(&ledger).lines().skip(2).map(|line| format!("{line}\n")).collect()
}

fn check(steps: &str, prober: Option<ResultState>, world: &World, want: Expect) {
    want.assert_eq(&story_of(steps, prober, world));
}

#[test]
fn what_was_found_out_decides_where_the_run_goes() {
    let world = World::new(ActionState::Succeeded, true).with("instances", 3.0, 3.0);
    check(
        SERVICES,
        Some(ResultState::Failed),
        &world,
        expect![[r#"
        note: now: 3, the first of 1
        note: db: failed: connection refused
        decision: steps.db.result = "failed": on to restart
        change: suspect: deploy of checkout 1.9 -> 2.0 (same service, began 3s before the alert)
        decision: restart db: verdict bad, all guards passed
        action: restart of db: started
        action: restart of db: succeeded (exit 0)
        decision: playbook p ended: acted (all steps done)
    "#]],
    );
    assert_eq!(world.done(), ["restart  -> "]);
    let world = World::new(ActionState::Succeeded, true).with("instances", 3.0, 3.0);
    check(
        SERVICES,
        Some(ResultState::Ok),
        &world,
        expect![[r#"
        note: now: 3, the first of 1
        note: db: ok: connection refused
        decision: steps.now.value < 5: on to grow
        change: suspect: deploy of checkout 1.9 -> 2.0 (same service, began 3s before the alert)
        decision: scale checkout to 6: verdict bad, all guards passed
        action: scaling of checkout to 6: started
        action: scaling of checkout to 6: succeeded (exit 0)
        decision: playbook p ended: acted (all steps done)
    "#]],
    );
    assert_eq!(world.requests.lock()[0].replicas, Some(6), "3 and 4 more, at most 6");
    let world = World::new(ActionState::Succeeded, true).with("instances", 9.0, 9.0);
    check(
        SERVICES,
        Some(ResultState::Ok),
        &world,
        expect![[r#"
        note: now: 9, the first of 1
        note: db: ok: connection refused
        decision: no case holds: on to page
        notify: telling oncall: playbook p tells you; 9 instances
        decision: playbook p ended: notified (all steps done)
    "#]],
    );
    assert_eq!(world.executed(), 0);
}

#[test]
fn what_is_not_known_meets_no_condition() {
    let world = World::new(ActionState::Succeeded, true).with("instances", f64::NAN, f64::NAN);
    check(
        SERVICES,
        None,
        &world,
        expect![[r#"
        note: now: nothing was measured
        note: db: unknown: there is nothing here that can probe
        decision: no case holds (steps.now.value not known): on to page
        notify: telling oncall: playbook p tells you; {{ steps.now.value }} instances (steps.now.value has no value here; the alert or the change does not say it)
        decision: playbook p ended: notified (all steps done)
    "#]],
    );
    assert_eq!(world.executed(), 0);
}

#[test]
fn a_wait_ends_by_time_or_by_its_condition() {
    let steps = "\n- wait: {for: 5s}\n- wait: {expr: 'ready == 1', within: 10s}\n  on_fail: {goto: page}\n- notify: {receiver: team}\n- id: page\n  notify: {receiver: oncall}\n";
    let world = World::new(ActionState::Succeeded, true).with("ready == 1", 1.0, 1.0);
    check(
        steps,
        None,
        &world,
        expect![[r#"
        note: waiting 5s
        note: waiting up to 10s for ready == 1
        note: waited: {} 1
        notify: telling team: playbook p tells you
        decision: playbook p ended: notified (all steps done)
    "#]],
    );
    let world = World::new(ActionState::Succeeded, false);
    check(
        steps,
        None,
        &world,
        expect![[r#"
        note: waiting 5s
        note: waiting up to 10s for ready == 1
        note: waited 10s in vain: the expression yields nothing
        notify: telling oncall: playbook p: held: waited 10s in vain: the expression yields nothing
        decision: playbook p ended: held (waited 10s in vain: the expression yields nothing)
    "#]],
    );
}

const UNDOABLE: &str = r#"
- scale:
    kind: exec
    target: {argv: [/bin/scale, "{{ service }}", "{{ to_version }}"]}
    replicas: 2
  undo: {scale: {kind: exec, target: {argv: [/bin/scale, "{{ service }}", "{{ to_version }}"]}, replicas: 8}}
- verify: {expr: 'errors < 1', for: 3s, within: 30s}
  on_fail: {goto: page}
- notify: {receiver: team}
- id: page
  notify: {receiver: oncall}
"#;

/// Errors went from 4 to 9: not only not better, but worse. The step is taken back, once, and people are told.
#[test]
fn what_made_it_worse_is_taken_back_once() {
    let world =
        World::new(ActionState::Succeeded, true).with("errors < 1", f64::NAN, f64::NAN).with("errors", 4.0, 9.0);
    check(
        UNDOABLE,
        None,
        &world,
        expect![[r#"
            change: suspect: deploy of checkout 1.9 -> 2.0 (same service, began 3s before the alert)
            decision: scale checkout to 2: verdict bad, all guards passed
            action: scaling of checkout to 2: started
            action: scaling of checkout to 2: succeeded (exit 0)
            verify: verifying for 3s within 30s
            verify: worse than before: errors was 4 before and is 9
            decision: take it back by scaling of checkout to 8: all guards passed
            action: undoing: scaling of checkout to 8: started
            action: undoing: scaling of checkout to 8: succeeded (exit 0)
            notify: telling log: playbook p: worse: worse than before: errors was 4 before and is 9; undoing: scaling of checkout to 8: succeeded (exit 0); suspect: deploy of checkout 1.9 -> 2.0
            notify: telling oncall: playbook p: worse: worse than before: errors was 4 before and is 9; undoing: scaling of checkout to 8: succeeded (exit 0); suspect: deploy of checkout 1.9 -> 2.0
            decision: playbook p ended: worse (worse than before: errors was 4 before and is 9; undoing: scaling of checkout to 8: succeeded (exit 0))
        "#]],
    );
    assert_eq!(world.done(), ["scale  -> 2", "scale  -> 8"]);
    // As bad as before is not worse: nothing is taken back.
    let world =
        World::new(ActionState::Succeeded, true).with("errors < 1", f64::NAN, f64::NAN).with("errors", 4.0, 4.1);
    assert!(story_of(UNDOABLE, None, &world).contains("ended: not_helped"));
    assert_eq!(world.done(), ["scale  -> 2"]);
}

#[test]
fn a_file_can_say_what_is_worse_and_without_a_way_back_people_are_told() {
    let steps = UNDOABLE.replace("within: 30s", "within: 30s, worse: 'latency > 2'");
    let world = World::new(ActionState::Succeeded, false).with("latency > 2", f64::NAN, 3.0);
    assert!(story_of(&steps, None, &world).contains("worse than before: latency > 2 yields {} 3"));
    assert_eq!(world.done(), ["scale  -> 2", "scale  -> 8"]);
    let (steps, undo): (Vec<&str>, Vec<&str>) = steps.lines().partition(|line| !line.contains("undo:"));
    assert_eq!(undo.len(), 1);
    let world = World::new(ActionState::Succeeded, false).with("latency > 2", f64::NAN, 3.0);
    let told = story_of(&steps.join("\n"), None, &world);
    assert!(told.contains("ended: worse") && told.contains("telling log"), "{told}");
}

#[test]
fn next_joins_branches() {
    let steps = "
- probe: {kind: http, url: 'http://db/health'}
  on_fail: {goto: down}
- notify: {receiver: up}
  next: {goto: end}
- id: down
  notify: {receiver: down}
  next: {goto: end}
- id: end
  notify: {receiver: all}
";
    let world = World::new(ActionState::Succeeded, true);
    let receivers = |state| {
        let told = story_of(steps, Some(state), &world);
        let receivers =
            told.lines().filter_map(|line| line.strip_prefix("notify: telling ")?.split(':').next().map(str::to_owned));
        receivers.collect::<Vec<_>>()
    };
    assert_eq!(receivers(ResultState::Ok), ["up", "all"]);
    assert_eq!(receivers(ResultState::Failed), ["down", "all"]);
}
