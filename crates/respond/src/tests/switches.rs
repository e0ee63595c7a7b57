//! The kill switch and the modes of playbooks.

use super::*;
use crate::{KillState, Mode, SwitchError, TRIP_BAD_MAX};

fn ada() -> Principal {
    Principal { name: "ada".into(), roles: vec!["sre".into()] }
}

#[test]
fn the_kill_switch_of_the_ledger_stops_what_is_planned_and_lasts() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    let world = World::new(ActionState::Succeeded, true);
    let playbook = PLAYBOOK.replace("mode: auto", "mode: approve");
    let responder = responder_with(&ledger, &playbook, |_| {});
    pass(&responder, &world, 8, 12);
    let approval = responder.approvals(true, 10, at(12)).expect("approvals").remove(0);
    let missing = responder.engage("ada", " ", at(12)).expect_err("why?");
    assert_eq!(missing.to_string(), "a reason is missing; say why: whoever comes next has to know");
    responder.engage("ada", "game day", at(12)).expect("engaged");
    pass(&responder, &world, 12, 30);
    assert_eq!(world.executed(), 0);
    assert!(actions(&ledger).iter().all(|action| action["state"] == "refused"), "{:?}", actions(&ledger));
    let error = responder.answer(&approval.id, &ada(), "approve", "", at(30)).expect_err("nothing is left");
    assert!(error.to_string().contains("nothing is left to answer"), "{error}");
    drop(responder);
    // Another process sees it too.
    let world = World::new(ActionState::Succeeded, true);
    let responder = responder_with(&ledger, PLAYBOOK, |_| {});
    let state = responder.kill_state().expect("state");
    assert!(state.engaged && state.reason == "game day" && state.by == "ada" && state.at == Some(at(12)));
    responder.release("bob", "over", at(31)).expect("released");
    assert!(!responder.kill_state().expect("state").engaged);
    let trail = audit(&ledger);
    assert!(trail.contains("ada switch.kill.engaged") && trail.contains("bob switch.kill.released"), "{trail}");
    assert_eq!(world.executed(), 0);
}

/// An action that starts at the very moment in which the switch is engaged does not start: the ledger decides.
#[test]
fn the_switch_and_the_start_can_not_both_win() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    struct Pulls(Arc<Ledger>, World);
    impl Executor for Pulls {
        fn precheck(&self, _request: &ActionRequest) -> Precheck {
            KillState::engage(&*self.0, "ada", "now", at(9)).expect("engaged");
            Precheck::NotOffered
        }

        fn execute(&self, request: &ActionRequest) -> ActionResult {
            self.1.execute(request)
        }
    }
    let world = World::new(ActionState::Succeeded, true);
    let pulls = Pulls(Arc::clone(&ledger), World::new(ActionState::Succeeded, true));
    let responder = responder_with(&ledger, PLAYBOOK, |_| {});
    for second in 8..20 {
        responder.observe(&[firing(at(second))], at(second)).expect("observed");
        let effects = Effects { query: &world, executor: &pulls };
        for run in responder.due(at(second)).expect("due").0 {
            responder.advance(&run, at(second), &effects).expect("advanced");
        }
    }
    assert_eq!(pulls.1.executed(), 0, "{}", story(&ledger));
}

#[test]
fn a_poor_record_engages_it() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    for n in 0..TRIP_BAD_MAX as i64 {
        let world = World::new(ActionState::Succeeded, false);
        let service = format!("svc-{n}");
        let start = n * 3600;
        let delivery = json!({
            "id": format!("d{n}"), "source": "ci", "kind": "deploy", "target": {"service": service}, "from_version": "1",
            "to_version": "2", "started_at": at(start + 2).to_string(), "finished_at": at(start + 2).to_string(),
        });
        ChangeBook::new(records(&ledger)).record(&delivery, "test", at(start + 2)).expect("recorded");
        let playbook = PLAYBOOK.replace("match: {service: checkout}", &format!("match: {{service: {service}}}"));
        let responder = responder_with(&ledger, &playbook, |_| {});
        assert!(!responder.kill_state().expect("state").engaged, "after {n}");
        for second in start + 8..start + 60 {
            let mut alert = firing(at(second));
            alert.id = format!("alert-{n}");
            alert.fingerprint = format!("fp-{n}");
            alert.active_at = at(start + 5);
            alert.labels.insert("service".into(), service.clone());
            responder.observe(&[alert], at(second)).expect("observed");
            let effects = Effects { query: &world, executor: &world };
            for run in responder.due(at(second)).expect("due").0 {
                responder.advance(&run, at(second), &effects).expect("advanced");
            }
        }
        assert_eq!(world.executed(), 1, "{}", story(&ledger));
    }
    let responder = responder_with(&ledger, PLAYBOOK, |_| {});
    let state = responder.kill_state().expect("state");
    assert!(state.engaged && state.by == "respond", "{state:?}");
    assert!(state.reason.starts_with("4 of the last 4 runs that acted did not help"), "{state:?}");
    // Released, the old record does not count any more.
    responder.release("ada", "mended", at(100_000)).expect("released");
    responder.trip_if_poor(at(100_001)).expect("looked");
    assert!(!responder.kill_state().expect("state").engaged);
}

#[test]
fn a_mode_is_raised_by_its_record_or_with_a_reason_and_never_above_the_file() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    let world = World::new(ActionState::Succeeded, true);
    let playbook = PLAYBOOK.replace("mode: auto", "mode: observe\nmode_max: approve");
    let responder = responder_with(&ledger, &playbook, |_| {});
    let set = |mode, reason: &str| {
        responder.set_mode("rollback-checkout", mode, &ada(), reason, at(5)).map_err(|error| error.to_string())
    };
    let refused = set(Mode::Auto, "because").expect_err("the file forbids it");
    assert_eq!(refused, "the file allows at most mode approve; raise mode_max in the file");
    let refused = set(Mode::Suggest, "").expect_err("no record");
    assert!(
        refused.starts_with("the record of rollback-checkout in mode observe does not offer mode suggest"),
        "{refused}"
    );
    let unknown = responder.set_mode("nobody", Mode::Auto, &ada(), "x", at(5));
    assert!(matches!(unknown, Err(SwitchError::Refused { .. })));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    pass(&responder, &world, 8, 12);
    let observed = actions(&ledger).remove(0);
    assert_eq!(observed["state"], "observed");
    let playbook = responder.playbooks()[0].clone();
    let record = responder.record(&playbook, at(12)).expect("record");
    assert_eq!((record.decided, record.unjudged), (1, 1));
    // People went back by hand: the decision was right.
    deploy(&ledger, "d2", "2.0", "1.9", at(60));
    assert_eq!(responder.record(&playbook, at(61)).expect("record").right, 1);
    // A person who says otherwise knows better.
    let key = observed["key"].as_str().expect("key");
    responder.judge(key, false, &ada(), "it was the database", at(62)).expect("judged").expect("found");
    assert_eq!(responder.record(&playbook, at(63)).expect("record").wrong, 1);
    assert_eq!(responder.offer(&playbook, at(63)).expect("offer"), None);
    set(Mode::Approve, "we watch it closely").expect("with a reason");
    assert_eq!(responder.mode_of(&playbook).expect("mode"), Mode::Approve);
    set(Mode::Observe, "").expect("lowering needs none");
    let trail = audit(&ledger);
    for entry in ["ada playbook.mode.refused", "ada playbook.mode.set", "ada action.judged"] {
        assert!(trail.contains(entry), "no {entry} in {trail}");
    }
}

#[test]
fn the_next_mode_is_offered_by_enough_right_decisions() {
    let record = |mode, right, wrong| crate::PlaybookRecord { mode, right, wrong, ..Default::default() };
    assert_eq!(record(Mode::Observe, 4, 0).offer(), None, "too few");
    let offer = record(Mode::Observe, 9, 1).offer().expect("an offer");
    assert_eq!((offer.mode, offer.why.as_str()), (Mode::Suggest, "9 of 10 decisions that were judged were right"));
    assert_eq!(record(Mode::Observe, 8, 2).offer(), None, "too often wrong");
    let asked = |approved, rejected, helped, worse| crate::PlaybookRecord {
        mode: Mode::Approve,
        approved,
        rejected,
        helped,
        worse,
        ..Default::default()
    };
    assert_eq!(asked(10, 0, 10, 0).offer().map(|offer| offer.mode), Some(Mode::Auto));
    assert_eq!(asked(19, 1, 19, 1).offer(), None, "once worse is too often");
    assert_eq!(asked(10, 5, 10, 0).offer(), None, "people said no");
}
