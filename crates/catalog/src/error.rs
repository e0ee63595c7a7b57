//! What can go wrong with the catalog.

use std::path::PathBuf;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The file was written by a newer Backstop.
    #[error(
        "{} has schema version {found}, this Backstop knows up to {known}: run the newer version, or restore a backup",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version in it.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// The file is not a sound SQLite database.
    #[error("{} is damaged ({reason}): restore it from a backup; the segments beside it are intact", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        reason: String,
    },
    /// A value in a table is not what this version writes.
    #[error(
        "the catalog holds {what} {value:?}, which this Backstop cannot read: it was changed by hand or by another version"
    )]
    Content {
        /// What the value should be.
        what: &'static str,
        /// The value found.
        value: String,
    },
    /// A commit would move the checkpoint back.
    #[error("the checkpoint is at log position {current} and cannot move back to {wanted}")]
    CheckpointBack {
        /// Where it is.
        current: u64,
        /// Where it was to go.
        wanted: u64,
    },
    /// An edit speaks of a segment that is not there.
    #[error("the catalog has no segment {id}")]
    NoSegment {
        /// The segment.
        id: String,
    },
    /// SQLite refused.
    #[error("the catalog failed: {0}")]
    Sqlite(#[from] rusqlite::Error),
}
