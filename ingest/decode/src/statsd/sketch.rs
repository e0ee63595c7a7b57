//! A native histogram that takes observations one by one.

use std::collections::BTreeMap;

use model::FloatHistogram;
use model::histogram::{Buckets, EXPONENTIAL_SCHEMA_MIN, upper_bound};

/// Buckets of both sides together; with more the resolution is halved. OpenTelemetry's default.
pub const SKETCH_BUCKETS_MAX: usize = 160;

/// The resolution to begin with: buckets 9 % apart, so that a quantile is within 4.5 % of the truth while the largest value is less than
/// a million times the smallest.
const SCHEMA_FIRST: i32 = 3;

/// Half the width of the zero bucket, as Prometheus's client libraries have it.
const ZERO_THRESHOLD: f64 = 1e-128;

/// Observations since the series began.
#[derive(Clone, Debug)]
pub(super) struct Sketch {
    schema: i32,
    zero: f64,
    positive: BTreeMap<i32, f64>,
    negative: BTreeMap<i32, f64>,
    pub(super) count: f64,
    pub(super) sum: f64,
}

impl Sketch {
    pub(super) fn new() -> Self {
        let (positive, negative) = (BTreeMap::new(), BTreeMap::new());
        Self { schema: SCHEMA_FIRST, zero: 0.0, positive, negative, count: 0.0, sum: 0.0 }
    }

    /// Adds a finite value that stands for `weight` observations.
    pub(super) fn observe(&mut self, value: f64, weight: f64) {
        self.count += weight;
        self.sum += value * weight;
        let size = value.abs();
        if size <= ZERO_THRESHOLD {
            self.zero += weight;
            return;
        }
        let side = if value > 0.0 { &mut self.positive } else { &mut self.negative };
        *side.entry(bucket_index(size, self.schema)).or_default() += weight;
        while self.positive.len() + self.negative.len() > SKETCH_BUCKETS_MAX && self.schema > EXPONENTIAL_SCHEMA_MIN {
            self.schema -= 1;
            self.positive = coarser(&self.positive);
            self.negative = coarser(&self.negative);
        }
    }

    pub(super) fn histogram(&self) -> FloatHistogram {
        let buckets =
            |side: &BTreeMap<i32, f64>| Buckets::from_pairs(side.iter().map(|(index, count)| (*index, *count)));
        FloatHistogram {
            zero_count: self.zero,
            count: self.count,
            sum: self.sum,
            positive: buckets(&self.positive),
            negative: buckets(&self.negative),
            ..self.empty()
        }
    }

    /// A histogram of the same shape that counted nothing.
    pub(super) fn empty(&self) -> FloatHistogram {
        FloatHistogram { schema: self.schema, zero_threshold: ZERO_THRESHOLD, ..FloatHistogram::default() }
    }
}

fn coarser(side: &BTreeMap<i32, f64>) -> BTreeMap<i32, f64> {
    let mut out = BTreeMap::new();
    for (index, count) in side {
        *out.entry(((index - 1) >> 1) + 1).or_default() += count;
    }
    out
}

/// The bucket that holds a value above zero: its upper bound is the first that is not below the value.
fn bucket_index(value: f64, schema: i32) -> i32 {
    let mut index = (value.log2() * f64::from(schema).exp2()).ceil() as i32;
    // Near a bound the logarithm may be off by one.
    while upper_bound(index - 1, schema) >= value {
        index -= 1;
    }
    while upper_bound(index, schema) < value {
        index += 1;
    }
    index
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn observations_fall_into_prometheuss_buckets() {
        let mut sketch = Sketch::new();
        for value in [0.0, 1.0, 1.0, 2.0, -1.0, 1.05] {
            sketch.observe(value, 2.0);
        }
        assert_eq!(
            sketch.histogram().test_expression(),
            "{{schema:3 count:12 sum:8.1 z_bucket:2 z_bucket_w:1e-128 buckets:[4 2 0 0 0 0 0 0 2] n_buckets:[2]}}"
        );
    }

    proptest! {
        #[test]
        fn each_value_is_within_its_bucket(values in prop::collection::vec(prop::num::f64::NORMAL, 1..400)) {
            let mut sketch = Sketch::new();
            for value in &values {
                sketch.observe(*value, 1.0);
                let index = bucket_index(value.abs(), sketch.schema);
                prop_assert!(upper_bound(index - 1, sketch.schema) < value.abs() && value.abs() <= upper_bound(index, sketch.schema));
            }
            let histogram = sketch.histogram();
            prop_assert!(histogram.validate().is_ok(), "{:?}", histogram.validate());
            prop_assert_eq!(histogram.count, values.len() as f64);
            let counted: f64 = histogram.positive.counts.iter().chain(&histogram.negative.counts).sum::<f64>() + histogram.zero_count;
            prop_assert_eq!(counted, histogram.count);
            prop_assert!(histogram.positive.counts.len() + histogram.negative.counts.len() <= SKETCH_BUCKETS_MAX || sketch.schema == EXPONENTIAL_SCHEMA_MIN);
        }
    }
}
