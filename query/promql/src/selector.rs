//! Selectors: from the source to rows, each series walked once.

use model::{Labels, is_stale_nan};

use crate::ast::{At, VectorSelector};
use crate::error::EvalError;
use crate::eval::{Evaluator, emit};
use crate::source::{SelectRequest, SeriesSource, SourceError, SourceSeries};
use crate::tile::{ABSENT, Grid, Meta, Sink};

/// Samples of one series, in time order.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) drop_name: bool,
    pub(crate) times: Vec<i64>,
    pub(crate) values: Vec<f64>,
}

/// At which time of the data each step looks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reference {
    at_ms: Option<i64>,
    offset_ms: i64,
}

impl Reference {
    pub(crate) fn time(&self, grid: Grid, step: usize) -> i64 {
        self.at_ms.unwrap_or_else(|| grid.time(step)).saturating_sub(self.offset_ms)
    }

    /// First and last time looked at.
    pub(crate) fn span(&self, grid: Grid) -> (i64, i64) {
        (self.time(grid, 0), self.time(grid, grid.steps.saturating_sub(1)))
    }
}

impl Evaluator<'_> {
    pub(crate) fn reference(
        &self,
        at: Option<At>,
        offset: Option<&crate::ast::DurationExpr>,
    ) -> Result<Reference, EvalError> {
        let at_ms = at.map(|at| match at {
            At::TimeMs(time) => time,
            At::Start => self.query.start_ms,
            At::End => self.query.start_ms + self.range_ms,
        });
        let offset_ms = offset.map_or(Ok(0), |offset| self.duration_ms(offset, true))?;
        Ok(Reference { at_ms, offset_ms })
    }

    /// The samples of a selector between two times, both included; staleness markers included.
    pub(crate) fn fetch(
        &mut self,
        selector: &VectorSelector,
        start_ms: i64,
        end_ms: i64,
    ) -> Result<Vec<Series>, EvalError> {
        let request = SelectRequest { matchers: &selector.matchers, start_ms, end_ms };
        self.series_of_source(|source| source.select(&request))
    }

    fn series_of_source(
        &mut self,
        ask: impl FnOnce(&dyn SeriesSource) -> Result<Vec<SourceSeries>, SourceError>,
    ) -> Result<Vec<Series>, EvalError> {
        self.check()?;
        let found = ask(self.source).map_err(|error| EvalError::Source(error.0))?;
        self.count_samples(found.iter().map(|series| series.times.len()).sum())?;
        let mut series: Vec<Series> = found
            .into_iter()
            .map(|s| Series { labels: s.labels, drop_name: false, times: s.times, values: s.values })
            .collect();
        series.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(series)
    }

    /// The rows of an instant vector selector; with `as_times` the times of the samples instead of their values.
    pub(crate) fn instant_rows(
        &mut self,
        selector: &VectorSelector,
        grid: Grid,
        as_times: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), EvalError> {
        if selector.anchored {
            let message = "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with an instant vector";
            return Err(EvalError::Execution(message.into()));
        }
        let reference = self.reference(selector.at, selector.offset.as_ref())?;
        let lookback_ms = self.limits.lookback_ms;
        let (first, last) = reference.span(grid);
        let after_ms = if selector.smoothed { lookback_ms } else { 0 };
        let from_ms = first.saturating_sub(lookback_ms).saturating_add(1);
        let request =
            SelectRequest { matchers: &selector.matchers, start_ms: from_ms, end_ms: last.saturating_add(after_ms) };
        let at_once = grid.steps == 1 && !selector.smoothed;
        let series =
            self.series_of_source(|source| if at_once { source.newest(&request) } else { source.select(&request) })?;
        let mut scratch = vec![ABSENT; grid.steps];
        for mut series in series {
            self.check()?;
            if selector.smoothed {
                drop_stale(&mut series);
                crate::extended::smooth(&series, grid, reference, lookback_ms, &mut scratch);
            } else {
                current_values(&series, grid, reference, lookback_ms, as_times, &mut scratch);
            }
            emit(Meta { labels: series.labels, drop_name: false }, &mut scratch, sink)?;
        }
        Ok(())
    }
}

/// The newest sample at each step that is not older than the lookback and not a staleness marker.
fn current_values(
    series: &Series,
    grid: Grid,
    reference: Reference,
    lookback_ms: i64,
    as_times: bool,
    out: &mut [f64],
) {
    let mut next = 0;
    for (step, out) in out.iter_mut().enumerate() {
        let now = reference.time(grid, step);
        while series.times.get(next).is_some_and(|time| *time <= now) {
            next += 1;
        }
        *out = match next.checked_sub(1).map(|at| (series.times[at], series.values[at])) {
            Some((time, value)) if time > now.saturating_sub(lookback_ms) && !is_stale_nan(value) => {
                if as_times {
                    time as f64 / 1000.0
                } else {
                    value
                }
            }
            _ => ABSENT,
        };
    }
}

/// Ranges do not see staleness markers.
pub(crate) fn drop_stale(series: &mut Series) {
    if !series.values.iter().any(|value| is_stale_nan(*value)) {
        return;
    }
    let keep: Vec<bool> = series.values.iter().map(|value| !is_stale_nan(*value)).collect();
    let mut at = 0;
    series.times.retain(|_| {
        at += 1;
        keep[at - 1]
    });
    series.values.retain(|value| !is_stale_nan(*value));
}
