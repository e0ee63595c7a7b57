//! Requests as data; chunks against the bytes that Prometheus's own storage writes for the same samples.

use std::f64::consts::PI;

use expect_test::{Expect, expect};
use model::histogram::{BucketSpan, CUSTOM_SCHEMA};
use model::stale_nan;
use proptest::prelude::*;

use super::chunks::{histogram_chunk, xor_chunk};
use super::*;
use crate::{DecompressError, Encoding, decompress};

fn matcher(op: u64, name: &str, value: &str) -> ProtoWriter {
    let mut out = ProtoWriter::default();
    out.varint(1, op);
    out.bytes(2, name.as_bytes());
    out.bytes(3, value.as_bytes());
    out
}

fn query(start_ms: i64, end_ms: i64, matchers: &[ProtoWriter]) -> ProtoWriter {
    let mut out = ProtoWriter::default();
    out.int(1, start_ms);
    out.int(2, end_ms);
    matchers.iter().for_each(|matcher| out.message(3, matcher));
    out
}

fn check(body: &[u8], want: Expect) {
    match decode_remote_read(body) {
        Ok(request) => want.assert_eq(&format!("{request:?}\n{:?}", request.answer())),
        Err(error) => want.assert_eq(&error.to_string()),
    }
}

#[test]
fn requests_are_read_within_limits() {
    let mut request = ProtoWriter::default();
    request.message(1, &query(-5, 7, &[matcher(0, "__name__", "up"), matcher(3, "job", "a|b")]));
    check(
        &request.clone().finish(),
        expect![[r#"
        ReadRequest { queries: [ReadQuery { start_ms: -5, end_ms: 7, matchers: [ReadMatcher { op: 0, name: "__name__", value: "up" }, ReadMatcher { op: 3, name: "job", value: "a|b" }] }], accepted: [] }
        Ok(Samples)"#]],
    );
    for kind in [7, 1, 0] {
        request.varint(2, kind);
    }
    check(
        &request.clone().finish(),
        expect![[r#"
        ReadRequest { queries: [ReadQuery { start_ms: -5, end_ms: 7, matchers: [ReadMatcher { op: 0, name: "__name__", value: "up" }, ReadMatcher { op: 3, name: "job", value: "a|b" }] }], accepted: [7, 1] }
        Ok(StreamedXorChunks)"#]],
    );
    let mut streamed = ProtoWriter::default();
    streamed.bytes(2, &[9, 9]);
    check(
        &streamed.finish(),
        expect![[r#"
        ReadRequest { queries: [], accepted: [9] }
        Err(NoAnswer { accepted: [9] })"#]],
    );
    let mut many = ProtoWriter::default();
    (0..=READ_QUERIES_MAX).for_each(|_| many.message(1, &ProtoWriter::default()));
    check(
        &many.finish(),
        expect!["the request has more than 100 queries (limit READ_QUERIES_MAX): send several requests"],
    );
    let matchers = vec![ProtoWriter::default(); READ_MATCHERS_MAX / 2 + 1];
    let mut many = ProtoWriter::default();
    many.message(1, &query(0, 1, &matchers));
    many.message(1, &query(0, 1, &matchers));
    check(
        &many.finish(),
        expect!["the request has more than 1000 matchers (limit READ_MATCHERS_MAX): send several requests"],
    );
    check(
        b"\x0a\xff\xff\xff\xff\x0f",
        expect!["the body is not a prometheus.ReadRequest: send snappy-compressed protobuf"],
    );
    check(b"\x08\x01", expect!["the body is not a prometheus.ReadRequest: send snappy-compressed protobuf"]);
}

/// R14: a block that claims to become four gigabytes is refused before anything is allocated.
#[test]
fn what_a_request_declares_is_not_believed() {
    let lie = b"\xff\xff\xff\xff\x0f\x00a";
    let refused = decompress(Encoding::Snappy, lie, 1 << 20, &mut |_| panic!("nothing is reserved for a lie"));
    assert!(matches!(refused, Err(DecompressError::TooLarge { .. })));
}

proptest! {
    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0u8..40], 0..60)) {
        drop(decode_remote_read(&bytes)); // any result is fine
    }
}

/// The same nine samples, written by `chunkenc` of Prometheus 3.16.
#[test]
fn chunks_of_numbers_are_prometheus_s() {
    let times = [1000, 16000, 31000, 46001, 60000, 160_000, 1_160_000, 61_160_000, 61_160_001];
    let values = [1.0, 1.0, 2.5, -3.0, 0.0, f64::INFINITY, 1e300, 0.1, 0.1];
    let want = "0009d00f3ff00000000000009875309bffd8001c074007782d6005c29fe33ff9e00000000001b77419f7e3f21e44003acfe0\
                00000000708898187e831cfb4a2333d80fffffffffff1b1e4040";
    assert_eq!(hex::encode(xor_chunk(&times, &values)), want);
}

/// The same histograms, written by `chunkenc` of Prometheus 3.16.
#[test]
fn chunks_of_histograms_are_prometheus_s() {
    let span = |offset, length| BucketSpan { offset, length };
    let mut exponential = FloatHistogram {
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 2.0,
        count: 12.0,
        sum: 18.4,
        ..FloatHistogram::default()
    };
    exponential.positive = Buckets { spans: vec![span(-3, 2), span(1, 1)], counts: vec![1.0, 2.0, 3.0] };
    exponential.negative = Buckets { spans: vec![span(0, 1)], counts: vec![4.0] };
    let mut custom = FloatHistogram { schema: CUSTOM_SCHEMA, count: 6.0, sum: 3.0, ..FloatHistogram::default() };
    custom.positive = Buckets { spans: vec![span(0, 3)], counts: vec![1.0, 2.0, 3.0] };
    custom.custom_values = Arc::from([0.0001, PI]);
    let gauge =
        FloatHistogram { zero_threshold: 2f64.powi(-128), reset_hint: ResetHint::Gauge, ..FloatHistogram::default() };
    let want = [
        "000100ff3f50624dd2f1a9fc8ca558c6317e096b43a014000000000000200000000000000020193333333333331ff80000000000002000\
         0000000000002004000000000000200800000000000000",
        "00010000ee5c66487e346dc5d638865a400921fb54442d18fc12d687401800000000000000000000000000004008000000000000\
         3ff000000000000040000000000000004008000000000000",
        "0001c0741f825ad0e0000000000000000000000000000000000000000000000000",
    ];
    for (histogram, want) in [exponential, custom, gauge].iter().zip(want) {
        assert_eq!(hex::encode(histogram_chunk(1_234_567, histogram)), want);
    }
    let stale = FloatHistogram { sum: stale_nan(), count: 7.0, ..FloatHistogram::default() };
    let marker = FloatHistogram { sum: stale_nan(), ..FloatHistogram::default() };
    assert_eq!(histogram_chunk(1, &stale), histogram_chunk(1, &marker));
}

/// Reads frames back: the bytes of each message, whose checksum must hold.
fn messages(mut frames: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while !frames.is_empty() {
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = frames[0];
            frames = &frames[1..];
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte < 0x80 {
                break;
            }
        }
        let (crc, rest) = frames.split_at(4);
        let (body, rest) = rest.split_at(length);
        assert_eq!(crc, crc32c::crc32c(body).to_be_bytes());
        found.push(body.to_vec());
        frames = rest;
    }
    found
}

#[test]
fn a_long_series_goes_on_in_the_next_frame_with_its_labels() {
    let labels: Labels = [("__name__", "up")].into_iter().collect();
    let times: Vec<i64> = (0..200_000).collect();
    let values: Vec<f64> = times.iter().map(|time| (*time as f64).sin()).collect();
    let series = ReadSeries { labels: &labels, times: &times, values: &values, histograms: &[] };
    let messages = messages(&frames(3, series));
    assert!(messages.len() > 1, "{} frames", messages.len());
    for message in messages {
        assert!(message.len() < FRAME_SLACK);
        assert!(message.windows(2).any(|pair| pair == b"up"), "labels in every frame");
        assert_eq!(message[message.len() - 2..], [0x10, 3], "the query's number");
    }
}

/// A frame is closed by the chunk that fills it.
const FRAME_SLACK: usize = (1 << 20) + 4096;
