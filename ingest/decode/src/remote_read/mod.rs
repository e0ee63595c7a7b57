//! Prometheus's remote read: requests after decompression, and answers of both kinds.
//!
//! A request is read in place and bounded in number. An answer is either one message with all samples (`prometheus.ReadResponse`,
//! in a snappy block), or a stream of frames (`prometheus.ChunkedReadResponse`), each with the chunks of one series.

mod bits;
mod chunks;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use model::{FloatHistogram, Labels, ResetHint, histogram::Buckets};

use crate::ProtoWriter;
use crate::wire::{Content, Message, Odd, text};

pub use chunks::frames;

/// Queries of one request. Prometheus sends one.
pub const READ_QUERIES_MAX: usize = 100;

/// Matchers of all queries of one request.
pub const READ_MATCHERS_MAX: usize = 1_000;

/// What a client asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadRequest {
    /// The queries; answers come in their order.
    pub queries: Vec<ReadQuery>,
    /// Which kinds of answers are accepted, the best first, by their numbers; none stands for [`ReadAnswer::Samples`].
    pub accepted: Vec<u64>,
}

/// Series and a span of time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadQuery {
    /// First millisecond.
    pub start_ms: i64,
    /// Last millisecond.
    pub end_ms: i64,
    /// All must hold.
    pub matchers: Vec<ReadMatcher>,
}

/// A condition on a label.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadMatcher {
    /// How it compares: 0 is `=`, 1 `!=`, 2 `=~`, 3 `!~`.
    pub op: u64,
    /// The label.
    pub name: String,
    /// The right-hand side.
    pub value: String,
}

/// Kinds of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadAnswer {
    /// One message with all samples.
    Samples,
    /// A stream of frames with chunks.
    StreamedXorChunks,
}

/// Why a request can not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteReadError {
    /// The bytes are not the protocol's.
    #[error("the body is not a prometheus.ReadRequest: send snappy-compressed protobuf")]
    Malformed,
    /// It asks for too much at once.
    #[error("the request has more than {max} {what} (limit {limit}): send several requests")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many there may be.
        max: usize,
        /// The limit's name.
        limit: &'static str,
    },
    /// No kind of answer that is accepted is known.
    #[error(
        "server does not support any of the requested response types: {accepted:?}; supported: [0 (SAMPLES), 1 (STREAMED_XOR_CHUNKS)]"
    )]
    NoAnswer {
        /// What is accepted.
        accepted: Vec<u64>,
    },
}

impl From<Odd> for RemoteReadError {
    fn from(Odd: Odd) -> Self {
        Self::Malformed
    }
}

impl ReadRequest {
    /// The first kind of answer that is accepted and known.
    pub fn answer(&self) -> Result<ReadAnswer, RemoteReadError> {
        let known = |number: &u64| match number {
            0 => Some(ReadAnswer::Samples),
            1 => Some(ReadAnswer::StreamedXorChunks),
            _ => None,
        };
        if self.accepted.is_empty() {
            return Ok(ReadAnswer::Samples);
        }
        let found = self.accepted.iter().find_map(known);
        found.ok_or_else(|| RemoteReadError::NoAnswer { accepted: self.accepted.clone() })
    }
}

/// Decodes a request.
pub fn decode_remote_read(body: &[u8]) -> Result<ReadRequest, RemoteReadError> {
    let mut request = ReadRequest::default();
    let mut matchers = 0;
    let mut message = Message::new(body);
    while let Some(field) = message.next()? {
        match field {
            (1, Content::Bytes(query)) => {
                if request.queries.len() == READ_QUERIES_MAX {
                    return Err(too_many("queries", READ_QUERIES_MAX, "READ_QUERIES_MAX"));
                }
                request.queries.push(read_query(query, &mut matchers)?);
            }
            (2, Content::Varint(kind)) => accept(&mut request.accepted, kind),
            (2, Content::Bytes(packed)) => {
                let mut kinds = Message::new(packed);
                while let Some(kind) = kinds.next_varint()? {
                    accept(&mut request.accepted, kind);
                }
            }
            (1 | 2, _) => return Err(RemoteReadError::Malformed),
            _ => {}
        }
    }
    Ok(request)
}

/// Keeps a kind of answer once, so that a long list does not grow.
fn accept(accepted: &mut Vec<u64>, kind: u64) {
    /// There are two kinds; who names more than this names no real ones.
    const KINDS_MAX: usize = 16;
    if accepted.len() < KINDS_MAX && !accepted.contains(&kind) {
        accepted.push(kind);
    }
}

fn too_many(what: &'static str, max: usize, limit: &'static str) -> RemoteReadError {
    RemoteReadError::TooMany { what, max, limit }
}

fn read_query(bytes: &[u8], matchers: &mut usize) -> Result<ReadQuery, RemoteReadError> {
    let mut query = ReadQuery::default();
    let mut message = Message::new(bytes);
    while let Some(field) = message.next()? {
        match field {
            (1, Content::Varint(time)) => query.start_ms = time as i64,
            (2, Content::Varint(time)) => query.end_ms = time as i64,
            (3, Content::Bytes(matcher)) => {
                *matchers += 1;
                if *matchers > READ_MATCHERS_MAX {
                    return Err(too_many("matchers", READ_MATCHERS_MAX, "READ_MATCHERS_MAX"));
                }
                query.matchers.push(read_matcher(matcher)?);
            }
            (1..=3, _) => return Err(RemoteReadError::Malformed),
            // Hints say what the series are for; nothing depends on them.
            _ => {}
        }
    }
    Ok(query)
}

fn read_matcher(bytes: &[u8]) -> Result<ReadMatcher, RemoteReadError> {
    let mut matcher = ReadMatcher::default();
    let mut message = Message::new(bytes);
    while let Some(field) = message.next()? {
        match field {
            (1, Content::Varint(op)) => matcher.op = op,
            (2, Content::Bytes(name)) => matcher.name = text(name)?.to_owned(),
            (3, Content::Bytes(value)) => matcher.value = text(value)?.to_owned(),
            (1..=3, _) => return Err(RemoteReadError::Malformed),
            _ => {}
        }
    }
    Ok(matcher)
}

/// A series of an answer: columns of equal length, that of histograms empty if there are none.
#[derive(Clone, Copy, Debug)]
pub struct ReadSeries<'a> {
    /// Its labels.
    pub labels: &'a Labels,
    /// Milliseconds since the Unix epoch, ascending.
    pub times: &'a [i64],
    /// The values; what stands where a sample is a histogram does not matter.
    pub values: &'a [f64],
    /// The histograms.
    pub histograms: &'a [Option<Arc<FloatHistogram>>],
}

impl<'a> ReadSeries<'a> {
    fn histogram(&self, at: usize) -> Option<&'a FloatHistogram> {
        self.histograms.get(at)?.as_deref()
    }
}

/// The answer to one query as `prometheus.QueryResult`.
pub fn query_result<'a>(series: impl IntoIterator<Item = ReadSeries<'a>>) -> ProtoWriter {
    let mut result = ProtoWriter::default();
    for series in series {
        let mut message = ProtoWriter::default();
        put_labels(&mut message, series.labels);
        for (at, (time, value)) in series.times.iter().zip(series.values).enumerate() {
            if series.histogram(at).is_none() {
                let mut sample = ProtoWriter::default();
                sample.double(1, *value);
                sample.int(2, *time);
                message.message(2, &sample);
            }
        }
        for (at, time) in series.times.iter().enumerate() {
            if let Some(histogram) = series.histogram(at) {
                message.message(4, &histogram_message(*time, histogram));
            }
        }
        result.message(1, &message);
    }
    result
}

/// The answers to all queries as one `prometheus.ReadResponse` in a snappy block.
pub fn read_response(results: &[ProtoWriter]) -> Result<Vec<u8>, String> {
    let mut response = ProtoWriter::default();
    results.iter().for_each(|result| response.message(1, result));
    snap::raw::Encoder::new().compress_vec(&response.finish()).map_err(|error| error.to_string())
}

fn put_labels(message: &mut ProtoWriter, labels: &Labels) {
    for (name, value) in labels.iter() {
        let mut label = ProtoWriter::default();
        label.bytes(1, name.as_bytes());
        label.bytes(2, value.as_bytes());
        message.message(1, &label);
    }
}

/// `prometheus.Histogram` with counts that are numbers with a fraction.
fn histogram_message(time_ms: i64, histogram: &FloatHistogram) -> ProtoWriter {
    let mut out = ProtoWriter::default();
    out.present_double(2, histogram.count);
    out.double(3, histogram.sum);
    out.zigzag(4, histogram.schema.into());
    out.double(5, histogram.zero_threshold);
    out.present_double(7, histogram.zero_count);
    put_buckets(&mut out, (8, 10), &histogram.negative);
    put_buckets(&mut out, (11, 13), &histogram.positive);
    out.varint(
        14,
        match histogram.reset_hint {
            ResetHint::Unknown => 0,
            ResetHint::Reset => 1,
            ResetHint::NotReset => 2,
            ResetHint::Gauge => 3,
        },
    );
    out.int(15, time_ms);
    out.packed_doubles(16, &histogram.custom_values);
    out
}

/// Spans and counts of one side, under the fields of both.
pub fn put_buckets(out: &mut ProtoWriter, (spans, counts): (u32, u32), buckets: &Buckets) {
    for span in &buckets.spans {
        let mut message = ProtoWriter::default();
        message.zigzag(1, span.offset.into());
        message.varint(2, span.length.into());
        out.message(spans, &message);
    }
    out.packed_doubles(counts, &buckets.counts);
}
