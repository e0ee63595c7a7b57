//! Settings of Kubernetes: the clusters, and what is watched in them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::ConfigError;
use crate::raw::Check;

/// Settings of Kubernetes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KubernetesConfig {
    /// The clusters by name.
    pub clusters: BTreeMap<String, ClusterConfig>,
    /// What is watched for changes.
    pub watch: Vec<ClusterWatchConfig>,
}

/// How a cluster is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterConfig {
    /// The kubeconfig; `None` is the cluster that the program runs in.
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig; its current one when absent.
    pub context: Option<String>,
    /// Namespaces that actions may act in; `*` is all of them.
    pub act_in: Vec<String>,
}

/// What is watched in a cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterWatchConfig {
    /// The cluster's name.
    pub cluster: String,
    /// The namespaces; none is all of them.
    pub namespaces: Vec<String>,
    /// Whether Secrets are watched too.
    pub secrets: bool,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawKubernetes {
    pub clusters: BTreeMap<String, RawCluster>,
    pub watch: Vec<RawClusterWatch>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawCluster {
    pub kubeconfig: Option<String>,
    pub context: Option<String>,
    pub act_in: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "see RawConfig")]
pub struct RawClusterWatch {
    pub cluster: String,
    #[serde(default)]
    pub namespaces: Vec<String>,
    #[serde(default)]
    pub secrets: bool,
}

impl Check<'_> {
    pub(crate) fn kubernetes(&self, raw: RawKubernetes) -> Result<KubernetesConfig, ConfigError> {
        for (name, cluster) in &raw.clusters {
            let key = |field: &str| format!("kubernetes.clusters.{name}.{field}");
            match (&cluster.kubeconfig, &cluster.context) {
                (Some(path), _) if !path.starts_with('/') => {
                    let hint = "leave it out for the cluster that Backstop runs in";
                    return Err(self.error(&key("kubeconfig"), path, "an absolute path", hint));
                }
                (None, Some(context)) => {
                    let hint = "give the kubeconfig that it is in";
                    return Err(self.error(&key("context"), context, "a context of a kubeconfig", hint));
                }
                _ => {}
            }
        }
        for watch in &raw.watch {
            if !raw.clusters.contains_key(&watch.cluster) {
                let hint = "add it to kubernetes.clusters";
                return Err(self.error("kubernetes.watch.cluster", &watch.cluster, "the name of a cluster", hint));
            }
        }
        let cluster = |raw: RawCluster| ClusterConfig {
            kubeconfig: raw.kubeconfig.map(PathBuf::from),
            context: raw.context,
            act_in: raw.act_in,
        };
        let watch = |raw: RawClusterWatch| ClusterWatchConfig {
            cluster: raw.cluster,
            namespaces: raw.namespaces,
            secrets: raw.secrets,
        };
        Ok(KubernetesConfig {
            clusters: raw.clusters.into_iter().map(|(name, raw)| (name, cluster(raw))).collect(),
            watch: raw.watch.into_iter().map(watch).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::Config;

    #[test]
    fn clusters_are_read() {
        let text = "kubernetes:\n  clusters:\n    prod: {kubeconfig: /etc/kube, context: eu, act_in: [shop]}\n    here: {}\n  watch: [{cluster: prod, namespaces: [shop]}]\n";
        let config = Config::parse("f", text).expect("valid").kubernetes;
        assert_eq!(config.clusters["prod"].kubeconfig, Some("/etc/kube".into()));
        assert_eq!(config.clusters["here"], ClusterConfig::default());
        assert_eq!(config.watch[0].namespaces, ["shop"]);
    }

    #[test]
    fn mistakes_name_the_key() {
        let check = |text: &str, want: Expect| {
            want.assert_eq(&Config::parse("f", text).expect_err("must not parse").to_string());
        };
        check(
            "kubernetes: {clusters: {prod: {kubeconfig: kube}}}",
            expect![[r#"
            f: kubernetes.clusters.prod.kubeconfig is "kube", which is not an absolute path
            hint: leave it out for the cluster that Backstop runs in"#]],
        );
        check(
            "kubernetes: {clusters: {prod: {context: eu}}}",
            expect![[r#"
            f: kubernetes.clusters.prod.context is "eu", which is not a context of a kubeconfig
            hint: give the kubeconfig that it is in"#]],
        );
        check(
            "kubernetes: {watch: [{cluster: prod}]}",
            expect![[r#"
            f: kubernetes.watch.cluster is "prod", which is not the name of a cluster
            hint: add it to kubernetes.clusters"#]],
        );
    }
}
