//! A cluster that answers what the API of a real one does, as far as it is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use expect_test::{Expect, expect};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::super::testing::{Answer, Server};
use super::*;
use crate::config::{HttpConfig, Namespaces, TargetGroup};
use crate::manager::FoundReceiver;

fn pod() -> Value {
    json!({
        "metadata": {
            "name": "web-5d9", "namespace": "shop", "uid": "abc123", "resourceVersion": "7", "managedFields": [{"manager": "kubelet"}],
            "labels": {"app.kubernetes.io/name": "web"}, "annotations": {"prometheus.io/scrape": "true"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "web-5d", "controller": true}]
        },
        "spec": {
            "nodeName": "n1",
            "containers": [
                {"name": "web", "image": "web:1", "ports": [
                    {"name": "http", "containerPort": 8080, "protocol": "TCP"}, {"name": "metrics", "containerPort": 9000, "protocol": "TCP"}
                ]},
                {"name": "sidecar", "image": "side:1"}
            ],
            "initContainers": [{"name": "init", "image": "init:1", "ports": [{"containerPort": 1111, "protocol": "TCP"}]}]
        },
        "status": {
            "phase": "Running", "podIP": "10.2.0.7", "hostIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}],
            "containerStatuses": [{"name": "web", "containerID": "containerd://1"}]
        }
    })
}

fn objects() -> BTreeMap<&'static str, Vec<Value>> {
    let node = json!({
        "metadata": {"name": "n1", "labels": {"zone": "a"}},
        "spec": {"providerID": "aws:///i-1"},
        "status": {
            "addresses": [{"type": "Hostname", "address": "n1"}, {"type": "InternalIP", "address": "10.0.0.1"}],
            "conditions": [{"type": "Ready", "status": "True"}],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}
        }
    });
    let service = json!({
        "metadata": {"name": "web", "namespace": "shop", "labels": {"tier": "front"}},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.3.0.1", "ports": [{"name": "http", "port": 80, "protocol": "TCP"}]},
        "status": {"loadBalancer": {"ingress": [{"ip": "1.2.3.4"}]}}
    });
    let reference = json!({"kind": "Pod", "namespace": "shop", "name": "web-5d9"});
    let endpoints = json!({
        "metadata": {"name": "web", "namespace": "shop"},
        "subsets": [{
            "addresses": [{"ip": "10.2.0.7", "nodeName": "n1", "targetRef": reference}],
            "notReadyAddresses": [{"ip": "10.2.0.8", "hostname": "late"}],
            "ports": [{"name": "http", "port": 8080, "protocol": "TCP"}]
        }]
    });
    let slice = json!({
        "metadata": {"name": "web-x1", "namespace": "shop", "labels": {"kubernetes.io/service-name": "web"}},
        "addressType": "IPv4",
        "endpoints": [{
            "addresses": ["10.2.0.7"], "conditions": {"ready": true, "serving": true, "terminating": false}, "nodeName": "n1", "zone": "a",
            "targetRef": reference
        }],
        "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "http"}]
    });
    let ingress = json!({
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "ingressClassName": "nginx", "tls": [{"hosts": ["*.example.com"]}],
            "rules": [
                {"host": "shop.example.com", "http": {"paths": [{"path": "/a"}, {"path": ""}]}}, {"host": "plain.example.org"}
            ]
        }
    });
    let replicas = json!({
        "metadata": {"name": "web-5d", "namespace": "shop", "ownerReferences": [{"kind": "Deployment", "name": "web", "controller": true}]}
    });
    let namespace = json!({"metadata": {"name": "shop", "labels": {"team": "red"}}});
    BTreeMap::from([
        ("pods", vec![pod()]),
        ("nodes", vec![node]),
        ("services", vec![service]),
        ("endpoints", vec![endpoints]),
        ("endpointslices", vec![slice]),
        ("ingresses", vec![ingress]),
        ("replicasets", vec![replicas]),
        ("namespaces", vec![namespace]),
    ])
}

/// Lists what there is; a watch from state 1 says what a test has put there and stays open.
fn answer(asked: &str, events: &str) -> Answer {
    let path = asked.trim_start_matches("GET ").split('?').next().unwrap_or_default();
    let plural = path.rsplit('/').next().unwrap_or_default();
    let objects = objects();
    let Some(items) = objects.get(plural) else { return Answer::not_found() };
    if !asked.contains("watch=true") {
        return Answer::json(&json!({"metadata": {"resourceVersion": "1"}, "items": items}).to_string());
    }
    let events = if asked.contains("resourceVersion=1&") || asked.ends_with("resourceVersion=1") { events } else { "" };
    let events = if plural == "pods" { events } else { "" };
    Answer { open: true, ..Answer::json(events) }
}

fn config(server: &Server, role: KubernetesRole) -> KubernetesConfig {
    KubernetesConfig {
        api_server: Some(server.url()),
        kubeconfig: None,
        role,
        namespaces: Namespaces { own: false, names: vec!["shop".to_owned()] },
        selectors: Vec::new(),
        attach_node: false,
        attach_namespace: false,
        attach_deployment: false,
        attach_job: false,
        attach_cronjob: false,
        http: HttpConfig::default(),
    }
}

fn shown(groups: &[TargetGroup]) -> String {
    let mut out = String::new();
    for group in groups {
        out.push_str(&format!("{}\n", group.source));
        for (name, value) in group.labels.iter() {
            out.push_str(&format!("  {name}={value}\n"));
        }
        for target in &group.targets {
            out.push_str(&format!("  - {target}\n"));
        }
    }
    out.replace("__meta_kubernetes_", "~")
}

async fn found(role: KubernetesRole, change: impl FnOnce(&mut KubernetesConfig), expect: Expect) -> Vec<String> {
    let server = Server::start(|asked| answer(asked, "")).await;
    let mut config = config(&server, role);
    change(&mut config);
    let (updates, mut receiver) = Updates::for_test();
    let task = telemetry::spawn("test", run(config, updates));
    expect.assert_eq(&shown(&receiver.next().await));
    task.abort();
    server.requests()
}

#[tokio::test]
async fn pods() {
    let all = |config: &mut KubernetesConfig| {
        (config.attach_node, config.attach_namespace, config.attach_deployment) = (true, true, true);
        config.selectors = vec![KubernetesSelector {
            role: KubernetesRole::Pod,
            label: "app=web".into(),
            field: "status.phase=Running".into(),
        }];
    };
    let requests = found(KubernetesRole::Pod, all, expect![[r#"
        pod/shop/web-5d9
          ~namespace=shop
          ~namespace_label_team=red
          ~namespace_labelpresent_team=true
          ~node_label_zone=a
          ~node_labelpresent_zone=true
          ~node_name=n1
          ~pod_annotation_prometheus_io_scrape=true
          ~pod_annotationpresent_prometheus_io_scrape=true
          ~pod_controller_kind=ReplicaSet
          ~pod_controller_name=web-5d
          ~pod_deployment_name=web
          ~pod_host_ip=10.0.0.1
          ~pod_ip=10.2.0.7
          ~pod_label_app_kubernetes_io_name=web
          ~pod_labelpresent_app_kubernetes_io_name=true
          ~pod_name=web-5d9
          ~pod_node_name=n1
          ~pod_phase=Running
          ~pod_ready=true
          ~pod_uid=abc123
          - {__address__="10.2.0.7:8080", ~pod_container_id="containerd://1", ~pod_container_image="web:1", ~pod_container_init="false", ~pod_container_name="web", ~pod_container_port_name="http", ~pod_container_port_number="8080", ~pod_container_port_protocol="TCP"}
          - {__address__="10.2.0.7:9000", ~pod_container_id="containerd://1", ~pod_container_image="web:1", ~pod_container_init="false", ~pod_container_name="web", ~pod_container_port_name="metrics", ~pod_container_port_number="9000", ~pod_container_port_protocol="TCP"}
          - {__address__="10.2.0.7", ~pod_container_image="side:1", ~pod_container_init="false", ~pod_container_name="sidecar"}
          - {__address__="10.2.0.7:1111", ~pod_container_image="init:1", ~pod_container_init="true", ~pod_container_name="init", ~pod_container_port_number="1111", ~pod_container_port_protocol="TCP"}
    "#]]).await;
    let pods = requests.iter().find(|head| head.contains("/pods?")).expect("asked");
    assert!(
        pods.starts_with(
            "GET /api/v1/namespaces/shop/pods?labelSelector=app%3Dweb&fieldSelector=status.phase%3DRunning&limit=500 "
        ),
        "{pods}"
    );
    assert!(requests.iter().any(|head| head.starts_with("GET /api/v1/nodes?limit=500 ")), "{requests:?}");
}

#[tokio::test]
async fn services_and_what_is_behind_them() {
    found(KubernetesRole::Service, |_| {}, expect![[r#"
        service/shop/web
          ~namespace=shop
          ~service_label_tier=front
          ~service_labelpresent_tier=true
          ~service_name=web
          - {__address__="web.shop.svc:80", ~service_cluster_ip="10.3.0.1", ~service_loadbalancer_ip="1.2.3.4", ~service_port_name="http", ~service_port_number="80", ~service_port_protocol="TCP", ~service_type="LoadBalancer"}
    "#]]).await;
    found(KubernetesRole::Endpoints, |_| {}, expect![[r#"
        endpoints/shop/web
          ~endpoints_name=web
          ~namespace=shop
          ~service_label_tier=front
          ~service_labelpresent_tier=true
          ~service_name=web
          - {__address__="10.2.0.7:8080", ~endpoint_address_target_kind="Pod", ~endpoint_address_target_name="web-5d9", ~endpoint_node_name="n1", ~endpoint_port_name="http", ~endpoint_port_protocol="TCP", ~endpoint_ready="true", ~pod_annotation_prometheus_io_scrape="true", ~pod_annotationpresent_prometheus_io_scrape="true", ~pod_container_image="web:1", ~pod_container_init="false", ~pod_container_name="web", ~pod_container_port_name="http", ~pod_container_port_number="8080", ~pod_container_port_protocol="TCP", ~pod_controller_kind="ReplicaSet", ~pod_controller_name="web-5d", ~pod_host_ip="10.0.0.1", ~pod_ip="10.2.0.7", ~pod_label_app_kubernetes_io_name="web", ~pod_labelpresent_app_kubernetes_io_name="true", ~pod_name="web-5d9", ~pod_node_name="n1", ~pod_phase="Running", ~pod_ready="true", ~pod_uid="abc123"}
          - {__address__="10.2.0.8:8080", ~endpoint_hostname="late", ~endpoint_port_name="http", ~endpoint_port_protocol="TCP", ~endpoint_ready="false"}
          - {__address__="10.2.0.7:9000", ~pod_annotation_prometheus_io_scrape="true", ~pod_annotationpresent_prometheus_io_scrape="true", ~pod_container_image="web:1", ~pod_container_init="false", ~pod_container_name="web", ~pod_container_port_name="metrics", ~pod_container_port_number="9000", ~pod_container_port_protocol="TCP", ~pod_controller_kind="ReplicaSet", ~pod_controller_name="web-5d", ~pod_host_ip="10.0.0.1", ~pod_ip="10.2.0.7", ~pod_label_app_kubernetes_io_name="web", ~pod_labelpresent_app_kubernetes_io_name="true", ~pod_name="web-5d9", ~pod_node_name="n1", ~pod_phase="Running", ~pod_ready="true", ~pod_uid="abc123"}
          - {__address__="10.2.0.7:1111", ~pod_annotation_prometheus_io_scrape="true", ~pod_annotationpresent_prometheus_io_scrape="true", ~pod_container_image="init:1", ~pod_container_init="true", ~pod_container_name="init", ~pod_container_port_number="1111", ~pod_container_port_protocol="TCP", ~pod_controller_kind="ReplicaSet", ~pod_controller_name="web-5d", ~pod_host_ip="10.0.0.1", ~pod_ip="10.2.0.7", ~pod_label_app_kubernetes_io_name="web", ~pod_labelpresent_app_kubernetes_io_name="true", ~pod_name="web-5d9", ~pod_node_name="n1", ~pod_phase="Running", ~pod_ready="true", ~pod_uid="abc123"}
    "#]]).await;
    found(KubernetesRole::EndpointSlice, |config| config.attach_node = true, expect![[r#"
        endpointslice/shop/web-x1
          ~endpointslice_address_type=IPv4
          ~endpointslice_label_kubernetes_io_service_name=web
          ~endpointslice_labelpresent_kubernetes_io_service_name=true
          ~endpointslice_name=web-x1
          ~namespace=shop
          ~service_label_tier=front
          ~service_labelpresent_tier=true
          ~service_name=web
          - {__address__="10.2.0.7:8080", ~endpointslice_address_target_kind="Pod", ~endpointslice_address_target_name="web-5d9", ~endpointslice_endpoint_conditions_ready="true", ~endpointslice_endpoint_conditions_serving="true", ~endpointslice_endpoint_conditions_terminating="false", ~endpointslice_endpoint_node_name="n1", ~endpointslice_endpoint_zone="a", ~endpointslice_port="8080", ~endpointslice_port_app_protocol="http", ~endpointslice_port_name="http", ~endpointslice_port_protocol="TCP", ~node_label_zone="a", ~node_labelpresent_zone="true", ~node_name="n1", ~pod_annotation_prometheus_io_scrape="true", ~pod_annotationpresent_prometheus_io_scrape="true", ~pod_container_image="web:1", ~pod_container_init="false", ~pod_container_name="web", ~pod_container_port_name="http", ~pod_container_port_number="8080", ~pod_container_port_protocol="TCP", ~pod_controller_kind="ReplicaSet", ~pod_controller_name="web-5d", ~pod_host_ip="10.0.0.1", ~pod_ip="10.2.0.7", ~pod_label_app_kubernetes_io_name="web", ~pod_labelpresent_app_kubernetes_io_name="true", ~pod_name="web-5d9", ~pod_node_name="n1", ~pod_phase="Running", ~pod_ready="true", ~pod_uid="abc123"}
          - {__address__="10.2.0.7:9000", ~pod_annotation_prometheus_io_scrape="true", ~pod_annotationpresent_prometheus_io_scrape="true", ~pod_container_image="web:1", ~pod_container_init="false", ~pod_container_name="web", ~pod_container_port_name="metrics", ~pod_container_port_number="9000", ~pod_container_port_protocol="TCP", ~pod_controller_kind="ReplicaSet", ~pod_controller_name="web-5d", ~pod_host_ip="10.0.0.1", ~pod_ip="10.2.0.7", ~pod_label_app_kubernetes_io_name="web", ~pod_labelpresent_app_kubernetes_io_name="true", ~pod_name="web-5d9", ~pod_node_name="n1", ~pod_phase="Running", ~pod_ready="true", ~pod_uid="abc123"}
          - {__address__="10.2.0.7:1111", ~pod_annotation_prometheus_io_scrape="true", ~pod_annotationpresent_prometheus_io_scrape="true", ~pod_container_image="init:1", ~pod_container_init="true", ~pod_container_name="init", ~pod_container_port_number="1111", ~pod_container_port_protocol="TCP", ~pod_controller_kind="ReplicaSet", ~pod_controller_name="web-5d", ~pod_host_ip="10.0.0.1", ~pod_ip="10.2.0.7", ~pod_label_app_kubernetes_io_name="web", ~pod_labelpresent_app_kubernetes_io_name="true", ~pod_name="web-5d9", ~pod_node_name="n1", ~pod_phase="Running", ~pod_ready="true", ~pod_uid="abc123"}
    "#]]).await;
}

#[tokio::test]
async fn nodes_and_ingresses() {
    found(KubernetesRole::Node, |_| {}, expect![[r#"
        node/n1
          ~node_condition_ready=true
          ~node_label_zone=a
          ~node_labelpresent_zone=true
          ~node_name=n1
          ~node_provider_id=aws:///i-1
          - {__address__="10.0.0.1:10250", ~node_address_Hostname="n1", ~node_address_InternalIP="10.0.0.1", instance="n1"}
    "#]]).await;
    found(KubernetesRole::Ingress, |_| {}, expect![[r#"
        ingress/shop/web
          ~ingress_class_name=nginx
          ~ingress_name=web
          ~namespace=shop
          - {__address__="shop.example.com", ~ingress_host="shop.example.com", ~ingress_path="/a", ~ingress_scheme="https"}
          - {__address__="shop.example.com", ~ingress_host="shop.example.com", ~ingress_path="/", ~ingress_scheme="https"}
          - {__address__="plain.example.org", ~ingress_host="plain.example.org", ~ingress_path="/", ~ingress_scheme="http"}
    "#]]).await;
}

async fn until(receiver: &mut FoundReceiver, holds: impl Fn(&[TargetGroup]) -> bool) {
    while !holds(&receiver.next().await) {}
}

#[tokio::test]
async fn changes_are_followed() {
    let mut second = pod();
    second["metadata"]["name"] = "web-2".into();
    second["metadata"]["resourceVersion"] = "8".into();
    let mut gone = pod();
    gone["metadata"]["resourceVersion"] = "9".into();
    let lines = [
        json!({"type": "ADDED", "object": second}).to_string(),
        json!({"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "8"}}}).to_string(),
        json!({"type": "DELETED", "object": gone}).to_string(),
    ];
    let events = Arc::new(Mutex::new(format!("{}\n", lines.join("\n"))));
    let told = Arc::clone(&events);
    let server = Server::start(move |asked| answer(asked, &told.lock())).await;
    let (updates, mut receiver) = Updates::for_test();
    let task = telemetry::spawn("test", run(config(&server, KubernetesRole::Pod), updates));
    until(&mut receiver, |groups| groups.len() == 1 && groups[0].source == "pod/shop/web-2").await;
    task.abort();
}

#[test]
fn a_kubeconfig_says_how_to_reach_a_cluster() {
    let dir = tempfile::tempdir().expect("directory");
    let path = dir.path().join("config");
    let text = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters:\n- name: k\n  cluster: {server: 'https://k8s:6443/', certificate-authority: ca.pem}\n\
                contexts:\n- name: c\n  context: {cluster: k, user: u, namespace: x}\nusers:\n- name: u\n  user: {token: abc}\n";
    std::fs::write(&path, text).expect("written");
    let config = KubernetesConfig {
        api_server: None,
        kubeconfig: Some(path.clone()),
        role: KubernetesRole::Node,
        namespaces: Namespaces::default(),
        selectors: Vec::new(),
        attach_node: false,
        attach_namespace: false,
        attach_deployment: false,
        attach_job: false,
        attach_cronjob: false,
        http: HttpConfig::default(),
    };
    let cluster = Cluster::of(&config).expect("a cluster");
    assert_eq!((cluster.base.as_str(), cluster.namespaces.clone()), ("https://k8s:6443", vec![None]));
    let shown = format!("{cluster:?}");
    assert!(shown.contains("ca.pem") && !shown.contains("abc"), "{shown}");
    std::fs::write(&path, text.replace("{token: abc}", "{exec: {command: aws}}")).expect("written");
    assert!(Cluster::of(&config).expect_err("a program").contains("is not supported"));
}
