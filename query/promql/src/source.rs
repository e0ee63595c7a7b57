//! Where series come from.

use std::sync::Arc;

use model::{FloatHistogram, Labels};

use crate::matcher::Matcher;

/// Which samples an evaluation needs.
#[derive(Clone, Debug)]
pub struct SelectRequest<'a> {
    /// All must hold.
    pub matchers: &'a [Matcher],
    /// First millisecond needed.
    pub start_ms: i64,
    /// Last millisecond needed.
    pub end_ms: i64,
}

/// One series with its samples, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceSeries {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch, strictly ascending.
    pub times: Vec<i64>,
    /// As many values, staleness markers included. What stands where a sample is a histogram does not matter.
    pub values: Vec<f64>,
    /// As many slots, filled where a sample is a histogram; empty for a series without any.
    pub histograms: Vec<Option<Arc<FloatHistogram>>>,
    /// As many times at which the counter behind each sample started, in milliseconds, zero where that is not known; empty for a
    /// series without any.
    pub starts: Vec<i64>,
}

impl SourceSeries {
    /// A series of numbers.
    pub fn floats(labels: Labels, times: Vec<i64>, values: Vec<f64>) -> Self {
        Self { labels, times, values, ..Self::default() }
    }
}

/// A source failed; the query fails with its text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// A store of series. Called once per selector of a query, never once per step.
pub trait SeriesSource: Send + Sync {
    /// The series that satisfy all matchers and have samples between the times, both included, in any order.
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError>;

    /// The same series, each at least with its newest sample between the times: all that a selector at one moment needs. For sources
    /// that find it without reading the others.
    fn newest(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        self.select(request)
    }
}
