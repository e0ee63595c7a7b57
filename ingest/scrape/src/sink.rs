//! Where samples go.

use std::time::Duration;

use async_trait::async_trait;
use model::SeriesBatch;

/// What was not taken of a batch that was taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Refused {
    /// How many samples.
    pub samples: u64,
    /// Why, of the first.
    pub reason: String,
}

/// Why a batch was not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SinkError {
    /// The store had no room in time.
    #[error("the store had no room for the samples in time")]
    Busy,
    /// The store failed.
    #[error("the store did not take the samples: {0}")]
    Failed(String),
}

/// Takes samples. Whoever composes the server wires it to the store.
#[async_trait]
pub trait Sink: Send + Sync {
    /// Stores a batch as a whole and resolves once it is durable. A sink that is busy waits, `patience` at most.
    async fn append(&self, batch: SeriesBatch, patience: Duration) -> Result<Refused, SinkError>;
}
