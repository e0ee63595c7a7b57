//! Functions over ranges: windows slide over each series once.

use model::Labels;

use crate::ast::{Call, Expr, MatrixSelector, Subquery};
use crate::error::EvalError;
use crate::eval::{Evaluator, emit};
use crate::selector::{Reference, Series, drop_stale};
use crate::tile::{ABSENT, Grid, Meta, Sink, is_absent};
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
pub(crate) struct Windows {
    pub(crate) series: Vec<Series>,
    reference: Reference,
    pub(crate) range_ms: i64,
    /// `anchored` or `smoothed`: the series reach beyond the windows.
    pub(crate) extended: bool,
    pub(crate) smoothed: bool,
    /// How far before and after a window the samples reach, in milliseconds.
    margins: (i64, i64),
}

impl Windows {
    pub(crate) fn margins(&self) -> (i64, i64) {
        self.margins
    }

    /// Start (outside) and end (inside) of the window of a step.
    pub(crate) fn bounds(&self, grid: Grid, step: usize) -> (i64, i64) {
        let end = self.reference.time(grid, step);
        (end.saturating_sub(self.range_ms), end)
    }
}

impl Evaluator<'_> {
    /// Reads what a range vector covers.
    pub(crate) fn windows(&mut self, expr: &Expr, grid: Grid) -> Result<Windows, EvalError> {
        match expr {
            Expr::Paren(inner, _) => self.windows(inner, grid),
            Expr::Matrix(matrix) => self.selector_windows(matrix, grid),
            Expr::Subquery(subquery) => self.subquery_windows(subquery, grid),
            _ => Err(EvalError::Execution("expected a range vector".into())),
        }
    }

    fn selector_windows(&mut self, matrix: &MatrixSelector, grid: Grid) -> Result<Windows, EvalError> {
        let selector = &matrix.selector;
        let reference = self.reference(selector.at, selector.offset.as_ref())?;
        let range_ms = self.duration_ms(&matrix.range, false)?;
        let extended = selector.anchored || selector.smoothed;
        let before_ms = if extended { self.limits.lookback_ms } else { 0 };
        let after_ms = if selector.smoothed { self.limits.lookback_ms } else { 0 };
        let (first, last) = reference.span(grid);
        let from_ms = first.saturating_sub(range_ms).saturating_sub(before_ms).saturating_add(1);
        let mut series = self.fetch(selector, from_ms, last.saturating_add(after_ms))?;
        series.iter_mut().for_each(drop_stale);
        Ok(Windows {
            series,
            reference,
            range_ms,
            extended,
            smoothed: selector.smoothed,
            margins: (before_ms, after_ms),
        })
    }

    fn subquery_windows(&mut self, subquery: &Subquery, grid: Grid) -> Result<Windows, EvalError> {
        let reference = self.reference(subquery.at, subquery.offset.as_ref())?;
        let range_ms = self.duration_ms(&subquery.range, false)?;
        let step_ms = match &subquery.step {
            Some(step) => self.duration_ms(step, false)?.max(1),
            None => self.limits.subquery_interval_ms,
        };
        let (first, last) = reference.span(grid);
        let after = first.saturating_sub(range_ms);
        // Steps are multiples of the interval, so that they do not move with the query.
        let start_ms = (after.div_euclid(step_ms) + 1).saturating_mul(step_ms);
        let steps = if last < start_ms { 0 } else { (last - start_ms) / step_ms + 1 };
        let steps = usize::try_from(steps).unwrap_or(usize::MAX);
        self.hold(steps)?;
        let inner = Grid { start_ms, step_ms, steps };
        let mut series = Vec::new();
        if steps > 0 {
            self.rows(&subquery.expr, inner, &mut |meta, values| {
                series.push(row_as_series(meta, values, inner));
                Ok(())
            })?;
        }
        self.hold(series.iter().map(|series| series.times.len()).sum())?;
        Ok(Windows { series, reference, range_ms, extended: false, smoothed: false, margins: (0, 0) })
    }

    /// A function over a range, row by row.
    pub(crate) fn range_call(&mut self, call: &Call, grid: Grid, sink: &mut Sink<'_>) -> Result<(), EvalError> {
        let Some(function) = RangeFunction::of(call) else { return Ok(()) };
        let mut params: Vec<Vec<f64>> = Vec::new();
        for param in &function.params {
            params.push(self.scalar(param, grid)?);
        }
        self.check_params(call, function.kind, &params)?;
        check_extended(call, function.range)?;
        let mut windows = self.windows(function.range, grid)?;
        let mut scratch = vec![ABSENT; grid.steps];
        for series in std::mem::take(&mut windows.series) {
            self.check()?;
            let labels = series.labels.clone();
            let drop_name = series.drop_name || !matches!(function.kind, Kind::Last | Kind::First);
            if windows.extended {
                crate::extended::slide(function.kind, &series, &windows, grid, &mut scratch);
            } else {
                slide(function.kind, &series, &windows, grid, &params, &mut scratch);
            }
            if matches!(function.kind, Kind::Rate | Kind::Increase) && scratch.iter().any(|value| !is_absent(*value)) {
                self.note_non_counter(&labels, function.range);
            }
            emit(Meta { labels, drop_name }, &mut scratch, sink)?;
        }
        Ok(())
    }

    /// Whether parameters make sense; Prometheus warns about quantiles and refuses smoothing factors.
    fn check_params(&mut self, call: &Call, kind: Kind, params: &[Vec<f64>]) -> Result<(), EvalError> {
        if kind == Kind::Quantile {
            let outside = |q: &&f64| q.is_nan() || **q < 0.0 || **q > 1.0;
            let bad: Vec<f64> = params[0].iter().filter(outside).copied().collect();
            for q in bad {
                self.warn_quantile(q, call.args[0].span());
            }
        }
        if kind == Kind::DoubleExponential {
            for (name, values) in ["smoothing", "trend"].into_iter().zip(params) {
                let short = if name == "smoothing" { "sf" } else { "tf" };
                if let Some(bad) = values.iter().find(|value| **value <= 0.0 || **value >= 1.0) {
                    let message = format!("invalid {name} factor. Expected: 0 < {short} < 1, got: {bad:.6}");
                    return Err(EvalError::Execution(message));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn warn_quantile(&mut self, q: f64, span: crate::ast::Span) {
        let q = crate::value::format_number(q);
        self.annotations.warn(span, format!("quantile value should be between 0 and 1, got {q}"));
    }

    /// Rates of something that does not look like a counter deserve a word.
    fn note_non_counter(&mut self, labels: &Labels, range: &Expr) {
        let name = labels.metric_name();
        let counter = ["_total", "_sum", "_count", "_bucket"].iter().any(|suffix| name.ends_with(suffix));
        if !name.is_empty() && !counter {
            let message = "metric might not be a counter, name does not end in _total/_sum/_count/_bucket:";
            self.annotations.info(range.span(), format!("{message} {name:?}"));
        }
    }
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

fn row_as_series(meta: Meta, values: &[f64], grid: Grid) -> Series {
    let present = || values.iter().enumerate().filter(|(_, value)| !is_absent(**value));
    Series {
        labels: meta.labels,
        drop_name: meta.drop_name,
        times: present().map(|(step, _)| grid.time(step)).collect(),
        values: present().map(|(_, value)| *value).collect(),
    }
}

/// Slides the window over a series: two pointers that only go forward.
fn slide(kind: Kind, series: &Series, windows: &Windows, grid: Grid, params: &[Vec<f64>], out: &mut [f64]) {
    let mut function = WindowFunction::new(kind, &series.times, &series.values);
    let (mut from, mut to) = (0, 0);
    for (step, out) in out.iter_mut().enumerate() {
        let (start_ms, end_ms) = windows.bounds(grid, step);
        while series.times.get(to).is_some_and(|time| *time <= end_ms) {
            to += 1;
        }
        while from < to && series.times[from] <= start_ms {
            from += 1;
        }
        let param = |at: usize| params.get(at).map_or(0.0, |values| values[step]);
        let eval_ms = grid.time(step);
        let params = Params { start_ms, end_ms, eval_ms, a: param(0), b: param(1) };
        *out = if from < to { function.at(from, to, &params).unwrap_or(ABSENT) } else { ABSENT };
    }
}
