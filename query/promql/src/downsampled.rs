//! Functions over ranges of series that are downsampled, wholly or in part.
//!
//! Of a bucket its first and last sample are there, and a [`Fold`] of what was between them. A window that has a bucket as a whole has
//! all that its samples would give: smallest and largest value, sum, count, and of a counter what it lost at resets, so that the
//! results are those of all samples. Where a window begins or ends inside of a fold it gets its share by time of the fold's sum, its
//! count and the increase over it, and the whole of its smallest and largest value. Functions that need each single sample see those that
//! are there.

use model::histogram::add_compensated;

use crate::selector::Series;
use crate::source::Fold;
use crate::starts;
use crate::tile::Row;
use crate::windows::{Extrapolation, Kind, Params, WindowFunction};

/// The share of a window in the fold before a sample.
#[derive(Clone, Copy)]
struct Share {
    at: usize,
    part: f64,
}

/// The samples of a window: those from `from` to before `to`, and shares of the folds in which it begins and ends.
#[derive(Clone, Copy)]
struct Window {
    from: usize,
    to: usize,
    left: Option<Share>,
    right: Option<Share>,
}

impl Window {
    fn shares(&self) -> impl Iterator<Item = Share> {
        self.left.into_iter().chain(self.right)
    }

    /// Places whose folds are inside, behind the first sample.
    fn inner(&self) -> std::ops::Range<usize> {
        (self.from + 1).min(self.to)..self.to
    }
}

/// A function bound to one series.
struct Downsampled<'a> {
    kind: Kind,
    series: &'a Series,
    /// What was left out before each sample.
    folds: Vec<Fold>,
    /// How many samples there were from the first one up to each, without the first.
    samples: Vec<u64>,
    /// Of a counter: places before which it was reset, how often, and what it lost.
    resets: Vec<(usize, u32, f64)>,
}

/// Slides the windows of all steps over a series of numbers.
pub(crate) fn slide(kind: Kind, series: &Series, steps: usize, params: impl Fn(usize) -> Params, row: &mut Row) {
    let mut function = WindowFunction::new(kind, series);
    let downsampled = Downsampled::new(kind, series);
    for (step, out) in row.values.iter_mut().enumerate().take(steps) {
        let params = params(step);
        let Some(window) = downsampled.window(params.start_ms, params.end_ms) else { continue };
        if let Some(value) = downsampled.at(&mut function, &window, &params) {
            *out = value;
        }
    }
}

impl<'a> Downsampled<'a> {
    fn new(kind: Kind, series: &'a Series) -> Self {
        let len = series.times.len();
        let mut folds = vec![Fold::default(); len];
        for fold in &series.folds {
            folds[fold.at] = *fold;
        }
        let sum = |sum: &mut u64, fold: &Fold| {
            *sum += u64::from(fold.count) + 1;
            Some(*sum)
        };
        let samples = folds.iter().scan(0, sum).collect();
        let mut resets = Vec::new();
        if matches!(kind, Kind::Rate | Kind::Increase | Kind::Resets) {
            let values = &series.values;
            for (at, fold) in folds.iter().enumerate().skip(1) {
                if fold.count > 0 {
                    resets.extend((fold.resets > 0).then_some((at, fold.resets, fold.value)));
                } else if values[at] < values[at - 1] || starts::is_reset(&series.starts, &series.times, at) {
                    resets.push((at, 1, values[at - 1]));
                }
            }
        }
        Self { kind, series, folds, samples, resets }
    }

    /// What a window has; `None` for one that has nothing.
    fn window(&self, start_ms: i64, end_ms: i64) -> Option<Window> {
        let times = &self.series.times;
        let from = times.partition_point(|time| *time <= start_ms);
        let to = times.partition_point(|time| *time <= end_ms).max(from);
        let share = |at: usize| {
            let fold = self.folds.get(at).filter(|fold| fold.count > 0)?;
            let (before_ms, time_ms) = (times[fold.at - 1], times[fold.at]);
            let inside = time_ms.min(end_ms).saturating_sub(before_ms.max(start_ms));
            (inside > 0).then(|| Share { at, part: inside as f64 / (time_ms - before_ms) as f64 })
        };
        let left = share(from);
        // A window inside of one fold has one share of it.
        let right = if to > from { share(to) } else { None };
        (to > from || left.is_some()).then_some(Window { from, to, left, right })
    }

    fn at(&self, function: &mut WindowFunction<'_>, window: &Window, params: &Params) -> Option<f64> {
        match self.kind {
            Kind::Count => Some(self.count(window)),
            Kind::Sum => Some(self.sum(window)),
            Kind::Avg => Some(self.sum(window) / self.count(window)),
            Kind::Min | Kind::Max => Some(self.extreme(window)),
            Kind::Rate | Kind::Increase | Kind::Delta => self.extrapolated(window, params),
            Kind::Resets => Some(self.resets(window)),
            Kind::Irate | Kind::Idelta => match self.last_fold(window) {
                Some(at) => Some(self.instant_value(at)),
                None => function.at(window.from, window.to, params),
            },
            _ => {
                // The sample before a fold is the last one that is known of what is in the window.
                let from = window.from - usize::from(window.left.is_some());
                function.at(from, window.to, params)
            }
        }
    }

    /// How many samples there were from one place to another, without the first.
    fn samples(&self, window: &Window) -> u64 {
        if window.to > window.from { self.samples[window.to - 1] - self.samples[window.from] } else { 0 }
    }

    fn count(&self, window: &Window) -> f64 {
        let whole = self.samples(window) + u64::from(window.to > window.from);
        window.shares().fold(whole as f64, |count, share| count + f64::from(self.folds[share.at].count) * share.part)
    }

    fn sum(&self, window: &Window) -> f64 {
        let samples = self.series.values[window.from..window.to].iter().copied();
        let folds = self.folds[window.inner()].iter().filter(|fold| fold.count > 0).map(|fold| fold.value);
        let shares = window.shares().map(|share| self.folds[share.at].value * share.part);
        let all = samples.chain(folds).chain(shares);
        let (sum, compensation) = all.fold((0.0, 0.0), |(sum, c), value| add_compensated(value, sum, c));
        if sum.is_infinite() { sum } else { sum + compensation }
    }

    /// NaN only counts if there is nothing else.
    fn extreme(&self, window: &Window) -> f64 {
        let samples = self.series.values[window.from..window.to].iter().copied();
        let folds = self.folds[window.inner()].iter().filter(|fold| fold.count > 0).map(|fold| fold.value);
        let all = samples.chain(folds).chain(window.shares().map(|share| self.folds[share.at].value));
        if self.kind == Kind::Min { all.fold(f64::NAN, f64::min) } else { all.fold(f64::NAN, f64::max) }
    }

    /// What changed over a fold; of a counter what it grew by.
    fn increase(&self, at: usize) -> f64 {
        let lost = if matches!(self.kind, Kind::Delta | Kind::Idelta) { 0.0 } else { self.folds[at].value };
        self.series.values[at] - self.series.values[at - 1] + lost
    }

    /// As over all samples, where the line over a fold is taken for straight.
    fn extrapolated(&self, window: &Window, params: &Params) -> Option<f64> {
        let (times, values) = (&self.series.times, &self.series.values);
        let is_counter = self.kind != Kind::Delta;
        let (from, to) = (window.from, window.to);
        let mut result = if to > from { values[to - 1] - values[from] } else { 0.0 };
        if is_counter {
            result += self.resets_inside(window).map(|(_, _, lost)| lost).sum::<f64>();
        }
        let mut gaps = self.samples(window) as f64;
        for share in window.shares() {
            result += self.increase(share.at) * share.part;
            gaps += (f64::from(self.folds[share.at].count) + 1.0) * share.part;
        }
        let reaches_end = window.right.is_some() || to == from;
        let mut reach = Extrapolation {
            first_ms: if window.left.is_some() { params.start_ms } else { times[from] },
            last_ms: if reaches_end { params.end_ms } else { times[to - 1] },
            gaps: gaps.round() as usize,
            known_start_ms: None,
        };
        let mut zero_at = None;
        if window.left.is_none() {
            let start_ms = self.series.starts.get(from).copied().filter(|_| is_counter);
            reach.known_start_ms = reach.usable_start(start_ms, params);
            if reach.known_start_ms.is_some() {
                result += values[from];
            }
            zero_at = (is_counter && result > 0.0 && values[from] >= 0.0).then(|| values[from] / result);
        }
        if reach.first_ms >= reach.last_ms && reach.known_start_ms.is_none() {
            return None;
        }
        Some(result * reach.factor(zero_at, self.kind == Kind::Rate, params))
    }

    /// The resets between the samples of a window.
    fn resets_inside(&self, window: &Window) -> impl Iterator<Item = (usize, u32, f64)> {
        let inner = window.inner();
        let first = self.resets.partition_point(|(at, ..)| *at < inner.start);
        let last = self.resets.partition_point(|(at, ..)| *at < inner.end).max(first);
        self.resets[first..last].iter().copied()
    }

    /// How often a counter was reset. Those of a fold in which the window begins are known to be before its end, and count.
    fn resets(&self, window: &Window) -> f64 {
        let left = window.left.filter(|_| window.to > window.from).map_or(0, |share| self.folds[share.at].resets);
        f64::from(left) + self.resets_inside(window).map(|(_, resets, _)| f64::from(resets)).sum::<f64>()
    }

    /// The place behind the fold in which a window ends, or that comes before its last sample.
    fn last_fold(&self, window: &Window) -> Option<usize> {
        if let Some(share) = window.right.or(window.left.filter(|_| window.to == window.from)) {
            return Some(share.at);
        }
        let last = window.to.checked_sub(1)?;
        (self.folds[last].count > 0).then_some(last)
    }

    /// What the last two samples of a fold would most likely give.
    fn instant_value(&self, at: usize) -> f64 {
        if self.kind == Kind::Irate {
            return self.increase(at) / ((self.series.times[at] - self.series.times[at - 1]) as f64 / 1000.0);
        }
        self.increase(at) / (f64::from(self.folds[at].count) + 1.0)
    }
}
