//! What can go wrong with the log.

use std::path::{Path, PathBuf};

/// Why a call failed. Cheap to clone: one failure is told to every waiter of a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WalError {
    /// More is waiting to be written than allowed. Try again soon.
    #[error(
        "the log has {queued_bytes} bytes waiting, {max_bytes} are allowed: the disk is slower than the input, retry later"
    )]
    Busy {
        /// Bytes waiting.
        queued_bytes: usize,
        /// Bytes allowed.
        max_bytes: usize,
    },
    /// One payload is larger than a record may be.
    #[error(
        "a payload of {bytes} bytes is larger than the {max_bytes} that a log record may have: send smaller batches"
    )]
    TooLarge {
        /// Its size, before compression.
        bytes: usize,
        /// The limit.
        max_bytes: usize,
    },
    /// There is no room for another file. Nothing was written; works again once there is room.
    #[error("the disk has no room for another log file of {bytes} bytes: free space, appending works again by itself")]
    DiskFull {
        /// Size of the file that did not fit.
        bytes: u64,
    },
    /// A write or a sync failed earlier. Only a restart, which replays, makes the log usable again.
    #[error("the log is out of use since a write failed ({reason}): restart the process, which replays the log")]
    Poisoned {
        /// The failure.
        reason: String,
    },
    /// The log is being closed.
    #[error("the log is closed")]
    Closed,
    /// A file was written by another version.
    #[error("{} has log version {found}, this Backstop reads version {known}: run the version that wrote it", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: u32,
        /// The version known.
        known: u32,
    },
    /// A file belongs to another log.
    #[error("{} belongs to another data directory: move it away", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A record passed its checksum and still cannot be unpacked.
    #[error("the log record {lsn} cannot be unpacked: {reason}")]
    Unpack {
        /// Its number.
        lsn: u64,
        /// Why.
        reason: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {}: {reason}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// The reason.
        reason: String,
    },
}

impl WalError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |e| Self::Io { action, path, reason: e.to_string() }
    }
}
