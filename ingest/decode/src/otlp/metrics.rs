//! Metrics of OTLP to Prometheus's series, by OpenTelemetry's published rules as Prometheus's own OTLP receiver applies them.
//!
//! - Names: see [`super::naming`]. Labels: the point's attributes, then what [`MetricsOptions::promote`] takes of the resource under
//!   names not taken, the scope where [`MetricsOptions::promote_scope_metadata`] says so, `job` (`service.namespace/service.name`) and
//!   `instance` (`service.instance.id`).
//! - The other resource attributes are labels of `target_info`, which is 1 from the target's first to its last point.
//! - Sums and histograms of **delta** temporality are added up to counters (see [`super::deltas`]), or stored as they are
//!   ([`DeltaMode::Raw`]), as Prometheus does under its feature flag `otlp-native-delta-ingestion` (without one it drops them): the name
//!   keeps its suffix, the metadata says `unknown`, since `rate` would be wrong; query them with `sum_over_time`. An **unspecified**
//!   temporality, which the protocol forbids, is rejected.
//! - Explicit histograms become `_bucket`, `_sum` and `_count`, or native ones with custom buckets; summaries `quantile`, `_sum` and
//!   `_count`.
//! - Exponential histograms become native histograms; see `points`.
//! - Start times are kept beside what counts: sums that only go up, histograms, summaries.
//! - The flag "no recorded value" becomes the staleness marker.
//! - Two samples of one series and one time that differ (metrics or scopes whose names fall together) are a collision: the first is
//!   kept, the other rejected.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use model::{
    Attributes, Exemplar, HistogramSample, Labels, LabelsBuilder, METRIC_NAME, MetricKind, MetricMetadata, Sample,
    SeriesSamples, TenantId, Timestamp, Value, stale_nan,
};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};

use super::collision;
use super::deltas::{Amount, Deltas, Total};
use super::target::{IDENTIFYING, Seen, Target, union};
use super::{DeltaMode, Group, Groups, MetricsOptions, SuffixKind, points, reject, unit_name};
use crate::{Decoded, Reject};

/// The flag of a point that carries no value (`DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`).
const NO_RECORDED_VALUE: u32 = 1;

/// OTLP's `AGGREGATION_TEMPORALITY_DELTA` and `_CUMULATIVE`.
const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

/// The labels that say type and unit of a series, where settings want them.
const TYPE_LABEL: &str = "__type__";
const UNIT_LABEL: &str = "__unit__";

/// What a request is decoded with besides its bytes.
#[derive(Clone, Copy)]
pub(super) struct Surroundings<'a> {
    pub(super) options: &'a MetricsOptions,
    pub(super) deltas: &'a Mutex<Deltas>,
    pub(super) tenant: &'a TenantId,
    pub(super) received: Timestamp,
}

pub(super) fn decode(groups: Groups<Metric>, around: Surroundings<'_>) -> Decoded {
    let mut sink = Sink::new(around, groups.rejects);
    let mut resources: Vec<Seen> = Vec::new();
    for Group { resource, items, scope } in groups.groups {
        let target = Target::new(&resource, &scope, around.options);
        let mut span_ms = None;
        for metric in items {
            span_ms = union(span_ms, sink.metric(&target, metric));
        }
        match resources.last_mut() {
            Some(known) if Rc::ptr_eq(&known.resource, &resource) => known.span_ms = union(known.span_ms, span_ms),
            _ => resources.push(Seen { resource, span_ms }),
        }
    }
    resources.iter().for_each(|seen| sink.target_info(seen));
    sink.into_decoded()
}

/// One metric on its way to samples.
pub(super) struct Context<'a> {
    pub(super) target: &'a Target<'a>,
    /// The name without `_bucket`, `_sum`, `_count`.
    pub(super) name: String,
    kind: MetricKind,
    /// In Prometheus's words.
    unit: String,
    /// Whether points say what came since the one before.
    delta: bool,
    /// Whether a start time says something about the values.
    counts: bool,
}

impl Context<'_> {
    /// The labels of a point.
    fn labels(&self, attributes: Attributes, suffix: &str, sink: &Sink<'_>) -> LabelsBuilder {
        let mut labels = self.target.labels(attributes);
        if sink.around.options.type_and_unit_labels {
            let kind = if self.kind == MetricKind::Unknown { "" } else { self.kind.as_str() };
            labels.set(TYPE_LABEL, kind);
            labels.set(UNIT_LABEL, self.unit.as_str());
        }
        labels.set(METRIC_NAME, format!("{}{suffix}", self.name));
        labels
    }

    /// Whether points are stored as the deltas that they are.
    pub(super) fn is_raw_delta(&self) -> bool {
        self.delta && self.kind == MetricKind::Unknown
    }
}

/// When a sample is from, and where a zero belongs before it.
#[derive(Clone, Copy)]
pub(super) struct When {
    pub(super) time_ms: i64,
    pub(super) start_ms: i64,
    pub(super) zero_ms: Option<i64>,
}

/// Collects samples by series.
pub(super) struct Sink<'a> {
    pub(super) around: Surroundings<'a>,
    series: Vec<SeriesSamples>,
    by_labels: HashMap<Labels, usize>,
    metadata: Vec<MetricMetadata>,
    rejects: Vec<Reject>,
}

impl<'a> Sink<'a> {
    fn new(around: Surroundings<'a>, rejects: Vec<Reject>) -> Self {
        Self { around, series: Vec::new(), by_labels: HashMap::new(), metadata: Vec::new(), rejects }
    }

    /// Adds a metric; returns the times of its first and its last sample.
    fn metric(&mut self, target: &Target<'_>, metric: Metric) -> Option<(i64, i64)> {
        let context = match self.context(target, &metric) {
            Ok(context) => context,
            Err(reason) => {
                self.rejects.push(reject(reason, &metric).of_items(point_count(&metric)));
                return None;
            }
        };
        let (mut span_ms, mut any) = (None, false);
        let sent_name = metric.name;
        points::each(metric.data?, |point| match self.point(&context, point) {
            Ok(time_ms) => {
                any = true;
                span_ms = union(span_ms, Some((time_ms, time_ms)));
            }
            Err((reason, point)) => {
                let raw = format!("{{\"name\":{},\"point\":{point}}}", Value::from(sent_name.as_str()).to_json());
                self.rejects.push(Reject::new(reason, raw.as_bytes()));
            }
        });
        if any {
            self.add_metadata(context.name, context.kind, metric.description, context.unit);
        }
        span_ms
    }

    /// What a metric is, or why it can not be kept.
    fn context<'t>(&self, target: &'t Target<'t>, metric: &Metric) -> Result<Context<'t>, String> {
        let family = family(metric)?;
        let options = self.around.options;
        let raw = family.delta && options.delta == DeltaMode::Raw;
        let Some(name) = options.translation.metric(&metric.name, &metric.unit, family.suffix) else {
            return Err(format!("nothing of the metric's name {:?} can be kept", metric.name));
        };
        Ok(Context {
            target,
            name,
            kind: if raw { MetricKind::Unknown } else { family.kind },
            unit: unit_name(&metric.unit),
            delta: family.delta,
            counts: family.kind != MetricKind::Gauge && !raw,
        })
    }

    /// Adds a point, or says why not and gives its JSON. A point that is rejected leaves nothing behind.
    fn point(&mut self, context: &Context<'_>, mut point: points::Point) -> Result<i64, (String, String)> {
        let time_ms = match super::any::time(point.time_unix_nano()) {
            Ok(time) => time.unwrap_or(self.around.received).millis(),
            Err(reason) => return Err((reason, point.to_json())),
        };
        if let Err(reason) = point.check() {
            return Err((reason, point.to_json()));
        }
        let sent_start_ms =
            super::any::time(point.start_time_unix_nano()).ok().flatten().map_or(0, |start| start.millis());
        let start_ms = if context.counts { sent_start_ms } else { 0 };
        let mut when = When { time_ms, start_ms, zero_ms: None };
        if context.delta && !context.is_raw_delta() {
            match self.accumulate(context, &mut point, (sent_start_ms, time_ms)) {
                Ok(None) => return Ok(time_ms),
                Ok(Some(total)) => {
                    when.start_ms = if context.counts { total.start_ms } else { 0 };
                    when.zero_ms = total.zero_ms.filter(|_| context.counts);
                }
                Err(reason) => return Err((reason, point.to_json())),
            }
        }
        point.add(context, when, self);
        Ok(time_ms)
    }

    /// Turns a delta into the total of its series. `None` for a repetition that says nothing new.
    fn accumulate(
        &mut self,
        context: &Context<'_>,
        point: &mut points::Point,
        span_ms: (i64, i64),
    ) -> Result<Option<Total>, String> {
        let labels = context.labels(point.attributes(), "", self).build();
        let key = (self.around.tenant.clone(), labels);
        let mut deltas = self.around.deltas.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(amount) = point.amount() else {
            deltas.end(&key);
            let (start_ms, amount) = (0, Amount::Number(0.0));
            return Ok(Some(Total { amount, start_ms, zero_ms: None }));
        };
        let (received_ms, series_max) = (self.around.received.millis(), self.around.options.delta_series_max);
        let mut total = deltas.add(key, amount, span_ms, received_ms, series_max).map_err(|error| error.to_string())?;
        if let Some(total) = &mut total {
            point.set_amount(std::mem::replace(&mut total.amount, Amount::Number(0.0)));
        }
        Ok(total)
    }

    /// Adds one sample under the context's name and a suffix.
    pub(super) fn sample(
        &mut self,
        context: &Context<'_>,
        suffix: &str,
        attributes: &Attributes,
        extra: Option<(&str, String)>,
        (when, value): (When, f64),
    ) -> &mut SeriesSamples {
        let mut labels = context.labels(attributes.clone(), suffix, self);
        if let Some((name, value)) = extra {
            labels.set(name, value);
        }
        let series = self.series(labels.build());
        let zero = when.zero_ms.map(|time_ms| Sample { time_ms, value: 0.0 });
        for sample in zero.into_iter().chain([Sample { time_ms: when.time_ms, value }]) {
            series.samples.push(sample);
            series.starts.push(when.start_ms);
        }
        series
    }

    /// Adds one native histogram under the context's name.
    pub(super) fn histogram(
        &mut self,
        context: &Context<'_>,
        attributes: Attributes,
        sample: HistogramSample,
        zero: Option<HistogramSample>,
    ) -> &mut SeriesSamples {
        let labels = context.labels(attributes, "", self).build();
        let series = self.series(labels);
        series.histograms.extend(zero.into_iter().chain([sample]));
        series
    }

    fn series(&mut self, labels: Labels) -> &mut SeriesSamples {
        let next = self.series.len();
        let at = *self.by_labels.entry(labels.clone()).or_insert(next);
        if at == next {
            self.series.push(SeriesSamples { labels, ..SeriesSamples::default() });
        }
        &mut self.series[at]
    }

    fn target_info(&mut self, seen: &Seen) {
        let options = self.around.options;
        let target = Target::bare(&seen.resource, options);
        let keeps = |name: &str| options.keep_identifying_resource_attributes || !IDENTIFYING.contains(&name);
        let others: Attributes = seen.resource.iter().filter(|(name, _)| keeps(name)).cloned().collect();
        let times = seen.info_times();
        if others.is_empty() || times.is_empty() || (target.job.is_none() && target.instance.is_none()) {
            return;
        }
        let name = "target_info".to_owned();
        let mut labels = target.labels(others);
        labels.set(METRIC_NAME, name.as_str());
        let series = self.series(labels.build());
        series.samples.extend(times.into_iter().map(|time_ms| Sample { time_ms, value: 1.0 }));
        self.add_metadata(name, MetricKind::Gauge, "Target metadata".to_owned(), String::new());
    }

    fn add_metadata(&mut self, name: String, kind: MetricKind, help: String, unit: String) {
        if !self.metadata.iter().any(|known| known.name == name) {
            self.metadata.push(MetricMetadata { name, kind, help, unit });
        }
    }

    fn into_decoded(mut self) -> Decoded {
        for series in &mut self.series {
            self.rejects.extend(collision::resolve(series));
            if series.starts.iter().all(|start| *start == 0) {
                series.starts = Vec::new();
            }
        }
        Decoded {
            series: model::SeriesBatch { series: self.series, metadata: self.metadata },
            rejects: self.rejects,
            ..Decoded::default()
        }
    }
}

/// What a metric is by itself.
struct Family {
    kind: MetricKind,
    suffix: SuffixKind,
    delta: bool,
}

/// What the metadata says and what the name's suffix depends on; or why the metric can not be kept.
fn family(metric: &Metric) -> Result<Family, String> {
    if metric.name.is_empty() {
        return Err("the metric has no name".to_owned());
    }
    let Some(data) = &metric.data else { return Err(format!("the metric {:?} has no data", metric.name)) };
    if point_count(metric) == 0 {
        return Err(format!("the metric {:?} has no data points", metric.name));
    }
    let (temporality, kind, suffix) = match data {
        Data::Gauge(_) => (CUMULATIVE, MetricKind::Gauge, SuffixKind::Gauge),
        Data::Sum(sum) if sum.is_monotonic => {
            (sum.aggregation_temporality, MetricKind::Counter, SuffixKind::MonotonicSum)
        }
        Data::Sum(sum) => (sum.aggregation_temporality, MetricKind::Gauge, SuffixKind::Other),
        Data::Histogram(histogram) => (histogram.aggregation_temporality, MetricKind::Histogram, SuffixKind::Other),
        Data::ExponentialHistogram(histogram) => {
            (histogram.aggregation_temporality, MetricKind::Histogram, SuffixKind::Other)
        }
        Data::Summary(_) => (CUMULATIVE, MetricKind::Summary, SuffixKind::Other),
    };
    match temporality {
        CUMULATIVE | DELTA => Ok(Family { kind, suffix, delta: temporality == DELTA }),
        other => Err(format!(
            "the metric {:?} has the aggregation temporality {other}: 1 (delta) or 2 (cumulative) is needed",
            metric.name
        )),
    }
}

fn point_count(metric: &Metric) -> usize {
    match &metric.data {
        None => 0,
        Some(Data::Gauge(gauge)) => gauge.data_points.len(),
        Some(Data::Sum(sum)) => sum.data_points.len(),
        Some(Data::Histogram(histogram)) => histogram.data_points.len(),
        Some(Data::ExponentialHistogram(histogram)) => histogram.data_points.len(),
        Some(Data::Summary(summary)) => summary.data_points.len(),
    }
}

/// The value of a sample, or the staleness marker when the point says that it has none.
pub(super) fn or_stale(flags: u32, value: f64) -> f64 {
    if is_stale(flags) { stale_nan() } else { value }
}

/// Whether a point says that it has no value.
pub(super) fn is_stale(flags: u32) -> bool {
    flags & NO_RECORDED_VALUE != 0
}

/// Most characters of an exemplar's labels, names and values together (OpenMetrics); attributes that do not fit are left out.
const EXEMPLAR_LABEL_CHARS_MAX: usize = 128;

/// An exemplar with its trace id, its span id and the attributes that the aggregation dropped.
pub(super) fn exemplar(exemplar: opentelemetry_proto::tonic::metrics::v1::Exemplar, time_ms: i64) -> Option<Exemplar> {
    use opentelemetry_proto::tonic::metrics::v1::exemplar::Value as Number;
    let value = match exemplar.value? {
        Number::AsDouble(value) => value,
        Number::AsInt(value) => value as f64,
    };
    let mut labels = LabelsBuilder::default();
    let mut room = EXEMPLAR_LABEL_CHARS_MAX;
    let ids = [("trace_id", hex::encode(&exemplar.trace_id)), ("span_id", hex::encode(&exemplar.span_id))];
    let others = super::any::attributes(exemplar.filtered_attributes);
    let others = others.into_iter().map(|(name, value)| (super::label_name(&name), value.text().into_owned()));
    for (name, value) in ids.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(others) {
        let chars = name.chars().count() + value.chars().count();
        if !value.is_empty() && chars <= room {
            room -= chars;
            labels.set(Arc::<str>::from(name), value);
        }
    }
    let time_ms = match super::any::time(exemplar.time_unix_nano) {
        Ok(Some(time)) => time.millis(),
        _ => time_ms,
    };
    Some(Exemplar { labels: labels.build(), time_ms, value })
}
