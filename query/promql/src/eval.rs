//! The evaluator: which expression goes to which operator, limits, and the shape of the result.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use model::Sample;

use crate::annotation::Annotations;
use crate::ast::{AggregateOp, Call, DurationExpr, DurationOp, Expr, Type};
use crate::elementwise::Elementwise;
use crate::error::EvalError;
use crate::input::{Read, Reading};
use crate::operators::Scalars;
use crate::parallel::Out;
use crate::selector::{Series, Show};
use crate::source::{SeriesSource, Wanted};
use crate::stats::{EvalStats, StepStats};
use crate::tile::{Cell, Grid, Meta, Row, Sink, Tile, is_absent, is_histogram};
use crate::value::{HistogramSample, MatrixSeries, Outcome, QueryValue, VectorSample};

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

/// Bytes that a query may hold if nobody says otherwise.
const MEMORY_MAX_BYTES: usize = 2 << 30;

/// Limits and defaults of an evaluation.
#[derive(Clone, Debug)]
pub struct EvalLimits {
    /// How old a sample may be and still count as the current value.
    pub lookback_ms: i64,
    /// Samples read and values held, summed over the query.
    pub samples_max: usize,
    /// Bytes of samples and results that a query may hold, summed over the query.
    pub memory_max_bytes: usize,
    /// Threads that compute series beside each other. Results do not depend on it.
    pub threads: usize,
    /// Series carry `__type__` and `__unit__`, so that these decide what is a counter, and not the metric's name.
    pub type_labels: bool,
    /// Steps of a range query.
    pub steps_max: usize,
    /// The step of subqueries that name none.
    pub subquery_interval_ms: i64,
    /// `promql-delayed-name-removal`: a name goes at the end of the query and not where the value stops being the metric's, so that
    /// what comes between can still see it.
    pub delayed_name_removal: bool,
    /// Whether to count what each step looks at ([`StepStats`]), which takes time.
    pub step_stats: bool,
    /// What all queries together may hold, if that is bounded.
    pub shared_memory: Option<Arc<dyn SharedMemory>>,
    /// When to give up.
    pub deadline: Option<Instant>,
    /// Set by whoever wants the query to stop.
    pub cancel: Option<Arc<AtomicBool>>,
}

impl Default for EvalLimits {
    /// Prometheus's defaults, one thread, and two gigabytes.
    fn default() -> Self {
        Self {
            lookback_ms: 300_000,
            samples_max: 50_000_000,
            memory_max_bytes: MEMORY_MAX_BYTES,
            threads: 1,
            type_labels: false,
            steps_max: 11_000,
            subquery_interval_ms: 60_000,
            delayed_name_removal: true,
            step_stats: false,
            shared_memory: None,
            deadline: None,
            cancel: None,
        }
    }
}

/// Memory that evaluations and others share.
pub trait SharedMemory: Send + Sync + std::fmt::Debug {
    /// Takes bytes; says why there are none left.
    fn take(&self, bytes: usize) -> Result<(), String>;

    /// Gives bytes back that were taken.
    fn give_back(&self, bytes: usize);
}

/// Evaluates an expression that [`crate::parse`] returned.
pub fn eval(
    expr: &Expr,
    source: &dyn SeriesSource,
    range: EvalRange,
    limits: &EvalLimits,
) -> Result<Outcome, EvalError> {
    let outcome = crate::stack::with_room(expr, || run(expr, source, range, limits));
    outcome.map_err(|error| EvalError::Source(format!("no thread for a deep query: {error}")))?
}

fn run(expr: &Expr, source: &dyn SeriesSource, range: EvalRange, limits: &EvalLimits) -> Result<Outcome, EvalError> {
    let query = grid_of(range, limits)?;
    let instant = matches!(range, EvalRange::Instant { .. });
    // To the end that was asked for, though the last step may come before it.
    let range_ms = match range {
        EvalRange::Instant { .. } => 0,
        EvalRange::Range { start_ms, end_ms, .. } => end_ms.saturating_sub(start_ms),
    };
    let mut evaluator = Evaluator {
        source,
        limits,
        query,
        range_ms,
        instant,
        annotations: Annotations::default(),
        samples: 0,
        series: 0,
        steps: limits.step_stats.then(|| StepStats::new(query.steps)),
        held: 0,
        held_bytes: 0,
        shared: Shared { memory: limits.shared_memory.as_deref(), taken: 0 },
        without_buckets: crate::plan::selectors_without_buckets(expr),
    };
    evaluator.check()?;
    let value = evaluator.root(expr)?;
    let stats =
        EvalStats { series: evaluator.series, held: evaluator.held, steps: evaluator.steps.unwrap_or_default() };
    Ok(Outcome { value, annotations: evaluator.annotations, samples: evaluator.samples, stats })
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
    /// Series found, summed over the selectors.
    pub(crate) series: usize,
    /// What each step of the grid being evaluated looked at, if that is asked for.
    pub(crate) steps: Option<StepStats>,
    /// Samples read and values held.
    held: usize,
    held_bytes: usize,
    shared: Shared<'a>,
    /// Selectors, by where they begin, of whose histograms only count and sum matter.
    pub(crate) without_buckets: HashSet<usize>,
}

/// What an evaluation has of the memory of all; it goes back when the evaluation ends.
struct Shared<'a> {
    memory: Option<&'a dyn SharedMemory>,
    taken: usize,
}

impl Shared<'_> {
    fn take(&mut self, bytes: usize) -> Result<(), EvalError> {
        if let Some(memory) = self.memory {
            memory.take(bytes).map_err(EvalError::OutOfSharedMemory)?;
            self.taken += bytes;
        }
        Ok(())
    }
}

impl Drop for Shared<'_> {
    fn drop(&mut self) {
        if let Some(memory) = self.memory {
            memory.give_back(self.taken);
        }
    }
}

/// When an evaluation gives up; threads carry it.
pub(crate) struct Stop {
    cancel: Option<Arc<AtomicBool>>,
    deadline: Option<Instant>,
}

impl Stop {
    pub(crate) fn check(&self) -> Result<(), EvalError> {
        if self.cancel.as_ref().is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Err(EvalError::Canceled);
        }
        if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            return Err(EvalError::TimedOut);
        }
        Ok(())
    }
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
                self.hold_bytes(tile.values.len().saturating_mul(size_of::<Sample>()))?;
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
        EvalError::NotForRanges { found: found.as_str() }
    }

    fn root_matrix(&mut self, expr: &Expr) -> Result<QueryValue, EvalError> {
        if !self.instant {
            return Err(self.not_for_ranges(Type::Matrix));
        }
        let mut matrix = Vec::new();
        for series in self.root_windows(expr)? {
            let floats = (0..series.times.len()).filter(|at| series.histogram(*at).is_none());
            let samples = floats.map(|at| Sample { time_ms: series.times[at], value: series.values[at] }).collect();
            let histogram = |at: usize| series.histogram(at).map(|histogram| (series.times[at], histogram));
            let histograms = (0..series.times.len()).filter_map(histogram);
            let histograms = histograms
                .map(|(time_ms, histogram)| HistogramSample { time_ms, histogram: Arc::clone(histogram) })
                .collect();
            let labels =
                if series.drop_name { crate::labels::without_name(&series.labels) } else { series.labels.clone() };
            matrix.push(MatrixSeries { labels, samples, histograms });
        }
        matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
        Ok(QueryValue::Matrix(matrix))
    }

    fn series_of(&self, labels: model::Labels, values: &[f64]) -> MatrixSeries {
        let present = values.iter().enumerate().filter(|(_, value)| !is_absent(**value) && !is_histogram(**value));
        let samples = present.map(|(step, value)| Sample { time_ms: self.query.time(step), value: *value }).collect();
        MatrixSeries { labels, samples, histograms: Vec::new() }
    }

    fn matrix_of(&self, tile: &Tile) -> Vec<MatrixSeries> {
        let series = |(at, meta): (usize, &Meta)| {
            let mut series = self.series_of(meta.labels.clone(), tile.row(at));
            let histogram = |step: usize| tile.histogram(at, step).map(|histogram| (self.query.time(step), histogram));
            let histograms = (0..tile.steps).filter_map(histogram);
            series.histograms = histograms
                .map(|(time_ms, histogram)| HistogramSample { time_ms, histogram: Arc::clone(histogram) })
                .collect();
            series
        };
        let mut matrix: Vec<MatrixSeries> = tile.rows.iter().enumerate().map(series).collect();
        matrix.retain(|series| !series.samples.is_empty() || !series.histograms.is_empty());
        matrix.sort_by(|a, b| a.labels.cmp(&b.labels));
        matrix
    }

    fn vector_of(&self, expr: &Expr, tile: &Tile) -> QueryValue {
        let time_ms = self.query.start_ms;
        let sample = |(at, meta): (usize, &Meta)| {
            let (value, histogram) = match tile.cell(at, 0)? {
                Cell::Float(value) => (value, None),
                Cell::Histogram(histogram) => (f64::NAN, Some(histogram)),
            };
            Some(VectorSample { labels: meta.labels.clone(), time_ms, value, histogram })
        };
        let mut vector: Vec<VectorSample> = tile.rows.iter().enumerate().filter_map(sample).collect();
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
        self.stop().check()
    }

    pub(crate) fn stop(&self) -> Stop {
        Stop { cancel: self.limits.cancel.clone(), deadline: self.limits.deadline }
    }

    /// What an operator may read.
    pub(crate) fn reading(&self, threads: usize) -> Reading {
        let (samples, bytes) = (self.limits.samples_max, self.limits.memory_max_bytes);
        let bytes_left = bytes.saturating_sub(self.held_bytes) / threads.max(1);
        Reading::new((samples.saturating_sub(self.held), samples), (bytes_left, bytes))
    }

    /// Counts what an operator has read, one series after the other.
    pub(crate) fn has_read(&mut self, read: &Read, threads: usize) -> Result<(), EvalError> {
        self.series += read.series;
        self.count_samples(read.samples)?;
        self.hold_bytes(read.largest.saturating_mul(threads))
    }

    pub(crate) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Counts bytes against the budget.
    pub(crate) fn hold_bytes(&mut self, bytes: usize) -> Result<(), EvalError> {
        self.held_bytes = self.held_bytes.saturating_add(bytes);
        let max = self.limits.memory_max_bytes;
        if self.held_bytes > max { Err(EvalError::OutOfMemory { max }) } else { self.shared.take(bytes) }
    }

    /// Counts values against the limit.
    pub(crate) fn hold(&mut self, values: usize) -> Result<(), EvalError> {
        self.held = self.held.saturating_add(values);
        let max = self.limits.samples_max;
        if self.held > max { Err(EvalError::TooManySamples { max }) } else { Ok(()) }
    }

    /// Counts the values of rows, as samples and as bytes.
    pub(crate) fn hold_values(&mut self, values: usize) -> Result<(), EvalError> {
        self.hold(values)?;
        self.hold_bytes(values.saturating_mul(size_of::<f64>()))
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
            DurationExpr::Seconds(seconds, ..) => *seconds,
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
            Expr::Number(value, ..) => Ok(vec![*value; grid.steps]),
            Expr::Paren(inner, _) => self.scalar(inner, grid),
            Expr::Unary { negative, expr, .. } => {
                let mut values = self.scalar(expr, grid)?;
                values.iter_mut().filter(|_| *negative).for_each(|value| *value = -*value);
                Ok(values)
            }
            Expr::Binary(_) => {
                let (operators, first) = expr.chain();
                let mut values = self.scalar(first, grid)?;
                for binary in operators.iter().rev() {
                    self.check()?;
                    let right = Scalars::of(self, &binary.right, grid)?;
                    for (step, value) in values.iter_mut().enumerate() {
                        let (result, keep) = crate::binary::operate(binary.op, *value, right.at(step));
                        *value = if binary.op.is_comparison() { f64::from(u8::from(keep)) } else { result };
                    }
                }
                Ok(values)
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
            Expr::Binary(_) => return self.chain_tile(expr, grid),
            Expr::Call(call) if !self.streams(call) => self.tile_call(call, grid)?,
            _ => self.collect(grid, |evaluator, sink| evaluator.streamed_rows(expr, grid, sink))?,
        };
        self.settle(tile)
    }

    /// Counts a tile against the limits and drops its names if that is to happen at once.
    pub(crate) fn settle(&mut self, tile: Tile) -> Result<Tile, EvalError> {
        self.hold_values(tile.values.len())?;
        if self.limits.delayed_name_removal { Ok(tile) } else { tile.finish() }
    }

    /// Rows as a tile, as far as the limits allow.
    pub(crate) fn collect(
        &mut self,
        grid: Grid,
        rows: impl FnOnce(&mut Self, &mut Sink<'_>) -> Result<(), EvalError>,
    ) -> Result<Tile, EvalError> {
        let mut tile = Tile::new(grid.steps);
        let max = self.limits.samples_max;
        let room = max.saturating_sub(self.held);
        let bytes_max = self.limits.memory_max_bytes;
        let bytes_room = bytes_max.saturating_sub(self.held_bytes);
        let mut histogram_bytes = 0usize;
        rows(self, &mut |meta, row| {
            histogram_bytes += row.histograms.iter().flatten().map(|h| h.size_bytes()).sum::<usize>();
            tile.push(meta, row);
            if tile.values.len() * size_of::<f64>() + histogram_bytes > bytes_room {
                return Err(EvalError::OutOfMemory { max: bytes_max });
            }
            if tile.values.len() > room { Err(EvalError::TooManySamples { max }) } else { Ok(()) }
        })?;
        self.hold_bytes(histogram_bytes)?;
        Ok(tile)
    }

    /// Whether a call works row by row.
    fn streams(&self, call: &Call) -> bool {
        crate::ranges::RangeFunction::of(call).is_some() || Elementwise::streams(call)
    }

    /// A vector expression row by row, without holding all rows where that can be avoided.
    pub(crate) fn rows(&mut self, expr: &Expr, grid: Grid, sink: &mut Sink<'_>) -> Result<(), EvalError> {
        if self.limits.delayed_name_removal || matches!(expr, Expr::Paren(..) | Expr::Vector(_)) {
            return self.streamed_rows(expr, grid, sink);
        }
        // Rows that lose their names at once may become the same, which only a tile shows.
        let tile = self.tile(expr, grid)?;
        tile_rows(tile, sink)
    }

    fn streamed_rows(&mut self, expr: &Expr, grid: Grid, sink: &mut Sink<'_>) -> Result<(), EvalError> {
        match expr {
            Expr::Paren(inner, _) => self.rows(inner, grid, sink),
            Expr::Vector(selector) => self.instant_rows(selector, grid, Show::Value, Out::Rows(sink)),
            Expr::Unary { negative: false, expr, .. } => self.rows(expr, grid, sink),
            Expr::Unary { expr, .. } => self.rows(expr, grid, &mut |meta, row| {
                row.map(|value| -value, |histogram| histogram.scale(-1.0));
                sink(Meta { drop_name: true, ..meta }, row)
            }),
            Expr::Call(call) if crate::ranges::RangeFunction::of(call).is_some() => {
                self.range_call(call, grid, Out::Rows(sink))
            }
            Expr::Call(call) if Elementwise::streams(call) => self.elementwise(call, grid, sink),
            Expr::Binary(binary) if binary.matching.is_none() => self.scalar_rows(binary, grid, sink),
            other => {
                let tile = self.tile(other, grid)?;
                tile_rows(tile, sink)
            }
        }
    }

    /// The samples of the windows of a range vector at the root of an instant query.
    fn root_windows(&mut self, expr: &Expr) -> Result<Vec<Series>, EvalError> {
        let mut windows = self.windows(expr, self.query, Wanted::Count)?;
        let (start_ms, end_ms) = windows.bounds(self.query, 0);
        let mut found = Vec::new();
        for mut series in self.read_all(std::mem::take(&mut windows.series))? {
            if windows.extended {
                if !series.times.is_empty() {
                    crate::extended::window(&mut series, (start_ms, end_ms), windows.smoothed)?;
                }
            } else {
                series.clip(start_ms, end_ms);
            }
            if !series.times.is_empty() {
                found.push(series);
            }
        }
        Ok(found)
    }
}

pub(crate) fn tile_rows(mut tile: Tile, sink: &mut Sink<'_>) -> Result<(), EvalError> {
    for (at, meta) in std::mem::take(&mut tile.rows).into_iter().enumerate() {
        sink(meta, &mut tile.take_row(at))?;
    }
    Ok(())
}

/// Passes a row on unless it is empty.
pub(crate) fn emit(meta: Meta, row: &mut Row, sink: &mut Sink<'_>) -> Result<(), EvalError> {
    if row.is_empty() { Ok(()) } else { sink(meta, row) }
}
