//! Properties against a naive evaluator, and the texts of errors and formatted queries.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, helpers included")]

use expect_test::{Expect, expect};
use model::{Labels, stale_nan};
use promql::{EvalLimits, EvalRange, QueryValue, SelectRequest, SeriesSource, SourceError, SourceSeries, eval, parse};
use proptest::prelude::*;

/// Series of one metric, told apart by a label.
struct Source(Vec<SourceSeries>);

impl SeriesSource for Source {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        let clip = |series: &SourceSeries| {
            let inside = |time: &i64| (request.start_ms..=request.end_ms).contains(time);
            let pairs = series.times.iter().zip(&series.values).filter(|(time, _)| inside(time));
            let (times, values) = pairs.map(|(time, value)| (*time, *value)).unzip();
            SourceSeries::floats(series.labels.clone(), times, values)
        };
        Ok(self.0.iter().map(clip).filter(|series| !series.times.is_empty()).collect())
    }
}

fn series(index: usize, samples: &[(i64, f64)]) -> SourceSeries {
    let labels: Labels = [("__name__", "x_total".to_owned()), ("i", index.to_string())].into_iter().collect();
    let mut sorted = samples.to_vec();
    sorted.sort_by_key(|sample| sample.0);
    sorted.dedup_by_key(|sample| sample.0);
    let (times, values) = sorted.into_iter().unzip();
    SourceSeries::floats(labels, times, values)
}

fn range(source: &Source, query: &str) -> Vec<(Labels, Vec<(i64, f64)>)> {
    let when = EvalRange::Range { start_ms: START, end_ms: END, step_ms: STEP };
    let outcome = eval(&parse(query).unwrap(), source, when, &EvalLimits::default()).unwrap();
    let QueryValue::Matrix(matrix) = outcome.value else { panic!("not a matrix") };
    let points = |samples: Vec<model::Sample>| samples.into_iter().map(|s| (s.time_ms, s.value)).collect();
    matrix.into_iter().map(|series| (series.labels, points(series.samples))).collect()
}

const START: i64 = 60_000;
const END: i64 = 600_000;
const STEP: i64 = 37_000;
const WINDOW: i64 = 120_000;

fn steps() -> impl Iterator<Item = i64> {
    (0..).map(|step| START + step * STEP).take_while(|time| *time <= END)
}

fn window(series: &SourceSeries, end: i64) -> Vec<(i64, f64)> {
    let pairs = series.times.iter().zip(&series.values).map(|(time, value)| (*time, *value));
    pairs.filter(|(time, value)| *time > end - WINDOW && *time <= end && !model::is_stale_nan(*value)).collect()
}

/// Prometheus's `extrapolatedRate`, written as it is there: window by window.
fn naive_increase(series: &SourceSeries, end: i64) -> Option<f64> {
    let points = window(series, end);
    if points.len() < 2 {
        return None;
    }
    let (first, last) = (points[0], points[points.len() - 1]);
    let mut result = last.1 - first.1;
    for pair in points.windows(2) {
        if pair[1].1 < pair[0].1 {
            result += pair[0].1;
        }
    }
    let sampled = (last.0 - first.0) as f64 / 1000.0;
    let average = sampled / (points.len() - 1) as f64;
    let (mut to_start, mut to_end) = ((first.0 - (end - WINDOW)) as f64 / 1000.0, (end - last.0) as f64 / 1000.0);
    if to_start >= average * 1.1 {
        to_start = average / 2.0;
    }
    if result > 0.0 && first.1 >= 0.0 {
        to_start = to_start.min(sampled * (first.1 / result));
    }
    if to_end >= average * 1.1 {
        to_end = average / 2.0;
    }
    Some(result * ((sampled + to_start + to_end) / sampled))
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * (a.abs() + b.abs()).max(1.0)
}

fn check_against(source: &Source, query: &str, naive: impl Fn(&SourceSeries, i64) -> Option<f64>) {
    let found = range(source, query);
    for series in &source.0 {
        let name_gone = series.labels.get("i").unwrap();
        let got = found.iter().find(|(labels, _)| labels.get("i") == Some(name_gone));
        let got: Vec<(i64, f64)> = got.map(|(_, points)| points.clone()).unwrap_or_default();
        let want: Vec<(i64, f64)> = steps().filter_map(|time| Some((time, naive(series, time)?))).collect();
        let same = got.len() == want.len() && got.iter().zip(&want).all(|(a, b)| a.0 == b.0 && close(a.1, b.1));
        assert!(same, "{query} of {series:?}: {got:?} instead of {want:?}");
    }
}

fn samples() -> impl Strategy<Value = Vec<Vec<(i64, f64)>>> {
    let value = prop_oneof![9 => (0u32..1000).prop_map(f64::from), 1 => Just(stale_nan())];
    prop::collection::vec(prop::collection::vec((0i64..650_000, value), 0..60), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn sliding_windows_equal_windows_one_by_one(all in samples()) {
        let source = Source(all.iter().enumerate().map(|(at, samples)| series(at, samples)).collect());
        check_against(&source, "increase(x_total[2m])", naive_increase);
        check_against(&source, "rate(x_total[2m])", |series, time| naive_increase(series, time).map(|v| v / 120.0));
        type Fold = fn(Vec<f64>) -> f64;
        let folds: [(&str, Fold); 6] = [
            ("sum_over_time", |v| v.iter().sum()),
            ("count_over_time", |v| v.len() as f64),
            ("min_over_time", |v| v.into_iter().fold(f64::INFINITY, f64::min)),
            ("max_over_time", |v| v.into_iter().fold(f64::NEG_INFINITY, f64::max)),
            ("avg_over_time", |v| v.iter().sum::<f64>() / v.len() as f64),
            ("resets", |v| v.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64),
        ];
        for (name, fold) in folds {
            check_against(&source, &format!("{name}(x_total[2m])"), |series, time| {
                let values: Vec<f64> = window(series, time).into_iter().map(|(_, value)| value).collect();
                (!values.is_empty()).then(|| fold(values))
            });
        }
    }

    #[test]
    fn a_fused_sum_equals_the_sum_of_rates(all in samples()) {
        let source = Source(all.iter().enumerate().map(|(at, samples)| series(at, samples)).collect());
        let got: Vec<(i64, f64)> = range(&source, "sum(increase(x_total[2m]))").into_iter().flat_map(|(_, p)| p).collect();
        let total = |time: i64| {
            let parts: Vec<f64> = source.0.iter().filter_map(|series| naive_increase(series, time)).collect();
            (!parts.is_empty()).then(|| (time, parts.iter().sum::<f64>()))
        };
        let want: Vec<(i64, f64)> = steps().filter_map(total).collect();
        prop_assert_eq!(got.len(), want.len());
        for (a, b) in got.iter().zip(&want) {
            prop_assert!(a.0 == b.0 && close(a.1, b.1), "{:?} instead of {:?}", a, b);
        }
    }

    #[test]
    fn the_parser_never_panics(text in ".{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn fragments_parse_or_fail_with_a_place(parts in prop::collection::vec(prop::sample::select(vec![
        "rate", "sum", "by", "(", ")", "[", "]", "{", "}", "5m", ":", "x", "1", "+", "-", "^", "offset", "@", "a=\"b\"", ",",
        "and", "on", "group_left", "bool", "==", " ", "start()",
    ]), 0..14)) {
        let text = parts.concat();
        match parse(&text) {
            // What is printed parses to the same text again.
            Ok(expr) => prop_assert_eq!(parse(&expr.to_string()).map(|e| e.to_string()), Ok(expr.to_string())),
            Err(error) => prop_assert!(error.span.start <= text.len()),
        }
    }
}

fn check(query: &str, want: Expect) {
    match parse(query) {
        Ok(expr) => want.assert_eq(&expr.to_string()),
        Err(error) => want.assert_eq(&error.to_string()),
    }
}

#[test]
fn errors_read_as_prometheus_writes_them() {
    check("", expect!["1:1: parse error: no expression found in input"]);
    check("foo{", expect!["1:5: parse error: unexpected end of input inside braces"]);
    check("sum(", expect!["1:5: parse error: unclosed left parenthesis"]);
    check("1 == 1", expect!["1:3: parse error: comparisons between scalars must use BOOL modifier"]);
    check(
        "rate(foo)",
        expect![[r#"1:6: parse error: expected type range vector in call to function "rate", got instant vector"#]],
    );
    check("nope(foo)", expect![[r#"1:1: parse error: unknown function with name "nope""#]]);
    check(
        "foo[5m] + 1",
        expect!["1:1: parse error: binary expression must contain only scalar and instant vector types"],
    );
    check("{}", expect!["1:1: parse error: vector selector must contain at least one non-empty matcher"]);
    check(
        "foo offset",
        expect!["1:11: parse error: unexpected end of input in offset, expected number, duration, step(), or range()"],
    );
    check("1 and foo", expect![[r#"1:1: parse error: set operator "and" not allowed in binary scalar expression"#]]);
    check("foo{a=1}", expect![[r#"1:7: parse error: unexpected character inside braces: '1'"#]]);
}

#[test]
fn queries_print_in_canonical_form() {
    check("sum(rate(x{a='b'}[5m]))by(job)", expect![[r#"sum by (job) (rate(x{a="b"}[5m]))"#]]);
    check("a/on(x)group_left(y)b", expect!["a / on (x) group_left (y) b"]);
    check("-x^2", expect!["-x ^ 2"]);
    check("x offset 90m @ 1.5", expect!["x @ 1.500 offset 1h30m"]);
}

#[test]
fn limits_are_errors_that_name_themselves() {
    let source = Source(vec![series(0, &[(1000, 1.0), (2000, 2.0)])]);
    let run =
        |range, limits: &EvalLimits| eval(&parse("x_total").unwrap(), &source, range, limits).unwrap_err().to_string();
    let at = EvalRange::Instant { time_ms: 2000 };
    let few = EvalLimits { samples_max: 1, ..EvalLimits::default() };
    expect!["query processing would load too many samples into memory in query execution (limit samples_max = 1); narrow the selector or the time range"]
        .assert_eq(&run(at, &few));
    let long = EvalRange::Range { start_ms: 0, end_ms: 20_000_000, step_ms: 1000 };
    expect![
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
    ]
    .assert_eq(&run(long, &EvalLimits::default()));
    let cancel = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    expect!["query was canceled in expression evaluation"]
        .assert_eq(&run(at, &EvalLimits { cancel: Some(cancel), ..EvalLimits::default() }));
    let deadline = Some(std::time::Instant::now());
    expect!["query timed out in expression evaluation"]
        .assert_eq(&run(at, &EvalLimits { deadline, ..EvalLimits::default() }));
}

#[test]
fn the_api_shape_is_prometheus_s() {
    let source = Source(vec![series(0, &[(1000, 1.5)])]);
    let outcome =
        eval(&parse("x_total").unwrap(), &source, EvalRange::Instant { time_ms: 2500 }, &EvalLimits::default());
    expect![[r#"{"resultType":"vector","result":[{"metric":{"__name__":"x_total","i":"0"},"value":[2.5,"1.5"]}]}"#]]
        .assert_eq(&outcome.unwrap().value.to_json().to_string());
}
