//! What can go wrong with an index.

use std::any::Any;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The file cannot be read or written.
    #[error("index file: {0}; check the disk and the file's permissions")]
    Io(#[from] std::io::Error),
    /// The bytes are not an index that this program wrote, or they are damaged.
    #[error("damaged index file: {0}; `backstop segments repair` rebuilds it from the columns")]
    Corrupt(String),
    /// The index could not be built; nothing of it may be used.
    #[error("the index cannot be built: {0}")]
    Build(String),
    /// The caller's order to stop was heeded.
    #[error("the lookup was stopped")]
    Stopped,
}

impl IndexError {
    pub(crate) fn reading(error: impl std::fmt::Display) -> Self {
        Self::Corrupt(error.to_string())
    }

    pub(crate) fn building(error: impl std::fmt::Display) -> Self {
        Self::Build(error.to_string())
    }
}

/// The message of a caught panic.
pub(crate) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|s| (*s).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "the reader panicked".to_owned())
}
