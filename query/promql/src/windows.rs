//! What functions compute over the samples of one window.

use std::collections::VecDeque;

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

/// A function bound to one series. Windows must come in order: neither bound goes back.
pub(crate) struct WindowFunction<'a> {
    kind: Kind,
    times: &'a [i64],
    values: &'a [f64],
    /// For counters and `resets`: places where the value is below the one before.
    resets: Vec<usize>,
    /// For `changes`: how many values up to each place differ from the one before.
    changes: Vec<u32>,
    /// For `min` and `max`: places that may become the extreme, best first.
    extremes: VecDeque<usize>,
    seen: usize,
}

impl<'a> WindowFunction<'a> {
    pub(crate) fn new(kind: Kind, times: &'a [i64], values: &'a [f64]) -> Self {
        let resets = match kind {
            Kind::Rate | Kind::Increase | Kind::Resets => {
                (1..values.len()).filter(|at| values[*at] < values[*at - 1]).collect()
            }
            _ => Vec::new(),
        };
        let changes = if kind == Kind::Changes { count_changes(values) } else { Vec::new() };
        Self { kind, times, values, resets, changes, extremes: VecDeque::new(), seen: 0 }
    }

    /// The result for the samples `from..to`, at least one.
    pub(crate) fn at(&mut self, from: usize, to: usize, params: &Params) -> Option<f64> {
        let (times, values) = (&self.times[from..to], &self.values[from..to]);
        let count = values.len();
        Some(match self.kind {
            Kind::Rate | Kind::Increase | Kind::Delta => return self.extrapolated(from, to, params),
            Kind::Irate | Kind::Idelta => return instant_value(times, values, self.kind == Kind::Irate),
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
            Kind::Resets => self.resets_between(from, to).len() as f64,
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

    fn resets_between(&self, from: usize, to: usize) -> &[usize] {
        let first = self.resets.partition_point(|at| *at <= from);
        let last = self.resets.partition_point(|at| *at < to).max(first);
        &self.resets[first..last]
    }

    /// Prometheus's extrapolation: to the edge of the window if samples come close to it, else by half of their average
    /// distance, and a counter never below zero.
    fn extrapolated(&self, from: usize, to: usize, params: &Params) -> Option<f64> {
        let gaps = to - from - 1;
        if gaps == 0 {
            return None;
        }
        let is_counter = self.kind != Kind::Delta;
        let (first, last) = (self.values[from], self.values[to - 1]);
        let mut result = last - first;
        if is_counter {
            result += self.resets_between(from, to).iter().map(|at| self.values[at - 1]).sum::<f64>();
        }
        let (first_ms, last_ms) = (self.times[from], self.times[to - 1]);
        let mut to_start = (first_ms - params.start_ms) as f64 / 1000.0;
        let mut to_end = (params.end_ms - last_ms) as f64 / 1000.0;
        let sampled = (last_ms - first_ms) as f64 / 1000.0;
        let average = sampled / gaps as f64;
        let threshold = average * 1.1;
        if to_start >= threshold {
            to_start = average / 2.0;
        }
        if is_counter && result > 0.0 && first >= 0.0 {
            to_start = to_start.min(sampled * (first / result));
        }
        if to_end >= threshold {
            to_end = average / 2.0;
        }
        let mut factor = (sampled + to_start + to_end) / sampled;
        if self.kind == Kind::Rate {
            factor /= (params.end_ms - params.start_ms) as f64 / 1000.0;
        }
        Some(result * factor)
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

fn instant_value(times: &[i64], values: &[f64], is_rate: bool) -> Option<f64> {
    let last = values.len().checked_sub(1).filter(|last| *last > 0)?;
    let elapsed_ms = times[last] - times[last - 1];
    let reset = is_rate && values[last] < values[last - 1];
    let result = if reset { values[last] } else { values[last] - values[last - 1] };
    Some(if is_rate { result / (elapsed_ms as f64 / 1000.0) } else { result })
}

/// One step of a compensated sum (Neumaier's variant of Kahan's).
pub(crate) fn kahan(add: f64, sum: f64, compensation: f64) -> (f64, f64) {
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

fn sum(values: &[f64]) -> f64 {
    let (sum, compensation) = values.iter().fold((0.0, 0.0), |(sum, c), value| kahan(*value, sum, c));
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
    pub(crate) fn add(&mut self, value: f64) {
        self.count += 1.0;
        if self.count == 1.0 {
            self.sum = value;
            return;
        }
        if !self.incremental {
            let (sum, compensation) = kahan(value, self.sum, self.compensation);
            if !sum.is_infinite() {
                (self.sum, self.compensation) = (sum, compensation);
                return;
            }
            self.incremental = true;
            self.sum /= self.count - 1.0;
            self.compensation /= self.count - 1.0;
        }
        let weight = (self.count - 1.0) / self.count;
        (self.sum, self.compensation) = kahan(value / self.count, weight * self.sum, weight * self.compensation);
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
        (mean, mean_c) = kahan(delta / (at + 1) as f64, mean, mean_c);
        (aux, aux_c) = kahan(delta * (value - (mean + mean_c)), aux, aux_c);
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
        x = kahan(at, x.0, x.1);
        y = kahan(*value, y.0, y.1);
        xy = kahan(at * value, xy.0, xy.1);
        xx = kahan(at * at, xx.0, xx.1);
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
