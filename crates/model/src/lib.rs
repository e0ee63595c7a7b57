//! The vocabulary of Backstop: what a log record, a span, a sample and a row *are*.
//!
//! **Entry points.** [`LogRecord`] and [`Span`] are what decoders make; [`Row`] is what the store keeps and what queries
//! read; [`SeriesBatch`] carries metric samples; [`Batch`] is the unit that travels to the store, with rows or with their
//! columns.
//!
//! **Write path.** A decoder fills a [`LogRecord`] (OpenTelemetry's shape: resource, scope, attributes);
//! [`LogRecord::into_row`] flattens it once into a [`Row`] of named fields. From there on every table looks alike.
//!
//! **Guarantees.** Plain values: no clock, no input or output, no global state. Field names are flat and dotted, and the
//! built-in ones are the constants of [`field`].
//!
//! **Not here.** Bytes on the wire (`decode`), bytes on disk (`column`, `wal`), meaning of queries (`lang`).

mod batch;
pub mod field;
pub mod histogram;
mod ids;
mod log;
mod metric;
pub mod prometheus;
mod recent;
mod row;
mod selector;
mod severity;
mod shared;
mod span;
mod stream;
mod table;
mod time;
mod value;

pub use batch::{Batch, BatchData};
pub use histogram::{FloatHistogram, ResetHint, settle_reset_hints};
pub use ids::{RowId, SpanId, TenantId, TraceId};
pub use log::{LogRecord, Scope};
pub use metric::{
    Exemplar, HistogramSample, Labels, LabelsBuilder, METRIC_NAME, MetricKind, MetricMetadata, STALE_NAN_BITS, Sample,
    SeriesBatch, SeriesSamples, counter_restarted, is_stale_nan, stale_nan,
};
pub use recent::Recent;
pub use row::Row;
pub use selector::StreamSelector;
pub use severity::Severity;
pub use shared::SharedSlice;
pub use span::{Span, SpanKind, SpanStatus};
pub use stream::{STREAM_FIELDS, stream_text};
pub use table::Table;
pub use time::{TimeError, TimeRange, Timestamp, parse_duration_ns};
pub use value::Value;

/// An ordered list of attributes. A list, not a map: OTLP allows any order, real records have few, and a later duplicate
/// of a key replaces the earlier one only when the record is flattened.
pub type Attributes = Vec<(String, Value)>;
