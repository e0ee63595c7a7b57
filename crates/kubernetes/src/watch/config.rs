//! One ConfigMap or Secret as the watch sees it. No clock, no network.

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use model::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::watch::facts::{environment, last_writer};
use crate::watch::redact;
use crate::watch::track::{CATCH_UP_NS, Place};

/// Most bytes of a ConfigMap that are kept to show what it was before; of a larger one only which keys changed is told.
pub(crate) const CONFIG_BYTES_MAX: usize = 64 * 1024;

/// ConfigMaps that every cluster writes by itself.
const OF_THE_CLUSTER: [&str; 2] = ["kube-root-ca.crt", "openshift-service-ca.crt"];
/// Types of Secrets that are written by controllers, not by people.
const OF_CONTROLLERS: [&str; 3] =
    ["helm.sh/release.v1", "kubernetes.io/service-account-token", "bootstrap.kubernetes.io/token"];
/// What a ConfigMap that serves as a lock carries; it is written every few seconds.
const LOCK_ANNOTATION: &str = "control-plane.alpha.kubernetes.io/leader";

/// What is told of: a ConfigMap or a Secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum ConfigKind {
    /// Its contents may be shown.
    ConfigMap,
    /// Only its keys may be.
    Secret,
}

impl ConfigKind {
    fn word(self) -> &'static str {
        match self {
            Self::ConfigMap => "configmap",
            Self::Secret => "secret",
        }
    }
}

/// A ConfigMap or Secret under watch.
pub(crate) struct Config {
    kind: ConfigKind,
    /// Hashes of the values by key, made with a key of this process that nobody knows.
    hashes: BTreeMap<String, u64>,
    /// The values of a ConfigMap that is not too large.
    shown: Option<Map<String, Json>>,
}

/// Whether an object is written by machines for themselves.
pub(crate) fn is_noise(object: &DynamicObject) -> bool {
    OF_THE_CLUSTER.contains(&object.name_any().as_str())
        || object.annotations().contains_key(LOCK_ANNOTATION)
        || object.data.get("type").and_then(Json::as_str).is_some_and(|kind| OF_CONTROLLERS.contains(&kind))
}

/// Hashes values so that equal ones can be told, by this process only.
pub(crate) type Hasher = RandomState;

impl Config {
    pub(crate) fn new(kind: ConfigKind, object: &DynamicObject, hasher: &Hasher) -> Self {
        let values = values(object);
        let hashes = values.iter().map(|(name, value)| (name.clone(), hasher.hash_one(value.to_string()))).collect();
        let bytes: usize = values.values().map(|value| value.to_string().len()).sum();
        let shown = (kind == ConfigKind::ConfigMap && bytes <= CONFIG_BYTES_MAX).then_some(values);
        Self { kind, hashes, shown }
    }

    /// Whether both hold the same.
    pub(crate) fn same(&self, other: &Config) -> bool {
        self.hashes == other.hashes
    }

    /// What to tell of a change to this from `before`, for each service that reads it.
    pub(crate) fn changed(
        &self,
        before: Option<&Config>,
        object: &DynamicObject,
        place: &Place,
        services: &[String],
        now: Timestamp,
    ) -> Vec<Json> {
        let writer = last_writer(object, &[&["f:data"], &["f:binaryData"]], None);
        let at = writer.at.filter(|at| *at <= now && at.0 >= now.0 - CATCH_UP_NS).unwrap_or(now);
        let uid = object.uid().unwrap_or_default();
        let version = object.resource_version().unwrap_or_default();
        // The time of the data, not the version of the object: a new label is no new change, not even after a restart.
        let stamp = writer.at.map_or(version, |at| (at.0 / 1_000_000_000).to_string());
        let workload = format!("{}/{}", self.kind.word(), object.name_any());
        services
            .iter()
            .map(|service| {
                let mut target = json!({"service": service, "cluster": place.cluster, "namespace": place.namespace,
                    "workload": workload});
                if let Some(environment) = environment(object) {
                    target["environment"] = Json::String(environment);
                }
                let mut delivery = json!({
                    "id": format!("{uid}/{stamp}/{service}"),
                    "source": format!("kubernetes/{}", place.cluster),
                    "kind": if self.kind == ConfigKind::Secret { "secret" } else { "config" },
                    "target": target, "started_at": at.to_string(), "finished_at": at.to_string(),
                    "labels": {"namespace": place.namespace, "workload": workload, "keys": self.keys(before)},
                    "raw": self.raw(before),
                });
                if let Some(actor) = &writer.name {
                    delivery["actor"] = Json::String(actor.clone());
                }
                delivery
            })
            .collect()
    }

    /// The keys that differ: `+new ~other -gone`.
    fn keys(&self, before: Option<&Config>) -> String {
        let nothing = BTreeMap::new();
        let known = before.map_or(&nothing, |before| &before.hashes);
        let now = self.hashes.iter().filter_map(|(name, hash)| match known.get(name) {
            None => Some(format!("+{name}")),
            Some(before) => (before != hash).then(|| format!("~{name}")),
        });
        let gone = known.keys().filter(|name| !self.hashes.contains_key(*name)).map(|name| format!("-{name}"));
        now.chain(gone).collect::<Vec<_>>().join(" ")
    }

    fn raw(&self, before: Option<&Config>) -> Json {
        let shown = |config: Option<&Config>| config.and_then(|config| config.shown.clone());
        match (shown(before), &self.shown) {
            (Some(before), Some(after)) => {
                let (before, after) = redact::values(&before, after);
                json!({"before": before, "after": after})
            }
            (None, Some(after)) if before.is_none() => json!({"before": null, "after": redact::values(after, after).0}),
            _ => json!({"keys": self.keys(before)}),
        }
    }
}

/// Whether the data of an object that is seen for the first time is news.
pub(crate) fn is_recent(object: &DynamicObject, now: Timestamp) -> bool {
    let writer = last_writer(object, &[&["f:data"], &["f:binaryData"]], None);
    writer.at.is_some_and(|at| at.0 >= now.0 - CATCH_UP_NS)
}

fn values(object: &DynamicObject) -> Map<String, Json> {
    let part = |name: &str| object.data.get(name).and_then(Json::as_object).cloned().unwrap_or_default();
    part("data").into_iter().chain(part("binaryData")).collect()
}
