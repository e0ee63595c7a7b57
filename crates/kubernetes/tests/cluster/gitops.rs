//! Reconcilers that would undo an action.

use expect_test::expect;
use respond::{ActionState, Verb};
use serde_json::{Value as Json, json};

use crate::harness::{Cluster, apps, eventually, image, start, workload};
use crate::{clusters, ready, refused, request};

/// `deployment/checkout` of 1.4 and then 1.5, with labels and annotations.
fn deploy(cluster: &Cluster, namespace: &str, metadata: Json) -> String {
    cluster.namespace(namespace);
    let path = apps(namespace, "deployments", "checkout");
    let mut object = workload("checkout", "shop/checkout:1.4");
    for (part, value) in metadata.as_object().into_iter().flatten() {
        object["metadata"][part] = value.clone();
    }
    cluster.create(&apps(namespace, "deployments", ""), &object);
    for (number, version) in [("1", "1.4"), ("2", "1.5")] {
        cluster.merge(&path, &image(&format!("shop/checkout:{version}")));
        eventually("the controller", || {
            let found = &cluster.get(&path)["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
            (*found == number).then_some(())
        });
    }
    path
}

fn runs(cluster: &Cluster, path: &str) -> String {
    let object = cluster.get(path);
    object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("image").to_owned()
}

#[test]
fn argo_cd_is_respected_unless_it_does_not_sync() {
    let Some(cluster) = start() else { return };
    let tracking = "argo_shop:apps/Deployment:argo/checkout";
    deploy(&cluster, "argo", json!({"annotations": {"argocd.argoproj.io/tracking-id": tracking}}));
    let clusters = clusters(&cluster);
    let target = json!({"namespace": "argo", "workload": "deployment/checkout", "wait": false});
    let wanted = request("kubernetes", Verb::Rollback, "1.5", "1.4", target.clone());
    expect!["Argo CD would undo it: it is tracked by Application shop, which is not in namespace argo; use kind argocd, or kind git_revert for the commit"]
        .assert_eq(&refused(&clusters, &wanted));
    let applications = "/apis/argoproj.io/v1alpha1/namespaces/argo/applications";
    cluster.create(
        applications,
        &json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Application", "metadata": {"name": "shop"},
            "spec": {"syncPolicy": {"automated": {"selfHeal": true}}}}),
    );
    expect!["Argo CD would undo it: Application argo/shop syncs by itself; use kind argocd, or kind git_revert for the commit"]
        .assert_eq(&refused(&clusters, &wanted));
    // Nobody owns the annotation of a restart.
    ready(&clusters, request("kubernetes", Verb::Restart, "1.5", "", target));
    cluster.merge(&format!("{applications}/shop"), &json!({"spec": {"syncPolicy": {"automated": null}}}));
    let (_, detail) = ready(&clusters, wanted);
    expect!["ready: checkout runs 1.5 and would be given revision 1 (1.4); Application shop does not sync by itself; its next sync undoes this"]
        .assert_eq(&detail);
}

#[test]
fn flux_is_suspended_first_and_resumed_only_by_whoever_suspended() {
    let Some(cluster) = start() else { return };
    let labels = json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux"});
    let path = deploy(&cluster, "flux", json!({"labels": labels}));
    let clusters = clusters(&cluster);
    let all = "/apis/kustomize.toolkit.fluxcd.io/v1/namespaces/flux/kustomizations";
    let apps = format!("{all}/apps");
    cluster.create(
        all,
        &json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization", "metadata": {"name": "apps"},
            "spec": {"path": "./apps"}}),
    );
    let plain = json!({"namespace": "flux", "workload": "deployment/checkout", "wait": false});
    let plain = request("kubernetes", Verb::Rollback, "1.5", "1.4", plain);
    expect!["Flux would undo it: Kustomization flux/apps reconciles it; use kind flux, which suspends it first, or kind git_revert for the commit"]
        .assert_eq(&refused(&clusters, &plain));

    let target = json!({"namespace": "flux", "resource": "kustomization/apps", "workload": "deployment/checkout", "wait": false});
    let wanted = request("flux", Verb::Rollback, "1.5", "1.4", target.clone());
    let before = cluster.get(&apps);
    let (mut wanted, detail) = ready(&clusters, wanted);
    expect![
        "ready: Kustomization flux/apps would be suspended first; checkout runs 1.5 and would be given revision 1 (1.4)"
    ]
    .assert_eq(&detail);
    assert_eq!(cluster.get(&apps), before, "a dry run leaves no trace");

    // An undo that does not happen leaves Flux as it was.
    wanted.to_version = "0.9".to_owned();
    let (state, detail) = clusters.execute(&wanted);
    assert_eq!(state, ActionState::Refused, "{detail}");
    expect!["no revision of version 0.9 is kept; kept are revision 1 (1.4); Kustomization flux/apps was resumed"]
        .assert_eq(&detail);
    assert_eq!(cluster.get(&apps)["spec"]["suspend"], false);

    wanted.to_version = "1.4".to_owned();
    let (state, detail) = clusters.execute(&wanted);
    assert_eq!(state, ActionState::Succeeded, "{detail}");
    expect!["Kustomization flux/apps is suspended; checkout was given revision 1 (1.4); not waiting for the rollout; resume it when its source is mended"]
        .assert_eq(&detail);
    assert_eq!(cluster.get(&apps)["spec"]["suspend"], true);
    assert_eq!(runs(&cluster, &path), "shop/checkout:1.4");

    let operation = |operation: &str| {
        let target = json!({"namespace": "flux", "resource": "kustomization/apps", "operation": operation});
        request("flux", Verb::Act, "", "", target)
    };
    let (state, detail) = clusters.execute(&operation("resume"));
    assert_eq!((state, detail.as_str()), (ActionState::Succeeded, "Kustomization flux/apps was resumed"));
    cluster.merge(&apps, &json!({"spec": {"suspend": true}}));
    expect!["Kustomization flux/apps was not suspended by Backstop: whoever did resumes it"]
        .assert_eq(&refused(&clusters, &operation("resume")));
    let (state, detail) = clusters.execute(&operation("suspend"));
    assert_eq!((state, detail.as_str()), (ActionState::Succeeded, "Kustomization flux/apps was suspended already"));
}
