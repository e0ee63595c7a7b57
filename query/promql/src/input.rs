//! What an operator over series reads: series that are in memory, or a selection of the source that is read as it is needed.

use std::borrow::Cow;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::EvalError;
use crate::labels;
use crate::selector::Series;
use crate::source::Selection;

/// Series in the order of their labels.
pub(crate) enum Input<'a> {
    /// Computed, or read as a whole. Their samples are counted already.
    Held(Vec<Series>),
    /// To be read one by one.
    Opened(Opened<'a>),
}

impl Default for Input<'_> {
    fn default() -> Self {
        Self::Held(Vec::new())
    }
}

/// A selection in the order of its labels.
pub(crate) struct Opened<'a> {
    selection: Box<dyn Selection + 'a>,
    order: Vec<usize>,
    /// Whether only count and sum of histograms matter.
    without_buckets: bool,
    /// Whether staleness markers are left out, as in ranges.
    without_stale: bool,
}

impl<'a> Opened<'a> {
    pub(crate) fn new(selection: Box<dyn Selection + 'a>, without_buckets: bool, without_stale: bool) -> Self {
        let mut order: Vec<usize> = (0..selection.len()).collect();
        let is_sorted =
            selection.is_sorted() || order.is_sorted_by(|a, b| selection.labels(*a) <= selection.labels(*b));
        if !is_sorted {
            order.sort_unstable_by(|a, b| selection.labels(*a).cmp(selection.labels(*b)));
        }
        Self { selection, order, without_buckets, without_stale }
    }
}

impl Input<'_> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Held(series) => series.len(),
            Self::Opened(opened) => opened.order.len(),
        }
    }

    /// Whether series that differ still do without the names of their metrics.
    pub(crate) fn has_same_metadata(&self) -> bool {
        match self {
            Self::Held(series) => labels::same_metadata(series.iter().map(|series| &series.labels)),
            Self::Opened(opened) => labels::same_metadata(opened.order.iter().map(|at| opened.selection.labels(*at))),
        }
    }

    /// How many samples there are, at most.
    pub(crate) fn samples_at_most(&self) -> usize {
        match self {
            Self::Held(series) => series.iter().map(|series| series.times.len()).sum(),
            Self::Opened(opened) => opened.selection.samples_at_most(),
        }
    }

    /// A series with its samples; counts what had to be read for it.
    pub(crate) fn get(&self, at: usize, reading: &Reading) -> Result<Cow<'_, Series>, EvalError> {
        match self {
            Self::Held(series) => Ok(Cow::Borrowed(&series[at])),
            Self::Opened(opened) => {
                let read = opened.selection.read(opened.order[at]);
                let mut series = Series::from_source(read.map_err(|error| EvalError::Source(error.0))?);
                reading.add(&series)?;
                if opened.without_buckets {
                    series.drop_buckets();
                }
                if opened.without_stale {
                    series.drop_stale();
                }
                Ok(Cow::Owned(series))
            }
        }
    }
}

/// What was read of an input, counted against the limits by all threads together.
pub(crate) struct Reading {
    samples: AtomicUsize,
    series: AtomicUsize,
    /// The largest series, in bytes: each thread has one in memory.
    largest: AtomicUsize,
    samples_left: usize,
    samples_max: usize,
    bytes_left: usize,
    bytes_max: usize,
}

/// Totals of a reading.
pub(crate) struct Read {
    pub(crate) samples: usize,
    pub(crate) series: usize,
    pub(crate) largest: usize,
}

impl Reading {
    /// What may still be read. `bytes` are for one series at a time.
    pub(crate) fn new(samples: (usize, usize), bytes: (usize, usize)) -> Self {
        let zero = || AtomicUsize::new(0);
        Self {
            samples: zero(),
            series: zero(),
            largest: zero(),
            samples_left: samples.0,
            samples_max: samples.1,
            bytes_left: bytes.0,
            bytes_max: bytes.1,
        }
    }

    fn add(&self, series: &Series) -> Result<(), EvalError> {
        let (samples, bytes) = (series.times.len(), series.size_bytes());
        self.series.fetch_add(usize::from(samples > 0), Ordering::Relaxed);
        self.largest.fetch_max(bytes, Ordering::Relaxed);
        if self.samples.fetch_add(samples, Ordering::Relaxed) + samples > self.samples_left {
            return Err(EvalError::TooManySamples { max: self.samples_max });
        }
        if bytes > self.bytes_left {
            return Err(EvalError::OutOfMemory { max: self.bytes_max });
        }
        Ok(())
    }

    pub(crate) fn total(&self) -> Read {
        let get = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        Read { samples: get(&self.samples), series: get(&self.series), largest: get(&self.largest) }
    }
}
