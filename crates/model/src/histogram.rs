//! Native histograms: a sample that is a whole distribution.
//!
//! The shape is Prometheus's: exponential buckets of schemas -4 to 8, or custom bounds (schema -53). Counts are absolute
//! floating-point numbers, because rates and means of histograms are histograms too. Whole-number histograms of the wire are
//! converted once when they are decoded.

mod bounds;
mod buckets;
mod combine;
mod format;
mod reset;
mod trim;

use std::sync::Arc;

pub use bounds::{CUSTOM_SCHEMA, EXPONENTIAL_SCHEMA_MAX, EXPONENTIAL_SCHEMA_MIN, upper_bound};
pub use buckets::{Bucket, BucketSpan, Buckets};
pub use combine::{Added, HistogramSum, IncompatibleSchemas, add_compensated};
pub use reset::{ResetHint, settle_reset_hints};

/// A distribution of observations at one time.
///
/// With exponential buckets, bucket `i` of schema `s` holds what lies in `(2^((i-1)/2^s), 2^(i/2^s)]`; the negative side
/// mirrors it, and the zero bucket holds everything within the zero threshold. With custom bounds, bucket `i` ends at
/// `custom_values[i]` and the last one at infinity; zero and negative buckets are not used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FloatHistogram {
    /// What is known about a reset of the counter since the sample before.
    pub reset_hint: ResetHint,
    /// Resolution: -4 to 8, or [`CUSTOM_SCHEMA`].
    pub schema: i32,
    /// Half the width of the zero bucket.
    pub zero_threshold: f64,
    /// Observations in the zero bucket.
    pub zero_count: f64,
    /// All observations, NaN ones included.
    pub count: f64,
    /// Sum of all observations; the staleness marker of a histogram series is [`crate::stale_nan`] here.
    pub sum: f64,
    /// Buckets above zero, or all buckets of a histogram with custom bounds.
    pub positive: Buckets,
    /// Buckets below zero, counted away from zero.
    pub negative: Buckets,
    /// Upper bounds of custom buckets, ascending, without the infinite one.
    pub custom_values: Arc<[f64]>,
}

/// Why a histogram from outside is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HistogramError(String);

impl FloatHistogram {
    /// Whether it has custom bounds instead of exponential ones.
    pub fn is_custom(&self) -> bool {
        self.schema == CUSTOM_SCHEMA
    }

    /// Whether it only marks its series as stale.
    pub fn is_stale(&self) -> bool {
        crate::is_stale_nan(self.sum)
    }

    /// Multiplies all counts and the sum. A negative factor makes it a gauge.
    pub fn scale(&mut self, factor: f64) {
        self.each(|value| *value *= factor);
        if factor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    /// Divides all counts and the sum; dividing by zero leaves no buckets. A negative divisor makes it a gauge.
    pub fn divide(&mut self, divisor: f64) {
        self.each(|value| *value /= divisor);
        if divisor == 0.0 {
            self.positive = Buckets::default();
            self.negative = Buckets::default();
        }
        if divisor < 0.0 {
            self.reset_hint = ResetHint::Gauge;
        }
    }

    fn each(&mut self, mut change: impl FnMut(&mut f64)) {
        change(&mut self.zero_count);
        change(&mut self.count);
        change(&mut self.sum);
        self.positive.counts.iter_mut().for_each(&mut change);
        self.negative.counts.iter_mut().for_each(change);
    }

    /// Removes empty buckets.
    pub fn compact(&mut self) {
        self.positive.compact();
        self.negative.compact();
    }

    /// Whether a count or the sum is infinite.
    pub fn overflows(&self) -> bool {
        let fields = [self.zero_count, self.count, self.sum];
        let buckets = self.positive.counts.iter().chain(&self.negative.counts);
        fields.iter().chain(buckets).chain(self.custom_values.iter()).any(|value| value.is_infinite())
    }

    /// Whether both hold the same data, bit for bit and bucket for bucket; hints do not matter.
    pub fn same_data(&self, other: &Self) -> bool {
        let bits = |h: &Self| [h.count, h.sum, h.zero_count].map(f64::to_bits);
        self.schema == other.schema
            && bits(self) == bits(other)
            && (!self.is_custom() || self.custom_values == other.custom_values)
            && self.zero_threshold == other.zero_threshold
            && self.positive.same_data(&other.positive)
            && self.negative.same_data(&other.negative)
    }

    /// Bytes that it takes in memory, for budgets.
    pub fn size_bytes(&self) -> usize {
        let side =
            |buckets: &Buckets| buckets.counts.len() * size_of::<f64>() + buckets.spans.len() * size_of::<BucketSpan>();
        size_of::<Self>() + side(&self.positive) + side(&self.negative) + self.custom_values.len() * size_of::<f64>()
    }

    /// Checks what comes from outside: spans that fit the counts, bounds that rise, nothing negative.
    pub fn validate(&self) -> Result<(), HistogramError> {
        let fault = |text: String| Err(HistogramError(text));
        let side = |name: &str, buckets: &Buckets| {
            let outcome = buckets.validate().map_err(|text| HistogramError(format!("{name} side: {text}")));
            outcome.and_then(|()| match buckets.counts.iter().find(|count| **count < 0.0) {
                Some(count) => Err(HistogramError(format!(
                    "{name} side: bucket has an observation count of {count}: histogram has a bucket whose observation \
                     count is negative"
                ))),
                None => Ok(()),
            })
        };
        if self.is_custom() {
            self.validate_custom()?;
        } else if (EXPONENTIAL_SCHEMA_MIN..=EXPONENTIAL_SCHEMA_MAX).contains(&self.schema) {
            if !self.custom_values.is_empty() {
                return fault("histogram with exponential schema must not have custom bounds".into());
            }
            side("negative", &self.negative)?;
            if self.zero_count < 0.0 {
                return fault(format!("zero bucket has observation count of {}, which is negative", self.zero_count));
            }
        } else {
            return fault(format!(
                "histogram has an invalid schema, which must be between {EXPONENTIAL_SCHEMA_MIN} and \
                 {EXPONENTIAL_SCHEMA_MAX} for exponential buckets, or {CUSTOM_SCHEMA} for custom buckets, got schema {}",
                self.schema
            ));
        }
        if self.count < 0.0 {
            return fault(format!("observation count is {}: histogram's observation count is negative", self.count));
        }
        side("positive", &self.positive)
    }

    fn validate_custom(&self) -> Result<(), HistogramError> {
        let fault = |text: &str| Err(HistogramError(format!("custom buckets: {text}")));
        if self.custom_values.iter().any(|bound| bound.is_nan()) {
            return fault("histogram custom bounds must not be NaN");
        }
        if self.custom_values.iter().any(|bound| bound.is_infinite()) {
            return fault("histogram custom bounds must be finite");
        }
        if self.custom_values.windows(2).any(|pair| pair[0] >= pair[1]) {
            return fault("histogram custom bounds must be in strictly increasing order");
        }
        if self.zero_count != 0.0 {
            return fault("must have zero count of 0");
        }
        if self.zero_threshold != 0.0 {
            return fault("must have zero threshold of 0");
        }
        if !self.negative.spans.is_empty() || !self.negative.counts.is_empty() {
            return fault("must not have negative buckets");
        }
        let last = self.positive.pairs().last().map_or(0, |(index, _)| i64::from(index));
        let first = self.positive.pairs().next().map_or(0, |(index, _)| index);
        if first < 0 || last > self.custom_values.len() as i64 {
            return fault("histogram custom bounds are too few");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
