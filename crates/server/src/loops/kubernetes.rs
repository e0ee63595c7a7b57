//! Clusters of Kubernetes: the settings, and the watches whose deliveries become changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use change::ChangeBook;
use config::{ClusterConfig, ClusterWatchConfig, Config};
use kubernetes::{ClusterOptions, Clusters, WatchOptions, Watching, watch};
use serde_json::Value as Json;
use telemetry::{clock, metrics};

/// Who is noted as having reported what a watch saw.
const ACTOR: &str = "kubernetes-watch";

/// The clusters of the settings.
pub(crate) fn clusters(config: &Config) -> BTreeMap<String, ClusterOptions> {
    let options = |cluster: &ClusterConfig| ClusterOptions {
        kubeconfig: cluster.kubeconfig.clone(),
        context: cluster.context.clone(),
        act_in: cluster.act_in.clone(),
    };
    config.kubernetes.clusters.iter().map(|(name, cluster)| (name.clone(), options(cluster))).collect()
}

/// Starts the watches, if there are any.
pub(crate) fn start(config: &Config, clusters: &Arc<Clusters>, book: ChangeBook) -> anyhow::Result<Option<Watching>> {
    if config.kubernetes.watch.is_empty() {
        return Ok(None);
    }
    let options = |watch: &ClusterWatchConfig| WatchOptions {
        cluster: watch.cluster.clone(),
        namespaces: watch.namespaces.clone(),
        secrets: watch.secrets,
    };
    let watched = config.kubernetes.watch.iter().map(options).collect();
    Ok(Some(watch(clusters, watched, move |delivery| record(&book, &delivery))?))
}

/// A delivery that can not be kept is lost until the next start tells it again; the log says so.
fn record(book: &ChangeBook, delivery: &Json) {
    match book.record(delivery, ACTOR, clock::now()) {
        Ok(recorded) if recorded.created => metrics::CHANGES.add(1),
        Ok(_) => {}
        Err(error) => {
            metrics::CHANGES_REFUSED.add(1);
            tracing::error!(%error, id = delivery["id"].as_str(), "a change of a cluster was not recorded");
        }
    }
}
