//! Numbers of requests: what counters count.

use std::ops::{AddAssign, Sub};

use serde::Serialize;

/// Upper bounds of the latency histogram in seconds: Prometheus's default buckets. A last bucket has what is slower.
pub const BOUNDS_S: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Requests, errors and a latency histogram.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Requests.
    pub requests: u32,
    /// Those that failed.
    pub errors: u32,
    /// Those within each bucket of [`BOUNDS_S`] (not added up), and in a last one those slower than all bounds.
    pub buckets: [u32; BOUNDS_S.len() + 1],
    /// Sum of their latencies in microseconds.
    pub latency_us: u64,
}

impl Counts {
    /// Part of the requests that failed; none without requests.
    pub fn error_rate(&self) -> Option<f64> {
        (self.requests > 0).then(|| f64::from(self.errors) / f64::from(self.requests))
    }

    /// Mean latency in seconds; none without requests.
    pub fn mean_s(&self) -> Option<f64> {
        (self.requests > 0).then(|| self.latency_us as f64 / 1e6 / f64::from(self.requests))
    }

    /// Prometheus's `histogram_quantile`: linear inside the bucket, the last finite bound for what is slower than it.
    pub fn quantile_s(&self, quantile: f64) -> Option<f64> {
        let total: u32 = self.buckets.iter().sum();
        if total == 0 {
            return None;
        }
        let rank = quantile * f64::from(total);
        let mut below = 0.0;
        let mut lower = 0.0;
        for (count, upper) in self.buckets.iter().zip(BOUNDS_S) {
            let count = f64::from(*count);
            if count > 0.0 && below + count >= rank {
                return Some(lower + (upper - lower) * (rank - below) / count);
            }
            below += count;
            lower = upper;
        }
        Some(lower)
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.requests += other.requests;
        self.errors += other.errors;
        self.latency_us += other.latency_us;
        self.buckets.iter_mut().zip(other.buckets).for_each(|(bucket, more)| *bucket += more);
    }
}

impl Sub for Counts {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            requests: self.requests - other.requests,
            errors: self.errors - other.errors,
            buckets: std::array::from_fn(|index| self.buckets[index] - other.buckets[index]),
            latency_us: self.latency_us - other.latency_us,
        }
    }
}

/// Harm that the release's own fault did to users.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Harm {
    /// Requests that failed and would not have failed on the old version.
    pub failed: u32,
    /// Requests that the fault touched at all: failed, slowed, or logging the new error.
    pub touched: u32,
}

impl AddAssign for Harm {
    fn add_assign(&mut self, other: Self) {
        self.failed += other.failed;
        self.touched += other.touched;
    }
}

impl Sub for Harm {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { failed: self.failed - other.failed, touched: self.touched - other.touched }
    }
}
