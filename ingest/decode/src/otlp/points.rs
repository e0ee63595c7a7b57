//! Data points of OTLP to samples: one function per kind of point.
//!
//! **Exponential histograms** become classic cumulative buckets at the exponential bounds, so that queries written for classic
//! histograms read them. To bound the number of series the scale is reduced to at most [`SCALE_MAX`] by merging neighbours, which is exact; its
//! bounds are a subset of every finer scale's, so a sender that changes its scale keeps its series. Bounds are written only from
//! the first bucket in use to the last, and `+Inf`. Quantiles come out within 4.4 % of the true value.

use model::{Attributes, Sample};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, SummaryDataPoint,
};

use super::any;
use super::metrics::{Context, Sink, exemplar, is_stale, or_stale};

/// Finest scale of an exponential histogram that is kept: 8 buckets for each doubling.
const SCALE_MAX: i32 = 3;

/// Coarsest scale that OTLP's specification considers: one bucket for all values above 1.
const SCALE_MIN: i32 = -11;

/// Most buckets of a histogram point. SDKs send 160; a million would be a million series.
const BUCKETS_MAX: usize = 1000;

/// A point of any kind.
pub(super) enum Point {
    Number(NumberDataPoint),
    Histogram(HistogramDataPoint),
    Exponential(ExponentialHistogramDataPoint),
    Summary(SummaryDataPoint),
}

/// Calls `take` with every point of a metric.
pub(super) fn each(data: Data, take: impl FnMut(Point)) {
    match data {
        Data::Gauge(gauge) => gauge.data_points.into_iter().map(Point::Number).for_each(take),
        Data::Sum(sum) => sum.data_points.into_iter().map(Point::Number).for_each(take),
        Data::Histogram(histogram) => histogram.data_points.into_iter().map(Point::Histogram).for_each(take),
        Data::ExponentialHistogram(histogram) => {
            histogram.data_points.into_iter().map(Point::Exponential).for_each(take);
        }
        Data::Summary(summary) => summary.data_points.into_iter().map(Point::Summary).for_each(take),
    }
}

impl Point {
    pub(super) fn time_unix_nano(&self) -> u64 {
        match self {
            Self::Number(point) => point.time_unix_nano,
            Self::Histogram(point) => point.time_unix_nano,
            Self::Exponential(point) => point.time_unix_nano,
            Self::Summary(point) => point.time_unix_nano,
        }
    }

    /// OTLP's JSON of the point.
    pub(super) fn to_json(&self) -> String {
        let json = match self {
            Self::Number(point) => serde_json::to_string(point),
            Self::Histogram(point) => serde_json::to_string(point),
            Self::Exponential(point) => serde_json::to_string(point),
            Self::Summary(point) => serde_json::to_string(point),
        };
        json.unwrap_or_else(|_| "null".to_owned())
    }

    /// Whether the point makes sense; if not, why.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Number(point) if point.value.is_none() && !is_stale(point.flags) => {
                Err("the data point has no value".to_owned())
            }
            Self::Number(_) | Self::Summary(_) => Ok(()),
            Self::Histogram(point) => check_histogram(point),
            Self::Exponential(point) => check_exponential(point),
        }
    }

    /// Adds the point's samples; it has been checked.
    pub(super) fn add(self, context: &Context<'_>, time_ms: i64, sink: &mut Sink) {
        match self {
            Self::Number(point) => number(point, context, time_ms, sink),
            Self::Histogram(point) => histogram(point, context, time_ms, sink),
            Self::Exponential(point) => exponential(point, context, time_ms, sink),
            Self::Summary(point) => summary(point, context, time_ms, sink),
        }
    }
}

fn check_histogram(point: &HistogramDataPoint) -> Result<(), String> {
    let (bounds, counts) = (point.explicit_bounds.len(), point.bucket_counts.len());
    if counts > BUCKETS_MAX {
        return Err(format!("the histogram has {counts} buckets, the limit is {BUCKETS_MAX}"));
    }
    if counts != 0 && counts != bounds + 1 {
        return Err(format!(
            "the histogram has {bounds} bounds and {counts} buckets: one bucket more than bounds is needed"
        ));
    }
    if !point.explicit_bounds.is_sorted_by(|a, b| a < b) || point.explicit_bounds.iter().any(|bound| bound.is_nan()) {
        return Err("the histogram's bounds do not increase".to_owned());
    }
    Ok(())
}

fn check_exponential(point: &ExponentialHistogramDataPoint) -> Result<(), String> {
    if !(SCALE_MIN..=20).contains(&point.scale) {
        return Err(format!("the exponential histogram's scale {} is outside {SCALE_MIN} to 20", point.scale));
    }
    let buckets =
        [&point.positive, &point.negative].into_iter().flatten().map(|side| side.bucket_counts.len()).sum::<usize>();
    if buckets > BUCKETS_MAX {
        return Err(format!("the exponential histogram has {buckets} buckets, the limit is {BUCKETS_MAX}"));
    }
    Ok(())
}

fn number(point: NumberDataPoint, context: &Context<'_>, time_ms: i64, sink: &mut Sink) {
    let value = match point.value {
        Some(Number::AsDouble(value)) => value,
        Some(Number::AsInt(value)) => value as f64,
        None => 0.0,
    };
    let attributes = any::attributes(point.attributes);
    let sample = Sample { time_ms, value: or_stale(point.flags, value) };
    let series = sink.sample(context, "", &attributes, None, sample);
    series.exemplars.extend(point.exemplars.into_iter().filter_map(|item| exemplar(item, time_ms)));
}

fn histogram(point: HistogramDataPoint, context: &Context<'_>, time_ms: i64, sink: &mut Sink) {
    let attributes = any::attributes(point.attributes);
    let mut buckets = Vec::with_capacity(point.explicit_bounds.len());
    let mut below = 0u64;
    for (bound, count) in point.explicit_bounds.iter().zip(&point.bucket_counts) {
        below = below.saturating_add(*count);
        buckets.push((*bound, below));
    }
    let totals = Totals { count: point.count, sum: point.sum, flags: point.flags };
    classic(&attributes, buckets, totals, point.exemplars, context, time_ms, sink);
}

fn exponential(point: ExponentialHistogramDataPoint, context: &Context<'_>, time_ms: i64, sink: &mut Sink) {
    let attributes = any::attributes(point.attributes);
    let scale = point.scale.min(SCALE_MAX);
    let merge = (point.scale - scale) as u32;
    let mut buckets = Vec::new();
    let mut below = 0u64;
    // From the lowest values up. A negative bucket of index i holds [-base^(i+1), -base^i): its upper bound is -base^i.
    for (index, count) in merged(point.negative, merge).into_iter().rev() {
        below = below.saturating_add(count);
        buckets.push((-bound(scale, index), below));
    }
    if point.zero_count > 0 || !buckets.is_empty() {
        below = below.saturating_add(point.zero_count);
        buckets.push((point.zero_threshold.max(0.0), below));
    }
    for (index, count) in merged(point.positive, merge) {
        below = below.saturating_add(count);
        buckets.push((bound(scale, index.saturating_add(1)), below));
    }
    // Bounds that a double can not tell apart, or that overflow it, are one bucket.
    buckets.retain(|(bound, _)| bound.is_finite());
    buckets.sort_by(|a, b| a.0.total_cmp(&b.0));
    buckets.reverse();
    buckets.dedup_by(|a, b| a.0 == b.0);
    buckets.reverse();
    let totals = Totals { count: point.count, sum: point.sum, flags: point.flags };
    classic(&attributes, buckets, totals, point.exemplars, context, time_ms, sink);
}

/// The buckets from the first in use to the last, by index, after `merge` halvings of the resolution.
fn merged(side: Option<Buckets>, merge: u32) -> Vec<(i32, u64)> {
    let Some(side) = side else { return Vec::new() };
    let mut out: Vec<(i32, u64)> = Vec::new();
    let first = side.bucket_counts.iter().position(|count| *count > 0);
    let last = side.bucket_counts.iter().rposition(|count| *count > 0);
    let (Some(first), Some(last)) = (first, last) else { return out };
    for (at, count) in side.bucket_counts.iter().enumerate().take(last + 1).skip(first) {
        let index = side.offset.saturating_add(at as i32) >> merge;
        match out.last_mut() {
            Some((known, sum)) if *known == index => *sum = sum.saturating_add(*count),
            _ => out.push((index, *count)),
        }
    }
    out
}

/// The lower bound of the bucket of an index: 2^(index / 2^scale).
fn bound(scale: i32, index: i32) -> f64 {
    (f64::from(index) * f64::from(-scale).exp2()).exp2()
}

fn summary(point: SummaryDataPoint, context: &Context<'_>, time_ms: i64, sink: &mut Sink) {
    let attributes = any::attributes(point.attributes);
    let sample = |value| Sample { time_ms, value: or_stale(point.flags, value) };
    sink.sample(context, "_sum", &attributes, None, sample(point.sum));
    sink.sample(context, "_count", &attributes, None, sample(point.count as f64));
    for quantile in &point.quantile_values {
        let label = ("quantile", number_text(quantile.quantile));
        sink.sample(context, "", &attributes, Some(label), sample(quantile.value));
    }
}

/// What a histogram knows besides its buckets.
struct Totals {
    count: u64,
    sum: Option<f64>,
    flags: u32,
}

/// Adds a classic histogram: cumulative `buckets` by upper bound, `+Inf`, `_sum` when known, `_count`. Exemplars go to the
/// bucket that counts them.
fn classic(
    attributes: &Attributes,
    buckets: Vec<(f64, u64)>,
    totals: Totals,
    exemplars: Vec<Exemplar>,
    context: &Context<'_>,
    time_ms: i64,
    sink: &mut Sink,
) {
    let sample = |value| Sample { time_ms, value: or_stale(totals.flags, value) };
    if let Some(sum) = totals.sum {
        sink.sample(context, "_sum", attributes, None, sample(sum));
    }
    sink.sample(context, "_count", attributes, None, sample(totals.count as f64));
    let mut exemplars: Vec<_> = exemplars.into_iter().filter_map(|item| exemplar(item, time_ms)).collect();
    let finite = buckets.into_iter().filter(|(bound, _)| bound.is_finite());
    for (bound, below) in finite.chain([(f64::INFINITY, totals.count)]) {
        let label = ("le", number_text(bound));
        let series = sink.sample(context, "_bucket", attributes, Some(label), sample(below as f64));
        let (counted, above) = exemplars.into_iter().partition(|exemplar| exemplar.value <= bound);
        series.exemplars.extend::<Vec<_>>(counted);
        exemplars = above;
    }
}

/// A bound or quantile as Prometheus's OTLP receiver writes it: the shortest decimal, never an exponent.
fn number_text(number: f64) -> String {
    if number.is_infinite() {
        if number > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        number.to_string()
    }
}
