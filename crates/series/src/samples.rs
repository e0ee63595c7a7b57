//! Samples of one series as columns in time order.

use std::sync::Arc;

use model::FloatHistogram;

use crate::fold::Fold;

/// A slot of the histogram column: filled where the sample is a histogram.
pub(crate) type Slot = Option<Arc<FloatHistogram>>;

/// Samples of one series, strictly ascending in time.
///
/// Histograms and start times are rare, so that their columns are empty while the series has none; otherwise every column is as
/// long as the times. The value beside a histogram is zero.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Samples {
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
    pub(crate) histograms: Vec<Slot>,
    /// When the counter behind each sample started, in milliseconds; zero where that is not known.
    pub(crate) starts: Vec<i64>,
    /// What downsampling left out before each sample; empty where it left out nothing.
    pub(crate) folds: Vec<Fold>,
    /// To which resolution they are downsampled, where that differs the coarsest; 0 is not at all.
    pub(crate) resolution_ms: i64,
}

/// Some samples of a [`Samples`], which see.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
    pub(crate) histograms: &'a [Slot],
    pub(crate) starts: &'a [i64],
    pub(crate) folds: &'a [Fold],
    pub(crate) resolution_ms: i64,
}

impl<'a> View<'a> {
    /// Numbers that are not downsampled.
    pub(crate) fn of(times: &'a [i64], values: &'a [f64]) -> Self {
        Self { times, values, histograms: &[], starts: &[], folds: &[], resolution_ms: 0 }
    }

    pub(crate) fn part(self, from: usize, to: usize) -> Self {
        Self {
            times: &self.times[from..to],
            values: &self.values[from..to],
            histograms: self.histograms.get(from..to).unwrap_or(&[]),
            starts: self.starts.get(from..to).unwrap_or(&[]),
            folds: self.folds.get(from..to).unwrap_or(&[]),
            resolution_ms: self.resolution_ms,
        }
    }

    /// The samples before a place and those from it on.
    fn split(self, at: usize) -> (Self, Self) {
        (self.part(0, at), self.part(at, self.times.len()))
    }
}

/// Memory of one sample in the two columns that every series has.
const SAMPLE_BYTES: usize = 16;

impl Samples {
    pub(crate) fn len(&self) -> usize {
        self.times.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.times.is_empty()
    }

    /// All of them.
    pub(crate) fn view(&self) -> View<'_> {
        View {
            times: &self.times,
            values: &self.values,
            histograms: &self.histograms,
            starts: &self.starts,
            folds: &self.folds,
            resolution_ms: self.resolution_ms,
        }
    }

    /// Bytes of memory.
    pub(crate) fn bytes(&self) -> usize {
        let histograms: usize = self.histograms.iter().flatten().map(|histogram| histogram.size_bytes()).sum();
        self.len() * SAMPLE_BYTES
            + self.histograms.len() * size_of::<Slot>()
            + self.starts.len() * size_of::<i64>()
            + self.folds.len() * size_of::<Fold>()
            + histograms
    }

    /// Puts samples behind the last one.
    pub(crate) fn extend(&mut self, more: View<'_>) {
        let (len, count) = (self.len(), more.times.len());
        extend_rare(&mut self.histograms, len, more.histograms, count);
        extend_rare(&mut self.starts, len, more.starts, count);
        extend_rare(&mut self.folds, len, more.folds, count);
        self.resolution_ms = self.resolution_ms.max(more.resolution_ms);
        self.times.extend_from_slice(more.times);
        self.values.extend_from_slice(more.values);
    }

    fn split_off(&mut self, at: usize) -> Self {
        Self {
            times: self.times.split_off(at),
            values: self.values.split_off(at),
            histograms: if self.histograms.is_empty() { Vec::new() } else { self.histograms.split_off(at) },
            starts: if self.starts.is_empty() { Vec::new() } else { self.starts.split_off(at) },
            folds: if self.folds.is_empty() { Vec::new() } else { self.folds.split_off(at) },
            resolution_ms: self.resolution_ms,
        }
    }

    /// Lays newer writes over these samples: where both have a time, the newer one stays. Gives how many were left out, because what
    /// is downsampled covers them.
    pub(crate) fn lay_over(&mut self, newer: View<'_>) -> usize {
        let Some(first) = newer.times.first() else { return 0 };
        if self.times.last().is_none_or(|last| last < first) {
            self.extend(newer);
            return 0;
        }
        if !self.folds.is_empty() || !newer.folds.is_empty() {
            return self.lay_over_folds(newer);
        }
        let start = self.times.partition_point(|time| time < first);
        let tail = self.split_off(start);
        let (mut old, mut new) = (tail.view(), newer);
        // Run by run: what is before the other side's next time moves in one piece.
        while let (Some(old_next), Some(new_next)) = (old.times.first(), new.times.first()) {
            if old_next < new_next {
                let (run, rest) = old.split(old.times.partition_point(|time| time < new_next));
                self.extend(run);
                old = rest;
                continue;
            }
            let same = usize::from(old_next == new_next);
            let (run, rest) = new.split(new.times.partition_point(|time| time < old_next).max(same));
            self.extend(run);
            (new, old) = (rest, old.split(same).1);
        }
        self.extend(old);
        self.extend(new);
        0
    }

    /// The same where one side is downsampled. A newer sample between two of which the later one has a fold is most likely one of
    /// those in the fold, sent again, and is left out: counted twice it would be wrong, and sending something twice must change
    /// nothing.
    fn lay_over_folds(&mut self, newer: View<'_>) -> usize {
        let older = std::mem::take(self);
        let (old, mut left_out) = (older.view(), 0);
        let (mut at, mut next) = (0, 0);
        while at < old.times.len() || next < newer.times.len() {
            match (old.times.get(at), newer.times.get(next)) {
                (Some(time), Some(new_time)) if time == new_time => {
                    self.extend(newer.part(next, next + 1));
                    if let Some(kept) = old.folds.get(at).filter(|fold| !fold.is_empty()) {
                        self.folds.resize(self.times.len(), Fold::default());
                        if let Some(fold) = self.folds.last_mut().filter(|fold| fold.is_empty()) {
                            *fold = *kept;
                        }
                    }
                    (at, next) = (at + 1, next + 1);
                }
                (Some(time), new_time) if new_time.is_none_or(|new_time| time < new_time) => {
                    self.extend(old.part(at, at + 1));
                    at += 1;
                }
                _ => {
                    let is_covered = at > 0 && old.folds.get(at).is_some_and(|fold| !fold.is_empty());
                    if is_covered {
                        left_out += 1;
                    } else {
                        self.extend(newer.part(next, next + 1));
                    }
                    next += 1;
                }
            }
        }
        self.resolution_ms = old.resolution_ms.max(newer.resolution_ms);
        left_out
    }

    /// Leaves the samples from `start_ms` to `end_ms`, both included, and those at the ends of folds that reach into that time.
    pub(crate) fn clip(&mut self, start_ms: i64, end_ms: i64) {
        let from = self.times.partition_point(|time| *time < start_ms);
        let to = self.times.partition_point(|time| *time <= end_ms).max(from);
        let has_fold = |at: usize| at > 0 && self.folds.get(at).is_some_and(|fold| !fold.is_empty());
        let (from, to) = (from - usize::from(has_fold(from)), to + usize::from(has_fold(to)));
        if (from, to) == (0, self.len()) {
            return;
        }
        fn cut<T: Clone>(column: &mut Vec<T>, from: usize, to: usize) {
            if column.is_empty() {
                return;
            }
            if (to - from) * 2 < column.len() {
                // Most of its room would be left over.
                *column = column[from..to].to_vec();
                return;
            }
            column.truncate(to);
            column.drain(..from);
        }
        cut(&mut self.times, from, to);
        cut(&mut self.values, from, to);
        cut(&mut self.histograms, from, to);
        cut(&mut self.starts, from, to);
        cut(&mut self.folds, from, to);
    }

    /// The samples from `start_ms` to `end_ms`, both included.
    pub(crate) fn range(&self, start_ms: i64, end_ms: i64) -> View<'_> {
        let from = self.times.partition_point(|time| *time < start_ms);
        let to = self.times.partition_point(|time| *time <= end_ms).max(from);
        self.view().part(from, to)
    }

    /// Forgets the samples from `start_ms` to `end_ms`, both included. What is folded can not be told apart, so that a fold goes as
    /// soon as some of it may be in that time.
    pub(crate) fn remove_range(&mut self, start_ms: i64, end_ms: i64) {
        for at in 1..self.folds.len() {
            if self.times[at - 1] <= end_ms && self.times[at] > start_ms {
                self.folds[at] = Fold::default();
            }
        }
        let from = self.times.partition_point(|time| *time < start_ms);
        let to = self.times.partition_point(|time| *time <= end_ms);
        if from < to {
            let tail = self.split_off(to);
            drop(self.split_off(from));
            self.extend(tail.view());
        }
    }
}

impl From<View<'_>> for Samples {
    fn from(view: View<'_>) -> Self {
        let mut samples = Self::default();
        samples.extend(view);
        samples
    }
}

/// Extends a column that may be absent on either side: `len` entries are there, `count` come.
fn extend_rare<T: Clone + Default>(column: &mut Vec<T>, len: usize, more: &[T], count: usize) {
    if !column.is_empty() || !more.is_empty() {
        column.resize(len, T::default());
        column.extend_from_slice(more);
        column.resize(len + count, T::default());
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// A sample by its time and a number that says what it is: a plain number, one with a start, or a histogram.
    fn one(time: i64, kind: u8) -> Samples {
        let mut samples = Samples { times: vec![time], values: vec![f64::from(kind)], ..Samples::default() };
        match kind % 3 {
            1 => samples.starts = vec![i64::from(kind)],
            2 => {
                let histogram = FloatHistogram { count: f64::from(kind), ..FloatHistogram::default() };
                (samples.values, samples.histograms) = (vec![0.0], vec![Some(Arc::new(histogram))]);
            }
            _ => {}
        }
        samples
    }

    /// Every sample in words, whether its columns are there or not.
    fn shown(samples: &Samples) -> Vec<(i64, f64, Option<f64>, i64)> {
        let rare = [samples.histograms.len(), samples.starts.len()];
        assert!(rare.iter().all(|len| [0, samples.len()].contains(len)), "{rare:?} of {}", samples.len());
        let slot = |at: usize| samples.histograms.get(at).and_then(Option::as_ref).map(|histogram| histogram.count);
        let start = |at: usize| samples.starts.get(at).copied().unwrap_or(0);
        (0..samples.len()).map(|at| (samples.times[at], samples.values[at], slot(at), start(at))).collect()
    }

    /// Samples at multiples of ten, each second one of which ends a fold.
    fn folded(count: i64) -> Samples {
        let fold = |at: i64| Fold { count: (at % 2) as u32, ..Fold::default() };
        let (times, values) = ((0..count).map(|at| at * 10).collect(), vec![0.0; count as usize]);
        let folds = (0..count).map(fold).collect();
        Samples { times, values, folds, resolution_ms: 20, ..Samples::default() }
    }

    fn counts(samples: &Samples) -> Vec<(i64, f64, u32)> {
        let fold = |at: usize| samples.folds.get(at).map_or(0, |fold| fold.count);
        (0..samples.len()).map(|at| (samples.times[at], samples.values[at], fold(at))).collect()
    }

    #[test]
    fn what_is_folded_covers_late_samples_and_keeps_its_folds() {
        let mut samples = folded(4);
        let late = View::of(&[-1, 5, 10, 15, 20, 25, 31], &[1.0; 7]);
        assert_eq!(samples.lay_over(late), 2);
        let want = [(-1, 1.0, 0), (0, 0.0, 0), (10, 1.0, 1), (15, 1.0, 0), (20, 1.0, 0), (30, 0.0, 1), (31, 1.0, 0)];
        assert_eq!(counts(&samples), want);
        let mut raw = Samples::from(View::of(&[-5, 0], &[2.0; 2]));
        assert_eq!(raw.lay_over(folded(2).view()), 0);
        assert_eq!((counts(&raw), raw.resolution_ms), (vec![(-5, 2.0, 0), (0, 0.0, 0), (10, 0.0, 1)], 20));
    }

    #[test]
    fn a_range_has_both_ends_of_its_folds_and_a_deletion_takes_folds_that_it_touches() {
        let times = |from, to| {
            let mut samples = folded(4);
            samples.clip(from, to);
            assert_eq!(samples.folds.len(), samples.len());
            samples.times
        };
        assert_eq!(
            [times(3, 4), times(0, 10), times(5, 25), times(12, 18)],
            [vec![0, 10], vec![0, 10], vec![0, 10, 20, 30], vec![]]
        );
        let left = |from, to| {
            let mut samples = folded(4);
            samples.remove_range(from, to);
            counts(&samples).into_iter().map(|(time, _, count)| (time, count)).collect::<Vec<_>>()
        };
        assert_eq!(left(4, 5), [(0, 0), (10, 0), (20, 0), (30, 1)]);
        assert_eq!(left(10, 20), [(0, 0), (30, 0)]);
        assert_eq!(left(11, 19), [(0, 0), (10, 1), (20, 0), (30, 1)]);
    }

    proptest! {
        #[test]
        fn any_order_of_writes_equals_a_sorted_map(
            writes in prop::collection::vec((0i64..40, 0u8..9), 0..60), cut in 0usize..60, floor in 0i64..45,
        ) {
            let mut map = BTreeMap::new();
            let mut samples = Samples::default();
            let mut newer = Samples::default();
            for (i, (time, kind)) in writes.iter().enumerate() {
                map.insert(*time, shown(&one(*time, *kind))[0]);
                let into = if i < cut { &mut samples } else { &mut newer };
                into.lay_over(one(*time, *kind).view());
            }
            samples.lay_over(newer.view());
            prop_assert_eq!(shown(&samples), map.values().copied().collect::<Vec<_>>());
            let part = Samples::from(samples.range(floor, 44));
            samples.remove_range(i64::MIN, floor - 1);
            let rest: Vec<_> = map.range(floor..).map(|(_, sample)| *sample).collect();
            prop_assert_eq!((shown(&samples), shown(&part)), (rest.clone(), rest));
        }
    }
}
