//! Functions over ranges: windows slide over each series once.

use foldhash::fast::RandomState;
use model::Labels;

use crate::annotation::Annotations;
use crate::ast::{Call, Expr, MatrixSelector, Span, Subquery};
use crate::axis::Axis;
use crate::error::EvalError;
use crate::eval::{Evaluator, tile_rows};
use crate::input::Input;
use crate::mixed::{Context, Split};
use crate::parallel::Out;
use crate::selector::{Reference, Series};
use crate::source::Wanted;
use crate::stats::StepStats;
use crate::tile::{Grid, Meta, Row, is_absent, is_float, is_histogram};
use crate::windows::{Kind, Params, WindowFunction};

/// A call of a function over a range.
pub(crate) struct RangeFunction<'a> {
    kind: Kind,
    range: &'a Expr,
    /// Scalar arguments.
    params: Vec<&'a Expr>,
}

impl<'a> RangeFunction<'a> {
    /// The call as a range function; `None` for other functions.
    pub(crate) fn of(call: &'a Call) -> Option<Self> {
        let kind = Kind::find(call.function.name)?;
        let is_range = |arg: &&Expr| arg.result_type() == crate::ast::Type::Matrix;
        let range = call.args.iter().find(is_range)?;
        Some(Self { kind, range, params: call.args.iter().filter(|arg| !is_range(arg)).collect() })
    }
}

/// The series of a range vector, over all that the windows of all steps cover.
pub(crate) struct Windows<'a> {
    pub(crate) series: Input<'a>,
    reference: Reference,
    pub(crate) range_ms: i64,
    /// `anchored` or `smoothed`: the series reach beyond the windows.
    pub(crate) extended: bool,
    pub(crate) smoothed: bool,
    /// How far before and after a window the samples reach, in milliseconds.
    margins: (i64, i64),
}

impl Windows<'_> {
    pub(crate) fn margins(&self) -> (i64, i64) {
        self.margins
    }

    /// Start (outside) and end (inside) of the window of a step.
    pub(crate) fn bounds(&self, grid: Grid, step: usize) -> (i64, i64) {
        window(self.reference, self.range_ms, grid, step)
    }
}

fn window(reference: Reference, range_ms: i64, grid: Grid, step: usize) -> (i64, i64) {
    let end = reference.time(grid, step);
    (end.saturating_sub(range_ms), end)
}

/// A function, its windows and its scalar arguments at each step.
struct Slide<'a> {
    kind: Kind,
    windows: &'a Windows<'a>,
    grid: Grid,
    params: &'a [Vec<f64>],
    /// Where annotations point at.
    span: Span,
    /// Where series carry their metric's type as a label, that decides what is a counter.
    type_labels: bool,
}

impl<'a> Evaluator<'a> {
    /// What a range vector covers.
    pub(crate) fn windows(&mut self, expr: &Expr, grid: Grid, wanted: Wanted) -> Result<Windows<'a>, EvalError> {
        match expr {
            Expr::Paren(inner, _) => self.windows(inner, grid, wanted),
            Expr::Matrix(matrix) => self.selector_windows(matrix, grid, wanted),
            Expr::Subquery(subquery) => self.subquery_windows(subquery, grid),
            _ => Err(EvalError::Execution("expected a range vector".into())),
        }
    }

    fn selector_windows(
        &mut self,
        matrix: &MatrixSelector,
        grid: Grid,
        wanted: Wanted,
    ) -> Result<Windows<'a>, EvalError> {
        let selector = &matrix.selector;
        let reference = self.reference(selector.at, selector.offset.as_ref())?;
        let range_ms = self.duration_ms(&matrix.range, false)?;
        let extended = selector.anchored || selector.smoothed;
        let before_ms = if extended { self.limits.lookback_ms } else { 0 };
        let after_ms = if selector.smoothed { self.limits.lookback_ms } else { 0 };
        let (first, last) = reference.span(grid);
        let from_ms = first.saturating_sub(range_ms).saturating_sub(before_ms).saturating_add(1);
        let mut series = self.open(selector, (from_ms, last.saturating_add(after_ms)), wanted, true)?;
        if self.steps.is_some() {
            let held = self.read_all(series)?;
            if let Some(steps) = &mut self.steps {
                steps.add_windows(&held, grid, |step| window(reference, range_ms, grid, step));
            }
            series = Input::Held(held);
        }
        Ok(Windows {
            series,
            reference,
            range_ms,
            extended,
            smoothed: selector.smoothed,
            margins: (before_ms, after_ms),
        })
    }

    fn subquery_windows(&mut self, subquery: &Subquery, grid: Grid) -> Result<Windows<'a>, EvalError> {
        let reference = self.reference(subquery.at, subquery.offset.as_ref())?;
        let range_ms = self.duration_ms(&subquery.range, false)?;
        let step_ms = match &subquery.step {
            Some(step) => self.duration_ms(step, false)?.max(1),
            None => self.limits.subquery_interval_ms.max(1),
        };
        let (first, last) = reference.span(grid);
        let after = first.saturating_sub(range_ms);
        // Steps are multiples of the interval, so that they do not move with the query.
        let start_ms = (after.div_euclid(step_ms) + 1).saturating_mul(step_ms);
        let steps = if last < start_ms { 0 } else { last.saturating_sub(start_ms) / step_ms + 1 };
        let steps = usize::try_from(steps).unwrap_or(usize::MAX);
        self.hold(steps)?;
        let inner = Grid { start_ms, step_ms, steps };
        let mut series = Vec::new();
        let around = self.steps.as_mut().map(|counted| std::mem::replace(counted, StepStats::new(steps)));
        if steps > 0 {
            self.rows(&subquery.expr, inner, &mut |meta, row| {
                series.push(row_as_series(meta, row, inner));
                Ok(())
            })?;
        }
        if let (Some(around), Some(counted)) = (around, &mut self.steps) {
            let within = std::mem::replace(counted, around);
            counted.add_subquery(&within, inner, grid, |step| window(reference, range_ms, grid, step));
        }
        let series = join_equal(series)?;
        self.hold(series.iter().map(|series| series.times.len()).sum())?;
        self.hold_bytes(series.iter().map(Series::size_bytes).sum())?;
        let series = Input::Held(series);
        Ok(Windows { series, reference, range_ms, extended: false, smoothed: false, margins: (0, 0) })
    }

    /// A function over a range, row by row.
    pub(crate) fn range_call(&mut self, call: &Call, grid: Grid, out: Out<'_, '_>) -> Result<(), EvalError> {
        let Some(function) = RangeFunction::of(call) else { return Ok(()) };
        let mut params: Vec<Vec<f64>> = Vec::new();
        for param in &function.params {
            params.push(self.scalar(param, grid)?);
        }
        check_extended(call, function.range)?;
        let mut windows = self.windows(function.range, grid, function.kind.wanted())?;
        let mut series = std::mem::take(&mut windows.series);
        if function.kind == Kind::DoubleExponential {
            // Bad factors are an error only where there are samples.
            let held = self.read_all(series)?;
            if !held.is_empty() {
                check_params(&params)?;
            }
            series = Input::Held(held);
        }
        let slide = Slide {
            kind: function.kind,
            windows: &windows,
            grid,
            params: &params,
            span: call.args[0].span(),
            type_labels: self.limits.type_labels,
        };
        let compute = |series: &Series, axis: &mut Axis, row: &mut Row, notes: &mut Annotations| {
            slide.series(series, axis, row, notes)
        };
        let is_nameless = !matches!(function.kind, Kind::Last | Kind::First);
        match out {
            Out::Groups(groups) if is_nameless && !self.limits.delayed_name_removal && !series.has_same_metadata() => {
                // Rows that lose their names at once may become the same, which only a tile shows.
                let tile = self
                    .collect(grid, |evaluator, sink| evaluator.each_series(&series, grid, &compute, Out::Rows(sink)))?;
                tile_rows(self.settle(tile)?, &mut |meta, row| groups.add(meta, row))
            }
            out => self.each_series(&series, grid, &compute, out),
        }
    }
}

impl Slide<'_> {
    /// The row of one series.
    fn series(&self, series: &Series, axis: &mut Axis, row: &mut Row, notes: &mut Annotations) -> Meta {
        if self.windows.extended || series.has_histograms() {
            let context = &mut Context { kind: self.kind, labels: &series.labels, span: self.span, notes };
            if self.windows.extended {
                crate::extended::slide(series, self.windows, self.grid, context, row);
            } else {
                self.mixed(series, context, row);
            }
        } else if !series.folds.is_empty() {
            let params = |step| self.params(step);
            crate::downsampled::slide(self.kind, series, self.grid.steps, params, row);
        } else {
            self.floats(series, axis, row, notes);
        }
        if !series.folds.is_empty() && !row.is_empty() {
            notes.downsampled(self.span, &series.labels, series.resolution_ms);
        }
        if matches!(self.kind, Kind::Rate | Kind::Increase) && row.values.iter().any(|value| is_float(*value)) {
            self.note_non_counter(&series.labels, notes);
        }
        let drop_name = series.drop_name || !matches!(self.kind, Kind::Last | Kind::First);
        Meta { labels: series.labels.clone(), drop_name }
    }

    fn params(&self, step: usize) -> Params {
        let (start_ms, end_ms) = self.windows.bounds(self.grid, step);
        let (mut a, mut b) = (0.0, 0.0);
        if let Some(first) = self.params.first() {
            a = first[step];
            b = self.params.get(1).map_or(0.0, |second| second[step]);
        }
        Params { start_ms, end_ms, eval_ms: self.grid.time(step), a, b }
    }

    /// Slides the window over a series of numbers.
    fn floats(&self, series: &Series, axis: &mut Axis, row: &mut Row, notes: &mut Annotations) {
        let mut function = WindowFunction::new(self.kind, series);
        let noteworthy = self.kind == Kind::Quantile || function.has_overlaps();
        let windows = axis.windows(&series.times, self.grid.steps, |step| self.params(step));
        if function.extrapolates_samples() {
            return function.extrapolate_all(windows, |step| self.params(step), &mut row.values);
        }
        for ((step, out), window) in row.values.iter_mut().enumerate().zip(windows) {
            let (from, to) = (window.from as usize, window.to as usize);
            if from == to {
                continue;
            }
            let params = self.params(step);
            if let Some(value) = function.at(from, to, &params) {
                *out = value;
            }
            if noteworthy {
                self.note_window(&function, (from, to), &params, &series.labels, notes);
            }
        }
    }

    /// Walks the windows of a series with histograms.
    fn mixed(&self, series: &Series, context: &mut Context<'_>, row: &mut Row) {
        let split = Split::new(series);
        let mut function = WindowFunction::new(self.kind, &split.floats);
        for step in 0..self.grid.steps {
            let params = self.params(step);
            row.set(step, crate::mixed::window(&split, &mut function, &params, context));
            let floats = split.float_range(params.start_ms, params.end_ms);
            if !floats.is_empty() && split.points(params.start_ms, params.end_ms).is_empty() {
                self.note_window(&function, (floats.start, floats.end), &params, &series.labels, context.notes);
            }
        }
    }

    /// What deserves a word about a window of numbers.
    fn note_window(
        &self,
        function: &WindowFunction<'_>,
        (from, to): (usize, usize),
        params: &Params,
        labels: &Labels,
        notes: &mut Annotations,
    ) {
        if self.kind == Kind::Quantile && !(0.0..=1.0).contains(&params.a) {
            notes.bad_quantile(self.span, params.a);
        }
        if function.has_overlap(from, to) {
            notes.start_overlaps(self.span, labels);
        }
    }

    /// Rates of something that does not look like a counter deserve a word.
    fn note_non_counter(&self, labels: &Labels, notes: &mut Annotations) {
        let name = labels.metric_name();
        if name.is_empty() {
            return;
        }
        if self.type_labels {
            let found = labels.get(crate::labels::TYPE).unwrap_or("");
            if !matches!(found, "counter" | "histogram") {
                notes.type_is_no_counter(self.span, labels, found);
            }
        } else if !["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix)) {
            notes.maybe_no_counter(self.span, labels);
        }
    }
}

/// Smoothing factors outside of their bounds are refused.
fn check_params(params: &[Vec<f64>]) -> Result<(), EvalError> {
    for (name, values) in ["smoothing", "trend"].into_iter().zip(params) {
        let short = if name == "smoothing" { "sf" } else { "tf" };
        if let Some(bad) = values.iter().find(|value| **value <= 0.0 || **value >= 1.0) {
            let message = format!("invalid {name} factor. Expected: 0 < {short} < 1, got: {bad:.6}");
            return Err(EvalError::Execution(message));
        }
    }
    Ok(())
}

/// Which functions know what to do with samples outside of the window.
fn check_extended(call: &Call, range: &Expr) -> Result<(), EvalError> {
    let Expr::Matrix(matrix) = range.unparen() else { return Ok(()) };
    let name = call.function.name;
    let (word, allowed): (&str, &[&str]) = if matrix.selector.anchored {
        ("anchored", &["changes", "delta", "increase", "rate", "resets"])
    } else if matrix.selector.smoothed {
        ("smoothed", &["delta", "increase", "rate"])
    } else {
        return Ok(());
    };
    if allowed.contains(&name) {
        return Ok(());
    }
    let allowed = allowed.join(", ");
    Err(EvalError::Execution(format!("{word} modifier can only be used with: {allowed} - not with {name}")))
}

/// Joins series with the same labels, such as both sides of an `or` whose name is still to go on one of them: as in Prometheus they
/// are one series, and the first sample decides about the name.
fn join_equal(mut series: Vec<Series>) -> Result<Vec<Series>, EvalError> {
    let mut seen = std::collections::HashSet::with_capacity_and_hasher(series.len(), RandomState::default());
    if series.iter().all(|series| seen.insert(&series.labels)) {
        return Ok(series);
    }
    series.sort_by(|a, b| (&a.labels, a.times.first()).cmp(&(&b.labels, b.times.first())));
    let mut joined: Vec<Series> = Vec::with_capacity(series.len());
    for next in series {
        match joined.last_mut().filter(|last| last.labels == next.labels) {
            Some(last) => last.merge(&next)?,
            None => joined.push(next),
        }
    }
    Ok(joined)
}

/// The results of a subquery as samples. Hints of histograms are about neighbours, which these are not any more.
fn row_as_series(meta: Meta, row: &Row, grid: Grid) -> Series {
    let present: Vec<usize> = (0..grid.steps).filter(|step| !is_absent(row.values[*step])).collect();
    let mut histograms = Vec::new();
    if row.has_histograms() {
        let slot = |step: &usize| row.histograms[*step].clone().filter(|_| is_histogram(row.values[*step]));
        histograms = present.iter().map(slot).collect();
        for histogram in histograms.iter_mut().flatten() {
            if histogram.reset_hint != model::ResetHint::Gauge && histogram.reset_hint != model::ResetHint::Unknown {
                std::sync::Arc::make_mut(histogram).reset_hint = model::ResetHint::Unknown;
            }
        }
    }
    Series {
        labels: meta.labels,
        drop_name: meta.drop_name,
        times: present.iter().map(|step| grid.time(*step)).collect(),
        values: present.iter().map(|step| row.values[*step]).collect(),
        histograms,
        starts: Vec::new(),
        folds: Vec::new(),
        resolution_ms: 0,
    }
}
