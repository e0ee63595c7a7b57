//! Cutting off what lies above or below a value.

use super::{Bucket, Buckets, FloatHistogram};

/// Which part is kept.
#[derive(Clone, Copy)]
struct Cut {
    at: f64,
    keep_below: bool,
    linear: bool,
}

impl FloatHistogram {
    /// Keeps what lies below `at`, or above it. Buckets that hold the value are divided by interpolation; count and sum are
    /// estimated from the buckets that are left, and only change if some bucket does.
    pub fn trim(&mut self, at: f64, keep_below: bool) {
        let cut = Cut { at, keep_below, linear: self.is_custom() };
        let positive: Vec<Bucket> = self.positive_buckets().collect();
        let negative: Vec<Bucket> = self.negative_buckets().collect();
        let filled = |buckets: &[Bucket]| buckets.iter().any(|bucket| bucket.count != 0.0);
        let (has_positive, has_negative) = (filled(&positive), filled(&negative));
        let (mut count, mut sum, mut changed) = (0.0, 0.0, false);
        let mut side = |buckets: &mut Buckets, bounds: &[Bucket], is_positive: bool| {
            for (slot, bucket) in buckets.counts.iter_mut().zip(bounds).filter(|(_, bucket)| bucket.count != 0.0) {
                let (kept, middle) = cut.bucket(bucket, is_positive);
                count += kept;
                // Nothing at infinity is nothing.
                sum += if kept == 0.0 { 0.0 } else { middle * kept };
                changed |= *slot != kept;
                *slot = kept;
            }
        };
        side(&mut self.positive, &positive, true);
        side(&mut self.negative, &negative, false);
        if self.zero_count > 0.0 {
            let (kept, middle) = cut.zero_bucket(self.zero_bucket(), has_positive, has_negative);
            changed |= self.zero_count != kept;
            self.zero_count = kept;
            count += kept;
            sum += middle * kept;
        }
        if changed {
            self.count = count;
            self.sum = sum;
            self.compact();
        }
    }
}

impl Cut {
    /// What is left of a bucket, and the middle of that part.
    fn bucket(self, bucket: &Bucket, is_positive: bool) -> (f64, f64) {
        let (whole, part) = if self.keep_below {
            (bucket.upper <= self.at, bucket.lower < self.at)
        } else {
            (bucket.lower >= self.at, bucket.upper > self.at)
        };
        if whole {
            return (bucket.count, self.middle(bucket.lower, bucket.upper, is_positive));
        }
        if !part {
            return (0.0, 0.0);
        }
        if bucket.lower == f64::NEG_INFINITY || bucket.upper == f64::INFINITY {
            return self.endless(bucket);
        }
        // Upper or lower bound is the cut, the other the bucket's own.
        let below = if self.at >= bucket.upper {
            bucket.count
        } else if self.at <= bucket.lower {
            0.0
        } else {
            bucket.count * bucket.fraction_below(self.at, self.linear)
        };
        if self.keep_below {
            (below, self.middle(bucket.lower, self.at, is_positive))
        } else {
            (bucket.count - below, self.middle(self.at, bucket.upper, is_positive))
        }
    }

    /// A bucket without an end cannot be divided, save that one with a positive upper bound is taken to start at zero.
    fn endless(self, bucket: &Bucket) -> (f64, f64) {
        let finite = |x: f64| if x.is_infinite() { 0.0 } else { x };
        if bucket.lower == f64::NEG_INFINITY {
            let divisible = bucket.upper > 0.0 && bucket.upper != f64::INFINITY;
            return match (self.keep_below, self.at) {
                (true, at) if at >= bucket.upper => (bucket.count, 0.0),
                (true, at) if at > 0.0 && divisible => (bucket.count * at / bucket.upper, at / 2.0),
                (true, at) if bucket.upper <= 0.0 => (bucket.count, at),
                (false, at) if at <= bucket.lower => (bucket.count, 0.0),
                (false, at) if at >= 0.0 && bucket.upper > at && divisible => {
                    (bucket.count * (1.0 - at / bucket.upper), f64::midpoint(at, bucket.upper))
                }
                _ => (0.0, finite(bucket.upper)),
            };
        }
        if !self.keep_below && self.at >= bucket.lower { (bucket.count, self.at) } else { (0.0, finite(bucket.lower)) }
    }

    /// The zero bucket is divided linearly, and reaches only to zero on a side without observations.
    fn zero_bucket(self, bucket: Bucket, has_positive: bool, has_negative: bool) -> (f64, f64) {
        let lower = if has_positive && !has_negative { 0.0 } else { bucket.lower };
        let upper = if has_negative && !has_positive { 0.0 } else { bucket.upper };
        let (below, above) = (self.at <= lower, self.at >= upper);
        let (nothing, everything) = if self.keep_below { (below, above) } else { (above && !below, below) };
        if nothing {
            return (0.0, 0.0);
        }
        if everything {
            return (bucket.count, f64::midpoint(lower, upper));
        }
        let (from, to) = if self.keep_below { (lower, self.at) } else { (self.at, upper) };
        (bucket.count * ((to - from) / (upper - lower)), f64::midpoint(from, to))
    }

    fn middle(self, lower: f64, upper: f64, is_positive: bool) -> f64 {
        match (lower.is_infinite(), upper.is_infinite()) {
            (true, true) => 0.0,
            (true, false) if upper > 0.0 => upper / 2.0,
            (true, false) => upper,
            (false, true) => lower,
            (false, false) if self.linear => f64::midpoint(lower, upper),
            (false, false) => {
                let middle = (lower * upper).abs().sqrt();
                if is_positive { middle } else { -middle }
            }
        }
    }
}
