//! Queries of any shape over series of any shape: the evaluator and the naive one agree at every step.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{FloatHistogram, Labels, stale_nan};
use promql::{EvalLimits, EvalRange, QueryValue, SourceSeries, eval, parse};
use proptest::prelude::*;

use crate::naive::{Naive, Refused, Value};
use crate::{ByName, END, START, STEP, steps};

/// A time, a value, and a number that decides about staleness and start times.
type Sample = (i64, u32, u8);

fn of_series() -> impl Strategy<Value = Vec<Sample>> {
    prop::collection::vec((0i64..640_000, 0u32..60, 0u8..20), 0..50)
}

fn labels(name: &str, index: usize) -> Labels {
    let group = if index.is_multiple_of(2) { "even" } else { "odd" };
    [("__name__", name.to_owned()), ("i", index.to_string()), ("g", group.to_owned())].into_iter().collect()
}

fn sorted(samples: &[Sample]) -> Vec<Sample> {
    let mut sorted = samples.to_vec();
    sorted.sort_unstable();
    sorted.dedup_by_key(|sample| sample.0);
    sorted
}

/// Numbers; with start times if the index says so, that come and go.
fn floats(name: &str, index: usize, samples: &[Sample]) -> SourceSeries {
    let samples = sorted(samples);
    let value = |(_, value, chance): &Sample| if *chance == 0 { stale_nan() } else { f64::from(*value) };
    let times: Vec<i64> = samples.iter().map(|sample| sample.0).collect();
    let mut series = SourceSeries::floats(labels(name, index), times.clone(), samples.iter().map(value).collect());
    if index == 1 {
        let mut began = 0;
        for (at, (time, _, chance)) in samples.iter().enumerate() {
            match chance {
                1..=3 => began = time - 1_500,
                4 => began = times[at.saturating_sub(1)],
                5 => began = 0,
                _ => {}
            }
            series.starts.push(began);
        }
    }
    series
}

/// Histograms with one bucket that holds all.
fn histograms(index: usize, samples: &[Sample]) -> SourceSeries {
    let samples = sorted(samples);
    let times: Vec<i64> = samples.iter().map(|sample| sample.0).collect();
    let mut series = SourceSeries::floats(labels("h", index), times.clone(), vec![0.0; times.len()]);
    let histogram = |(_, n, _): &Sample| {
        let count = f64::from(*n);
        let positive = model::histogram::Buckets::from_pairs([(0, count)]);
        Some(Arc::new(FloatHistogram { count, sum: count * 1.5, positive, ..FloatHistogram::default() }))
    };
    series.histograms = samples.iter().map(histogram).collect();
    series
}

const MODIFIERS: [&str; 8] =
    ["", "", " offset 30s", " offset -45s", " @ 300", " @ start()", " @ end()", " @ 250 offset 1m"];
const RANGES: [&str; 4] = ["[7s]", "[90s]", "[2m]", "[5m]"];
const SUBQUERIES: [&str; 4] = ["[3m:40s]", "[2m:7s] offset 20s", "[90s:]", "[2m:30s] @ 400"];

fn pick(all: &'static [&'static str]) -> prop::sample::Select<&'static str> {
    prop::sample::select(all)
}

fn leaf() -> impl Strategy<Value = String> {
    let selectors = pick(&["x_total", "y", "x_total{i=~\"0|1\"}", "{__name__=~\"x_.*\", i!=\"2\"}"]);
    (selectors, pick(&MODIFIERS)).prop_map(|(selector, modifier)| format!("{selector}{modifier}"))
}

/// What may only look at samples, because a rounding error would decide.
fn exact() -> impl Strategy<Value = String> {
    let templates = pick(&[
        "A",
        "(A > 20)",
        "timestamp(A)",
        "topk(2, A)",
        "bottomk by (g) (1, A)",
        "limitk(2, A)",
        "limitk by (g) (1, A)",
        "count_values(\"v\", A)",
        "count_values by (g) (\"v\", A)",
        "changes((A)[3m:20s])",
        "rate((A)[3m:20s])",
    ]);
    let joins = pick(&[
        "(A > on (i) B)",
        "(A == ignoring (g) B)",
        "(A > on (i) fill (1) B)",
        "(A == on (i, g) fill_left (3) B)",
    ]);
    let join = (joins, leaf(), leaf()).prop_map(|(template, a, b)| template.replace('B', &b).replacen('A', &a, 1));
    prop_oneof![4 => (templates, leaf()).prop_map(|(template, a)| template.replace('A', &a)), 1 => join]
}

fn over_range() -> impl Strategy<Value = String> {
    let functions = pick(&[
        "rate(",
        "increase(",
        "delta(",
        "irate(",
        "idelta(",
        "sum_over_time(",
        "avg_over_time(",
        "min_over_time(",
        "max_over_time(",
        "count_over_time(",
        "last_over_time(",
        "first_over_time(",
        "present_over_time(",
        "stddev_over_time(",
        "stdvar_over_time(",
        "quantile_over_time(0.3, ",
        "mad_over_time(",
        "changes(",
        "resets(",
        "deriv(",
        "ts_of_first_over_time(",
        "ts_of_last_over_time(",
    ]);
    let selectors = pick(&["x_total", "y", "x_total{g=\"odd\"}"]);
    let predict = (selectors, pick(&RANGES), pick(&MODIFIERS))
        .prop_map(|(selector, range, modifier)| format!("predict_linear({selector}{range}{modifier}, 60)"));
    let selectors = pick(&["x_total", "y", "x_total{g=\"odd\"}"]);
    let call = (functions, selectors, pick(&RANGES), pick(&MODIFIERS))
        .prop_map(|(function, selector, range, modifier)| format!("{function}{selector}{range}{modifier})"));
    prop_oneof![9 => call, 1 => predict]
}

fn expressions() -> impl Strategy<Value = String> {
    let one = pick(&[
        "abs(A)",
        "(-A)",
        "(A * 2)",
        "sum(A)",
        "sum by (g) (A)",
        "sum without (i) (A)",
        "avg(A)",
        "count by (g) (A)",
        "min(A)",
        "max by (i) (A)",
        "group(A)",
        "stddev(A)",
        "stdvar by (g) (A)",
        "quantile(0.7, A)",
        "quantile by (g) (0.2, A)",
        "sum_over_time((A)S)",
        "max_over_time((A)S)",
        "last_over_time((A)S)",
        "count_over_time((A)S)",
        "avg_over_time((A)S)",
    ]);
    let two = pick(&[
        "(A + on (i) B)",
        "(A - ignoring () B)",
        "(A * on (i, g) B)",
        "(A + on (i) fill (1) B)",
        "(A - on (i) fill_left (2) B)",
        "(A + ignoring () fill_right (3) B)",
        "(A * on (g) group_left () sum by (g) (B))",
        "(A + on () group_left () fill_right (5) count(B))",
        "(A and on (i) B)",
        "(A or on (i) B)",
        "(A unless on (g) B)",
        "(A or B)",
    ]);
    prop_oneof![1 => leaf(), 2 => exact(), 4 => over_range()].prop_recursive(3, 8, 2, move |inner| {
        let wrap = (one.clone(), pick(&SUBQUERIES), inner.clone());
        let join = (two.clone(), inner.clone(), inner);
        prop_oneof![
            wrap.prop_map(|(template, subquery, a)| template.replace('S', subquery).replace('A', &a)),
            join.prop_map(|(template, a, b)| template.replace('B', &b).replacen('A', &a, 1)),
        ]
    })
}

/// Expressions over histograms.
fn of_histograms() -> impl Strategy<Value = String> {
    let calls =
        pick(&["rate(", "increase(", "sum_over_time(", "avg_over_time(", "last_over_time(", "count_over_time("]);
    let ranges = (calls, pick(&RANGES), pick(&MODIFIERS))
        .prop_map(|(call, range, modifier)| format!("{call}h{range}{modifier})"));
    let inner = prop_oneof![pick(&MODIFIERS).prop_map(|modifier| format!("h{modifier}")), ranges];
    let around = pick(&[
        "A",
        "sum(A)",
        "avg by (g) (A)",
        "count(A)",
        "group by (g) (A)",
        "limitk(1, A)",
        "histogram_count(A)",
        "histogram_sum(sum by (g) (A))",
        "last_over_time((A)[2m:30s])",
        "sum_over_time((A)[2m:30s])",
        "(-A)",
        "(A and on (i) x_total)",
        "sum(A or x_total)",
    ]);
    (around, inner).prop_map(|(around, inner)| around.replace('A', &inner))
}

fn close(a: f64, b: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-7 * (a.abs() + b.abs()).max(1.0)
}

fn same(a: Value, b: Value) -> bool {
    match (a, b) {
        (Value::Float(a), Value::Float(b)) => close(a, b),
        (Value::Histogram { count: a, sum: a_sum }, Value::Histogram { count: b, sum: b_sum }) => {
            close(a, b) && close(a_sum, b_sum)
        }
        _ => false,
    }
}

/// The result of the evaluator, step by step.
fn fast(query: &str, series: &[SourceSeries]) -> Result<BTreeMap<i64, BTreeMap<String, Value>>, String> {
    let source = ByName(series.to_vec());
    let when = EvalRange::Range { start_ms: START, end_ms: END, step_ms: STEP };
    let outcome =
        eval(&parse(query).unwrap(), &source, when, &EvalLimits::default()).map_err(|error| error.to_string())?;
    let QueryValue::Matrix(matrix) = outcome.value else { panic!("not a matrix") };
    let mut all: BTreeMap<i64, BTreeMap<String, Value>> = BTreeMap::new();
    for series in matrix {
        let labels = series.labels.to_string();
        for sample in series.samples {
            all.entry(sample.time_ms).or_default().insert(labels.clone(), Value::Float(sample.value));
        }
        for sample in series.histograms {
            let value = Value::Histogram { count: sample.histogram.count, sum: sample.histogram.sum };
            all.entry(sample.time_ms).or_default().insert(labels.clone(), value);
        }
    }
    Ok(all)
}

fn compare(query: &str, mut series: Vec<SourceSeries>) -> Result<(), TestCaseError> {
    // What is picked without looking at values is picked in the order of labels.
    series.sort_by(|a, b| a.labels.cmp(&b.labels));
    let series = &series[..];
    let naive = Naive { series, start_ms: START, end_ms: END };
    let expr = parse(query).map_err(|error| TestCaseError::fail(format!("{query}: {error}")))?;
    let want: Result<Vec<_>, Refused> =
        steps().map(|time| naive.at(&expr, time).map(|values| (time, values))).collect();
    let (want, got) = match (want, fast(query, series)) {
        (Err(Refused::Unknown), _) | (Err(Refused::Error), Err(_)) => return Ok(()),
        (Err(Refused::Error), Ok(_)) => return Err(TestCaseError::fail(format!("{query} should have failed"))),
        (Ok(_), Err(error)) => return Err(TestCaseError::fail(format!("{query} failed: {error}"))),
        (Ok(want), Ok(got)) => (want, got),
    };
    let nothing = BTreeMap::new();
    for (time, want) in want {
        let got = got.get(&time).unwrap_or(&nothing);
        let equal = got.len() == want.len() && got.iter().zip(&want).all(|(a, b)| a.0 == b.0 && same(*a.1, *b.1));
        prop_assert!(equal, "{query} at {time}:\n{got:?}\ninstead of\n{want:?}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_expression_equals_the_naive_one(
        query in expressions(),
        x in prop::collection::vec(of_series(), 1..5),
        y in prop::collection::vec(of_series(), 0..4),
    ) {
        let mut series: Vec<SourceSeries> = x.iter().enumerate().map(|(at, samples)| floats("x_total", at, samples)).collect();
        series.extend(y.iter().enumerate().map(|(at, samples)| floats("y", at, samples)));
        compare(&query, series)?;
    }

    #[test]
    fn histograms_equal_the_naive_ones(
        query in of_histograms(),
        h in prop::collection::vec(of_series(), 1..4),
        x in of_series(),
    ) {
        let mut series: Vec<SourceSeries> = h.iter().enumerate().map(|(at, samples)| histograms(at, samples)).collect();
        series.push(floats("x_total", 0, &x));
        compare(&query, series)?;
    }
}

#[test]
fn several_threads_give_the_same_bits() {
    let value = |at: usize, k: i64| f64::from(((at as i64 * 31 + k * 17) % 101) as u16) / 7.0;
    let one = |at: usize| {
        let times: Vec<i64> = (0..600).map(|k| k * 1000 + at as i64 % 3).collect();
        let mut series =
            SourceSeries::floats(labels("x_total", at), times.clone(), (0..600).map(|k| value(at, k)).collect());
        if at.is_multiple_of(3) {
            series.starts = times.iter().map(|time| time / 50_000 * 50_000).collect();
        }
        if at.is_multiple_of(50) {
            let samples: Vec<Sample> = times.iter().map(|time| (*time, (*time / 1000 % 90) as u32, 9)).collect();
            series.histograms = histograms(at, &samples).histograms;
        }
        series
    };
    let source = ByName((0..700).map(one).collect());
    let when = EvalRange::Range { start_ms: START, end_ms: END, step_ms: 5_000 };
    let queries = [
        "sum by (g) (rate(x_total[2m]))",
        "stddev(increase(x_total[30s] offset 10s))",
        "quantile(0.3, x_total @ end() or x_total)",
        "limitk(7, avg_over_time(x_total[30s]))",
        "bottomk by (g) (3, rate(x_total[1m:10s]))",
        "count_values(\"v\", round(x_total))",
        "x_total + on (i) fill (1) (x_total offset 1m > 5)",
        "sum_over_time(x_total[1m]) * 2 - 1 > 10",
        "histogram_quantile(0.9, sum(rate(x_total[2m])))",
        "rate(x_total[2m] smoothed)",
        "changes(x_total[2m] anchored)",
        "predict_linear(x_total[2m], 60)",
        "label_replace(mad_over_time(x_total[1m]), \"j\", \"$1\", \"i\", \"(.).*\")",
    ];
    for query in queries {
        let expr = parse(query).unwrap();
        // Values as text, because NaN is not equal to itself.
        for delayed_name_removal in [true, false] {
            let run = |threads| {
                let limits = EvalLimits { threads, delayed_name_removal, ..EvalLimits::default() };
                eval(&expr, &source, when, &limits).map(|outcome| (outcome.value.to_json(), outcome.annotations))
            };
            let alone = run(1);
            assert!(alone.is_ok(), "{query}: {alone:?}");
            for threads in [2, 5] {
                assert!(run(threads) == alone, "{query} with {threads} threads");
            }
        }
    }
}

/// Rows of histograms wait until their part is joined, and count as memory while they do.
#[test]
fn histograms_that_wait_to_be_added_up_count() {
    let samples: Vec<Sample> = (0..600).map(|k| (k * 1000, k as u32, 9)).collect();
    let source = ByName((0..60).map(|at| histograms(at, &samples)).collect());
    // More steps than samples: what is read fits, and what is computed of it does not.
    let when = EvalRange::Range { start_ms: 0, end_ms: 599_500, step_ms: 500 };
    let expr = parse("sum(rate(h[2m]))").unwrap();
    let run = |threads, memory_max_bytes| {
        eval(&expr, &source, when, &EvalLimits { threads, memory_max_bytes, ..EvalLimits::default() })
    };
    let read = source.0.iter().map(SourceSeries::size_bytes).sum::<usize>();
    let enough = run(1, 1 << 30).unwrap();
    for threads in [1, 2] {
        let max = read + 100_000;
        let error = run(threads, max).map(|_| ()).unwrap_err();
        assert_eq!(error, promql::EvalError::OutOfMemory { max }, "{threads} threads");
        assert!(run(threads, 1 << 30).unwrap().value == enough.value, "{threads} threads");
    }
}
