//! Buckets of one side, and walks over them.

use super::FloatHistogram;
use super::bounds::{bound, coarser_index};

/// A run of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketSpan {
    /// Index of its first bucket, from the bucket after the span before; from zero for the first span.
    pub offset: i32,
    /// How many buckets.
    pub length: u32,
}

/// The buckets of one side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Buckets {
    /// Which buckets there are.
    pub spans: Vec<BucketSpan>,
    /// Their counts, one after the other.
    pub counts: Vec<f64>,
}

/// One bucket with its bounds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bucket {
    /// Where it begins.
    pub lower: f64,
    /// Where it ends.
    pub upper: f64,
    /// Whether the lower bound belongs to it.
    pub lower_inclusive: bool,
    /// Whether the upper bound belongs to it.
    pub upper_inclusive: bool,
    /// Observations in it.
    pub count: f64,
}

impl Bucket {
    /// Which part of the bucket lies below a value inside of it: linearly, or on a logarithmic scale.
    pub fn fraction_below(&self, value: f64, linear: bool) -> f64 {
        if linear {
            return (value - self.lower) / (self.upper - self.lower);
        }
        let [lower, upper, value_log] = [self.lower, self.upper, value].map(|x| x.abs().log2());
        if value > 0.0 { (value_log - lower) / (upper - lower) } else { 1.0 - (value_log - upper) / (lower - upper) }
    }
}

impl Buckets {
    /// Index and count of each bucket, ascending.
    pub fn pairs(&self) -> impl Iterator<Item = (i32, f64)> + '_ {
        let mut next = 0i32;
        let indexes = self.spans.iter().flat_map(move |span| {
            let start = next.saturating_add(span.offset);
            next = start.saturating_add_unsigned(span.length);
            start..next
        });
        indexes.zip(self.counts.iter().copied())
    }

    /// Buckets from indexes that ascend.
    pub fn from_pairs(pairs: impl IntoIterator<Item = (i32, f64)>) -> Self {
        let mut buckets = Self::default();
        let mut next = 0i32;
        for (index, count) in pairs {
            match buckets.spans.last_mut() {
                Some(span) if index == next => span.length += 1,
                _ => buckets.spans.push(BucketSpan { offset: index.saturating_sub(next), length: 1 }),
            }
            next = index.saturating_add(1);
            buckets.counts.push(count);
        }
        buckets
    }

    /// Removes empty buckets.
    pub fn compact(&mut self) {
        let tidy = self.spans.iter().enumerate().all(|(at, span)| span.length > 0 && (at == 0 || span.offset > 0));
        if !tidy || self.counts.contains(&0.0) {
            *self = Self::from_pairs(self.pairs().filter(|(_, count)| *count != 0.0).collect::<Vec<_>>());
        }
    }

    /// The same buckets at a lower resolution.
    pub(super) fn coarser(&self, from: i32, to: i32) -> Self {
        if from == to {
            return self.clone();
        }
        let mut merged: Vec<(i32, f64)> = Vec::new();
        for (index, count) in self.pairs() {
            let index = coarser_index(index, from, to);
            match merged.last_mut() {
                Some(last) if last.0 == index => last.1 += count,
                _ => merged.push((index, count)),
            }
        }
        Self::from_pairs(merged)
    }

    pub(super) fn same_data(&self, other: &Self) -> bool {
        self.counts.len() == other.counts.len()
            && self.pairs().zip(other.pairs()).all(|(a, b)| a.0 == b.0 && a.1.to_bits() == b.1.to_bits())
    }

    pub(super) fn validate(&self) -> Result<(), String> {
        if self.spans.iter().skip(1).any(|span| span.offset < 0) {
            return Err("histogram has a span whose offset is negative".into());
        }
        let buckets: u64 = self.spans.iter().map(|span| u64::from(span.length)).sum();
        if buckets != self.counts.len() as u64 {
            return Err(format!(
                "spans need {buckets} buckets, have {} buckets: histogram spans specify different number of buckets than \
                 provided",
                self.counts.len()
            ));
        }
        Ok(())
    }
}

impl FloatHistogram {
    /// Buckets above zero, ascending; of a histogram with custom bounds all buckets.
    pub fn positive_buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.positive.pairs().map(|(index, count)| Bucket {
            lower: bound(index.saturating_sub(1), self.schema, &self.custom_values),
            upper: bound(index, self.schema, &self.custom_values),
            lower_inclusive: self.is_custom() && index == 0,
            upper_inclusive: true,
            count,
        })
    }

    /// Buckets below zero, away from it.
    pub fn negative_buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        self.negative.pairs().map(|(index, count)| Bucket {
            lower: -bound(index, self.schema, &self.custom_values),
            upper: -bound(index.saturating_sub(1), self.schema, &self.custom_values),
            lower_inclusive: true,
            upper_inclusive: false,
            count,
        })
    }

    /// The zero bucket.
    pub fn zero_bucket(&self) -> Bucket {
        let threshold = self.zero_threshold;
        Bucket {
            lower: -threshold,
            upper: threshold,
            lower_inclusive: true,
            upper_inclusive: true,
            count: self.zero_count,
        }
    }

    /// All buckets in ascending order, the zero bucket among them if it holds anything. Buckets that overlap with it end at its
    /// threshold.
    pub fn all_buckets(&self) -> Vec<Bucket> {
        let threshold = self.zero_threshold;
        let clip = |mut bucket: Bucket| {
            if bucket.upper < 0.0 && bucket.upper > -threshold {
                bucket.upper = -threshold;
            } else if bucket.lower > 0.0 && bucket.lower < threshold {
                bucket.lower = threshold;
            }
            bucket
        };
        let mut all: Vec<Bucket> = self.negative_buckets().map(clip).collect();
        all.reverse();
        if self.zero_count > 0.0 {
            all.push(self.zero_bucket());
        }
        all.extend(self.positive_buckets().map(clip));
        all
    }
}
