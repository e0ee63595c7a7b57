use super::*;

fn exponential(schema: i32, offset: i32, counts: &[f64]) -> FloatHistogram {
    let pairs = counts.iter().enumerate().map(|(at, count)| (offset + at as i32, *count));
    FloatHistogram {
        schema,
        count: counts.iter().sum(),
        sum: 1.0,
        positive: Buckets::from_pairs(pairs),
        ..FloatHistogram::default()
    }
}

fn custom(bounds: &[f64], counts: &[f64]) -> FloatHistogram {
    FloatHistogram { custom_values: bounds.into(), ..exponential(CUSTOM_SCHEMA, 0, counts) }
}

#[test]
fn bounds_are_the_published_ones() {
    assert_eq!([-1, 0, 1, 4].map(|index| upper_bound(index, 0)), [0.5, 1.0, 2.0, 16.0]);
    // Not the square root of two, which is one unit larger.
    assert_eq!(upper_bound(1, 1).to_string(), "1.414213562373095");
    assert_eq!(upper_bound(-1, 2), 0.8408964152537144);
    assert_eq!(upper_bound(2, -2), 256.0);
    assert_eq!(upper_bound(1024, 0), f64::MAX);
    assert_eq!(upper_bound(1025, 0), f64::INFINITY);
    assert_eq!(upper_bound(-1074, 0), 5e-324);
    assert!((-2000..2000).all(|index| upper_bound(index, 8) < upper_bound(index + 1, 8)));
}

#[test]
fn sums_take_the_coarser_schema() {
    let mut sum = exponential(1, 1, &[1.0, 2.0, 3.0, 4.0]);
    sum.add(&exponential(0, 2, &[10.0])).unwrap();
    assert_eq!(sum.test_expression(), "{{count:20 sum:2 offset:1 buckets:[3 17]}}");
    assert_eq!(sum.schema, 0);
    sum.subtract(&exponential(0, 2, &[10.0])).unwrap();
    assert_eq!(sum.test_expression(), "{{count:10 sum:1 offset:1 buckets:[3 7]}}");
}

#[test]
fn zero_buckets_widen_to_a_bound_that_both_have() {
    let mut sum = FloatHistogram { zero_threshold: 0.001, zero_count: 1.0, ..exponential(0, 0, &[5.0, 7.0]) };
    sum.add(&FloatHistogram { zero_threshold: 0.6, zero_count: 2.0, ..exponential(0, 3, &[1.0]) }).unwrap();
    // The bucket (0.5, 1] has observations, so zero reaches to 1.
    assert_eq!((sum.zero_threshold, sum.zero_count), (1.0, 8.0));
    assert_eq!(sum.positive.pairs().collect::<Vec<_>>(), [(1, 7.0), (3, 1.0)]);
}

#[test]
fn custom_bounds_shrink_to_common_ones() {
    let mut sum = custom(&[1.0, 2.0, 3.0], &[1.0, 1.0, 1.0, 1.0]);
    let added = sum.add(&custom(&[2.0, 5.0], &[10.0, 20.0, 30.0])).unwrap();
    assert!(added.bounds_reconciled);
    assert_eq!(&*sum.custom_values, [2.0]);
    assert_eq!(sum.positive.counts, [12.0, 52.0]);
    assert_eq!(sum.add(&exponential(0, 0, &[1.0])), Err(IncompatibleSchemas));
}

#[test]
fn compensated_sums_keep_small_counts() {
    let mut sum = HistogramSum::new(exponential(0, 0, &[1e100]));
    sum.add(&exponential(0, 0, &[1.0, 3.0])).unwrap();
    sum.add(&exponential(0, 0, &[-1e100])).unwrap();
    let sum = sum.finish();
    assert_eq!(sum.positive.counts, [1.0, 3.0]);
    assert_eq!(sum.count, 4.0);
}

#[test]
fn resets_are_counts_that_fall() {
    let before = exponential(1, 0, &[1.0, 2.0, 3.0]);
    let reset = |now: &FloatHistogram| now.is_reset_after(&before);
    assert!(!reset(&before));
    assert!(!reset(&exponential(1, 0, &[1.0, 2.0, 4.0, 1.0])));
    assert!(reset(&exponential(1, 0, &[2.0, 1.0, 4.0])));
    assert!(reset(&exponential(1, 1, &[20.0, 10.0])));
    assert!(reset(&exponential(2, 0, &[9.0, 9.0, 9.0])));
    assert!(!reset(&exponential(0, 0, &[1.0, 5.0, 9.0])));
    assert!(!reset(&FloatHistogram { reset_hint: ResetHint::NotReset, ..FloatHistogram::default() }));
    assert!(reset(&FloatHistogram { reset_hint: ResetHint::Reset, ..before.clone() }));
}

#[test]
fn stored_runs_say_that_they_continue() {
    let mut series = [[1.0], [2.0], [1.0], [3.0]].map(|counts| exponential(0, 0, &counts));
    settle_reset_hints(series.iter_mut().map(Some));
    use ResetHint::{NotReset, Unknown};
    assert_eq!(series.each_ref().map(|h| h.reset_hint), [Unknown, NotReset, Unknown, NotReset]);
}

#[test]
fn trimming_keeps_one_side() {
    let mut below = custom(&[1.0, 2.0], &[4.0, 8.0, 2.0]);
    below.trim(1.5, true);
    assert_eq!((below.count, below.sum, below.positive.counts), (8.0, 4.0 * 0.5 + 4.0 * 1.25, vec![4.0, 4.0]));
    let mut above = exponential(0, 1, &[4.0, 8.0]);
    above.trim(2.0, false);
    assert_eq!((above.count, above.positive.counts), (8.0, vec![8.0]));
}

#[test]
fn text_is_prometheus_s() {
    let histogram = FloatHistogram {
        zero_count: 2.0,
        zero_threshold: 0.001,
        negative: Buckets::from_pairs([(1, 1.0), (2, 1.5e9)]),
        ..exponential(0, 0, &[1.0, 0.0, 3.0])
    };
    let want = "{count:4, sum:1, [-4,-2):1.5e+09, [-2,-1):1, [-0.001,0.001]:2, (0.5,1]:1, (2,4]:3}";
    assert_eq!(histogram.to_string(), want);
}

#[test]
fn what_comes_from_outside_is_checked() {
    let message = |histogram: FloatHistogram| histogram.validate().unwrap_err().to_string();
    assert!(exponential(0, 0, &[1.0]).validate().is_ok());
    assert!(custom(&[1.0], &[1.0, 2.0]).validate().is_ok());
    assert!(message(exponential(9, 0, &[1.0])).contains("invalid schema"));
    assert!(message(custom(&[1.0, 1.0], &[1.0])).contains("strictly increasing"));
    assert!(message(custom(&[1.0], &[1.0, 2.0, 3.0])).contains("too few"));
    let mut spans = exponential(0, 0, &[1.0]);
    spans.positive.counts.push(1.0);
    assert!(message(spans).contains("different number of buckets"));
}
