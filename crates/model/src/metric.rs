//! Metrics: Prometheus's model of series, labels and samples.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use crate::FloatHistogram;

/// The label that holds a metric's name.
pub const METRIC_NAME: &str = "__name__";

/// The bits of the NaN that marks a series as stale, Prometheus's `StaleNaN`.
pub const STALE_NAN_BITS: u64 = 0x7ff0_0000_0000_0002;

/// The value that marks a series as stale.
pub fn stale_nan() -> f64 {
    f64::from_bits(STALE_NAN_BITS)
}

/// Whether a value is the staleness marker, which no other NaN is.
pub fn is_stale_nan(value: f64) -> bool {
    value.to_bits() == STALE_NAN_BITS
}

/// A series' identity: label pairs sorted by name, no name twice, no empty value. Cheap to clone.
#[derive(Clone, Eq, PartialOrd, Ord, Default)]
pub struct Labels(Arc<[(Arc<str>, Arc<str>)]>);

/// Clones are equal at a glance. The standard library looks at the places only of what has a size known to the compiler.
impl PartialEq for Labels {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Hash for Labels {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl Labels {
    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(name)).ok().map(|at| &*self.0[at].1)
    }

    /// The metric's name, or the empty text.
    pub fn metric_name(&self) -> &str {
        self.get(METRIC_NAME).unwrap_or("")
    }

    /// The pairs, sorted by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The pairs with shared ownership, sorted by name.
    pub fn pairs(&self) -> &[(Arc<str>, Arc<str>)] {
        &self.0
    }

    /// Those labels whose names are wanted.
    #[must_use]
    pub fn keep(&self, wanted: impl Fn(&str) -> bool) -> Self {
        Self(self.0.iter().filter(|(name, _)| wanted(name)).cloned().collect())
    }

    /// Whether others hold the same labels, so that they take no memory of their own.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Bytes that they take in memory, roughly: each text as if nobody else had it.
    pub fn size_bytes(&self) -> usize {
        /// The two counters that are beside everything shared.
        const COUNTERS_BYTES: usize = 16;
        let texts: usize = self.0.iter().map(|(name, value)| 2 * COUNTERS_BYTES + name.len() + value.len()).sum();
        COUNTERS_BYTES + size_of_val(&*self.0) + texts
    }

    /// How many labels there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<N: Into<Arc<str>>, V: Into<Arc<str>>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut builder = LabelsBuilder::default();
        for (name, value) in pairs {
            builder.set(name, value);
        }
        builder.build()
    }
}

/// Prints the form of the query language: `up{job="a"}`.
impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metric_name())?;
        let rest: Vec<String> = self
            .iter()
            .filter(|(name, _)| *name != METRIC_NAME)
            .map(|(name, value)| format!("{name}={value:?}"))
            .collect();
        if rest.is_empty() && !self.metric_name().is_empty() { Ok(()) } else { write!(f, "{{{}}}", rest.join(", ")) }
    }
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Collects labels in any order.
#[derive(Clone, Debug, Default)]
pub struct LabelsBuilder(Vec<(Arc<str>, Arc<str>)>);

impl LabelsBuilder {
    /// Sets a label, replacing an earlier value; an empty value removes it, as Prometheus defines.
    pub fn set(&mut self, name: impl Into<Arc<str>>, value: impl Into<Arc<str>>) {
        let (name, value) = (name.into(), value.into());
        self.0.retain(|(known, _)| *known != name);
        if !value.is_empty() {
            self.0.push((name, value));
        }
    }

    /// The value set so far.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| &**known == name).map(|(_, value)| &**value)
    }

    /// Sorts and freezes.
    pub fn build(mut self) -> Labels {
        self.0.sort();
        Labels(self.0.into())
    }
}

/// A value at a time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Milliseconds since the Unix epoch, Prometheus's resolution.
    pub time_ms: i64,
    /// The value; the staleness marker is [`stale_nan`].
    pub value: f64,
}

/// A histogram at a time: a sample of a native histogram series.
#[derive(Clone, Debug, PartialEq)]
pub struct HistogramSample {
    /// Milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// When the counts began, in milliseconds; zero where that is not known.
    pub start_ms: i64,
    /// The distribution; its staleness marker is a sum of [`stale_nan`].
    pub histogram: Arc<FloatHistogram>,
}

/// An example of what a sample counted: usually a trace id.
#[derive(Clone, Debug, PartialEq)]
pub struct Exemplar {
    /// Its own labels, such as `trace_id`.
    pub labels: Labels,
    /// Milliseconds since the Unix epoch.
    pub time_ms: i64,
    /// The observed value.
    pub value: f64,
}

/// What kind of metric a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only goes up, or resets.
    Counter,
    /// Goes anywhere.
    Gauge,
    /// Buckets.
    Histogram,
    /// Buckets that may lose what they counted.
    GaugeHistogram,
    /// Quantiles.
    Summary,
    /// Facts about a target as labels.
    Info,
    /// One series for each state that something may be in.
    StateSet,
    /// Not known.
    Unknown,
}

impl MetricKind {
    /// The word that the Prometheus API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::GaugeHistogram => "gaugehistogram",
            Self::Summary => "summary",
            Self::Info => "info",
            Self::StateSet => "stateset",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word back; anything else is unknown.
    pub fn parse(word: &str) -> Self {
        use MetricKind::{Counter, Gauge, GaugeHistogram, Histogram, Info, StateSet, Summary};
        [Counter, Gauge, Histogram, GaugeHistogram, Summary, Info, StateSet]
            .into_iter()
            .find(|kind| kind.as_str() == word)
            .unwrap_or(Self::Unknown)
    }
}

/// What is known about a metric besides its samples.
#[derive(Clone, Debug, PartialEq)]
pub struct MetricMetadata {
    /// The metric's name, without `_bucket`, `_sum` or `_count`.
    pub name: String,
    /// Its kind.
    pub kind: MetricKind,
    /// What it means; may be empty.
    pub help: String,
    /// Its unit; may be empty.
    pub unit: String,
}

/// Samples of one series, in the order sent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesSamples {
    /// The series, `__name__` included.
    pub labels: Labels,
    /// Its samples that are numbers.
    pub samples: Vec<Sample>,
    /// As many times at which the counter behind each number started, in milliseconds, zero where that is not known; empty when
    /// none is known.
    pub starts: Vec<i64>,
    /// Its samples that are histograms.
    pub histograms: Vec<HistogramSample>,
    /// Its exemplars.
    pub exemplars: Vec<Exemplar>,
}

/// What one request brings for the metric store.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SeriesBatch {
    /// Samples by series.
    pub series: Vec<SeriesSamples>,
    /// Metadata of the metrics named.
    pub metadata: Vec<MetricMetadata>,
}

impl SeriesSamples {
    /// How many samples there are, histograms included.
    pub fn sample_count(&self) -> usize {
        self.samples.len() + self.histograms.len()
    }

    /// Bytes that its samples and exemplars take in memory, roughly; labels are not counted.
    pub fn size_bytes(&self) -> usize {
        /// An exemplar with a few labels of its own.
        const EXEMPLAR_BYTES: usize = 256;
        let histograms: usize = self.histograms.iter().map(|sample| 16 + sample.histogram.size_bytes()).sum();
        self.samples.len() * size_of::<Sample>()
            + self.starts.len() * size_of::<i64>()
            + self.exemplars.len() * EXEMPLAR_BYTES
            + histograms
    }
}

impl SeriesBatch {
    /// How many samples there are in all series, histograms included.
    pub fn sample_count(&self) -> usize {
        self.series.iter().map(SeriesSamples::sample_count).sum()
    }

    /// How many of the samples are histograms.
    pub fn histogram_count(&self) -> usize {
        self.series.iter().map(|series| series.histograms.len()).sum()
    }

    /// How many exemplars there are in all series.
    pub fn exemplar_count(&self) -> usize {
        self.series.iter().map(|series| series.exemplars.len()).sum()
    }
}

/// Whether a counter started anew between a sample and the next, each given as the time at which its counter started and its own.
///
/// Zero means that the start is not known, and so does a start at the sample's own time or after it. A start at the time of the
/// sample before is how deltas look, which are reset at every sample, unless the start of that sample is unknown too.
pub fn counter_restarted(before: (i64, i64), now: (i64, i64)) -> bool {
    let ((before_start, before_time), (start, time)) = (before, now);
    if start == 0 || start >= time || start < before_time {
        return false;
    }
    start > before_time || (before_start != 0 && before_start < before_time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_sorted_unique_and_never_empty() {
        let labels: Labels =
            [("b", "1"), ("__name__", "up"), ("a", "x"), ("b", "2"), ("gone", "")].into_iter().collect();
        assert_eq!(labels.to_string(), r#"up{a="x", b="2"}"#);
        assert_eq!(labels.get("b"), Some("2"));
        assert_eq!(labels.get("gone"), None);
        assert_eq!(labels.len(), 3);
    }

    #[test]
    fn only_the_marker_is_stale() {
        assert!(is_stale_nan(stale_nan()));
        assert!(!is_stale_nan(f64::NAN));
    }
}
