//! Likelihood ratios of latencies: how many requests fell into each bucket of a histogram.

use crate::rates::inside;

/// How many times slower a changed version may be: the alternatives that are tried.
pub const SLOWDOWNS: [f64; 7] = [1.06, 1.12, 1.25, 1.5, 2.0, 3.0, 6.0];

/// How likely each of [`SLOWDOWNS`] is taken to be.
pub(crate) const SLOWDOWN_WEIGHTS: [f64; 7] = [0.14, 0.16, 0.16, 0.16, 0.16, 0.14, 0.08];

/// Counts of a histogram's buckets, not cumulative: as many as there are upper bounds, and one for what is above the last.
pub type Buckets = Vec<f64>;

/// A distribution over buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Shape {
    /// Upper bounds, in seconds, ascending.
    bounds: Vec<f64>,
    /// The share of each bucket.
    shares: Vec<f64>,
}

/// What every bucket is given besides its counts, so that no share is 0.
const SMOOTHING: f64 = 0.5;

impl Shape {
    /// The distribution of counts, a little smoothed. `None` without counts, or when bounds and counts do not fit.
    pub fn of(bounds: &[f64], counts: &[f64]) -> Option<Shape> {
        let total: f64 = counts.iter().sum();
        if counts.len() != bounds.len() + 1 || total <= 0.0 {
            return None;
        }
        let whole = total + SMOOTHING * counts.len() as f64;
        let shares = counts.iter().map(|count| inside((count + SMOOTHING) / whole)).collect();
        Some(Shape { bounds: bounds.to_vec(), shares })
    }

    /// The same latencies, each `factor` times as long. Inside a bucket latencies are spread evenly on a logarithmic scale.
    pub fn slowed(&self, factor: f64) -> Shape {
        let edges = self.edges();
        let mut shares = vec![0.0; self.shares.len()];
        for (at, share) in self.shares.iter().enumerate() {
            let (low, high) = (edges[at] * factor, edges[at + 1] * factor);
            let width = (high / low).ln();
            for (to, out) in shares.iter_mut().enumerate() {
                let last = to + 1 == self.shares.len();
                let (from, until) = (edges[to].max(low), if last { high } else { edges[to + 1].min(high) });
                let from = if to == 0 { low } else { from };
                if until > from {
                    *out += share * (until / from).ln() / width;
                }
            }
        }
        let sum: f64 = shares.iter().map(|share| inside(*share)).sum();
        Shape { bounds: self.bounds.clone(), shares: shares.into_iter().map(|share| inside(share) / sum).collect() }
    }

    /// The lower end of the first bucket, every bound, and an upper end of the last bucket.
    fn edges(&self) -> Vec<f64> {
        let first = self.bounds.first().copied().unwrap_or(1.0);
        let last = self.bounds.last().copied().unwrap_or(1.0);
        let mut edges = vec![first / 2.0];
        edges.extend_from_slice(&self.bounds);
        edges.push(last * 2.0);
        edges
    }

    fn log_likelihood(&self, counts: &[f64]) -> f64 {
        counts.iter().zip(&self.shares).map(|(count, share)| count * share.ln()).sum()
    }

    fn mixed(&self, weight: f64, other: &Shape, other_weight: f64) -> Shape {
        let sum = weight + other_weight;
        let mix = |(a, b): (&f64, &f64)| (a * weight + b * other_weight) / sum;
        Shape { bounds: self.bounds.clone(), shares: self.shares.iter().zip(&other.shares).map(mix).collect() }
    }

    /// The latency below which a share of requests stays, in seconds, interpolated on a logarithmic scale.
    pub fn quantile(&self, share: f64) -> f64 {
        let edges = self.edges();
        let mut below = 0.0;
        for (at, part) in self.shares.iter().enumerate() {
            if below + part >= share {
                let inner = ((share - below) / part).clamp(0.0, 1.0);
                return edges[at] * (edges[at + 1] / edges[at]).powf(inner);
            }
            below += part;
        }
        edges.last().copied().unwrap_or(0.0)
    }

    /// The share of a bucket.
    pub fn share(&self, bucket: usize) -> f64 {
        self.shares.get(bucket).copied().unwrap_or(0.0)
    }

    /// The mean of the logarithm of the latency.
    pub fn log_mean(&self) -> f64 {
        self.shares.iter().zip(self.log_middles()).map(|(share, middle)| share * middle).sum()
    }

    /// The same mean of other counts in the same buckets.
    pub fn log_mean_of(&self, counts: &[f64]) -> f64 {
        let total: f64 = counts.iter().sum();
        counts.iter().zip(self.log_middles()).map(|(count, middle)| count * middle).sum::<f64>() / total.max(1.0)
    }

    /// The variance of the logarithm of the latency.
    pub fn log_variance(&self) -> f64 {
        let mean = self.log_mean();
        self.shares.iter().zip(self.log_middles()).map(|(share, middle)| share * (middle - mean).powi(2)).sum()
    }

    fn log_middles(&self) -> Vec<f64> {
        self.edges().windows(2).map(|pair| (pair[0] * pair[1]).sqrt().ln()).collect()
    }
}

/// The logarithm of an e-value that the new version is slower than the old one: counts of the same moment, the old version's shape as
/// guessed before, and the same shape slowed. As [`crate::rates::split_log`], for more outcomes than two.
pub(crate) fn split_log(old: &[f64], new: &[f64], shape: &Shape, slowed: &Shape) -> f64 {
    let (old_n, new_n): (f64, f64) = (old.iter().sum(), new.iter().sum());
    if old_n <= 0.0 || new_n <= 0.0 {
        return 0.0;
    }
    let mean = shape.mixed(old_n, slowed, new_n);
    shape.log_likelihood(old) - mean.log_likelihood(old) + slowed.log_likelihood(new) - mean.log_likelihood(new)
}

/// What each bucket says for every one of [`SLOWDOWNS`] against a shape at the edge of what is usual: made once, since the shapes do not
/// change while a watch goes on.
#[derive(Clone, Debug)]
pub(crate) struct Ladder {
    /// For each slowdown and bucket, the logarithm of the likelihood ratio of one request.
    ratios: [Vec<f64>; SLOWDOWNS.len()],
}

impl Ladder {
    pub(crate) fn above(usual: &Shape) -> Ladder {
        let ratio = |(slowed, usual): (&f64, &f64)| (slowed / usual).ln();
        let ratios = SLOWDOWNS.map(|factor| usual.slowed(factor).shares.iter().zip(&usual.shares).map(ratio).collect());
        Ladder { ratios }
    }

    /// The logarithms of the likelihood ratios of counts.
    pub(crate) fn log_ratios(&self, counts: &[f64]) -> [f64; SLOWDOWNS.len()] {
        let dot = |ratios: &Vec<f64>| counts.iter().zip(ratios).map(|(count, ratio)| count * ratio).sum();
        std::array::from_fn(|at| dot(&self.ratios[at]))
    }
}
