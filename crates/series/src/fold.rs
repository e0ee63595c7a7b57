//! Downsampling of one series.
//!
//! Time is cut into *buckets* of the resolution, aligned to the epoch; a bucket has its end and not its start, as the ranges of PromQL
//! do. Of the samples of a bucket the first and the last stay as they are, at their own times; what lies between becomes a [`Fold`] of
//! the last one. So everything that looks at whole buckets gets what it would get of all samples: the first and the last one,
//! minimum, maximum, sum and count, and the increase of a counter with its resets.
//!
//! Samples are only folded together where the series was there all the time: a staleness marker stays, and ends what is folded
//! before it, and so does a gap of more than [`GAP_MS`]. Folding is the same in one step and in several: what is folded to five minutes
//! and then to an hour is what is folded to an hour.

use model::histogram::add_compensated;
use model::{ResetHint, counter_restarted, is_stale_nan};

use crate::folds::Wanted;
use crate::samples::Samples;

/// Without a sample for longer than this a series is gone, as PromQL has it, and so it is in what is folded.
pub(crate) const GAP_MS: i64 = 300_000;

/// What downsampling left out between a sample and the one before it, which is in the same bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fold {
    /// How many samples; 0 is nothing.
    pub count: u32,
    /// How often the counter was reset from the sample before to this one.
    pub resets: u32,
    /// The sum of what was left out.
    pub sum: f64,
    /// The smallest value, the samples around included. NaN is only there if there is nothing else.
    pub min: f64,
    /// The largest value likewise.
    pub max: f64,
    /// The values from which the counter fell at its resets, summed: the increase is the difference of the two samples, and this.
    pub lost: f64,
}

impl Fold {
    /// Whether nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The figure of it that a read wants, where that is one: of a counter what it lost.
    pub fn figure(&self, wanted: Wanted) -> f64 {
        match wanted {
            Wanted::Sum => self.sum,
            Wanted::Min => self.min,
            Wanted::Max => self.max,
            Wanted::Counter => self.lost,
            Wanted::Samples | Wanted::Count | Wanted::Everything => self.count.into(),
        }
    }
}

/// The bucket of a time; buckets have their ends and not their starts.
fn bucket(time_ms: i64, resolution_ms: i64) -> i64 {
    time_ms.saturating_sub(1).div_euclid(resolution_ms.max(1))
}

/// Samples that become two, or stay one.
struct Piece {
    first: usize,
    last: usize,
    fold: Fold,
    compensation: f64,
}

impl Piece {
    fn new(samples: &Samples, at: usize) -> Self {
        let value = samples.values[at];
        Self { first: at, last: at, fold: Fold { min: value, max: value, ..Fold::default() }, compensation: 0.0 }
    }

    fn add(&mut self, value: f64) {
        (self.fold.sum, self.compensation) = add_compensated(value, self.fold.sum, self.compensation);
    }

    /// Takes the next sample in, with what was folded before it.
    fn take(&mut self, samples: &Samples, at: usize) {
        if self.last > self.first {
            self.add(samples.values[self.last]);
            self.fold.count = self.fold.count.saturating_add(1);
        }
        let known = samples.folds.get(at).filter(|known| !known.is_empty());
        if let Some(known) = known {
            self.add(known.sum);
        }
        let fold = &mut self.fold;
        match known {
            Some(known) => {
                fold.count = fold.count.saturating_add(known.count);
                fold.resets = fold.resets.saturating_add(known.resets);
                fold.lost += known.lost;
                (fold.min, fold.max) = (fold.min.min(known.min), fold.max.max(known.max));
            }
            None if is_reset(samples, at) => {
                fold.resets = fold.resets.saturating_add(1);
                fold.lost += samples.values[at - 1];
            }
            None => {}
        }
        let value = samples.values[at];
        (fold.min, fold.max) = (fold.min.min(value), fold.max.max(value));
        self.last = at;
    }

    /// Puts what is left of the samples behind others.
    fn put(self, samples: &Samples, out: &mut Samples) {
        out.extend(samples.view().part(self.first, self.first + 1));
        // What came before the first sample is not in this piece; it has no fold unless what it belongs to was cut off.
        if let Some(fold) = out.folds.last_mut() {
            *fold = Fold::default();
        }
        if self.last == self.first {
            return;
        }
        out.extend(samples.view().part(self.last, self.last + 1));
        let mut fold = self.fold;
        if !fold.sum.is_infinite() {
            fold.sum += self.compensation;
        }
        if fold.is_empty() {
            fold = Fold::default();
        }
        if !fold.is_empty() || !out.folds.is_empty() {
            out.folds.resize(out.len(), Fold::default());
            if let Some(last) = out.folds.last_mut() {
                *last = fold;
            }
        }
    }
}

/// Whether the counter was reset between a sample and the one before it.
fn is_reset(samples: &Samples, at: usize) -> bool {
    let start = |at: usize| (samples.starts.get(at).copied().unwrap_or(0), samples.times[at]);
    samples.values[at] < samples.values[at - 1] || counter_restarted(start(at - 1), start(at))
}

/// Whether a sample may be folded together with the one before it.
fn joins(samples: &Samples, at: usize, resolution_ms: i64, others: &[(i64, i64)]) -> bool {
    if samples.folds.get(at).is_some_and(|fold| !fold.is_empty()) {
        return true;
    }
    let (before_ms, now_ms) = (samples.times[at - 1], samples.times[at]);
    if bucket(before_ms, resolution_ms) != bucket(now_ms, resolution_ms) || now_ms.saturating_sub(before_ms) > GAP_MS {
        return false;
    }
    if others.iter().any(|(min_ms, max_ms)| *min_ms <= now_ms && *max_ms >= before_ms) {
        return false;
    }
    let slot = |at: usize| samples.histograms.get(at).and_then(Option::as_ref);
    match (slot(at - 1), slot(at)) {
        (None, None) => !is_stale_nan(samples.values[at - 1]) && !is_stale_nan(samples.values[at]),
        (Some(before), Some(now)) => {
            let gauges = [before.reset_hint, now.reset_hint].map(|hint| hint == ResetHint::Gauge);
            let restarted = || {
                let start = |at: usize| (samples.starts.get(at).copied().unwrap_or(0), samples.times[at]);
                counter_restarted(start(at - 1), start(at)) || now.is_reset_after(before)
            };
            let alike = gauges[0] == gauges[1] && (gauges[0] || !restarted());
            alike && !before.is_stale() && !now.is_stale()
        }
        _ => false,
    }
}

/// Folds samples to a resolution, which may be folded to a finer one already. `others` are spans of time in which there may be samples
/// of the series that are not among these: they must meet before they are folded, so that what is there is left as it is.
pub(crate) fn fold(samples: &Samples, resolution_ms: i64, others: &[(i64, i64)]) -> Samples {
    let mut out = Samples::default();
    let mut piece: Option<Piece> = None;
    for at in 0..samples.len() {
        match &mut piece {
            Some(piece) if joins(samples, at, resolution_ms, others) => piece.take(samples, at),
            _ => {
                if let Some(ended) = piece.replace(Piece::new(samples, at)) {
                    ended.put(samples, &mut out);
                }
            }
        }
    }
    if let Some(ended) = piece {
        ended.put(samples, &mut out);
    }
    out.resolution_ms = samples.resolution_ms.max(resolution_ms);
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use expect_test::{Expect, expect};
    use model::{FloatHistogram, stale_nan};

    use super::*;
    use crate::samples::View;

    /// Samples every 15 seconds from the start of a bucket on, folded to a minute, in words.
    fn check(values: &[f64], others: &[(i64, i64)], want: Expect) {
        let times: Vec<i64> = (0..values.len() as i64).map(|at| at * 15_000).collect();
        want.assert_eq(&shown(&fold(&Samples::from(View::of(&times, values)), 60_000, others)));
    }

    fn shown(samples: &Samples) -> String {
        let line = |at: usize| {
            let Fold { count, resets, sum, min, max, lost } = samples.folds.get(at).copied().unwrap_or_default();
            let slot = samples.histograms.get(at).and_then(Option::as_ref);
            let value =
                slot.map_or(samples.values[at].to_string(), |histogram| format!("histogram of {}", histogram.count));
            let folded = format!(" after {count} of {min} to {max}, sum {sum}, {resets} resets lost {lost}");
            let folded = if count == 0 { String::new() } else { folded };
            format!("{}s {value}{folded}\n", samples.times[at] / 1000)
        };
        (0..samples.len()).map(line).collect()
    }

    #[test]
    fn the_first_and_the_last_sample_of_a_bucket_stay() {
        check(
            &[1.0, 2.0, 9.0, 4.0, 5.0, 6.0, 0.5, 8.0, 3.0],
            &[],
            expect![[r#"
            0s 1
            15s 2
            60s 5 after 2 of 2 to 9, sum 13, 1 resets lost 9
            75s 6
            120s 3 after 2 of 0.5 to 8, sum 8.5, 2 resets lost 14
        "#]],
        );
        check(
            &[1.0, f64::NAN, f64::NAN, 7.0, f64::INFINITY, 5.0],
            &[],
            expect![[r#"
            0s 1
            15s NaN
            60s inf after 2 of 7 to inf, sum NaN, 0 resets lost 0
            75s 5
        "#]],
        );
    }

    #[test]
    fn what_ends_a_series_ends_what_is_folded() {
        check(
            &[0.0, 1.0, 2.0, 3.0, stale_nan(), 5.0, 6.0, 7.0, 8.0],
            &[],
            expect![[r#"
            0s 0
            15s 1
            45s 3 after 1 of 1 to 3, sum 2, 0 resets lost 0
            60s NaN
            75s 5
            120s 8 after 2 of 5 to 8, sum 13, 0 resets lost 0
        "#]],
        );
        let times: Vec<i64> = [1, 2, 3, 4, 305, 306, 307, 308].iter().map(|at| at * 1000).collect();
        let samples = Samples::from(View::of(&times, &[1.0; 8]));
        let folded = fold(&samples, 3_600_000, &[]);
        expect![[r#"
            1s 1
            4s 1 after 2 of 1 to 1, sum 2, 0 resets lost 0
            305s 1
            308s 1 after 2 of 1 to 1, sum 2, 0 resets lost 0
        "#]]
        .assert_eq(&shown(&folded));
    }

    #[test]
    fn what_other_samples_may_lie_among_is_not_folded() {
        check(
            &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0],
            &[(80_000, 95_000)],
            expect![[r#"
            0s 0
            15s 1
            60s 4 after 2 of 1 to 4, sum 5, 0 resets lost 0
            75s 5
            90s 6
            105s 7
            120s 8
        "#]],
        );
    }

    #[test]
    fn histograms_are_folded_up_to_a_reset() {
        let at = |count: u32, reset_hint: ResetHint| {
            Some(Arc::new(FloatHistogram { count: count.into(), reset_hint, ..FloatHistogram::default() }))
        };
        let times: Vec<i64> = (1..=8).map(|at| at * 1000).collect();
        let counters = [1, 2, 3, 4, 2, 3, 4, 5].map(|count| at(count, ResetHint::Unknown)).to_vec();
        let gauges = [1, 2, 3, 4, 2, 3, 4, 5].map(|count| at(count, ResetHint::Gauge)).to_vec();
        let folded = [counters, gauges].map(|histograms| {
            let view = View { histograms: &histograms, ..View::of(&times, &[0.0; 8]) };
            shown(&fold(&Samples::from(view), 60_000, &[]))
        });
        expect![[r#"
            1s histogram of 1
            4s histogram of 4 after 2 of 0 to 0, sum 0, 0 resets lost 0
            5s histogram of 2
            8s histogram of 5 after 2 of 0 to 0, sum 0, 0 resets lost 0
            1s histogram of 1
            8s histogram of 5 after 6 of 0 to 0, sum 0, 0 resets lost 0
        "#]]
        .assert_eq(&folded.concat());
    }
}
