//! Prometheus's protobuf format: messages `io.prometheus.client.MetricFamily`, each with its length before it.
//!
//! A family is walked in place and its metrics are decoded one by one, so that memory follows the largest metric and not the body.

use std::sync::Arc;

use model::histogram::{BucketSpan, Buckets, EXPONENTIAL_SCHEMA_MAX};
use model::{FloatHistogram, LabelsBuilder, METRIC_NAME, MetricKind, ResetHint};
use prost::Message as _;

use super::series::{open_metrics_float, push_part};
use super::{
    EXEMPLAR_LABEL_CHARS_MAX, ExpositionError, ExpositionOptions, Fact, METRIC_BYTES_MAX, Point, PointExemplar,
    PointValue, Series, Visitor,
};
use crate::remote_write::{HISTOGRAM_BUCKETS_MAX, check_count};
use crate::wire::{Content, Message, text};

pub(super) mod proto;

use proto::{Exemplar, Histogram, Metric, Span, Stamp, Summary};

/// Finest schema that is merged down to the finest that is kept.
const SCHEMA_REDUCED_MAX: i32 = 20;

pub(super) fn read(body: &[u8], options: ExpositionOptions, visitor: &mut impl Visitor) -> Result<(), ExpositionError> {
    let mut rest = body;
    let mut number = 0;
    while !rest.is_empty() {
        number += 1;
        let mut family = Family { number, name: "", kind: MetricKind::Unknown, options };
        let length = prost::decode_length_delimiter(rest).map_err(|error| family.error(error.to_string()))?;
        let from = prost::length_delimiter_len(length);
        let message = from
            .checked_add(length)
            .and_then(|end| rest.get(from..end))
            .ok_or_else(|| family.error(format!("the body ends within the message: {length} bytes are announced")))?;
        rest = &rest[from + length..];
        family.read(message, visitor)?;
    }
    Ok(())
}

struct Family<'a> {
    number: usize,
    name: &'a str,
    kind: MetricKind,
    options: ExpositionOptions,
}

impl<'a> Family<'a> {
    fn error(&self, what: impl Into<String>) -> ExpositionError {
        ExpositionError::Family { number: self.number, name: self.name.to_owned(), what: what.into() }
    }

    fn read(&mut self, message: &'a [u8], visitor: &mut impl Visitor) -> Result<(), ExpositionError> {
        let metrics = self.head(message, visitor)?;
        let mut key = Vec::new();
        for bytes in metrics {
            if bytes.len() > METRIC_BYTES_MAX {
                let what = format!("a metric of {} bytes, {METRIC_BYTES_MAX} are allowed", bytes.len());
                return Err(self.error(what));
            }
            let metric = Metric::decode(bytes).map_err(|error| self.error(error.to_string()))?;
            let mut writer = Writer { family: self, metric: &metric, key: &mut key, visitor };
            writer.write().map_err(|what| self.error(what))?;
        }
        Ok(())
    }

    /// Name, kind, help and unit, wherever they are in the message; hands them on and returns the metrics.
    fn head(&mut self, bytes: &'a [u8], visitor: &mut impl Visitor) -> Result<Vec<&'a [u8]>, ExpositionError> {
        let (mut help, mut unit, mut kind, mut metrics) = ("", "", 0, Vec::new());
        let mut message = Message::new(bytes);
        loop {
            let field = message.next().map_err(|_| self.error("the message is cut or no protobuf"))?;
            let Some(field) = field else { break };
            let words = |bytes: &'a [u8]| text(bytes).map_err(|_| "invalid UTF-8");
            let read = match field {
                (1, Content::Bytes(bytes)) => words(bytes).map(|text| self.name = text),
                (2, Content::Bytes(bytes)) => words(bytes).map(|text| help = text),
                (3, Content::Varint(number)) => {
                    kind = number;
                    Ok(())
                }
                (4, Content::Bytes(bytes)) => {
                    metrics.push(bytes);
                    Ok(())
                }
                (5, Content::Bytes(bytes)) => words(bytes).map(|text| unit = text),
                (1..=5, _) => Err("a field has the wrong type"),
                _ => Ok(()),
            };
            read.map_err(|what| self.error(what))?;
        }
        if metrics.is_empty() {
            return Ok(metrics);
        }
        if self.name.is_empty() {
            return Err(self.error("the metric has no name"));
        }
        self.kind = match kind {
            0 => MetricKind::Counter,
            1 => MetricKind::Gauge,
            2 => MetricKind::Summary,
            3 => MetricKind::Unknown,
            4 => MetricKind::Histogram,
            5 => MetricKind::GaugeHistogram,
            other => return Err(self.error(format!("unknown metric type {other}"))),
        };
        visitor.metadata(self.name, Fact::Kind(self.kind));
        if !help.is_empty() {
            visitor.metadata(self.name, Fact::Help(help));
        }
        if !unit.is_empty() {
            visitor.metadata(self.name, Fact::Unit(unit));
        }
        Ok(metrics)
    }
}

/// Writes the series of one metric.
struct Writer<'a, V> {
    family: &'a Family<'a>,
    metric: &'a Metric,
    key: &'a mut Vec<u8>,
    visitor: &'a mut V,
}

impl<V: Visitor> Writer<'_, V> {
    fn write(&mut self) -> Result<(), String> {
        let metric = self.metric;
        match self.family.kind {
            MetricKind::Counter => {
                let counter = metric.counter.as_ref();
                let start_ms = start(counter.and_then(|counter| counter.created_timestamp));
                let exemplars = counter.and_then(|counter| counter.exemplar.as_ref()).and_then(exemplar);
                let value = counter.map_or(0.0, |counter| counter.value);
                self.number("", None, value, start_ms, exemplars.into_iter().collect())
            }
            MetricKind::Gauge => {
                let value = metric.gauge.as_ref().map_or(0.0, |gauge| gauge.value);
                self.number("", None, value, 0, Vec::new())
            }
            MetricKind::Summary => match &metric.summary {
                Some(summary) => self.summary(summary),
                None => Ok(()),
            },
            MetricKind::Histogram | MetricKind::GaugeHistogram => match &metric.histogram {
                Some(histogram) => self.histogram(histogram),
                None => Ok(()),
            },
            _ => {
                let value = metric.untyped.as_ref().map_or(0.0, |untyped| untyped.value);
                self.number("", None, value, 0, Vec::new())
            }
        }
    }

    fn number(
        &mut self,
        suffix: &str,
        bound: Option<(&str, &str)>,
        value: f64,
        start_ms: i64,
        exemplars: Vec<PointExemplar>,
    ) -> Result<(), String> {
        // Whatever NaN it is: others mean something else, such as staleness.
        let value = if value.is_nan() { f64::from_bits(super::lex::NORMAL_NAN_BITS) } else { value };
        self.point(suffix, bound, PointValue::Number(value), start_ms, exemplars)
    }

    fn point(
        &mut self,
        suffix: &str,
        bound: Option<(&str, &str)>,
        value: PointValue,
        start_ms: i64,
        exemplars: Vec<PointExemplar>,
    ) -> Result<(), String> {
        self.key.clear();
        push_part(self.key, METRIC_NAME, self.family.name);
        self.key.extend_from_slice(suffix.as_bytes());
        for label in &self.metric.label {
            push_part(self.key, &label.name, &label.value);
        }
        if let Some((name, value)) = bound {
            push_part(self.key, name, value);
        }
        let series = Series::of_parts(self.key, self.family.kind);
        // Protobuf has no telling of zero from nothing here.
        let time_ms = Some(self.metric.timestamp_ms).filter(|time_ms| *time_ms != 0);
        self.visitor.point(Point { series, time_ms, start_ms, value, exemplars })
    }

    fn summary(&mut self, summary: &Summary) -> Result<(), String> {
        let start_ms = start(summary.created_timestamp);
        self.number("_count", None, summary.sample_count as f64, start_ms, Vec::new())?;
        self.number("_sum", None, summary.sample_sum, start_ms, Vec::new())?;
        for quantile in &summary.quantile {
            let bound = open_metrics_float(quantile.quantile);
            self.number("", Some(("quantile", &bound)), quantile.value, start_ms, Vec::new())?;
        }
        Ok(())
    }

    fn histogram(&mut self, histogram: &Histogram) -> Result<(), String> {
        let native = self.family.options.native_histograms && is_native(histogram);
        if native {
            let value = native_histogram(histogram, self.family.kind == MetricKind::GaugeHistogram)?;
            let own = histogram.exemplars.iter();
            let in_buckets = histogram.bucket.iter().filter_map(|bucket| bucket.exemplar.as_ref());
            let exemplars: Vec<&Exemplar> =
                if histogram.exemplars.is_empty() { in_buckets.collect() } else { own.collect() };
            let timed = exemplars.into_iter().filter(|exemplar| exemplar.timestamp.is_some());
            let exemplars = timed.filter_map(exemplar).collect();
            let start_ms = start(histogram.created_timestamp);
            self.point("", None, PointValue::Histogram(Arc::new(value)), start_ms, exemplars)?;
        }
        if !native || (self.family.options.classic_too && !histogram.bucket.is_empty()) {
            self.classic(histogram)?;
        }
        Ok(())
    }

    fn classic(&mut self, histogram: &Histogram) -> Result<(), String> {
        let start_ms = start(histogram.created_timestamp);
        let either = |float: f64, whole: u64| if float == 0.0 { whole as f64 } else { float };
        let count = either(histogram.sample_count_float, histogram.sample_count);
        self.number("_count", None, count, start_ms, Vec::new())?;
        self.number("_sum", None, histogram.sample_sum, start_ms, Vec::new())?;
        let mut last = f64::NEG_INFINITY;
        for bucket in &histogram.bucket {
            let bound = open_metrics_float(bucket.upper_bound);
            let count = either(bucket.cumulative_count_float, bucket.cumulative_count);
            let exemplars = bucket.exemplar.as_ref().and_then(exemplar).into_iter().collect();
            self.number("_bucket", Some(("le", &bound)), count, start_ms, exemplars)?;
            last = bucket.upper_bound;
        }
        if last != f64::INFINITY {
            self.number("_bucket", Some(("le", "+Inf")), count, start_ms, Vec::new())?;
        }
        Ok(())
    }
}

fn start(stamp: Option<Stamp>) -> i64 {
    stamp.map_or(0, millis)
}

fn millis(stamp: Stamp) -> i64 {
    stamp.seconds.saturating_mul(1000).saturating_add(i64::from(stamp.nanos) / 1_000_000)
}

fn exemplar(exemplar: &Exemplar) -> Option<PointExemplar> {
    let mut builder = LabelsBuilder::default();
    let mut chars = 0;
    for label in &exemplar.label {
        chars += label.name.chars().count() + label.value.chars().count();
        builder.set(&*label.name, &*label.value);
    }
    let labels = (chars <= EXEMPLAR_LABEL_CHARS_MAX).then(|| builder.build())?;
    Some(PointExemplar { labels, value: exemplar.value, time_ms: exemplar.timestamp.map(millis) })
}

fn is_native(histogram: &Histogram) -> bool {
    !histogram.positive_span.is_empty()
        || !histogram.negative_span.is_empty()
        || histogram.zero_threshold > 0.0
        || histogram.zero_count > 0
        || histogram.zero_count_float > 0.0
}

fn native_histogram(histogram: &Histogram, gauge: bool) -> Result<FloatHistogram, String> {
    let buckets = histogram.positive_delta.len().max(histogram.positive_count.len())
        + histogram.negative_delta.len().max(histogram.negative_count.len());
    if buckets > HISTOGRAM_BUCKETS_MAX {
        return Err(format!("the histogram has {buckets} buckets, {HISTOGRAM_BUCKETS_MAX} are allowed"));
    }
    let float = histogram.sample_count_float > 0.0
        || histogram.zero_count_float > 0.0
        || !histogram.positive_count.is_empty()
        || !histogram.negative_count.is_empty();
    let mut found = histogram.zero_count;
    let mut side = |spans: &[Span], deltas: &[i64], counts: &[f64]| -> Result<Buckets, String> {
        let spans = spans.iter().map(|span| BucketSpan { offset: span.offset, length: span.length }).collect();
        if float {
            return Ok(Buckets { spans, counts: counts.to_vec() });
        }
        let mut count = 0i64;
        let mut counts = Vec::with_capacity(deltas.len());
        for delta in deltas {
            count = count.checked_add(*delta).filter(|count| *count >= 0).ok_or_else(|| {
                "the histogram has a bucket whose observation count is negative or beyond 64 bits".to_owned()
            })?;
            found = found.saturating_add(count.unsigned_abs());
            counts.push(count as f64);
        }
        Ok(Buckets { spans, counts })
    };
    let positive = side(&histogram.positive_span, &histogram.positive_delta, &histogram.positive_count)?;
    let negative = side(&histogram.negative_span, &histogram.negative_delta, &histogram.negative_count)?;
    if !float {
        check_count(found, histogram.sample_count, histogram.sample_sum)?;
    }
    let whole = |float_count: f64, count: u64| if float { float_count } else { count as f64 };
    let reset_hint = if gauge { ResetHint::Gauge } else { ResetHint::Unknown };
    let mut native = FloatHistogram {
        reset_hint,
        schema: histogram.schema,
        zero_threshold: histogram.zero_threshold,
        zero_count: whole(histogram.zero_count_float, histogram.zero_count),
        count: whole(histogram.sample_count_float, histogram.sample_count),
        sum: histogram.sample_sum,
        positive,
        negative,
        custom_values: Arc::default(),
    };
    if (EXPONENTIAL_SCHEMA_MAX + 1..=SCHEMA_REDUCED_MAX).contains(&native.schema) {
        native = FloatHistogram { reset_hint, ..native.at_schema(EXPONENTIAL_SCHEMA_MAX) };
    }
    // First the check: what does not fit can not be made compact.
    native.validate().map_err(|error| error.to_string())?;
    native.compact();
    Ok(native)
}
