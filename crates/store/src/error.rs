//! What can go wrong with the store.

use std::path::PathBuf;

use wal::WalError;

use crate::Step;

/// Why opening or keeping house failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process has the directory open.
    #[error("{} is in use by process {pid}: stop it, or give this process a data directory of its own", dir.display())]
    Locked {
        /// The data directory.
        dir: PathBuf,
        /// The process, 0 when it did not say.
        pid: u32,
    },
    /// The directory was written by a newer Backstop, or is no data directory.
    #[error("{} cannot be used: {reason}", dir.display())]
    Format {
        /// The data directory.
        dir: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// A file operation failed.
    #[error(transparent)]
    Blob(#[from] blob::BlobError),
    /// The log failed.
    #[error(transparent)]
    Wal(#[from] WalError),
    /// The catalog failed.
    #[error(transparent)]
    Catalog(#[from] catalog::CatalogError),
    /// A segment could not be written or read.
    #[error(transparent)]
    Segment(#[from] segment::SegmentError),
    /// The series database failed.
    #[error(transparent)]
    Series(#[from] series::SeriesError),
    /// A log record that passed its checksum could not be understood.
    #[error("log record {lsn} cannot be understood ({reason}): it was written by another version of Backstop")]
    Record {
        /// The record's number.
        lsn: u64,
        /// Why.
        reason: String,
    },
    /// Rows of a segment cannot be deleted.
    #[error("no rows of segment {segment} can be deleted: {reason}")]
    Delete {
        /// The segment.
        segment: String,
        /// Why not.
        reason: String,
    },
    /// A test stopped the work here; see [`crate::StepHook`].
    #[error("stopped at {step:?}: {reason}")]
    Stopped {
        /// Where.
        step: Step,
        /// Why.
        reason: String,
    },
    /// An earlier failure left it unknown what is durable.
    #[error("the store is out of use ({reason}): restart the process, which replays the log")]
    Faulted {
        /// The failure.
        reason: String,
    },
}

/// Why an append was not taken, or not made durable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Not now. Nothing was taken.
    #[error("the store is busy ({reason}): try again in {retry_after_ms} ms")]
    Busy {
        /// When to try again.
        retry_after_ms: u64,
        /// Which limit was met.
        reason: &'static str,
    },
    /// Never in this size. Nothing was taken.
    #[error("{size} {unit} in one append are more than the {max} allowed: send smaller batches")]
    TooLarge {
        /// Its size.
        size: usize,
        /// What is counted: `bytes` or `rows`.
        unit: &'static str,
        /// The limit.
        max: usize,
    },
    /// The store is out of use. Whether the rows are durable is unknown until the process has restarted.
    #[error("the append failed: {reason}")]
    Failed {
        /// Why.
        reason: String,
    },
}

/// When to try again after the queue of the log was full: a few group commits.
const RETRY_QUEUE_MS: u64 = 100;
/// When to try again after the memtable was full: a flush takes about that.
pub(crate) const RETRY_MEMORY_MS: u64 = 1_000;
/// When to try again after the disk was full: somebody has to free space.
const RETRY_DISK_MS: u64 = 10_000;

impl From<WalError> for AppendError {
    fn from(error: WalError) -> Self {
        match error {
            WalError::Busy { .. } => Self::Busy { retry_after_ms: RETRY_QUEUE_MS, reason: "the log's queue is full" },
            WalError::DiskFull { .. } => Self::Busy { retry_after_ms: RETRY_DISK_MS, reason: "the disk is full" },
            WalError::TooLarge { bytes, max_bytes } => Self::TooLarge { size: bytes, unit: "bytes", max: max_bytes },
            other => Self::Failed { reason: other.to_string() },
        }
    }
}
