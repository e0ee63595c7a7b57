//! What one watch has seen, and what its next event means.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use kube::api::DynamicObject;
use kube::runtime::watcher::Event;
use kube::{Client, ResourceExt as _};
use model::Timestamp;
use respond::WorkloadKind;
use serde_json::Value as Json;

use super::Watched;
use crate::history::history;
use crate::link::Link;
use crate::watch::config::{Config, ConfigKind, Hasher, is_noise, is_recent};
use crate::watch::facts::{named_service, references};
use crate::watch::track::{Place, Tracked};

/// Longest that the revisions of one workload are waited for.
const HISTORY_TIMEOUT: Duration = Duration::from_secs(10);

/// An object's uid.
type Uid = String;

/// What the watch of a namespace, or of all of them, has seen.
pub(crate) struct Namespace {
    cluster: String,
    client: Client,
    workloads: HashMap<Uid, (WorkloadKind, String, Tracked, DynamicObject)>,
    configs: HashMap<Uid, (ConfigKind, Config)>,
    /// What was seen of each stream since its list began.
    listed: HashMap<Watched, BTreeSet<Uid>>,
    /// Streams of workloads whose first list is not complete.
    unlisted: BTreeSet<WorkloadKind>,
    /// Configurations seen before it was known who reads them.
    held: Vec<(ConfigKind, DynamicObject)>,
    hasher: Hasher,
}

impl Namespace {
    pub(crate) fn new(cluster: &str, client: Client) -> Self {
        Self {
            cluster: cluster.to_owned(),
            client,
            workloads: HashMap::new(),
            configs: HashMap::new(),
            listed: HashMap::new(),
            unlisted: WorkloadKind::ALL.into_iter().collect(),
            held: Vec::new(),
            hasher: Hasher::new(),
        }
    }

    /// What to tell of an event.
    pub(crate) async fn take(&mut self, watched: Watched, event: Event<DynamicObject>, now: Timestamp) -> Vec<Json> {
        match event {
            Event::Init => {
                self.listed.insert(watched, BTreeSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                self.listed.entry(watched).or_default().insert(object.uid().unwrap_or_default());
                self.see(watched, object, now).await
            }
            Event::Apply(object) => self.see(watched, object, now).await,
            Event::Delete(object) => self.gone(&object.uid().unwrap_or_default(), now),
            Event::InitDone => self.list_done(watched, now),
        }
    }

    async fn see(&mut self, watched: Watched, object: DynamicObject, now: Timestamp) -> Vec<Json> {
        match watched {
            Watched::Workload(kind) => self.see_workload(kind, object, now).await,
            Watched::Config(_) if is_noise(&object) => Vec::new(),
            Watched::Config(kind) if self.unlisted.is_empty() => self.see_config(kind, &object, now),
            Watched::Config(kind) => {
                self.held.push((kind, object));
                Vec::new()
            }
        }
    }

    async fn see_workload(&mut self, kind: WorkloadKind, object: DynamicObject, now: Timestamp) -> Vec<Json> {
        let uid = object.uid().unwrap_or_default();
        let place = self.place(&object);
        let needs = self
            .workloads
            .entry(uid.clone())
            .or_insert_with(|| {
                let namespace = place.namespace.clone();
                (kind, namespace, Tracked::new(place, kind, &object, now), object.clone())
            })
            .2
            .needs_history(&object);
        let history = if needs { self.history(kind, &object).await } else { None };
        let Some((_, _, tracked, last)) = self.workloads.get_mut(&uid) else { return Vec::new() };
        let told = tracked.observe(&object, history.as_deref(), now);
        *last = object;
        told
    }

    /// The revisions that the controller keeps; without them a change is told without what was before.
    async fn history(&self, kind: WorkloadKind, object: &DynamicObject) -> Option<Vec<crate::history::Revision>> {
        let link = Link::new(self.client.clone(), HISTORY_TIMEOUT);
        let namespace = object.namespace().unwrap_or_default();
        match history(&link, &namespace, kind, object).await {
            Ok(history) => Some(history),
            Err(stop) => {
                let (name, error) = (object.name_any(), stop.ended().1);
                tracing::warn!(cluster = self.cluster, namespace, name, error, "revisions can not be read");
                None
            }
        }
    }

    fn see_config(&mut self, kind: ConfigKind, object: &DynamicObject, now: Timestamp) -> Vec<Json> {
        let uid = object.uid().unwrap_or_default();
        let config = Config::new(kind, object, &self.hasher);
        let known = self.configs.remove(&uid);
        let before = known.as_ref().map(|(_, before)| before);
        let place = self.place(object);
        let told = match before {
            Some(before) if before.same(&config) => Vec::new(),
            Some(before) => {
                let mut services = self.readers(kind, object);
                if services.is_empty() {
                    services.push(named_service(object).unwrap_or_else(|| object.name_any()));
                }
                config.changed(Some(before), object, &place, &services, now)
            }
            // New, or changed while nobody looked: worth telling to those who read it.
            None if is_recent(object, now) => config.changed(None, object, &place, &self.readers(kind, object), now),
            None => Vec::new(),
        };
        self.configs.insert(uid, (kind, config));
        told
    }

    /// The services of the workloads that read a ConfigMap or Secret.
    fn readers(&self, kind: ConfigKind, object: &DynamicObject) -> Vec<String> {
        let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
        let reads = |tracked: &Tracked| references(&tracked.template, kind == ConfigKind::Secret).contains(&name);
        let services: BTreeMap<String, ()> = self
            .workloads
            .values()
            .filter(|(_, at, tracked, _)| *at == namespace && reads(tracked))
            .map(|(_, _, tracked, _)| (tracked.service.clone(), ()))
            .collect();
        services.into_keys().collect()
    }

    fn gone(&mut self, uid: &str, now: Timestamp) -> Vec<Json> {
        self.configs.remove(uid);
        self.held.retain(|(_, object)| object.uid().as_deref() != Some(uid));
        let gone = self.workloads.remove(uid);
        gone.map(|(_, _, tracked, last)| tracked.deleted(&last, now)).into_iter().collect()
    }

    /// After a list: what was known and is not in it was deleted while nobody looked.
    fn list_done(&mut self, watched: Watched, now: Timestamp) -> Vec<Json> {
        let listed = self.listed.remove(&watched).unwrap_or_default();
        let missing: Vec<Uid> = match watched {
            Watched::Workload(of) => {
                let known = self.workloads.iter().filter(|(uid, (kind, ..))| *kind == of && !listed.contains(*uid));
                known.map(|(uid, _)| uid.clone()).collect()
            }
            Watched::Config(of) => {
                let known = self.configs.iter().filter(|(uid, (kind, _))| *kind == of && !listed.contains(*uid));
                known.map(|(uid, _)| uid.clone()).collect()
            }
        };
        let mut told: Vec<Json> = missing.iter().flat_map(|uid| self.gone(uid, now)).collect();
        told.extend(self.go_without(watched, now));
        told
    }

    /// Configurations wait for a stream of workloads no longer: its list is complete, or can not be had.
    pub(crate) fn go_without(&mut self, watched: Watched, now: Timestamp) -> Vec<Json> {
        let Watched::Workload(kind) = watched else { return Vec::new() };
        self.unlisted.remove(&kind);
        if !self.unlisted.is_empty() {
            return Vec::new();
        }
        let held = std::mem::take(&mut self.held);
        held.iter().flat_map(|(kind, object)| self.see_config(*kind, object, now)).collect()
    }

    fn place(&self, object: &DynamicObject) -> Place {
        Place { cluster: self.cluster.clone(), namespace: object.namespace().unwrap_or_default() }
    }
}
