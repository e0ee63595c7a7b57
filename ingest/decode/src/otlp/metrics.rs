//! Metrics of OTLP to Prometheus's series, by OpenTelemetry's published rules as Prometheus's own OTLP receiver applies them.
//!
//! - Names: see [`super::naming`]. Labels: the point's attributes, then [`PROMOTED_RESOURCE_ATTRIBUTES`] of the resource under
//!   names not taken, `job` (`service.namespace/service.name`) and `instance` (`service.instance.id`).
//! - The other resource attributes are labels of `target_info`, one sample of value 1 at the time of the target's last point.
//! - Sums and histograms of **delta** temporality are stored as they are, as Prometheus does under its feature flag
//!   `otlp-native-delta-ingestion` (without one it drops them): the name keeps its suffix, the metadata says `unknown`, since
//!   `rate` would be wrong; query them with `sum_over_time`. An **unspecified** temporality, which the protocol forbids, is
//!   rejected.
//! - Explicit histograms become `_bucket`, `_sum` and `_count`; summaries `quantile`, `_sum` and `_count`.
//! - Exponential histograms become native histograms; see `points`.
//! - The flag "no recorded value" becomes the staleness marker.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use model::{
    Attributes, Exemplar, HistogramSample, Labels, LabelsBuilder, METRIC_NAME, MetricKind, MetricMetadata, Sample,
    SeriesSamples, Timestamp, Value, stale_nan,
};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric::Data};

use super::{Group, Groups, SuffixKind, label_name, metric_name, points, reject, unit_name};
use crate::{Decoded, Reject};

/// Resource attributes that become labels of every series: the list that Prometheus's guide "Using Prometheus as your
/// OpenTelemetry backend" recommends, and `host.name`.
pub const PROMOTED_RESOURCE_ATTRIBUTES: [&str; 20] = [
    "service.instance.id",
    "service.name",
    "service.namespace",
    "service.version",
    "cloud.availability_zone",
    "cloud.region",
    "container.name",
    "deployment.environment",
    "deployment.environment.name",
    "host.name",
    "k8s.cluster.name",
    "k8s.container.name",
    "k8s.cronjob.name",
    "k8s.daemonset.name",
    "k8s.deployment.name",
    "k8s.job.name",
    "k8s.namespace.name",
    "k8s.pod.name",
    "k8s.replicaset.name",
    "k8s.statefulset.name",
];

/// Attributes that identify a target: they are `job` and `instance`, so not labels of `target_info`.
const IDENTIFYING: [&str; 3] = ["service.name", "service.namespace", "service.instance.id"];

/// The flag of a point that carries no value (`DATA_POINT_FLAGS_NO_RECORDED_VALUE_MASK`).
const NO_RECORDED_VALUE: u32 = 1;

/// OTLP's `AGGREGATION_TEMPORALITY_DELTA` and `_CUMULATIVE`.
const DELTA: i32 = 1;
const CUMULATIVE: i32 = 2;

pub(super) fn decode(groups: Groups<Metric>, received: Timestamp) -> Decoded {
    let mut sink =
        Sink { received, series: Vec::new(), by_labels: HashMap::new(), metadata: Vec::new(), rejects: groups.rejects };
    let mut targets: Vec<(Rc<Attributes>, Option<i64>)> = Vec::new();
    for Group { resource, items, scope: _ } in groups.groups {
        let target = Target::new(&resource);
        let mut last_ms = None;
        for metric in items {
            last_ms = last_ms.max(sink.metric(&target, metric));
        }
        match targets.last_mut() {
            Some((known, last)) if Rc::ptr_eq(known, &resource) => *last = (*last).max(last_ms),
            _ => targets.push((resource, last_ms)),
        }
    }
    for (resource, last_ms) in targets {
        if let Some(last_ms) = last_ms {
            sink.target_info(&resource, last_ms);
        }
    }
    sink.into_decoded()
}

/// The labels that a resource gives to all its series.
pub(super) struct Target {
    promoted: Vec<(String, String)>,
    job: Option<String>,
    instance: Option<String>,
}

impl Target {
    fn new(resource: &Attributes) -> Self {
        let promoted = PROMOTED_RESOURCE_ATTRIBUTES
            .iter()
            .filter_map(|name| Some((label_name(name), attribute(resource, name)?)))
            .collect();
        let name = attribute(resource, "service.name");
        let job = match (attribute(resource, "service.namespace"), name) {
            (Some(namespace), Some(name)) => Some(format!("{namespace}/{name}")),
            (_, name) => name,
        };
        Self { promoted, job, instance: attribute(resource, "service.instance.id") }
    }

    /// The labels of a series but its name. Attributes whose names become equal are joined by `;` in the order of their names.
    fn labels(&self, mut attributes: Attributes) -> LabelsBuilder {
        let mut labels = LabelsBuilder::default();
        attributes.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, value) in attributes {
            let name = label_name(&name);
            let value = value.text();
            if name.is_empty() || value.is_empty() {
                continue;
            }
            let joined = labels.get(&name).map(|known| format!("{known};{value}"));
            labels.set(name, joined.unwrap_or_else(|| value.into_owned()));
        }
        for (name, value) in &self.promoted {
            if labels.get(name).is_none() {
                labels.set(name.as_str(), value.as_str());
            }
        }
        for (name, value) in [("job", &self.job), ("instance", &self.instance)] {
            if let Some(value) = value {
                labels.set(name, value.as_str());
            }
        }
        labels
    }
}

fn attribute(attributes: &Attributes, name: &str) -> Option<String> {
    let (_, value) = attributes.iter().rfind(|(known, _)| known == name)?;
    Some(value.text().into_owned()).filter(|text| !text.is_empty())
}

/// One metric on its way to samples.
pub(super) struct Context<'a> {
    pub(super) target: &'a Target,
    /// The name without `_bucket`, `_sum`, `_count`.
    pub(super) name: String,
    /// Whether points say what came since the one before.
    pub(super) delta: bool,
}

/// Collects samples by series.
pub(super) struct Sink {
    received: Timestamp,
    series: Vec<SeriesSamples>,
    by_labels: HashMap<Labels, usize>,
    metadata: Vec<MetricMetadata>,
    rejects: Vec<Reject>,
}

impl Sink {
    /// Adds a metric; returns the time of its latest sample.
    fn metric(&mut self, target: &Target, metric: Metric) -> Option<i64> {
        let (kind, suffix) = match kind(&metric) {
            Ok(kinds) => kinds,
            Err(reason) => {
                self.rejects.push(reject(reason, &metric).of_items(point_count(&metric)));
                return None;
            }
        };
        let Some(name) = metric_name(&metric.name, &metric.unit, suffix) else {
            let reason = format!("nothing of the metric's name {:?} can be kept", metric.name);
            self.rejects.push(reject(reason, &metric).of_items(point_count(&metric)));
            return None;
        };
        let context = Context { target, name, delta: kind == MetricKind::Unknown };
        let mut last_ms = None;
        let sent_name = metric.name;
        points::each(metric.data?, |point| match self.point(&context, point) {
            Ok(time_ms) => last_ms = last_ms.max(Some(time_ms)),
            Err((reason, point)) => {
                let raw = format!("{{\"name\":{},\"point\":{point}}}", Value::from(sent_name.as_str()).to_json());
                self.rejects.push(Reject::new(reason, raw.as_bytes()));
            }
        });
        if last_ms.is_some() {
            self.add_metadata(context.name, kind, metric.description, &metric.unit);
        }
        last_ms
    }

    /// Adds a point, or says why not and gives its JSON. A point that is rejected leaves nothing behind.
    fn point(&mut self, context: &Context<'_>, point: points::Point) -> Result<i64, (String, String)> {
        let time_ms = match super::any::time(point.time_unix_nano()) {
            Ok(time) => time.unwrap_or(self.received).millis(),
            Err(reason) => return Err((reason, point.to_json())),
        };
        if let Err(reason) = point.check() {
            return Err((reason, point.to_json()));
        }
        point.add(context, time_ms, self);
        Ok(time_ms)
    }

    /// Adds one sample under the context's name and a suffix.
    pub(super) fn sample(
        &mut self,
        context: &Context<'_>,
        suffix: &str,
        attributes: &Attributes,
        extra: Option<(&str, String)>,
        sample: Sample,
    ) -> &mut SeriesSamples {
        let mut labels = context.target.labels(attributes.clone());
        if let Some((name, value)) = extra {
            labels.set(name, value);
        }
        labels.set(METRIC_NAME, format!("{}{suffix}", context.name));
        let series = self.series(labels.build());
        series.samples.push(sample);
        series
    }

    /// Adds one native histogram under the context's name.
    pub(super) fn histogram(
        &mut self,
        context: &Context<'_>,
        attributes: &Attributes,
        sample: HistogramSample,
    ) -> &mut SeriesSamples {
        let mut labels = context.target.labels(attributes.clone());
        labels.set(METRIC_NAME, context.name.as_str());
        let series = self.series(labels.build());
        series.histograms.push(sample);
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

    fn target_info(&mut self, resource: &Attributes, time_ms: i64) {
        let target = Target { promoted: Vec::new(), ..Target::new(resource) };
        let others: Attributes =
            resource.iter().filter(|(name, _)| !IDENTIFYING.contains(&name.as_str())).cloned().collect();
        if others.is_empty() || (target.job.is_none() && target.instance.is_none()) {
            return;
        }
        let context = Context { target: &target, name: "target_info".to_owned(), delta: false };
        self.sample(&context, "", &others, None, Sample { time_ms, value: 1.0 });
        self.add_metadata(context.name, MetricKind::Gauge, "Target metadata".to_owned(), "");
    }

    fn add_metadata(&mut self, name: String, kind: MetricKind, help: String, unit: &str) {
        if !self.metadata.iter().any(|known| known.name == name) {
            self.metadata.push(MetricMetadata { name, kind, help, unit: unit_name(unit) });
        }
    }

    fn into_decoded(self) -> Decoded {
        Decoded {
            series: model::SeriesBatch { series: self.series, metadata: self.metadata },
            rejects: self.rejects,
            ..Decoded::default()
        }
    }
}

/// What the metadata says and what the name's suffix depends on; or why the metric can not be kept.
fn kind(metric: &Metric) -> Result<(MetricKind, SuffixKind), String> {
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
        CUMULATIVE => Ok((kind, suffix)),
        DELTA => Ok((MetricKind::Unknown, suffix)),
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
    let others = others.into_iter().map(|(name, value)| (label_name(&name), value.text().into_owned()));
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
