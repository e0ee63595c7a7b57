//! OTLP requests as an instrumented service sends them, built by hand so that the demo depends on the protocol alone.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs, SeverityNumber};
use opentelemetry_proto::tonic::metrics::v1::{
    AggregationTemporality, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span, status};

/// Who speaks: the resource of everything a service sends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sender {
    pub(crate) service: String,
    pub(crate) version: String,
    pub(crate) host: String,
}

/// One thing that a service says in its log.
#[derive(Clone, Debug)]
pub(crate) struct LogLine {
    pub(crate) time_ns: u64,
    pub(crate) severity: SeverityNumber,
    pub(crate) body: String,
    pub(crate) attributes: Vec<KeyValue>,
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
}

/// One operation of a service.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) name: String,
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) parent_span_id: Vec<u8>,
    pub(crate) start_ns: u64,
    pub(crate) end_ns: u64,
    pub(crate) failed: bool,
    pub(crate) attributes: Vec<KeyValue>,
}

/// A cumulative counter of requests by status code.
#[derive(Clone, Debug)]
pub(crate) struct RequestCount {
    pub(crate) code: u16,
    pub(crate) total: u64,
}

/// A text attribute.
pub(crate) fn text(key: &str, value: impl Into<String>) -> KeyValue {
    attribute(key, any_value::Value::StringValue(value.into()))
}

/// A whole-number attribute.
pub(crate) fn int(key: &str, value: i64) -> KeyValue {
    attribute(key, any_value::Value::IntValue(value))
}

fn attribute(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}

fn resource(sender: &Sender) -> Option<Resource> {
    Some(Resource {
        attributes: vec![
            text("service.name", &sender.service),
            text("service.version", &sender.version),
            text("service.namespace", "shop"),
            text("deployment.environment.name", "demo"),
            text("host.name", &sender.host),
        ],
        ..Resource::default()
    })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "shop".to_owned(), version: "1".to_owned(), ..InstrumentationScope::default() })
}

/// A logs request.
pub(crate) fn logs(sender: &Sender, lines: Vec<LogLine>) -> ExportLogsServiceRequest {
    let log_records = lines
        .into_iter()
        .map(|line| LogRecord {
            time_unix_nano: line.time_ns,
            observed_time_unix_nano: line.time_ns,
            severity_number: line.severity.into(),
            severity_text: line.severity.as_str_name().trim_start_matches("SEVERITY_NUMBER_").to_owned(),
            body: Some(AnyValue { value: Some(any_value::Value::StringValue(line.body)) }),
            attributes: line.attributes,
            trace_id: line.trace_id.to_vec(),
            span_id: line.span_id.to_vec(),
            ..LogRecord::default()
        })
        .collect();
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: resource(sender), scope_logs, ..ResourceLogs::default() }],
    }
}

/// A traces request.
pub(crate) fn traces(sender: &Sender, operations: Vec<Operation>) -> ExportTraceServiceRequest {
    let spans = operations
        .into_iter()
        .map(|operation| Span {
            trace_id: operation.trace_id.to_vec(),
            span_id: operation.span_id.to_vec(),
            parent_span_id: operation.parent_span_id,
            name: operation.name,
            kind: span::SpanKind::Server.into(),
            start_time_unix_nano: operation.start_ns,
            end_time_unix_nano: operation.end_ns,
            attributes: operation.attributes,
            status: Some(Status {
                code: if operation.failed { status::StatusCode::Error } else { status::StatusCode::Unset }.into(),
                ..Status::default()
            }),
            ..Span::default()
        })
        .collect();
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(sender), scope_spans, ..ResourceSpans::default() }],
    }
}

/// A metrics request: `http_requests` by status code, cumulative since `start_ns`.
pub(crate) fn metrics(
    sender: &Sender,
    start_ns: u64,
    now_ns: u64,
    counts: &[RequestCount],
) -> ExportMetricsServiceRequest {
    let data_points = counts
        .iter()
        .map(|count| NumberDataPoint {
            attributes: vec![text("code", count.code.to_string())],
            start_time_unix_nano: start_ns,
            time_unix_nano: now_ns,
            value: Some(number_data_point::Value::AsInt(i64::try_from(count.total).unwrap_or(i64::MAX))),
            ..NumberDataPoint::default()
        })
        .collect();
    let sum =
        Sum { data_points, aggregation_temporality: AggregationTemporality::Cumulative.into(), is_monotonic: true };
    let requests = Metric {
        name: "http_requests".to_owned(),
        description: "Requests served, by status code.".to_owned(),
        data: Some(metric::Data::Sum(sum)),
        ..Metric::default()
    };
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics: vec![requests], ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics {
            resource: resource(sender),
            scope_metrics,
            ..ResourceMetrics::default()
        }],
    }
}
