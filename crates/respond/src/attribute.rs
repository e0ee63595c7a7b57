//! Who is to blame: the changes of a service, of what it needs and of its neighbours, ranked. It orders suspects and never acts.

use std::collections::{BTreeMap, BTreeSet};

use change::{AttributionInput, Change, ServiceGraph, Suspect, Suspects, Target, rank_with};
use model::{TimeRange, Timestamp};
use rules::Alert;
use watch::VERSION_LABELS;

use crate::{RespondError, Responder, Run};

mod split;

/// Most dependencies whose changes are looked at, the nearest first.
pub const NEEDED_MAX: usize = 64;
/// Most changes of one dependency that are looked at, the latest.
pub const NEEDED_CHANGES_MAX: usize = 20;
/// Most changes of all services that are looked through for neighbours, the latest.
pub const NEIGHBOURS_LOOK_MAX: usize = 200;
/// Most changes of neighbours that are looked at.
pub const NEIGHBOURS_MAX: usize = 20;

/// Labels that say where an alert is, with `_` for dots.
const ENVIRONMENT: [&str; 4] = ["environment", "deployment_environment_name", "deployment_environment", "env"];
const CLUSTER: [&str; 2] = ["cluster", "k8s_cluster_name"];
const NAMESPACE: [&str; 2] = ["namespace", "k8s_namespace_name"];

/// What is known of who needs whom. The composition root knows it; a graph that does not change knows itself.
pub trait Surroundings: Send + Sync {
    /// Shows the dependency graph as it is now. It is called while decisions wait, so both sides must be quick.
    fn look(&self, at: &mut dyn FnMut(&ServiceGraph));
}

impl Surroundings for ServiceGraph {
    fn look(&self, at: &mut dyn FnMut(&ServiceGraph)) {
        at(self);
    }
}

/// An alert, beside all others as they are now.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) alert: &'a Alert,
    pub(crate) live: &'a BTreeMap<String, Alert>,
}

/// What attribution came to.
#[derive(Default)]
pub(crate) struct Attributed {
    /// The first suspect: a change of the service or of something that it needs.
    pub(crate) first: Option<Suspect>,
    /// What can not be told apart from it.
    pub(crate) concurrent: Vec<Suspect>,
    /// What was cleared, or is far less likely.
    pub(crate) exonerated: Vec<Suspect>,
    /// Whether another change came in between, or can not be told apart.
    pub(crate) conflict: bool,
}

impl Responder {
    /// Ranks the changes around an alert.
    pub(crate) fn attribute(&self, run: &Run, scene: Scene<'_>, now: Timestamp) -> Result<Attributed, RespondError> {
        let service = run.service.as_str();
        if service.is_empty() {
            return Ok(Attributed::default());
        }
        let active_at = scene.alert.active_at;
        let within_ns = run.playbook.requires.change_within_ns;
        // Changes up to now are looked at, not only up to the alert: one that came later is cleared by name.
        let lookback_ns = within_ns.saturating_add(now.0 - active_at.0);
        let needed = self.needed(service);
        let affected = self.affected(service, scene.alert, now)?;
        let mut changes = self.changes.recent(service, now, lookback_ns)?;
        let later = changes.iter().any(|change| change.started_at > active_at);
        let range = TimeRange::new(now.saturating_add_ns(-lookback_ns), now.saturating_add_ns(1));
        for name in &needed {
            changes.extend(self.changes.list(Some(name), range, NEEDED_CHANGES_MAX)?);
        }
        let known: BTreeSet<&str> = needed.iter().map(String::as_str).chain([service]).collect();
        changes.extend(self.neighbours(&affected, &known, range)?);
        let splits = self.splits(&changes, scene)?;
        let mut suspects = Suspects::default();
        self.surroundings.look(&mut |graph| {
            suspects = rank_with(&AttributionInput {
                changes: &changes,
                affected: &affected,
                active_at,
                within_ns,
                graph: Some(graph),
                splits: &splits,
                now,
            });
        });
        Ok(attributed(suspects, &known, later))
    }

    /// What a service needs, the nearest first.
    fn needed(&self, service: &str) -> Vec<String> {
        let mut needed = Vec::new();
        self.surroundings.look(&mut |graph| {
            needed = graph.all_needs(service).into_iter().take(NEEDED_MAX).map(str::to_owned).collect();
        });
        needed
    }

    /// Where an alert is: what its labels say, and for cluster and namespace else what the latest change of the service said. Another
    /// environment clears a change, so it is never guessed.
    fn affected(&self, service: &str, alert: &Alert, now: Timestamp) -> Result<Target, RespondError> {
        let label = |names: &[&str]| {
            let named = |name: &&str| alert.labels.iter().find(|(label, _)| plain(label) == **name);
            names.iter().find_map(named).map(|(_, value)| value.clone()).filter(|value| !value.is_empty())
        };
        let environment = label(&ENVIRONMENT);
        let range = TimeRange::new(Timestamp(i64::MIN), now.saturating_add_ns(1));
        let latest = self.changes.list(Some(service), range, 1)?.pop().map(|change| change.target);
        let elsewhere = |target: &Target| environment.is_some() && target.environment != environment;
        let latest = latest.filter(|target| !elsewhere(target)).unwrap_or_default();
        Ok(Target {
            service: service.to_owned(),
            environment,
            cluster: label(&CLUSTER).or(latest.cluster),
            namespace: label(&NAMESPACE).or(latest.namespace),
            workload: None,
        })
    }

    /// Changes of services in the same namespace or cluster that no known edge leads to: not every edge is known.
    fn neighbours(
        &self,
        affected: &Target,
        known: &BTreeSet<&str>,
        range: TimeRange,
    ) -> Result<Vec<Change>, RespondError> {
        if affected.namespace.is_none() && affected.cluster.is_none() {
            return Ok(Vec::new());
        }
        let same = |a: &Option<String>, b: &Option<String>| a.is_some() && a == b;
        let near =
            |target: &Target| same(&target.namespace, &affected.namespace) || same(&target.cluster, &affected.cluster);
        let all = self.changes.list(None, range, NEIGHBOURS_LOOK_MAX)?.into_iter();
        let found = all.filter(|change| !known.contains(change.target.service.as_str()) && near(&change.target));
        Ok(found.take(NEIGHBOURS_MAX).collect())
    }

    /// Why two services are related, if one needs the other.
    pub(crate) fn related_services(&self, a: &str, b: &str) -> Option<String> {
        let mut reason = None;
        self.surroundings.look(&mut |graph| {
            let mut pairs = [(a, b), (b, a)].into_iter();
            let needs = |(needy, needed): &(&str, &str)| graph.needs(needy).any(|name| name == *needed);
            reason = pairs.find(needs).map(|(needy, needed)| format!("{needy} needs {needed}"));
        });
        reason
    }
}

/// A label's name as Prometheus writes it.
fn plain(label: &str) -> String {
    label.replace('.', "_")
}

/// The version that an alert's labels name.
fn version_of(alert: &Alert) -> Option<(&str, &str)> {
    VERSION_LABELS.iter().find_map(|name| {
        let (label, value) = alert.labels.iter().find(|(label, _)| plain(label) == **name)?;
        Some((label.as_str(), value.as_str())).filter(|(_, value)| !value.is_empty())
    })
}

/// A change that only happened nearby is told of and blamed by nobody: the first suspect is the first one that the service is known to
/// need.
fn attributed(suspects: Suspects, known: &BTreeSet<&str>, later: bool) -> Attributed {
    let mut concurrent: Vec<Suspect> = suspects.first.into_iter().chain(suspects.concurrent).collect();
    let blamed = concurrent.iter().position(|suspect| known.contains(suspect.change.target.service.as_str()));
    let first = blamed.map(|place| concurrent.remove(place));
    let mut exonerated = suspects.exonerated;
    // What a source sent is in the table of changes; evidence is kept with every action.
    concurrent.iter_mut().chain(&mut exonerated).for_each(|suspect| suspect.change.raw = None);
    let conflict = later || !concurrent.is_empty();
    Attributed { first, concurrent, exonerated, conflict }
}
