//! Functions over the windows of series that hold histograms, alone or among numbers.
//!
//! These walk each window on its own: histograms are large, so that the walk is not what costs.

use std::sync::Arc;

use model::histogram::{Added, HistogramSum, IncompatibleSchemas};
use model::{FloatHistogram, Labels, ResetHint, SharedSlice};

use crate::annotation::Annotations;
use crate::ast::Span;
use crate::notes::Combining;
use crate::selector::Series;
use crate::starts;
use crate::tile::{Cell, Histogram};
use crate::windows::{Extrapolation, Kind, Params, WindowFunction};

/// A histogram at a time.
#[derive(Clone, Debug)]
pub(crate) struct Point {
    pub(crate) time: i64,
    /// When its counter started, zero if unknown.
    pub(crate) start: i64,
    pub(crate) histogram: Histogram,
}

/// A series with its numbers and its histograms apart.
pub(crate) struct Split {
    pub(crate) floats: Series,
    pub(crate) histograms: Vec<Point>,
}

impl Split {
    pub(crate) fn new(series: &Series) -> Self {
        let mut floats = Series {
            labels: series.labels.clone(),
            drop_name: series.drop_name,
            times: SharedSlice::default(),
            values: SharedSlice::default(),
            histograms: Vec::new(),
            starts: Vec::new(),
            folds: Vec::new(),
            resolution_ms: 0,
        };
        let (mut histograms, mut times, mut values) = (Vec::new(), Vec::new(), Vec::new());
        for (at, time) in series.times.iter().enumerate() {
            let start = series.start(at);
            match series.histogram(at) {
                Some(histogram) => histograms.push(Point { time: *time, start, histogram: Arc::clone(histogram) }),
                None => {
                    times.push(*time);
                    values.push(series.values[at]);
                    floats.starts.push(start);
                }
            }
        }
        (floats.times, floats.values) = (times.into(), values.into());
        Self { floats, histograms }
    }

    /// The numbers of a window as a range of places.
    pub(crate) fn float_range(&self, start_ms: i64, end_ms: i64) -> std::ops::Range<usize> {
        let from = self.floats.times.partition_point(|time| *time <= start_ms);
        from..self.floats.times.partition_point(|time| *time <= end_ms).max(from)
    }

    /// The histograms of a window.
    pub(crate) fn points(&self, start_ms: i64, end_ms: i64) -> &[Point] {
        let from = self.histograms.partition_point(|point| point.time <= start_ms);
        let to = self.histograms.partition_point(|point| point.time <= end_ms).max(from);
        &self.histograms[from..to]
    }
}

/// What the functions below need besides the samples.
pub(crate) struct Context<'a> {
    pub(crate) kind: Kind,
    pub(crate) labels: &'a Labels,
    /// Where annotations point at.
    pub(crate) span: Span,
    pub(crate) notes: &'a mut Annotations,
}

/// The result of a function over one window.
pub(crate) fn window(
    split: &Split,
    function: &mut WindowFunction<'_>,
    params: &Params,
    context: &mut Context<'_>,
) -> Option<Cell> {
    let range = split.float_range(params.start_ms, params.end_ms);
    let points = split.points(params.start_ms, params.end_ms);
    let (from, to) = (range.start, range.end);
    if points.is_empty() {
        return (from < to).then(|| function.at(from, to, params)).flatten().map(Cell::Float);
    }
    let both = from < to;
    let float = |value: f64| Some(Cell::Float(value));
    match context.kind {
        Kind::Count => float((to - from + points.len()) as f64),
        Kind::Present => float(1.0),
        Kind::First | Kind::Last | Kind::TimeOfFirst | Kind::TimeOfLast => edge(split, range, points, context.kind),
        Kind::Irate | Kind::Idelta => last_two(split, range, points, context),
        Kind::Changes | Kind::Resets => {
            let samples = merge(split, range, points);
            float(count_pairs(&samples, context.kind) as f64)
        }
        Kind::Rate | Kind::Increase | Kind::Delta | Kind::Sum | Kind::Avg if both => {
            context.notes.mixed_samples(context.span, context.labels);
            None
        }
        Kind::Rate | Kind::Increase | Kind::Delta => rate(points, params, context).map(histogram_cell),
        Kind::Sum | Kind::Avg => total(points, context).map(histogram_cell),
        // What is left is about numbers alone.
        _ if both => {
            context.notes.histograms_ignored_in_range(context.span, context.labels);
            function.at(from, to, params).map(Cell::Float)
        }
        _ => None,
    }
}

pub(crate) fn histogram_cell(histogram: FloatHistogram) -> Cell {
    Cell::Histogram(Arc::new(histogram))
}

/// The first or last sample, or its time.
fn edge(split: &Split, range: std::ops::Range<usize>, points: &[Point], kind: Kind) -> Option<Cell> {
    let last = matches!(kind, Kind::Last | Kind::TimeOfLast);
    let place = if last { range.end.checked_sub(1) } else { Some(range.start) };
    let number = place.filter(|at| range.contains(at)).map(|at| (split.floats.times[at], split.floats.values[at]));
    let point = if last { points.last() } else { points.first() };
    let float_wins = match (number, point) {
        (Some((time, _)), Some(point)) => {
            if last {
                time > point.time
            } else {
                time < point.time
            }
        }
        (number, _) => number.is_some(),
    };
    let time = if float_wins { number.map(|(time, _)| time) } else { point.map(|point| point.time) };
    if matches!(kind, Kind::TimeOfFirst | Kind::TimeOfLast) {
        return time.map(|time| Cell::Float(time as f64 / 1000.0));
    }
    if float_wins {
        return number.map(|(_, value)| Cell::Float(value));
    }
    point.map(|point| Cell::Histogram(Arc::clone(&point.histogram)))
}

/// A sample of either kind.
pub(crate) struct Either<'a> {
    pub(crate) time: i64,
    pub(crate) start: i64,
    pub(crate) value: f64,
    pub(crate) histogram: Option<&'a Histogram>,
}

/// The samples of a window in time order.
pub(crate) fn merge<'a>(split: &'a Split, range: std::ops::Range<usize>, points: &'a [Point]) -> Vec<Either<'a>> {
    let floats = range.map(|at| Either {
        time: split.floats.times[at],
        start: split.floats.start(at),
        value: split.floats.values[at],
        histogram: None,
    });
    let histograms = points.iter().map(|point| Either {
        time: point.time,
        start: point.start,
        value: f64::NAN,
        histogram: Some(&point.histogram),
    });
    let mut samples: Vec<Either<'_>> = floats.chain(histograms).collect();
    samples.sort_by_key(|sample| sample.time);
    samples
}

/// `changes` or `resets`: how many pairs of neighbours count.
pub(crate) fn count_pairs(samples: &[Either<'_>], kind: Kind) -> usize {
    let counts = |pair: &&[Either<'_>]| {
        let (a, b) = (&pair[0], &pair[1]);
        let started = || starts::reset_between((a.start, a.time), (b.start, b.time));
        match (a.histogram, b.histogram) {
            (None, None) if kind == Kind::Changes => a.value != b.value && !(a.value.is_nan() && b.value.is_nan()),
            (None, None) => b.value < a.value || started(),
            (Some(a), Some(b)) if kind == Kind::Changes => !b.same_data(a),
            (Some(a), Some(b)) => started() || b.is_reset_after(a),
            _ => true,
        }
    };
    samples.windows(2).filter(counts).count()
}

/// `irate` and `idelta`: the difference of the last two samples, which must be of one kind.
fn last_two(split: &Split, range: std::ops::Range<usize>, points: &[Point], context: &mut Context<'_>) -> Option<Cell> {
    let samples = merge(split, range, points);
    let [.., a, b] = &samples[..] else { return None };
    let is_rate = context.kind == Kind::Irate;
    let seconds = (b.time - a.time) as f64 / 1000.0;
    let started = starts::reset_between((a.start, a.time), (b.start, b.time));
    match (a.histogram, b.histogram) {
        (None, None) => {
            let reset = is_rate && (b.value < a.value || started);
            let result = if reset { b.value } else { b.value - a.value };
            Some(Cell::Float(if is_rate { result / seconds } else { result }))
        }
        (Some(before), Some(now)) => {
            let hints = [before.reset_hint, now.reset_hint];
            if is_rate && hints.contains(&ResetHint::Gauge) {
                context.notes.not_a_counter(context.span, context.labels);
            }
            if !is_rate && hints != [ResetHint::Gauge; 2] {
                context.notes.not_a_gauge(context.span, context.labels);
            }
            let mut result = FloatHistogram::clone(now);
            if !is_rate || !(started || now.is_reset_after(before)) {
                subtract(&mut result, before, context)?;
            }
            result.reset_hint = ResetHint::Gauge;
            result.compact();
            if is_rate {
                result.divide(seconds);
            }
            Some(histogram_cell(result))
        }
        _ => {
            context.notes.mixed_samples(context.span, context.labels);
            None
        }
    }
}

/// Adds, and says what is to be said; `None` if they do not go together.
pub(crate) fn add(sum: &mut FloatHistogram, other: &FloatHistogram, context: &mut Context<'_>) -> Option<()> {
    settle(sum.add(other), Combining::Addition, context)
}

/// Subtracts, and says what is to be said; `None` if they do not go together.
pub(crate) fn subtract(from: &mut FloatHistogram, other: &FloatHistogram, context: &mut Context<'_>) -> Option<()> {
    settle(from.subtract(other), Combining::Subtraction, context)
}

fn settle(added: Result<Added, IncompatibleSchemas>, combining: Combining, context: &mut Context<'_>) -> Option<()> {
    match added {
        Ok(added) => context.notes.combined(context.span, added, combining),
        Err(IncompatibleSchemas) => {
            context.notes.mixed_schemas(context.span, context.labels);
            return None;
        }
    }
    Some(())
}

fn reset_at(points: &[Point], at: usize, before: &FloatHistogram) -> bool {
    let (a, b) = (&points[at - 1], &points[at]);
    starts::reset_between((a.start, a.time), (b.start, b.time)) || b.histogram.is_reset_after(before)
}

/// `rate`, `increase` and `delta` of histograms. What is said before a failure may be superseded by it, so it is collected first.
fn rate(points: &[Point], params: &Params, context: &mut Context<'_>) -> Option<FloatHistogram> {
    let mut notes = Annotations::default();
    let result = extrapolated(points, params, &mut Context { notes: &mut notes, ..*context });
    context.notes.extend(notes);
    result
}

fn extrapolated(points: &[Point], params: &Params, context: &mut Context<'_>) -> Option<FloatHistogram> {
    let is_counter = context.kind != Kind::Delta;
    let first = &points[0];
    let mut result = if points.len() > 1 { Some(difference(points, is_counter, context)?) } else { None };
    let mut window = Extrapolation {
        first_ms: first.time,
        last_ms: points[points.len() - 1].time,
        gaps: points.len() - 1,
        known_start_ms: None,
    };
    window.known_start_ms = window.usable_start(Some(first.start).filter(|_| is_counter), params);
    if window.known_start_ms.is_some() {
        match &mut result {
            Some(result) => add(result, &first.histogram, context)?,
            None => result = Some(FloatHistogram::clone(&first.histogram)),
        }
    }
    let mut result = result?;
    let zero_at = (is_counter && result.count > 0.0 && first.histogram.count >= 0.0)
        .then(|| first.histogram.count / result.count);
    result.scale(window.factor(zero_at, context.kind == Kind::Rate, params));
    Some(result)
}

/// Last less first, plus what was lost to resets.
fn difference(points: &[Point], is_counter: bool, context: &mut Context<'_>) -> Option<FloatHistogram> {
    let last = &points[points.len() - 1].histogram;
    let mut before = Arc::clone(&points[0].histogram);
    let ends = [&before, last];
    if is_counter && ends.iter().any(|histogram| histogram.reset_hint == ResetHint::Gauge) {
        context.notes.not_a_counter(context.span, context.labels);
    }
    if is_counter && reset_at(points, 1, &before) {
        // What was before the reset need not fit what came after.
        let second = &points[1].histogram;
        before = Arc::new(FloatHistogram {
            schema: second.schema,
            custom_values: second.custom_values.clone(),
            ..FloatHistogram::default()
        });
    }
    let mut schema = last.schema.min(before.schema);
    if last.is_custom() != before.is_custom() {
        context.notes.mixed_schemas(context.span, context.labels);
        return None;
    }
    for point in points[1..points.len() - 1].iter().filter(|_| is_counter) {
        if point.histogram.reset_hint == ResetHint::Gauge {
            context.notes.not_a_counter(context.span, context.labels);
        }
        if point.histogram.is_custom() != before.is_custom() {
            *context.notes = Annotations::default();
            context.notes.mixed_schemas(context.span, context.labels);
            return None;
        }
        schema = schema.min(point.histogram.schema);
    }
    let mut result = last.at_schema(schema);
    subtract(&mut result, &before, context)?;
    if is_counter {
        add_resets(&mut result, before, points, context)?;
    } else if points[0].histogram.reset_hint != ResetHint::Gauge || last.reset_hint != ResetHint::Gauge {
        context.notes.not_a_gauge(context.span, context.labels);
    }
    result.reset_hint = ResetHint::Gauge;
    result.compact();
    Some(result)
}

fn add_resets(
    result: &mut FloatHistogram,
    first: Histogram,
    points: &[Point],
    context: &mut Context<'_>,
) -> Option<()> {
    let mut before = first;
    let mut overlap = false;
    for at in 1..points.len() {
        let earlier = &points[at - 1];
        if !overlap && starts::overlap_between((earlier.start, earlier.time), points[at].start) {
            context.notes.start_overlaps(context.span, context.labels);
            overlap = true;
        }
        if reset_at(points, at, &before) {
            add(result, &before, context)?;
        }
        before = Arc::clone(&points[at].histogram);
    }
    Some(())
}

/// Sum or mean of histograms that says what happened on the way.
pub(crate) struct Total {
    sum: HistogramSum,
    count: f64,
    /// The sum overflowed, so that it is a mean from there on.
    incremental: bool,
    is_mean: bool,
    saw_reset: bool,
    saw_no_reset: bool,
    reconciled: bool,
}

impl Total {
    pub(crate) fn new(first: &FloatHistogram, is_mean: bool) -> Self {
        let mut total = Self {
            sum: HistogramSum::new(first.clone()),
            count: 1.0,
            incremental: false,
            is_mean,
            saw_reset: false,
            saw_no_reset: false,
            reconciled: false,
        };
        total.see(first.reset_hint);
        total
    }

    fn see(&mut self, hint: ResetHint) {
        self.saw_reset |= hint == ResetHint::Reset;
        self.saw_no_reset |= hint == ResetHint::NotReset;
    }

    pub(crate) fn add(&mut self, other: &FloatHistogram) -> Result<(), IncompatibleSchemas> {
        self.count += 1.0;
        self.see(other.reset_hint);
        if !self.is_mean {
            self.reconciled |= self.sum.add(other)?.bounds_reconciled;
            return Ok(());
        }
        if !self.incremental {
            let mut next = self.sum.clone();
            self.reconciled |= next.add(other)?.bounds_reconciled;
            if !next.overflows() {
                self.sum = next;
                return Ok(());
            }
            self.incremental = true;
            self.sum.divide(self.count - 1.0);
        }
        self.sum.scale((self.count - 1.0) / self.count);
        let mut part = other.clone();
        part.divide(self.count);
        self.reconciled |= self.sum.add(&part)?.bounds_reconciled;
        Ok(())
    }

    pub(crate) fn hints_collided(&self) -> bool {
        self.saw_reset && self.saw_no_reset
    }

    pub(crate) fn bounds_reconciled(&self) -> bool {
        self.reconciled
    }

    pub(crate) fn finish(mut self) -> FloatHistogram {
        if self.is_mean && !self.incremental {
            self.sum.divide(self.count);
        }
        self.sum.finish()
    }
}

/// `sum_over_time` and `avg_over_time`.
fn total(points: &[Point], context: &mut Context<'_>) -> Option<FloatHistogram> {
    let mut total = Total::new(&points[0].histogram, context.kind == Kind::Avg);
    for point in &points[1..] {
        if total.add(&point.histogram).is_err() {
            context.notes.mixed_schemas(context.span, context.labels);
            return None;
        }
    }
    if total.hints_collided() {
        context.notes.hints_collide(context.span, Combining::Aggregation);
    }
    if total.bounds_reconciled() {
        context.notes.bounds_reconciled(context.span, Combining::Aggregation);
    }
    Some(total.finish())
}
