//! Bodies in, what a visitor is told out.

mod native;
mod properties;

use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

/// Writes down what it is told.
#[derive(Default)]
pub(super) struct Log(pub(super) String);

impl Visitor for Log {
    fn point(&mut self, point: Point<'_>) -> Result<(), String> {
        let mut labels = Vec::new();
        point.series.each_label(|name, value| labels.push(format!("{name}={value:?}")));
        let out = &mut self.0;
        let _ = write!(out, "{}", labels.join(" "));
        match &point.value {
            PointValue::Number(value) => {
                let _ = write!(out, " -> {value}");
            }
            PointValue::Histogram(histogram) => {
                let _ = write!(out, " -> {}", histogram.test_expression());
            }
        }
        if let Some(time_ms) = point.time_ms {
            let _ = write!(out, " @{time_ms}");
        }
        if point.start_ms != 0 {
            let _ = write!(out, " since {}", point.start_ms);
        }
        for exemplar in &point.exemplars {
            let _ = write!(out, " # {} {} {:?}", exemplar.labels, exemplar.value, exemplar.time_ms);
        }
        out.push('\n');
        Ok(())
    }

    fn metadata(&mut self, name: &str, fact: Fact<'_>) {
        let _ = writeln!(self.0, "{name}: {fact:?}");
    }
}

fn check(format: ExpositionFormat, body: &[u8], expect: Expect) {
    let mut log = Log::default();
    if let Err(error) = read_exposition(format, body, ExpositionOptions::default(), &mut log) {
        let _ = writeln!(log.0, "error: {error}");
    }
    expect.assert_eq(&log.0);
}

#[test]
fn prometheus_text() {
    check(
        ExpositionFormat::Text,
        br#"# HELP http_requests_total The total number of \\ "HTTP"\nrequests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363001

# a comment, not metadata
#and another
# HELPless
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\" \x"} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero",} +Inf 3982045
 	spaced	{ a = "b" , c="d" }	NaN
# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.01"} 3102
rpc_duration_seconds{quantile="1"} 76656
rpc_duration_seconds_sum 1.7560473e+07
# TYPE h histogram
h_bucket{le="1"} 2
h_bucket{le="1000000"} 2
h_bucket{le="+Inf"} 2
{"a.name","b.label"="c",plain="d"} -0
{"only.a.name"} 1
empty{} inf
no_line_end 5"#,
        expect![[r#"
            http_requests_total: Help("The total number of \\ \"HTTP\"\nrequests.")
            http_requests_total: Kind(Counter)
            __name__="http_requests_total" method="post" code="200" -> 1027 @1395066363000
            __name__="http_requests_total" method="post" code="400" -> 3 @1395066363001
            __name__="msdos_file_access_time_seconds" path="C:\\DIR\\FILE.TXT" error="Cannot find file:\n\"FILE.TXT\" \\x" -> 1458255915
            __name__="metric_without_timestamp_and_labels" -> 12.47
            __name__="something_weird" problem="division by zero" -> inf @3982045
            __name__="spaced" a="b" c="d" -> NaN
            rpc_duration_seconds: Kind(Summary)
            __name__="rpc_duration_seconds" quantile="0.01" -> 3102
            __name__="rpc_duration_seconds" quantile="1.0" -> 76656
            __name__="rpc_duration_seconds_sum" -> 17560473
            h: Kind(Histogram)
            __name__="h_bucket" le="1.0" -> 2
            __name__="h_bucket" le="1e+06" -> 2
            __name__="h_bucket" le="+Inf" -> 2
            __name__="a.name" b.label="c" plain="d" -> -0
            __name__="only.a.name" -> 1
            __name__="empty" -> inf
            __name__="no_line_end" -> 5
        "#]],
    );
}

#[test]
fn prometheus_text_that_is_refused() {
    for (body, what) in [
        (
            "ok 1\nfoo",
            expect![[r#"
            __name__="ok" -> 1
            error: line 2: expected a value after the metric, found the end, while reading "foo"
        "#]],
        ),
        (
            "foo 1 2 3\n",
            expect![[r#"
            error: line 1: expected the end of the line after the timestamp, found "3", while reading "foo 1 2 3"
        "#]],
        ),
        (
            "foo one\n",
            expect![[r#"
            error: line 1: "one" is not a number, while reading "foo one"
        "#]],
        ),
        (
            "foo 0x1p-2\n",
            expect![[r#"
            error: line 1: "0x1p-2" is not a number, while reading "foo 0x1p-2"
        "#]],
        ),
        (
            "foo 1_000\n",
            expect![[r#"
            error: line 1: "1_000" is not a number, while reading "foo 1_000"
        "#]],
        ),
        (
            "foo 1e400\n",
            expect![[r#"
            error: line 1: "1e400" is not a number, while reading "foo 1e400"
        "#]],
        ),
        (
            "foo -nan\n",
            expect![[r#"
            error: line 1: "-nan" is not a number, while reading "foo -nan"
        "#]],
        ),
        (
            "foo 1 -5\n",
            expect![[r#"
            error: line 1: expected a timestamp or the end of the line, found "-5", while reading "foo 1 -5"
        "#]],
        ),
        (
            "foo 1 1.5\n",
            expect![[r#"
            error: line 1: expected the end of the line after the timestamp, found ".5", while reading "foo 1 1.5"
        "#]],
        ),
        (
            "foo 1 99999999999999999999\n",
            expect![[r#"
            error: line 1: the timestamp 99999999999999999999 is beyond 64 bits, while reading "foo 1 99999999999999999999"
        "#]],
        ),
        (
            "1foo 1\n",
            expect![[r#"
            error: line 1: expected a metric name or a comment, found "1foo", while reading "1foo 1"
        "#]],
        ),
        (
            "foo{a=\"b\" 1\n",
            expect![[r#"
            error: line 1: expected a label name, found "1", while reading "foo{a=\"b\" 1"
        "#]],
        ),
        (
            "foo{a=b} 1\n",
            expect![[r#"
            error: line 1: expected a label value in quotes, found "b}", while reading "foo{a=b} 1"
        "#]],
        ),
        (
            "foo{a=\"b} 1\n",
            expect![[r#"
            error: line 1: expected a label value in quotes, found "\"b}", while reading "foo{a=\"b} 1"
        "#]],
        ),
        (
            "foo{1a=\"b\"} 1\n",
            expect![[r#"
            error: line 1: expected a label name, found "1a=\"b\"}", while reading "foo{1a=\"b\"} 1"
        "#]],
        ),
        (
            "foo{a=\"b\",,c=\"d\"} 1\n",
            expect![[r#"
            error: line 1: expected a label name, found ",c=\"d\"}", while reading "foo{a=\"b\",,c=\"d\"} 1"
        "#]],
        ),
        (
            "foo{\"bar\"} 1\n",
            expect![[r#"
            error: line 1: the metric name is there twice, while reading "foo{\"bar\"} 1"
        "#]],
        ),
        (
            "{a=\"b\"} 1\n",
            expect![[r#"
            error: line 1: the metric name is not set, while reading "{a=\"b\"} 1"
        "#]],
        ),
        (
            "{\"a\",\"b\"} 1\n",
            expect![[r#"
            error: line 1: the metric name is there twice, while reading "{\"a\",\"b\"} 1"
        "#]],
        ),
        (
            "\n\n# TYPE foo counterr\nfoo 1\n",
            expect![[r##"
            error: line 3: invalid metric type "counterr", while reading "# TYPE foo counterr"
        "##]],
        ),
        (
            "# TYPE foo  counter\n",
            expect![[r##"
            error: line 1: invalid metric type " counter", while reading "# TYPE foo  counter"
        "##]],
        ),
        (
            "# TYPE 1foo counter\n",
            expect![[r##"
            error: line 1: expected a metric name after TYPE, found "1foo", while reading "# TYPE 1foo counter"
        "##]],
        ),
        (
            "foo 1\r\n",
            expect![[r#"
            error: line 1: "1\r" is not a number, while reading "foo 1\r"
        "#]],
        ),
        (
            "f\u{f6}\u{f6} 1\n",
            expect![[r#"
            error: line 1: "öö" is not a number, while reading "föö 1"
        "#]],
        ),
        (
            "foo\0 1\n",
            expect![[r#"
            error: line 1: "\0" is not a number, while reading "foo\0 1"
        "#]],
        ),
    ] {
        check(ExpositionFormat::Text, body.as_bytes(), what);
    }
}

#[test]
fn bytes_that_are_no_text() {
    check(
        ExpositionFormat::Text,
        b"# odd \xff comment\nfoo 1\n",
        expect![[r#"
        __name__="foo" -> 1
    "#]],
    );
    check(
        ExpositionFormat::Text,
        b"foo 1\nfoo{a=\"\xff\"} 1\n",
        expect![[r#"
        error: line 2: invalid UTF-8, while reading "foo{a=\"�\"} 1"
    "#]],
    );
    check(
        ExpositionFormat::OpenMetrics,
        b"# HELP foo \xff\n# EOF\n",
        expect![[r##"
        error: line 1: invalid UTF-8, while reading "# HELP foo �"
    "##]],
    );
}

#[test]
fn openmetrics() {
    check(
        ExpositionFormat::OpenMetrics,
        br#"# HELP go_seconds Go's \"time\"\nspent
# TYPE go_seconds summary
# UNIT go_seconds seconds
go_seconds{quantile="0"} 4.9351e-05
go_seconds{quantile="0.25",a="b"} 8.3835e-05
go_seconds_count 2
go_seconds_created 1.5e9
# TYPE foo counter
foo_total{a="b"} 17.0 1520879607.789 # {id="counter-test"} 5
foo_created{a="b"} 1000.123
foo_total{a="c"} 18
foo_created{a="c"} 2000
# TYPE baz histogram
baz_bucket{path="/",le="0.1"} 5 # {id="h"} 0.05 1520879607.5
baz_bucket{le="+Inf",path="/"} 17 # {trace="0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"} 1
baz_created{path="/"} 1520872609.125
# TYPE not_created gauge
not_created 5
# TYPE bar info
bar_info{version="1"} 1
# TYPE state stateset
state{state="on"} 1
# TYPE gh gaugehistogram
gh_bucket{le="1"} 4
gh_gcount 4
# TYPE u unknown
u NaN
{"quoted.name","l.b"="v"} 1
# TYPE "quoted.family" gauge
# EOF
"#,
        expect![[r#"
            go_seconds: Help("Go's \"time\"\nspent")
            go_seconds: Kind(Summary)
            go_seconds: Unit("seconds")
            __name__="go_seconds" quantile="0.0" -> 0.000049351 since 1500000000000
            __name__="go_seconds" quantile="0.25" a="b" -> 0.000083835
            __name__="go_seconds_count" -> 2 since 1500000000000
            foo: Kind(Counter)
            __name__="foo_total" a="b" -> 17 @1520879607789 since 1000123 # {id="counter-test"} 5 None
            __name__="foo_total" a="c" -> 18 since 2000000
            baz: Kind(Histogram)
            __name__="baz_bucket" path="/" le="0.1" -> 5 since 1520872609125 # {id="h"} 0.05 Some(1520879607500)
            __name__="baz_bucket" le="+Inf" path="/" -> 17 since 1520872609125
            not_created: Kind(Gauge)
            __name__="not_created" -> 5
            bar: Kind(Info)
            __name__="bar_info" version="1" -> 1
            state: Kind(StateSet)
            __name__="state" state="on" -> 1
            gh: Kind(GaugeHistogram)
            __name__="gh_bucket" le="1" -> 4
            __name__="gh_gcount" -> 4
            u: Kind(Unknown)
            __name__="u" -> NaN
            __name__="quoted.name" l.b="v" -> 1
            quoted.family: Kind(Gauge)
        "#]],
    );
}

#[test]
fn openmetrics_that_is_refused() {
    for (body, what) in [
        (
            "",
            expect![[r#"
            error: data does not end with # EOF: the answer was cut, or is not OpenMetrics as its Content-Type says
        "#]],
        ),
        (
            "foo 1\n",
            expect![[r#"
            __name__="foo" -> 1
            error: data does not end with # EOF: the answer was cut, or is not OpenMetrics as its Content-Type says
        "#]],
        ),
        (
            "foo 1",
            expect![[r#"
            __name__="foo" -> 1
            error: data does not end with # EOF: the answer was cut, or is not OpenMetrics as its Content-Type says
        "#]],
        ),
        (
            "# EOF\nfoo 1\n",
            expect![[r##"
            error: line 1: unexpected data after # EOF, while reading "# EOF"
        "##]],
        ),
        (
            "# EOFx",
            expect![[r##"
            error: line 1: unexpected data after # EOF, while reading "# EOFx"
        "##]],
        ),
        (
            "foo 1\n\n# EOF\n",
            expect![[r#"
            __name__="foo" -> 1
            error: line 2: expected a metric name or a comment, found the end of the line, while reading ""
        "#]],
        ),
        (
            "foo  1\n# EOF\n",
            expect![[r#"
            error: line 1: expected a value after the metric, found " ", while reading "foo  1"
        "#]],
        ),
        (
            "foo{a=\"b\", c=\"d\"} 1\n# EOF\n",
            expect![[r#"
            error: line 1: expected a label name, found " ", while reading "foo{a=\"b\", c=\"d\"} 1"
        "#]],
        ),
        (
            "foo{a=\"b\"c=\"d\"} 1\n# EOF\n",
            expect![[r#"
            error: line 1: expected a comma or a closing brace, found "c=\"d\"}", while reading "foo{a=\"b\"c=\"d\"} 1"
        "#]],
        ),
        (
            "foo 1 NaN\n# EOF\n",
            expect![[r#"
            error: line 1: invalid timestamp NaN, while reading "foo 1 NaN"
        "#]],
        ),
        (
            "foo 1 # {a=\"b\"}\n# EOF\n",
            expect![[r#"
            error: line 1: expected a value after the exemplar's labels, found the end of the line, while reading "foo 1 # {a=\"b\"}"
        "#]],
        ),
        (
            "foo 1 # {\"name\"} 1\n# EOF\n",
            expect![[r#"
            error: line 1: expected `=` and a value: an exemplar has no name, found "}", while reading "foo 1 # {\"name\"} 1"
        "#]],
        ),
        (
            "foo 1 # {a=\"b\"} 1 NaN\n# EOF\n",
            expect![[r#"
            error: line 1: invalid exemplar timestamp NaN, while reading "foo 1 # {a=\"b\"} 1 NaN"
        "#]],
        ),
        (
            "# UNIT foo seconds\n# EOF\n",
            expect![[r##"
            error: line 1: unit "seconds" not a suffix of metric "foo", while reading "# UNIT foo seconds"
        "##]],
        ),
        (
            "# UNIT seconds seconds\n# EOF\n",
            expect![[r##"
            error: line 1: unit "seconds" not a suffix of metric "seconds", while reading "# UNIT seconds seconds"
        "##]],
        ),
        (
            "# TYPE foo untyped\n# EOF\n",
            expect![[r##"
            error: line 1: invalid metric type "untyped", while reading "# TYPE foo untyped"
        "##]],
        ),
        (
            "# a comment\n# EOF\n",
            expect![[r##"
            error: line 1: expected HELP, TYPE, UNIT or EOF: OpenMetrics has no other comments, found "a", while reading "# a comment"
        "##]],
        ),
        (
            "#\n# EOF\n",
            expect![[r##"
            error: line 1: expected a space after `#`, found the end of the line, while reading "#"
        "##]],
        ),
        (
            "# HELP foo\n# EOF\n",
            expect![[r##"
            error: line 1: expected a text in HELP, found the end of the line, while reading "# HELP foo"
        "##]],
        ),
    ] {
        check(ExpositionFormat::OpenMetrics, body.as_bytes(), what);
    }
}

#[test]
fn content_types() {
    use ExpositionFormat::{OpenMetrics, Protobuf, Text};
    let of = ExpositionFormat::of_content_type;
    assert_eq!(of("text/plain; version=0.0.4; charset=utf-8", None), Ok(Text));
    assert_eq!(of("Text/Plain", None), Ok(Text));
    assert_eq!(
        of("application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=underscores", None),
        Ok(OpenMetrics)
    );
    assert_eq!(
        of("application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited", None),
        Ok(Protobuf)
    );
    assert_eq!(of("", Some(Text)), Ok(Text));
    assert_eq!(of("text/html", Some(Text)), Ok(Text));
    for given in ["", "text/html; charset=utf-8", "application/openmetrics-text; version=2.0.0"] {
        assert!(of(given, None).is_err(), "{given}");
    }
}

#[test]
fn a_body_becomes_a_batch() {
    let body = b"# TYPE a counter\n# HELP a What it is.\na 1\na{x=\"y\"} 2 5\n";
    let batch = decode_exposition(ExpositionFormat::Text, body, ExpositionOptions::default(), 77).expect("good");
    expect![[r#"
        SeriesBatch {
            series: [
                SeriesSamples {
                    labels: a,
                    samples: [
                        Sample {
                            time_ms: 77,
                            value: 1.0,
                        },
                    ],
                    starts: [],
                    histograms: [],
                    exemplars: [],
                },
                SeriesSamples {
                    labels: a{x="y"},
                    samples: [
                        Sample {
                            time_ms: 5,
                            value: 2.0,
                        },
                    ],
                    starts: [],
                    histograms: [],
                    exemplars: [],
                },
            ],
            metadata: [
                MetricMetadata {
                    name: "a",
                    kind: Counter,
                    help: "What it is.",
                    unit: "",
                },
            ],
        }"#]]
    .assert_eq(&format!("{batch:#?}"));
    let twice = b"a 1\na{x=\"y\",x=\"z\"} 2\n";
    let error = decode_exposition(ExpositionFormat::Text, twice, ExpositionOptions::default(), 77).expect_err("bad");
    expect![[r#"line 2: label name "x" is not unique, while reading "a{x=\"y\",x=\"z\"} 2""#]]
        .assert_eq(&error.to_string());
}

#[test]
fn samples_of_one_series_stand_together_with_their_starts() {
    let body = b"# TYPE a counter\na_total{x=\"1\"} 1 1\na_total{x=\"2\"} 5 1\na_total{x=\"1\"} 2 2\na_created{x=\"1\"} 0.5 2\n# EOF\n";
    let batch = decode_exposition(ExpositionFormat::OpenMetrics, body, ExpositionOptions::default(), 77).expect("good");
    let line = |series: &model::SeriesSamples| {
        let samples: Vec<_> = series.samples.iter().map(|sample| (sample.time_ms, sample.value)).collect();
        format!("{} {samples:?} {:?}", series.labels, series.starts)
    };
    let lines: Vec<String> = batch.series.iter().map(line).collect();
    let want = ["a_total{x=\"1\"} [(1000, 1.0), (2000, 2.0)] [500, 500]", "a_total{x=\"2\"} [(1000, 5.0)] []"];
    assert_eq!(lines, want);
}
