//! How far a rollout has got, from what the controller says of itself.
//!
//! The conditions are those of `kubectl rollout status`.

use kube::api::DynamicObject;
use respond::WorkloadKind;
use serde_json::Value as Json;

use crate::template::{number, text};

/// How far a rollout has got.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Progress {
    /// It goes on: the share of instances that are new, 0 to 100, and what is awaited.
    Going(f64, String),
    /// Every instance is new and available.
    Done(String),
    /// The controller gave up.
    Stuck(String),
}

/// How far the rollout of a workload's current template has got.
pub(crate) fn progress(kind: WorkloadKind, object: &DynamicObject) -> Progress {
    let data = &object.data;
    let generation = object.metadata.generation.unwrap_or(0);
    let status = |name: &str| number(data, &["status", name]).unwrap_or(0);
    if status("observedGeneration") < generation {
        return Progress::Going(0.0, "the controller has not seen the change yet".to_owned());
    }
    match kind {
        WorkloadKind::Deployment => deployment(data, &status),
        WorkloadKind::StatefulSet => stateful_set(data, &status),
        WorkloadKind::DaemonSet => {
            let wanted = status("desiredNumberScheduled");
            counted(wanted, status("updatedNumberScheduled"), status("numberAvailable"))
        }
    }
}

fn deployment(data: &Json, status: &impl Fn(&str) -> i64) -> Progress {
    let conditions = data.pointer("/status/conditions").and_then(Json::as_array);
    let late = conditions.into_iter().flatten().find(|condition| {
        text(condition, &["type"]) == Some("Progressing")
            && text(condition, &["reason"]) == Some("ProgressDeadlineExceeded")
    });
    if let Some(late) = late {
        return Progress::Stuck(format!("ProgressDeadlineExceeded: {}", text(late, &["message"]).unwrap_or_default()));
    }
    let wanted = number(data, &["spec", "replicas"]).unwrap_or(1);
    let (updated, all) = (status("updatedReplicas"), status("replicas"));
    if updated >= wanted && all > updated {
        let share = percent(updated, all);
        return Progress::Going(share, format!("{} old instances are still there", all - updated));
    }
    counted(wanted, updated, status("availableReplicas"))
}

fn stateful_set(data: &Json, status: &impl Fn(&str) -> i64) -> Progress {
    let wanted = number(data, &["spec", "replicas"]).unwrap_or(1);
    let partition = number(data, &["spec", "updateStrategy", "rollingUpdate", "partition"]).unwrap_or(0);
    let to_update = (wanted - partition).max(0);
    if partition == 0 && text(data, &["status", "updateRevision"]) == text(data, &["status", "currentRevision"]) {
        // Once all are updated the controller makes the new revision the current one and counts none as updated.
        return counted(wanted, wanted, status("readyReplicas"));
    }
    match status("updatedReplicas") {
        updated if updated >= to_update && partition > 0 => counted(to_update, updated, to_update),
        updated => Progress::Going(percent(updated, wanted), format!("{updated} of {to_update} instances are new")),
    }
}

fn counted(wanted: i64, updated: i64, available: i64) -> Progress {
    if updated < wanted {
        return Progress::Going(percent(updated, wanted), format!("{updated} of {wanted} instances are new"));
    }
    if available < wanted {
        let what = format!("{available} of {wanted} new instances are available");
        return Progress::Going(percent(updated, wanted), what);
    }
    Progress::Done(format!("{available} of {wanted} instances are new and available"))
}

/// 0 to 100.
fn percent(part: i64, whole: i64) -> f64 {
    if whole <= 0 {
        return 100.0;
    }
    // Numbers of instances are far below what a float counts exactly.
    #[allow(clippy::cast_precision_loss, reason = "numbers of instances")]
    let share = part as f64 * 100.0 / whole as f64;
    share.clamp(0.0, 100.0)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(kind: WorkloadKind, spec: Json, status: Json, expect: Expect) {
        let object = json!({"metadata": {"name": "a", "generation": 3}, "spec": spec, "status": status});
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        expect.assert_eq(&format!("{:?}", progress(kind, &object)));
    }

    #[test]
    fn a_deployment_is_rolled_out_when_every_instance_is_new_and_available() {
        let kind = WorkloadKind::Deployment;
        let spec = json!({"replicas": 4});
        check(
            kind,
            spec.clone(),
            json!({"observedGeneration": 2, "updatedReplicas": 4, "availableReplicas": 4, "replicas": 4}),
            expect![[r#"Going(0.0, "the controller has not seen the change yet")"#]],
        );
        check(
            kind,
            spec.clone(),
            json!({"observedGeneration": 3, "updatedReplicas": 1, "availableReplicas": 4, "replicas": 5}),
            expect![[r#"Going(25.0, "1 of 4 instances are new")"#]],
        );
        check(
            kind,
            spec.clone(),
            json!({"observedGeneration": 3, "updatedReplicas": 4, "availableReplicas": 4, "replicas": 5}),
            expect![[r#"Going(80.0, "1 old instances are still there")"#]],
        );
        check(
            kind,
            spec.clone(),
            json!({"observedGeneration": 3, "updatedReplicas": 4, "availableReplicas": 3, "replicas": 4}),
            expect![[r#"Going(100.0, "3 of 4 new instances are available")"#]],
        );
        check(
            kind,
            spec.clone(),
            json!({"observedGeneration": 3, "updatedReplicas": 4, "availableReplicas": 4, "replicas": 4}),
            expect![[r#"Done("4 of 4 instances are new and available")"#]],
        );
        check(
            kind,
            spec,
            json!({"observedGeneration": 3, "updatedReplicas": 1, "conditions": [
                {"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "it timed out"}]}),
            expect![[r#"Stuck("ProgressDeadlineExceeded: it timed out")"#]],
        );
    }

    #[test]
    fn stateful_sets_and_daemon_sets_count_in_their_own_way() {
        let status = json!({"observedGeneration": 3, "updatedReplicas": 1, "readyReplicas": 2,
            "updateRevision": "b", "currentRevision": "a"});
        check(
            WorkloadKind::StatefulSet,
            json!({"replicas": 2}),
            status.clone(),
            expect![[r#"Going(50.0, "1 of 2 instances are new")"#]],
        );
        check(
            WorkloadKind::StatefulSet,
            json!({"replicas": 2, "updateStrategy": {"rollingUpdate": {"partition": 1}}}),
            status,
            expect![[r#"Done("1 of 1 instances are new and available")"#]],
        );
        check(
            WorkloadKind::StatefulSet,
            json!({"replicas": 2}),
            json!({"observedGeneration": 3, "readyReplicas": 2, "updateRevision": "b", "currentRevision": "b"}),
            expect![[r#"Done("2 of 2 instances are new and available")"#]],
        );
        check(
            WorkloadKind::DaemonSet,
            json!({}),
            json!({"observedGeneration": 3, "desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2}),
            expect![[r#"Going(100.0, "2 of 3 new instances are available")"#]],
        );
    }
}
