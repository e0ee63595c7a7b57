//! Protobuf, and classic histograms made native.

use expect_test::{Expect, expect};
use prost::Message as _;

use super::Log;
use crate::exposition::protobuf::proto::{
    Bucket, Counter, Exemplar, Histogram, Label, Metric, Number, Quantile, Span, Stamp, Summary,
};
use crate::exposition::{ClassicToNative, ExpositionFormat, ExpositionOptions, read_exposition};

/// `MetricFamily`, which only tests write.
#[derive(Clone, PartialEq, prost::Message)]
struct Family {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    help: String,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(message, repeated, tag = "4")]
    metric: Vec<Metric>,
    #[prost(string, tag = "5")]
    unit: String,
}

fn family(name: &str, kind: i32, metric: Metric) -> Family {
    let (help, unit) = (format!("Help of {name}."), String::new());
    Family { name: name.to_owned(), help, kind, metric: vec![metric], unit }
}

fn label(name: &str, value: &str) -> Label {
    Label { name: name.to_owned(), value: value.to_owned() }
}

fn exemplar(value: f64, timestamp: Option<Stamp>) -> Exemplar {
    Exemplar { label: vec![label("trace_id", "abc")], value, timestamp }
}

fn latency() -> Histogram {
    let bucket = |upper_bound, cumulative_count| Bucket { upper_bound, cumulative_count, ..Bucket::default() };
    let stamp = Stamp { seconds: 1_700_000_000, nanos: 250_000_000 };
    let exemplars = vec![exemplar(0.5, Some(stamp)), exemplar(0.7, None)];
    Histogram {
        sample_count: 6,
        sample_sum: 3.5,
        bucket: vec![Bucket { exemplar: Some(exemplar(0.2, None)), ..bucket(0.5, 2) }, bucket(1.0, 5)],
        created_timestamp: Some(Stamp { seconds: 1000, nanos: 0 }),
        schema: 1,
        zero_threshold: 0.001,
        zero_count: 1,
        positive_span: vec![Span { offset: 0, length: 2 }, Span { offset: 1, length: 1 }],
        positive_delta: vec![2, -1, 1],
        exemplars,
        ..Histogram::default()
    }
}

fn body(families: &[Family]) -> Vec<u8> {
    families.iter().flat_map(Family::encode_length_delimited_to_vec).collect()
}

fn check(body: &[u8], options: ExpositionOptions, expect: Expect) {
    let mut log = Log::default();
    if let Err(error) = read_exposition(ExpositionFormat::Protobuf, body, options, &mut log) {
        log.0.push_str(&format!("error: {error}\n"));
    }
    expect.assert_eq(&log.0);
}

#[test]
fn every_kind_of_family() {
    let counter = Counter { value: 5.0, exemplar: Some(exemplar(1.0, None)), created_timestamp: None };
    let counter = Metric { counter: Some(counter), timestamp_ms: 42, ..Metric::default() };
    let gauge = Metric { label: vec![label("b.c", "d")], gauge: Some(Number { value: f64::NAN }), ..Metric::default() };
    let quantile = vec![Quantile { quantile: 0.5, value: 2.0 }, Quantile { quantile: 1.0, value: 3.0 }];
    let summary = Summary { sample_count: 2, sample_sum: 5.0, quantile, created_timestamp: None };
    let summary = Metric { summary: Some(summary), ..Metric::default() };
    let histogram = Metric { histogram: Some(Box::new(latency())), ..Metric::default() };
    let bytes = body(&[
        family("c_total", 0, counter),
        Family { unit: "x".to_owned(), ..family("g", 1, gauge) },
        family("s", 2, summary),
        family("u", 3, Metric { untyped: Some(Number { value: 1.5 }), ..Metric::default() }),
        family("h", 4, histogram),
    ]);
    check(
        &bytes,
        ExpositionOptions::default(),
        expect![[r#"
        c_total: Kind(Counter)
        c_total: Help("Help of c_total.")
        __name__="c_total" -> 5 @42 # {trace_id="abc"} 1 None
        g: Kind(Gauge)
        g: Help("Help of g.")
        g: Unit("x")
        __name__="g" b.c="d" -> NaN
        s: Kind(Summary)
        s: Help("Help of s.")
        __name__="s_count" -> 2
        __name__="s_sum" -> 5
        __name__="s" quantile="0.5" -> 2
        __name__="s" quantile="1.0" -> 3
        u: Kind(Unknown)
        u: Help("Help of u.")
        __name__="u" -> 1.5
        h: Kind(Histogram)
        h: Help("Help of h.")
        __name__="h_count" -> 6 since 1000000
        __name__="h_sum" -> 3.5 since 1000000
        __name__="h_bucket" le="0.5" -> 2 since 1000000 # {trace_id="abc"} 0.2 None
        __name__="h_bucket" le="1.0" -> 5 since 1000000
        __name__="h_bucket" le="+Inf" -> 6 since 1000000
    "#]],
    );
    let native = ExpositionOptions { native_histograms: true, classic_too: false };
    let histogram = Metric { histogram: Some(Box::new(latency())), ..Metric::default() };
    let only = body(&[family("h", 4, histogram.clone()), family("gh", 5, histogram)]);
    check(
        &only,
        native,
        expect![[r#"
        h: Kind(Histogram)
        h: Help("Help of h.")
        __name__="h" -> {{schema:1 count:6 sum:3.5 z_bucket:1 z_bucket_w:0.001 buckets:[2 1 0 2]}} since 1000000 # {trace_id="abc"} 0.5 Some(1700000000250)
        gh: Kind(GaugeHistogram)
        gh: Help("Help of gh.")
        __name__="gh" -> {{schema:1 count:6 sum:3.5 z_bucket:1 z_bucket_w:0.001 counter_reset_hint:gauge buckets:[2 1 0 2]}} since 1000000 # {trace_id="abc"} 0.5 Some(1700000000250)
    "#]],
    );
    check(
        &only,
        ExpositionOptions { classic_too: true, ..native },
        expect![[r#"
        h: Kind(Histogram)
        h: Help("Help of h.")
        __name__="h" -> {{schema:1 count:6 sum:3.5 z_bucket:1 z_bucket_w:0.001 buckets:[2 1 0 2]}} since 1000000 # {trace_id="abc"} 0.5 Some(1700000000250)
        __name__="h_count" -> 6 since 1000000
        __name__="h_sum" -> 3.5 since 1000000
        __name__="h_bucket" le="0.5" -> 2 since 1000000 # {trace_id="abc"} 0.2 None
        __name__="h_bucket" le="1.0" -> 5 since 1000000
        __name__="h_bucket" le="+Inf" -> 6 since 1000000
        gh: Kind(GaugeHistogram)
        gh: Help("Help of gh.")
        __name__="gh" -> {{schema:1 count:6 sum:3.5 z_bucket:1 z_bucket_w:0.001 counter_reset_hint:gauge buckets:[2 1 0 2]}} since 1000000 # {trace_id="abc"} 0.5 Some(1700000000250)
        __name__="gh_count" -> 6 since 1000000
        __name__="gh_sum" -> 3.5 since 1000000
        __name__="gh_bucket" le="0.5" -> 2 since 1000000 # {trace_id="abc"} 0.2 None
        __name__="gh_bucket" le="1.0" -> 5 since 1000000
        __name__="gh_bucket" le="+Inf" -> 6 since 1000000
    "#]],
    );
}

#[test]
fn protobuf_that_is_refused() {
    let native = ExpositionOptions { native_histograms: true, classic_too: false };
    let gauge = Metric { gauge: Some(Number { value: 1.0 }), ..Metric::default() };
    let good = body(&[family("g", 1, gauge.clone())]);
    check(
        &good[..good.len() - 1],
        native,
        expect![[r#"
        error: metric family 1 (""): the body ends within the message: 30 bytes are announced
    "#]],
    );
    check(
        &[0x80],
        native,
        expect![[r#"
        error: metric family 1 (""): failed to decode Protobuf message: invalid varint
    "#]],
    );
    check(
        &body(&[family("", 1, gauge.clone())]),
        native,
        expect![[r#"
        error: metric family 1 (""): the metric has no name
    "#]],
    );
    check(
        &body(&[family("g", 9, gauge)]),
        native,
        expect![[r#"
        error: metric family 1 ("g"): unknown metric type 9
    "#]],
    );
    let short = Histogram { sample_count: 7, ..latency() };
    let short = Metric { histogram: Some(Box::new(short)), ..Metric::default() };
    check(
        &body(&[family("h", 4, short)]),
        native,
        expect![[r#"
        h: Kind(Histogram)
        h: Help("Help of h.")
        error: metric family 1 ("h"): 6 observations found in buckets, but the Count field is 7: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)
    "#]],
    );
    let spans = Histogram { positive_span: Vec::new(), ..latency() };
    let spans = Metric { histogram: Some(Box::new(spans)), ..Metric::default() };
    check(
        &body(&[family("h", 4, spans)]),
        native,
        expect![[r#"
        h: Kind(Histogram)
        h: Help("Help of h.")
        error: metric family 1 ("h"): positive side: spans need 0 buckets, have 3 buckets: histogram spans specify different number of buckets than provided
    "#]],
    );
}

fn convert(body: &str, keep_classic: bool, expect: Expect) {
    let mut log = Log::default();
    let mut converter = ClassicToNative::new(&mut log, keep_classic);
    read_exposition(ExpositionFormat::OpenMetrics, body.as_bytes(), ExpositionOptions::default(), &mut converter)
        .expect("good");
    converter.finish().expect("taken");
    expect.assert_eq(&log.0);
}

#[test]
fn classic_histograms_become_native_ones() {
    let text = r#"# TYPE h histogram
h_bucket{a="1",le="0.1"} 2 # {id="x"} 0.05 1.5
h_bucket{a="1",le="1.0"} 5
h_bucket{a="1",le="+Inf"} 7
h_sum{a="1"} 9.5
h_count{a="1"} 7
h_created{a="1"} 100
h_bucket{a="2",le="1.0"} 0.5
h_count{a="2"} 1.5
h_other 5
# TYPE broken histogram
broken_bucket{le="1.0"} 5
broken_bucket{le="2.0"} 4
broken_count 5
# TYPE c counter
c_total 3
# EOF
"#;
    convert(
        text,
        false,
        expect![[r#"
        h: Kind(Histogram)
        __name__="h" a="1" -> {{schema:-53 count:7 sum:9.5 custom_values:[0.1 1] buckets:[2 3 2]}} since 100000 # {id="x"} 0.05 Some(1500)
        __name__="h" a="2" -> {{schema:-53 count:1.5 custom_values:[1] buckets:[0.5 1]}}
        __name__="h_other" -> 5
        broken: Kind(Histogram)
        c: Kind(Counter)
        __name__="c_total" -> 3
    "#]],
    );
    convert(
        text,
        true,
        expect![[r#"
        h: Kind(Histogram)
        __name__="h_bucket" a="1" le="0.1" -> 2 since 100000 # {id="x"} 0.05 Some(1500)
        __name__="h_bucket" a="1" le="1.0" -> 5 since 100000
        __name__="h_bucket" a="1" le="+Inf" -> 7 since 100000
        __name__="h_sum" a="1" -> 9.5 since 100000
        __name__="h_count" a="1" -> 7 since 100000
        __name__="h" a="1" -> {{schema:-53 count:7 sum:9.5 custom_values:[0.1 1] buckets:[2 3 2]}} since 100000 # {id="x"} 0.05 Some(1500)
        __name__="h_bucket" a="2" le="1.0" -> 0.5
        __name__="h_count" a="2" -> 1.5
        __name__="h" a="2" -> {{schema:-53 count:1.5 custom_values:[1] buckets:[0.5 1]}}
        __name__="h_other" -> 5
        broken: Kind(Histogram)
        __name__="broken_bucket" le="1.0" -> 5
        __name__="broken_bucket" le="2.0" -> 4
        __name__="broken_count" -> 5
        c: Kind(Counter)
        __name__="c_total" -> 3
    "#]],
    );
}
