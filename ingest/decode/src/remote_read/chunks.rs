//! Chunks as Prometheus's storage has them, and the frames in which they travel.
//!
//! A chunk of numbers is the XOR form: count of samples (16 bits), first time and value, and then differences. A chunk of a
//! histogram is the form for counts with a fraction, with one histogram in it: the layout is written with each, which costs bytes
//! and needs no care for layouts that change.

use model::{FloatHistogram, ResetHint};

use super::bits::{Bits, XorState, fits};
use super::{ReadSeries, put_labels};
use crate::ProtoWriter;

/// Samples of one chunk, as Prometheus cuts them.
const CHUNK_SAMPLES_MAX: usize = 120;

/// Bytes of one frame after which a series goes on in the next one; Prometheus's own default.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// Numbers of the encodings.
const XOR: u64 = 1;
const FLOAT_HISTOGRAM: u64 = 3;

/// The frames of one series: each a length, a checksum (crc32c, big-endian) and a `prometheus.ChunkedReadResponse`.
pub fn frames(query: usize, series: ReadSeries<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut open = ProtoWriter::default();
    put_labels(&mut open, series.labels);
    let labels_bytes = open.len();
    let mut at = 0;
    while at < series.times.len() {
        let end = chunk_end(&series, at);
        let (encoding, data) = match series.histogram(at) {
            Some(histogram) => (FLOAT_HISTOGRAM, histogram_chunk(series.times[at], histogram)),
            None => (XOR, xor_chunk(&series.times[at..end], &series.values[at..end])),
        };
        let mut chunk = ProtoWriter::default();
        chunk.int(1, series.times[at]);
        chunk.int(2, series.times[end - 1]);
        chunk.varint(3, encoding);
        chunk.bytes(4, &data);
        open.message(2, &chunk);
        at = end;
        if open.len() > FRAME_BYTES_MAX.max(labels_bytes) || at == series.times.len() {
            put_frame(&mut out, query, &open);
            open = ProtoWriter::default();
            put_labels(&mut open, series.labels);
        }
    }
    out
}

fn put_frame(out: &mut Vec<u8>, query: usize, chunked_series: &ProtoWriter) {
    let mut response = ProtoWriter::default();
    response.message(1, chunked_series);
    response.varint(2, query as u64);
    let body = response.finish();
    let mut length = body.len();
    while length >= 0x80 {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(&crc32c::crc32c(&body).to_be_bytes());
    out.extend_from_slice(&body);
}

/// Where the chunk ends that begins at a sample.
fn chunk_end(series: &ReadSeries<'_>, from: usize) -> usize {
    if series.histogram(from).is_some() {
        return from + 1;
    }
    let full = series.times.len().min(from + CHUNK_SAMPLES_MAX);
    (from..full).find(|at| series.histogram(*at).is_some()).unwrap_or(full)
}

/// Numbers, at least one and at most [`CHUNK_SAMPLES_MAX`].
pub(super) fn xor_chunk(times: &[i64], values: &[f64]) -> Vec<u8> {
    let mut bits = Bits::after((times.len() as u16).to_be_bytes().to_vec());
    let (mut last, mut delta) = (0i64, 0i64);
    let mut state = XorState::default();
    for (at, (time, value)) in times.iter().zip(values).enumerate() {
        let next = time.wrapping_sub(last);
        match at {
            0 => {
                bits.put_varint(*time);
                bits.put_f64(*value);
                state = XorState::of(*value);
            }
            1 => {
                bits.put_uvarint(next as u64);
                bits.put_xor(&mut state, *value);
            }
            _ => {
                put_time(&mut bits, next.wrapping_sub(delta));
                bits.put_xor(&mut state, *value);
            }
        }
        (last, delta) = (*time, next);
    }
    bits.bytes
}

/// A difference of differences of times, in one of five sizes.
fn put_time(bits: &mut Bits, change: i64) {
    match change {
        0 => bits.put(0, 1),
        _ if fits(change, 14) => {
            bits.put(0b10, 2);
            bits.put(change as u64, 14);
        }
        _ if fits(change, 17) => {
            bits.put(0b110, 3);
            bits.put(change as u64, 17);
        }
        _ if fits(change, 20) => {
            bits.put(0b1110, 4);
            bits.put(change as u64, 20);
        }
        _ => {
            bits.put(0b1111, 4);
            bits.put(change as u64, 64);
        }
    }
}

/// One histogram.
pub(super) fn histogram_chunk(time_ms: i64, histogram: &FloatHistogram) -> Vec<u8> {
    let marker;
    let mut histogram = histogram;
    if histogram.is_stale() {
        // A staleness marker has a sum and no layout.
        marker = FloatHistogram { sum: histogram.sum, ..FloatHistogram::default() };
        histogram = &marker;
    }
    let flags = match histogram.reset_hint {
        ResetHint::Gauge => 0b1100_0000,
        ResetHint::Reset => 0b1000_0000,
        ResetHint::Unknown | ResetHint::NotReset => 0,
    };
    let mut bits = Bits::after(vec![0, 1, flags]);
    put_zero_threshold(&mut bits, histogram.zero_threshold);
    bits.put_varbit(histogram.schema.into());
    for side in [&histogram.positive, &histogram.negative] {
        bits.put_varbit_unsigned(side.spans.len() as u64);
        for span in &side.spans {
            bits.put_varbit_unsigned(span.length.into());
            bits.put_varbit(span.offset.into());
        }
    }
    if histogram.is_custom() {
        bits.put_varbit_unsigned(histogram.custom_values.len() as u64);
        for bound in histogram.custom_values.iter() {
            // Zero says that the bound follows bit for bit; there is a shorter form for thousandths.
            bits.put_varbit_unsigned(0);
            bits.put_f64(*bound);
        }
    }
    bits.put_varbit(time_ms);
    let totals = [histogram.count, histogram.zero_count, histogram.sum];
    let numbers = totals.iter().chain(&histogram.positive.counts).chain(&histogram.negative.counts);
    numbers.for_each(|number| bits.put_f64(*number));
    bits.bytes
}

/// A byte for zero and for powers of two from 2^-243 to 2^10, nine bytes for others.
fn put_zero_threshold(bits: &mut Bits, threshold: f64) {
    let raw = threshold.to_bits();
    let (mantissa, exponent) = (raw & ((1 << 52) - 1), ((raw >> 52) & 0x7ff) as i64 - 1023);
    if raw == 0 {
        bits.put(0, 8);
    } else if threshold > 0.0 && mantissa == 0 && (-243..=10).contains(&exponent) {
        bits.put((exponent + 1 + 243) as u64, 8);
    } else {
        bits.put(255, 8);
        bits.put_f64(threshold);
    }
}
