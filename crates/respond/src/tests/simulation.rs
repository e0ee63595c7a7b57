//! A playbook on recorded data.

use expect_test::expect;

use super::*;
use crate::{Mode, SimulateInput, simulate};

fn input(mode: Mode, approve_after_s: Option<i64>) -> SimulateInput {
    let change = json!({
        "id": "d1", "source": "ci", "kind": "deploy", "target": {"service": "checkout"}, "from_version": "1.9",
        "to_version": "2.0", "started_at": at(2).to_string(), "finished_at": at(2).to_string(),
    });
    let mut alert = firing(at(8));
    alert.state = AlertState::Resolved;
    alert.resolved_at = Some(at(70));
    SimulateInput {
        playbook: playbooks(PLAYBOOK).remove(0),
        mode,
        approve_after_ns: approve_after_s.map(|after| after * SECOND_NS),
        alerts: vec![alert],
        changes: vec![serde_json::from_value(change).expect("a change")],
        graph: change::ServiceGraph::default(),
        from: at(0),
        to: at(120),
    }
}

/// Errors are gone from second 40 on, whatever a simulated action does.
struct Recorded;

impl RuleQuery for Recorded {
    fn instant(&self, _expr: &str, now: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        Ok(if now >= at(40) { vec![(Labels::default(), 0.2)] } else { Vec::new() })
    }

    fn logs(&self, _query: &str, _range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        Err(RuleQueryError("no logs were recorded".to_owned()))
    }
}

#[test]
fn it_says_what_would_have_happened_and_when() {
    let simulation = simulate(&input(Mode::Approve, Some(10)), &Recorded).expect("simulated");
    let lines: String =
        simulation.steps.iter().map(|step| format!("{} {}: {}\n", &step.at[11..19], step.kind, step.what)).collect();
    expect![[r#"
        09:00:08 alert: CheckoutErrors fires: checkout fails
        09:00:08 decision: playbook rollback-checkout begins, mode approve
        09:00:08 change: suspect: deploy of checkout 1.9 -> 2.0 (same service, began 3s before the alert)
        09:00:08 decision: roll checkout back from 2.0 to 1.9: verdict bad, all guards passed
        09:00:08 decision: asking: Roll checkout back from 2.0 to 1.9? (verdict bad on deploy of checkout 1.9 -> 2.0)
        09:00:08 notify: telling log: Roll checkout back from 2.0 to 1.9? (verdict bad on deploy of checkout 1.9 -> 2.0) It needs one answer until 2026-11-23T09:30:08Z: backstop approvals answer apr-10be62f3c22abac5 approve|reject (or POST /backstop/api/v1/approvals/apr-10be62f3c22abac5)
        09:00:18 decision: simulated-0 answers approve
        09:00:18 action: rollback of checkout 2.0 -> 1.9: started
        09:00:18 action: rollback of checkout 2.0 -> 1.9: succeeded (simulated: not carried out)
        09:00:18 verify: verifying for 3s within 30s
        09:00:43 verify: verified: {} 0.2
        09:00:43 notify: telling team: playbook rollback-checkout rolled it back, and it helped; suspect: deploy of checkout 1.9 -> 2.0
        09:00:43 decision: playbook rollback-checkout ended: helped (all steps done)
        09:01:10 alert: CheckoutErrors is resolved
        09:01:10 note: resolved, outcome: helped
    "#]].assert_eq(&lines);
    assert_eq!(simulation.actions.len(), 1);
    assert_eq!(simulation.runs[0]["outcome"], "helped");
}

#[test]
fn without_a_matching_alert_it_says_so_and_nonsense_times_are_refused() {
    let mut other = input(Mode::Auto, None);
    other.alerts[0].labels.insert("service".into(), "cart".into());
    let simulation = simulate(&other, &Recorded).expect("simulated");
    assert!(simulation.steps.iter().all(|step| step.kind == "alert" || step.kind == "note"), "{:?}", simulation.steps);
    assert!(simulation.notes[1].starts_with("the playbook never began: of 1 alerts"), "{:?}", simulation.notes);
    other.to = at(-5);
    assert!(simulate(&other, &Recorded).is_err());
}
