//! A Kubernetes cluster: pods, services, endpoints, nodes and ingresses are scraped.
//!
//! Objects are listed once and followed by watches, over plain HTTPS. The crate that acts on clusters has a client of its own; this one
//! only reads, and needs four kinds of requests.

mod access;
mod objects;
mod pods;
mod targets;
#[cfg(test)]
mod tests;
mod watch;

use std::sync::Arc;

use tokio::task::JoinHandle;

use super::{DiscoveryError, failed};
use crate::config::{KubernetesConfig, KubernetesRole, KubernetesSelector};
use crate::limits::{DISCOVERY_RETRY, TARGETS_SETTLE};
use crate::manager::Updates;

use access::Cluster;
use objects::{Kind, Objects};

/// Tasks that end with it.
struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

pub(super) async fn run(config: KubernetesConfig, updates: Updates) {
    let cluster = loop {
        match Cluster::of(&config) {
            Ok(cluster) => break Arc::new(cluster),
            Err(error) => failed("kubernetes", &DiscoveryError::Answer(error)),
        }
        tokio::time::sleep(DISCOVERY_RETRY).await;
    };
    let objects = Arc::new(Objects::default());
    let mut tasks = Tasks(Vec::new());
    for kind in kinds(&config) {
        let namespaces = if kind.is_namespaced() { cluster.namespaces.clone() } else { vec![None] };
        for namespace in namespaces {
            let (cluster, objects) = (Arc::clone(&cluster), Arc::clone(&objects));
            let selector = selector(&config, kind).cloned();
            objects.expect_one();
            tasks.0.push(telemetry::spawn("scrape-kubernetes", async move {
                watch::follow(&cluster, kind, namespace.as_deref(), selector.as_ref(), &objects).await;
            }));
        }
    }
    loop {
        objects.changed().await;
        // A burst of changes is one.
        tokio::time::sleep(TARGETS_SETTLE).await;
        if objects.are_complete() {
            updates.send(objects.read(|known| targets::groups(&config, known))).await;
        }
    }
}

/// Kinds of objects that a role needs to know.
fn kinds(config: &KubernetesConfig) -> Vec<Kind> {
    let mut kinds = match config.role {
        KubernetesRole::Pod => vec![Kind::Pod],
        KubernetesRole::Service => vec![Kind::Service],
        KubernetesRole::Endpoints => vec![Kind::Endpoints, Kind::Service, Kind::Pod],
        KubernetesRole::EndpointSlice => vec![Kind::EndpointSlice, Kind::Service, Kind::Pod],
        KubernetesRole::Node => vec![Kind::Node],
        KubernetesRole::Ingress => vec![Kind::Ingress],
    };
    let pods = kinds.contains(&Kind::Pod);
    if config.attach_node && pods {
        kinds.push(Kind::Node);
    }
    if config.attach_namespace && config.role != KubernetesRole::Node {
        kinds.push(Kind::Namespace);
    }
    if config.attach_deployment && pods {
        kinds.push(Kind::ReplicaSet);
    }
    if config.attach_cronjob && pods {
        kinds.push(Kind::Job);
    }
    kinds
}

fn selector(config: &KubernetesConfig, kind: Kind) -> Option<&KubernetesSelector> {
    config.selectors.iter().find(|selector| Kind::of_role(selector.role) == kind)
}
