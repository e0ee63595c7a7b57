//! Tells what changes in clusters: new versions, configuration, numbers of instances.
//!
//! **Path.** kube's watcher (list, then watch, and again after any break) -> one task per cluster and namespace that remembers what
//! it saw -> what differs becomes a delivery -> a thread that hands it to the sink, in order.
//!
//! **Guarantees.** A delivery's id is made of what the cluster keeps (the object's uid and the number of its revision), so that a
//! break of the connection, or a restart of this program, tells the same change again and never another one. What was missed
//! while a watch was broken is told afterwards; what was missed while the program was down too, if it is at most a day old.
//!
//! **Not guaranteed.** Two changes of one workload while nobody looked are told as one. ConfigMaps that changed while the
//! program was down are told without what they held before.

mod config;
mod facts;
mod namespace;
mod redact;
mod track;

use std::sync::Arc;
use std::time::Duration;

use futures::stream::{BoxStream, SelectAll};
use futures::{StreamExt as _, TryStreamExt as _};
use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt as _, watcher as kube_watcher};
use respond::WorkloadKind;
use serde_json::Value as Json;
use telemetry::{clock, metrics};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use self::config::ConfigKind;
use self::namespace::Namespace;
use crate::Clusters;
use crate::link::{resource, workload_resource};

/// Most deliveries that wait for the sink; when there are more, watches wait.
const DELIVERIES_MAX: usize = 1_024;

/// Pause before a cluster that can not be reached is tried again.
const CONNECT_PAUSE: Duration = Duration::from_secs(10);

/// What to watch in one cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchOptions {
    /// The cluster's name in the configuration.
    pub cluster: String,
    /// The namespaces; none or `*` is all of them.
    pub namespaces: Vec<String>,
    /// Whether Secrets are watched too. That takes the right to read them; their contents go nowhere.
    pub secrets: bool,
}

/// Watches that run; they end when this is dropped.
#[derive(Debug)]
pub struct Watching {
    tasks: Vec<tokio::task::JoinHandle<()>>,
    deliverer: Option<std::thread::JoinHandle<()>>,
    // Dropped after the tasks are told to end.
    _clusters: Arc<Clusters>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
        self.tasks.clear();
        // The thread ends by itself once the last task, and with it the last sender, is gone.
        drop(self.deliverer.take());
    }
}

/// What a stream of the API server is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Watched {
    Workload(WorkloadKind),
    Config(ConfigKind),
}

impl Watched {
    fn resource(self) -> ApiResource {
        match self {
            Self::Workload(kind) => workload_resource(kind),
            Self::Config(ConfigKind::ConfigMap) => resource("", "v1", "ConfigMap", "configmaps"),
            Self::Config(ConfigKind::Secret) => resource("", "v1", "Secret", "secrets"),
        }
    }
}

/// Watches clusters and hands each delivery to `sink`, from one thread and in order, until the answer is dropped.
pub fn watch(
    clusters: &Arc<Clusters>,
    options: Vec<WatchOptions>,
    sink: impl Fn(Json) + Send + 'static,
) -> std::io::Result<Watching> {
    let (sender, receiver) = channel(DELIVERIES_MAX);
    let deliver = move || deliver(receiver, &sink);
    let deliverer = std::thread::Builder::new().name("kubernetes-changes".to_owned()).spawn(deliver)?;
    let mut tasks = Vec::new();
    if let Some(handle) = clusters.handle() {
        let _inside = handle.enter();
        for options in options {
            let all = options.namespaces.is_empty() || options.namespaces.iter().any(|name| name == "*");
            let namespaces =
                if all { vec![None] } else { options.namespaces.iter().cloned().map(Some).collect::<Vec<_>>() };
            for namespace in namespaces {
                let task = watch_namespace(Arc::clone(clusters), options.clone(), namespace, sender.clone());
                tasks.push(telemetry::spawn("kubernetes-watch", task));
            }
        }
    }
    Ok(Watching { tasks, deliverer: Some(deliverer), _clusters: Arc::clone(clusters) })
}

fn deliver(mut receiver: Receiver<Json>, sink: &impl Fn(Json)) {
    while let Some(delivery) = receiver.blocking_recv() {
        sink(delivery);
    }
}

async fn watch_namespace(
    clusters: Arc<Clusters>,
    options: WatchOptions,
    namespace: Option<String>,
    sender: Sender<Json>,
) {
    let client = loop {
        match clusters.client(&options.cluster).await {
            Ok(client) => break client,
            Err(error) => {
                metrics::KUBERNETES_EVENTS.add("error", 1);
                tracing::warn!(cluster = options.cluster, error, "cluster can not be watched yet");
                tokio::time::sleep(CONNECT_PAUSE).await;
            }
        }
    };
    drop(clusters);
    let mut seen = Namespace::new(&options.cluster, client.clone());
    let mut events = events(&client, namespace.as_deref(), options.secrets);
    while let Some((watched, event)) = events.next().await {
        let deliveries = match event {
            Ok(event) => {
                count(&event);
                seen.take(watched, event, clock::now()).await
            }
            Err(error) => {
                metrics::KUBERNETES_EVENTS.add("error", 1);
                let namespace = namespace.as_deref().unwrap_or("*");
                let what = watched.resource().plural;
                tracing::warn!(cluster = options.cluster, namespace, what, %error, "watch broke off, trying again");
                seen.go_without(watched, clock::now())
            }
        };
        for delivery in deliveries {
            if sender.send(delivery).await.is_err() {
                return;
            }
        }
    }
}

fn count(event: &Event<DynamicObject>) {
    match event {
        Event::Init | Event::InitDone => {}
        Event::InitApply(_) => metrics::KUBERNETES_EVENTS.add("listed", 1),
        Event::Apply(_) => metrics::KUBERNETES_EVENTS.add("changed", 1),
        Event::Delete(_) => metrics::KUBERNETES_EVENTS.add("deleted", 1),
    }
}

type Events = SelectAll<BoxStream<'static, (Watched, Result<Event<DynamicObject>, watcher::Error>)>>;

/// Every stream of a namespace, or of all of them.
fn events(client: &Client, namespace: Option<&str>, secrets: bool) -> Events {
    let workloads = WorkloadKind::ALL.into_iter().map(Watched::Workload);
    let configs = [Some(ConfigKind::ConfigMap), secrets.then_some(ConfigKind::Secret)];
    let streams = workloads.chain(configs.into_iter().flatten().map(Watched::Config)).map(|watched| {
        let resource = watched.resource();
        let api: Api<DynamicObject> = match namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let stream = kube_watcher(api, watcher::Config::default()).default_backoff();
        stream.into_stream().map(move |event| (watched, event)).boxed()
    });
    futures::stream::select_all(streams)
}
