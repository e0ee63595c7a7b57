//! Why a push was not acknowledged.

use store::AppendError;

/// Why items were not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// Not now. Nothing was taken; the sender is to try again.
    #[error("busy ({reason}): try again in {retry_after_ms} ms")]
    Busy {
        /// When to try again.
        retry_after_ms: u64,
        /// Which limit was met.
        reason: String,
    },
    /// One item is larger than the store takes. Nothing was taken, and trying again does not help.
    #[error("too large: {message}")]
    TooLarge {
        /// Sizes and what to do.
        message: String,
    },
    /// The store is out of use. Whether the items are durable is not known.
    #[error("the store failed: {message}")]
    Failed {
        /// What it says.
        message: String,
    },
}

impl From<AppendError> for PushError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Busy { retry_after_ms, reason } => Self::Busy { retry_after_ms, reason: reason.to_owned() },
            error @ AppendError::TooLarge { .. } => Self::TooLarge { message: error.to_string() },
            AppendError::Failed { reason } => Self::Failed { message: reason },
        }
    }
}
