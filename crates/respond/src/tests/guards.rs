//! Each guard says no where it should, and only there.

use super::*;

/// Runs the playbook once; what was done, and the line that says why not.
fn outcome(playbook: &str, ledger: &Arc<Ledger>, change: impl FnOnce(&mut ResponderOptions)) -> (usize, String) {
    let world = World::new(ActionState::Succeeded, true);
    let responder = responder_with(ledger, playbook, change);
    live(&responder, &world, at(8)).expect("lives");
    let told = story(ledger);
    let line = told.lines().find(|line| line.contains("not rolled back")).unwrap_or("").to_owned();
    (world.executed(), line)
}

fn guarded(guards: &str) -> String {
    PLAYBOOK.replace("mode: auto", &format!("mode: auto\nguards: {guards}"))
}

fn with_change() -> Arc<Ledger> {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    deploy(&ledger, "d1", "1.9", "2.0", at(2));
    ledger
}

#[test]
fn a_freeze_of_the_playbook_or_of_the_whole_loop_holds() {
    // The tests begin on Monday, 2026-11-23, 09:00 UTC.
    let weekly = r#"{freeze: [{days: [mon], from: "08:00", to: "10:00", reason: "sale"}]}"#;
    let (executed, why) = outcome(&guarded(weekly), &with_change(), |_| {});
    assert_eq!(executed, 0);
    assert!(why.contains("guard freeze: frozen until Mon 2026-11-23 10:00 UTC (sale)"), "{why}");
    let elsewhere = r#"{freeze: [{days: [mon], from: "08:00", to: "10:00", timezone: Asia/Shanghai}]}"#;
    assert_eq!(outcome(&guarded(elsewhere), &with_change(), |_| {}).0, 1);
    let window = json!({"start": "2026-11-23T00:00:00Z", "end": "2026-11-24T00:00:00Z"});
    let freeze = crate::Freeze::read(&window).expect("a window");
    let (executed, why) = outcome(PLAYBOOK, &with_change(), |options| options.freeze = vec![freeze]);
    assert_eq!(executed, 0);
    assert!(why.contains("frozen until 2026-11-24T00:00:00Z"), "{why}");
}

#[test]
fn those_excepted_from_a_freeze_may_lift_it_by_their_approval() {
    let ledger = with_change();
    let weekly = r#"{freeze: [{days: [mon], except: [sre]}]}"#;
    let world = World::new(ActionState::Succeeded, true);
    let responder = responder_with(&ledger, &guarded(weekly), |_| {});
    pass(&responder, &world, 8, 12);
    assert_eq!(world.executed(), 0);
    let approval = responder.approvals(true, 10, at(12)).expect("approvals").remove(0);
    let person = |name: &str, role: &str| Principal { name: name.into(), roles: vec![role.into()] };
    let said = responder
        .answer(&approval.id, &person("eve", "guest"), "approve", "", at(12))
        .expect("counts, and is not enough");
    assert_eq!(said.state, crate::ApprovalState::Pending);
    responder.answer(&approval.id, &person("ada", "sre"), "approve", "", at(13)).expect("counts");
    pass(&responder, &world, 13, 20);
    assert_eq!(world.executed(), 1, "ada is of sre: {}", story(&ledger));
}

#[test]
fn what_measures_is_suspect_itself() {
    let ledger = with_change();
    let world = World::new(ActionState::Succeeded, true);
    let responder = responder_with(&ledger, PLAYBOOK, |_| {});
    let responder = responder.with_health(Arc::new(|_: Timestamp| Some("data is 90s late".to_owned())));
    live(&responder, &world, at(8)).expect("lives");
    assert_eq!(world.executed(), 0);
    assert!(story(&ledger).contains("guard self_suspect: what is measured can not be trusted now: data is 90s late"));
}

#[test]
fn a_change_that_can_not_be_undone_or_is_needed_by_a_later_one_stays() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    let change = |id: &str, service: &str, when: Timestamp, more: serde_json::Value| {
        let mut delivery = json!({
            "id": id, "source": "ci", "kind": "deploy", "target": {"service": service}, "from_version": "1.9",
            "to_version": "2.0", "started_at": when.to_string(), "finished_at": when.to_string(),
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            delivery[name] = value.clone();
        }
        ChangeBook::new(records(&ledger)).record(&delivery, "test", when).expect("recorded");
    };
    change("a", "checkout", at(1), json!({}));
    change("b", "cart", at(2), json!({"depends_on": ["ci/a"]}));
    let (executed, why) = outcome(PLAYBOOK, &ledger, |_| {});
    assert_eq!(executed, 0);
    assert!(why.contains("ci/a can not go while later changes rest on it: ci/b (deploy of cart 1.9 -> 2.0)"), "{why}");
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    let delivery = json!({
        "id": "a", "source": "ci", "kind": "schema", "target": {"service": "checkout"}, "from_version": "7",
        "to_version": "8", "started_at": at(1).to_string(), "finished_at": at(1).to_string(), "reversible": "no",
    });
    ChangeBook::new(records(&ledger)).record(&delivery, "test", at(1)).expect("recorded");
    let (executed, why) = outcome(PLAYBOOK, &ledger, |_| {});
    assert_eq!(executed, 0);
    assert!(why.contains("guard reversible: the change is marked irreversible"), "{why}");
}

#[test]
fn two_kinds_of_witnesses_are_two_kinds() {
    let playbook = PLAYBOOK.replace("change_within: 30m", "change_within: 30m, witnesses: 2");
    let (executed, why) = outcome(&playbook, &with_change(), |_| {});
    assert_eq!(executed, 0);
    assert!(why.contains("guard witnesses: 1 of 2 kinds of witnesses: metric alert"), "{why}");
    // A log alert of the same incident is another kind.
    let ledger = with_change();
    let world = World::new(ActionState::Succeeded, true);
    let responder = responder_with(&ledger, &playbook, |_| {});
    let logs = |now| Alert { id: "alert-2".into(), rule: "Logs".into(), window_ns: Some(MINUTE_NS), ..firing(now) };
    let effects = Effects { query: &world, executor: &world };
    for second in 8..20 {
        responder.observe(&[logs(at(second)), firing(at(second))], at(second)).expect("observed");
        for run in responder.due(at(second)).expect("due").0 {
            responder.advance(&run, at(second), &effects).expect("advanced");
        }
    }
    assert_eq!(world.executed(), 1, "{}", story(&ledger));
}

/// An action on another service, as an earlier run left it.
fn earlier(ledger: &Ledger, n: i64, target: &str, group: &str, playbook: &str) {
    let key = format!("earlier-{n}");
    let mut body = json!({
        "key": key, "run": format!("run-{n}"), "incident": format!("inc-{n}"), "playbook": playbook, "step": 0,
        "target": target, "group": group, "from_version": "5", "to_version": "4", "state": "succeeded",
        "request": null, "planned_at": at(0).to_string(), "started_at": at(0).to_string(),
    });
    body["evidence"] = json!({
        "rule": "r", "query": "q", "window_ns": null, "labels": {}, "value": null, "columns": {}, "data": "measured",
        "active_at": at(0).to_string(), "evaluated_at": at(0).to_string(), "decided_at": at(0).to_string(),
        "change": null, "attribution": null, "concurrent": [], "exonerated": [], "verdict": {"verdict": "bad"}, "guards": [],
    });
    let document =
        Document { id: key, time: at(-20 * 60 + n), service: target.to_owned(), state: "succeeded".to_owned(), body };
    ledger.commit(vec![Write::Insert(LedgerTable::Actions, document)]).expect("commit");
}

#[test]
fn a_group_sees_three_actions_an_hour_whatever_playbook_starts_them() {
    let ledger = with_change();
    for n in 0..3 {
        earlier(&ledger, n, &format!("other-{n}"), "checkout", &format!("playbook-{n}"));
    }
    let (executed, why) = outcome(PLAYBOOK, &ledger, |_| {});
    assert_eq!(executed, 0);
    assert!(why.contains(r#"guard group: 3 of 3 actions on group "checkout" in 3600s"#), "{why}");
    let ledger = with_change();
    for n in 0..3 {
        earlier(&ledger, n, &format!("other-{n}"), "elsewhere", &format!("playbook-{n}"));
    }
    assert_eq!(outcome(PLAYBOOK, &ledger, |_| {}).0, 1);
}

#[test]
fn nobody_goes_back_to_a_version_that_was_itself_rolled_back_from() {
    let ledger = with_change();
    earlier(&ledger, 0, "checkout", "elsewhere", "other");
    let playbook = PLAYBOOK.replace("to: previous", "to: '5'");
    let (executed, why) = outcome(&playbook, &ledger, |_| {});
    assert_eq!(executed, 0);
    assert!(why.contains("guard revision_memory: 5 was itself rolled back from, by action earlier-0"), "{why}");
}
