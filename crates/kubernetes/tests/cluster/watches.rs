//! What a watch tells of a cluster's changes, across reconnects and restarts.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kubernetes::{Clusters, WatchOptions, Watching, watch};
use serde_json::{Value as Json, json};

use crate::clusters;
use crate::harness::{Cluster, apps, eventually, image, start, workload};

/// Deliveries in the order in which they came.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Vec<Json>>>);

impl Told {
    fn all(&self) -> Vec<Json> {
        self.0.lock().expect("deliveries").clone()
    }

    /// The last state of the first change that fits, once there is one.
    fn find(&self, what: &str, fits: impl Fn(&Json) -> bool) -> Json {
        eventually(what, || self.all().into_iter().rev().find(&fits))
    }

    fn ids(&self, kind: &str) -> Vec<String> {
        let mut ids: Vec<String> = self
            .all()
            .iter()
            .filter(|delivery| delivery["kind"] == kind)
            .map(|delivery| delivery["id"].as_str().expect("id").to_owned())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }
}

fn watched(clusters: &Arc<Clusters>, namespace: &str) -> (Told, Watching) {
    let told = Told::default();
    let sink = told.clone();
    let options = WatchOptions { cluster: "test".to_owned(), namespaces: vec![namespace.to_owned()], secrets: false };
    let watching = watch(clusters, vec![options], move |delivery| {
        sink.0.lock().expect("deliveries").push(delivery);
    });
    (told, watching.expect("a watch"))
}

fn deployed(cluster: &Cluster, path: &str, revision: &str) {
    eventually("a rollout", || {
        let object = cluster.get(path);
        let number = &object["metadata"]["annotations"]["deployment.kubernetes.io/revision"];
        let status = &object["status"];
        let seen = status["observedGeneration"] == object["metadata"]["generation"];
        let all = ["replicas", "updatedReplicas", "availableReplicas"].iter().all(|name| status[*name] == 2);
        (*number == revision && seen && all).then_some(())
    });
}

#[test]
fn deploys_configuration_and_scales_are_told_with_what_was_before() {
    let Some(cluster) = start() else { return };
    cluster.namespace("watch");
    let _kubelet = cluster.kubelet("watch");
    let clusters = clusters(&cluster);
    let (told, _watching) = watched(&clusters, "watch");
    let path = apps("watch", "deployments", "checkout");
    let configs = "/api/v1/namespaces/watch/configmaps";
    cluster.create(configs, &json!({"metadata": {"name": "settings"}, "data": {"LEVEL": "info", "DB_PASSWORD": "a"}}));
    let mut object = workload("checkout", "shop/checkout:1.4");
    object["spec"]["template"]["spec"]["containers"][0]["envFrom"] = json!([{"configMapRef": {"name": "settings"}}]);
    cluster.create(&apps("watch", "deployments", ""), &object);
    let first = told.find("the first deploy", |one| one["to_version"] == "1.4" && one["finished_at"].is_string());
    assert_eq!(first["from_version"], Json::Null);

    cluster.merge(&path, &image("shop/checkout:1.5"));
    let deploy = told.find("a deploy", |one| one["to_version"] == "1.5" && one["finished_at"].is_string());
    assert_eq!(deploy["kind"], "deploy");
    assert_eq!(deploy["source"], "kubernetes/test");
    assert_eq!(deploy["from_version"], "1.4");
    assert_eq!(deploy["artifact"], "shop/checkout:1.5");
    assert_eq!(
        deploy["target"],
        json!({"service": "checkout", "cluster": "test", "namespace": "watch", "workload": "deployment/checkout"})
    );
    let stages = deploy["stages"].as_array().expect("stages");
    assert_eq!(stages.last().expect("a stage")["percent"], 100.0);
    assert_eq!(deploy["raw"]["before"]["spec"]["containers"][0]["image"], "shop/checkout:1.4");
    assert!(!deploy.to_string().contains("hunter2"), "{deploy}");

    cluster.merge(
        &path,
        &json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "shop/checkout:1.5",
        "envFrom": [{"configMapRef": {"name": "settings"}}], "env": [{"name": "LEVEL", "value": "debug"}]}]}}}}),
    );
    let config = told
        .find("a change of the environment", |one| one["kind"] == "config" && one["labels"]["revision"].is_string());
    assert_eq!(config["labels"]["revision"], "3");
    deployed(&cluster, &path, "3");
    cluster.merge(&format!("{configs}/settings"), &json!({"data": {"LEVEL": "warn", "DB_PASSWORD": "b"}}));
    let config = told.find("a change of a ConfigMap", |one| {
        one["target"]["workload"] == "configmap/settings" && !one["raw"]["before"].is_null()
    });
    assert_eq!(config["target"]["service"], "checkout");
    assert_eq!(config["labels"]["keys"], "~DB_PASSWORD ~LEVEL");
    assert_eq!(
        config["raw"],
        json!({"before": {"DB_PASSWORD": "***", "LEVEL": "info"}, "after": {"DB_PASSWORD": "*** (changed)", "LEVEL": "warn"}})
    );
    cluster.merge(&path, &json!({"spec": {"replicas": 3}}));
    let scale = told.find("a scale", |one| one["kind"] == "scale" && one["finished_at"].is_string());
    assert_eq!(scale["raw"], json!({"before": {"replicas": 2}, "after": {"replicas": 3}}));
    cluster.delete(&path);
    let gone = told.find("the end", |one| one["labels"]["operation"] == "delete");
    assert_eq!(gone["from_version"], "1.5");
    assert_eq!(told.ids("deploy").len(), 2, "{:#?}", told.ids("deploy"));
}

/// The API server goes away and comes back, with changes meanwhile; then another watch begins anew, as after a restart.
#[test]
fn a_break_neither_loses_nor_doubles_a_change() {
    let Some(cluster) = start() else { return };
    cluster.namespace("break");
    let _kubelet = cluster.kubelet("break");
    let clusters = clusters(&cluster);
    let path = apps("break", "deployments", "checkout");
    cluster.create(&apps("break", "deployments", ""), &workload("checkout", "shop/checkout:1.4"));
    deployed(&cluster, &path, "1");
    let proxy = cluster.proxy();
    let through = crate::clusters_of(&proxy.kubeconfig());
    let (told, watching) = watched(&through, "break");
    told.find("what was there", |one| one["to_version"] == "1.4");

    proxy.cut();
    cluster.merge(&path, &image("shop/checkout:1.5"));
    deployed(&cluster, &path, "2");
    std::thread::sleep(Duration::from_millis(300));
    assert!(told.all().iter().all(|one| one["to_version"] != "1.5"), "the watch is cut off");
    proxy.mend();
    let missed = told.find("what was missed", |one| one["to_version"] == "1.5" && one["finished_at"].is_string());
    assert_eq!(missed["from_version"], "1.4");
    drop(watching);

    cluster.merge(&path, &image("shop/checkout:1.6"));
    deployed(&cluster, &path, "3");
    let (again, _watching) = watched(&clusters, "break");
    let caught_up = again.find("what was missed", |one| one["to_version"] == "1.6");
    assert_eq!(caught_up["from_version"], "1.5");
    assert!(caught_up["finished_at"].is_string(), "{caught_up}");
    let id = caught_up["id"].as_str().expect("id");
    assert!(id.ends_with("/3"), "{id}");
    // A third look tells exactly the same: the record does not change.
    let (third, _third) = watched(&clusters, "break");
    assert_eq!(third.find("the same", |one| one["to_version"] == "1.6"), caught_up);
    assert_eq!(told.ids("deploy").len(), 2);
}
