//! `anchored` and `smoothed` windows over histograms.

use model::{FloatHistogram, ResetHint};

use crate::extended::ends;
use crate::mixed::{Context, Point, add, subtract};
use crate::tile::Histogram;
use crate::windows::Kind;

/// The histogram between two samples at a time, bucket by bucket; a counter that was reset starts from zero.
pub(crate) fn interpolate(
    a: (i64, &Histogram),
    b: (i64, &Histogram),
    at_ms: i64,
    is_counter: bool,
    context: &mut Context<'_>,
) -> Option<FloatHistogram> {
    if at_ms == a.0 {
        return Some(FloatHistogram::clone(a.1));
    }
    let mut result = FloatHistogram::clone(b.1);
    if at_ms == b.0 {
        return Some(result);
    }
    let fraction = (at_ms - a.0) as f64 / (b.0 - a.0) as f64;
    if is_counter && b.1.is_reset_after(a.1) {
        result.scale(fraction);
        return Some(result);
    }
    subtract(&mut result, a.1, context)?;
    result.scale(fraction);
    add(&mut result, a.1, context)?;
    Some(result)
}

/// `rate`, `increase` and `delta`.
pub(crate) fn difference(
    points: &[Point],
    bounds: (i64, i64),
    smoothed: bool,
    context: &mut Context<'_>,
) -> Option<FloatHistogram> {
    let (start_ms, end_ms) = bounds;
    let (first, last) = ends(|at| points[at].time, points.len(), bounds, smoothed)?;
    let is_counter = context.kind != Kind::Delta;
    check(&points[first..=last], is_counter, context)?;
    let between = |a: usize, at_ms: i64, context: &mut Context<'_>| {
        let (a, b) = (&points[a], &points[a + 1]);
        interpolate((a.time, &a.histogram), (b.time, &b.histogram), at_ms, is_counter, context)
    };
    let left = if smoothed && points[first].time < start_ms {
        between(first, start_ms, context)?
    } else {
        FloatHistogram::clone(&points[first].histogram)
    };
    let right = if smoothed && last > 0 && points[last].time > end_ms {
        between(last - 1, end_ms, context)?
    } else {
        FloatHistogram::clone(&points[last].histogram)
    };
    if !is_counter && (left.reset_hint != ResetHint::Gauge || right.reset_hint != ResetHint::Gauge) {
        context.notes.not_a_gauge(context.span, context.labels);
    }
    let mut result = right.clone();
    subtract(&mut result, &left, context)?;
    if is_counter
        && let Some(lost) = lost_to_resets(points, (first, last), (&left, &right), start_ms, smoothed, context)?
    {
        add(&mut result, &lost, context)?;
    }
    if context.kind == Kind::Rate {
        result.divide((end_ms - start_ms) as f64 / 1000.0);
    }
    result.reset_hint = ResetHint::Gauge;
    result.compact();
    Some(result)
}

/// Whether all have one kind of buckets; gauges deserve a word.
fn check(points: &[Point], is_counter: bool, context: &mut Context<'_>) -> Option<()> {
    let custom = points[0].histogram.is_custom();
    for point in points {
        if point.histogram.is_custom() != custom {
            context.notes.mixed_schemas(context.span, context.labels);
            return None;
        }
        if is_counter && point.histogram.reset_hint == ResetHint::Gauge {
            context.notes.not_a_counter(context.span, context.labels);
        }
    }
    Some(())
}

/// What a counter had counted before it was reset within the window; the outer `None` is a failure.
///
/// The last sample is left out: `right` stands for it, and shares its hint.
#[expect(clippy::option_option, reason = "failing and having lost nothing are different things")]
fn lost_to_resets(
    points: &[Point],
    (first, last): (usize, usize),
    (left, right): (&FloatHistogram, &FloatHistogram),
    start_ms: i64,
    smoothed: bool,
    context: &mut Context<'_>,
) -> Option<Option<FloatHistogram>> {
    let mut before = left;
    let mut next = first + 1;
    if smoothed
        && points[first].time < start_ms
        && let Some(second) = points.get(first + 1)
        && second.histogram.is_reset_after(&points[first].histogram)
    {
        // The value at the left edge has counted this reset.
        before = &second.histogram;
        next += 1;
    }
    if next > last {
        return Some(None);
    }
    let mut lost: Option<FloatHistogram> = None;
    let inside = points[next..last].iter().map(|point| &*point.histogram);
    for now in inside.chain([right]) {
        if now.is_reset_after(before) {
            match &mut lost {
                None => lost = Some(before.clone()),
                Some(lost) => add(lost, before, context)?,
            }
        }
        before = now;
    }
    Some(lost)
}
