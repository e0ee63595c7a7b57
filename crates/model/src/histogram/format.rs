//! Histograms as text.

use std::fmt;

use super::{Bucket, Buckets, FloatHistogram, ResetHint};

/// Go's `%g`: the shortest text that reads back, with an exponent for tiny and for large numbers.
pub(crate) fn short_number(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if !(-4..6).contains(&exponent) {
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{digits}e{sign}{:02}", exponent.abs());
    }
    format!("{value}")
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) =
            (if self.lower_inclusive { '[' } else { '(' }, if self.upper_inclusive { ']' } else { ')' });
        let [lower, upper, count] = [self.lower, self.upper, self.count].map(short_number);
        write!(f, "{open}{lower},{upper}{close}:{count}")
    }
}

/// Prometheus's short form: `{count:3, sum:4.5, (1,2]:3}`. Labels made by `count_values` carry it.
impl fmt::Display for FloatHistogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{count:{}, sum:{}", short_number(self.count), short_number(self.sum))?;
        let negative: Vec<Bucket> = self.negative_buckets().filter(|bucket| bucket.count != 0.0).collect();
        for bucket in negative.iter().rev() {
            write!(f, ", {bucket}")?;
        }
        if self.zero_count != 0.0 {
            write!(f, ", {}", self.zero_bucket())?;
        }
        for bucket in self.positive_buckets().filter(|bucket| bucket.count != 0.0) {
            write!(f, ", {bucket}")?;
        }
        f.write_str("}")
    }
}

impl FloatHistogram {
    /// The form of promtool's unit-test files: `{{schema:1 sum:4.5 count:3 buckets:[3]}}`.
    pub fn test_expression(&self) -> String {
        let mut parts = Vec::new();
        let mut number = |name: &str, value: f64| {
            if value != 0.0 {
                parts.push(format!("{name}:{}", short_number(value)));
            }
        };
        number("schema", f64::from(self.schema));
        number("count", self.count);
        number("sum", self.sum);
        number("z_bucket", self.zero_count);
        number("z_bucket_w", self.zero_threshold);
        if self.is_custom() {
            parts.push(format!("custom_values:[{}]", join(&self.custom_values)));
        }
        match self.reset_hint {
            ResetHint::Unknown => {}
            ResetHint::Reset => parts.push("counter_reset_hint:reset".into()),
            ResetHint::NotReset => parts.push("counter_reset_hint:not_reset".into()),
            ResetHint::Gauge => parts.push("counter_reset_hint:gauge".into()),
        }
        for (prefix, buckets) in [("", &self.positive), ("n_", &self.negative)] {
            let (offset, counts) = dense(buckets);
            if offset != 0 {
                parts.push(format!("{prefix}offset:{offset}"));
            }
            if !counts.is_empty() {
                parts.push(format!("{prefix}buckets:[{}]", join(&counts)));
            }
        }
        format!("{{{{{}}}}}", parts.join(" "))
    }
}

/// Longest gap between buckets that the test form fills with zeros.
const DENSE_MAX: i64 = 100_000;

/// All buckets as one run without leading and trailing empty ones.
fn dense(buckets: &Buckets) -> (i32, Vec<f64>) {
    let filled: Vec<(i32, f64)> = buckets.pairs().filter(|(_, count)| *count != 0.0).collect();
    let (Some(first), Some(last)) = (filled.first(), filled.last()) else { return (0, Vec::new()) };
    let length = (i64::from(last.0) - i64::from(first.0)).min(DENSE_MAX) + 1;
    let mut counts = vec![0.0; usize::try_from(length).unwrap_or(0)];
    for (index, count) in &filled {
        let place = usize::try_from(i64::from(*index) - i64::from(first.0)).ok();
        if let Some(slot) = place.and_then(|place| counts.get_mut(place)) {
            *slot = *count;
        }
    }
    (first.0, counts)
}

fn join(values: &[f64]) -> String {
    values.iter().map(|value| short_number(*value)).collect::<Vec<_>>().join(" ")
}
