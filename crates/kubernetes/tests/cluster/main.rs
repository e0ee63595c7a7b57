//! Actions and watches against a real API server, as Backstop's service account with the rights of `deploy/kubernetes/rbac.yaml`.

#![allow(clippy::print_stdout, reason = "tests say what they skip and what they measured")]

mod gitops;
mod harness;
mod rollouts;
mod watches;
mod workloads;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use kubernetes::{ClusterOptions, Clusters};
use respond::{ActionRequest, Call, Precheck, Verb};
use serde_json::Value as Json;

use crate::harness::Cluster;

/// Backstop's clusters, with the one under test.
fn clusters(cluster: &Cluster) -> Arc<Clusters> {
    clusters_of(&cluster.kubeconfig("backstop"))
}

fn clusters_of(kubeconfig: &Path) -> Arc<Clusters> {
    let options =
        ClusterOptions { kubeconfig: Some(kubeconfig.to_owned()), context: None, act_in: vec!["*".to_owned()] };
    Arc::new(Clusters::new(BTreeMap::from([("test".to_owned(), options)])).expect("clusters"))
}

fn request(kind: &str, verb: Verb, from: &str, to: &str, target: Json) -> ActionRequest {
    let Json::Object(keys) = target else { panic!("a target is an object") };
    let call: Call = Call::read(kind, verb, &keys.into_iter().collect()).expect("a target");
    ActionRequest {
        key: "key-1".to_owned(),
        fence: 7,
        timeout_ns: 30_000_000_000,
        verb,
        from_version: from.to_owned(),
        to_version: to.to_owned(),
        replicas: None,
        revision: None,
        call,
    }
}

/// What a precheck says, with the revision if it is ready.
fn said(precheck: Precheck) -> (String, Option<String>) {
    match precheck {
        Precheck::Ready { detail, revision } => (format!("ready: {detail}"), revision),
        Precheck::Refused { detail } => (format!("refused: {detail}"), None),
        Precheck::Unknown { detail } => (format!("unknown: {detail}"), None),
        Precheck::NotOffered => ("not offered".to_owned(), None),
    }
}

/// The request with what its precheck saw; it must be ready.
fn ready(clusters: &Clusters, mut request: ActionRequest) -> (ActionRequest, String) {
    let (text, revision) = said(clusters.precheck(&request));
    assert!(text.starts_with("ready: "), "{text}");
    request.revision = revision;
    (request, text)
}

fn refused(clusters: &Clusters, request: &ActionRequest) -> String {
    let (text, _) = said(clusters.precheck(request));
    text.strip_prefix("refused: ").unwrap_or_else(|| panic!("{text}")).to_owned()
}
