//! What functions compute over the samples of one window.

use std::collections::VecDeque;

use model::histogram::add_compensated;

use crate::selector::Series;
use crate::source::Wanted;
use crate::starts;

/// A function over a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Last,
    First,
    Present,
    Stddev,
    Stdvar,
    Quantile,
    Mad,
    Changes,
    Resets,
    Deriv,
    PredictLinear,
    DoubleExponential,
    TimeOfFirst,
    TimeOfLast,
    TimeOfMin,
    TimeOfMax,
}

impl Kind {
    pub(crate) fn find(name: &str) -> Option<Self> {
        Some(match name {
            "rate" => Self::Rate,
            "increase" => Self::Increase,
            "delta" => Self::Delta,
            "irate" => Self::Irate,
            "idelta" => Self::Idelta,
            "sum_over_time" => Self::Sum,
            "avg_over_time" => Self::Avg,
            "min_over_time" => Self::Min,
            "max_over_time" => Self::Max,
            "count_over_time" => Self::Count,
            "last_over_time" => Self::Last,
            "first_over_time" => Self::First,
            "present_over_time" => Self::Present,
            "stddev_over_time" => Self::Stddev,
            "stdvar_over_time" => Self::Stdvar,
            "quantile_over_time" => Self::Quantile,
            "mad_over_time" => Self::Mad,
            "changes" => Self::Changes,
            "resets" => Self::Resets,
            "deriv" => Self::Deriv,
            "predict_linear" => Self::PredictLinear,
            "double_exponential_smoothing" => Self::DoubleExponential,
            "ts_of_first_over_time" => Self::TimeOfFirst,
            "ts_of_last_over_time" => Self::TimeOfLast,
            "ts_of_min_over_time" => Self::TimeOfMin,
            "ts_of_max_over_time" => Self::TimeOfMax,
            _ => return None,
        })
    }

    /// What the function needs of samples that downsampling left out.
    pub(crate) fn wanted(self) -> Wanted {
        match self {
            Self::Rate | Self::Increase | Self::Irate | Self::Delta | Self::Idelta | Self::Resets => Wanted::Counter,
            Self::Sum | Self::Avg => Wanted::Sum,
            Self::Min => Wanted::Min,
            Self::Max => Wanted::Max,
            _ => Wanted::Count,
        }
    }

    /// Whether the time at which a counter started matters.
    pub(crate) fn uses_starts(self) -> bool {
        matches!(self, Self::Rate | Self::Increase | Self::Irate | Self::Resets)
    }
}

/// What a function needs besides the samples.
pub(crate) struct Params {
    /// The window is open here ...
    pub(crate) start_ms: i64,
    /// ... and closed here.
    pub(crate) end_ms: i64,
    /// The time of the step, before offset and `@`.
    pub(crate) eval_ms: i64,
    /// First and second scalar argument.
    pub(crate) a: f64,
    pub(crate) b: f64,
}

/// A function bound to the numbers of one series. Windows must come in order: neither bound goes back.
pub(crate) struct WindowFunction<'a> {
    kind: Kind,
    times: &'a [i64],
    values: &'a [f64],
    /// When the counter behind each sample started; empty if unknown.
    starts: &'a [i64],
    /// For counters and `resets`: places where the value is below the one before, or the counter started anew.
    resets: Vec<usize>,
    /// Places where the start time lies before the sample before.
    overlaps: Vec<usize>,
    /// For `changes`: how many values up to each place differ from the one before.
    changes: Vec<u32>,
    /// For `min` and `max`: places that may become the extreme, best first.
    extremes: VecDeque<usize>,
    seen: usize,
}

impl<'a> WindowFunction<'a> {
    pub(crate) fn new(kind: Kind, series: &'a Series) -> Self {
        let (times, values) = (&series.times[..], &series.values[..]);
        let starts: &[i64] = if kind.uses_starts() { &series.starts } else { &[] };
        let falls =
            || values.iter().zip(values.iter().skip(1)).fold(false, |any, (before, value)| any | (value < before));
        let resets = match kind {
            // Most counters never fall, which is seen many samples at once.
            Kind::Rate | Kind::Increase | Kind::Resets if starts.is_empty() && !falls() => Vec::new(),
            Kind::Rate | Kind::Increase | Kind::Resets if starts.is_empty() => {
                (1..values.len()).filter(|at| values[*at] < values[*at - 1]).collect()
            }
            Kind::Rate | Kind::Increase | Kind::Resets => (1..values.len())
                .filter(|at| values[*at] < values[*at - 1] || starts::is_reset(starts, times, *at))
                .collect(),
            _ => Vec::new(),
        };
        let overlaps = match kind {
            Kind::Rate | Kind::Increase if !starts.is_empty() => {
                (1..values.len()).filter(|at| starts::overlaps(starts, times, *at)).collect()
            }
            _ => Vec::new(),
        };
        let changes = if kind == Kind::Changes { count_changes(values) } else { Vec::new() };
        Self { kind, times, values, starts, resets, overlaps, changes, extremes: VecDeque::new(), seen: 0 }
    }

    /// Whether start times overlap with samples anywhere.
    pub(crate) fn has_overlaps(&self) -> bool {
        !self.overlaps.is_empty()
    }

    /// Whether start times overlap with samples within `from..to`.
    pub(crate) fn has_overlap(&self, from: usize, to: usize) -> bool {
        between(&self.overlaps, from, to).next().is_some()
    }

    /// The result for the samples `from..to`, at least one.
    pub(crate) fn at(&mut self, from: usize, to: usize, params: &Params) -> Option<f64> {
        let (times, values) = (&self.times[from..to], &self.values[from..to]);
        let count = values.len();
        Some(match self.kind {
            Kind::Rate | Kind::Increase | Kind::Delta => return self.extrapolated(from, to, params),
            Kind::Irate | Kind::Idelta => return self.instant_value(from, to),
            Kind::Sum => sum(values),
            Kind::Avg => mean(values),
            Kind::Min | Kind::Max => self.extreme(from, to),
            Kind::Count => count as f64,
            Kind::Last => values[count - 1],
            Kind::First => values[0],
            Kind::Present => 1.0,
            Kind::Stddev => variance(values).sqrt(),
            Kind::Stdvar => variance(values),
            Kind::Quantile => quantile(params.a, &mut values.to_vec()),
            Kind::Mad => median_deviation(values),
            Kind::Changes => f64::from(self.changes[to - 1] - self.changes[from]),
            Kind::Resets => between(&self.resets, from, to).count() as f64,
            Kind::Deriv if count < 2 => return None,
            Kind::Deriv => linear_regression(times, values, times[0]).0,
            Kind::PredictLinear if count < 2 => return None,
            Kind::PredictLinear => {
                let (slope, intercept) = linear_regression(times, values, params.eval_ms);
                slope * params.a + intercept
            }
            Kind::DoubleExponential if count < 2 => return None,
            Kind::DoubleExponential => double_exponential(values, params.a, params.b),
            Kind::TimeOfFirst => times[0] as f64 / 1000.0,
            Kind::TimeOfLast => times[count - 1] as f64 / 1000.0,
            Kind::TimeOfMin => time_of(times, values, |value, best| value <= best),
            Kind::TimeOfMax => time_of(times, values, |value, best| value >= best),
        })
    }

    /// The difference of the last two samples.
    fn instant_value(&self, from: usize, to: usize) -> Option<f64> {
        let last = to.checked_sub(1).filter(|last| *last > from)?;
        let is_rate = self.kind == Kind::Irate;
        let elapsed_ms = self.times[last] - self.times[last - 1];
        let fell = self.values[last] < self.values[last - 1];
        let reset = is_rate && (fell || starts::is_reset(self.starts, self.times, last));
        let result = if reset { self.values[last] } else { self.values[last] - self.values[last - 1] };
        Some(if is_rate { result / (elapsed_ms as f64 / 1000.0) } else { result })
    }

    /// Whether the function extrapolates, and nothing but samples says how: then [`Self::extrapolate_all`] is what [`Self::at`] is.
    pub(crate) fn extrapolates_samples(&self) -> bool {
        matches!(self.kind, Kind::Rate | Kind::Increase | Kind::Delta) && self.starts.is_empty()
    }

    /// Prometheus's extrapolation in all windows, of which `params` gives the bounds. Windows without two samples are left as they are.
    pub(crate) fn extrapolate_all(&self, windows: &[Window], params: impl Fn(usize) -> Params, out: &mut [f64]) {
        let (is_counter, per_second) = (self.kind != Kind::Delta, self.kind == Kind::Rate);
        for (step, (out, window)) in out.iter_mut().zip(windows).enumerate() {
            let (from, to) = (window.from as usize, window.to as usize);
            if to < from + 2 {
                continue;
            }
            let (first, last) = (self.values[from], self.values[to - 1]);
            let mut result = last - first;
            if is_counter && !self.resets.is_empty() {
                result += between(&self.resets, from, to).map(|at| self.values[at - 1]).sum::<f64>();
            }
            let mut factor = if per_second { window.rate } else { window.increase };
            // Only a counter that was at zero not long before the window is worth the division.
            if is_counter && result > 0.0 && first >= 0.0 && first * window.sampled <= result * window.to_start_at_most
            {
                let window = Extrapolation::of(&self.times[from..to]);
                factor = window.factor(Some(first / result), per_second, &params(step));
            }
            *out = result * factor;
        }
    }

    /// Prometheus's extrapolation. The start time of the first sample, if it is in the window, stands for a sample of zero.
    fn extrapolated(&self, from: usize, to: usize, params: &Params) -> Option<f64> {
        let is_counter = self.kind != Kind::Delta;
        let (first, last) = (self.values[from], self.values[to - 1]);
        let mut result = last - first;
        if is_counter {
            result += between(&self.resets, from, to).map(|at| self.values[at - 1]).sum::<f64>();
        }
        let start_ms = self.starts.get(from).copied().filter(|_| is_counter);
        let mut window = Extrapolation {
            first_ms: self.times[from],
            last_ms: self.times[to - 1],
            gaps: to - from - 1,
            known_start_ms: None,
        };
        window.known_start_ms = window.usable_start(start_ms, params);
        if window.known_start_ms.is_some() {
            result += first;
        } else if window.gaps == 0 {
            return None;
        }
        let zero_at = (is_counter && result > 0.0 && first >= 0.0).then(|| first / result);
        Some(result * window.factor(zero_at, self.kind == Kind::Rate, params))
    }

    /// Smallest or largest value; a queue of candidates makes each sample cost once. NaN only counts if there is nothing else.
    fn extreme(&mut self, from: usize, to: usize) -> f64 {
        let is_min = self.kind == Kind::Min;
        for at in self.seen..to {
            let value = self.values[at];
            if value.is_nan() {
                continue;
            }
            let beaten = |known: &usize| {
                let known = self.values[*known];
                if is_min { known >= value } else { known <= value }
            };
            while self.extremes.back().is_some_and(beaten) {
                self.extremes.pop_back();
            }
            self.extremes.push_back(at);
        }
        self.seen = self.seen.max(to);
        while self.extremes.front().is_some_and(|at| *at < from) {
            self.extremes.pop_front();
        }
        self.extremes.front().map_or(f64::NAN, |at| self.values[*at])
    }
}

/// Those of some ascending places that lie after `from` and before `to`: between two samples of a window.
fn between(places: &[usize], from: usize, to: usize) -> impl Iterator<Item = usize> + '_ {
    let first = places.partition_point(|at| *at <= from);
    let last = places.partition_point(|at| *at < to).max(first);
    places[first..last].iter().copied()
}

/// How far the samples of a window reach, for counters of numbers and of histograms alike.
pub(crate) struct Extrapolation {
    pub(crate) first_ms: i64,
    pub(crate) last_ms: i64,
    /// Samples less one.
    pub(crate) gaps: usize,
    /// A time in the window, before the first sample, at which the counter was zero.
    pub(crate) known_start_ms: Option<i64>,
}

impl Extrapolation {
    /// The start time of the first sample, if it can stand for a sample of zero.
    pub(crate) fn usable_start(&self, start_ms: Option<i64>, params: &Params) -> Option<i64> {
        start_ms.filter(|start| *start != 0 && *start > params.start_ms && *start < self.first_ms)
    }

    /// The samples of a window, at least one, of which no start time is known.
    pub(crate) fn of(times: &[i64]) -> Self {
        let last = times.len() - 1;
        Self { first_ms: times[0], last_ms: times[last], gaps: last, known_start_ms: None }
    }

    /// How far the window reaches beyond its samples.
    fn reach(&self, params: &Params) -> Reach {
        let seconds = |ms: i64| ms as f64 / 1000.0;
        let mut sampled = seconds(self.last_ms - self.first_ms);
        let average = if self.gaps > 0 { sampled / self.gaps as f64 } else { 0.0 };
        let threshold = average * 1.1;
        let mut to_start = seconds(self.first_ms - params.start_ms);
        let mut to_end = seconds(params.end_ms - self.last_ms);
        if let Some(start) = self.known_start_ms {
            to_start = 0.0;
            sampled = seconds(self.last_ms - start);
        } else if to_start >= threshold {
            to_start = average / 2.0;
        }
        if to_end >= threshold {
            to_end = average / 2.0;
        }
        Reach { sampled, to_start, to_end, range: seconds(params.end_ms - params.start_ms) }
    }

    /// What all counters and gauges with samples at these times have in common.
    pub(crate) fn window(&self, (from, to): (usize, usize), params: &Params) -> Window {
        let reach = self.reach(params);
        let (increase, rate) = (reach.factor(None, false), reach.factor(None, true));
        let to_start_at_most = reach.to_start * (1.0 + ROUNDING);
        Window { sampled: reach.sampled, to_start_at_most, increase, rate, ..Window::at((from, to)) }
    }

    /// By what the difference of first and last sample is multiplied.
    pub(crate) fn factor(&self, zero_at: Option<f64>, per_second: bool, params: &Params) -> f64 {
        self.reach(params).factor(zero_at, per_second)
    }
}

/// By how much two ways to compute the same may differ, relatively.
const ROUNDING: f64 = 1e-9;

/// The window of one step, as places on a time axis, and what of an extrapolation depends on times only.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Window {
    /// First sample inside.
    pub(crate) from: u32,
    /// First sample behind.
    pub(crate) to: u32,
    /// Seconds from the first to the last sample; like all that follows it is zero without two samples.
    sampled: f64,
    /// Seconds from the start of the window to the first sample, as far as samples count for them, and a little more.
    to_start_at_most: f64,
    /// The factor where a counter does not reach zero, and the same per second.
    increase: f64,
    rate: f64,
}

impl Window {
    /// Places only.
    pub(crate) fn at((from, to): (usize, usize)) -> Self {
        // A series of one read has fewer samples than fit.
        Self { from: from as u32, to: to as u32, ..Self::default() }
    }
}

/// What of an extrapolation depends on times only, in seconds. The difference of first and last sample is extended to the edges of the
/// window if samples come close to them, else by half of their average distance, and a counter never below zero.
#[derive(Clone, Copy, Debug)]
struct Reach {
    sampled: f64,
    to_start: f64,
    to_end: f64,
    range: f64,
}

impl Reach {
    /// By what the difference of first and last sample is multiplied, for a counter that was at zero `zero_at` times the sampled time
    /// before the first sample.
    fn factor(&self, zero_at: Option<f64>, per_second: bool) -> f64 {
        let to_zero = zero_at.map(|zero| self.sampled * zero).filter(|zero| *zero < self.to_start);
        let factor = self.factor_from(to_zero.unwrap_or(self.to_start));
        if per_second { factor / self.range } else { factor }
    }

    fn factor_from(&self, to_start: f64) -> f64 {
        if self.sampled == 0.0 { 1.0 } else { (self.sampled + to_start + self.to_end) / self.sampled }
    }
}

/// Whether any of some values is NaN, looked at many at once.
pub(crate) fn any_nan(values: &[f64]) -> bool {
    values.iter().fold(false, |any, value| any | value.is_nan())
}

fn count_changes(values: &[f64]) -> Vec<u32> {
    let mut count = 0;
    let mut counts = Vec::with_capacity(values.len());
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            let before = values[at - 1];
            count += u32::from(*value != before && !(value.is_nan() && before.is_nan()));
        }
        counts.push(count);
    }
    counts
}

fn sum(values: &[f64]) -> f64 {
    let (sum, compensation) = values.iter().fold((0.0, 0.0), |(sum, c), value| add_compensated(*value, sum, c));
    if sum.is_infinite() { sum } else { sum + compensation }
}

/// A mean that sums as long as the sum fits, and goes on incrementally when it overflows.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mean {
    count: f64,
    sum: f64,
    compensation: f64,
    incremental: bool,
}

impl Mean {
    /// The mean of so many values, of which the sum is known.
    pub(crate) fn of_sum(count: f64, sum: f64, compensation: f64) -> Self {
        Self { count, sum, compensation, incremental: false }
    }

    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.sum = value;
            return;
        }
        if !self.incremental {
            let (sum, compensation) = add_compensated(value, self.sum, self.compensation);
            if !sum.is_infinite() {
                (self.sum, self.compensation) = (sum, compensation);
                return;
            }
            self.incremental = true;
            self.sum /= self.count - 1.0;
            self.compensation /= self.count - 1.0;
        }
        let weight = (self.count - 1.0) / self.count;
        (self.sum, self.compensation) =
            add_compensated(value / self.count, weight * self.sum, weight * self.compensation);
    }

    /// Adds the values of another mean, which come behind these.
    pub(crate) fn join(&mut self, behind: &Self) {
        if behind.count == 0.0 {
            return;
        }
        if self.count == 0.0 {
            *self = *behind;
            return;
        }
        let count = self.count + behind.count;
        if !self.incremental && !behind.incremental {
            let (sum, compensation) = add_compensated(behind.sum, self.sum, self.compensation);
            if !sum.is_infinite() {
                *self = Self { count, sum, compensation: compensation + behind.compensation, incremental: false };
                return;
            }
        }
        let weighted = |mean: &Self| {
            // The sum of an incremental mean is the mean.
            let weight = if mean.incremental { mean.count / count } else { 1.0 / count };
            (mean.sum * weight, mean.compensation * weight)
        };
        let (ours, theirs) = (weighted(self), weighted(behind));
        let (sum, compensation) = add_compensated(theirs.0, ours.0, ours.1);
        *self = Self { count, sum, compensation: compensation + theirs.1, incremental: true };
    }

    pub(crate) fn value(&self) -> f64 {
        if self.incremental {
            self.sum + self.compensation
        } else {
            self.sum / self.count + self.compensation / self.count
        }
    }
}

fn mean(values: &[f64]) -> f64 {
    let mut mean = Mean::default();
    values.iter().for_each(|value| mean.add(*value));
    mean.value()
}

fn variance(values: &[f64]) -> f64 {
    let (mut mean, mut mean_c, mut aux, mut aux_c) = (0.0, 0.0, 0.0, 0.0);
    for (at, value) in values.iter().enumerate() {
        let delta = value - (mean + mean_c);
        (mean, mean_c) = add_compensated(delta / (at + 1) as f64, mean, mean_c);
        (aux, aux_c) = add_compensated(delta * (value - (mean + mean_c)), aux, aux_c);
    }
    (aux + aux_c) / values.len() as f64
}

/// The q-quantile by linear interpolation; NaN counts as smaller than everything. Sorts the values.
pub(crate) fn quantile(q: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || q.is_nan() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    values.sort_by(|a, b| match (a.is_nan(), b.is_nan()) {
        (true, true) => std::cmp::Ordering::Equal,
        (true, false) => std::cmp::Ordering::Less,
        (false, true) => std::cmp::Ordering::Greater,
        (false, false) => a.total_cmp(b),
    });
    let rank = q * (values.len() - 1) as f64;
    let lower = rank.floor() as usize;
    let upper = (lower + 1).min(values.len() - 1);
    let weight = rank - rank.floor();
    values[lower] * (1.0 - weight) + values[upper] * weight
}

fn median_deviation(values: &[f64]) -> f64 {
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let mut values = values.to_vec();
    let median = quantile(0.5, &mut values);
    values.iter_mut().for_each(|value| *value = (*value - median).abs());
    quantile(0.5, &mut values)
}

/// Slope per second and value at `at_ms` of the least-squares line.
fn linear_regression(times: &[i64], values: &[f64], at_ms: i64) -> (f64, f64) {
    let first = values[0];
    if values.iter().all(|value| *value == first) {
        return if first.is_infinite() { (f64::NAN, f64::NAN) } else { (0.0, first) };
    }
    let n = values.len() as f64;
    let (mut x, mut y, mut xy, mut xx) = ((0.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0));
    for (time, value) in times.iter().zip(values) {
        let at = (time - at_ms) as f64 / 1000.0;
        x = add_compensated(at, x.0, x.1);
        y = add_compensated(*value, y.0, y.1);
        xy = add_compensated(at * value, xy.0, xy.1);
        xx = add_compensated(at * at, xx.0, xx.1);
    }
    let (x, y, xy, xx) = (x.0 + x.1, y.0 + y.1, xy.0 + xy.1, xx.0 + xx.1);
    let slope = (xy - x * y / n) / (xx - x * x / n);
    (slope, y / n - slope * x / n)
}

fn double_exponential(values: &[f64], smoothing: f64, trend: f64) -> f64 {
    let (mut before, mut current, mut slope) = (0.0, values[0], values[1] - values[0]);
    for (at, value) in values.iter().enumerate().skip(1) {
        if at > 1 {
            slope = trend * (current - before) + (1.0 - trend) * slope;
        }
        let next = smoothing * value + (1.0 - smoothing) * (current + slope);
        (before, current) = (current, next);
    }
    current
}

fn time_of(times: &[i64], values: &[f64], better: impl Fn(f64, f64) -> bool) -> f64 {
    let mut best = 0;
    for (at, value) in values.iter().enumerate() {
        if better(*value, values[best]) || values[best].is_nan() {
            best = at;
        }
    }
    times[best] as f64 / 1000.0
}
