//! Properties against a naive evaluator, and the texts of errors and formatted queries.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, helpers included")]

mod against_naive;
mod chains;
mod fuzz;
mod naive;
mod printed;
mod regexp;

use expect_test::{Expect, expect};
use model::{Labels, stale_nan};
use promql::{EvalLimits, EvalRange, QueryValue, SelectRequest, SeriesSource, SourceError, SourceSeries, eval, parse};
use proptest::prelude::*;

/// Series of one metric, told apart by a label.
struct Source(Vec<SourceSeries>);

impl SeriesSource for Source {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        let clip = |series: &SourceSeries| {
            let from = series.times.partition_point(|time| *time < request.start_ms);
            let to = series.times.partition_point(|time| *time <= request.end_ms).max(from);
            let (times, values) = (series.times[from..to].to_vec(), series.values[from..to].to_vec());
            let mut clipped = SourceSeries::floats(series.labels.clone(), times, values);
            clipped.histograms = series.histograms.get(from..to).unwrap_or_default().to_vec();
            clipped.starts = series.starts.get(from..to).unwrap_or_default().to_vec();
            clipped
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

fn range(source: &dyn SeriesSource, query: &str) -> Vec<(Labels, Vec<(i64, f64)>)> {
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

/// The newest sample that is neither too old nor a staleness marker.
fn current(series: &SourceSeries, time: i64) -> Option<f64> {
    let next = series.times.partition_point(|t| *t <= time);
    let at = next.checked_sub(1).filter(|at| series.times[*at] > time - 300_000)?;
    Some(series.values[at]).filter(|value| !model::is_stale_nan(*value))
}

fn variance(values: Vec<f64>) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64
}

fn quantile(q: f64, mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = q * (values.len() - 1) as f64;
    let (low, high) = (values[rank.floor() as usize], values[rank.ceil() as usize]);
    low + (high - low) * rank.fract()
}

/// Series of several metrics, found by name.
struct ByName(Vec<SourceSeries>);

impl SeriesSource for ByName {
    fn select(&self, request: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        let wanted = |series: &&SourceSeries| {
            request.matchers.iter().all(|m| m.matches(series.labels.get(&m.name).unwrap_or("")))
        };
        Source(self.0.iter().filter(wanted).cloned().collect()).select(request)
    }
}

/// What makes histograms and numbers come out the same however they are asked for.
const MIXED_QUERIES: [&str; 14] = [
    "x_total",
    "rate(x_total[2m])",
    "increase(x_total[2m] anchored)",
    "delta(x_total[2m] smoothed)",
    "irate(x_total[2m])",
    "sum(x_total)",
    "avg by (i) (x_total)",
    "sum_over_time(x_total[2m])",
    "avg_over_time(x_total[2m])",
    "resets(x_total[2m]) + changes(x_total[2m])",
    "histogram_quantile(0.9, x_total)",
    "histogram_count(x_total) + histogram_fraction(0, 2, x_total)",
    "x_total * 2 - x_total",
    "last_over_time(x_total[2m]) </ 1.5",
];

/// A time, a number, and which kind of sample: a number, exponential buckets, custom ones.
fn mixed_samples() -> impl Strategy<Value = Vec<Vec<(i64, u32, u8)>>> {
    prop::collection::vec(prop::collection::vec((0i64..650_000, 0u32..50, 0u8..6), 0..40), 1..4)
}

fn mixed_series(index: usize, samples: &[(i64, u32, u8)]) -> SourceSeries {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.dedup_by_key(|sample| sample.0);
    let mut series = series(index, &sorted.iter().map(|(time, n, _)| (*time, f64::from(*n))).collect::<Vec<_>>());
    let histogram = |(_, n, kind): &(i64, u32, u8)| {
        let n = f64::from(*n);
        let (schema, bounds): (i32, &[f64]) = match kind {
            0 | 1 => return None,
            2 => (1, &[]),
            3 => (0, &[]),
            4 => (model::histogram::CUSTOM_SCHEMA, &[1.0, 2.0]),
            _ => (model::histogram::CUSTOM_SCHEMA, &[2.0, 3.0]),
        };
        let positive = model::histogram::Buckets::from_pairs([(0, n), (1, 1.0), (2, n / 2.0)]);
        Some(std::sync::Arc::new(model::FloatHistogram {
            schema,
            count: n * 1.5 + 1.0,
            sum: n,
            custom_values: bounds.into(),
            positive,
            ..model::FloatHistogram::default()
        }))
    };
    series.histograms = sorted.iter().map(histogram).collect();
    series
}

fn shown(labels: &Labels, value: f64, histogram: Option<&model::FloatHistogram>) -> String {
    histogram
        .map_or_else(|| format!("{labels} {value:?}"), |histogram| format!("{labels} {}", histogram.test_expression()))
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
        let folds: [(&str, Fold); 11] = [
            ("sum_over_time", |v| v.iter().sum()),
            ("count_over_time", |v| v.len() as f64),
            ("min_over_time", |v| v.into_iter().fold(f64::INFINITY, f64::min)),
            ("max_over_time", |v| v.into_iter().fold(f64::NEG_INFINITY, f64::max)),
            ("avg_over_time", |v| v.iter().sum::<f64>() / v.len() as f64),
            ("resets", |v| v.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64),
            ("changes", |v| v.windows(2).filter(|pair| pair[1] != pair[0]).count() as f64),
            ("last_over_time", |v| v[v.len() - 1]),
            ("first_over_time", |v| v[0]),
            ("stdvar_over_time", variance),
            ("quantile_over_time(0.3,", |v| quantile(0.3, v)),
        ];
        for (name, fold) in folds {
            let open = if name.ends_with(',') { "" } else { "(" };
            check_against(&source, &format!("{name}{open}x_total[2m])"), |series, time| {
                let values: Vec<f64> = window(series, time).into_iter().map(|(_, value)| value).collect();
                (!values.is_empty()).then(|| fold(values))
            });
        }
    }

    #[test]
    fn aggregations_equal_those_over_values_one_by_one(all in samples()) {
        let source = Source(all.iter().enumerate().map(|(at, samples)| series(at, samples)).collect());
        type Fold = fn(Vec<f64>) -> f64;
        let folds: [(&str, Fold); 8] = [
            ("sum(", |v| v.iter().sum()),
            ("avg(", |v| v.iter().sum::<f64>() / v.len() as f64),
            ("count(", |v| v.len() as f64),
            ("min(", |v| v.into_iter().fold(f64::INFINITY, f64::min)),
            ("max(", |v| v.into_iter().fold(f64::NEG_INFINITY, f64::max)),
            ("group(", |_| 1.0),
            ("stdvar(", variance),
            ("quantile(0.7,", |v| quantile(0.7, v)),
        ];
        for (name, fold) in folds {
            let got: Vec<(i64, f64)> = range(&source, &format!("{name} x_total)")).into_iter().flat_map(|(_, p)| p).collect();
            let at = |time: i64| {
                let values: Vec<f64> = source.0.iter().filter_map(|series| current(series, time)).collect();
                (!values.is_empty()).then(|| (time, fold(values)))
            };
            let want: Vec<(i64, f64)> = steps().filter_map(at).collect();
            let same = got.len() == want.len() && got.iter().zip(&want).all(|(a, b)| a.0 == b.0 && close(a.1, b.1));
            prop_assert!(same, "{name}: {got:?} instead of {want:?}");
        }
    }

    #[test]
    fn joins_equal_pairs_one_by_one(left in samples(), right in samples()) {
        let named = |name: &str, all: &[Vec<(i64, f64)>]| -> Vec<SourceSeries> {
            let renamed = |(at, samples): (usize, &Vec<(i64, f64)>)| {
                let labels = [("__name__", name.to_owned()), ("i", at.to_string())].into_iter().collect();
                SourceSeries { labels, ..series(at, samples) }
            };
            all.iter().enumerate().map(renamed).collect()
        };
        let (left, right) = (named("l", &left), named("r", &right));
        let source = ByName([left.clone(), right.clone()].concat());
        type Operate = fn(Option<f64>, Option<f64>) -> Option<f64>;
        let operators: [(&str, Operate); 6] = [
            ("l + ignoring () r", |a, b| Some(a? + b?)),
            ("l - on (i) group_left () r", |a, b| Some(a? - b?)),
            ("l > on (i) r", |a, b| a.filter(|a| Some(*a) > b && b.is_some())),
            ("l and on (i) r", |a, b| a.filter(|_| b.is_some())),
            ("l unless on (i) r", |a, b| a.filter(|_| b.is_none())),
            ("l or on (i) r", |a, b| a.or(b)),
        ];
        for (query, operate) in operators {
            let found = range(&source, query);
            for at in 0..left.len().max(right.len()) {
                let value = |side: &[SourceSeries], time| side.get(at).and_then(|series| current(series, time));
                let want = steps().filter_map(|time| Some((time, operate(value(&left, time), value(&right, time))?)));
                let want: Vec<(i64, f64)> = want.collect();
                let of_row = found.iter().filter(|(labels, _)| labels.get("i") == Some(&at.to_string()));
                let mut got: Vec<(i64, f64)> = of_row.flat_map(|(_, points)| points.clone()).collect();
                got.sort_by_key(|point| point.0);
                let same = got.len() == want.len() && got.iter().zip(&want).all(|(a, b)| a.0 == b.0 && close(a.1, b.1));
                prop_assert!(same, "{query} of {at}: {got:?} instead of {want:?}");
            }
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
    fn series_and_durations_never_panic(text in "[0-9xX+\\-_{}:a-z\\[\\]. ]{0,40}") {
        let _ = promql::parse_series(&format!("x {text}"));
        let _ = promql::parse_series(&format!("x {{{{{text}}}}}x2"));
        let _ = promql::parse_duration_ms(&text);
        let _ = parse(&format!("x[{text}]"));
    }

    #[test]
    fn fragments_parse_or_fail_with_a_place(parts in prop::collection::vec(prop::sample::select(vec![
        "rate", "sum", "by", "(", ")", "[", "]", "{", "}", "5m", ":", "x_total", "1", "+", "-", "^", "offset", "@", "a=\"b\"", ",",
        "and", "on", "group_left", "bool", "==", " ", "start()", "(x_total)", "[5m]", " </ ", "topk(2,", "anchored", "smoothed",
        "histogram_quantile(0.5,", "absent(", "info(", "fill(1)", "step()", " or ", "[5m:1m]", "limit_ratio(-0.5,", "1e400",
    ]), 0..14)) {
        let text = parts.concat();
        match parse(&text) {
            Ok(expr) => {
                // What is printed parses to the same text again, and is evaluated without a panic.
                prop_assert_eq!(parse(&expr.to_string()).map(|e| e.to_string()), Ok(expr.to_string()));
                prop_assert_eq!(parse(&expr.pretty()).map(|e| e.to_string()), Ok(expr.to_string()));
                let source = Source(vec![
                    mixed_series(0, &[(1_000, 3, 2), (61_000, 4, 2), (121_000, 1, 4)]),
                    mixed_series(1, &[(1_000, 3, 0), (61_000, 4, 0)]),
                ]);
                let limits = EvalLimits { samples_max: 10_000, ..EvalLimits::default() };
                let _ = eval(&expr, &source, EvalRange::Instant { time_ms: 121_000 }, &limits);
                let _ = eval(&expr, &source, EvalRange::Range { start_ms: 0, end_ms: 200_000, step_ms: 50_000 }, &limits);
            }
            Err(error) => prop_assert!(error.span.start <= text.len()),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_range_equals_instants_one_by_one(all in mixed_samples()) {
        let source = Source(all.iter().enumerate().map(|(at, samples)| mixed_series(at, samples)).collect());
        for query in MIXED_QUERIES {
            let expr = parse(query).unwrap();
            let limits = EvalLimits::default();
            let when = EvalRange::Range { start_ms: START, end_ms: END, step_ms: STEP };
            let outcome = eval(&expr, &source, when, &limits).unwrap();
            let QueryValue::Matrix(matrix) = outcome.value else { panic!("not a matrix") };
            for time_ms in steps() {
                let instant = eval(&expr, &source, EvalRange::Instant { time_ms }, &limits).unwrap();
                let QueryValue::Vector(vector) = instant.value else { panic!("not a vector") };
                let want: Vec<String> = vector.iter().map(|s| shown(&s.labels, s.value, s.histogram.as_deref())).collect();
                let mut got = Vec::new();
                for series in &matrix {
                    let floats = series.samples.iter().filter(|s| s.time_ms == time_ms);
                    got.extend(floats.map(|s| shown(&series.labels, s.value, None)));
                    let histograms = series.histograms.iter().filter(|s| s.time_ms == time_ms);
                    got.extend(histograms.map(|s| shown(&series.labels, f64::NAN, Some(&s.histogram))));
                }
                prop_assert_eq!(got, want, "{} at {}", query, time_ms);
            }
        }
    }
}

/// Valid vector expressions of any shape.
fn expressions() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "x_total",
        "x_total offset 30s",
        "x_total{i=\"0\"}",
        "rate(x_total[2m])",
        "increase(x_total[90s] anchored)",
        "resets(x_total[3m])",
        "sum_over_time(x_total[2m])",
        "histogram_count(rate(x_total[2m]))",
        "vector(1)",
    ]);
    let one = vec![
        "abs(A)",
        "(-A)",
        "sum by (i) (A)",
        "avg(A)",
        "count(A)",
        "topk(1, A)",
        "quantile(0.5, A)",
        "stddev(A)",
        "rate(A[2m:30s])",
        "last_over_time(A[1m:])",
        "max_over_time(A[2m:37s])",
        "histogram_quantile(0.5, A)",
        "histogram_fraction(0, 1, A)",
        "histogram_quantiles(A, \"q\", 0.1, 0.9)",
        "(A </ 1)",
        "(A * 2)",
        "(A > 1)",
        "(3 - A)",
        "label_replace(A, \"a\", \"$1\", \"i\", \"(.*)\")",
        "count_values(\"v\", A)",
        "absent(A)",
        "timestamp(A)",
        "info(A)",
        "limit_ratio(0.5, A)",
        "limitk(1, A)",
        "clamp_max(A, 3)",
    ];
    let two = vec![
        "(A + on (i) B)",
        "(A - ignoring () B)",
        "(A == on (i) B)",
        "(A > bool on (i) B)",
        "(A or B)",
        "(A and on (i) B)",
        "(A unless B)",
        "(A / on () group_left () sum(B))",
        "(A * scalar(B))",
        "(A + on (i) fill (1) B)",
    ];
    leaf.prop_map(str::to_owned).prop_recursive(4, 12, 2, move |inner| {
        let wrap = (prop::sample::select(one.clone()), inner.clone());
        let join = (prop::sample::select(two.clone()), inner.clone(), inner);
        prop_oneof![
            wrap.prop_map(|(template, a)| template.replace('A', &a)),
            join.prop_map(|(template, a, b)| template.replace('B', &b).replacen('A', &a, 1)),
        ]
    })
}

/// Labels and values of an instant result, sorted.
fn sorted_vector(value: QueryValue) -> Vec<String> {
    let QueryValue::Vector(vector) = value else { panic!("not a vector") };
    let mut all: Vec<String> = vector.iter().map(|s| shown(&s.labels, s.value, s.histogram.as_deref())).collect();
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_expression_means_the_same_at_once_and_step_by_step(query in expressions(), all in mixed_samples()) {
        let source = Source(all.iter().enumerate().map(|(at, samples)| mixed_series(at, samples)).collect());
        let expr = parse(&query).unwrap();
        prop_assert_eq!(parse(&expr.pretty()).unwrap().to_string(), expr.to_string());
        let when = EvalRange::Range { start_ms: START, end_ms: END, step_ms: STEP };
        let Ok(outcome) = eval(&expr, &source, when, &EvalLimits::default()) else { return Ok(()) };
        let QueryValue::Matrix(matrix) = outcome.value else { panic!("not a matrix") };
        for time_ms in steps() {
            let instant = eval(&expr, &source, EvalRange::Instant { time_ms }, &EvalLimits::default());
            let want = sorted_vector(instant.map_err(|error| TestCaseError::fail(format!("{query} at {time_ms}: {error}")))?.value);
            let mut got = Vec::new();
            for series in &matrix {
                let floats = series.samples.iter().filter(|s| s.time_ms == time_ms);
                got.extend(floats.map(|s| shown(&series.labels, s.value, None)));
                let histograms = series.histograms.iter().filter(|s| s.time_ms == time_ms);
                got.extend(histograms.map(|s| shown(&series.labels, f64::NAN, Some(&s.histogram))));
            }
            got.sort();
            prop_assert_eq!(got, want, "{} at {}", query, time_ms);
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

/// Names that go at once go before rows are grouped, and rows that then are the same are a mistake, whoever adds them up.
#[test]
fn names_go_before_groups_are_made() {
    let one = |labels: &[(&str, &str)]| {
        let (times, values) = ((0..20).map(|k| k * 60_000).collect(), (0..20).map(|k| f64::from(k * 60)).collect());
        SourceSeries::floats(labels.iter().copied().collect(), times, values)
    };
    let run = |series: &[&[(&str, &str)]], query: &str, delayed_name_removal| {
        let source = Source(series.iter().map(|labels| one(labels)).collect());
        let limits = EvalLimits { delayed_name_removal, ..EvalLimits::default() };
        let when = EvalRange::Instant { time_ms: 600_000 };
        let outcome = eval(&parse(query).unwrap(), &source, when, &limits);
        outcome.map(|outcome| outcome.value.to_json()["result"].to_string()).map_err(|error| error.to_string())
    };
    let a_and_b: &[&[(&str, &str)]] = &[&[("__name__", "a_total"), ("i", "1")], &[("__name__", "b_total"), ("i", "1")]];
    let same = Err("vector cannot contain metrics with the same labelset".to_owned());
    for query in
        ["sum by (i) (rate({i=\"1\"}[5m]))", "count(max_over_time({i=\"1\"}[5m]))", "sum(rate({i=~\".\"}[5m]))"]
    {
        assert_eq!(run(a_and_b, query, false), same, "{query}");
        assert!(run(a_and_b, query, true).is_ok(), "{query}");
    }
    let apart: &[&[(&str, &str)]] = &[&[("__name__", "a_total"), ("i", "1")], &[("__name__", "b_total"), ("i", "2")]];
    let by_name = "sum by (__name__) (rate({i=~\".\"}[5m]))";
    for series in [&apart[..1], apart] {
        let sum = series.len();
        assert_eq!(run(series, by_name, false), Ok(format!(r#"[{{"metric":{{}},"value":[600,"{sum}"]}}]"#)));
    }
    let kept = "count by (__name__) (last_over_time(a_total[5m]))";
    let want = r#"[{"metric":{"__name__":"a_total"},"value":[600,"1"]}]"#;
    assert_eq!(run(&apart[..1], kept, false), Ok(want.to_owned()));
    let typed: &[&[(&str, &str)]] =
        &[&[("__name__", "a_total"), ("__type__", "counter")], &[("__name__", "a_total"), ("__type__", "gauge")]];
    assert_eq!(run(typed, "sum(rate(a_total[5m]))", false), same);
    let without = run(&typed[..1], "sum without (i) (rate(a_total[5m]))", false);
    assert_eq!(without, Ok(r#"[{"metric":{},"value":[600,"1"]}]"#.to_owned()));
}

#[test]
fn threads_change_nothing() {
    let value = |at: usize, k: i64| f64::from(((at as i64 * 31 + k * 17) % 101) as u16) / 7.0;
    let one = |at: usize| series(at, &(0..600).map(|k| (k * 1000, value(at, k))).collect::<Vec<_>>());
    let source = Source((0..700).map(one).collect());
    let when = EvalRange::Range { start_ms: START, end_ms: END, step_ms: 5_000 };
    for query in ["sum(rate(x_total[2m]))", "x_total", "avg_over_time(x_total[30s])", "topk(3, x_total)"] {
        let expr = parse(query).unwrap();
        let run = |threads| eval(&expr, &source, when, &EvalLimits { threads, ..EvalLimits::default() }).unwrap();
        let alone = run(1);
        for threads in [2, 3, 8] {
            assert_eq!(run(threads), alone, "{query} with {threads} threads");
        }
    }
    let cancel = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let limits = EvalLimits { threads: 4, cancel: Some(cancel), ..EvalLimits::default() };
    assert_eq!(eval(&parse("x_total").unwrap(), &source, when, &limits), Err(promql::EvalError::Canceled));
}

#[test]
fn memory_is_a_budget_that_names_itself() {
    let source = Source((0..20).map(|at| series(at, &(0..600).map(|k| (k * 1000, 1.0)).collect::<Vec<_>>())).collect());
    let when = EvalRange::Range { start_ms: START, end_ms: END, step_ms: 1_000 };
    let run = |query: &str, memory_max_bytes| {
        let limits = EvalLimits { memory_max_bytes, ..EvalLimits::default() };
        eval(&parse(query).unwrap(), &source, when, &limits).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(run("sum(x_total)", 1 << 20), Ok(()));
    // The rows of all series need more than the samples and one row per group.
    expect!["query processing would hold too many bytes in memory (limit memory_max_bytes = 250000); narrow the selector or the time range, or take a longer step"]
        .assert_eq(&run("x_total", 250_000).unwrap_err());
}

/// Memory of all queries, of which this much is left.
#[derive(Debug)]
struct Left(std::sync::atomic::AtomicUsize);

impl promql::SharedMemory for Left {
    fn take(&self, bytes: usize) -> Result<(), String> {
        use std::sync::atomic::Ordering::Relaxed;
        let taken = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(bytes));
        taken.map(drop).map_err(|left| format!("{left} bytes are left"))
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, std::sync::atomic::Ordering::Relaxed);
    }
}

#[test]
fn memory_of_all_queries_is_asked_for_and_given_back() {
    let source = Source((0..20).map(|at| series(at, &(0..600).map(|k| (k * 1000, 1.0)).collect::<Vec<_>>())).collect());
    let when = EvalRange::Range { start_ms: START, end_ms: END, step_ms: 1_000 };
    for (query, bytes, fits) in [("x_total", 2 << 20, true), ("x_total", 100_000, false), ("vector(1)", 30_000, true)] {
        let left = std::sync::Arc::new(Left(bytes.into()));
        let limits = EvalLimits { shared_memory: Some(left.clone()), ..EvalLimits::default() };
        let outcome = eval(&parse(query).unwrap(), &source, when, &limits);
        assert_eq!(outcome.is_ok(), fits, "{query} with {bytes}: {outcome:?}");
        assert_eq!(left.0.load(std::sync::atomic::Ordering::Relaxed), bytes, "{query} kept some");
    }
}

/// A source that has nothing in memory, and counts how many series are read and not yet gone.
struct OneByOne(Source);

struct Reads<'s>(&'s Source);

impl SeriesSource for OneByOne {
    fn select(&self, _: &SelectRequest<'_>) -> Result<Vec<SourceSeries>, SourceError> {
        Err(SourceError("all series were asked for at once".to_owned()))
    }

    fn open(&self, _: &SelectRequest<'_>) -> Result<Box<dyn promql::Selection + '_>, SourceError> {
        Ok(Box::new(Reads(&self.0)))
    }
}

impl promql::Selection for Reads<'_> {
    fn len(&self) -> usize {
        self.0.0.len()
    }

    fn labels(&self, at: usize) -> &Labels {
        &self.0.0[at].labels
    }

    fn samples_at_most(&self) -> usize {
        usize::MAX / 2
    }

    fn held_bytes(&self) -> usize {
        0
    }

    fn read(&self, at: usize) -> Result<SourceSeries, SourceError> {
        Ok(self.0.0[at].clone())
    }
}

#[test]
fn what_is_folded_at_once_never_is_in_memory_as_a_whole() {
    let all =
        || Source((0..2000).map(|at| series(at, &(0..600).map(|k| (k * 1000, 1.0)).collect::<Vec<_>>())).collect());
    let source = OneByOne(all());
    let when = EvalRange::Range { start_ms: START, end_ms: END, step_ms: 60_000 };
    for threads in [1, 2] {
        // The samples take 19 MB.
        let limits = EvalLimits { memory_max_bytes: 1 << 20, threads, ..EvalLimits::default() };
        let query = parse("sum(rate(x_total[2m])) + count(x_total)").unwrap();
        let found = eval(&query, &source, when, &limits).unwrap();
        assert_eq!(found.value, eval(&query, &all(), when, &EvalLimits::default()).unwrap().value);
    }
    let limits = EvalLimits { samples_max: 100_000, threads: 2, ..EvalLimits::default() };
    let error = eval(&parse("sum(rate(x_total[2m]))").unwrap(), &source, when, &limits).unwrap_err();
    assert_eq!(error, promql::EvalError::TooManySamples { max: 100_000 });
}

#[test]
fn deep_nesting_is_refused_and_long_lists_are_not() {
    const N: usize = 200_000;
    let deep = [
        "(".repeat(N) + "1" + &")".repeat(N),
        "-".repeat(N) + "1",
        "2 ^ ".repeat(N) + "1",
        "sum(".repeat(N) + "x" + &")".repeat(N),
        format!("x{}", "[1m:]".repeat(N)),
        format!("x[{}1m{}]", "(".repeat(N), ")".repeat(N)),
        format!("x[{}1m]", "-".repeat(N)),
        format!("x[{}1m]", "1m + ".repeat(N)),
        format!("x[{}1m]", "max_of(1m, ".repeat(N)),
    ];
    for text in deep {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.contains("nests deeper than 250 levels"), "{error}");
    }
    // What is just allowed is walked without running out of stack.
    for text in ["x ^ ".repeat(240) + "x", "-".repeat(240) + "x", "sum(".repeat(60) + "x" + &")".repeat(60)] {
        let expr = parse(&text).unwrap();
        let (json, pretty, plan) = (expr.to_json(), expr.pretty(), promql::explain(&expr));
        assert!(json.is_object() && !pretty.is_empty() && !plan.is_empty());
        let source = Source(vec![series(0, &[(1000, 1.0)])]);
        assert!(eval(&expr, &source, EvalRange::Instant { time_ms: 1000 }, &EvalLimits::default()).is_ok());
    }
    let many = |item: &str| (0..100_000).map(|at| format!("{item}{at}")).collect::<Vec<_>>().join(", ");
    assert!(parse(&format!("sum by ({}) (x)", many("l"))).is_ok());
    assert!(parse(&format!("rate({})", many("x"))).unwrap_err().to_string().contains("argument(s)"));
    assert!(parse(&format!("x{}", " offset 5m".repeat(N))).unwrap_err().to_string().contains("multiple times"));
    assert!(parse(&"{".repeat(1_000_000)).unwrap_err().to_string().contains("unexpected left brace"));
    assert!(promql::parse_series(&format!("x {}", "1x9".repeat(1000))).is_err());
    assert!(promql::parse_series("x 1x99999999999").unwrap_err().contains("repetitions"));
}

#[test]
fn switches_turn_features_off() {
    let stable = |query: &str| match promql::parse_with(query, &promql::ParserOptions::default()) {
        Ok(expr) => expr.to_string(),
        Err(error) => error.to_string(),
    };
    expect![[r#"1:1: parse error: function "mad_over_time" is not enabled"#]]
        .assert_eq(&stable("mad_over_time(x[5m])"));
    expect!["1:1: parse error: limitk() is experimental and must be enabled with --enable-feature=promql-experimental-functions"]
        .assert_eq(&stable("limitk(1, x)"));
    // Once behind switches of their own.
    expect!["rate(x[5m * 2])"].assert_eq(&stable("rate(x[5m * 2])"));
    expect!["rate(x[5m] anchored)"].assert_eq(&stable("rate(x[5m] anchored)"));
    expect!["1:1: parse error: binop fill modifiers are experimental and not enabled"]
        .assert_eq(&stable("a + fill(1) b"));
    expect!["rate(x[5m])"].assert_eq(&stable("rate(x[5m])"));
}

#[test]
fn names_go_at_the_end_or_at_once() {
    let points: Vec<(i64, f64)> = (0..10).map(|k| (k * 30_000, k as f64)).collect();
    let source = Source(vec![series(0, &points), series(1, &points)]);
    let run = |query: &str, delayed_name_removal| {
        let limits = EvalLimits { delayed_name_removal, ..EvalLimits::default() };
        let outcome = eval(&parse(query).unwrap(), &source, EvalRange::Instant { time_ms: 240_000 }, &limits);
        outcome.map(|outcome| sorted_vector(outcome.value).join(" ")).unwrap_or_else(|error| error.to_string())
    };
    let query = "label_replace(abs(x_total), \"n\", \"$1\", \"__name__\", \"(.*)\")";
    expect![[r#"{i="0", n="x_total"} 8.0 {i="1", n="x_total"} 8.0"#]].assert_eq(&run(query, true));
    expect![[r#"{i="0"} 8.0 {i="1"} 8.0"#]].assert_eq(&run(query, false));
    let query = "abs(x_total) or on (__name__) -x_total";
    expect![[r#"{i="0"} 8.0 {i="1"} 8.0"#]].assert_eq(&run(query, true));
    expect![[r#"{i="0"} 8.0 {i="1"} 8.0"#]].assert_eq(&run(query, false));
    let query = "-label_replace(x_total, \"__name__\", \"y$1\", \"i\", \"(.*)\")";
    expect![[r#"{i="0"} -8.0 {i="1"} -8.0"#]].assert_eq(&run(query, false));
    expect!["vector cannot contain metrics with the same labelset"]
        .assert_eq(&run("abs(label_replace(x_total, \"i\", \"\", \"\", \"\"))", false));
}

/// What each step would read by itself, and what it reads that the step before had not.
#[test]
fn samples_are_counted_by_step() {
    let source =
        Source(vec![series(0, &[(0, 1.0), (30_000, 2.0), (60_000, 3.0), (90_000, 4.0)]), series(1, &[(60_000, 1.0)])]);
    let when = EvalRange::Range { start_ms: 60_000, end_ms: 120_000, step_ms: 30_000 };
    let limits = EvalLimits { step_stats: true, ..EvalLimits::default() };
    let counted = |query: &str| {
        let stats = eval(&parse(query).unwrap(), &source, when, &limits).unwrap().stats;
        (stats.series, stats.steps.queryable, stats.steps.read)
    };
    assert_eq!(counted("x_total"), (2, vec![2, 2, 2], vec![2, 2, 2]));
    assert_eq!(counted("sum(rate(x_total[1m]))"), (2, vec![3, 3, 1], vec![3, 1, 0]));
    assert_eq!(counted("x_total + x_total"), (4, vec![4, 4, 4], vec![4, 4, 4]));
    // Two inner steps in each window, with one or two series at each.
    assert_eq!(counted("max_over_time(x_total[1m:30s])"), (2, vec![3, 4, 4], vec![3, 2, 2]));
    assert_eq!(counted("1"), (0, vec![0, 0, 0], vec![0, 0, 0]));
    let without = eval(&parse("x_total").unwrap(), &source, when, &EvalLimits::default()).unwrap().stats;
    assert_eq!((without.series, without.steps.queryable.len()), (2, 0));
}
