//! `anchored` and `smoothed`: windows with a value exactly at each edge.

use crate::ranges::Windows;
use crate::selector::{Reference, Series};
use crate::tile::{ABSENT, Grid};
use crate::windows::Kind;

/// The value of the line through two samples at a time; a counter that fell starts from zero.
fn interpolate(a: (i64, f64), b: (i64, f64), at_ms: i64, is_counter: bool) -> f64 {
    let start = if is_counter && b.1 < a.1 { 0.0 } else { a.1 };
    start + (b.1 - start) * (at_ms - a.0) as f64 / (b.0 - a.0) as f64
}

/// The samples that an extended window works with: places of the first and last one, and the values at the edges.
struct Edges {
    first: usize,
    last: usize,
    left: f64,
    right: f64,
}

fn edges(times: &[i64], values: &[f64], start_ms: i64, end_ms: i64, smoothed: bool, is_counter: bool) -> Option<Edges> {
    let end = times.len().checked_sub(1)?;
    let first = times[..end].partition_point(|time| *time <= start_ms).saturating_sub(1);
    let last = if smoothed { times[..end].partition_point(|time| *time < end_ms) } else { end };
    if times[last] <= start_ms || (smoothed && times[first] > end_ms) {
        return None;
    }
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
fn inside<'a>(times: &[i64], values: &'a [f64], edges: &Edges, start_ms: i64, end_ms: i64) -> &'a [f64] {
    let from = edges.first + usize::from(times[edges.first] <= start_ms);
    let to = edges.last + 1 - usize::from(times[edges.last] >= end_ms);
    if from < to { &values[from..to] } else { &[] }
}

/// Slides extended windows over a series.
pub(crate) fn slide(kind: Kind, series: &Series, windows: &Windows, grid: Grid, out: &mut [f64]) {
    let (before_ms, after_ms) = windows.margins();
    for (step, out) in out.iter_mut().enumerate() {
        let (start_ms, end_ms) = windows.bounds(grid, step);
        let from = series.times.partition_point(|time| *time <= start_ms.saturating_sub(before_ms));
        let to = series.times.partition_point(|time| *time <= end_ms.saturating_add(after_ms));
        let (times, values) = (&series.times[from..to.max(from)], &series.values[from..to.max(from)]);
        *out = compute(kind, times, values, start_ms, end_ms, windows.smoothed).unwrap_or(ABSENT);
    }
}

fn compute(kind: Kind, times: &[i64], values: &[f64], start_ms: i64, end_ms: i64, smoothed: bool) -> Option<f64> {
    let is_counter = matches!(kind, Kind::Rate | Kind::Increase);
    let edges = edges(times, values, start_ms, end_ms, smoothed, is_counter)?;
    let inside = inside(times, values, &edges, start_ms, end_ms);
    let line: Vec<f64> = [edges.left].into_iter().chain(inside.iter().copied()).chain([edges.right]).collect();
    let pairs = || line.windows(2).map(|pair| (pair[0], pair[1]));
    Some(match kind {
        Kind::Changes => pairs().filter(|(a, b)| a != b && !(a.is_nan() && b.is_nan())).count() as f64,
        Kind::Resets => pairs().filter(|(a, b)| b < a).count() as f64,
        _ => {
            let mut result = edges.right - edges.left;
            if is_counter {
                result += pairs().filter(|(a, b)| b < a).map(|(a, _)| a).sum::<f64>();
            }
            if kind == Kind::Rate { result / ((end_ms - start_ms) as f64 / 1000.0) } else { result }
        }
    })
}

/// The samples of one extended window, with one at each edge; for range vectors that are a result themselves.
pub(crate) fn window(series: &Series, start_ms: i64, end_ms: i64, smoothed: bool) -> (Vec<i64>, Vec<f64>) {
    let (times, values) = (&series.times, &series.values);
    let Some(edges) = edges(times, values, start_ms, end_ms, smoothed, false) else { return Default::default() };
    let from = edges.first + usize::from(times[edges.first] <= start_ms);
    let inner = inside(times, values, &edges, start_ms, end_ms);
    let mut out_times = vec![start_ms];
    out_times.extend_from_slice(&times[from..from + inner.len()]);
    out_times.push(end_ms);
    let out_values = [edges.left].into_iter().chain(inner.iter().copied()).chain([edges.right]).collect();
    (out_times, out_values)
}

/// The smoothed current value at each step: on a sample its value, between two the line, after the last one its value.
pub(crate) fn smooth(series: &Series, grid: Grid, reference: Reference, lookback_ms: i64, out: &mut [f64]) {
    for (step, out) in out.iter_mut().enumerate() {
        let now = reference.time(grid, step);
        let from = series.times.partition_point(|time| *time <= now.saturating_sub(lookback_ms));
        let to = series.times.partition_point(|time| *time <= now.saturating_add(lookback_ms)).max(from);
        let (times, values) = (&series.times[from..to], &series.values[from..to]);
        let next = times.partition_point(|time| *time < now);
        *out = match (next.checked_sub(1), times.get(next)) {
            (_, Some(time)) if *time == now => values[next],
            (Some(at), Some(time)) => interpolate((times[at], values[at]), (*time, values[next]), now, false),
            (Some(at), None) => values[at],
            (None, _) => ABSENT,
        };
    }
}
