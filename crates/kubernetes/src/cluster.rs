//! The clusters of the configuration: how each is reached, and which namespaces may be acted in.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use parking_lot::Mutex;

/// How long a connection may take to come about.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a cluster is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterOptions {
    /// The kubeconfig; `None` is the cluster that this program runs in, with its service account.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one when absent.
    pub context: Option<String>,
    /// Namespaces that actions may act in; `*` is all of them, and an empty list none.
    pub act_in: Vec<String>,
}

/// Why the clusters could not be made ready.
#[derive(Debug, thiserror::Error)]
#[error("no threads for the clusters: {0}")]
pub struct ClustersError(#[from] std::io::Error);

/// The clusters by name. Its calls block; the requests run on a thread of its own, so that they go on with whatever thread calls.
pub struct Clusters {
    options: BTreeMap<String, ClusterOptions>,
    clients: Mutex<BTreeMap<String, Client>>,
    /// `None` only while it is dropped.
    runtime: Option<tokio::runtime::Runtime>,
}

impl fmt::Debug for Clusters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clusters").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Drop for Clusters {
    fn drop(&mut self) {
        // Not waiting: a runtime that is dropped inside another one would panic.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Clusters {
    /// Nothing is connected yet: a cluster that is down must not keep the program from starting.
    pub fn new(options: BTreeMap<String, ClusterOptions>) -> Result<Self, ClustersError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("kubernetes")
            .enable_all()
            .build()?;
        Ok(Self { options, clients: Mutex::default(), runtime: Some(runtime) })
    }

    /// The name and the options of a cluster; of the only one without a name.
    pub fn cluster(&self, name: Option<&str>) -> Result<(&str, &ClusterOptions), String> {
        let known = self.options.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
        let found = match name {
            Some(name) => self.options.get_key_value(name),
            None if self.options.len() == 1 => self.options.first_key_value(),
            None if self.options.is_empty() => None,
            None => return Err(format!("there are several clusters: name one of {known} as the target's cluster")),
        };
        let missing = || match (name, known.is_empty()) {
            (_, true) => "no cluster is configured: add one under kubernetes.clusters".to_owned(),
            (name, false) => format!("there is no cluster {:?}: configured are {known}", name.unwrap_or_default()),
        };
        found.map(|(name, options)| (name.as_str(), options)).ok_or_else(missing)
    }

    /// The same, if the namespace may be acted in.
    pub fn may_act(&self, name: Option<&str>, namespace: &str) -> Result<(&str, &ClusterOptions), String> {
        let (name, options) = self.cluster(name)?;
        if options.act_in.iter().any(|allowed| allowed == "*" || allowed == namespace) {
            return Ok((name, options));
        }
        Err(format!(
            "namespace {namespace} of cluster {name} is not allowed: add it to kubernetes.clusters.{name}.act_in"
        ))
    }

    /// A client of a cluster, made at its first use.
    pub(crate) async fn client(&self, name: &str) -> Result<Client, String> {
        if let Some(client) = self.clients.lock().get(name) {
            return Ok(client.clone());
        }
        let (_, options) = self.cluster(Some(name))?;
        let client = connect(options).await.map_err(|error| format!("cluster {name}: {error}"))?;
        self.clients.lock().insert(name.to_owned(), client.clone());
        Ok(client)
    }

    /// Runs a future to its end on this thread.
    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> Option<T> {
        self.runtime.as_ref().map(|runtime| runtime.block_on(future))
    }

    /// Where tasks of the clusters run.
    pub(crate) fn handle(&self) -> Option<tokio::runtime::Handle> {
        self.runtime.as_ref().map(|runtime| runtime.handle().clone())
    }
}

async fn connect(options: &ClusterOptions) -> Result<Client, String> {
    let mut config = match &options.kubeconfig {
        None => Config::incluster().map_err(|error| format!("no service account here: {error}"))?,
        Some(path) => {
            let file = Kubeconfig::read_from(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let chosen = KubeConfigOptions { context: options.context.clone(), ..KubeConfigOptions::default() };
            let config = Config::from_custom_kubeconfig(file, &chosen).await;
            config.map_err(|error| format!("{}: {error}", path.display()))?
        }
    };
    // A write is sent once: whether it happened is asked, never assumed.
    config.default_retry = false;
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    Client::try_from(config).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(names: &[&str], cluster: Option<&str>, namespace: &str, expect: Expect) {
        let act_in = vec!["shop".to_owned()];
        let options = names
            .iter()
            .map(|name| ((*name).to_owned(), ClusterOptions { act_in: act_in.clone(), ..ClusterOptions::default() }))
            .collect();
        let clusters = Clusters::new(options).unwrap();
        let answer = clusters.may_act(cluster, namespace).map(|(name, _)| name.to_owned());
        expect.assert_eq(&answer.unwrap_or_else(|error| error));
    }

    #[test]
    fn a_cluster_is_named_and_its_namespaces_are_allowed() {
        check(&["a"], None, "shop", expect!["a"]);
        check(&["a", "b"], Some("b"), "shop", expect!["b"]);
        check(
            &["a"],
            None,
            "kube-system",
            expect![[r#"namespace kube-system of cluster a is not allowed: add it to kubernetes.clusters.a.act_in"#]],
        );
        check(
            &["a", "b"],
            None,
            "shop",
            expect![[r#"there are several clusters: name one of a, b as the target's cluster"#]],
        );
        check(&["a"], Some("c"), "shop", expect![[r#"there is no cluster "c": configured are a"#]]);
        check(&[], None, "shop", expect![[r#"no cluster is configured: add one under kubernetes.clusters"#]]);
    }
}
