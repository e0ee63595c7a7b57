//! Rollouts of Argo Rollouts. Its controller is not here: the tests write what it would write into the status.

use expect_test::expect;
use respond::{ActionState, Verb};
use serde_json::{Value as Json, json};

use crate::harness::{Cluster, apps, start, workload};
use crate::{clusters, ready, refused, request};

const ALL: &str = "/apis/argoproj.io/v1alpha1/namespaces/rollouts/rollouts";

/// A ReplicaSet as the controller of Rollouts keeps it.
fn keep(cluster: &Cluster, owner: &Json, number: &str, hash: &str, image: &str) {
    let mut object = workload(&format!("checkout-{hash}"), image);
    object["metadata"] = json!({
        "name": format!("checkout-{hash}"), "labels": {"app": "checkout"},
        "annotations": {"rollout.argoproj.io/revision": number},
        "ownerReferences": [{"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "checkout",
            "uid": owner["metadata"]["uid"], "controller": true}],
    });
    object["spec"]["replicas"] = json!(0);
    object["spec"]["selector"] = json!({"matchLabels": {"app": "checkout", "rollouts-pod-template-hash": hash}});
    object["spec"]["template"]["metadata"]["labels"] = json!({"app": "checkout", "rollouts-pod-template-hash": hash});
    cluster.create(&apps("rollouts", "replicasets", ""), &object);
}

#[test]
fn a_rollout_is_aborted_while_it_goes_on_and_undone_afterwards() {
    let Some(cluster) = start() else { return };
    cluster.namespace("rollouts");
    let clusters = clusters(&cluster);
    let mut rollout = workload("checkout", "shop/checkout:1.5");
    rollout["apiVersion"] = json!("argoproj.io/v1alpha1");
    rollout["kind"] = json!("Rollout");
    let owner = cluster.create(ALL, &rollout);
    let path = format!("{ALL}/checkout");
    let status = |status: Json| cluster.merge(&format!("{path}/status"), &json!({"status": status}));
    keep(&cluster, &owner, "1", "aaa", "shop/checkout:1.3");
    keep(&cluster, &owner, "2", "bbb", "shop/checkout:1.4");
    keep(&cluster, &owner, "3", "ccc", "shop/checkout:1.5");
    // The templates of ReplicaSets have the server's defaults, that of a Rollout has not: nothing in it is of this test's making.
    status(json!({"currentPodHash": "ccc", "stableRS": "bbb", "phase": "Progressing"}));

    let target = json!({"namespace": "rollouts", "rollout": "checkout", "wait": false});
    let wanted = |to: &str| request("argo_rollouts", Verb::Rollback, "1.5", to, target.clone());
    expect!["an abort goes back to the stable revision 2 (1.4), not to 1.3: use operation undo"]
        .assert_eq(&refused(&clusters, &wanted("1.3")));
    let (abort, detail) = ready(&clusters, wanted("1.4"));
    expect!["ready: checkout would be aborted and go back to revision 2 (1.4)"].assert_eq(&detail);
    assert!(cluster.get(&path)["status"]["abort"].is_null(), "a precheck leaves no trace");
    let (state, detail) = clusters.execute(&abort);
    assert_eq!(state, ActionState::Succeeded, "{detail}");
    expect!["checkout was aborted and goes back to revision 2 (1.4); not waiting for the abort"].assert_eq(&detail);
    assert_eq!(cluster.get(&path)["status"]["abort"], true);
    let (state, detail) = clusters.execute(&abort);
    assert_eq!(state, ActionState::Succeeded, "{detail}");
    expect!["already aborted; not waiting for the abort"].assert_eq(&detail);

    // Later 1.5 became the stable version after all.
    status(json!({"currentPodHash": "ccc", "stableRS": "ccc", "phase": "Healthy", "abort": null}));
    let mut undo = wanted("1.4");
    (undo.key, undo.fence) = ("key-2".to_owned(), 8);
    let (undo, detail) = ready(&clusters, undo);
    expect!["ready: checkout runs 1.5 and would be given revision 2 (1.4)"].assert_eq(&detail);
    let (state, detail) = clusters.execute(&undo);
    assert_eq!(state, ActionState::Succeeded, "{detail}");
    let after = cluster.get(&path);
    assert_eq!(after["spec"]["template"]["spec"]["containers"][0]["image"], "shop/checkout:1.4");
    assert_eq!(after["spec"]["template"]["metadata"]["labels"], json!({"app": "checkout"}));
    let (state, _) = clusters.execute(&abort);
    assert_eq!(state, ActionState::Refused, "the abort's fence is older than the undo's");
}
