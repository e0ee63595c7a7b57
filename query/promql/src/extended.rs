//! `anchored` and `smoothed`: windows with a value exactly at each edge.

use std::sync::Arc;

use model::{FloatHistogram, ResetHint};

use crate::annotation::Annotations;
use crate::ast::Span;
use crate::error::EvalError;
use crate::extended_histograms;
use crate::mixed::{Context, Split, count_pairs, histogram_cell, merge};
use crate::ranges::Windows;
use crate::selector::Series;
use crate::tile::{Cell, Grid, Row};
use crate::windows::Kind;

/// The value of the line through two samples at a time; a counter that fell starts from zero.
fn interpolate(a: (i64, f64), b: (i64, f64), at_ms: i64, is_counter: bool) -> f64 {
    let start = if is_counter && b.1 < a.1 { 0.0 } else { a.1 };
    start + (b.1 - start) * (at_ms - a.0) as f64 / (b.0 - a.0) as f64
}

/// The first place below `end` that satisfies a condition which then holds for all later ones; else `end`.
fn first_place(end: usize, holds: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, end);
    while low < high {
        let middle = usize::midpoint(low, high);
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    low
}

/// The samples that an extended window works with, as places of the first and last one.
pub(crate) fn ends(
    times: impl Fn(usize) -> i64,
    count: usize,
    (start_ms, end_ms): (i64, i64),
    smoothed: bool,
) -> Option<(usize, usize)> {
    let end = count.checked_sub(1)?;
    let first = first_place(end, |at| times(at) > start_ms).saturating_sub(1);
    let last = if smoothed { first_place(end, |at| times(at) >= end_ms) } else { end };
    if times(last) <= start_ms || (smoothed && times(first) > end_ms) {
        return None;
    }
    Some((first, last))
}

/// The places of the first and last sample, and the values at the edges.
struct Edges {
    first: usize,
    last: usize,
    left: f64,
    right: f64,
}

fn edges(times: &[i64], values: &[f64], bounds: (i64, i64), smoothed: bool, is_counter: bool) -> Option<Edges> {
    let (start_ms, end_ms) = bounds;
    let (first, last) = ends(|at| times[at], times.len(), bounds, smoothed)?;
    let point = |at: usize| (times[at], values[at]);
    let left = if smoothed && times[first] < start_ms {
        interpolate(point(first), point(first + 1), start_ms, is_counter)
    } else {
        values[first]
    };
    let right = if smoothed && last > 0 && times[last] > end_ms {
        interpolate(point(last - 1), point(last), end_ms, is_counter)
    } else {
        values[last]
    };
    Some(Edges { first, last, left, right })
}

/// The samples strictly inside the window.
fn inside<'a>(times: &[i64], values: &'a [f64], edges: &Edges, (start_ms, end_ms): (i64, i64)) -> &'a [f64] {
    let from = edges.first + usize::from(times[edges.first] <= start_ms);
    let to = edges.last + 1 - usize::from(times[edges.last] >= end_ms);
    if from < to { &values[from..to] } else { &[] }
}

/// Slides extended windows over a series.
pub(crate) fn slide(series: &Series, windows: &Windows<'_>, grid: Grid, context: &mut Context<'_>, row: &mut Row) {
    let split = Split::new(series);
    let (before_ms, after_ms) = windows.margins();
    for step in 0..grid.steps {
        let bounds = windows.bounds(grid, step);
        let (from_ms, to_ms) = (bounds.0.saturating_sub(before_ms), bounds.1.saturating_add(after_ms));
        let range = split.float_range(from_ms, to_ms);
        let points = split.points(from_ms, to_ms);
        let cell = match context.kind {
            Kind::Changes | Kind::Resets => {
                // The newest sample up to the start is what the first one inside is compared with.
                let samples = merge(&split, range, points);
                let after = samples.partition_point(|sample| sample.time <= bounds.0);
                let anchor = after.saturating_sub(1);
                (after < samples.len()).then(|| Cell::Float(count_pairs(&samples[anchor..], context.kind) as f64))
            }
            _ if points.is_empty() => {
                let (times, values) = (&split.floats.times[range.clone()], &split.floats.values[range]);
                difference(context.kind, times, values, bounds, windows.smoothed).map(Cell::Float)
            }
            _ if range.is_empty() => {
                extended_histograms::difference(points, bounds, windows.smoothed, context).map(histogram_cell)
            }
            _ => {
                context.notes.mixed_samples(context.span, context.labels);
                None
            }
        };
        row.set(step, cell);
    }
}

/// `rate`, `increase` and `delta` of numbers.
fn difference(kind: Kind, times: &[i64], values: &[f64], bounds: (i64, i64), smoothed: bool) -> Option<f64> {
    let is_counter = kind != Kind::Delta;
    let edges = edges(times, values, bounds, smoothed, is_counter)?;
    let mut result = edges.right - edges.left;
    if is_counter {
        let inside = inside(times, values, &edges, bounds);
        let line: Vec<f64> = [edges.left].into_iter().chain(inside.iter().copied()).chain([edges.right]).collect();
        result += line.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[0]).sum::<f64>();
    }
    Some(if kind == Kind::Rate { result / ((bounds.1 - bounds.0) as f64 / 1000.0) } else { result })
}

/// The samples of one extended window, with one at each edge; for range vectors that are a result themselves.
pub(crate) fn window(series: &mut Series, bounds: (i64, i64), smoothed: bool) -> Result<(), EvalError> {
    if series.has_histograms() {
        let word = if smoothed { "smoothed" } else { "anchored" };
        return Err(EvalError::Execution(format!("{word} modifier is not supported with histograms")));
    }
    let (times, values) = (&series.times, &series.values);
    let (mut out_times, mut out_values) = (Vec::new(), Vec::new());
    if let Some(edges) = edges(times, values, bounds, smoothed, false) {
        let from = edges.first + usize::from(times[edges.first] <= bounds.0);
        let inner = inside(times, values, &edges, bounds);
        out_times.push(bounds.0);
        out_times.extend_from_slice(&times[from..from + inner.len()]);
        out_times.push(bounds.1);
        out_values.push(edges.left);
        out_values.extend_from_slice(inner);
        out_values.push(edges.right);
    }
    (series.times, series.values) = (out_times.into(), out_values.into());
    Ok(())
}

/// The smoothed current value at a time: on a sample its value, between two the line, after the last one its value.
pub(crate) fn smoothed_cell(
    series: &Series,
    now: i64,
    lookback_ms: i64,
    span: Span,
    notes: &mut Annotations,
) -> Option<Cell> {
    let from = series.times.partition_point(|time| *time <= now.saturating_sub(lookback_ms));
    let to = series.times.partition_point(|time| *time <= now.saturating_add(lookback_ms)).max(from);
    let histograms = (from..to).filter(|at| series.histogram(*at).is_some()).count();
    if histograms > 0 && histograms < to - from {
        notes.mixed_samples(span, &series.labels);
        return None;
    }
    let next = from + series.times[from..to].partition_point(|time| *time < now);
    let before = next.checked_sub(1).filter(|at| *at >= from);
    let after = Some(next).filter(|at| *at < to);
    if after.is_some_and(|at| series.times[at] == now) {
        return Some(match series.histogram(next) {
            Some(histogram) => Cell::Histogram(Arc::clone(histogram)),
            None => Cell::Float(series.values[next]),
        });
    }
    let before = before?;
    let Some(earlier) = series.histogram(before) else {
        let point = |at: usize| (series.times[at], series.values[at]);
        let value = after.map(|after| interpolate(point(before), point(after), now, false));
        return Some(Cell::Float(value.unwrap_or(series.values[before])));
    };
    let Some(later) = after.and_then(|after| series.histogram(after)) else {
        // The hint is about neighbours, and this is no longer one.
        let carried = FloatHistogram { reset_hint: ResetHint::Unknown, ..FloatHistogram::clone(earlier) };
        return Some(histogram_cell(carried));
    };
    let mut context = Context { kind: Kind::Last, labels: &series.labels, span, notes };
    if earlier.is_custom() != later.is_custom() {
        context.notes.mixed_schemas(span, &series.labels);
        return None;
    }
    let is_counter = earlier.reset_hint != ResetHint::Gauge || later.reset_hint != ResetHint::Gauge;
    let ends = ((series.times[before], earlier), (series.times[next], later));
    extended_histograms::interpolate(ends.0, ends.1, now, is_counter, &mut context).map(histogram_cell)
}
