//! What targets of a scrape answer: Prometheus's text 0.0.4 and 1.0.0, OpenMetrics text 1.0, and Prometheus's protobuf.
//!
//! **Entry points.** [`ExpositionFormat::of_content_type`] tells which format an answer has; [`read_exposition`] walks over a body and
//! hands each sample and each piece of metadata to a [`Visitor`], without copying labels: whoever scrapes the same target again and
//! again recognises a series by its [`Series::key`] and needs its labels once. [`ClassicToNative`] sits between the two and makes native
//! histograms with custom bounds out of classic ones. [`decode_exposition`] is the simple way: a body to a batch.
//!
//! **Guarantees.** An answer is taken whole or not at all, as in Prometheus: the first bad line ends the reading, with its number. What
//! Prometheus 3 takes and refuses is taken and refused here, also where it is odd (a missing last line end is taken, a type with two
//! spaces before it is not). Exceptions: a NUL byte between lines is an error and not a silent end, and `_created` series of
//! OpenMetrics always become start times and never series, as in a Prometheus that ingests start times.
//!
//! **Not here.** Timestamps of the scrape, labels of the target, limits of a job (crate `scrape`).

mod batch;
mod classic;
mod content_type;
mod created;
mod lex;
mod openmetrics;
mod protobuf;
mod series;
#[cfg(test)]
mod tests;
mod text;

use std::sync::Arc;

use model::{FloatHistogram, Labels, MetricKind};

pub use batch::decode_exposition;
pub use classic::ClassicToNative;
pub use content_type::{ContentTypeError, ExpositionFormat};
pub use series::Series;

/// Longest part of a line that an error shows, in bytes.
pub const EXCERPT_BYTES_MAX: usize = 200;

/// Most characters of an exemplar's labels, names and values together (OpenMetrics); an exemplar with more is left out.
pub const EXEMPLAR_LABEL_CHARS_MAX: usize = 128;

/// Bytes of one metric (one label set with its buckets) in the protobuf format: what bounds the memory of reading it.
pub const METRIC_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Labels of one series that are read. A job may have a lower limit.
pub const LABELS_PER_SERIES_MAX: usize = 1024;

/// What takes samples and metadata of a body, in the order of the body.
pub trait Visitor {
    /// A sample. An error ends the reading: nothing of the body is to be kept then.
    fn point(&mut self, point: Point<'_>) -> Result<(), String>;

    /// What is said of a metric besides its samples.
    fn metadata(&mut self, name: &str, fact: Fact<'_>);
}

/// A sample as a body has it.
#[derive(Clone, Debug)]
pub struct Point<'a> {
    /// Which series.
    pub series: Series<'a>,
    /// Milliseconds since the Unix epoch, when the target says when it measured.
    pub time_ms: Option<i64>,
    /// When its counting began, in milliseconds since the Unix epoch; zero where that is not known.
    pub start_ms: i64,
    /// The value.
    pub value: PointValue,
    /// Examples of what it counts.
    pub exemplars: Vec<PointExemplar>,
}

/// What a sample is.
#[derive(Clone, Debug, PartialEq)]
pub enum PointValue {
    /// A number.
    Number(f64),
    /// A native histogram.
    Histogram(Arc<FloatHistogram>),
}

/// An exemplar whose time may be that of its sample.
#[derive(Clone, Debug, PartialEq)]
pub struct PointExemplar {
    /// Its own labels.
    pub labels: Labels,
    /// The observed value.
    pub value: f64,
    /// Milliseconds since the Unix epoch.
    pub time_ms: Option<i64>,
}

/// A piece of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact<'a> {
    /// What kind of metric.
    Kind(MetricKind),
    /// What it means.
    Help(&'a str),
    /// Its unit.
    Unit(&'a str),
}

/// Why nothing of a body can be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpositionError {
    /// A line is not the format's.
    #[error("line {line}: {what}, while reading {excerpt:?}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong.
        what: String,
        /// The line up to there.
        excerpt: String,
    },
    /// OpenMetrics marks the end of an answer, so that a cut one is noticed.
    #[error("data does not end with # EOF: the answer was cut, or is not OpenMetrics as its Content-Type says")]
    NoEof,
    /// A message of the protobuf format makes no sense.
    #[error("metric family {number} ({name:?}): {what}")]
    Family {
        /// Which one, from 1.
        number: usize,
        /// Its name, as far as it was read.
        name: String,
        /// What is wrong.
        what: String,
    },
}

/// What to make of a body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExpositionOptions {
    /// Whether native histograms are taken; the classic series of the same metric are then left out.
    pub native_histograms: bool,
    /// Whether classic series are taken beside a native histogram too.
    pub classic_too: bool,
}

/// Reads a body of a format.
pub fn read_exposition(
    format: ExpositionFormat,
    body: &[u8],
    options: ExpositionOptions,
    visitor: &mut impl Visitor,
) -> Result<(), ExpositionError> {
    match format {
        ExpositionFormat::Text => text::read(body, visitor),
        ExpositionFormat::OpenMetrics => openmetrics::read(body, visitor),
        ExpositionFormat::Protobuf => protobuf::read(body, options, visitor),
    }
}
