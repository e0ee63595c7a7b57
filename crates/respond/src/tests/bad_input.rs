//! Playbooks that make no sense are refused with their place; targets that are gone, with the reason.

use expect_test::{Expect, expect};

use super::*;
use crate::check_playbooks;

fn check(text: &str, want: Expect) {
    want.assert_eq(&check_playbooks(&[("p.yaml".to_owned(), text.to_owned())]).to_string());
}

#[test]
fn a_loop_is_shown() {
    check(
        "playbook: p
steps:
- id: look
  query: {expr: errors}
- id: fix
  restart: {kind: exec, target: {argv: [/bin/restart]}}
- id: again
  decide: {cases: [{when: 'steps.look.value > 1', goto: look}]}
",
        expect![[r#"
            p.yaml:8:57: the playbook has a loop: look -> fix -> again -> look
              hint: a run only goes forward, so that it ends; page people instead of trying again
            0 playbooks, 1 problems"#]],
    );
    check(
        "playbook: p
steps:
- id: a
  notify: {receiver: r}
  next: {goto: c}
- id: b
  notify: {receiver: r}
- id: c
  notify: {receiver: r}
  on_fail: {goto: b}
- id: d
  notify: {receiver: r}
  next: {goto: d}
",
        expect![[r#"
            p.yaml:10:19: a `goto` goes back
              hint: a run only goes forward, so that it ends; page people instead of trying again
            p.yaml:13:16: the playbook has a loop: d -> d
              hint: a run only goes forward, so that it ends; page people instead of trying again
            0 playbooks, 2 problems"#]],
    );
}

#[test]
fn mistakes_in_steps_have_their_place() {
    check(
        r#"playbook: p
mode: approve
mode_max: suggest
requires: {verdict: none, witnesses: 9}
guards: {approvals: {need: 2, off: [sre]}, freeze: [{days: [someday]}]}
steps:
- rollback: {kind: exec, target: {service: "", argv: [/bin/r]}}
- scale: {kind: exec, target: {argv: [/bin/s, "{{ steps.later.value }}"]}, replicas: {of: "3", add: 0, min: 5, max: 2}}
- id: later
  query: {expr: 'sum(', logs: x}
- restart: {kind: exec, target: {argv: [/bin/s]}, to: "7"}
- probe: {kind: icmp, address: db}
- probe: {kind: tcp, address: db}
- ask: {question: "{{ nobody }}?", need: 0, expires: soon}
- wait: {}
- notify: {receiver: r}
  undo: {act: {kind: exec, target: {argv: [/bin/s]}}}
- notify: {receiver: r}
  risk: huge
  timeout: 3s
"#,
        expect![[r#"
            p.yaml:3:11: mode_max is below mode
              hint: raise it, or lower mode
            p.yaml:4:38: witnesses is 9
              hint: it is 1 to 4: metric alert, log alert, watch and probe are the kinds
            p.yaml:5:21: approvals can not be read
              hint: write a number, or {need: 2, of: [sre], expires: 30m, not_actor: true, notify: [oncall]}
            p.yaml:5:53: there is no day "someday"
              hint: the days are mon, tue, wed, thu, fri, sat and sun
            p.yaml:7:44: the service is empty or not a text
              hint: name one service; an empty selector never means everything
            p.yaml:8:86: min 5 is above max 2
              hint: swap them
            p.yaml:10:10: a query does not have exactly one of expr and logs
              hint: give it one
            p.yaml:11:55: a restart goes to no version
              hint: leave `to` out
            p.yaml:12:17: there is no kind of probe "icmp"
              hint: the kinds are http, tcp
            p.yaml:13:31: "db" is not an address
              hint: write host:port, without a template; it must be on the allow-list too
            p.yaml:14:23: template: there is no variable "nobody"
              hint: the variables are service, incident.id, to_version, change.id, change.source, change.from_version, change.to_version, change.artifact, alert.name, alert.labels.<name>, steps.<id>.value, .n, .result, .choice, .row.<name>
            p.yaml:14:42: nobody needs to answer
              hint: the least is 1
            p.yaml:14:54: "soon" is not a duration
              hint: write 30s, 5m, 1h30m or 1d
            p.yaml:15:9: a wait does not say for what
              hint: give it one of for, expr and logs
            p.yaml:17:9: a notify changes nothing that could be taken back
              hint: act, rollback, restart and scale can have one
            p.yaml:19:9: there is no risk "huge"
              hint: it is none, low, medium or high
            p.yaml:20:12: a notify takes no time
              hint: leave the timeout out
            0 playbooks, 17 problems"#]],
    );
    check(
        r#"playbook: p
requires: {verdict: none}
steps:
- id: a
  rollback: {kind: exec, target: {argv: [/bin/r, "{{ steps.b.value }}"]}}
- id: b
  decide: {cases: [{when: 'steps.a.result = "ok" and verdict = "bad" and n > 3', goto: nowhere}]}
- id: a
  notify: {receiver: r}
"#,
        expect![[r#"
            p.yaml:2:21: the playbook rolls back and requires no verdict
              hint: only `bad` may roll back
            p.yaml:4:3: a template uses steps.b, and no step above has that id
              hint: a step can only use what steps above it found out
            p.yaml:7:27: nothing above finds out "n"
              hint: there are verdict, and steps.ID.result, .value, .n, .choice and .row.NAME of steps above; write `-` in an id as `_`
            p.yaml:7:88: there is no step with the id "nowhere"
              hint: give a step that id
            p.yaml:8:7: the step id "a" is there twice
              hint: rename one
            0 playbooks, 5 problems"#]],
    );
}

#[test]
fn what_is_right_may_still_be_worth_a_note() {
    check(
        "playbook: p
steps:
- restart: {kind: exec, target: {argv: [/bin/r]}}
  next: {goto: end}
- id: lost
  notify: {receiver: r}
- id: end
  notify: {receiver: r}
",
        expect![[r#"
            note: p: no run ever comes to the step lost
            note: p: it acts and never verifies that it helped; its record stays empty
            1 playbooks, 0 problems"#]],
    );
}

fn refusal(world: World) -> String {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    let responder = responder_with(&ledger, PLAYBOOK, |_| {});
    live(&responder, &world, at(8)).expect("lives");
    assert_eq!(world.executed(), 0);
    assert!(audit(&ledger).contains("action.refused"), "recorded");
    let told = story(&ledger);
    let line = told.lines().find(|line| line.contains("not rolled back")).unwrap_or_else(|| panic!("{told}"));
    line.to_owned()
}

#[test]
fn a_vanished_target_and_an_unknown_revision_are_refused_and_a_failed_look_holds() {
    let gone = Precheck::Refused { detail: "deployment checkout is not there; name one that is".into() };
    expect!["decision: not rolled back after all: precheck: deployment checkout is not there; name one that is"]
        .assert_eq(&refusal(World::new(ActionState::Succeeded, true).looks(vec![gone])));
    let unknown = Precheck::Refused { detail: "there is no revision 1.9 in its history".into() };
    expect!["decision: not rolled back after all: precheck: there is no revision 1.9 in its history"]
        .assert_eq(&refusal(World::new(ActionState::Succeeded, true).looks(vec![unknown])));
    let blind = Precheck::Unknown { detail: "the API server does not answer".into() };
    expect!["decision: not rolled back after all: the target can not be looked at: the API server does not answer"]
        .assert_eq(&refusal(World::new(ActionState::Succeeded, true).looks(vec![blind])));
}

#[test]
fn a_look_that_fails_for_a_moment_only_waits() {
    let blind = Precheck::Unknown { detail: "the API server does not answer".into() };
    let world = World::new(ActionState::Succeeded, true).looks(vec![blind.clone(), blind, Precheck::NotOffered]);
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    let responder = responder_with(&ledger, PLAYBOOK, |_| {});
    live(&responder, &world, at(8)).expect("lives");
    assert_eq!(world.executed(), 1);
    assert!(story(&ledger).contains("waiting: the target can not be looked at"), "{}", story(&ledger));
}

#[test]
fn an_empty_target_never_means_everything() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    let playbook = "playbook: p\nmode: auto\nmatch: {alertname: CheckoutErrors}\nrequires: {verdict: none}\nsteps:\n- restart: {kind: exec, target: {argv: [/bin/restart]}}\n";
    let world = World::new(ActionState::Succeeded, true);
    let responder = responder_with(&ledger, playbook, |_| {});
    let mut alert = firing(at(8));
    alert.labels.remove("service");
    responder.observe(&[alert], at(8)).expect("observed");
    let effects = Effects { query: &world, executor: &world };
    for run in responder.due(at(8)).expect("due").0 {
        responder.advance(&run, at(8), &effects).expect("advanced");
    }
    assert_eq!(world.executed(), 0);
    assert!(story(&ledger).contains("an empty selector never means everything"), "{}", story(&ledger));
}
