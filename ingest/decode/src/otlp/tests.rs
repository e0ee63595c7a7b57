//! Requests in both encodings, and the rules for what is rejected.

mod metrics;

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use model::Row;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{Metric, ResourceMetrics, ScopeMetrics};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status, span};

use super::*;

/// 2026-11-23T09:00:00Z.
const RECEIVED: Timestamp = Timestamp(1_795_424_400_000_000_000);
const NS: u64 = RECEIVED.0 as u64;

fn row_text(row: &Row) -> String {
    let fields: Vec<_> = row.fields.iter().map(|(name, value)| format!("{name}={}", value.to_json())).collect();
    format!("{} {} {}", row.time, row.stream, fields.join(" "))
}

fn show(decoded: &Decoded) -> String {
    let mut out = String::new();
    for row in decoded.logs.iter().chain(&decoded.spans) {
        let _ = writeln!(out, "{}", row_text(row));
    }
    for series in &decoded.series.series {
        let samples: Vec<_> = series
            .samples
            .iter()
            .map(|sample| {
                let value =
                    if model::is_stale_nan(sample.value) { "stale".to_owned() } else { sample.value.to_string() };
                format!("{value}@{}", sample.time_ms - RECEIVED.millis())
            })
            .collect();
        let _ = write!(out, "{} {}", series.labels, samples.join(" "));
        for sample in &series.histograms {
            let stale = sample.histogram.is_stale();
            let value = if stale { "stale".to_owned() } else { sample.histogram.test_expression() };
            let _ = write!(out, "{value}@{}", sample.time_ms - RECEIVED.millis());
            if sample.start_ms != 0 {
                let _ = write!(out, " since {}", sample.start_ms - RECEIVED.millis());
            }
        }
        for exemplar in &series.exemplars {
            let _ = write!(out, " # {} {}@{}", exemplar.labels, exemplar.value, exemplar.time_ms - RECEIVED.millis());
        }
        out.push('\n');
    }
    for metadata in &decoded.series.metadata {
        let _ = writeln!(
            out,
            "{} {} unit={:?} help={:?}",
            metadata.name,
            metadata.kind.as_str(),
            metadata.unit,
            metadata.help
        );
    }
    for reject in &decoded.rejects {
        let _ = writeln!(out, "REJECT {} x{}: {}", reject.reason, reject.items, String::from_utf8_lossy(&reject.raw));
    }
    out
}

/// The rows of the logs table, each with its fields by name: columns keep no order of a row's fields.
fn log_rows(decoded: &Decoded) -> Vec<Row> {
    let in_batches = decoded.log_batches.iter().flat_map(column::rows_from_batch);
    let mut rows: Vec<Row> = decoded.logs.iter().cloned().chain(in_batches).collect();
    rows.iter_mut().for_each(|row| row.fields.sort_by(|a, b| a.0.cmp(&b.0)));
    rows
}

fn any(value: any_value::Value) -> Option<AnyValue> {
    Some(AnyValue { value: Some(value) })
}

fn pair(key: &str, value: any_value::Value) -> KeyValue {
    KeyValue { key: key.into(), value: any(value), ..KeyValue::default() }
}

fn text(text: &str) -> any_value::Value {
    any_value::Value::StringValue(text.into())
}

fn resource() -> Option<Resource> {
    let attributes = vec![
        pair("service.name", text("checkout")),
        pair("service.version", text("v2")),
        pair("service.instance.id", text("pod-1")),
        pair("cloud.account.id", text("acc")),
    ];
    Some(Resource { attributes, ..Resource::default() })
}

fn logs_request(records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope = Some(InstrumentationScope { name: "lib".into(), version: "1".into(), ..Default::default() });
    let scope_logs = vec![ScopeLogs { scope, log_records: records, schema_url: "http://schema".into() }];
    ExportLogsServiceRequest {
        resource_logs: vec![ResourceLogs { resource: resource(), scope_logs, schema_url: String::new() }],
    }
}

fn full_record() -> LogRecord {
    LogRecord {
        time_unix_nano: NS + 5,
        observed_time_unix_nano: NS + 7,
        severity_number: 17,
        severity_text: "ERR".into(),
        body: any(text("out of stock")),
        attributes: vec![
            pair("n", any_value::Value::IntValue(i64::MIN)),
            pair("d", any_value::Value::DoubleValue(0.5)),
            pair("nan", any_value::Value::DoubleValue(f64::INFINITY)),
            pair("b", any_value::Value::BoolValue(true)),
            pair("bytes", any_value::Value::BytesValue(vec![0, 255, 7])),
            pair(
                "list",
                any_value::Value::ArrayValue(ArrayValue {
                    values: vec![any(text("x")).unwrap_or_default(), AnyValue::default()],
                }),
            ),
            pair("map", any_value::Value::KvlistValue(KeyValueList { values: vec![pair("k", text("v"))] })),
        ],
        dropped_attributes_count: 2,
        flags: 1,
        trace_id: (1..=16).collect(),
        span_id: (1..=8).collect(),
        event_name: "stock".into(),
    }
}

fn span_item() -> Span {
    Span {
        trace_id: (1..=16).collect(),
        span_id: (1..=8).collect(),
        parent_span_id: vec![9; 8],
        trace_state: "a=b".into(),
        name: "GET /cart".into(),
        kind: 2,
        start_time_unix_nano: NS,
        end_time_unix_nano: NS + 1500,
        attributes: vec![pair("http.response.status_code", any_value::Value::IntValue(500))],
        dropped_events_count: 3,
        events: vec![span::Event {
            time_unix_nano: NS + 1,
            name: "exception".into(),
            attributes: vec![pair("e", text("x"))],
            ..Default::default()
        }],
        links: vec![span::Link { trace_id: vec![3; 16], span_id: vec![4; 8], ..Default::default() }],
        status: Some(Status { code: 2, message: "boom".into() }),
        flags: 257,
        ..Span::default()
    }
}

fn traces_request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans { resource: resource(), scope_spans, schema_url: String::new() }],
    }
}

fn metrics_request(metrics: Vec<Metric>) -> ExportMetricsServiceRequest {
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    ExportMetricsServiceRequest {
        resource_metrics: vec![ResourceMetrics { resource: resource(), scope_metrics, schema_url: String::new() }],
    }
}

/// Metrics as OTLP's JSON, `@n` standing for the time n ns after [`RECEIVED`].
fn metrics(json: &str) -> Decoded {
    let resource = serde_json::to_string(&resource()).unwrap();
    let body = format!(r#"{{"resourceMetrics":[{{"resource":{resource},"scopeMetrics":[{{"metrics":[{json}]}}]}}]}}"#);
    MetricsDecoder::default()
        .decode(Wire::Json, body.replace("@0", &NS.to_string()).as_bytes(), &TenantId::default(), RECEIVED)
        .unwrap()
}

fn check_metrics(json: &str, expect: Expect) {
    expect.assert_eq(&show(&metrics(json)));
}

#[test]
fn logs_decode_with_all_their_fields() {
    let decoded = logs(logs_request(vec![full_record(), LogRecord::default()]), RECEIVED);
    expect![[r#"
        2026-11-23T09:00:00.000000005Z {service.instance.id="pod-1",service.name="checkout",service.version="v2"} observed_time=1795424400000000007 severity="ERROR" severity_number=17 severity_text="ERR" body="out of stock" trace_id="0102030405060708090a0b0c0d0e0f10" span_id="0102030405060708" flags=1 event_name="stock" dropped_attributes_count=2 service.name="checkout" service.version="v2" service.instance.id="pod-1" cloud.account.id="acc" n=-9223372036854775808 d=0.5 nan="+Inf" b=true bytes="AP8H" list=["x",null] map.k="v" scope.name="lib" scope.version="1" scope.schema_url="http://schema"
        2026-11-23T09:00:00Z {service.instance.id="pod-1",service.name="checkout",service.version="v2"} service.name="checkout" service.version="v2" service.instance.id="pod-1" cloud.account.id="acc" scope.name="lib" scope.version="1" scope.schema_url="http://schema"
    "#]].assert_eq(&show(&decoded));
}

#[test]
fn spans_decode_and_one_without_ids_is_rejected_alone() {
    let without_ids = Span { name: "lost".into(), trace_id: vec![0; 16], ..span_item() };
    let decoded = traces(traces_request(vec![span_item(), without_ids, span_item()]), RECEIVED);
    expect![[r#"
        2026-11-23T09:00:00Z {service.instance.id="pod-1",service.name="checkout",service.version="v2"} trace_id="0102030405060708090a0b0c0d0e0f10" span_id="0102030405060708" parent_span_id="0909090909090909" name="GET /cart" kind="server" duration_ns=1500 status="error" status_message="boom" trace_state="a=b" events=[{"time_unix_nano":1795424400000000001,"name":"exception","attributes":{"e":"x"}}] links=[{"trace_id":"03030303030303030303030303030303","span_id":"0404040404040404"}] flags=257 service.name="checkout" service.version="v2" service.instance.id="pod-1" cloud.account.id="acc" http.response.status_code=500 dropped_events_count=3
        2026-11-23T09:00:00Z {service.instance.id="pod-1",service.name="checkout",service.version="v2"} trace_id="0102030405060708090a0b0c0d0e0f10" span_id="0102030405060708" parent_span_id="0909090909090909" name="GET /cart" kind="server" duration_ns=1500 status="error" status_message="boom" trace_state="a=b" events=[{"time_unix_nano":1795424400000000001,"name":"exception","attributes":{"e":"x"}}] links=[{"trace_id":"03030303030303030303030303030303","span_id":"0404040404040404"}] flags=257 service.name="checkout" service.version="v2" service.instance.id="pod-1" cloud.account.id="acc" http.response.status_code=500 dropped_events_count=3
        REJECT the span's trace id is "00000000000000000000000000000000": 16 bytes that are not all zero are needed x1: {"traceId":"00000000000000000000000000000000","spanId":"0102030405060708","traceState":"a=b","parentSpanId":"0909090909090909","flags":257,"name":"lost","kind":2,"startTimeUnixNano":"1795424400000000000","endTimeUnixNano":"1795424400000001500","attributes":[{"key":"http.response.status_code","value":{"intValue":"500"}}],"droppedAttributesCount":0,"events":[{"timeUnixNano":"1795424400000000001","name":"exception","attributes":[{"key":"e","value":{"stringValue":"x"}}],"droppedAttributesCount":0}],"droppedEventsCount":3,"links":[{"traceId":"03030303030303030303030303030303","spanId":"0404040404040404","traceState":"","attributes":[],"droppedAttributesCount":0,"flags":0}],"droppedLinksCount":0,"status":{"message":"boom","code":2}}
    "#]].assert_eq(&show(&decoded));
}

/// The JSON here is written by opentelemetry-proto's serializer, which this crate does not read with.
#[test]
fn both_encodings_give_the_same() {
    let request = logs_request(vec![
        full_record(),
        LogRecord::default(),
        LogRecord { time_unix_nano: u64::MAX, ..full_record() },
    ]);
    let json = serde_json::to_vec(&request).unwrap().replace_infinity();
    let by_json = decode_logs(Wire::Json, &json, RECEIVED).unwrap();
    let by_protobuf = decode_logs(Wire::Protobuf, &request.encode_to_vec(), RECEIVED).unwrap();
    assert_eq!(log_rows(&by_json), log_rows(&by_protobuf));
    assert_eq!((by_json.rows(), by_json.rejects.len()), (2, 1));
    assert_eq!((by_protobuf.rows(), by_protobuf.rejects.len()), (2, 1));

    let request = traces_request(vec![span_item(), Span::default()]);
    let by_json = decode_traces(Wire::Json, &serde_json::to_vec(&request).unwrap(), RECEIVED).unwrap();
    assert_eq!(by_json, decode_traces(Wire::Protobuf, &request.encode_to_vec(), RECEIVED).unwrap());
    assert_eq!((by_json.spans.len(), by_json.rejects.len()), (1, 1));

    let points = r#"{"name":"a","unit":"s","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[{"asInt":"5","timeUnixNano":"@0"}]}}"#
        .replace("@0", &NS.to_string());
    let metric: Metric = serde_json::from_str(&points).unwrap();
    let request = metrics_request(vec![metric, Metric::default()]);
    let decode =
        |wire, body: &[u8]| MetricsDecoder::default().decode(wire, body, &TenantId::default(), RECEIVED).unwrap();
    let by_json = decode(Wire::Json, &serde_json::to_vec(&request).unwrap());
    assert_eq!(by_json, decode(Wire::Protobuf, &request.encode_to_vec()));
    assert_eq!((by_json.series.sample_count(), by_json.rejects.len()), (2, 1));
}

/// The serializer writes an infinite double as null, which JSON can not say otherwise; OTLP's rule is a string.
trait ReplaceInfinity {
    fn replace_infinity(self) -> Vec<u8>;
}

impl ReplaceInfinity for Vec<u8> {
    fn replace_infinity(self) -> Vec<u8> {
        let text = String::from_utf8(self).unwrap();
        text.replace(r#"{"doubleValue":null}"#, r#"{"doubleValue":"Infinity"}"#).into_bytes()
    }
}

/// The specification's rules for JSON, each told by a field.
#[test]
fn json_follows_otlps_rules_not_protojsons() {
    let body = r#"{"unknown":[1],"resourceLogs":[{"resource":null,"scopeLogs":[{"logRecords":[
        {"timeUnixNano":"1795424400000000005","severityNumber":9,"traceId":"0102030405060708090A0B0C0D0E0F10","body":{"stringValue":"hex of either case"}},
        {"timeUnixNano":1795424400000000005,"severityNumber":"SEVERITY_NUMBER_WARN","body":{"intValue":7},"new":{}},
        {"body":{"kvlistValue":{"values":[{"key":"a","value":{"intValue":"-9223372036854775808"}}]}},"attributes":[{"key":"e"},{"key":"u","value":{"later":1}},{"key":"n","value":{"doubleValue":"NaN"}},{"key":"y","value":{"bytesValue":"AP8"}}]},
        {"traceId":"xyz"},
        {"timeUnixNano":-1},
        {"attributes":[{"key":"bad","value":{"intValue":"1.5"}}]},
        "no object",
        {"severityNumber":"NOPE"}
    ]}]}]}"#;
    expect![[r#"
        2026-11-23T09:00:00.000000005Z {} severity="INFO" severity_number=9 body="hex of either case" trace_id="0102030405060708090a0b0c0d0e0f10"
        2026-11-23T09:00:00.000000005Z {} severity="WARN" severity_number=13 body="7"
        2026-11-23T09:00:00Z {} body="{\"a\":-9223372036854775808}" n="NaN" y="AP8="
        REJECT `traceId` must be hexadecimal digits, not "xyz" x1: {"traceId":"xyz"}
        REJECT `timeUnixNano` must be an unsigned integer, not -1 x1: {"timeUnixNano":-1}
        REJECT `attributes`: "bad": `value`: `intValue` must be a 64-bit integer, not "1.5" x1: {"attributes":[{"key":"bad","value":{"intValue":"1.5"}}]}
        REJECT an object is needed, not a string x1: "no object"
        REJECT `severityNumber` must be an integer, not "NOPE" x1: {"severityNumber":"NOPE"}
    "#]].assert_eq(&show(&decode_logs(Wire::Json, body.as_bytes(), RECEIVED).unwrap()));
}

#[test]
fn empty_requests_succeed_and_malformed_bodies_do_not() {
    for (wire, body) in [(Wire::Protobuf, &b""[..]), (Wire::Json, b"{}"), (Wire::Json, br#"{"resourceLogs":[]}"#)] {
        assert!(decode_logs(wire, body, RECEIVED).unwrap().is_empty(), "{wire:?}");
    }
    let deep = "[".repeat(100_000);
    for (wire, body) in [
        (Wire::Protobuf, "\u{1}garbage"),
        (Wire::Json, ""),
        (Wire::Json, "[]"),
        (Wire::Json, r#"{"resourceLogs":{}}"#),
        (Wire::Json, r#"{"resourceLogs":[7]}"#),
        // R29: nesting without end.
        (Wire::Json, &deep),
    ] {
        assert!(decode_logs(wire, body.as_bytes(), RECEIVED).is_err(), "{wire:?} {:.20}", body);
    }
    let whole = logs_request(vec![full_record()]).encode_to_vec();
    assert!(
        decode_logs(Wire::Protobuf, &whole[..whole.len() - 3], RECEIVED).is_err(),
        "a body that is cut off is refused whole"
    );
}

#[test]
fn a_broken_protobuf_item_does_not_take_its_neighbours() {
    let marked = LogRecord { severity_text: "MARKMARK".into(), ..full_record() };
    let mut body = logs_request(vec![full_record(), marked, full_record()]).encode_to_vec();
    let at = body.windows(8).position(|window| window == b"MARKMARK").unwrap();
    body[at] = 0xff;
    let decoded = decode_logs(Wire::Protobuf, &body, RECEIVED).unwrap();
    assert_eq!((decoded.logs.len(), decoded.rejects.len()), (2, 1));
    assert!(decoded.rejects[0].reason.contains("does not decode"), "{}", decoded.rejects[0].reason);
    assert!(decoded.rejects[0].raw.windows(7).any(|window| window == b"ARKMARK"));
    assert_eq!(decoded.logs[0].get("service.name").map(|name| name.text().into_owned()).as_deref(), Some("checkout"));
}

#[test]
fn numbers() {
    check_metrics(
        r#"{"name":"http.requests","description":"Requests.","sum":{"aggregationTemporality":2,"isMonotonic":true,"dataPoints":[
               {"asInt":"5","timeUnixNano":"@0","attributes":[{"key":"code","value":{"stringValue":"500"}},{"key":"job","value":{"stringValue":"mine"}}],
                "exemplars":[{"asDouble":1,"traceId":"01020304050607080102030405060708","spanId":"0102030405060708","timeUnixNano":"@0"}]},
               {"asInt":"6","attributes":[{"key":"a.b","value":{"intValue":1}},{"key":"a/b","value":{"intValue":2}},{"key":"service.version","value":{"stringValue":"own"}}]},
               {"flags":1,"timeUnixNano":"@0"},
               {"timeUnixNano":"@0"},
               {"asInt":"many"}]}},
           {"name":"allbad","gauge":{"dataPoints":[{"asInt":"many"},7]}},
           {"name":"cpu","unit":"1","gauge":{"dataPoints":[{"asDouble":"NaN","timeUnixNano":"@0"}]}},
           {"name":"delta","unit":"By","sum":{"aggregationTemporality":1,"isMonotonic":true,"dataPoints":[{"asInt":3,"timeUnixNano":"@0"}]}},
           {"name":"updown","unit":"{conn}","sum":{"aggregationTemporality":2,"dataPoints":[{"asInt":3,"timeUnixNano":"@0"}]}},
           {"name":"none","sum":{"dataPoints":[{"asInt":3},{"asInt":4}]}},
           {"name":"","gauge":{"dataPoints":[{"asInt":3}]}},
           {"name":"nothing"},
           {"name":"nopoints","gauge":{}},
           {"name":"日本","gauge":{"dataPoints":[{"asInt":3}]}}"#,
        expect![[r#"
            http_requests_total{code="500", instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 5@0 # {span_id="0102030405060708", trace_id="01020304050607080102030405060708"} 1@0
            http_requests_total{a_b="1;2", instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="own"} 6@0
            http_requests_total{instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} stale@0
            cpu_ratio{instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} NaN@0
            delta_bytes_total{instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 3@0
            updown{instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 3@0
            target_info{cloud_account_id="acc", instance="pod-1", job="checkout", service_version="v2"} 1@0
            http_requests_total counter unit="" help="Requests."
            cpu_ratio gauge unit="" help=""
            delta_bytes_total counter unit="bytes" help=""
            updown gauge unit="" help=""
            target_info gauge unit="" help="Target metadata"
            REJECT `asInt` must be a 64-bit integer, not "many" x1: {"name":"http.requests","point":{"asInt":"many"}}
            REJECT `asInt` must be a 64-bit integer, not "many" x1: {"name":"allbad","point":{"asInt":"many"}}
            REJECT an object is needed, not a number x1: {"name":"allbad","point":7}
            REJECT the data point has no value x1: {"name":"http.requests","point":{"attributes":[],"startTimeUnixNano":"0","timeUnixNano":"1795424400000000000","exemplars":[],"flags":0}}
            REJECT the metric "none" has the aggregation temporality 0: 1 (delta) or 2 (cumulative) is needed x2: {"name":"none","description":"","unit":"","metadata":[],"sum":{"dataPoints":[{"attributes":[],"startTimeUnixNano":"0","timeUnixNano":"0","exemplars":[],"flags":0,"asInt":"3"},{"attributes":[],"startTimeUnixNano":"0","timeUnixNano":"0","exemplars":[],"flags":0,"asInt":"4"}],"aggregationTemporality":0,"isMonotonic":false}}
            REJECT the metric has no name x1: {"name":"","description":"","unit":"","metadata":[],"gauge":{"dataPoints":[{"attributes":[],"startTimeUnixNano":"0","timeUnixNano":"0","exemplars":[],"flags":0,"asInt":"3"}]}}
            REJECT the metric "nothing" has no data x1: {"name":"nothing","description":"","unit":"","metadata":[]}
            REJECT the metric "nopoints" has no data points x1: {"name":"nopoints","description":"","unit":"","metadata":[],"gauge":{"dataPoints":[]}}
            REJECT nothing of the metric's name "日本" can be kept x1: {"name":"日本","description":"","unit":"","metadata":[],"gauge":{"dataPoints":[{"attributes":[],"startTimeUnixNano":"0","timeUnixNano":"0","exemplars":[],"flags":0,"asInt":"3"}]}}
        "#]],
    );
}

#[test]
fn histograms_and_summaries() {
    check_metrics(
        r#"{"name":"latency","unit":"s","histogram":{"aggregationTemporality":2,"dataPoints":[
               {"count":"6","sum":4.5,"bucketCounts":["1","2","3"],"explicitBounds":[0.005,1],"timeUnixNano":"@0",
                "exemplars":[{"asDouble":0.5,"traceId":"01020304050607080102030405060708"},{"asDouble":7}]},
               {"count":"2","timeUnixNano":"@0","attributes":[{"key":"k","value":{"stringValue":"no buckets"}}]},
               {"flags":1,"timeUnixNano":"@0","attributes":[{"key":"k","value":{"stringValue":"gone"}}]},
               {"count":"1","bucketCounts":["1"],"explicitBounds":[1,2]},
               {"count":"1","bucketCounts":["1","0","0"],"explicitBounds":[2,1]}]}},
           {"name":"rpc","unit":"ms","summary":{"dataPoints":[
               {"count":"10","sum":20,"timeUnixNano":"@0","quantileValues":[{"quantile":0.5,"value":1},{"quantile":0.99,"value":9}]}]}}"#,
        expect![[r#"
            latency_seconds_sum{instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 4.5@0
            latency_seconds_count{instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 6@0
            latency_seconds_bucket{instance="pod-1", job="checkout", le="0.005", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 1@0
            latency_seconds_bucket{instance="pod-1", job="checkout", le="1", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 3@0 # {trace_id="01020304050607080102030405060708"} 0.5@0
            latency_seconds_bucket{instance="pod-1", job="checkout", le="+Inf", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 6@0 # {} 7@0
            latency_seconds_count{instance="pod-1", job="checkout", k="no buckets", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 2@0
            latency_seconds_bucket{instance="pod-1", job="checkout", k="no buckets", le="+Inf", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 2@0
            latency_seconds_count{instance="pod-1", job="checkout", k="gone", service_instance_id="pod-1", service_name="checkout", service_version="v2"} stale@0
            latency_seconds_bucket{instance="pod-1", job="checkout", k="gone", le="+Inf", service_instance_id="pod-1", service_name="checkout", service_version="v2"} stale@0
            rpc_milliseconds_sum{instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 20@0
            rpc_milliseconds_count{instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 10@0
            rpc_milliseconds{instance="pod-1", job="checkout", quantile="0.5", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 1@0
            rpc_milliseconds{instance="pod-1", job="checkout", quantile="0.99", service_instance_id="pod-1", service_name="checkout", service_version="v2"} 9@0
            target_info{cloud_account_id="acc", instance="pod-1", job="checkout", service_version="v2"} 1@0
            latency_seconds histogram unit="seconds" help=""
            rpc_milliseconds summary unit="milliseconds" help=""
            target_info gauge unit="" help="Target metadata"
            REJECT the histogram has 2 bounds and 1 buckets: one bucket more than bounds is needed x1: {"name":"latency","point":{"attributes":[],"startTimeUnixNano":"0","timeUnixNano":"0","count":"1","sum":null,"bucketCounts":["1"],"explicitBounds":[1.0,2.0],"exemplars":[],"flags":0,"min":null,"max":null}}
            REJECT the histogram's bounds do not increase x1: {"name":"latency","point":{"attributes":[],"startTimeUnixNano":"0","timeUnixNano":"0","count":"1","sum":null,"bucketCounts":["1","0","0"],"explicitBounds":[2.0,1.0],"exemplars":[],"flags":0,"min":null,"max":null}}
        "#]],
    );
}

#[test]
fn exponential_histograms_are_native_ones() {
    check_metrics(
        r#"{"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[
               {"count":"11","sum":5,"min":-8,"max":8,"scale":0,"zeroCount":"1","zeroThreshold":0.25,"timeUnixNano":"@0","startTimeUnixNano":"1795424399000000000",
                "positive":{"offset":-1,"bucketCounts":["0","2","0","3"]},"negative":{"offset":1,"bucketCounts":["4","1"]},
                "exemplars":[{"asDouble":0.5,"traceId":"01020304050607080102030405060708"}]},
               {"count":"12","scale":0,"timeUnixNano":"@0","attributes":[{"key":"k","value":{"stringValue":"gap"}}],
                "positive":{"offset":0,"bucketCounts":["5","0","0","0","0","7"]}},
               {"count":"10","scale":10,"timeUnixNano":"@0","attributes":[{"key":"k","value":{"stringValue":"finer than schema 8"}}],
                "positive":{"offset":-3,"bucketCounts":["1","1","1","1","2"]},"negative":{"offset":3,"bucketCounts":["2","2"]}},
               {"count":"1","scale":-4,"timeUnixNano":"@0","attributes":[{"key":"k","value":{"stringValue":"widest"}}],"positive":{"offset":0,"bucketCounts":["1"]}},
               {"flags":1,"timeUnixNano":"@0","attributes":[{"key":"k","value":{"stringValue":"gone"}}]},
               {"count":"2","sum":"NaN","scale":3,"timeUnixNano":"@0","attributes":[{"key":"k","value":{"stringValue":"saw NaN"}}],"positive":{"offset":0,"bucketCounts":["1"]}},
               {"count":"0","timeUnixNano":"@0","attributes":[{"key":"k","value":{"stringValue":"empty"}}]}]}},
           {"name":"d","unit":"s","exponentialHistogram":{"aggregationTemporality":1,"dataPoints":[
               {"count":"3","sum":3,"scale":1,"timeUnixNano":"@0","startTimeUnixNano":"1795424399000000000","positive":{"offset":-2,"bucketCounts":["1","1","1"]}}]}}"#,
        expect![[r#"
            e{instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} {{count:11 sum:5 z_bucket:1 z_bucket_w:0.25 offset:1 buckets:[2 0 3] n_offset:2 n_buckets:[4 1]}}@0 since -1000 # {trace_id="01020304050607080102030405060708"} 0.5@0
            e{instance="pod-1", job="checkout", k="gap", service_instance_id="pod-1", service_name="checkout", service_version="v2"} {{count:12 z_bucket_w:1e-128 offset:1 buckets:[5 0 0 0 0 7]}}@0
            e{instance="pod-1", job="checkout", k="finer than schema 8", service_instance_id="pod-1", service_name="checkout", service_version="v2"} {{schema:8 count:10 z_bucket_w:1e-128 buckets:[3 3] n_offset:1 n_buckets:[2 2]}}@0
            e{instance="pod-1", job="checkout", k="widest", service_instance_id="pod-1", service_name="checkout", service_version="v2"} {{schema:-4 count:1 z_bucket_w:1e-128 offset:1 buckets:[1]}}@0
            e{instance="pod-1", job="checkout", k="gone", service_instance_id="pod-1", service_name="checkout", service_version="v2"} stale@0
            e{instance="pod-1", job="checkout", k="saw NaN", service_instance_id="pod-1", service_name="checkout", service_version="v2"} {{schema:3 count:2 sum:NaN z_bucket_w:1e-128 offset:1 buckets:[1]}}@0
            e{instance="pod-1", job="checkout", k="empty", service_instance_id="pod-1", service_name="checkout", service_version="v2"} {{z_bucket_w:1e-128}}@0
            d_seconds{instance="pod-1", job="checkout", service_instance_id="pod-1", service_name="checkout", service_version="v2"} {{schema:1 z_bucket_w:1e-128}}@-999 since -1000{{schema:1 count:3 sum:3 z_bucket_w:1e-128 offset:-1 buckets:[1 1 1]}}@0 since -1000
            target_info{cloud_account_id="acc", instance="pod-1", job="checkout", service_version="v2"} 1@0
            e histogram unit="" help=""
            d_seconds histogram unit="seconds" help=""
            target_info gauge unit="" help="Target metadata"
        "#]],
    );
}

#[test]
fn exponential_histograms_that_can_not_be_kept() {
    let decoded = metrics(
        r#"{"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[
               {"count":"1","scale":21},
               {"count":"1","scale":-5,"positive":{"offset":0,"bucketCounts":["1"]}},
               {"count":"2","scale":0,"positive":{"offset":0,"bucketCounts":["1"]}},
               {"count":"1","scale":0,"zeroCount":"1","zeroThreshold":-1},
               {"count":"1","scale":0,"positive":{"offset":2147483647,"bucketCounts":["1"]}}]}}"#,
    );
    let reasons: Vec<&str> = decoded.rejects.iter().map(|reject| reject.reason.as_str()).collect();
    expect![[r#"
        the exponential histogram's scale 21 is above 20
        the exponential histogram's scale -5 is below -4, the coarsest that native histograms have
        1 observations found in buckets, but the Count field is 2: histogram's observation count should equal the number of observations found in the buckets (in absence of NaN)
        the exponential histogram's zero threshold -1 is no width
        the exponential histogram's offset 2147483647 is too large"#]]
    .assert_eq(&reasons.join("\n"));
    let many = vec!["1"; 10_001].join("\",\"");
    let point = format!(r#"{{"count":"10001","scale":0,"positive":{{"offset":0,"bucketCounts":["{many}"]}}}}"#);
    let decoded = metrics(&format!(
        r#"{{"name":"e","exponentialHistogram":{{"aggregationTemporality":2,"dataPoints":[{point}]}}}}"#
    ));
    assert_eq!(decoded.rejects[0].reason, "the exponential histogram has 10001 buckets, the limit is 10000");
    assert!(decoded.series.series.is_empty());
}
