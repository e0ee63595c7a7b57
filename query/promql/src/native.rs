//! Quantiles and fractions of native histograms.

use model::histogram::{Bucket, add_compensated};
use model::{FloatHistogram, Labels};

use crate::annotation::Annotations;
use crate::ast::Span;

/// The zero bucket of a histogram with observations on one side only ends at zero.
fn narrow_zero(histogram: &FloatHistogram, bucket: &mut Bucket) {
    let (negative, positive) = (histogram.negative.counts.is_empty(), histogram.positive.counts.is_empty());
    if negative && !positive {
        bucket.lower = 0.0;
    } else if positive && !negative {
        bucket.upper = 0.0;
    }
}

/// The q-quantile, interpolated linearly within custom and zero buckets and exponentially within all others.
pub(crate) fn quantile(
    q: f64,
    histogram: &FloatHistogram,
    labels: &Labels,
    span: Span,
    notes: &mut Annotations,
) -> f64 {
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    if histogram.count == 0.0 || q.is_nan() {
        return f64::NAN;
    }
    // From the nearer end, so that less is added up; with NaN observations the upper end is not known.
    let has_nan = histogram.sum.is_nan();
    let forward = has_nan || q < 0.5;
    let mut buckets = histogram.all_buckets();
    if !forward {
        buckets.reverse();
    }
    let mut rank = if forward { q } else { 1.0 - q } * histogram.count;
    let (mut bucket, mut count, rest) = find_rank(rank, &buckets);
    if histogram.is_custom() {
        if bucket.lower == f64::NEG_INFINITY {
            if bucket.upper <= 0.0 {
                return bucket.upper;
            }
            bucket.lower = 0.0;
        } else if bucket.upper == f64::INFINITY {
            return bucket.lower;
        }
    } else if bucket.lower < 0.0 && bucket.upper > 0.0 {
        narrow_zero(histogram, &mut bucket);
    }
    count = count.min(histogram.count);
    if count < rank {
        if has_nan {
            notes.nan_result(span, labels);
            return f64::NAN;
        }
        return bucket.upper;
    }
    rank = if forward { rank - (count - bucket.count) } else { count - rank };
    if has_nan {
        if count + rest.iter().map(|bucket| bucket.count).sum::<f64>() < histogram.count {
            notes.nan_skew(span, labels);
        }
        // Prometheus goes on with the last bucket here.
        bucket = rest.last().copied().unwrap_or(bucket);
    }
    let linear = histogram.is_custom() || (bucket.lower <= 0.0 && bucket.upper >= 0.0);
    interpolate(&bucket, rank / bucket.count, linear)
}

/// The first bucket at which so many observations are counted, how many there are up to it, and the buckets after it; the last
/// bucket if there are fewer.
fn find_rank(rank: f64, buckets: &[Bucket]) -> (Bucket, f64, &[Bucket]) {
    let mut bucket = Bucket { lower: 0.0, upper: 0.0, lower_inclusive: false, upper_inclusive: false, count: 0.0 };
    let mut count = 0.0;
    for (at, next) in buckets.iter().enumerate() {
        bucket = *next;
        count += bucket.count;
        if bucket.count != 0.0 && count >= rank {
            return (bucket, count, &buckets[at + 1..]);
        }
    }
    (bucket, count, &[])
}

/// The value at a fraction of a bucket: linearly, or on a logarithmic scale.
fn interpolate(bucket: &Bucket, fraction: f64, linear: bool) -> f64 {
    if linear {
        return bucket.lower + (bucket.upper - bucket.lower) * fraction;
    }
    let (lower, upper) = (bucket.lower.abs().log2(), bucket.upper.abs().log2());
    if bucket.lower > 0.0 {
        (lower + (upper - lower) * fraction).exp2()
    } else {
        -(upper + (lower - upper) * (1.0 - fraction)).exp2()
    }
}

/// The fraction of observations between two values.
pub(crate) fn fraction(
    (lower, upper): (f64, f64),
    histogram: &FloatHistogram,
    labels: &Labels,
    span: Span,
    notes: &mut Annotations,
) -> f64 {
    if histogram.count == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let buckets = histogram.all_buckets();
    let mut count = histogram.count;
    if histogram.sum.is_nan() {
        // NaN observations are in no bucket, and in no fraction.
        count = buckets.iter().map(|bucket| bucket.count).sum();
        if count < histogram.count {
            notes.nan_fraction(span, labels);
        }
    }
    let below = |value: f64| rank_of(value, histogram, &buckets).filter(|rank| *rank <= count).unwrap_or(count);
    (below(upper) - below(lower)) / histogram.count
}

/// How many observations lie below a value; `None` if it lies above all buckets.
fn rank_of(value: f64, histogram: &FloatHistogram, buckets: &[Bucket]) -> Option<f64> {
    let mut rank = 0.0;
    for bucket in buckets {
        let mut bucket = *bucket;
        let is_zero = bucket.lower <= 0.0 && bucket.upper >= 0.0;
        if is_zero {
            narrow_zero(histogram, &mut bucket);
        }
        if bucket.lower >= value {
            return Some(rank);
        }
        if bucket.upper > value {
            if !histogram.is_custom() && !is_zero {
                return Some(rank + bucket.count * bucket.fraction_below(value, false));
            }
            // A bucket without a lower end cannot be divided.
            let endless = bucket.lower == f64::NEG_INFINITY;
            return Some(if endless { bucket.count } else { rank + bucket.count * bucket.fraction_below(value, true) });
        }
        rank += bucket.count;
    }
    None
}

/// The variance, with each bucket's observations taken to lie at its middle.
pub(crate) fn variance(histogram: &FloatHistogram) -> f64 {
    let mean = histogram.sum / histogram.count;
    let (mut sum, mut lost) = (0.0, 0.0);
    for bucket in histogram.all_buckets().iter().filter(|bucket| bucket.count != 0.0) {
        let middle = if histogram.is_custom() {
            (bucket.upper + bucket.lower) / 2.0
        } else if bucket.lower <= 0.0 && bucket.upper >= 0.0 {
            0.0
        } else {
            (bucket.upper * bucket.lower).sqrt().copysign(bucket.upper)
        };
        let delta = middle - mean;
        (sum, lost) = add_compensated(bucket.count * delta * delta, sum, lost);
    }
    (sum + lost) / histogram.count
}
