//! Data points of OTLP to samples: one function per kind of point.
//!
//! **Exponential histograms** become native histograms, as in Prometheus's OTLP receiver: one series, one sample a point. The scale
//! is the schema; a finer one than native histograms have is reduced by merging neighbours, which is exact, and a coarser one can not
//! be kept. OTLP's bucket `i` is `(base^i, base^(i+1)]`, Prometheus's `(base^(i-1), base^i]`, so indexes move by one. A threshold of the zero
//! bucket that is not sent is [`ZERO_THRESHOLD`]. A native histogram has no minimum and no maximum: those are dropped.

use std::sync::Arc;

use model::histogram::{Buckets, CUSTOM_SCHEMA, EXPONENTIAL_SCHEMA_MAX, EXPONENTIAL_SCHEMA_MIN};
use model::{Attributes, FloatHistogram, HistogramSample, ResetHint, stale_nan};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets as Dense;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use opentelemetry_proto::tonic::metrics::v1::{
    Exemplar, ExponentialHistogramDataPoint, HistogramDataPoint, NumberDataPoint, SummaryDataPoint,
};

use super::any;
use super::deltas::Amount;
use super::metrics::{Context, Sink, When, exemplar, is_stale, or_stale};
use crate::remote_write::{HISTOGRAM_BUCKETS_MAX, check_count};

/// Finest scale of an exponential histogram that is taken; SDKs begin with it.
const SCALE_MAX: i32 = 20;

/// Half the width of the zero bucket where the sender says nothing: Prometheus's OTLP receiver and its client libraries have it.
const ZERO_THRESHOLD: f64 = 1e-128;

/// Most buckets of a histogram with explicit bounds: each is a series. SDKs send 16.
const BUCKETS_MAX: usize = 1000;

/// A point of any kind.
pub(super) enum Point {
    Number(NumberDataPoint),
    Histogram(HistogramDataPoint),
    Exponential(ExponentialHistogramDataPoint),
    /// An exponential one whose deltas have been added up.
    Total(ExponentialHistogramDataPoint, FloatHistogram),
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
            Self::Exponential(point) | Self::Total(point, _) => point.time_unix_nano,
            Self::Summary(point) => point.time_unix_nano,
        }
    }

    pub(super) fn start_time_unix_nano(&self) -> u64 {
        match self {
            Self::Number(point) => point.start_time_unix_nano,
            Self::Histogram(point) => point.start_time_unix_nano,
            Self::Exponential(point) | Self::Total(point, _) => point.start_time_unix_nano,
            Self::Summary(point) => point.start_time_unix_nano,
        }
    }

    pub(super) fn attributes(&self) -> Attributes {
        let attributes = match self {
            Self::Number(point) => &point.attributes,
            Self::Histogram(point) => &point.attributes,
            Self::Exponential(point) | Self::Total(point, _) => &point.attributes,
            Self::Summary(point) => &point.attributes,
        };
        any::attributes(attributes.clone())
    }

    /// What the point adds to the total of its series; nothing when it says that it has no value.
    pub(super) fn amount(&self) -> Option<Amount> {
        match self {
            Self::Number(point) => (!is_stale(point.flags)).then(|| Amount::Number(number_value(point))),
            Self::Histogram(point) => (!is_stale(point.flags)).then(|| Amount::Explicit {
                bounds: point.explicit_bounds.clone(),
                counts: point.bucket_counts.clone(),
                count: point.count,
                sum: point.sum,
            }),
            Self::Exponential(point) => {
                (!is_stale(point.flags)).then(|| Amount::Native(native(point, ResetHint::Unknown)))
            }
            Self::Total(_, histogram) => Some(Amount::Native(histogram.clone())),
            Self::Summary(_) => None,
        }
    }

    /// Makes it the total of its series.
    pub(super) fn set_amount(&mut self, amount: Amount) {
        match (&mut *self, amount) {
            (Self::Number(point), Amount::Number(value)) => point.value = Some(Number::AsDouble(value)),
            (Self::Histogram(point), Amount::Explicit { bounds, counts, count, sum }) => {
                (point.explicit_bounds, point.bucket_counts) = (bounds, counts);
                (point.count, point.sum) = (count, sum);
            }
            (Self::Exponential(point), Amount::Native(histogram)) => {
                *self = Self::Total(std::mem::take(point), histogram);
            }
            _ => {}
        }
    }

    /// OTLP's JSON of the point.
    pub(super) fn to_json(&self) -> String {
        let json = match self {
            Self::Number(point) => serde_json::to_string(point),
            Self::Histogram(point) => serde_json::to_string(point),
            Self::Exponential(point) | Self::Total(point, _) => serde_json::to_string(point),
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
            Self::Number(_) | Self::Summary(_) | Self::Total(..) => Ok(()),
            Self::Histogram(point) => check_histogram(point),
            Self::Exponential(point) => check_exponential(point),
        }
    }

    /// Adds the point's samples; it has been checked.
    pub(super) fn add(self, context: &Context<'_>, when: When, sink: &mut Sink<'_>) {
        match self {
            Self::Number(point) => number(point, context, when, sink),
            Self::Histogram(point) if sink.around.options.convert_histograms_to_nhcb => {
                let histogram = custom(&point, hint(context));
                add_native(histogram, point.attributes, point.exemplars, context, when, sink);
            }
            Self::Histogram(point) => histogram(point, context, when, sink),
            Self::Exponential(point) => {
                let histogram = native(&point, hint(context));
                add_native(histogram, point.attributes, point.exemplars, context, when, sink);
            }
            Self::Total(point, histogram) => {
                add_native(histogram, point.attributes, point.exemplars, context, when, sink);
            }
            Self::Summary(point) => summary(point, context, when, sink),
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
    if point.scale > SCALE_MAX {
        return Err(format!("the exponential histogram's scale {} is above {SCALE_MAX}", point.scale));
    }
    if point.scale < EXPONENTIAL_SCHEMA_MIN {
        return Err(format!(
            "the exponential histogram's scale {} is below {EXPONENTIAL_SCHEMA_MIN}, the coarsest that native histograms have",
            point.scale
        ));
    }
    let sides = || [&point.positive, &point.negative].into_iter().flatten();
    let buckets: usize = sides().map(|side| side.bucket_counts.len()).sum();
    if buckets > HISTOGRAM_BUCKETS_MAX {
        return Err(format!("the exponential histogram has {buckets} buckets, the limit is {HISTOGRAM_BUCKETS_MAX}"));
    }
    // An index that the wider, Prometheus's counting has no room for.
    if let Some(side) = sides().find(|side| i32::try_from(end_of(side)).is_err()) {
        return Err(format!("the exponential histogram's offset {} is too large", side.offset));
    }
    if !point.zero_threshold.is_finite() || point.zero_threshold < 0.0 {
        return Err(format!("the exponential histogram's zero threshold {} is no width", point.zero_threshold));
    }
    if is_stale(point.flags) {
        return Ok(());
    }
    let found =
        sides().flat_map(|side| &side.bucket_counts).fold(point.zero_count, |sum, count| sum.saturating_add(*count));
    check_count(found, point.count, point.sum.unwrap_or_default())
}

/// The first index behind the buckets of a side, as Prometheus counts.
fn end_of(side: &Dense) -> i64 {
    i64::from(side.offset) + side.bucket_counts.len() as i64 + 1
}

fn number_value(point: &NumberDataPoint) -> f64 {
    match point.value {
        Some(Number::AsDouble(value)) => value,
        Some(Number::AsInt(value)) => value as f64,
        None => 0.0,
    }
}

fn number(point: NumberDataPoint, context: &Context<'_>, when: When, sink: &mut Sink<'_>) {
    let value = or_stale(point.flags, number_value(&point));
    let attributes = any::attributes(point.attributes);
    let series = sink.sample(context, "", &attributes, None, (when, value));
    series.exemplars.extend(point.exemplars.into_iter().filter_map(|item| exemplar(item, when.time_ms)));
}

fn histogram(point: HistogramDataPoint, context: &Context<'_>, when: When, sink: &mut Sink<'_>) {
    let attributes = any::attributes(point.attributes);
    let mut buckets = Vec::with_capacity(point.explicit_bounds.len());
    let mut below = 0u64;
    for (bound, count) in point.explicit_bounds.iter().zip(&point.bucket_counts) {
        below = below.saturating_add(*count);
        buckets.push((*bound, below));
    }
    let totals = Totals { count: point.count, sum: point.sum, flags: point.flags };
    classic(&attributes, buckets, totals, point.exemplars, context, when, sink);
}

/// A delta is no counter that could be reset. What a counter's start says is kept beside it.
fn hint(context: &Context<'_>) -> ResetHint {
    if context.is_raw_delta() { ResetHint::Gauge } else { ResetHint::Unknown }
}

/// A histogram with explicit bounds as a native one. An infinite bound is where the last bucket ends anyway.
fn custom(point: &HistogramDataPoint, reset_hint: ResetHint) -> FloatHistogram {
    let custom_values: Vec<f64> = point.explicit_bounds.iter().copied().filter(|bound| bound.is_finite()).collect();
    let last = custom_values.len();
    let shape = FloatHistogram {
        reset_hint,
        schema: CUSTOM_SCHEMA,
        custom_values: custom_values.into(),
        ..FloatHistogram::default()
    };
    if is_stale(point.flags) {
        return FloatHistogram { sum: stale_nan(), ..shape };
    }
    let mut pairs: Vec<(i32, f64)> = Vec::new();
    // Buckets of infinite bounds are merged with their neighbours: there is nothing between them.
    let skipped = usize::from(point.explicit_bounds.first().is_some_and(|bound| *bound == f64::NEG_INFINITY));
    for (at, count) in point.bucket_counts.iter().enumerate().filter(|(_, count)| **count > 0) {
        let index = at.saturating_sub(skipped).min(last) as i32;
        match pairs.last_mut() {
            Some((known, sum)) if *known == index => *sum += *count as f64,
            _ => pairs.push((index, *count as f64)),
        }
    }
    if point.bucket_counts.is_empty() && point.count > 0 {
        pairs.push((last as i32, point.count as f64));
    }
    FloatHistogram {
        count: point.count as f64,
        sum: point.sum.unwrap_or_default(),
        positive: Buckets::from_pairs(pairs),
        ..shape
    }
}

fn native(point: &ExponentialHistogramDataPoint, reset_hint: ResetHint) -> FloatHistogram {
    let schema = point.scale.min(EXPONENTIAL_SCHEMA_MAX);
    let zero_threshold = if point.zero_threshold > 0.0 { point.zero_threshold } else { ZERO_THRESHOLD };
    let shape = FloatHistogram { reset_hint, schema, zero_threshold, ..FloatHistogram::default() };
    if is_stale(point.flags) {
        return FloatHistogram { sum: stale_nan(), ..shape };
    }
    let merge = point.scale - schema;
    FloatHistogram {
        zero_count: point.zero_count as f64,
        count: point.count as f64,
        sum: point.sum.unwrap_or_default(),
        positive: sparse(point.positive.as_ref(), merge),
        negative: sparse(point.negative.as_ref(), merge),
        ..shape
    }
}

fn add_native(
    histogram: FloatHistogram,
    attributes: Vec<KeyValue>,
    exemplars: Vec<Exemplar>,
    context: &Context<'_>,
    when: When,
    sink: &mut Sink<'_>,
) {
    let empty = FloatHistogram {
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        custom_values: Arc::clone(&histogram.custom_values),
        ..FloatHistogram::default()
    };
    let sample =
        |time_ms, histogram| HistogramSample { time_ms, start_ms: when.start_ms, histogram: Arc::new(histogram) };
    let zero = when.zero_ms.map(|time_ms| sample(time_ms, empty));
    let series = sink.histogram(context, any::attributes(attributes), sample(when.time_ms, histogram), zero);
    series.exemplars.extend(exemplars.into_iter().filter_map(|item| exemplar(item, when.time_ms)));
}

/// The buckets in use, by Prometheus's index, after `merge` halvings of the resolution.
fn sparse(side: Option<&Dense>, merge: i32) -> Buckets {
    let Some(side) = side else { return Buckets::default() };
    let mut pairs: Vec<(i32, f64)> = Vec::new();
    for (index, count) in (i64::from(side.offset)..).zip(&side.bucket_counts).filter(|(_, count)| **count > 0) {
        // It fits: the point has been checked.
        let index = ((index >> merge) + 1) as i32;
        match pairs.last_mut() {
            Some((known, sum)) if *known == index => *sum += *count as f64,
            _ => pairs.push((index, *count as f64)),
        }
    }
    Buckets::from_pairs(pairs)
}

fn summary(point: SummaryDataPoint, context: &Context<'_>, when: When, sink: &mut Sink<'_>) {
    let attributes = any::attributes(point.attributes);
    let sample = |value| (when, or_stale(point.flags, value));
    sink.sample(context, "_sum", &attributes, None, sample(point.sum));
    sink.sample(context, "_count", &attributes, None, sample(point.count as f64));
    for quantile in &point.quantile_values {
        let label = ("quantile", number_text(quantile.quantile));
        // A quantile counts nothing.
        let (when, value) = sample(quantile.value);
        sink.sample(context, "", &attributes, Some(label), (When { start_ms: 0, ..when }, value));
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
    when: When,
    sink: &mut Sink<'_>,
) {
    let sample = |value| (when, or_stale(totals.flags, value));
    if let Some(sum) = totals.sum {
        sink.sample(context, "_sum", attributes, None, sample(sum));
    }
    sink.sample(context, "_count", attributes, None, sample(totals.count as f64));
    let mut exemplars: Vec<_> = exemplars.into_iter().filter_map(|item| exemplar(item, when.time_ms)).collect();
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
