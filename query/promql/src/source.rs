//! Where series come from.

use model::Labels;

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

/// One series with its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceSeries {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch, strictly ascending.
    pub times: Vec<i64>,
    /// As many values, staleness markers included.
    pub values: Vec<f64>,
}

/// A source failed; the query fails with its text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SourceError(pub String);

/// A store of series. Called once per selector of a query, never once per step.
pub trait SeriesSource: Send + Sync {
    /// The series that satisfy all matchers and have samples between the times, both included, in any order.
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError>;

    /// The same series, each with its newest sample between the times only: all that a selector at one moment needs. A source that finds
    /// it without reading the others says so here.
    fn newest(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        let mut found = self.select(request)?;
        for series in &mut found {
            let others = series.times.len().saturating_sub(1);
            drop((series.times.drain(..others), series.values.drain(..others)));
        }
        Ok(found)
    }
}
