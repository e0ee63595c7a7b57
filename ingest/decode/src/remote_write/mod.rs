//! Prometheus's remote write, 1.0 (`prometheus.WriteRequest`) and 2.0 (`io.prometheus.write.v2.Request`), after decompression.
//!
//! Read in place: a request of millions of empty messages must not become millions of structs. Bytes that are not the protocol
//! fail the request as a whole; a series, a sample or a histogram that makes no sense is a reject, and its neighbours are kept,
//! as the specification asks for.
//!
//! More is accepted than the specification wants senders to send, as Prometheus does: labels and samples in any order, samples
//! older than what is stored. An empty label value is no label. Integer histograms become floating-point ones.

mod histogram;
mod series;
#[cfg(test)]
mod tests;
mod v1;
mod v2;

pub(crate) use histogram::check_count;

use std::collections::HashMap;

use model::{MetricKind, MetricMetadata};

use crate::decoded::cut;
use crate::wire::{Content, Odd};
use crate::{Decoded, KnownSeries, NoSeries, Reject};

/// Series of one request. Prometheus sends at most 2,000 samples at a time by default.
pub const SERIES_PER_REQUEST_MAX: usize = 500_000;

/// Series that room is made for when the first of a request is read, for as many as its length lets expect.
const SERIES_EXPECTED_MAX: usize = 4096;

/// Symbols of one request of version 2.0.
pub const SYMBOLS_PER_REQUEST_MAX: usize = 1_000_000;

/// Samples, exemplars and their labels, buckets, spans, bounds and metadata of one request together: what bounds the memory that a request takes,
/// whatever its bytes are.
pub const ITEMS_PER_REQUEST_MAX: usize = 4_000_000;

/// Labels of one series or exemplar that are looked at. The store has a lower limit of its own.
pub const LABELS_PER_SERIES_MAX: usize = 1024;

/// Buckets of one histogram, both sides and bounds together.
pub const HISTOGRAM_BUCKETS_MAX: usize = 10_000;

/// Rejects of one request that are kept one by one; the rest is one reject that counts them.
pub const REJECTS_PER_REQUEST_MAX: usize = 200;

/// Bytes of a metric's help or unit; the rest is cut.
pub const METADATA_TEXT_BYTES_MAX: usize = 4096;

/// Times beyond what nanoseconds can count from the epoch (the years 1677 to 2262) are a sender's mistake.
pub const TIME_MS_MAX: i64 = i64::MAX / 1_000_000;

/// Version of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RemoteWrite {
    /// `prometheus.WriteRequest`.
    V1,
    /// `io.prometheus.write.v2.Request`.
    V2,
}

/// Why nothing of a request can be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteWriteError {
    /// The bytes are not the protocol's.
    #[error(
        "the body is not a remote write request of {proto}: send snappy-compressed protobuf as its Content-Type says"
    )]
    Malformed {
        /// The message that was expected.
        proto: &'static str,
    },
    /// The table of symbols does not begin with the empty one.
    #[error("symbols must begin with the empty string, found {found:?} first")]
    Symbols {
        /// What it begins with; nothing when there are none.
        found: Option<String>,
    },
    /// The request is too large in number.
    #[error("the request has more than {max} {what} (limit {limit}): send smaller batches")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
        /// The limit's name.
        limit: &'static str,
    },
}

impl RemoteWrite {
    /// The full name of its message.
    pub fn proto(self) -> &'static str {
        match self {
            Self::V1 => "prometheus.WriteRequest",
            Self::V2 => "io.prometheus.write.v2.Request",
        }
    }
}

/// What a receiver of remote write may choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RemoteWriteOptions {
    /// Whether series get the labels `__type__` and `__unit__` of their metadata, as under Prometheus's feature flag
    /// `type-and-unit-labels`. Version 1.0 sends metadata apart from series, at times of its own: its series get none.
    pub type_and_unit_labels: bool,
}

/// Decodes a request. Series without rejects are whole in the result; the order is the sender's.
pub fn decode_remote_write(
    version: RemoteWrite,
    body: &[u8],
    options: RemoteWriteOptions,
) -> Result<Decoded, RemoteWriteError> {
    decode_remote_write_of_known(version, body, options, &mut NoSeries)
}

/// The same, with the labels of series that are known already taken from there.
pub fn decode_remote_write_of_known(
    version: RemoteWrite,
    body: &[u8],
    options: RemoteWriteOptions,
    known: &mut dyn KnownSeries,
) -> Result<Decoded, RemoteWriteError> {
    let decoded = Decoded::default();
    let mut sink = Sink { options, known, decoded, metadata: HashMap::new(), items: 0, unnamed: 0 };
    let read = match version {
        RemoteWrite::V1 => v1::read(body, &mut sink),
        RemoteWrite::V2 => v2::read(body, &mut sink),
    };
    read.map_err(|stop| match stop {
        Stop::Odd => RemoteWriteError::Malformed { proto: version.proto() },
        Stop::Error(error) => error,
    })?;
    Ok(sink.finish())
}

/// Why reading ended early.
#[derive(Debug, PartialEq)]
enum Stop {
    Odd,
    Error(RemoteWriteError),
}

impl From<Odd> for Stop {
    fn from(Odd: Odd) -> Self {
        Self::Odd
    }
}

/// Collects what a request brings.
struct Sink<'k> {
    options: RemoteWriteOptions,
    known: &'k mut dyn KnownSeries,
    decoded: Decoded,
    metadata: HashMap<String, usize>,
    items: usize,
    /// Items of rejects beyond [`REJECTS_PER_REQUEST_MAX`].
    unnamed: usize,
}

impl Sink<'_> {
    /// Counts items against the request's limit before they are read.
    fn count(&mut self, items: usize) -> Result<(), Stop> {
        self.items = self.items.saturating_add(items);
        let (what, max, limit) = ("samples, buckets and exemplars", ITEMS_PER_REQUEST_MAX, "ITEMS_PER_REQUEST_MAX");
        if self.items > max { Err(Stop::Error(RemoteWriteError::TooMany { what, max, limit })) } else { Ok(()) }
    }

    fn room_for_series(&self, count: usize) -> Result<(), Stop> {
        let (what, max, limit) = ("series", SERIES_PER_REQUEST_MAX, "SERIES_PER_REQUEST_MAX");
        if count > max { Err(Stop::Error(RemoteWriteError::TooMany { what, max, limit })) } else { Ok(()) }
    }

    /// Makes room for about so many series; more are no error.
    fn expect_series(&mut self, count: usize) {
        self.decoded.series.series.reserve(count.min(SERIES_EXPECTED_MAX));
    }

    fn reject(&mut self, reason: impl Into<String>, raw: &str, items: usize) {
        if self.decoded.rejects.len() < REJECTS_PER_REQUEST_MAX {
            self.decoded.rejects.push(Reject::new(reason, raw.as_bytes()).of_items(items));
        } else {
            self.unnamed += items.max(1);
        }
    }

    /// Keeps metadata, the last of each name.
    fn metadata(&mut self, name: String, kind: MetricKind, help: &str, unit: &str) {
        let short = |text: &str| {
            let mut text = text.to_owned();
            cut(&mut text, METADATA_TEXT_BYTES_MAX);
            text
        };
        let list = &mut self.decoded.series.metadata;
        let metadata = MetricMetadata { name: name.clone(), kind, help: short(help), unit: short(unit) };
        let at = *self.metadata.entry(name).or_insert(list.len());
        match list.get_mut(at) {
            Some(known) => *known = metadata,
            None => list.push(metadata),
        }
    }

    fn finish(mut self) -> Decoded {
        if self.unnamed > 0 {
            let reason = format!(
                "{} more samples were refused, beyond the {REJECTS_PER_REQUEST_MAX} refusals of a request that are told one by \
                 one",
                self.unnamed
            );
            self.decoded.rejects.push(Reject::new(reason, &[]).of_items(self.unnamed));
        }
        self.decoded
    }
}

/// Metric types of both versions, by number.
fn kind(number: u64) -> MetricKind {
    match number {
        1 => MetricKind::Counter,
        2 => MetricKind::Gauge,
        3 => MetricKind::Histogram,
        4 => MetricKind::GaugeHistogram,
        5 => MetricKind::Summary,
        6 => MetricKind::Info,
        7 => MetricKind::StateSet,
        _ => MetricKind::Unknown,
    }
}

/// The double of a field.
fn double(content: Content<'_>) -> Result<f64, Odd> {
    match content {
        Content::Fixed64(bits) => Ok(f64::from_bits(bits)),
        _ => Err(Odd),
    }
}

/// The `int64` of a field.
fn int(content: Content<'_>) -> Result<i64, Odd> {
    unsigned(content).map(u64::cast_signed)
}

fn unsigned(content: Content<'_>) -> Result<u64, Odd> {
    match content {
        Content::Varint(number) => Ok(number),
        _ => Err(Odd),
    }
}

fn bytes(content: Content<'_>) -> Result<&[u8], Odd> {
    match content {
        Content::Bytes(bytes) => Ok(bytes),
        _ => Err(Odd),
    }
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// Every number of a repeated varint field, packed or one by one.
fn varints(content: Content<'_>, mut take: impl FnMut(u64) -> Result<(), Stop>) -> Result<(), Stop> {
    match content {
        Content::Varint(number) => take(number),
        Content::Bytes(bytes) => {
            let mut packed = crate::wire::Message::new(bytes);
            while let Some(number) = packed.next_varint()? {
                take(number)?;
            }
            Ok(())
        }
        _ => Err(Stop::Odd),
    }
}

/// The doubles of a repeated field, packed or one by one.
fn doubles(content: Content<'_>, out: &mut Vec<f64>) -> Result<(), Odd> {
    match content {
        Content::Fixed64(bits) => out.push(f64::from_bits(bits)),
        Content::Bytes(bytes) => {
            let (whole, []) = bytes.as_chunks::<8>() else { return Err(Odd) };
            out.extend(whole.iter().map(|word| f64::from_le_bytes(*word)));
        }
        _ => return Err(Odd),
    }
    Ok(())
}
