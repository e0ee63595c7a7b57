//! The objects of a cluster, as far as they are followed.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::RwLock;
use serde_json::Value;
use tokio::sync::Notify;

use crate::config::KubernetesRole;
use crate::limits::KUBERNETES_OBJECTS_MAX;

/// A kind of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Pod,
    Service,
    Endpoints,
    EndpointSlice,
    Node,
    Ingress,
    Namespace,
    ReplicaSet,
    Job,
}

impl Kind {
    /// The path of the API and the name of the collection.
    pub(super) fn collection(self) -> (&'static str, &'static str) {
        match self {
            Self::Pod => ("api/v1", "pods"),
            Self::Service => ("api/v1", "services"),
            Self::Endpoints => ("api/v1", "endpoints"),
            Self::EndpointSlice => ("apis/discovery.k8s.io/v1", "endpointslices"),
            Self::Node => ("api/v1", "nodes"),
            Self::Ingress => ("apis/networking.k8s.io/v1", "ingresses"),
            Self::Namespace => ("api/v1", "namespaces"),
            Self::ReplicaSet => ("apis/apps/v1", "replicasets"),
            Self::Job => ("apis/batch/v1", "jobs"),
        }
    }

    pub(super) fn is_namespaced(self) -> bool {
        !matches!(self, Self::Node | Self::Namespace)
    }

    pub(super) fn of_role(role: KubernetesRole) -> Self {
        match role {
            KubernetesRole::Pod => Self::Pod,
            KubernetesRole::Service => Self::Service,
            KubernetesRole::Endpoints => Self::Endpoints,
            KubernetesRole::EndpointSlice => Self::EndpointSlice,
            KubernetesRole::Node => Self::Node,
            KubernetesRole::Ingress => Self::Ingress,
        }
    }
}

/// Namespace and name.
type Key = (String, String);

/// Objects by kind, namespace and name.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<Kind, BTreeMap<Key, Value>>);

impl Known {
    pub(super) fn all(&self, kind: Kind) -> impl Iterator<Item = &Value> {
        self.0.get(&kind).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn get(&self, kind: Kind, namespace: &str, name: &str) -> Option<&Value> {
        self.0.get(&kind)?.get(&(namespace.to_owned(), name.to_owned()))
    }
}

/// What is known, and whether all of it is there yet.
#[derive(Debug, Default)]
pub(super) struct Objects {
    known: RwLock<Known>,
    changed: Arc<Notify>,
    /// Lists that have not been read yet.
    missing: AtomicUsize,
}

impl Objects {
    /// One more list is to come.
    pub(super) fn expect_one(&self) {
        self.missing.fetch_add(1, Ordering::SeqCst);
    }

    /// Whether every list has been read once: before, targets would lack what others say of them.
    pub(super) fn are_complete(&self) -> bool {
        self.missing.load(Ordering::SeqCst) == 0
    }

    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    pub(super) fn read<T>(&self, read: impl FnOnce(&Known) -> T) -> T {
        read(&self.known.read())
    }

    /// A whole list of one kind, of one namespace or of all.
    pub(super) fn replace(&self, kind: Kind, namespace: Option<&str>, list: Vec<Value>, first: bool) {
        {
            let mut known = self.known.write();
            let objects = known.0.entry(kind).or_default();
            objects.retain(|(place, _), _| namespace.is_some_and(|namespace| namespace != place));
            for object in list {
                insert(objects, object);
            }
        }
        if first {
            self.missing.fetch_sub(1, Ordering::SeqCst);
        }
        self.changed.notify_one();
    }

    /// One object changed, or is gone.
    pub(super) fn apply(&self, kind: Kind, object: Value, gone: bool) {
        {
            let mut known = self.known.write();
            let objects = known.0.entry(kind).or_default();
            if gone {
                objects.remove(&key(&object));
            } else {
                insert(objects, object);
            }
        }
        self.changed.notify_one();
    }
}

fn insert(objects: &mut BTreeMap<Key, Value>, mut object: Value) {
    let key = key(&object);
    if objects.len() >= KUBERNETES_OBJECTS_MAX && !objects.contains_key(&key) {
        tracing::warn!(KUBERNETES_OBJECTS_MAX, name = key.1, "too many objects of a cluster: one is not known");
        return;
    }
    // Often the larger part of an object, and of no use here.
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        metadata.remove("managedFields");
    }
    objects.insert(key, object);
}

fn key(object: &Value) -> Key {
    (text(object, "/metadata/namespace").to_owned(), text(object, "/metadata/name").to_owned())
}

/// A text in an object, or the empty one.
pub(super) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// The items of a list in an object.
pub(super) fn items<'a>(object: &'a Value, path: &str) -> impl Iterator<Item = &'a Value> {
    object.pointer(path).and_then(Value::as_array).into_iter().flatten()
}
