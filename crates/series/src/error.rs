//! What can go wrong.

use std::path::{Path, PathBuf};

use model::Labels;

/// Why an operation on the metric store failed.
#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    /// The file system said no.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A block does not hold what its checksum says. At open such a block is set aside; later it fails the read.
    #[error("block {path} is damaged: {reason}; move it away and restore it from a backup")]
    Damaged {
        /// The block's file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There are as many tombstones as there may be.
    #[error("there are {max} deletions that blocks still have to forget (limit TOMBSTONES_MAX); clean them up first")]
    TooManyTombstones {
        /// The limit.
        max: usize,
    },
    /// A matcher's regular expression does not compile.
    #[error("cannot use {pattern:?} as a regular expression: {reason}")]
    BadPattern {
        /// The expression.
        pattern: String,
        /// What the compiler said, on one line.
        reason: String,
    },
}

impl SeriesError {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    pub(crate) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}

/// The limit that a series broke.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Limit {
    /// There are too many tenants, and the series is of a new one.
    #[error(
        "there are {max} tenants with metrics already (limit tenants_max); send it as one of them, or raise store.tenants_max"
    )]
    Tenants {
        /// The limit.
        max: usize,
    },
    /// The tenant has too many series.
    #[error("the tenant has {max} series already (limit series_per_tenant_max); drop a label with many values")]
    SeriesPerTenant {
        /// The limit.
        max: usize,
    },
    /// The metric has too many series.
    #[error("the metric has {max} series already (limit series_per_metric_max); drop a label with many values")]
    SeriesPerMetric {
        /// The limit.
        max: usize,
    },
    /// The series has too many labels.
    #[error("the series has {count} labels, {max} are allowed (limit labels_per_series_max)")]
    LabelsPerSeries {
        /// How many it has.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A label's name is too long.
    #[error("a label name has {bytes} bytes, {max} are allowed (limit label_name_bytes_max)")]
    LabelNameBytes {
        /// How many it has.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A label's value is too long.
    #[error("a label value has {bytes} bytes, {max} are allowed (limit label_value_bytes_max)")]
    LabelValueBytes {
        /// How many it has.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The tenant has metadata of too many metrics.
    #[error(
        "the tenant has metadata of {max} metrics already (limit metadata_per_tenant_max); do metrics have names of their own?"
    )]
    MetadataPerTenant {
        /// The limit.
        max: usize,
    },
    /// The series has no labels at all.
    #[error("the series has no labels; a series needs at least a name")]
    NoLabels,
}

impl Limit {
    /// The limit's name, for a counter's label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenants { .. } => "tenants_max",
            Self::SeriesPerTenant { .. } => "series_per_tenant_max",
            Self::SeriesPerMetric { .. } => "series_per_metric_max",
            Self::LabelsPerSeries { .. } => "labels_per_series_max",
            Self::LabelNameBytes { .. } => "label_name_bytes_max",
            Self::LabelValueBytes { .. } => "label_value_bytes_max",
            Self::MetadataPerTenant { .. } => "metadata_per_tenant_max",
            Self::NoLabels => "no_labels",
        }
    }
}

/// A series of a batch that was not taken in.
#[derive(Clone, Debug, PartialEq)]
pub struct Rejected {
    /// The series' place in the batch.
    pub at: usize,
    /// The series.
    pub labels: Labels,
    /// Samples that were not taken in with it.
    pub samples: usize,
    /// Why.
    pub reason: Limit,
}
