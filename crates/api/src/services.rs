//! The services of the catalogue and the dependency graph, shared by the thread that learns and by who asks.

use catalog::ledger::time_text;
use change::{Catalogue, ServiceGraph};
use model::Timestamp;
use parking_lot::RwLock;
use serde::Serialize;

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
