//! The services of the catalogue and the dependency graph, shared by the thread that learns and by who asks.

use std::collections::BTreeSet;

use catalog::ledger::time_text;
use change::{Catalogue, ChangeKind, Check, CheckKind, Measure, ServiceGraph};
use model::Timestamp;
use parking_lot::RwLock;
use respond::Surroundings;
use serde::Serialize;
use watch::{Measured, MeasuredKind, Topology};

/// How the learning of the graph stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct GraphLearning {
    /// Spans that began before are learned from.
    #[serde(with = "time_text::option")]
    pub until: Option<Timestamp>,
    /// The share of the spans that the latest look read; calls are weighed to make up for the rest.
    pub share: f64,
    /// Calls that were left out, because there are as many edges as there may be.
    pub refused: u64,
    /// Why the latest look failed.
    pub error: Option<String>,
}

/// The catalogue, and the graph as it is now.
#[derive(Debug, Default)]
pub struct ServiceBoard {
    catalogue: Catalogue,
    graph: RwLock<ServiceGraph>,
    learning: RwLock<GraphLearning>,
}

impl ServiceBoard {
    /// A board whose graph has what the files state.
    pub fn new(catalogue: Catalogue) -> Self {
        let graph = RwLock::new(ServiceGraph::from_catalogue(&catalogue));
        Self { catalogue, graph, learning: RwLock::default() }
    }

    /// The catalogue.
    pub fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    /// Looks at the graph; nobody learns meanwhile, so be short.
    pub fn graph<R>(&self, look: impl FnOnce(&ServiceGraph) -> R) -> R {
        look(&self.graph.read())
    }

    /// Alters the graph.
    pub fn learn<R>(&self, alter: impl FnOnce(&mut ServiceGraph) -> R) -> R {
        alter(&mut self.graph.write())
    }

    /// How the learning stands.
    pub fn learning(&self) -> GraphLearning {
        self.learning.read().clone()
    }

    /// Says how it stands.
    pub fn set_learning(&self, learning: GraphLearning) {
        *self.learning.write() = learning;
    }
}

/// What a watch asks about a service.
impl Topology for ServiceBoard {
    /// What the service needs; and for what shows nothing itself, as a third party's, the others that need it. Who needs the service
    /// itself is left out: their failures may be its own.
    fn dependencies(&self, service: &str) -> Vec<String> {
        self.graph(|graph| {
            let callers: BTreeSet<&str> = graph.needed_by(service).collect();
            let needs: Vec<&str> = graph.needs(service).collect();
            let peers = needs.iter().flat_map(|needed| graph.needed_by(needed));
            let peers = peers.filter(|peer| *peer != service && !callers.contains(peer) && !needs.contains(peer));
            let mut seen = BTreeSet::new();
            needs.iter().copied().chain(peers).filter(|name| seen.insert(*name)).map(str::to_owned).collect()
        })
    }

    fn bake_ns(&self, service: &str, kind: ChangeKind) -> i64 {
        self.catalogue.bake_ns(service, kind)
    }

    fn measures(&self, service: &str) -> Vec<Measured> {
        let checks = self.catalogue.get(service).map_or(&[][..], |entry| &entry.checks);
        checks.iter().map(measured).collect()
    }
}

/// What the loop wants to know when it asks who is to blame, and which incidents belong together.
impl Surroundings for ServiceBoard {
    fn look(&self, at: &mut dyn FnMut(&ServiceGraph)) {
        self.graph(|graph| at(graph));
    }
}

/// A check as a watch measures it.
fn measured(check: &Check) -> Measured {
    let of_value = match check.kind {
        CheckKind::Saturation => MeasuredKind::Saturation,
        CheckKind::Errors | CheckKind::Latency | CheckKind::Count => MeasuredKind::Count,
    };
    let (kind, total, bad) = match &check.measure {
        // Slow requests among all are a share like failed ones.
        Measure::Counts { bad, total } => (MeasuredKind::Errors, total, Some(bad)),
        Measure::CountsInLogs { logs } => (MeasuredKind::Errors, logs, None),
        Measure::Buckets { buckets } => (MeasuredKind::Latency, buckets, None),
        Measure::Value { expr } => (of_value, expr, None),
        Measure::ValueInLogs { logs } => (of_value, logs, None),
    };
    Measured {
        name: check.name.clone(),
        kind,
        total: total.clone(),
        bad: bad.cloned(),
        logs: matches!(check.measure, Measure::CountsInLogs { .. } | Measure::ValueInLogs { .. }),
        version_label: check.version_label.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_learns_from_the_catalogue_and_the_graph() {
        let text = include_str!("../../../examples/services/shop.yaml").to_owned();
        let (catalogue, report) = change::load_services(&[("shop.yaml".to_owned(), text)], None);
        assert!(report.is_ok(), "{report}");
        let board = ServiceBoard::new(catalogue);
        assert_eq!(board.dependencies("checkout"), ["cart", "payment"]);
        assert_eq!(board.bake_ns("checkout", ChangeKind::Flag), 600_000_000_000);
        let measures = board.measures("checkout");
        let kinds: Vec<MeasuredKind> = measures.iter().map(|measure| measure.kind).collect();
        use MeasuredKind::{Count, Errors, Latency, Saturation};
        assert_eq!(kinds, [Errors, Latency, Saturation, Count]);
        let in_logs: Vec<bool> = measures.iter().map(|measure| measure.logs).collect();
        assert_eq!(in_logs, [false, false, false, true]);
        let payment = board.measures("payment").remove(0);
        assert_eq!((payment.kind, payment.logs), (Errors, true));
        assert!(measures[0].bad.as_deref().is_some_and(|bad| bad.contains("5..")));
        assert!(board.measures("nobody").is_empty());
    }
}
