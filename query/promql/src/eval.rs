//! The evaluator: which expression goes to which operator, limits, and the shape of the result.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use model::Sample;

use crate::annotation::Annotations;
use crate::ast::{AggregateOp, Binary, Call, DurationExpr, DurationOp, Expr, Type};
use crate::elementwise::Elementwise;
use crate::error::EvalError;
use crate::selector::Series;
use crate::source::SeriesSource;
use crate::tile::{Grid, Meta, Sink, Tile, is_absent};
use crate::value::{MatrixSeries, Outcome, QueryValue, VectorSample};

/// When an expression is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvalRange {
    /// Once.
    Instant {
        /// Milliseconds since the Unix epoch.
        time_ms: i64,
    },
    /// At every step from start to end, both included.
    Range {
        /// First step.
        start_ms: i64,
        /// Last step is at or before this.
        end_ms: i64,
        /// Distance of steps.
        step_ms: i64,
    },
}

/// Limits and defaults of an evaluation.
#[derive(Clone, Debug)]
pub struct EvalLimits {
    /// How old a sample may be and still count as the current value.
    pub lookback_ms: i64,
    /// Samples read and values held, summed over the query.
    pub samples_max: usize,
    /// Steps of a range query.
    pub steps_max: usize,
    /// The step of subqueries that name none.
    pub subquery_interval_ms: i64,
    /// When to give up.
    pub deadline: Option<Instant>,
    /// Set by whoever wants the query to stop.
    pub cancel: Option<Arc<AtomicBool>>,
}

impl Default for EvalLimits {
    /// Prometheus's defaults.
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            samples_max: 50_000_000,
            steps_max: 11_000,
            subquery_interval_ms: 60_000,
            deadline: None,
            cancel: None,
        }
    }
}

/// Evaluates an expression that [`crate::parse`] returned.
pub fn eval(
    expr: &Expr,
    source: &dyn SeriesSource,
    range: EvalRange,
    limits: &EvalLimits,
) -> Result<Outcome, EvalError> {
    let query = grid_of(range, limits)?;
    let instant = matches!(range, EvalRange::Instant { .. });
    let range_ms = query.end_ms() - query.start_ms;
    let mut evaluator = Evaluator {
        source,
        limits,
        query,
        range_ms,
        instant,
        annotations: Annotations::default(),
        samples: 0,
        held: 0,
    };
    evaluator.check()?;
    let value = evaluator.root(expr)?;
    Ok(Outcome { value, annotations: evaluator.annotations, samples: evaluator.samples })
}

fn grid_of(range: EvalRange, limits: &EvalLimits) -> Result<Grid, EvalError> {
    match range {
        EvalRange::Instant { time_ms } => Ok(Grid { start_ms: time_ms, step_ms: 1, steps: 1 }),
        EvalRange::Range { step_ms, .. } if step_ms <= 0 => Err(EvalError::BadStep),
        EvalRange::Range { start_ms, end_ms, .. } if end_ms < start_ms => Err(EvalError::EndBeforeStart),
        EvalRange::Range { start_ms, end_ms, step_ms } => {
            let steps = end_ms.saturating_sub(start_ms) / step_ms + 1;
            let steps = usize::try_from(steps).unwrap_or(usize::MAX);
            if steps > limits.steps_max.saturating_add(1) {
                return Err(EvalError::TooManySteps);
            }
            Ok(Grid { start_ms, step_ms, steps })
        }
    }
}

/// One evaluation.
pub(crate) struct Evaluator<'a> {
    pub(crate) source: &'a dyn SeriesSource,
    pub(crate) limits: &'a EvalLimits,
    /// The steps of the query itself; subqueries have others.
    pub(crate) query: Grid,
    pub(crate) range_ms: i64,
    pub(crate) instant: bool,
    pub(crate) annotations: Annotations,
    /// Samples read.
    samples: usize,
    /// Samples read and values held.
    held: usize,
}

impl Evaluator<'_> {
    fn root(&mut self, expr: &Expr) -> Result<QueryValue, EvalError> {
        let time_ms = self.query.start_ms;
        match expr.result_type() {
            Type::String => self.root_string(expr, time_ms),
            Type::Matrix => self.root_matrix(expr),
            Type::Scalar => {
                let values = self.scalar(expr, self.query)?;
                if self.instant {
                    return Ok(QueryValue::Scalar(Sample { time_ms, value: values[0] }));
                }
                Ok(QueryValue::Matrix(vec![self.series_of(model::Labels::default(), &values)]))
            }
            Type::Vector => {
                let tile = self.tile(expr, self.query)?.finish()?;
                Ok(if self.instant { self.vector_of(expr, &tile) } else { QueryValue::Matrix(self.matrix_of(&tile)) })
            }
        }
    }

    fn root_string(&self, expr: &Expr, time_ms: i64) -> Result<QueryValue, EvalError> {
        match expr.unparen() {
            Expr::String(value, _) if self.instant => Ok(QueryValue::String { time_ms, value: value.clone() }),
            _ => Err(self.not_for_ranges(Type::String)),
        }
    }

    fn not_for_ranges(&self, found: Type) -> EvalError {
        let found = found.as_str();
        EvalError::Execution(format!(
            "invalid expression type {found:?} for range query, must be Scalar or instant Vector"
        ))
    }

    fn root_matrix(&mut self, expr: &Expr) -> Result<QueryValue, EvalError> {
        if !self.instant {
            return Err(self.not_for_ranges(Type::Matrix));
        }
        let mut matrix = Vec::new();
        for series in self.root_windows(expr)? {
            let times = series.times.iter().zip(&series.values);
            let samples = times.map(|(time_ms, value)| Sample { time_ms: *time_ms, value: *value }).collect();
            let dropped = if series.drop_name { crate::labels::without_name(&series.labels) } else { series.labels };
            matrix.push(MatrixSeries { labels: dropped, samples });
        }
        matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(QueryValue::Matrix(matrix))
    }

    fn series_of(&self, labels: model::Labels, values: &[f64]) -> MatrixSeries {
        let present = values.iter().enumerate().filter(|(_, value)| !is_absent(**value));
        let samples = present.map(|(step, value)| Sample { time_ms: self.query.time(step), value: *value }).collect();
        MatrixSeries { labels, samples }
    }

    fn matrix_of(&self, tile: &Tile) -> Vec<MatrixSeries> {
        let rows = tile.rows.iter().enumerate();
        let mut matrix: Vec<MatrixSeries> =
            rows.map(|(at, meta)| self.series_of(meta.labels.clone(), tile.row(at))).collect();
        matrix.retain(|series| !series.samples.is_empty());
        matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
        matrix
    }

    fn vector_of(&self, expr: &Expr, tile: &Tile) -> QueryValue {
        let time_ms = self.query.start_ms;
        let rows = tile.rows.iter().zip(&tile.values).filter(|(_, value)| !is_absent(**value));
        let mut vector: Vec<VectorSample> =
            rows.map(|(meta, value)| VectorSample { labels: meta.labels.clone(), time_ms, value: *value }).collect();
        let ordered = match expr.unparen() {
            Expr::Call(call) => call.function.name.starts_with("sort"),
            Expr::Aggregate(aggregate) => matches!(aggregate.op, AggregateOp::Topk | AggregateOp::Bottomk),
            _ => false,
        };
        if !ordered {
            vector.sort_by(|a, b| a.labels.cmp(&b.labels));
        }
        QueryValue::Vector(vector)
    }

    /// Stops a query that was cancelled or took too long.
    pub(crate) fn check(&self) -> Result<(), EvalError> {
        if self.limits.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Err(EvalError::Canceled);
        }
        if self.limits.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(EvalError::TimedOut);
        }
        Ok(())
    }

    /// Counts values against the limit.
    pub(crate) fn hold(&mut self, values: usize) -> Result<(), EvalError> {
        self.held = self.held.saturating_add(values);
        let max = self.limits.samples_max;
        if self.held > max { Err(EvalError::TooManySamples { max }) } else { Ok(()) }
    }

    pub(crate) fn count_samples(&mut self, samples: usize) -> Result<(), EvalError> {
        self.samples += samples;
        self.hold(samples)
    }

    /// A duration in milliseconds, with `step()` and `range()` of the query.
    pub(crate) fn duration_ms(&self, duration: &DurationExpr, negative_allowed: bool) -> Result<i64, EvalError> {
        let span = duration.span();
        let fault = |text: &str| Err(EvalError::Execution(format!("{}:{}: {text}", span.start, span.end)));
        let seconds = self.duration_seconds(duration)?;
        if !seconds.is_finite() {
            return fault("duration is NaN or infinite");
        }
        if seconds <= 0.0 && !negative_allowed {
            return fault("duration must be greater than 0");
        }
        if seconds.abs() > 9_223_372_036.0 {
            return fault("duration is out of range");
        }
        let literal = matches!(duration, DurationExpr::Seconds(..));
        Ok(if literal { (seconds * 1000.0).round() as i64 } else { (seconds * 1000.0) as i64 })
    }

    fn duration_seconds(&self, duration: &DurationExpr) -> Result<f64, EvalError> {
        Ok(match duration {
            DurationExpr::Seconds(seconds, _) => *seconds,
            DurationExpr::Step(_) if self.instant => 0.0,
            DurationExpr::Step(_) => self.query.step_ms as f64 / 1000.0,
            DurationExpr::Range(_) => self.range_ms as f64 / 1000.0,
            DurationExpr::Negative(inner, _) => -self.duration_seconds(inner)?,
            DurationExpr::Paren(inner, _) => self.duration_seconds(inner)?,
            DurationExpr::Binary(op, left, right) => {
                let (a, b) = (self.duration_seconds(left)?, self.duration_seconds(right)?);
                let zero = |what: &str| {
                    let span = duration.span();
                    EvalError::Execution(format!("{}:{}: {what} by zero", span.start, span.end))
                };
                match op {
                    DurationOp::Add => a + b,
                    DurationOp::Sub => a - b,
                    DurationOp::Mul => a * b,
                    DurationOp::Div if b == 0.0 => return Err(zero("division")),
                    DurationOp::Div => a / b,
                    DurationOp::Mod if b == 0.0 => return Err(zero("modulo")),
                    DurationOp::Mod => a % b,
                    DurationOp::Pow => a.powf(b),
                    DurationOp::MaxOf => a.max(b),
                    DurationOp::MinOf => a.min(b),
                }
            }
        })
    }

    /// A scalar expression: one number per step.
    pub(crate) fn scalar(&mut self, expr: &Expr, grid: Grid) -> Result<Vec<f64>, EvalError> {
        match expr {
            Expr::Number(value, _) => Ok(vec![*value; grid.steps]),
            Expr::Paren(inner, _) => self.scalar(inner, grid),
            Expr::Unary { negative, expr, .. } => {
                let mut values = self.scalar(expr, grid)?;
                values.iter_mut().filter(|_| *negative).for_each(|value| *value = -*value);
                Ok(values)
            }
            Expr::Binary(binary) => {
                let mut left = self.scalar(&binary.left, grid)?;
                let right = self.scalar(&binary.right, grid)?;
                for (a, b) in left.iter_mut().zip(right) {
                    let (value, keep) = crate::binary::operate(binary.op, *a, b);
                    *a = if binary.op.is_comparison() { f64::from(u8::from(keep)) } else { value };
                }
                Ok(left)
            }
            Expr::Call(call) => self.scalar_call(call, grid),
            _ => Err(EvalError::Execution("expected a scalar".into())),
        }
    }

    /// A vector expression as a whole.
    pub(crate) fn tile(&mut self, expr: &Expr, grid: Grid) -> Result<Tile, EvalError> {
        self.check()?;
        let tile = match expr {
            Expr::Paren(inner, _) => return self.tile(inner, grid),
            Expr::Aggregate(aggregate) => self.aggregate(aggregate, grid)?,
            Expr::Binary(binary) if binary.matching.is_some() => self.vector_binary(binary, grid)?,
            Expr::Call(call) if !self.streams(call) => self.tile_call(call, grid)?,
            _ => {
                let mut tile = Tile::new(grid.steps);
                let room = self.limits.samples_max.saturating_sub(self.held);
                let max = self.limits.samples_max;
                self.rows(expr, grid, &mut |meta, values| {
                    tile.push(meta, values);
                    if tile.values.len() > room { Err(EvalError::TooManySamples { max }) } else { Ok(()) }
                })?;
                tile
            }
        };
        self.hold(tile.values.len())?;
        Ok(tile)
    }

    /// Whether a call works row by row.
    fn streams(&self, call: &Call) -> bool {
        crate::ranges::RangeFunction::of(call).is_some() || Elementwise::streams(call)
    }

    /// A vector expression row by row, without holding all rows where that can be avoided.
    pub(crate) fn rows(&mut self, expr: &Expr, grid: Grid, sink: &mut Sink<'_>) -> Result<(), EvalError> {
        match expr {
            Expr::Paren(inner, _) => self.rows(inner, grid, sink),
            Expr::Vector(selector) => self.instant_rows(selector, grid, false, sink),
            Expr::Unary { negative: false, expr, .. } => self.rows(expr, grid, sink),
            Expr::Unary { expr, .. } => self.rows(expr, grid, &mut |meta, values| {
                map(values, |value| -value);
                sink(Meta { drop_name: true, ..meta }, values)
            }),
            Expr::Call(call) if crate::ranges::RangeFunction::of(call).is_some() => self.range_call(call, grid, sink),
            Expr::Call(call) if Elementwise::streams(call) => self.elementwise(call, grid, sink),
            Expr::Binary(binary) if binary.matching.is_none() => self.scalar_binary_rows(binary, grid, sink),
            other => {
                let mut tile = self.tile(other, grid)?;
                for (at, meta) in std::mem::take(&mut tile.rows).into_iter().enumerate() {
                    sink(meta, tile.row_mut(at))?;
                }
                Ok(())
            }
        }
    }

    /// An operator between a vector and a scalar.
    fn scalar_binary_rows(&mut self, binary: &Binary, grid: Grid, sink: &mut Sink<'_>) -> Result<(), EvalError> {
        let swap = binary.left.result_type() == Type::Scalar;
        let (vector, scalar) = if swap { (&binary.right, &binary.left) } else { (&binary.left, &binary.right) };
        let scalars = self.scalar(scalar, grid)?;
        let (op, as_bool) = (binary.op, binary.bool_modifier);
        let renames = !op.is_comparison() || as_bool;
        self.rows(vector, grid, &mut |meta, values| {
            for (value, scalar) in values.iter_mut().zip(&scalars).filter(|(value, _)| !is_absent(**value)) {
                let (a, b) = if swap { (*scalar, *value) } else { (*value, *scalar) };
                let (result, keep) = crate::binary::operate(op, a, b);
                *value = match (op.is_comparison(), as_bool, keep) {
                    (true, true, _) => f64::from(u8::from(keep)),
                    (true, false, true) => *value,
                    (false, _, true) => result,
                    _ => crate::tile::ABSENT,
                };
            }
            let drop_name = meta.drop_name || renames;
            emit(Meta { drop_name, ..meta }, values, sink)
        })
    }

    /// The samples of the windows of a range vector at the root of an instant query.
    fn root_windows(&mut self, expr: &Expr) -> Result<Vec<Series>, EvalError> {
        let windows = self.windows(expr, self.query)?;
        let (start_ms, end_ms) = windows.bounds(self.query, 0);
        let mut found = Vec::new();
        for mut series in windows.series {
            if windows.extended {
                let extended = crate::extended::window(&series, start_ms, end_ms, windows.smoothed);
                (series.times, series.values) = extended;
            } else {
                let from = series.times.partition_point(|time| *time <= start_ms);
                let to = series.times.partition_point(|time| *time <= end_ms);
                series.times = series.times[from..to].to_vec();
                series.values = series.values[from..to].to_vec();
            }
            if !series.times.is_empty() {
                found.push(series);
            }
        }
        Ok(found)
    }
}

/// Applies a function to the values that are there.
pub(crate) fn map(values: &mut [f64], function: impl Fn(f64) -> f64) {
    for value in values.iter_mut().filter(|value| !is_absent(**value)) {
        *value = function(*value);
    }
}

/// Passes a row on unless it is empty.
pub(crate) fn emit(meta: Meta, values: &mut [f64], sink: &mut Sink<'_>) -> Result<(), EvalError> {
    if values.iter().any(|value| !is_absent(*value)) { sink(meta, values) } else { Ok(()) }
}
