//! People are asked, answer, answer too late, answer wrongly.

use expect_test::expect;

use super::*;
use crate::{AnswerError, Approval, ApprovalState};

fn ada() -> Principal {
    Principal { name: "ada".into(), roles: vec!["sre".into()] }
}

fn bob() -> Principal {
    Principal { name: "bob".into(), roles: vec!["sre".into()] }
}

fn eve() -> Principal {
    Principal { name: "eve".into(), roles: vec!["guest".into()] }
}

fn pending(responder: &Responder, now: Timestamp) -> Approval {
    let mut found = responder.approvals(true, 10, now).expect("approvals");
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

/// A ledger, a responder whose playbook needs two approvals of role sre, and the run waiting for them.
fn asked(guards: &str, mode: &str, world: &World) -> (Arc<Ledger>, Responder, Approval) {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    let playbook = PLAYBOOK.replace("mode: auto", &format!("mode: {mode}\nguards: {{{guards}}}"));
    let responder = responder_with(&ledger, &playbook, |_| {});
    pass(&responder, world, 8, 12);
    assert_eq!(world.executed(), 0);
    let approval = pending(&responder, at(12));
    (ledger, responder, approval)
}

const TWO: &str = "approvals: {need: 2, of: [sre], expires: 5m, notify: [oncall]}";

#[test]
fn two_different_people_of_the_role_let_it_happen() {
    let world = World::new(ActionState::Succeeded, true);
    let (ledger, responder, approval) = asked(TWO, "auto", &world);
    expect!["Roll checkout back from 2.0 to 1.9? (verdict bad on deploy of checkout 1.9 -> 2.0)"]
        .assert_eq(&approval.question);
    let refused = |person: &Principal, decision: &str, now: i64| {
        let error = responder.answer(&approval.id, person, decision, "", at(now)).expect_err("refused");
        assert!(matches!(error, AnswerError::Refused { .. }));
        error.to_string()
    };
    expect!["eve has guest; sre may answer; ask one of those who may"].assert_eq(&refused(&eve(), "approve", 12));
    expect![[r#"the answer "maybe" is not among approve, reject; give one of them as `decision`"#]]
        .assert_eq(&refused(&ada(), "maybe", 12));
    let first = responder.answer(&approval.id, &ada(), "approve", "looks right", at(12)).expect("counts");
    assert_eq!(first.state, ApprovalState::Pending);
    expect!["ada has answered already; somebody else has to answer"].assert_eq(&refused(&ada(), "approve", 13));
    pass(&responder, &world, 12, 20);
    assert_eq!(world.executed(), 0, "one of two is not enough");
    let second = responder.answer(&approval.id, &bob(), "approve", "", at(20)).expect("counts");
    assert_eq!(second.state, ApprovalState::Approved);
    pass(&responder, &world, 20, 40);
    assert_eq!(world.executed(), 1, "{}", story(&ledger));
    expect!["somebody"]
        .assert_eq(&refused(&eve(), "approve", 40).split(' ').next().unwrap_or("").replace("eve", "somebody"));
    let trail = audit(&ledger);
    for entry in ["eve approval.refused", "ada approval.answered", "bob approval.answered", "respond approval.asked"] {
        assert!(trail.contains(entry), "no {entry} in {trail}");
    }
    assert!(story(&ledger).contains("telling oncall: Roll checkout back"), "{}", story(&ledger));
    assert!(story(&ledger).contains("ended: helped"), "{}", story(&ledger));
    ledger.verify_audit().expect("the audit trail verifies");
}

#[test]
fn a_rejection_ends_the_run() {
    let world = World::new(ActionState::Succeeded, true);
    let (ledger, responder, approval) = asked(TWO, "auto", &world);
    responder.answer(&approval.id, &ada(), "approve", "", at(12)).expect("counts");
    responder.answer(&approval.id, &bob(), "reject", "a known blip", at(13)).expect("counts");
    pass(&responder, &world, 13, 30);
    assert_eq!(world.executed(), 0);
    let told = story(&ledger);
    assert!(
        told.contains("ended: rejected (not rolled back after all: rejected: approve by ada, reject by bob)"),
        "{told}"
    );
}

#[test]
fn nobody_answers_in_time() {
    let world = World::new(ActionState::Succeeded, true);
    let (ledger, responder, approval) = asked(TWO, "auto", &world);
    responder.answer(&approval.id, &ada(), "approve", "", at(12)).expect("counts");
    let late = approval.expires_at.saturating_add_ns(1);
    let error = responder.answer(&approval.id, &bob(), "approve", "", late).expect_err("too late");
    assert!(error.to_string().contains("expired"), "{error}");
    pass(&responder, &world, 12, 330);
    assert_eq!(world.executed(), 0);
    let told = story(&ledger);
    assert!(told.contains("not rolled back after all: expired: approve by ada; 1 of 2 answers came in time"), "{told}");
    assert!(told.contains("telling oncall: playbook rollback-checkout: held"), "{told}");
}

#[test]
fn who_made_the_change_does_not_approve_what_is_done_about_it() {
    let world = World::new(ActionState::Succeeded, true);
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    let delivery = json!({
        "id": "d1", "source": "ci", "kind": "deploy", "target": {"service": "checkout"}, "from_version": "1.9",
        "to_version": "2.0", "started_at": at(2).to_string(), "finished_at": at(2).to_string(), "actor": "Ada",
    });
    ChangeBook::new(records(&ledger)).record(&delivery, "test", at(2)).expect("recorded");
    let playbook =
        PLAYBOOK.replace("mode: auto", "mode: approve\nguards: {approvals: {need: 1, of: [sre], not_actor: true}}");
    let responder = responder_with(&ledger, &playbook, |_| {});
    pass(&responder, &world, 8, 12);
    let approval = pending(&responder, at(12));
    let error = responder.answer(&approval.id, &ada(), "approve", "", at(12)).expect_err("her own change");
    expect!["ada made the change, and may not approve what is done about it; ask one of those who may"]
        .assert_eq(&error.to_string());
    responder.answer(&approval.id, &bob(), "approve", "", at(12)).expect("counts");
    pass(&responder, &world, 12, 30);
    assert_eq!(world.executed(), 1);
}

#[test]
fn too_few_people_are_said_at_once() {
    let world = World::new(ActionState::Succeeded, true);
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    let playbook = PLAYBOOK.replace("mode: auto", "mode: auto\nguards: {approvals: {need: 3, of: [sre]}}");
    let responder = responder_with(&ledger, &playbook, |_| {});
    pass(&responder, &world, 8, 20);
    let told = story(&ledger);
    assert!(told.contains("3 approvals of sre are needed, and 2 people can give one"), "{told}");
    assert_eq!(world.executed(), 0);
}

/// After the approval everything is looked at again: here the target is at another revision by then.
#[test]
fn what_was_approved_is_looked_at_again() {
    let ready = |revision: &str| Precheck::Ready { detail: "would".into(), revision: Some(revision.into()) };
    let world = World::new(ActionState::Succeeded, true).looks(vec![ready("rev-7"), ready("rev-8")]);
    let (ledger, responder, approval) = asked(TWO, "auto", &world);
    responder.answer(&approval.id, &ada(), "approve", "", at(12)).expect("counts");
    responder.answer(&approval.id, &bob(), "approve", "", at(12)).expect("counts");
    pass(&responder, &world, 12, 30);
    assert_eq!(world.executed(), 0);
    let told = story(&ledger);
    assert!(told.contains("the target was at rev-7 when this was decided and is at rev-8 now"), "{told}");
}

#[test]
fn an_approval_is_withdrawn_when_the_alert_stops() {
    let world = World::new(ActionState::Succeeded, true);
    let (ledger, responder, approval) = asked(TWO, "auto", &world);
    let resolved = Alert { state: AlertState::Resolved, resolved_at: Some(at(14)), ..firing(at(14)) };
    responder.observe(&[resolved], at(14)).expect("observed");
    let effects = Effects { query: &world, executor: &world };
    for run in responder.due(at(16)).expect("due").0 {
        responder.advance(&run, at(16), &effects).expect("advanced");
    }
    let error = responder.answer(&approval.id, &ada(), "approve", "", at(17)).expect_err("withdrawn");
    assert!(error.to_string().contains("it is expired already"), "{error}");
    assert!(story(&ledger).contains("the alert does not fire any more"), "{}", story(&ledger));
}

#[test]
fn a_suggestion_is_taken_by_one_answer_and_lapses_quietly() {
    let world = World::new(ActionState::Succeeded, true);
    let (ledger, responder, approval) = asked("approvals: {need: 0, expires: 1m}", "suggest", &world);
    assert_eq!(approval.need, 1);
    responder.answer(&approval.id, &eve(), "approve", "", at(12)).expect("anyone may");
    pass(&responder, &world, 12, 30);
    assert_eq!(world.executed(), 1, "{}", story(&ledger));
    let world = World::new(ActionState::Succeeded, true);
    let (ledger, responder, _) = asked("approvals: {need: 0, expires: 1m}", "suggest", &world);
    pass(&responder, &world, 12, 90);
    assert_eq!(world.executed(), 0);
    assert!(story(&ledger).contains("ended: observed"), "{}", story(&ledger));
}

#[test]
fn a_question_leads_where_people_say() {
    let steps = "
playbook: ask
mode: auto
match: {service: checkout}
requires: {verdict: none}
steps:
- id: what
  ask: {question: 'restart {{ service }}?', of: [sre], expires: 1m, choices: {restart: {goto: restart}, wait: {}}, on_timeout: {goto: page}}
- notify: {receiver: waiting}
- id: restart
  restart: {kind: exec, target: {argv: [/bin/restart]}}
- id: page
  notify: {receiver: oncall}
";
    let ask = |answer: Option<&str>| {
        let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
        let world = World::new(ActionState::Succeeded, true);
        let responder = responder_with(&ledger, steps, |_| {});
        pass(&responder, &world, 8, 10);
        let approval = pending(&responder, at(10));
        assert_eq!(approval.question, "restart checkout?");
        if let Some(answer) = answer {
            responder.answer(&approval.id, &ada(), answer, "", at(10)).expect("counts");
        }
        pass(&responder, &world, 10, 80);
        (world.executed(), story(&ledger))
    };
    assert_eq!(ask(Some("restart")).0, 1);
    let (executed, told) = ask(Some("wait"));
    assert!(executed == 0 && told.contains("telling waiting"), "{told}");
    let (executed, told) = ask(None);
    assert!(executed == 0 && told.contains("telling oncall") && !told.contains("telling waiting"), "{told}");
}
