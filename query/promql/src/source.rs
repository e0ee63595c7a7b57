//! Where series come from.

use std::sync::{Arc, Mutex, PoisonError};

use model::{FloatHistogram, Labels, SharedSlice};

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
    /// What is needed of samples that downsampling left out. Nothing changes for sources that leave out none.
    pub wanted: Wanted,
}

/// What an evaluation needs of samples that downsampling left out: it depends on the function around the selector.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// Where they were.
    #[default]
    Count,
    /// Their sums, and how many they were.
    Sum,
    /// The smallest values.
    Min,
    /// The largest values.
    Max,
    /// Resets of a counter.
    Counter,
}

/// Samples that downsampling left out between a sample and the one before it, which is there too. Where there are some, the series was
/// there all the time between the two.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fold {
    /// The place of the sample behind them, above 0. Places ascend.
    pub at: usize,
    /// How many they were, at least one.
    pub count: u32,
    /// How often the counter was reset from the sample before them to that behind; for [`Wanted::Counter`].
    pub resets: u32,
    /// What was wanted: their sum; the smallest or the largest value of theirs and of the samples around them; or of a counter the
    /// values from which it fell at these resets, summed.
    pub value: f64,
}

/// One series with its samples, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceSeries {
    /// The series.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch, strictly ascending.
    pub times: SharedSlice<i64>,
    /// As many values, staleness markers included. What stands where a sample is a histogram does not matter.
    pub values: SharedSlice<f64>,
    /// As many slots, filled where a sample is a histogram; empty for a series without any.
    pub histograms: Vec<Option<Arc<FloatHistogram>>>,
    /// As many times at which the counter behind each sample started, in milliseconds, zero where that is not known; empty for a
    /// series without any.
    pub starts: Vec<i64>,
    /// What downsampling left out, in the order of places; empty for a series that is not downsampled. A series with folds also has
    /// the samples at the ends of those that reach into the time of the request, though they may lie outside of it.
    pub folds: Vec<Fold>,
    /// To which resolution the series is downsampled, the coarsest where that differs; 0 is not at all.
    pub resolution_ms: i64,
}

impl SourceSeries {
    /// A series of numbers.
    pub fn floats(labels: Labels, times: Vec<i64>, values: Vec<f64>) -> Self {
        Self { labels, times: times.into(), values: values.into(), ..Self::default() }
    }

    /// Bytes that the samples take.
    pub fn size_bytes(&self) -> usize {
        let histograms: usize = self.histograms.iter().flatten().map(|histogram| histogram.size_bytes()).sum();
        let folds = self.folds.len() * size_of::<Fold>();
        self.times.len() * 16 + self.histograms.len() * 8 + self.starts.len() * 8 + folds + histograms
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

    /// The same series, their samples to be read one series after the other, by several threads beside each other: what a query over
    /// a range folds away at once then never is in memory as a whole. For sources whose samples are not in memory already.
    fn open(&self, request: &SelectRequest<'_>) -> Result<Box<dyn Selection + '_>, SourceError> {
        Ok(Box::new(Collected::new(self.select(request)?)))
    }
}

/// Series that were found, and whose samples can be read. All reads together see one moment of the store.
pub trait Selection: Send + Sync {
    /// How many series there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The labels of a series.
    fn labels(&self, at: usize) -> &Labels;

    /// Whether the labels ascend, so that nobody needs to compare them.
    fn is_sorted(&self) -> bool {
        false
    }

    /// How many samples all series have, at most: whether threads are worth it.
    fn samples_at_most(&self) -> usize;

    /// Bytes of samples that it has in memory from the start.
    fn held_bytes(&self) -> usize;

    /// The samples of a series, of which there may be none after all. Each series is read at most once.
    fn read(&self, at: usize) -> Result<SourceSeries, SourceError>;
}

/// Series whose samples are in memory.
struct Collected {
    labels: Vec<Labels>,
    samples: usize,
    bytes: usize,
    series: Vec<Mutex<SourceSeries>>,
}

impl Collected {
    fn new(series: Vec<SourceSeries>) -> Self {
        Self {
            labels: series.iter().map(|series| series.labels.clone()).collect(),
            samples: series.iter().map(|series| series.times.len()).sum(),
            bytes: series.iter().map(SourceSeries::size_bytes).sum(),
            series: series.into_iter().map(Mutex::new).collect(),
        }
    }
}

impl Selection for Collected {
    fn len(&self) -> usize {
        self.labels.len()
    }

    fn labels(&self, at: usize) -> &Labels {
        &self.labels[at]
    }

    fn samples_at_most(&self) -> usize {
        self.samples
    }

    fn held_bytes(&self) -> usize {
        self.bytes
    }

    fn read(&self, at: usize) -> Result<SourceSeries, SourceError> {
        // Nobody panics while it is held, and what is in it is whole at any moment.
        let mut series = self.series[at].lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut series))
    }
}
