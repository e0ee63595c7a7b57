//! Bodies of one target, one after the other: what is stored of each.

use std::fmt::Write as _;

use decode::exposition::ExpositionFormat;
use expect_test::{Expect, expect};
use model::{SeriesBatch, is_stale_nan};

use super::{BodyError, BodyOptions, Counts, SampleRules, TargetSeries};
use crate::config::ScrapeConfig;
use crate::labels::LabelSet;

struct Target {
    series: TargetSeries,
    rules: SampleRules,
    time_ms: i64,
    options: BodyOptions,
}

impl Target {
    /// `keys` are further keys of the job, each in a line.
    fn new(keys: &str) -> Self {
        let keys: String = keys.lines().map(|line| format!("  {line}\n")).collect();
        let text = format!("scrape_configs:\n- job_name: test\n{keys}");
        let config = ScrapeConfig::parse(&[("f.yml".to_owned(), text)]).expect("settings");
        let target = LabelSet::from_iter([("job", "test"), ("instance", "a:1")]);
        let job = &config.jobs[0];
        let options = BodyOptions {
            format: ExpositionFormat::Text,
            native_histograms: job.native_histograms,
            classic_histograms: job.classic_histograms,
            convert_histograms: job.convert_histograms,
            time_ms: 0,
        };
        Self { series: TargetSeries::default(), rules: SampleRules::new(job, &target), time_ms: 0, options }
    }

    fn take(&mut self, body: &str) -> (Counts, Result<SeriesBatch, BodyError>) {
        self.time_ms += 1000;
        self.series.body(body.as_bytes(), BodyOptions { time_ms: self.time_ms, ..self.options }, &self.rules)
    }

    /// What is stored of a body; nothing at all when it is refused, but markers.
    fn check(&mut self, body: &str, expect: Expect) {
        let (counts, outcome) = self.take(body);
        let mut out = format!("{}/{}/{}\n", counts.scraped, counts.kept, counts.added);
        match outcome {
            Ok(batch) => out.push_str(&shown(&batch)),
            Err(error) => {
                let _ = writeln!(out, "{error}");
                out.push_str(&shown(&self.series.nothing(self.time_ms)));
            }
        }
        expect.assert_eq(&out);
    }
}

fn shown(batch: &SeriesBatch) -> String {
    let mut out = String::new();
    for series in &batch.series {
        for sample in &series.samples {
            let value = if is_stale_nan(sample.value) { "stale".to_owned() } else { sample.value.to_string() };
            let _ = writeln!(out, "{} {value} @{}", series.labels, sample.time_ms);
        }
        for sample in &series.histograms {
            let value =
                if sample.histogram.is_stale() { "stale".to_owned() } else { sample.histogram.test_expression() };
            let _ = writeln!(out, "{} {value} @{}", series.labels, sample.time_ms);
        }
        for exemplar in &series.exemplars {
            let _ = writeln!(out, "  exemplar {} {} @{}", exemplar.labels, exemplar.value, exemplar.time_ms);
        }
    }
    for metadata in &batch.metadata {
        let _ = writeln!(out, "{}: {} {:?}", metadata.name, metadata.kind.as_str(), metadata.help);
    }
    out
}

#[test]
fn series_come_and_go() {
    let mut target = Target::new("");
    target.check(
        "# TYPE a counter\n# HELP a Help.\na 1\nb{x=\"1\"} 2\n",
        expect![[r#"
        2/2/2
        a{instance="a:1", job="test"} 1 @1000
        b{instance="a:1", job="test", x="1"} 2 @1000
        a: counter "Help."
    "#]],
    );
    target.check(
        "# TYPE a counter\n# HELP a Help.\na 2\n",
        expect![[r#"
        1/1/0
        a{instance="a:1", job="test"} 2 @2000
        b{instance="a:1", job="test", x="1"} stale @2000
    "#]],
    );
    target.check(
        "# TYPE a counter\n# HELP a Other.\na 3\nb{x=\"1\"} 4\n",
        expect![[r#"
        2/2/1
        a{instance="a:1", job="test"} 3 @3000
        b{instance="a:1", job="test", x="1"} 4 @3000
        a: counter "Other."
    "#]],
    );
    // A mistake in the last line: nothing is stored, and everything is stale, once.
    target.check(
        "a 4\nc 1\nb{x=\"1\"\n",
        expect![[r#"
        2/2/1
        line 3: expected a label name, found the end of the line, while reading "b{x=\"1\""
        a{instance="a:1", job="test"} stale @4000
        b{instance="a:1", job="test", x="1"} stale @4000
    "#]],
    );
    target.check(
        "a 4\nc\n",
        expect![[r#"
        1/1/0
        line 2: expected a value after the metric, found the end of the line, while reading "c"
    "#]],
    );
    target.check(
        "a 5\nb{x=\"1\"} 5\n",
        expect![[r#"
        2/2/0
        a{instance="a:1", job="test"} 5 @6000
        b{instance="a:1", job="test", x="1"} 5 @6000
    "#]],
    );
    target.check(
        "",
        expect![[r#"
        0/0/0
        a{instance="a:1", job="test"} stale @7000
        b{instance="a:1", job="test", x="1"} stale @7000
    "#]],
    );
    target.check(
        "",
        expect![[r#"
        0/0/0
    "#]],
    );
}

/// Bodies with ever new series that can not be read leave nothing behind.
#[test]
fn what_a_bad_body_brought_is_given_up() {
    let mut target = Target::new("");
    target.take("# HELP a Help.\na 1\n").1.expect("good");
    let held = |target: &Target| {
        let series = &target.series;
        (series.names.len(), series.ids.len(), series.slots.len() - series.free.len(), series.metadata.len())
    };
    let before = held(&target);
    for number in 0..100 {
        let body = format!("# HELP new{number} Help.\nnew{number} 1\na{{x=\"{number}\"}} 1\na 1\nbad\n");
        target.take(&body).1.expect_err("bad");
        assert_eq!(held(&target), before);
    }
    assert!(target.series.slots.len() <= 3, "places are used again");
    target.check(
        "a 2\nnew 3\n",
        expect![[r#"
            2/2/1
            a{instance="a:1", job="test"} 2 @102000
            new{instance="a:1", job="test"} 3 @102000
        "#]],
    );
}

#[test]
fn times_of_the_target() {
    let mut target = Target::new("");
    // Series with times of their own are not marked, and what lies far ahead is left out.
    target.check(
        "a 1 500\nb 2\nc 3 9999999\n",
        expect![[r#"
        3/3/3
        a{instance="a:1", job="test"} 1 @500
        b{instance="a:1", job="test"} 2 @1000
    "#]],
    );
    target.check(
        "",
        expect![[r#"
        0/0/0
        b{instance="a:1", job="test"} stale @2000
    "#]],
    );
    target.check(
        "a 1 500\na 2 600\nb 1\nb 2\n",
        expect![[r#"
        4/4/2
        a{instance="a:1", job="test"} 1 @500
        a{instance="a:1", job="test"} 2 @600
        b{instance="a:1", job="test"} 1 @3000
    "#]],
    );
    let mut tracked = Target::new("track_timestamps_staleness: true");
    tracked.check(
        "a 1 500\n",
        expect![[r#"
        1/1/1
        a{instance="a:1", job="test"} 1 @500
    "#]],
    );
    tracked.check(
        "",
        expect![[r#"
        0/0/0
        a{instance="a:1", job="test"} stale @2000
    "#]],
    );
    let mut ignored = Target::new("honor_timestamps: false");
    ignored.check(
        "a 1 500\na 2 600\n",
        expect![[r#"
        2/2/1
        a{instance="a:1", job="test"} 1 @1000
    "#]],
    );
}

#[test]
fn labels_of_the_target_and_of_the_series() {
    let body = "a{job=\"own\",exported_job=\"x\",instance=\"\",le=\"1\"} 1\n";
    Target::new("").check(
        body,
        expect![[r#"
        1/1/1
        a{exported_exported_job="own", exported_job="x", instance="a:1", job="test", le="1"} 1 @1000
    "#]],
    );
    Target::new("honor_labels: true").check(
        body,
        expect![[r#"
        1/1/1
        a{exported_job="x", instance="a:1", job="own", le="1"} 1 @1000
    "#]],
    );
}

#[test]
fn rules_for_series() {
    let keys = "metric_relabel_configs:\n- {source_labels: [__name__], regex: 'drop_.*', action: drop}\n\
                - {source_labels: [__name__], regex: 'old_(.*)', target_label: __name__, replacement: 'new_$1'}\n- {regex: id, action: labeldrop}";
    let mut target = Target::new(keys);
    // The last two become one series: the first of them counts.
    target.check(
        "drop_a 1\nold_a 2\nb{id=\"1\"} 3\nb{id=\"2\"} 4\n",
        expect![[r#"
        4/3/2
        new_a{instance="a:1", job="test"} 2 @1000
        b{instance="a:1", job="test"} 3 @1000
    "#]],
    );
    target.check(
        "drop_a 1\nb{id=\"2\"} 4\n",
        expect![[r#"
        2/1/0
        b{instance="a:1", job="test"} 4 @2000
        new_a{instance="a:1", job="test"} stale @2000
    "#]],
    );
    let mut nameless = Target::new("metric_relabel_configs:\n- {regex: __name__, action: labeldrop}");
    nameless.check(
        "a 1\n",
        expect![[r#"
        1/0/0
        line 1: missing metric name (__name__ label), while reading "a 1"
    "#]],
    );
}

#[test]
fn limits() {
    Target::new("sample_limit: 2").check(
        "a 1\nb 1\nc 1\nd 1\n",
        expect![[r#"
        4/4/4
        sample limit exceeded: the answer has more than 2 samples
    "#]],
    );
    Target::new("label_limit: 3").check(
        "ok 1\na{x=\"1\"} 1\n",
        expect![[r#"
        2/1/1
        line 2: label_limit exceeded (metric: a, number of labels: 4, limit: 3), while reading "a{x=\"1\"} 1"
    "#]],
    );
    Target::new("label_name_length_limit: 8").check("ok 1\na{x_long_name=\"1\"} 1\n", expect![[r#"
        2/1/1
        line 2: label_name_length_limit exceeded (metric: a, label name: x_long_name, length: 11, limit: 8), while reading "a{x_long_name=\"1\"} 1"
    "#]]);
    Target::new("label_value_length_limit: 5").check("ok 1\na{x=\"123456\"} 1\n", expect![[r#"
        2/1/1
        line 2: label_value_length_limit exceeded (metric: a, label name: x, value: "123456", length: 6, limit: 5), while reading "a{x=\"123456\"} 1"
    "#]]);
    Target::new("metric_name_validation_scheme: legacy").check("{\"a.b\"} 1\n", expect![[r#"
        1/0/0
        line 1: invalid metric name or label names: {__name__="a.b", instance="a:1", job="test"}, while reading "{\"a.b\"} 1"
    "#]]);
    Target::new("").check(
        "a{x=\"1\",x=\"2\"} 1\n",
        expect![[r#"
        1/0/0
        line 1: label name "x" is not unique: invalid sample, while reading "a{x=\"1\",x=\"2\"} 1"
    "#]],
    );
}

#[test]
fn histograms() {
    let mut target = Target::new("convert_classic_histograms_to_nhcb: true");
    let body = "# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\ng 1\n";
    target.check(
        body,
        expect![[r#"
        2/2/2
        h{instance="a:1", job="test"} {{schema:-53 count:2 sum:3 custom_values:[1] buckets:[1 1]}} @1000
        g{instance="a:1", job="test"} 1 @1000
        h: histogram ""
    "#]],
    );
    target.check(
        "g 2\n",
        expect![[r#"
        1/1/0
        g{instance="a:1", job="test"} 2 @2000
        h{instance="a:1", job="test"} stale @2000
    "#]],
    );
    let mut narrow = Target::new("convert_classic_histograms_to_nhcb: true\nnative_histogram_bucket_limit: 1");
    narrow.check(
        body,
        expect![[r#"
        2/2/2
        histogram bucket limit exceeded
    "#]],
    );
}

#[test]
fn exemplars_are_stored_when_they_are_new() {
    let mut target = Target::new("");
    target.options.format = ExpositionFormat::OpenMetrics;
    target.check(
        "a_total 1 # {t=\"x\"} 1\n# EOF\n",
        expect![[r#"
        1/1/1
        a_total{instance="a:1", job="test"} 1 @1000
          exemplar {t="x"} 1 @1000
    "#]],
    );
    target.check(
        "a_total 2 # {t=\"x\"} 1\n# EOF\n",
        expect![[r#"
        1/1/0
        a_total{instance="a:1", job="test"} 2 @2000
    "#]],
    );
    target.check(
        "a_total 3 # {t=\"y\"} 1\n# EOF\n",
        expect![[r#"
        1/1/0
        a_total{instance="a:1", job="test"} 3 @3000
          exemplar {t="y"} 1 @3000
    "#]],
    );
    target.check(
        "a_total 4\n# EOF\n",
        expect![[r#"
        1/1/0
        a_total{instance="a:1", job="test"} 4 @4000
    "#]],
    );
    target.check(
        "a_total 5 # {t=\"y\"} 1\n# EOF\n",
        expect![[r#"
        1/1/0
        a_total{instance="a:1", job="test"} 5 @5000
          exemplar {t="y"} 1 @5000
    "#]],
    );
}

#[test]
fn an_unchanged_body_makes_no_labels() {
    let mut target = Target::new("");
    let body: String = (0..100).map(|n| format!("a{{n=\"{n}\"}} {n}\n")).collect();
    let first = target.take(&body).1.expect("good");
    let second = target.take(&body).1.expect("good");
    for (first, second) in first.series.iter().zip(&second.series) {
        assert!(std::ptr::eq(first.labels.pairs(), second.labels.pairs()), "{}", first.labels);
    }
}

#[test]
fn memory_follows_what_is_there() {
    let mut target = Target::new("");
    for round in 0..50 {
        let body: String = (0..20).map(|n| format!("a{{n=\"{}\"}} 1\n", round * 20 + n)).collect();
        target.take(&body).1.expect("good");
    }
    assert!(target.series.slots.len() <= 40, "{}", target.series.slots.len());
    assert_eq!(target.series.names.len(), 20);
    assert_eq!(target.series.ids.len(), 20);
}
