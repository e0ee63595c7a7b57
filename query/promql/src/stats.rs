//! What an evaluation read, counted as Prometheus's API counts it.

use crate::selector::{Reference, Series};
use crate::tile::Grid;

/// Figures of one evaluation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EvalStats {
    /// Series that the selectors found, summed over the selectors.
    pub series: usize,
    /// Samples read and values held, summed over the query: what [`EvalLimits::samples_max`](crate::EvalLimits::samples_max) bounds.
    pub held: usize,
    /// What each step looked at; empty unless [`EvalLimits::step_stats`](crate::EvalLimits::step_stats) asks for it.
    pub steps: StepStats,
}

/// Samples by step of the query. A histogram counts as the samples of 16 bytes that it would fill.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StepStats {
    /// What each step would read as an instant query of its own.
    pub queryable: Vec<u64>,
    /// What each step read that the step before had not: windows overlap.
    pub read: Vec<u64>,
}

impl StepStats {
    pub(crate) fn new(steps: usize) -> Self {
        Self { queryable: vec![0; steps], read: vec![0; steps] }
    }

    fn add(&mut self, step: usize, queryable: u64, read: u64) {
        if let (Some(known), Some(known_read)) = (self.queryable.get_mut(step), self.read.get_mut(step)) {
            *known += queryable;
            *known_read += read;
        }
    }

    /// Counts the samples that an instant selector shows: at each step the newest of each series.
    pub(crate) fn add_newest(&mut self, series: &[Series], grid: Grid, reference: Reference, lookback_ms: i64) {
        for series in series {
            for step in 0..grid.steps {
                let now = reference.time(grid, step);
                let at = series.times.partition_point(|time| *time <= now);
                let fresh = |at: &usize| series.times[*at] > now.saturating_sub(lookback_ms) && !series.is_stale(*at);
                if let Some(at) = at.checked_sub(1).filter(fresh) {
                    self.add(step, weight(series, at), weight(series, at));
                }
            }
        }
    }

    /// Counts the samples in the windows of a range selector.
    pub(crate) fn add_windows(&mut self, series: &[Series], grid: Grid, bounds: impl Fn(usize) -> (i64, i64)) {
        for series in series {
            let weights: Vec<u64> = (0..series.times.len()).map(|at| weight(series, at)).collect();
            let sums = running_sums(&weights);
            self.add_sums(&series.times, &sums, &sums, grid, &bounds);
        }
    }

    /// Counts what the steps of a subquery looked at, in the windows of the steps around it.
    pub(crate) fn add_subquery(
        &mut self,
        inner: &Self,
        inner_grid: Grid,
        grid: Grid,
        bounds: impl Fn(usize) -> (i64, i64),
    ) {
        let times: Vec<i64> = (0..inner.queryable.len()).map(|step| inner_grid.time(step)).collect();
        self.add_sums(&times, &running_sums(&inner.queryable), &running_sums(&inner.read), grid, &bounds);
    }

    fn add_sums(
        &mut self,
        times: &[i64],
        queryable: &[u64],
        read: &[u64],
        grid: Grid,
        bounds: &dyn Fn(usize) -> (i64, i64),
    ) {
        let mut seen = 0;
        for step in 0..grid.steps {
            let (start_ms, end_ms) = bounds(step);
            let from = times.partition_point(|time| *time <= start_ms);
            let to = times.partition_point(|time| *time <= end_ms).max(from);
            let unseen = from.max(seen).min(to);
            self.add(step, queryable[to] - queryable[from], read[to] - read[unseen]);
            seen = seen.max(to);
        }
    }
}

/// The sum before each place, and the whole at the end.
fn running_sums(weights: &[u64]) -> Vec<u64> {
    let mut sum = 0;
    let mut sums = vec![0];
    sums.extend(weights.iter().map(|weight| {
        sum += weight;
        sum
    }));
    sums
}

fn weight(series: &Series, at: usize) -> u64 {
    /// Bytes of a number with its time.
    const SAMPLE_BYTES: usize = 16;
    series.histogram(at).map_or(1, |histogram| (histogram.size_bytes() + 8).div_euclid(SAMPLE_BYTES) as u64)
}
