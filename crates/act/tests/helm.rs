//! Kind `helm` with the real helm, against a real API server.

#![allow(clippy::print_stdout, reason = "tests say what they skip")]

#[path = "../../kubernetes/tests/cluster/harness.rs"]
mod harness;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use act::{ActOptions, Actor};
use expect_test::expect;
use kubernetes::ClusterOptions;
use respond::{ActionRequest, ActionState, Call, Executor as _, Precheck, Verb};
use serde_json::json;

use crate::harness::{Cluster, apps, programs, start};

const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: checkout
spec:
  selector: {matchLabels: {app: checkout}}
  template:
    metadata: {labels: {app: checkout}}
    spec:
      containers:
        - {name: app, image: "shop/checkout:{{ .Chart.AppVersion }}"}
"#;

fn helm() -> PathBuf {
    programs().expect("programs").join("helm")
}

/// Installs or upgrades the release to a version.
fn install(cluster: &Cluster, folder: &Path, version: &str) {
    let chart = format!("apiVersion: v2\nname: checkout\nversion: {version}\nappVersion: \"{version}\"\n");
    std::fs::create_dir_all(folder.join("templates")).expect("chart");
    std::fs::write(folder.join("Chart.yaml"), chart).expect("chart");
    std::fs::write(folder.join("templates/deployment.yaml"), DEPLOYMENT).expect("chart");
    let mut upgrade = Command::new(helm());
    upgrade.args(["upgrade", "--install", "checkout"]).arg(folder).args(["--namespace", "helm", "--kubeconfig"]);
    let output = upgrade.arg(cluster.kubeconfig("admin")).env("HOME", folder).output().expect("helm");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn actor(cluster: &Cluster) -> Actor {
    let options = ClusterOptions {
        kubeconfig: Some(cluster.kubeconfig("admin")),
        context: None,
        act_in: vec!["helm".to_owned()],
    };
    Actor::new(ActOptions {
        exec_allow: vec![helm()],
        clusters: BTreeMap::from([("test".to_owned(), options)]),
        ..ActOptions::default()
    })
    .expect("actor")
}

fn request(namespace: &str, from: &str, to: &str) -> ActionRequest {
    let target = [("program", json!(helm())), ("namespace", json!(namespace)), ("release", json!("checkout"))];
    let target = target.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    ActionRequest {
        key: "key-1".to_owned(),
        fence: 1,
        timeout_ns: 60_000_000_000,
        verb: Verb::Rollback,
        from_version: from.to_owned(),
        to_version: to.to_owned(),
        replicas: None,
        revision: None,
        call: Call::read("helm", Verb::Rollback, &target).expect("a target"),
    }
}

fn image(cluster: &Cluster) -> String {
    let object = cluster.get(&apps("helm", "deployments", "checkout"));
    object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().expect("image").to_owned()
}

#[test]
fn a_release_goes_back_once() {
    let Some(cluster) = start() else { return };
    cluster.namespace("helm");
    let _kubelet = cluster.kubelet("helm");
    let folder = tempfile::tempdir().expect("folder");
    for version in ["1.3.0", "1.4.0", "1.5.0"] {
        install(&cluster, folder.path(), version);
    }
    let actor = actor(&cluster);
    let refused = |request: &ActionRequest| match actor.precheck(request) {
        Precheck::Refused { detail } => detail,
        other => panic!("{other:?}"),
    };
    expect!["checkout is at revision 3 (checkout-1.5.0, app 1.5.0), not at 1.4.0: someone changed it"]
        .assert_eq(&refused(&request("helm", "1.4.0", "1.3.0")));
    expect!["namespace default of cluster test is not allowed: add it to kubernetes.clusters.test.act_in"]
        .assert_eq(&refused(&request("default", "1.5.0", "1.4.0")));

    let mut wanted = request("helm", "1.5.0", "1.4.0");
    let Precheck::Ready { detail, revision } = actor.precheck(&wanted) else { panic!("{:?}", actor.precheck(&wanted)) };
    expect![
        "checkout is at revision 3 (checkout-1.5.0, app 1.5.0) and would go to revision 2 (checkout-1.4.0, app 1.4.0)"
    ]
    .assert_eq(&detail);
    assert_eq!(revision.as_deref(), Some("3"));
    assert_eq!(image(&cluster), "shop/checkout:1.5.0", "a dry run leaves no trace");
    wanted.revision = revision;
    let result = actor.execute(&wanted);
    assert_eq!(result.state, ActionState::Succeeded, "{} {}", result.detail, result.output);
    expect!["checkout went back to revision 2 (checkout-1.4.0, app 1.4.0)"].assert_eq(&result.detail);
    assert_eq!(image(&cluster), "shop/checkout:1.4.0");
    let result = actor.execute(&wanted);
    assert_eq!(result.state, ActionState::Succeeded, "{}", result.detail);
    expect!["already done: revision 4 (checkout-1.4.0, app 1.4.0) is deployed"].assert_eq(&result.detail);

    // Somebody upgrades again: what the precheck saw is not what is there.
    install(&cluster, folder.path(), "1.5.0");
    let result = actor.execute(&wanted);
    assert_eq!(result.state, ActionState::Failed, "{}", result.detail);
    expect!["someone changed checkout: revision 3 was to be replaced, 5 is there"].assert_eq(&result.detail);
    assert_eq!(image(&cluster), "shop/checkout:1.5.0");

    // Flux labels what it renders for a HelmRelease.
    let labels = json!({"helm.toolkit.fluxcd.io/name": "checkout", "helm.toolkit.fluxcd.io/namespace": "helm"});
    cluster.merge(&apps("helm", "deployments", "checkout"), &json!({"metadata": {"labels": labels}}));
    let releases = "/apis/helm.toolkit.fluxcd.io/v2/namespaces/helm/helmreleases";
    cluster.create(
        releases,
        &json!({"apiVersion": "helm.toolkit.fluxcd.io/v2", "kind": "HelmRelease", "metadata": {"name": "checkout"}, "spec": {}}),
    );
    expect!["Flux would undo it: HelmRelease helm/checkout reconciles it; use kind flux, which suspends it first, or kind git_revert for the commit"]
        .assert_eq(&refused(&request("helm", "1.5.0", "1.4.0")));
}
