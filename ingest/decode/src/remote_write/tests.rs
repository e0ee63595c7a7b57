//! Requests as prost writes them, against what becomes of them.

use expect_test::{Expect, expect};
use model::{Labels, stale_nan};
use proptest::prelude::*;
use prost::Message as _;

use super::*;

/// The messages of the protocols, as their `.proto` files have them.
mod proto {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Label {
        #[prost(string, tag = "1")]
        pub name: String,
        #[prost(string, tag = "2")]
        pub value: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Sample {
        #[prost(double, tag = "1")]
        pub value: f64,
        #[prost(int64, tag = "2")]
        pub timestamp: i64,
        #[prost(int64, tag = "3")]
        pub start_timestamp: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Span {
        #[prost(sint32, tag = "1")]
        pub offset: i32,
        #[prost(uint32, tag = "2")]
        pub length: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Histogram {
        #[prost(uint64, optional, tag = "1")]
        pub count_int: Option<u64>,
        #[prost(double, optional, tag = "2")]
        pub count_float: Option<f64>,
        #[prost(double, tag = "3")]
        pub sum: f64,
        #[prost(sint32, tag = "4")]
        pub schema: i32,
        #[prost(double, tag = "5")]
        pub zero_threshold: f64,
        #[prost(uint64, optional, tag = "6")]
        pub zero_count_int: Option<u64>,
        #[prost(double, optional, tag = "7")]
        pub zero_count_float: Option<f64>,
        #[prost(message, repeated, tag = "8")]
        pub negative_spans: Vec<Span>,
        #[prost(sint64, repeated, tag = "9")]
        pub negative_deltas: Vec<i64>,
        #[prost(double, repeated, tag = "10")]
        pub negative_counts: Vec<f64>,
        #[prost(message, repeated, tag = "11")]
        pub positive_spans: Vec<Span>,
        #[prost(sint64, repeated, packed = "false", tag = "12")]
        pub positive_deltas: Vec<i64>,
        #[prost(double, repeated, tag = "13")]
        pub positive_counts: Vec<f64>,
        #[prost(int32, tag = "14")]
        pub reset_hint: i32,
        #[prost(int64, tag = "15")]
        pub timestamp: i64,
        #[prost(double, repeated, tag = "16")]
        pub custom_values: Vec<f64>,
        #[prost(int64, tag = "17")]
        pub start_timestamp: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Exemplar {
        #[prost(message, repeated, tag = "1")]
        pub labels: Vec<Label>,
        #[prost(double, tag = "2")]
        pub value: f64,
        #[prost(int64, tag = "3")]
        pub timestamp: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Series {
        #[prost(message, repeated, tag = "1")]
        pub labels: Vec<Label>,
        #[prost(message, repeated, tag = "2")]
        pub samples: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub exemplars: Vec<Exemplar>,
        #[prost(message, repeated, tag = "4")]
        pub histograms: Vec<Histogram>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Metadata {
        #[prost(int32, tag = "1")]
        pub kind: i32,
        #[prost(string, tag = "2")]
        pub name: String,
        #[prost(string, tag = "4")]
        pub help: String,
        #[prost(string, tag = "5")]
        pub unit: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct WriteRequest {
        #[prost(message, repeated, tag = "1")]
        pub timeseries: Vec<Series>,
        #[prost(message, repeated, tag = "3")]
        pub metadata: Vec<Metadata>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct ExemplarV2 {
        #[prost(uint32, repeated, tag = "1")]
        pub labels_refs: Vec<u32>,
        #[prost(double, tag = "2")]
        pub value: f64,
        #[prost(int64, tag = "3")]
        pub timestamp: i64,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct MetadataV2 {
        #[prost(int32, tag = "1")]
        pub kind: i32,
        #[prost(uint32, tag = "3")]
        pub help_ref: u32,
        #[prost(uint32, tag = "4")]
        pub unit_ref: u32,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct SeriesV2 {
        #[prost(uint32, repeated, tag = "1")]
        pub labels_refs: Vec<u32>,
        #[prost(message, repeated, tag = "2")]
        pub samples: Vec<Sample>,
        #[prost(message, repeated, tag = "3")]
        pub histograms: Vec<Histogram>,
        #[prost(message, repeated, tag = "4")]
        pub exemplars: Vec<ExemplarV2>,
        #[prost(message, optional, tag = "5")]
        pub metadata: Option<MetadataV2>,
        #[prost(int64, tag = "6")]
        pub created_timestamp: i64,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Request {
        #[prost(string, repeated, tag = "4")]
        pub symbols: Vec<String>,
        #[prost(message, repeated, tag = "5")]
        pub timeseries: Vec<SeriesV2>,
    }
}

use proto::{
    Exemplar, ExemplarV2, Histogram, Label, MetadataV2, Request, Sample, Series, SeriesV2, Span, WriteRequest,
};

fn labels(pairs: &[(&str, &str)]) -> Vec<Label> {
    pairs.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }).collect()
}

fn sample(timestamp: i64, value: f64) -> Sample {
    Sample { value, timestamp, start_timestamp: 0 }
}

/// Series, metadata and rejects in words.
fn shown(version: RemoteWrite, body: &[u8]) -> String {
    let decoded = match decode_remote_write(version, body, RemoteWriteOptions::default()) {
        Ok(decoded) => decoded,
        Err(error) => return format!("error: {error}\n"),
    };
    let mut lines = Vec::new();
    for series in &decoded.series.series {
        lines.push(format!("{}", series.labels));
        for (at, sample) in series.samples.iter().enumerate() {
            let start = series.starts.get(at).map(|start| format!(" since {start}")).unwrap_or_default();
            lines.push(format!("  {} {}{start}", sample.time_ms, sample.value));
        }
        for sample in &series.histograms {
            let (hint, text) = (sample.histogram.reset_hint, sample.histogram.test_expression());
            lines.push(format!("  {} {hint:?} {text} since {}", sample.time_ms, sample.start_ms));
        }
        let exemplar = |it: &model::Exemplar| format!("  exemplar {} {} {}", it.time_ms, it.value, it.labels);
        lines.extend(series.exemplars.iter().map(exemplar));
    }
    let metadata = &decoded.series.metadata;
    lines.extend(
        metadata.iter().map(|it| format!("metadata {} {} {:?} {:?}", it.name, it.kind.as_str(), it.help, it.unit)),
    );
    let rejects = &decoded.rejects;
    lines.extend(rejects.iter().map(|it| format!("reject {} {}", it.items, it.reason)));
    lines.join("\n") + "\n"
}

fn check_v1(timeseries: Vec<Series>, want: Expect) {
    want.assert_eq(&shown(RemoteWrite::V1, &WriteRequest { timeseries, metadata: Vec::new() }.encode_to_vec()));
}

fn check_v2(symbols: &[&str], timeseries: Vec<SeriesV2>, want: Expect) {
    let symbols = symbols.iter().map(|symbol| (*symbol).to_owned()).collect();
    want.assert_eq(&shown(RemoteWrite::V2, &Request { symbols, timeseries }.encode_to_vec()));
}

fn integer_histogram() -> Histogram {
    Histogram {
        count_int: Some(12),
        sum: 18.4,
        schema: 1,
        zero_threshold: 0.001,
        zero_count_int: Some(2),
        negative_spans: vec![Span { offset: 0, length: 1 }],
        negative_deltas: vec![1],
        positive_spans: vec![Span { offset: 0, length: 2 }, Span { offset: 1, length: 2 }],
        positive_deltas: vec![1, 1, -1, 4],
        reset_hint: 3,
        timestamp: 7000,
        ..Histogram::default()
    }
}

#[test]
fn a_request_of_version_1() {
    let metadata = proto::Metadata { kind: 4, name: "lat".into(), help: "How long".into(), unit: "seconds".into() };
    let exemplar = Exemplar { labels: labels(&[("trace_id", "abc")]), value: 0.5, timestamp: 900 };
    let up = Series {
        labels: labels(&[("job", "a"), ("__name__", "up"), ("empty", ""), ("http.status", "é")]),
        samples: vec![sample(1000, 1.5), sample(-2000, f64::INFINITY)],
        exemplars: vec![exemplar],
        histograms: Vec::new(),
    };
    let float = Histogram {
        count_float: Some(3.5),
        sum: 2.0,
        schema: -53,
        positive_spans: vec![Span { offset: 0, length: 3 }],
        positive_counts: vec![1.0, 2.0, 0.5],
        custom_values: vec![0.1, 1.0],
        timestamp: 8000,
        start_timestamp: 5,
        ..Histogram::default()
    };
    let name = labels(&[("__name__", "lat")]);
    let lat = Series { labels: name, histograms: vec![integer_histogram(), float], ..Series::default() };
    let body = WriteRequest { timeseries: vec![up, lat], metadata: vec![metadata] }.encode_to_vec();
    expect![[r#"
        up{http.status="é", job="a"}
          1000 1.5
          -2000 inf
          exemplar 900 0.5 {trace_id="abc"}
        lat
          7000 Gauge {{schema:1 count:12 sum:18.4 z_bucket:2 z_bucket_w:0.001 counter_reset_hint:gauge buckets:[1 2 0 1 5] n_buckets:[1]}} since 0
          8000 Unknown {{schema:-53 count:3.5 sum:2 custom_values:[0.1 1] buckets:[1 2 0.5]}} since 5
        metadata lat gaugehistogram "How long" "seconds"
    "#]].assert_eq(&shown(RemoteWrite::V1, &body));
}

#[test]
fn a_stale_marker_keeps_its_bits() {
    let series = Series {
        labels: labels(&[("__name__", "up")]),
        samples: vec![sample(1, stale_nan()), sample(2, f64::NAN)],
        histograms: vec![Histogram { sum: stale_nan(), timestamp: 3, ..Histogram::default() }],
        ..Series::default()
    };
    let body = WriteRequest { timeseries: vec![series], metadata: Vec::new() }.encode_to_vec();
    let decoded = decode_remote_write(RemoteWrite::V1, &body, RemoteWriteOptions::default()).unwrap();
    let series = &decoded.series.series[0];
    assert_eq!(series.samples.iter().map(|s| model::is_stale_nan(s.value)).collect::<Vec<_>>(), [true, false]);
    assert!(series.histograms[0].histogram.is_stale());
}

#[test]
fn what_is_wrong_is_refused_and_its_neighbours_are_kept() {
    let series = |pairs: &[(&str, &str)], samples: &[Sample]| Series {
        labels: labels(pairs),
        samples: samples.to_vec(),
        ..Series::default()
    };
    let histograms = |change: &[&dyn Fn(&mut Histogram)]| Series {
        labels: labels(&[("__name__", "h")]),
        histograms: change
            .iter()
            .map(|change| {
                let mut histogram = integer_histogram();
                change(&mut histogram);
                histogram
            })
            .collect(),
        ..Series::default()
    };
    let long = Exemplar { labels: labels(&[("trace_id", &"x".repeat(200))]), value: 1.0, timestamp: 1 };
    check_v1(
        vec![
            series(&[("job", "a")], &[sample(1, 1.0), sample(2, 1.0)]),
            series(&[("__name__", "up"), ("a", "1"), ("a", "2")], &[sample(1, 1.0)]),
            series(&[("__name__", "up"), ("", "1")], &[sample(1, 1.0)]),
            series(&[], &[]),
            series(&[("__name__", "up")], &[sample(i64::MAX, 1.0), sample(5, 2.0)]),
            Series { exemplars: vec![long], ..series(&[("__name__", "up")], &[sample(6, 3.0)]) },
            histograms(&[
                &|h| h.count_int = Some(13),
                &|h| h.positive_deltas = vec![1, 1, -3, 4],
                &|h| h.positive_spans[0].length = u32::MAX,
                &|h| h.schema = 60,
                &|h| h.positive_spans[1].offset = -1,
                &|h| h.custom_values = vec![1.0],
                &|h| h.schema = 9,
            ]),
        ],
        expect![[r#"
            up
              5 2
            up
              6 3
            h
              7000 Gauge {{schema:8 count:12 sum:18.4 z_bucket:2 z_bucket_w:0.001 counter_reset_hint:gauge buckets:[1 2 6] n_buckets:[1]}} since 0
            reject 2 the series has no name: give the label __name__, in the series {job="a"}
            reject 1 duplicate label with name "a", in the series {__name__="up", a="1", a="2"}
            reject 1 a label has no name, in the series {__name__="up", ="1"}
            reject 1 the series has no name: give the label __name__, in the series {}
            reject 1 the time 9223372036854775807 is out of bounds: give milliseconds since 1970, within 9223372036854, in the series up
            reject 1 the labels have 208 characters, 128 are allowed, in an exemplar of up
            reject 1 12 observations found in buckets, but the Count field is 13: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN), in the series h
            reject 1 the histogram has a bucket whose observation count is negative or beyond 64 bits, in the series h
            reject 1 positive side: spans need 4294967297 buckets, have 4 buckets: histogram spans specify different number of buckets than provided, in the series h
            reject 1 histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, or -53 for custom buckets, got schema 60, in the series h
            reject 1 positive side: histogram has a span whose offset is negative, in the series h
            reject 1 histogram with exponential schema must not have custom bounds, in the series h
        "#]],
    );
}

#[test]
fn a_request_of_version_2() {
    let symbols = ["", "__name__", "reqs_total", "job", "a", "Requests", "trace_id", "abc", "lat_bucket", "seconds"];
    let counter = SeriesV2 {
        labels_refs: vec![1, 2, 3, 4],
        samples: vec![Sample { value: 4.0, timestamp: 1000, start_timestamp: 10 }, sample(2000, 5.0)],
        exemplars: vec![ExemplarV2 { labels_refs: vec![6, 7], value: 0.5, timestamp: 900 }],
        metadata: Some(MetadataV2 { kind: 1, help_ref: 5, unit_ref: 0 }),
        ..SeriesV2::default()
    };
    let buckets = SeriesV2 {
        labels_refs: vec![1, 8],
        histograms: vec![Histogram { start_timestamp: 20, ..integer_histogram() }],
        metadata: Some(MetadataV2 { kind: 3, help_ref: 99, unit_ref: 9 }),
        ..SeriesV2::default()
    };
    let created = SeriesV2 {
        labels_refs: vec![1, 2],
        samples: vec![sample(1, 2.0)],
        created_timestamp: 77,
        ..SeriesV2::default()
    };
    let exemplar = SeriesV2 {
        labels_refs: vec![1, 8, 3, 4],
        exemplars: vec![ExemplarV2 { labels_refs: vec![6, 7], value: 1.5, timestamp: 950 }],
        ..SeriesV2::default()
    };
    check_v2(
        &symbols,
        vec![counter, buckets, created, exemplar],
        expect![[r#"
        reqs_total{job="a"}
          1000 4 since 10
          2000 5 since 0
          exemplar 900 0.5 {trace_id="abc"}
        lat_bucket
          7000 Gauge {{schema:1 count:12 sum:18.4 z_bucket:2 z_bucket_w:0.001 counter_reset_hint:gauge buckets:[1 2 0 1 5] n_buckets:[1]}} since 20
        reqs_total
          1 2 since 77
        lat_bucket{job="a"}
          exemplar 950 1.5 {trace_id="abc"}
        metadata reqs_total counter "Requests" ""
        metadata lat histogram "" "seconds"
    "#]],
    );
}

#[test]
fn what_is_wrong_in_version_2() {
    let symbols = ["", "__name__", "up", "job"];
    let series = |labels_refs: &[u32]| SeriesV2 {
        labels_refs: labels_refs.to_vec(),
        samples: vec![sample(1, 1.0)],
        ..SeriesV2::default()
    };
    check_v2(
        &symbols,
        vec![
            series(&[1, 2, 3]),
            series(&[1, 99]),
            series(&[0, 2]),
            series(&[3, 2]),
            SeriesV2 { samples: Vec::new(), ..series(&[1, 2]) },
            SeriesV2 { histograms: vec![integer_histogram()], ..series(&[1, 2]) },
            SeriesV2 {
                exemplars: vec![ExemplarV2 { labels_refs: vec![3, 44], ..ExemplarV2::default() }],
                ..series(&[1, 2])
            },
            SeriesV2 {
                samples: Vec::new(),
                exemplars: vec![ExemplarV2 { labels_refs: vec![3, 2], value: 0.5, timestamp: 900 }],
                ..series(&[1, 2])
            },
        ],
        expect![[r#"
            up
              1 1
            up
              exemplar 900 0.5 {job="up"}
            reject 1 there are 3 label references, which make no pairs, in the series {}
            reject 1 the label reference 99 is beyond the 4 symbols of the request, in the series {}
            reject 1 a label has no name, in the series {="up"}
            reject 1 the series has no name: give the label __name__, in the series {job="up"}
            reject 1 a series must have at least one sample or histogram, in the series {__name__="up"}
            reject 2 a series must not have both samples and histograms, in the series {__name__="up"}
            reject 1 a label has no name, in an exemplar of up
        "#]],
    );
    check_v2(
        &["__name__", "up"],
        vec![series(&[0, 1])],
        expect![[r#"
        error: symbols must begin with the empty string, found Some("__name__") first
    "#]],
    );
    check_v2(
        &[],
        vec![series(&[0, 1])],
        expect![[r#"
        error: symbols must begin with the empty string, found None first
    "#]],
    );
    assert!(decode_remote_write(RemoteWrite::V2, &[], RemoteWriteOptions::default()).unwrap().is_empty());
}

#[test]
fn r14_millions_of_empty_messages_stay_small() {
    let refused = |body: &[u8]| match decode_remote_write(RemoteWrite::V1, body, RemoteWriteOptions::default()) {
        Ok(decoded) => format!("{} rejects for {} items", decoded.rejects.len(), decoded.rejected()),
        Err(error) => error.to_string(),
    };
    expect!["201 rejects for 500000 items"].assert_eq(&refused(&[0x0a, 0].repeat(SERIES_PER_REQUEST_MAX)));
    expect!["the request has more than 500000 series (limit SERIES_PER_REQUEST_MAX): send smaller batches"]
        .assert_eq(&refused(&[0x0a, 0].repeat(SERIES_PER_REQUEST_MAX + 1)));
    let samples = [0x12, 0].repeat(ITEMS_PER_REQUEST_MAX + 1);
    let mut body = vec![0x0a];
    prost::encoding::encode_varint(samples.len() as u64, &mut body);
    body.extend_from_slice(&samples);
    expect!["the request has more than 4000000 samples, buckets and exemplars (limit ITEMS_PER_REQUEST_MAX): send smaller batches"].assert_eq(&refused(&body));
}

proptest! {
    #[test]
    fn any_bytes_are_safe(bytes in prop::collection::vec(
        prop_oneof![3 => any::<u8>(), 4 => prop::sample::select(vec![0x0a, 0x12, 0x1a, 0x22, 0x2a, 0, 1, 2, 8, 9, 10])], 0..300,
    )) {
        for version in [RemoteWrite::V1, RemoteWrite::V2] {
            drop(decode_remote_write(version, &bytes, RemoteWriteOptions::default())); // any result is fine
        }
    }

    #[test]
    fn a_flipped_byte_is_safe_and_every_sample_is_kept_or_refused(
        values in prop::collection::vec((any::<i32>(), any::<u64>()), 1..20), at in any::<prop::sample::Index>(), flip in 1u8..,
    ) {
        let samples: Vec<_> = values.iter().map(|(time, bits)| sample(i64::from(*time), f64::from_bits(*bits))).collect();
        let series = Series {
            labels: labels(&[("__name__", "up"), ("job", "a")]),
            samples: samples.clone(),
            histograms: vec![integer_histogram()],
            ..Series::default()
        };
        let mut body = WriteRequest { timeseries: vec![series], metadata: Vec::new() }.encode_to_vec();
        let decoded = decode_remote_write(RemoteWrite::V1, &body, RemoteWriteOptions::default()).unwrap();
        let kept = &decoded.series.series[0];
        let bits = |value: f64| value.to_bits();
        prop_assert_eq!(
            kept.samples.iter().map(|s| (s.time_ms, bits(s.value))).collect::<Vec<_>>(),
            samples.iter().map(|s| (s.timestamp, bits(s.value))).collect::<Vec<_>>()
        );
        prop_assert_eq!(decoded.series.sample_count(), samples.len() + 1);
        let at = at.index(body.len());
        body[at] ^= flip;
        drop(decode_remote_write(RemoteWrite::V1, &body, RemoteWriteOptions::default())); // any result is fine
        drop(decode_remote_write(RemoteWrite::V1, &body[..at], RemoteWriteOptions::default()));
    }

    #[test]
    fn a_damaged_request_yields_no_more_than_its_bytes_can_hold(
        repeat in 1usize..4,
        damage in prop::collection::vec((0u8..5, any::<prop::sample::Index>(), any::<[u8; 5]>(), 0usize..40), 1..5),
    ) {
        for (version, mut body) in [(RemoteWrite::V1, whole_v1(repeat)), (RemoteWrite::V2, whole_v2(repeat))] {
            for (kind, at, bytes, length) in &damage {
                let at = at.index(body.len() + 1);
                let end = (at + length).min(body.len());
                match kind {
                    // A length that claims up to 4 GiB.
                    0 => drop(body.splice(at..at, [bytes[0] | 0x80, bytes[1] | 0x80, bytes[2] | 0x80, bytes[3] | 0x80, bytes[4] & 0x0f])),
                    1 => drop(body.drain(at..end)),
                    2 => {
                        let copy = body[at..end].to_vec();
                        body.splice(at..at, copy);
                    }
                    3 => drop(body.splice(at..end, *bytes)),
                    _ => body.truncate(at),
                }
            }
            let Ok(decoded) = decode_remote_write(version, &body, RemoteWriteOptions::default()) else { continue };
            let series = &decoded.series;
            let buckets = |h: &model::FloatHistogram| h.positive.pairs().count() + h.negative.pairs().count() + h.custom_values.len();
            let histograms = series.series.iter().flat_map(|series| &series.histograms);
            let held = series.sample_count() + histograms.map(|sample| buckets(&sample.histogram)).sum::<usize>();
            // Nothing that is kept takes less than a byte.
            prop_assert!(held <= body.len(), "{held} samples and buckets of {} bytes", body.len());
            prop_assert!(series.series.len() <= body.len());
        }
    }
}

/// A request that has some of everything.
fn whole_v1(repeat: usize) -> Vec<u8> {
    let series = Series {
        labels: labels(&[("__name__", "up"), ("job", "a")]),
        samples: vec![sample(1, 2.0), sample(3, 4.0)],
        histograms: vec![integer_histogram()],
        ..Series::default()
    };
    WriteRequest { timeseries: vec![series; repeat], metadata: Vec::new() }.encode_to_vec()
}

/// As [`whole_v1`], in version 2.
fn whole_v2(repeat: usize) -> Vec<u8> {
    let symbols = ["", "__name__", "up", "job", "a", "Help", "trace_id", "abc"].map(str::to_owned);
    let series = SeriesV2 {
        labels_refs: vec![1, 2, 3, 4],
        samples: vec![Sample { value: 4.0, timestamp: 1000, start_timestamp: 10 }],
        histograms: vec![integer_histogram()],
        exemplars: vec![ExemplarV2 { labels_refs: vec![6, 7], value: 0.5, timestamp: 900 }],
        metadata: Some(MetadataV2 { kind: 1, help_ref: 5, unit_ref: 0 }),
        ..SeriesV2::default()
    };
    Request { symbols: symbols.to_vec(), timeseries: vec![series; repeat] }.encode_to_vec()
}

#[test]
fn type_and_unit_become_labels_where_settings_want_them() {
    let symbols = ["", "__name__", "up", "__unit__", "mine", "seconds", "job", "a"].map(str::to_owned).to_vec();
    let series = |labels_refs: Vec<u32>, kind| SeriesV2 {
        labels_refs,
        samples: vec![sample(1, 1.0)],
        metadata: Some(MetadataV2 { kind, help_ref: 0, unit_ref: if kind == 1 { 5 } else { 0 } }),
        ..SeriesV2::default()
    };
    let timeseries = vec![series(vec![1, 2, 3, 4, 6, 7], 1), series(vec![1, 2, 3, 4], 0)];
    let body = Request { symbols, timeseries }.encode_to_vec();
    let shown = |type_and_unit_labels| {
        let options = RemoteWriteOptions { type_and_unit_labels };
        let decoded = decode_remote_write(RemoteWrite::V2, &body, options).unwrap();
        decoded.series.series.iter().map(|series| series.labels.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(shown(false), [r#"up{__unit__="mine", job="a"}"#, r#"up{__unit__="mine"}"#]);
    assert_eq!(shown(true), [r#"up{__type__="counter", __unit__="seconds", job="a"}"#, "up"]);
}

type Pairs = Vec<(Vec<u8>, Vec<u8>)>;

/// Knows what it was shown, as the store does.
#[derive(Default)]
struct Shown {
    pairs: HashMap<Pairs, Labels>,
    forms: HashMap<Vec<u8>, Labels>,
    found: usize,
}

impl KnownSeries for Shown {
    fn labels(&mut self, pairs: &[(&[u8], &[u8])]) -> Option<Labels> {
        let pairs: Pairs = pairs.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        self.pairs.get(&pairs).cloned()
    }

    fn labels_of_form(&mut self, bytes: &[u8]) -> Option<Labels> {
        let found = self.forms.get(bytes).cloned();
        self.found += usize::from(found.is_some());
        found
    }

    fn learn_form(&mut self, bytes: &[u8], labels: &Labels) {
        self.forms.insert(bytes.to_vec(), labels.clone());
    }
}

impl Shown {
    fn note(&mut self, decoded: &Decoded) {
        for series in &decoded.series.series {
            let pairs = series.labels.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.as_bytes().to_vec()));
            self.pairs.insert(pairs.collect(), series.labels.clone());
        }
    }

    fn decode(&mut self, version: RemoteWrite, body: &[u8]) -> Result<Decoded, RemoteWriteError> {
        decode_remote_write_of_known(version, body, RemoteWriteOptions::default(), self)
    }
}

#[test]
fn a_form_is_learned_the_second_time_and_found_the_third() {
    let mut shown = Shown::default();
    let body = whole_v1(2);
    let mut found = Vec::new();
    for _ in 0..3 {
        let decoded = shown.decode(RemoteWrite::V1, &body).unwrap();
        shown.note(&decoded);
        found.push((decoded.series_known, shown.forms.len(), shown.found));
    }
    // Twice the same in a request: learned by the first, found by the second.
    assert_eq!(found, [(0, 0, 0), (2, 1, 1), (2, 1, 3)]);
    // Labels behind samples have no form.
    let mut series = vec![0x12, 2, 0x10, 1];
    series.extend([0x0a, 14, 0x0a, 8]);
    series.extend(b"__name__");
    series.extend([0x12, 2]);
    series.extend(b"up");
    let body = [vec![0x0a, series.len() as u8], series].concat();
    let decoded = shown.decode(RemoteWrite::V1, &body).unwrap();
    assert_eq!(decoded.series.series[0].labels.to_string(), "up");
    shown.note(&decoded);
    let again = shown.decode(RemoteWrite::V1, &body).unwrap();
    assert_eq!((again.series, again.series_known), (decoded.series, 1));
    assert_eq!((shown.forms.len(), shown.found), (1, 3));
}

proptest! {
    /// Long and short labels, in any order, among samples, and bytes that are damaged.
    #[test]
    fn what_is_known_is_decoded_as_what_is_not(
        series in prop::collection::vec((prop::collection::vec(("[a-c_]{1,3}|__name__", "[x-z]{0,3}|[x]{120,140}"), 0..5), 0usize..6), 1..6),
        damage in prop::option::of((any::<prop::sample::Index>(), 1u8..)),
    ) {
        let mut body = Vec::new();
        for (pairs, split) in &series {
            let request = |pairs: &[(String, String)], samples: &[Sample]| {
                let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
                Series { labels: labels(&pairs), samples: samples.to_vec(), ..Series::default() }.encode_to_vec()
            };
            let (before, behind) = pairs.split_at((*split).min(pairs.len()));
            let one = [request(before, &[sample(1, 2.0)]), request(behind, &[])].concat();
            prost::encoding::encode_key(1, prost::encoding::WireType::LengthDelimited, &mut body);
            prost::encoding::encode_varint(one.len() as u64, &mut body);
            body.extend(one);
        }
        let mut shown = Shown::default();
        for _ in 0..2 {
            if let Ok(decoded) = shown.decode(RemoteWrite::V1, &body) {
                shown.note(&decoded);
            }
        }
        if let Some((at, flip)) = damage {
            let at = at.index(body.len());
            body[at] ^= flip;
        }
        let plain = decode_remote_write(RemoteWrite::V1, &body, RemoteWriteOptions::default());
        let known = shown.decode(RemoteWrite::V1, &body).map(|decoded| Decoded { series_known: 0, ..decoded });
        prop_assert_eq!(known, plain);
    }
}
