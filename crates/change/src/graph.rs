//! Who needs whom: the dependency graph of services, from the catalogue's files and from traces.
//!
//! An edge goes from the one who asks to the one who answers, or from the sender of messages to who takes them. Harm travels
//! against a call, because a broken dependency hurts its callers, and along a message. [`ServiceGraph::path`] knows the difference.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use catalog::ledger::time_text;
use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Catalogue;

/// Most edges that are learned; further ones are counted and left out. 10,000 edges are a few megabytes.
pub const EDGES_MAX: usize = 10_000;
/// An edge that no trace showed for this long is forgotten, in nanoseconds: a weekly job is still seen.
pub const EDGE_EXPIRES_NS: i64 = 7 * 86_400_000_000_000;
/// Calls and errors of an edge count half after this long, in nanoseconds, so that they speak of about the last day.
pub const EDGE_HALF_LIFE_NS: i64 = 86_400_000_000_000;
/// Steps from a service to a dependency that are followed: beyond, everything is connected with everything.
pub const DISTANCE_MAX: u32 = 4;

/// How one service meets another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EdgeKind {
    /// It asks and waits for an answer.
    Call,
    /// It sends messages that the other takes.
    Message,
}

/// Who says that an edge is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provenance {
    /// A service file.
    File,
    /// Spans.
    Traces,
}

/// What traces say of an edge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EdgeTraffic {
    /// Calls, older ones counting less ([`EDGE_HALF_LIFE_NS`]).
    pub calls: f64,
    /// Those of them that failed.
    pub errors: f64,
    /// When the first span was.
    #[serde(with = "time_text")]
    pub first_seen: Timestamp,
    /// When the latest was.
    #[serde(with = "time_text")]
    pub last_seen: Timestamp,
}

impl EdgeTraffic {
    fn new(at: Timestamp) -> Self {
        Self { calls: 0.0, errors: 0.0, first_seen: at, last_seen: at }
    }

    /// Adds calls that were made at a time, in any order of times. Both counts stand for the time `last_seen`.
    fn add(&mut self, at: Timestamp, weight: f64, failed: bool) {
        let later_ns = at.0.saturating_sub(self.last_seen.0);
        let (old, new) = (decay(later_ns.max(0)), decay(later_ns.saturating_neg().max(0)));
        self.calls = self.calls * old + weight * new;
        self.errors = self.errors * old + if failed { weight * new } else { 0.0 };
        self.first_seen = self.first_seen.min(at);
        self.last_seen = self.last_seen.max(at);
    }

    /// The counts as they weigh at a time.
    fn at(&self, now: Timestamp) -> EdgeTraffic {
        let factor = decay(now.0.saturating_sub(self.last_seen.0).max(0));
        EdgeTraffic { calls: self.calls * factor, errors: self.errors * factor, ..self.clone() }
    }
}

fn decay(age_ns: i64) -> f64 {
    0.5f64.powf(age_ns as f64 / EDGE_HALF_LIFE_NS as f64)
}

/// An edge, as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Edge {
    /// Who asks, or sends.
    pub caller: String,
    /// Who answers, or takes.
    pub callee: String,
    /// How.
    pub kind: EdgeKind,
    /// Who says so; not empty.
    pub provenance: Vec<Provenance>,
    /// What traces say of it; absent when only a file does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<EdgeTraffic>,
}

/// A service of the graph, as it is shown.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Node {
    /// Its name.
    pub service: String,
    /// Whether a file describes it.
    pub in_catalogue: bool,
    /// When its latest span was; absent for what sends none, such as a database or somebody else's system.
    #[serde(with = "time_text::option", skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// How critical it is.
    pub criticality: Criticality,
}

/// How critical a service is: as critical as the most critical service that needs it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Criticality {
    /// The tier, 1 the most critical; absent when neither it nor a service that needs it has one.
    pub tier: Option<u8>,
    /// The service whose tier it is, when that is another one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because_of: Option<String>,
    /// How many services need it directly.
    pub needed_by: usize,
    /// How many need it, directly or through others.
    pub needed_by_all: usize,
}

/// A learned edge of a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptEdge {
    caller: Arc<str>,
    callee: Arc<str>,
    kind: EdgeKind,
    traffic: EdgeTraffic,
}

/// A service of a snapshot that sends spans.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct KeptSender {
    service: Arc<str>,
    #[serde(with = "time_text")]
    last_seen: Timestamp,
}

/// What was learned, to be kept over a restart. What the files say is read again.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct GraphSnapshot {
    edges: Vec<KeptEdge>,
    senders: Vec<KeptSender>,
}

type Names = BTreeSet<Arc<str>>;
type EdgeKey = (Arc<str>, Arc<str>, EdgeKind);

/// The graph.
#[derive(Clone, Debug, Default)]
pub struct ServiceGraph {
    stated: BTreeSet<EdgeKey>,
    learned: BTreeMap<EdgeKey, EdgeTraffic>,
    /// Services that sent spans, and when the latest was.
    senders: BTreeMap<Arc<str>, Timestamp>,
    /// What each service needs, from both sources.
    needs: BTreeMap<Arc<str>, Names>,
    needed_by: BTreeMap<Arc<str>, Names>,
}

impl ServiceGraph {
    /// The graph that the files state.
    pub fn from_catalogue(catalogue: &Catalogue) -> Self {
        let mut graph = Self::default();
        for entry in catalogue.iter() {
            for dependency in &entry.depends_on {
                let key = (entry.service.as_str().into(), dependency.as_str().into(), EdgeKind::Call);
                graph.connect(&key);
                graph.stated.insert(key);
            }
        }
        graph
    }

    /// Adds what an earlier process learned.
    pub fn restore(&mut self, snapshot: GraphSnapshot) {
        for edge in snapshot.edges.into_iter().take(EDGES_MAX) {
            let key = (edge.caller, edge.callee, edge.kind);
            self.connect(&key);
            self.learned.insert(key, edge.traffic);
        }
        for sender in snapshot.senders.into_iter().take(EDGES_MAX) {
            self.senders.insert(sender.service, sender.last_seen);
        }
    }

    /// What was learned.
    pub fn snapshot(&self) -> GraphSnapshot {
        let edge = |((caller, callee, kind), traffic): (&EdgeKey, &EdgeTraffic)| KeptEdge {
            caller: Arc::clone(caller),
            callee: Arc::clone(callee),
            kind: *kind,
            traffic: traffic.clone(),
        };
        let senders = self.senders.iter();
        GraphSnapshot {
            edges: self.learned.iter().map(edge).collect(),
            senders: senders.map(|(name, at)| KeptSender { service: Arc::clone(name), last_seen: *at }).collect(),
        }
    }

    /// Counts calls of an edge; false when it is new and there are [`EDGES_MAX`] already.
    pub(crate) fn observe(&mut self, key: &EdgeKey, at: Timestamp, weight: f64, failed: bool) -> bool {
        if let Some(traffic) = self.learned.get_mut(key) {
            traffic.add(at, weight, failed);
            return true;
        }
        if self.learned.len() >= EDGES_MAX {
            return false;
        }
        let mut traffic = EdgeTraffic::new(at);
        traffic.add(at, weight, failed);
        self.connect(key);
        self.learned.insert(key.clone(), traffic);
        true
    }

    /// Notes that a service sent a span; names beyond [`EDGES_MAX`] are left out.
    pub(crate) fn sender(&mut self, service: &Arc<str>, at: Timestamp) {
        if let Some(last) = self.senders.get_mut(service) {
            *last = (*last).max(at);
        } else if self.senders.len() < EDGES_MAX {
            self.senders.insert(Arc::clone(service), at);
        }
    }

    /// Forgets what was not seen for [`EDGE_EXPIRES_NS`]; gives how many edges went. What files state stays.
    pub fn expire(&mut self, now: Timestamp) -> usize {
        let oldest = now.saturating_add_ns(-EDGE_EXPIRES_NS);
        let before = self.learned.len();
        self.learned.retain(|_, traffic| traffic.last_seen >= oldest);
        self.senders.retain(|_, last| *last >= oldest);
        let gone = before - self.learned.len();
        if gone > 0 {
            (self.needs, self.needed_by) = Default::default();
            let keys: Vec<EdgeKey> = self.stated.iter().chain(self.learned.keys()).cloned().collect();
            keys.iter().for_each(|key| self.connect(key));
        }
        gone
    }

    fn connect(&mut self, (caller, callee, kind): &EdgeKey) {
        let (needy, needed) = match kind {
            EdgeKind::Call => (caller, callee),
            EdgeKind::Message => (callee, caller),
        };
        self.needs.entry(Arc::clone(needy)).or_default().insert(Arc::clone(needed));
        self.needed_by.entry(Arc::clone(needed)).or_default().insert(Arc::clone(needy));
    }

    /// What a service needs directly: what it calls, and who sends it messages.
    pub fn needs(&self, service: &str) -> impl Iterator<Item = &str> {
        self.needs.get(service).into_iter().flatten().map(|name| &**name)
    }

    /// Who needs a service directly.
    pub fn needed_by(&self, service: &str) -> impl Iterator<Item = &str> {
        self.needed_by.get(service).into_iter().flatten().map(|name| &**name)
    }

    /// A shortest way from a service over what it needs to another one, both included: harm in the last reaches the first.
    /// At most [`DISTANCE_MAX`] steps; of ways with equal length the first by name.
    pub fn path<'a>(&'a self, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
        let mut came_from: BTreeMap<&str, Option<&str>> = BTreeMap::from([(from, None)]);
        let mut queue = VecDeque::from([(from, 0)]);
        while let Some((service, distance)) = queue.pop_front() {
            if service == to {
                let mut path = vec![service];
                while let Some(Some(before)) = came_from.get(path[path.len() - 1]) {
                    path.push(before);
                }
                path.reverse();
                return Some(path);
            }
            for next in self.needs(service).filter(|_| distance < DISTANCE_MAX) {
                if !came_from.contains_key(next) {
                    came_from.insert(next, Some(service));
                    queue.push_back((next, distance + 1));
                }
            }
        }
        None
    }

    /// Everything whose harm may reach a service: what it needs, directly or over at most [`DISTANCE_MAX`] steps, the nearest first.
    pub fn all_needs<'a>(&'a self, service: &'a str) -> Vec<&'a str> {
        let mut seen = BTreeSet::from([service]);
        let (mut found, mut edge) = (Vec::new(), vec![service]);
        for _ in 0..DISTANCE_MAX {
            edge = edge.into_iter().flat_map(|name| self.needs(name)).filter(|name| seen.insert(name)).collect();
            found.extend(&edge);
        }
        found
    }

    /// Every service that a broken one may hurt, however far, by name; not itself.
    pub fn blast_radius<'a>(&'a self, service: &'a str) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::from([service]);
        let mut queue = vec![service];
        while let Some(next) = queue.pop() {
            queue.extend(self.needed_by(next).filter(|name| found.insert(name)));
        }
        found.remove(service);
        found
    }

    /// How critical a service is, by its own tier and those of the services that need it.
    pub fn criticality(&self, service: &str, catalogue: &Catalogue) -> Criticality {
        let tier = |name: &str| catalogue.get(name).and_then(|entry| entry.tier);
        let all = self.blast_radius(service);
        let own = tier(service);
        let highest = all.iter().filter_map(|name| tier(name).map(|tier| (tier, *name))).min();
        let borrowed = highest.filter(|(tier, _)| own.is_none_or(|own| *tier < own));
        Criticality {
            tier: borrowed.map(|(tier, _)| tier).or(own),
            because_of: borrowed.map(|(_, name)| name.to_owned()),
            needed_by: self.needed_by(service).count(),
            needed_by_all: all.len(),
        }
    }

    /// Every edge, from both sources, with its traffic as it counts at a time.
    pub fn edges(&self, now: Timestamp) -> Vec<Edge> {
        let keys: BTreeSet<&EdgeKey> = self.stated.iter().chain(self.learned.keys()).collect();
        let edge = |key: &EdgeKey| {
            let traffic = self.learned.get(key);
            let file = self.stated.contains(key).then_some(Provenance::File);
            Edge {
                caller: key.0.to_string(),
                callee: key.1.to_string(),
                kind: key.2,
                provenance: file.into_iter().chain(traffic.map(|_| Provenance::Traces)).collect(),
                traffic: traffic.map(|traffic| traffic.at(now)),
            }
        };
        keys.into_iter().map(edge).collect()
    }

    /// How many edges there are, from both sources.
    pub fn edge_count(&self) -> usize {
        self.stated.len() + self.learned.keys().filter(|key| !self.stated.contains(key)).count()
    }

    /// One service, when an edge, a span or the catalogue names it.
    pub fn node(&self, service: &str, catalogue: &Catalogue) -> Option<Node> {
        let known = catalogue.get(service).is_some()
            || self.senders.contains_key(service)
            || self.needs.contains_key(service)
            || self.needed_by.contains_key(service);
        known.then(|| self.describe(service, catalogue))
    }

    fn describe(&self, service: &str, catalogue: &Catalogue) -> Node {
        Node {
            service: service.to_owned(),
            in_catalogue: catalogue.get(service).is_some(),
            last_seen: self.senders.get(service).copied(),
            criticality: self.criticality(service, catalogue),
        }
    }

    /// Every service that an edge, a span or the catalogue names, by name.
    pub fn nodes(&self, catalogue: &Catalogue) -> Vec<Node> {
        let mut names: BTreeSet<&str> = catalogue.iter().map(|entry| entry.service.as_str()).collect();
        names.extend(self.needs.keys().chain(self.needed_by.keys()).chain(self.senders.keys()).map(|name| &**name));
        names.into_iter().map(|name| self.describe(name, catalogue)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ServiceEntry;

    const HOUR: i64 = 3600;

    fn secs(n: i64) -> Timestamp {
        Timestamp::from_secs(n)
    }

    fn entry(service: &str, tier: Option<u8>, depends_on: &[&str]) -> ServiceEntry {
        let depends_on = depends_on.iter().map(|name| (*name).to_owned()).collect();
        ServiceEntry { service: service.to_owned(), tier, depends_on, ..ServiceEntry::default() }
    }

    fn shop() -> Catalogue {
        Catalogue::new([
            entry("web", Some(1), &["checkout"]),
            entry("checkout", Some(2), &["payment", "cart"]),
            entry("cart", None, &["redis"]),
            entry("reports", Some(4), &["payment"]),
        ])
    }

    fn key(caller: &str, callee: &str, kind: EdgeKind) -> EdgeKey {
        (caller.into(), callee.into(), kind)
    }

    #[test]
    fn harm_goes_from_a_dependency_to_its_callers_and_with_messages() {
        let mut graph = ServiceGraph::from_catalogue(&shop());
        assert!(graph.observe(&key("checkout", "mailer", EdgeKind::Message), secs(0), 1.0, false));
        assert_eq!(graph.path("web", "redis").unwrap(), ["web", "checkout", "cart", "redis"]);
        assert_eq!(graph.path("redis", "web"), None);
        assert_eq!(graph.path("mailer", "checkout").unwrap(), ["mailer", "checkout"]);
        assert_eq!(graph.path("checkout", "mailer"), None);
        assert_eq!(graph.path("web", "web").unwrap(), ["web"]);
        let radius: Vec<&str> = graph.blast_radius("payment").into_iter().collect();
        assert_eq!(radius, ["checkout", "mailer", "reports", "web"]);
    }

    #[test]
    fn a_path_has_a_longest_length_and_circles_end() {
        let names = ["a", "b", "c", "d", "e", "f"];
        let chain = names.windows(2).map(|pair| entry(pair[0], None, &[pair[1]]));
        let graph = ServiceGraph::from_catalogue(&Catalogue::new(chain.chain([entry("f", None, &["a"])])));
        assert_eq!(graph.path("a", "e").map(|path| path.len()), Some(5));
        assert_eq!(graph.path("a", "f"), None, "five steps");
        assert_eq!(graph.all_needs("a"), ["b", "c", "d", "e"]);
        assert_eq!(graph.all_needs("d"), ["e", "f", "a", "b"], "not itself");
        assert_eq!(graph.blast_radius("a").len(), 5);
    }

    #[test]
    fn a_service_is_as_critical_as_who_needs_it() {
        let (catalogue, graph) = (shop(), ServiceGraph::from_catalogue(&shop()));
        let of = |service| graph.criticality(service, &catalogue);
        let web = Some("web".to_owned());
        assert_eq!(of("redis"), Criticality { tier: Some(1), because_of: web.clone(), needed_by: 1, needed_by_all: 3 });
        assert_eq!(of("checkout"), Criticality { tier: Some(1), because_of: web, needed_by: 1, needed_by_all: 1 });
        assert_eq!(of("web"), Criticality { tier: Some(1), ..Criticality::default() });
        assert_eq!(of("nobody"), Criticality::default());
    }

    #[test]
    fn traffic_decays_and_edges_expire_but_not_those_of_files() {
        let mut graph = ServiceGraph::from_catalogue(&shop());
        let (known, new) = (key("cart", "redis", EdgeKind::Call), key("cart", "stock", EdgeKind::Call));
        for at in [24 * HOUR, 0, 24 * HOUR] {
            assert!(graph.observe(&known, secs(at), 1.0, at == 0));
        }
        assert!(graph.observe(&new, secs(0), 4.0, true));
        let traffic = |graph: &ServiceGraph, callee: &str, at: i64| -> Option<(f64, f64)> {
            let edges = graph.edges(secs(at));
            let edge = edges.into_iter().find(|edge| edge.callee == callee)?;
            edge.traffic.map(|traffic| (traffic.calls, traffic.errors))
        };
        assert_eq!(traffic(&graph, "redis", 24 * HOUR), Some((2.5, 0.5)), "a late span weighs what it would have");
        assert_eq!(traffic(&graph, "redis", 48 * HOUR), Some((1.25, 0.25)));
        assert_eq!(traffic(&graph, "stock", 24 * HOUR), Some((2.0, 2.0)));
        assert_eq!(graph.expire(secs(7 * 24 * HOUR + 1)), 1);
        assert_eq!(graph.path("cart", "stock"), None);
        assert_eq!(graph.expire(secs(9 * 24 * HOUR)), 1);
        assert_eq!(graph.path("cart", "redis").map(|path| path.len()), Some(2), "a file states it");
        let redis = graph.edges(secs(0)).into_iter().find(|edge| edge.callee == "redis").unwrap();
        assert_eq!((redis.provenance, redis.traffic), (vec![Provenance::File], None));
    }

    #[test]
    fn there_is_a_most_of_edges_and_a_snapshot_keeps_them() {
        let mut graph = ServiceGraph::default();
        for n in 0..EDGES_MAX {
            assert!(graph.observe(&key("a", &format!("pod-{n}"), EdgeKind::Call), secs(n as i64), 1.0, false));
        }
        assert!(!graph.observe(&key("a", "one more", EdgeKind::Call), secs(0), 1.0, false));
        graph.sender(&"a".into(), secs(5));
        let text = serde_json::to_string(&graph.snapshot()).unwrap();
        let mut again = ServiceGraph::from_catalogue(&shop());
        again.restore(serde_json::from_str(&text).unwrap());
        assert_eq!(again.edges(secs(0)).len(), EDGES_MAX + 5);
        assert_eq!(again.path("a", "pod-7").map(|path| path.len()), Some(2));
        let nodes = again.nodes(&shop());
        assert_eq!(nodes.iter().find(|node| node.service == "a").unwrap().last_seen, Some(secs(5)));
    }
}
