//! What senders put on the wire: remote write 1.0, OTLP and InfluxDB's lines, from numbered samples.

use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::exponential_histogram_data_point::Buckets;
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Metric, NumberDataPoint,
    ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use prost::Message as _;
use reqwest::blocking::{Client, Response};

/// `prometheus.WriteRequest`, as far as it is used here.
#[derive(Clone, PartialEq, prost::Message)]
struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    series: Vec<TimeSeries>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    samples: Vec<Sample>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Label {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    value: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Sample {
    #[prost(double, tag = "1")]
    value: f64,
    #[prost(int64, tag = "2")]
    time_ms: i64,
}

/// A series on its way: the metric's name, its other labels, its samples.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) name: &'static str,
    pub(super) labels: Vec<(&'static str, String)>,
    pub(super) samples: Vec<(i64, f64)>,
}

impl Sent {
    /// Its labels, `__name__` among them, as the keys of [`super::Series`].
    pub(super) fn key(&self) -> String {
        let labels = self.labels.iter().map(|(name, value)| (*name, value.as_str()));
        super::key(&labels.chain([("__name__", self.name)]).collect::<Vec<_>>())
    }
}

/// A body of remote write 1.0, compressed.
pub(super) fn remote_write(all: &[Sent]) -> Vec<u8> {
    let series = all.iter().map(|sent| {
        let label = |name: &str, value: &str| Label { name: name.to_owned(), value: value.to_owned() };
        let mut labels: Vec<Label> = sent.labels.iter().map(|(name, value)| label(name, value)).collect();
        labels.push(label("__name__", sent.name));
        labels.sort_by(|a, b| a.name.cmp(&b.name));
        let samples = sent.samples.iter().map(|(time_ms, value)| Sample { value: *value, time_ms: *time_ms }).collect();
        TimeSeries { labels, samples }
    });
    let body = WriteRequest { series: series.collect() }.encode_to_vec();
    snap::raw::Encoder::new().compress_vec(&body).expect("a body of this size")
}

/// Sends it.
pub(super) fn post_remote_write(client: &Client, url: &str, all: &[Sent]) -> reqwest::Result<Response> {
    client
        .post(format!("{url}/api/v1/write"))
        .header("content-type", "application/x-protobuf")
        .header("content-encoding", "snappy")
        .header("x-prometheus-remote-write-version", "0.1.0")
        .body(remote_write(all))
        .send()
}

fn attributes(labels: &[(&'static str, String)]) -> Vec<KeyValue> {
    let value = |text: &str| Some(AnyValue { value: Some(Any::StringValue(text.to_owned())) });
    let one = |(name, text): &(&'static str, String)| KeyValue {
        key: (*name).to_owned(),
        value: value(text),
        ..KeyValue::default()
    };
    labels.iter().map(one).collect()
}

fn nanos(time_ms: i64) -> u64 {
    u64::try_from(time_ms).expect("a time of this age") * 1_000_000
}

/// A gauge for each series.
pub(super) fn gauges(all: &[Sent]) -> Vec<Metric> {
    let point = |sent: &Sent, time_ms: i64, value: f64| NumberDataPoint {
        attributes: attributes(&sent.labels),
        time_unix_nano: nanos(time_ms),
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    };
    let metric = |sent: &Sent| Metric {
        name: sent.name.to_owned(),
        data: Some(metric::Data::Gauge(Gauge {
            data_points: sent.samples.iter().map(|(time_ms, value)| point(sent, *time_ms, *value)).collect(),
        })),
        ..Metric::default()
    };
    all.iter().map(metric).collect()
}

/// An exponential histogram with one observation in each of `count` buckets.
pub(super) fn histogram(name: &str, labels: &[(&'static str, String)], time_ms: i64, count: u64) -> Metric {
    let point = ExponentialHistogramDataPoint {
        attributes: attributes(labels),
        time_unix_nano: nanos(time_ms),
        start_time_unix_nano: nanos(time_ms - 1000),
        count,
        sum: Some(count as f64 * 1.5),
        scale: 0,
        positive: Some(Buckets { offset: 0, bucket_counts: vec![1; usize::try_from(count).expect("a few buckets")] }),
        ..ExponentialHistogramDataPoint::default()
    };
    Metric {
        name: name.to_owned(),
        data: Some(metric::Data::ExponentialHistogram(ExponentialHistogram {
            data_points: vec![point],
            aggregation_temporality: AggregationTemporality::Cumulative as i32,
        })),
        ..Metric::default()
    }
}

/// Sends metrics by OTLP over HTTP.
pub(super) fn post_otlp(client: &Client, url: &str, metrics: Vec<Metric>) -> reqwest::Result<Response> {
    let scope = ScopeMetrics { metrics, ..ScopeMetrics::default() };
    let resource = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
    let body = ExportMetricsServiceRequest { resource_metrics: vec![resource] }.encode_to_vec();
    client.post(format!("{url}/v1/metrics")).header("content-type", "application/x-protobuf").body(body).send()
}

/// Sends samples as lines of InfluxDB's protocol; the field is what stands behind the last underscore of the name.
pub(super) fn post_influx(client: &Client, url: &str, all: &[Sent]) -> reqwest::Result<Response> {
    let mut lines = String::new();
    for sent in all {
        let (measurement, field) = sent.name.rsplit_once('_').expect("a name with an underscore");
        let tags: String = sent.labels.iter().map(|(name, value)| format!(",{name}={value}")).collect();
        for (time_ms, value) in &sent.samples {
            lines += &format!("{measurement}{tags} {field}={value:?} {time_ms}\n");
        }
    }
    client.post(format!("{url}/influx/write?precision=ms")).body(lines).send()
}
