//! Services whose latencies are native histograms, as OpenTelemetry's exponential ones are: found, counted and compared like classic ones.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use model::{Labels, TimeRange, Timestamp, Value};
use promql::{
    EvalLimits, EvalRange, QueryValue, SelectRequest, SequenceValue, SeriesSource, SourceError, SourceSeries,
};
use rules::{RuleQuery, RuleQueryError};
use verdict::Part;

use crate::telemetry::{Seen, Telemetry, Versions};

/// Series as promtool's tests write them, a sample every ten seconds from 1970 on.
struct Memory(Vec<SourceSeries>);

const STEP_MS: i64 = 10_000;

impl Memory {
    fn of(lines: &[&str]) -> Self {
        Self(lines.iter().map(|line| series(line)).collect())
    }
}

fn series(line: &str) -> SourceSeries {
    let (labels, places) = promql::parse_series(line).expect("a series");
    let (mut times, mut values, mut histograms) = (Vec::new(), Vec::new(), Vec::new());
    for (at, place) in (0i64..).zip(places) {
        let (value, histogram) = match place {
            SequenceValue::Missing => continue,
            SequenceValue::Float(value) => (value, None),
            SequenceValue::Histogram { histogram, .. } => (0.0, Some(histogram)),
        };
        times.push(at * STEP_MS);
        values.push(value);
        histograms.push(histogram);
    }
    SourceSeries { labels, times: times.into(), values: values.into(), histograms, ..SourceSeries::default() }
}

impl SeriesSource for Memory {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        let fits = |series: &&SourceSeries| {
            let has = |matcher: &promql::Matcher| matcher.matches(series.labels.get(&matcher.name).unwrap_or_default());
            request.matchers.iter().all(has)
        };
        Ok(self.0.iter().filter(fits).cloned().collect())
    }
}

impl RuleQuery for Memory {
    fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        let parsed = promql::parse(expr).map_err(|error| RuleQueryError(error.to_string()))?;
        let range = EvalRange::Instant { time_ms: at.millis() };
        let outcome = promql::eval(&parsed, self, range, &EvalLimits::default());
        match outcome.map_err(|error| RuleQueryError(error.to_string()))?.value {
            QueryValue::Vector(samples) => Ok(samples.into_iter().map(|found| (found.labels, found.value)).collect()),
            other => Err(RuleQueryError(other.result_type().to_owned())),
        }
    }

    fn logs(&self, _: &str, _: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        Ok(Vec::new())
    }
}

/// What is found of `shop` at a time, and its counters.
fn check(lines: &[&str], at_s: i64, want: Expect) {
    let memory = Memory::of(lines);
    let at = Timestamp(at_s * 1_000_000_000);
    let telemetry = Telemetry::find(&memory, "shop", &[], Vec::new(), at).expect("telemetry");
    let mut text = format!("reads {}\nbounds {:?}\n", telemetry.sources().join(", "), telemetry.bounds);
    let versions = Versions { new: Some("2".to_owned()), label: None };
    let mut seen = Seen::default();
    let counters = telemetry.counters(&memory, &versions, at, &mut seen).expect("counters");
    for counter in counters.iter().filter(|counter| counter.value != 0.0) {
        let part = match &counter.part {
            Part::Requests(role, route) => format!("{role:?} {route} requests"),
            Part::Errors(role, route) => format!("{role:?} {route} errors"),
            Part::Bucket(role, route, at) => {
                let upper = telemetry.bounds.get(*at).copied().unwrap_or(f64::INFINITY);
                format!("{role:?} {route} up to {upper} s")
            }
            other => format!("{other:?}"),
        };
        text.push_str(&format!("{part}: {} at {} s\n", counter.value, counter.at.0 / 1_000_000_000));
    }
    let again = telemetry.counters(&memory, &versions, at, &mut seen).expect("counters");
    assert!(again.is_empty(), "no sample is newer: {again:?}");
    let windows = telemetry.history(&memory, at, "shop").expect("a past");
    for window in windows.iter().take(1) {
        for (route, cell) in &window.cells {
            let buckets: Vec<f64> = cell.buckets.iter().map(|count| count.round()).collect();
            let (n, bad) = (cell.requests.n.round(), cell.requests.bad.round());
            text.push_str(&format!("before, {route}: {n} requests, {bad} bad, {buckets:?}\n"));
        }
    }
    want.assert_eq(&text);
}

#[test]
fn a_native_histogram_is_requests_and_buckets() {
    let version = |version: &str, code: u16, n: u32| {
        let labels = format!(
            "service_name=\"shop\", service_version=\"{version}\", http_route=\"/pay\", http_response_status_code=\"{code}\""
        );
        // A third each in (1/8, 1/4], (1/4, 1/2] and (1/2, 1].
        format!(
            "http_server_request_duration_seconds{{{labels}}} {{{{schema:0 count:0 sum:0}}}}+{{{{schema:0 count:{} sum:{n} offset:-2 buckets:[{n} {n} {n}]}}}}x12",
            3 * n
        )
    };
    let lines = [version("1", 200, 100), version("1", 500, 1), version("2", 200, 10)];
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    check(
        &lines,
        120,
        expect![[r#"
        reads http_server_request_duration_seconds{service_name="shop"}
        bounds [0.00390625, 0.0078125, 0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
        Old /pay requests: 3600 at 120 s
        New /pay requests: 360 at 120 s
        Old /pay errors: 36 at 120 s
        Old /pay requests: 36 at 120 s
        New /pay up to 0.25 s: 120 at 120 s
        New /pay up to 0.5 s: 120 at 120 s
        New /pay up to 1 s: 120 at 120 s
        Old /pay up to 0.25 s: 1200 at 120 s
        Old /pay up to 0.5 s: 1200 at 120 s
        Old /pay up to 1 s: 1200 at 120 s
        Old /pay up to 0.25 s: 12 at 120 s
        Old /pay up to 0.5 s: 12 at 120 s
        Old /pay up to 1 s: 12 at 120 s
        before, /pay: 1998 requests, 18 bad, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 666.0, 666.0, 666.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    "#]],
    );
}

#[test]
fn a_classic_counter_may_have_a_native_histogram_beside_it() {
    check(
        &[
            "http_requests_total{service=\"shop\", code=\"200\"} 0+5x12",
            "http_request_duration_seconds{service=\"shop\"} {{schema:2 count:0 sum:0}}+{{schema:2 count:5 sum:2 offset:-7 buckets:[1 1 1 1 1]}}x12",
        ],
        120,
        expect![[r#"
            reads http_requests_total{service="shop"}, http_request_duration_seconds{service="shop"}
            bounds [0.00390625, 0.0078125, 0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0]
            New  requests: 60 at 120 s
            New  up to 0.5 s: 48 at 120 s
            New  up to 1 s: 12 at 120 s
            before, : 30 requests, 0 bad, [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 24.0, 6.0, 0.0, 0.0, 0.0, 0.0, 0.0]
        "#]],
    );
}
