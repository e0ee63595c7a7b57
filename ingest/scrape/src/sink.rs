//! Where samples go.

use std::time::Duration;

use async_trait::async_trait;
use model::{SeriesBatch, TenantId};

/// Whose samples a batch has.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// The tenant that they belong to.
    pub tenant: &'a TenantId,
    /// Host and port of the target.
    pub target: &'a str,
}

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
    /// Stores a batch as a whole and resolves once it is durable. A sink that is busy waits, `patience` at most. What is over a limit of
    /// the store is left out, and the answer says so.
    async fn append(&self, origin: Origin<'_>, batch: SeriesBatch, patience: Duration) -> Result<Refused, SinkError>;
}
