//! What can go wrong with a segment. Every message names the segment.

use blob::BlobError;
use column::ColumnError;
use index::IndexError;

use crate::gather::GatherError;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum SegmentError {
    /// A file cannot be created, read, synced or removed.
    #[error("segment {id}: {source}")]
    Blob {
        /// The segment.
        id: String,
        /// What the directory said.
        source: BlobError,
    },
    /// The columns cannot be written or read.
    #[error("segment {id}: {source}")]
    Columns {
        /// The segment.
        id: String,
        /// What the column crate said.
        source: ColumnError,
    },
    /// The index cannot be written or read.
    #[error("segment {id}: {source}")]
    Index {
        /// The segment.
        id: String,
        /// What the index crate said.
        source: IndexError,
    },
    /// The files and the manifest entry disagree.
    #[error("segment {id} is damaged: {what}; `backstop segments verify` lists all damage")]
    Corrupt {
        /// The segment.
        id: String,
        /// What disagrees.
        what: String,
    },
    /// The segment has no index, because building it failed; scan the columns.
    #[error("segment {id} has no index; `backstop segments repair` builds it")]
    NoIndex {
        /// The segment.
        id: String,
    },
    /// The index file is damaged or missing. The columns are whole: scan them.
    #[error("segment {id}: its index is damaged: {what}; `backstop segments repair` builds it anew")]
    IndexDamaged {
        /// The segment.
        id: String,
        /// What is wrong.
        what: String,
    },
    /// A merge did not give the rows that went in. The inputs stay as they are.
    #[error("merging the segments {} gave {found} rows and should have given {expected}", inputs.join(", "))]
    RowsLost {
        /// The segments that were merged.
        inputs: Vec<String>,
        /// Rows that they have, without the deleted ones.
        expected: u64,
        /// Rows that came out.
        found: u64,
    },
    /// The rows do not make a segment: none, out of order, or of another day.
    #[error("rows cannot become a segment: {what}")]
    Rows {
        /// What is wrong.
        what: String,
    },
}

impl From<GatherError> for SegmentError {
    fn from(error: GatherError) -> Self {
        match error {
            GatherError::TooLarge => Self::Rows { what: "a row is larger than 2 GiB".to_owned() },
            GatherError::Shape(what) => Self::Rows { what },
        }
    }
}

impl SegmentError {
    /// The segments that the error is about.
    pub fn segments(&self) -> Vec<&str> {
        match self {
            Self::Blob { id, .. }
            | Self::Columns { id, .. }
            | Self::Index { id, .. }
            | Self::Corrupt { id, .. }
            | Self::NoIndex { id }
            | Self::IndexDamaged { id, .. } => vec![id],
            Self::RowsLost { inputs, .. } => inputs.iter().map(String::as_str).collect(),
            Self::Rows { .. } => Vec::new(),
        }
    }

    /// Whether the columns on disk are damaged, so that the segment should be set aside. A damaged index is no reason for
    /// that: see [`Self::IndexDamaged`].
    pub fn is_corrupt(&self) -> bool {
        match self {
            Self::Corrupt { .. } => true,
            Self::Columns { source, .. } => matches!(source, ColumnError::Corrupt(_)),
            Self::Index { .. } => false,
            Self::Blob { source, .. } => source.is_not_found() || source.is_damaged(),
            Self::RowsLost { .. } => true,
            Self::NoIndex { .. } | Self::IndexDamaged { .. } | Self::Rows { .. } => false,
        }
    }

    pub(crate) fn blob(id: &str) -> impl Fn(BlobError) -> Self {
        let id = id.to_owned();
        move |source| Self::Blob { id: id.clone(), source }
    }

    pub(crate) fn columns(id: &str) -> impl Fn(ColumnError) -> Self {
        let id = id.to_owned();
        move |source| Self::Columns { id: id.clone(), source }
    }

    pub(crate) fn index(id: &str) -> impl Fn(IndexError) -> Self {
        let id = id.to_owned();
        move |source| Self::Index { id: id.clone(), source }
    }

    pub(crate) fn corrupt(id: &str, what: String) -> Self {
        Self::Corrupt { id: id.to_owned(), what }
    }
}
