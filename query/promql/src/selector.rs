//! Selectors: from the source to rows, each series walked once.

use std::sync::Arc;

use model::{FloatHistogram, Labels, ResetHint, SharedSlice, is_stale_nan};

use crate::annotation::Annotations;
use crate::ast::{At, Span, VectorSelector};
use crate::axis::Axis;
use crate::error::EvalError;
use crate::eval::Evaluator;
use crate::extended::smoothed_cell;
use crate::input::{Input, Opened, Read};
use crate::parallel::Out;
use crate::source::{Fold, SelectRequest, SourceError, SourceSeries, Wanted};
use crate::tile::{ABSENT, Cell, Grid, HISTOGRAM, Histogram, Meta, Row, is_absent, is_histogram};
use crate::windows::any_nan;

/// Samples of one series, in time order. Where a sample is a histogram, its value is the marker [`HISTOGRAM`].
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) labels: Labels,
    pub(crate) drop_name: bool,
    pub(crate) times: SharedSlice<i64>,
    pub(crate) values: SharedSlice<f64>,
    /// Empty if no sample is a histogram.
    pub(crate) histograms: Vec<Option<Histogram>>,
    /// When the counter behind each sample started, zero if unknown; empty if it is unknown for all.
    pub(crate) starts: Vec<i64>,
    /// What downsampling left out, in the order of places.
    pub(crate) folds: Vec<Fold>,
    pub(crate) resolution_ms: i64,
}

impl Series {
    /// Takes over what a source gave.
    pub(crate) fn from_source(source: SourceSeries) -> Self {
        let SourceSeries { labels, times, mut values, mut histograms, mut starts, mut folds, resolution_ms } = source;
        let mut last = 0;
        folds.retain(|fold| {
            let is_in_order = fold.count > 0 && fold.at > last && fold.at < times.len();
            last = if is_in_order { fold.at } else { last };
            is_in_order
        });
        if histograms.iter().all(Option::is_none) {
            histograms = Vec::new();
        }
        if !histograms.is_empty() {
            values.change(|values| {
                let slots = values.iter_mut().zip(&histograms).filter(|(_, histogram)| histogram.is_some());
                slots.for_each(|(value, _)| *value = HISTOGRAM);
            });
        }
        if starts.iter().all(|start| *start == 0) {
            starts = Vec::new();
        }
        Self { labels, drop_name: false, times, values, histograms, starts, folds, resolution_ms }
    }

    /// What was left out right before a sample.
    pub(crate) fn fold(&self, at: usize) -> Option<&Fold> {
        let place = self.folds.binary_search_by_key(&at, |fold| fold.at).ok()?;
        self.folds.get(place)
    }

    /// Leaves the samples that are to be kept.
    fn retain(&mut self, keep: &[bool]) {
        if !self.folds.is_empty() {
            let (mut seen, mut gone) = (0, 0);
            self.folds.retain_mut(|fold| {
                gone += keep[seen..fold.at].iter().filter(|keep| !**keep).count();
                seen = fold.at;
                // A fold is worth something with the samples at both of its ends.
                let is_whole = fold.at > 0 && keep[fold.at - 1] && keep[fold.at];
                fold.at -= gone;
                is_whole
            });
        }
        self.times.change(|times| retain(times, keep));
        self.values.change(|values| retain(values, keep));
        retain(&mut self.histograms, keep);
        retain(&mut self.starts, keep);
    }

    pub(crate) fn has_histograms(&self) -> bool {
        !self.histograms.is_empty()
    }

    /// The histogram of a sample, if it is one.
    pub(crate) fn histogram(&self, at: usize) -> Option<&Histogram> {
        self.histograms.get(at)?.as_ref()
    }

    pub(crate) fn start(&self, at: usize) -> i64 {
        self.starts.get(at).copied().unwrap_or(0)
    }

    /// Takes in the samples of another series; two at one time are an error. What neither has start times for has none.
    pub(crate) fn merge(&mut self, other: &Self) -> Result<(), EvalError> {
        let sample = |series: &Self, at: usize| (series.times[at], series.values[at], series.histogram(at).cloned());
        let own = (0..self.times.len()).map(|at| sample(self, at));
        let mut all: Vec<_> = own.chain((0..other.times.len()).map(|at| sample(other, at))).collect();
        all.sort_by_key(|sample| sample.0);
        if all.windows(2).any(|pair| pair[0].0 == pair[1].0) {
            return Err(crate::tile::same_labelset());
        }
        self.times = all.iter().map(|sample| sample.0).collect();
        self.values = all.iter().map(|sample| sample.1).collect();
        if self.has_histograms() || other.has_histograms() {
            self.histograms = all.into_iter().map(|sample| sample.2).collect();
        }
        Ok(())
    }

    pub(crate) fn is_stale(&self, at: usize) -> bool {
        self.histogram(at).map_or_else(|| is_stale_nan(self.values[at]), |histogram| histogram.is_stale())
    }

    /// Bytes that the samples take.
    pub(crate) fn size_bytes(&self) -> usize {
        let histograms: usize = self.histograms.iter().flatten().map(|histogram| histogram.size_bytes()).sum();
        let folds = self.folds.len() * size_of::<Fold>();
        self.times.len() * 16 + self.histograms.len() * 8 + self.starts.len() * 8 + folds + histograms
    }

    /// Ranges do not see staleness markers. Bits in values from outside that would mean a histogram here become an ordinary NaN.
    pub(crate) fn drop_stale(&mut self) {
        let special = |value: &f64| is_absent(*value) || is_histogram(*value);
        if !self.has_histograms() {
            if !any_nan(&self.values) || !self.values.iter().any(special) {
                return;
            }
            self.values.change(|values| {
                values.iter_mut().filter(|value| is_histogram(**value)).for_each(|value| *value = f64::NAN);
            });
        }
        let keep: Vec<bool> = (0..self.times.len()).map(|at| !self.is_stale(at)).collect();
        self.retain(&keep);
    }

    /// Leaves only what lies after `start_ms`, up to `end_ms`.
    pub(crate) fn clip(&mut self, start_ms: i64, end_ms: i64) {
        let keep: Vec<bool> = self.times.iter().map(|time| *time > start_ms && *time <= end_ms).collect();
        self.retain(&keep);
    }

    /// Leaves of each histogram only its count and sum, for functions that need no more. Whether a counter was reset is decided
    /// before, with the buckets.
    pub(crate) fn drop_buckets(&mut self) {
        let mut before: Option<Histogram> = None;
        for slot in self.histograms.iter_mut().flatten() {
            let mut hint = slot.reset_hint;
            if hint == ResetHint::Unknown
                && let Some(before) = &before
                && !slot.is_stale()
            {
                hint = if slot.is_reset_after(before) { ResetHint::Reset } else { ResetHint::NotReset };
            }
            let full = Arc::clone(slot);
            *slot = Arc::new(FloatHistogram {
                reset_hint: hint,
                schema: full.schema,
                count: full.count,
                sum: full.sum,
                ..FloatHistogram::default()
            });
            if !full.is_stale() {
                before = Some(full);
            }
        }
    }
}

fn retain<T>(column: &mut Vec<T>, keep: &[bool]) {
    let mut keep = keep.iter();
    column.retain(|_| keep.next().copied().unwrap_or(true));
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

/// What of a sample an instant selector shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    Value,
    /// The sample's time, in seconds.
    Time,
    /// The time of a number; a histogram stays what it is.
    FloatTime,
    /// The time since when its counter counts, in seconds.
    StartTime,
}

impl<'a> Evaluator<'a> {
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

    /// The samples of a selector between two times, both included, to be read.
    pub(crate) fn open(
        &mut self,
        selector: &VectorSelector,
        (start_ms, end_ms): (i64, i64),
        wanted: Wanted,
        without_stale: bool,
    ) -> Result<Input<'a>, EvalError> {
        let request = SelectRequest { matchers: &selector.matchers, start_ms, end_ms, wanted };
        self.check()?;
        let selection = self.source.open(&request).map_err(|error| EvalError::Source(error.0))?;
        self.hold_bytes(selection.held_bytes())?;
        let without_buckets = self.without_buckets.contains(&selector.span.start);
        Ok(Input::Opened(Opened::new(selection, without_buckets, without_stale)))
    }

    /// Reads all series of an input that have samples.
    pub(crate) fn read_all(&mut self, input: Input<'_>) -> Result<Vec<Series>, EvalError> {
        if let Input::Held(series) = input {
            return Ok(series);
        }
        let reading = self.reading(1);
        let mut held = Vec::with_capacity(input.len());
        for at in 0..input.len() {
            self.check()?;
            let series = input.get(at, &reading)?.into_owned();
            if !series.times.is_empty() {
                self.hold_bytes(series.size_bytes())?;
                held.push(series);
            }
        }
        let read = reading.total();
        self.has_read(&Read { largest: 0, ..read }, 1)?;
        Ok(held)
    }

    fn take_in(
        &mut self,
        selector: &VectorSelector,
        found: Result<Vec<SourceSeries>, SourceError>,
    ) -> Result<Vec<Series>, EvalError> {
        let found = found.map_err(|error| EvalError::Source(error.0))?;
        self.count_samples(found.iter().map(|series| series.times.len()).sum())?;
        self.series += found.len();
        let mut series: Vec<Series> = found.into_iter().map(Series::from_source).collect();
        self.hold_bytes(series.iter().map(Series::size_bytes).sum())?;
        if self.without_buckets.contains(&selector.span.start) {
            series.iter_mut().for_each(Series::drop_buckets);
        }
        if !series.is_sorted_by(|a, b| a.labels <= b.labels) {
            series.sort_unstable_by(|a, b| a.labels.cmp(&b.labels));
        }
        Ok(series)
    }

    /// The rows of an instant vector selector.
    pub(crate) fn instant_rows(
        &mut self,
        selector: &VectorSelector,
        grid: Grid,
        show: Show,
        out: Out<'_, '_>,
    ) -> Result<(), EvalError> {
        if selector.anchored {
            let message = "anchored modifier can only be used with: changes, delta, increase, rate, resets - not with an instant vector";
            return Err(EvalError::Execution(message.into()));
        }
        let reference = self.reference(selector.at, selector.offset.as_ref())?;
        let lookback_ms = self.limits.lookback_ms;
        let (first, last) = reference.span(grid);
        let smoothed = selector.smoothed && show == Show::Value;
        let after_ms = if smoothed { lookback_ms } else { 0 };
        let from_ms = first.saturating_sub(lookback_ms).saturating_add(1);
        let to_ms = last.saturating_add(after_ms);
        let mut series = if grid.steps == 1 && !smoothed {
            self.check()?;
            let wanted = Wanted::Count;
            let request = SelectRequest { matchers: &selector.matchers, start_ms: from_ms, end_ms: to_ms, wanted };
            let found = self.source.newest(&request);
            Input::Held(self.take_in(selector, found)?)
        } else {
            self.open(selector, (from_ms, to_ms), Wanted::Count, smoothed)?
        };
        let look = Look { reference, lookback_ms, show, span: selector.span };
        if self.steps.is_some() {
            let held = self.read_all(series)?;
            if let Some(steps) = &mut self.steps {
                steps.add_newest(&held, grid, reference, lookback_ms);
            }
            series = Input::Held(held);
        }
        let compute = |series: &Series, axis: &mut Axis, row: &mut Row, notes: &mut Annotations| {
            if smoothed {
                for step in 0..grid.steps {
                    row.set(
                        step,
                        smoothed_cell(series, look.reference.time(grid, step), lookback_ms, look.span, notes),
                    );
                }
            } else {
                current_values(series, grid, &look, axis, row);
            }
            if !series.folds.is_empty() && !row.is_empty() {
                notes.downsampled(look.span, &series.labels, series.resolution_ms);
            }
            Meta { labels: series.labels.clone(), drop_name: false }
        };
        self.each_series(&series, grid, &compute, out)
    }
}

/// How an instant selector looks at its series.
struct Look {
    reference: Reference,
    lookback_ms: i64,
    show: Show,
    span: Span,
}

/// The newest sample at each step that is not older than the lookback and not a staleness marker.
fn current_values(series: &Series, grid: Grid, look: &Look, axis: &mut Axis, row: &mut Row) {
    let mut next = 0;
    if look.show == Show::Value && !series.has_histograms() && series.folds.is_empty() {
        let now = |step| look.reference.time(grid, step);
        let newest = axis.newest(&series.times, grid.steps, look.lookback_ms, now);
        for (out, next) in row.values.iter_mut().zip(newest) {
            let Some(value) = next.checked_sub(1).and_then(|at| series.values.get(at as usize)) else { continue };
            // A staleness marker has the bits of an absent value.
            *out = if is_histogram(*value) { f64::NAN } else { *value };
        }
        return;
    }
    for step in 0..grid.steps {
        let now = look.reference.time(grid, step);
        while series.times.get(next).is_some_and(|time| *time <= now) {
            next += 1;
        }
        // Within a fold the series was there, though what its values were is not known any more.
        let held = |at: usize| series.fold(at + 1).is_some();
        let recent = |at: usize| series.times[at] > now.saturating_sub(look.lookback_ms) || held(at);
        let fresh = |at: &usize| recent(*at) && !series.is_stale(*at);
        let Some(at) = next.checked_sub(1).filter(fresh) else {
            row.values[step] = ABSENT;
            continue;
        };
        match look.show {
            Show::FloatTime if series.histogram(at).is_none() => row.values[step] = series.times[at] as f64 / 1000.0,
            Show::Value | Show::FloatTime if series.has_histograms() => row.set(
                step,
                Some(match series.histogram(at) {
                    Some(histogram) => Cell::Histogram(Arc::clone(histogram)),
                    None => Cell::Float(series.values[at]),
                }),
            ),
            Show::Value | Show::FloatTime => row.values[step] = series.values[at],
            Show::Time => row.values[step] = series.times[at] as f64 / 1000.0,
            Show::StartTime => row.values[step] = series.start(at) as f64 / 1000.0,
        }
    }
}
