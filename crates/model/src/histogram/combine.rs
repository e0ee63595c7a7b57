//! Sums and differences of histograms whose buckets may differ.

use std::sync::Arc;

use super::bounds::{CUSTOM_SCHEMA, upper_bound};
use super::buckets::Buckets;
use super::{FloatHistogram, ResetHint};

/// One has exponential buckets and the other custom ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot apply this operation on histograms with a mix of exponential and custom bucket schemas")]
pub struct IncompatibleSchemas;

/// What deserves a word after two histograms were combined.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Added {
    /// One said that the counter was reset, the other that it was not.
    pub hints_collide: bool,
    /// The custom bounds differed, and only common ones are left.
    pub bounds_reconciled: bool,
}

/// One step of a compensated sum (Neumaier's variant of Kahan's): the new sum and the new compensation.
pub fn add_compensated(add: f64, sum: f64, compensation: f64) -> (f64, f64) {
    let total = sum + add;
    let compensation = if total.is_infinite() {
        0.0
    } else if sum.abs() >= add.abs() {
        compensation + ((sum - total) + add)
    } else {
        compensation + ((add - total) + sum)
    };
    (total, compensation)
}

impl FloatHistogram {
    /// Adds another histogram. The result has the coarser resolution, the wider zero bucket and the common custom bounds.
    pub fn add(&mut self, other: &Self) -> Result<Added, IncompatibleSchemas> {
        self.combine(other, 1.0)
    }

    /// Subtracts another histogram, as [`FloatHistogram::add`] adds it.
    pub fn subtract(&mut self, other: &Self) -> Result<Added, IncompatibleSchemas> {
        self.combine(other, -1.0)
    }

    fn combine(&mut self, other: &Self, sign: f64) -> Result<Added, IncompatibleSchemas> {
        let mut added = self.prepare(other)?;
        self.count += sign * other.count;
        self.sum += sign * other.sum;
        if self.is_custom() {
            added.bounds_reconciled = self.custom_values != other.custom_values;
            let common = common_bounds(&self.custom_values, &other.custom_values);
            let mine = onto_bounds(&self.positive, &self.custom_values, &common);
            let theirs = onto_bounds(&other.positive, &other.custom_values, &common);
            self.positive = merge(&mine, &theirs, sign);
            self.custom_values = common;
            return Ok(added);
        }
        let other_zero = self.share_zero_bucket(other);
        self.zero_count += sign * other_zero;
        let schema = self.schema.min(other.schema);
        let (low, threshold) = (other.schema, self.zero_threshold);
        let theirs = |side: &Buckets| above_threshold(&side.coarser(low, schema), schema, threshold);
        self.positive = merge(&self.positive.coarser(self.schema, schema), &theirs(&other.positive), sign);
        self.negative = merge(&self.negative.coarser(self.schema, schema), &theirs(&other.negative), sign);
        self.schema = schema;
        Ok(added)
    }

    /// Checks that the schemas go together and settles the hint.
    fn prepare(&mut self, other: &Self) -> Result<Added, IncompatibleSchemas> {
        if self.is_custom() != other.is_custom() {
            return Err(IncompatibleSchemas);
        }
        let (hint, hints_collide) = self.reset_hint.combine(other.reset_hint);
        self.reset_hint = hint;
        Ok(Added { hints_collide, bounds_reconciled: false })
    }

    /// The same histogram at a lower resolution.
    pub fn at_schema(&self, schema: i32) -> Self {
        if self.is_custom() || schema >= self.schema {
            return self.clone();
        }
        Self {
            reset_hint: ResetHint::Unknown,
            schema,
            positive: self.positive.coarser(self.schema, schema),
            negative: self.negative.coarser(self.schema, schema),
            ..self.clone()
        }
    }

    /// What the zero bucket would hold if it reached as far as `threshold`, and how far it must reach so that it ends between
    /// two buckets.
    pub(super) fn zero_count_within(&self, threshold: f64) -> (f64, f64) {
        let mut threshold = threshold;
        if threshold == self.zero_threshold {
            return (self.zero_count, threshold);
        }
        loop {
            let mut count = self.zero_count;
            for bucket in self.positive_buckets() {
                if bucket.lower >= threshold {
                    break;
                }
                count += bucket.count;
                if bucket.upper > threshold && bucket.count != 0.0 {
                    threshold = bucket.upper;
                    break;
                }
            }
            let wider = self
                .negative_buckets()
                .take_while(|bucket| bucket.upper > -threshold)
                .inspect(|bucket| count += bucket.count)
                .find(|bucket| bucket.lower < -threshold && bucket.count != 0.0);
            match wider {
                Some(bucket) => threshold = -bucket.lower,
                None => return (count, threshold),
            }
        }
    }

    /// Widens the zero bucket of this histogram until both have the same one; returns what the other's would hold.
    fn share_zero_bucket(&mut self, other: &Self) -> f64 {
        let (mut other_count, mut other_threshold) = (other.zero_count, other.zero_threshold);
        while other_threshold != self.zero_threshold {
            if self.zero_threshold > other_threshold {
                (other_count, other_threshold) = other.zero_count_within(self.zero_threshold);
            }
            if other_threshold > self.zero_threshold {
                (self.zero_count, self.zero_threshold) = self.zero_count_within(other_threshold);
                self.positive = above_threshold(&self.positive, self.schema, self.zero_threshold);
                self.negative = above_threshold(&self.negative, self.schema, self.zero_threshold);
                self.compact();
            }
        }
        other_count
    }
}

/// The buckets that do not end within the zero bucket.
fn above_threshold(side: &Buckets, schema: i32, threshold: f64) -> Buckets {
    if threshold == 0.0 {
        return side.clone();
    }
    Buckets::from_pairs(
        side.pairs().skip_while(|(index, _)| upper_bound(*index, schema) <= threshold).collect::<Vec<_>>(),
    )
}

/// Calls `visit` for each index that either side has, ascending, with the positions in both.
fn union(a: &Buckets, b: &Buckets, mut visit: impl FnMut(i32, Option<usize>, Option<usize>)) {
    let mut left = a.pairs().enumerate().peekable();
    let mut right = b.pairs().enumerate().peekable();
    loop {
        let ahead = (left.peek().map(|(_, pair)| pair.0), right.peek().map(|(_, pair)| pair.0));
        let index = match ahead {
            (Some(x), Some(y)) => x.min(y),
            (Some(x), None) | (None, Some(x)) => x,
            (None, None) => return,
        };
        let mine = left.next_if(|(_, pair)| pair.0 == index).map(|(at, _)| at);
        let theirs = right.next_if(|(_, pair)| pair.0 == index).map(|(at, _)| at);
        visit(index, mine, theirs);
    }
}

fn merge(a: &Buckets, b: &Buckets, sign: f64) -> Buckets {
    if a.spans == b.spans {
        let counts = a.counts.iter().zip(&b.counts).map(|(x, y)| x + sign * y).collect();
        return Buckets { spans: a.spans.clone(), counts };
    }
    let mut pairs = Vec::with_capacity(a.counts.len() + b.counts.len());
    union(a, b, |index, mine, theirs| {
        let other = theirs.map(|at| sign * b.counts[at]);
        let count = match (mine.map(|at| a.counts[at]), other) {
            (Some(x), Some(y)) => x + y,
            (x, y) => x.or(y).unwrap_or(0.0),
        };
        pairs.push((index, count));
    });
    Buckets::from_pairs(pairs)
}

fn common_bounds(a: &Arc<[f64]>, b: &Arc<[f64]>) -> Arc<[f64]> {
    if a == b { a.clone() } else { a.iter().filter(|bound| b.contains(bound)).copied().collect() }
}

/// Moves custom buckets to bounds that are some of their own.
fn onto_bounds(side: &Buckets, from: &[f64], to: &[f64]) -> Buckets {
    if from == to {
        return side.clone();
    }
    let mut counts = vec![(0.0, 0.0); to.len() + 1];
    for (index, count) in side.pairs() {
        let bound = usize::try_from(index).ok().and_then(|index| from.get(index));
        let place = bound.map_or(to.len(), |bound| to.partition_point(|known| known < bound));
        counts[place] = add_compensated(count, counts[place].0, counts[place].1);
    }
    let filled = counts.iter().enumerate().filter(|(_, (sum, c))| *sum != 0.0 || *c != 0.0);
    Buckets::from_pairs(
        filled.map(|(at, (sum, c))| (i32::try_from(at).unwrap_or(i32::MAX), sum + c)).collect::<Vec<_>>(),
    )
}

/// A compensated sum of histograms: large and small counts add up without losing the small ones.
#[derive(Clone, Debug)]
pub struct HistogramSum {
    sum: FloatHistogram,
    /// What the sum lost to rounding; the same buckets as the sum.
    lost: Option<FloatHistogram>,
}

impl HistogramSum {
    /// A sum of one.
    pub fn new(first: FloatHistogram) -> Self {
        Self { sum: first, lost: None }
    }

    /// Adds one more.
    pub fn add(&mut self, other: &FloatHistogram) -> Result<Added, IncompatibleSchemas> {
        let mut added = self.sum.prepare(other)?;
        let mut lost = self.lost.take().unwrap_or_else(|| empty_like(&self.sum));
        let mut plain = other.clone();
        self.align(&mut plain, &mut lost, &mut added);
        let (sum, c) = (&mut self.sum, &mut lost);
        (sum.zero_count, c.zero_count) = add_compensated(plain.zero_count, sum.zero_count, c.zero_count);
        (sum.count, c.count) = add_compensated(plain.count, sum.count, c.count);
        (sum.sum, c.sum) = add_compensated(plain.sum, sum.sum, c.sum);
        add_side(&mut sum.positive, &mut c.positive, &plain.positive);
        add_side(&mut sum.negative, &mut c.negative, &plain.negative);
        self.lost = Some(lost);
        Ok(added)
    }

    /// Brings sum, rounding losses and the next histogram to the same schema, bounds and zero bucket.
    fn align(&mut self, other: &mut FloatHistogram, lost: &mut FloatHistogram, added: &mut Added) {
        let sum = &mut self.sum;
        if sum.is_custom() {
            if sum.custom_values != other.custom_values {
                added.bounds_reconciled = true;
                let common = common_bounds(&sum.custom_values, &other.custom_values);
                for histogram in [&mut *sum, &mut *lost, &mut *other] {
                    histogram.positive = onto_bounds(&histogram.positive, &histogram.custom_values, &common);
                    histogram.custom_values = common.clone();
                }
                same_layout(self, lost);
            }
            return;
        }
        if sum.zero_threshold != other.zero_threshold {
            other.zero_count = sum.share_zero_bucket(other);
            other.zero_threshold = sum.zero_threshold;
            other.positive = above_threshold(&other.positive, other.schema, other.zero_threshold);
            other.negative = above_threshold(&other.negative, other.schema, other.zero_threshold);
            // The losses within the wider zero bucket are below what a bucket can show.
            lost.zero_threshold = sum.zero_threshold;
            lost.positive = above_threshold(&lost.positive, lost.schema, lost.zero_threshold);
            lost.negative = above_threshold(&lost.negative, lost.schema, lost.zero_threshold);
        }
        let schema = sum.schema.min(other.schema);
        for histogram in [&mut *sum, &mut *lost, &mut *other] {
            histogram.positive = histogram.positive.coarser(histogram.schema, schema);
            histogram.negative = histogram.negative.coarser(histogram.schema, schema);
            histogram.schema = schema;
        }
        same_layout(self, lost);
    }

    /// Whether something is infinite now.
    pub fn overflows(&self) -> bool {
        self.sum.overflows()
    }

    /// Multiplies sum and losses.
    pub fn scale(&mut self, factor: f64) {
        self.sum.scale(factor);
        if let Some(lost) = &mut self.lost {
            lost.scale(factor);
        }
    }

    /// Divides sum and losses.
    pub fn divide(&mut self, divisor: f64) {
        self.sum.divide(divisor);
        if let Some(lost) = &mut self.lost {
            lost.divide(divisor);
        }
    }

    /// The sum with its losses made good.
    pub fn finish(mut self) -> FloatHistogram {
        if let Some(lost) = &self.lost {
            let hint = self.sum.reset_hint;
            // Both have the same schema, so this cannot fail.
            let _ = self.sum.add(lost);
            self.sum.reset_hint = hint;
        }
        self.sum
    }
}

fn empty_like(histogram: &FloatHistogram) -> FloatHistogram {
    let zeros = |side: &Buckets| Buckets { spans: side.spans.clone(), counts: vec![0.0; side.counts.len()] };
    FloatHistogram {
        reset_hint: histogram.reset_hint,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        positive: zeros(&histogram.positive),
        negative: zeros(&histogram.negative),
        custom_values: histogram.custom_values.clone(),
        ..FloatHistogram::default()
    }
}

/// Gives sum and losses the same buckets, empty ones included.
fn same_layout(total: &mut HistogramSum, lost: &mut FloatHistogram) {
    let sum = &mut total.sum;
    for (mine, losses) in [(&mut sum.positive, &mut lost.positive), (&mut sum.negative, &mut lost.negative)] {
        if mine.spans != losses.spans {
            let zeros = |side: &Buckets| Buckets { spans: side.spans.clone(), counts: vec![0.0; side.counts.len()] };
            let (of_mine, of_losses) = (zeros(mine), zeros(losses));
            *mine = merge(mine, &of_losses, 1.0);
            *losses = merge(&of_mine, losses, 1.0);
        }
    }
}

fn add_side(sum: &mut Buckets, lost: &mut Buckets, other: &Buckets) {
    if sum.spans != other.spans || sum.spans != lost.spans {
        let zeros = Buckets { spans: other.spans.clone(), counts: vec![0.0; other.counts.len()] };
        *sum = merge(sum, &zeros, 1.0);
        *lost = merge(lost, &zeros, 1.0);
    }
    let (mut totals, mut losses) = (sum.counts.iter_mut(), lost.counts.iter_mut());
    let mut indexes = sum_indexes(&sum.spans);
    for (index, count) in other.pairs() {
        let skip = indexes.position(|known| known == index);
        if let Some((total, loss)) = skip.and_then(|skip| Some((totals.nth(skip)?, losses.nth(skip)?))) {
            (*total, *loss) = add_compensated(count, *total, *loss);
        }
    }
}

/// The index of every bucket of some spans.
fn sum_indexes(spans: &[super::BucketSpan]) -> std::vec::IntoIter<i32> {
    let length: usize = spans.iter().map(|span| span.length as usize).sum();
    let layout = Buckets { spans: spans.to_vec(), counts: vec![0.0; length] };
    layout.pairs().map(|(index, _)| index).collect::<Vec<_>>().into_iter()
}

const _: () = assert!(CUSTOM_SCHEMA < super::EXPONENTIAL_SCHEMA_MIN);
