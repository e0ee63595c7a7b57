use std::io::Write as _;

use ::http::Request;
use http_body_util::BodyExt as _;
use model::Table;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use pipeline::PipelineOptions;
use tower::ServiceExt as _;

use super::*;
use crate::testing::{Rig, tenant, text};

struct Answer {
    status: u16,
    content_type: String,
    retry_after: Option<String>,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The body as the error that the specification asks for.
    fn status_message(&self) -> rpc::Status {
        rpc::Status::decode(&self.body[..]).unwrap()
    }
}

async fn post(rig: &Rig, path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
    let mut request = Request::post(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let router = otlp_http_router(Otlp::new(Arc::clone(&rig.pipeline)));
    let response = router.oneshot(request.body(body.into()).unwrap()).await.unwrap();
    let header = |name| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let (content_type, retry_after) = (header("content-type").unwrap_or_default(), header("retry-after"));
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes().to_vec();
    Answer { status, content_type, retry_after, body }
}

const AS_JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const AS_PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");

fn logs(records: Vec<LogRecord>) -> Vec<u8> {
    let scope_logs = vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
        .encode_to_vec()
}

fn json_logs(records: &str) -> String {
    format!(
        r#"{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"service.name","value":{{"stringValue":"cart"}}}}]}},"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#
    )
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_full_success_leaves_partial_success_unset_in_both_encodings() {
    let rig = Rig::new();
    let json = post(&rig, "/v1/logs", &[AS_JSON], json_logs(r#"{"body":{"stringValue":"one"}}"#)).await;
    assert_eq!((json.status, json.content_type.as_str(), json.text()), (200, "application/json", "{}"));
    let body = logs(vec![LogRecord { severity_number: 9, ..LogRecord::default() }]);
    let protobuf = post(&rig, "/otlp/v1/logs", &[AS_PROTOBUF], body).await;
    assert_eq!(
        (protobuf.status, protobuf.content_type.as_str(), protobuf.body.len()),
        (200, "application/x-protobuf", 0)
    );
    let rows = rig.rows(Table::Logs);
    assert_eq!(rows.len(), 2);
    assert_eq!((rows[0].body(), text(&rows[0], "service.name").as_str()), ("one", "cart"));
}

#[tokio::test]
async fn every_encoding_path_and_signal_is_served() {
    let rig = Rig::new();
    let body = json_logs(r#"{"body":{"stringValue":"x"}}"#);
    let zstd = zstd::encode_all(body.as_bytes(), 1).unwrap();
    assert_eq!(
        post(&rig, "/v1/logs", &[AS_JSON, ("content-encoding", "gzip")], gzip(body.as_bytes())).await.status,
        200
    );
    assert_eq!(post(&rig, "/v1/logs", &[AS_JSON, ("content-encoding", "zstd")], zstd).await.status, 200);
    assert_eq!(rig.bodies(), ["x", "x"]);
    for path in ["/v1/metrics", "/otlp/v1/metrics", "/api/v1/otlp/v1/metrics"] {
        let body = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"m","gauge":{"dataPoints":[{"asInt":1}]}}]}]}]}"#;
        assert_eq!(post(&rig, path, &[AS_JSON], body).await.text(), "{}", "{path}");
    }
    assert_eq!(rig.store().series().series_count(), 1);
    for path in ["/v1/traces", "/otlp/v1/traces"] {
        let body = r#"{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"s","traceId":"01020304050607080102030405060708","spanId":"0102030405060708"}]}]}]}"#;
        assert_eq!(post(&rig, path, &[AS_JSON], body).await.text(), "{}", "{path}");
    }
    assert_eq!(rig.rows(Table::Spans).len(), 2);
    for (body, header) in [("", AS_PROTOBUF), ("{}", AS_JSON)] {
        assert_eq!(post(&rig, "/v1/traces", &[header], body).await.status, 200, "an empty request is a success");
    }
}

#[tokio::test]
async fn a_partial_success_counts_and_quarantines_the_rejected() {
    let rig = Rig::new();
    let good_and_bad =
        r#"{"body":{"stringValue":"good"}},{"traceId":"zz"},{"timeUnixNano":-1},{"body":{"stringValue":"too"}}"#;
    let answer = post(&rig, "/v1/logs", &[AS_JSON], json_logs(good_and_bad)).await;
    assert_eq!(answer.status, 200);
    let body: serde_json::Value = serde_json::from_str(answer.text()).unwrap();
    assert_eq!(body["partialSuccess"]["rejectedLogRecords"], "2");
    let message = body["partialSuccess"]["errorMessage"].as_str().unwrap();
    assert!(message.contains("hexadecimal"), "{message}");
    assert_eq!(rig.bodies(), ["good", "too"]);
    let quarantined: Vec<String> = rig.rows(Table::Quarantine).iter().map(|row| row.body().to_owned()).collect();
    assert_eq!(quarantined, [r#"{"traceId":"zz"}"#, r#"{"timeUnixNano":-1}"#]);

    let bad = LogRecord { time_unix_nano: u64::MAX, ..LogRecord::default() };
    let answer = post(&rig, "/v1/logs", &[AS_PROTOBUF], logs(vec![bad, LogRecord::default()])).await;
    let body = ExportLogsServiceResponse::decode(&answer.body[..]).unwrap();
    assert_eq!(body.partial_success.map(|partial| partial.rejected_log_records), Some(1));
}

#[tokio::test]
async fn errors_are_statuses_in_the_encoding_of_the_request() {
    let rig = Rig::new();
    let malformed = post(&rig, "/v1/logs", &[AS_PROTOBUF], "\u{1}garbage").await;
    assert_eq!((malformed.status, malformed.content_type.as_str()), (400, "application/x-protobuf"));
    assert_eq!(malformed.status_message().code, tonic::Code::InvalidArgument as i32);
    let json = post(&rig, "/v1/logs", &[AS_JSON], "{").await;
    assert_eq!((json.status, json.content_type.as_str()), (400, "application/json"));
    assert!(
        json.text().starts_with(r#"{"code":3,"message":"the body is not a JSON ExportLogsServiceRequest"#),
        "{}",
        json.text()
    );
    for (headers, want) in [
        (&[("content-type", "text/plain")][..], 415),
        (&[][..], 415),
        (&[AS_JSON, ("content-encoding", "br")], 415),
        (&[AS_JSON, ("content-encoding", "gzip")], 400),
        (&[AS_JSON, ("x-scope-orgid", "a/b")], 400),
        (&[AS_JSON, ("content-length", "99999999999")], 413),
    ] {
        assert_eq!(post(&rig, "/v1/logs", headers, "{}").await.status, want, "{headers:?}");
    }
    assert_eq!(rig.rows(Table::Quarantine).len(), 0);
}

#[tokio::test]
async fn the_tenant_is_the_headers() {
    let rig = Rig::new();
    let headers = [AS_JSON, ("x-scope-orgid", "team-a")];
    post(&rig, "/v1/logs", &headers, json_logs(r#"{"body":{"stringValue":"theirs"}}"#)).await;
    assert_eq!(rig.rows(Table::Logs).len(), 0);
    assert_eq!(rig.rows_of(&tenant("team-a"), Table::Logs).len(), 1);
}

#[tokio::test]
async fn a_busy_store_answers_429_with_a_time_to_wait() {
    let rig = Rig::busy().await;
    let body = logs(vec![LogRecord::default()]);
    let answer = post(&rig, "/v1/logs", &[AS_PROTOBUF], body).await;
    assert_eq!((answer.status, answer.retry_after.as_deref()), (429, Some("1")));
    let status = answer.status_message();
    assert_eq!((status.code, status.details.len()), (tonic::Code::ResourceExhausted as i32, 1));
    assert_eq!(rig.rows(Table::Logs).len(), 0);
}

/// R29, and the budget: memory is given back whatever the end of a request.
#[tokio::test]
async fn bombs_and_a_used_up_budget_are_refused() {
    let rig = Rig::with(|_| {}, PipelineOptions { in_flight_bytes_max: 1 << 20 });
    let bomb = gzip(&vec![b' '; 32 << 20]);
    let answer = post(&rig, "/v1/logs", &[AS_JSON, ("content-encoding", "gzip")], bomb.clone()).await;
    assert_eq!((answer.status, answer.retry_after.as_deref()), (429, Some("1")), "{}", answer.text());
    assert_eq!(rig.pipeline.in_flight_bytes(), 0);
    let rig = Rig::new();
    let answer = post(&rig, "/v1/logs", &[AS_JSON, ("content-encoding", "gzip")], bomb).await;
    assert_eq!(answer.status, 413);
    assert!(answer.text().contains("decompression bomb"), "{}", answer.text());
    assert_eq!(rig.pipeline.in_flight_bytes(), 0);
}

/// R25: a connection that is cut within a body leaves nothing behind.
#[tokio::test]
async fn a_body_that_is_cut_off_is_not_ingested() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let rig = Rig::new();
    let shutdown = CancellationToken::new();
    let any_port = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = serve_otlp_http(any_port, Otlp::new(Arc::clone(&rig.pipeline)), shutdown.clone()).await.unwrap();
    let body = json_logs(r#"{"body":{"stringValue":"x"}}"#);
    let head = format!(
        "POST /v1/logs HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let mut cut = tokio::net::TcpStream::connect(listener.address()).await.unwrap();
    cut.write_all(format!("{head}{}", &body[..body.len() - 1]).as_bytes()).await.unwrap();
    drop(cut);
    let mut whole = tokio::net::TcpStream::connect(listener.address()).await.unwrap();
    whole.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
    let mut answer = [0; 15];
    whole.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 200 OK");
    drop(whole);
    shutdown.cancel();
    listener.stopped().await;
    assert_eq!((rig.bodies().len(), rig.pipeline.in_flight_bytes()), (1, 0));
}

/// A small body is decoded where it was read, a large one on another thread.
#[tokio::test]
async fn bodies_of_every_size_are_stored_alike() {
    let rig = Rig::new();
    let mut stored = 0;
    for records in [0, 1, 10, 20_000] {
        for compressed in [false, true] {
            let body = logs(vec![LogRecord { severity_number: 9, ..LogRecord::default() }; records]);
            let (headers, body) = if compressed {
                (vec![AS_PROTOBUF, ("content-encoding", "gzip")], gzip(&body))
            } else {
                (vec![AS_PROTOBUF], body)
            };
            assert_eq!(post(&rig, "/v1/logs", &headers, body).await.status, 200, "{records} {compressed}");
            stored += records;
            assert_eq!(rig.rows(Table::Logs).len(), stored, "{records} {compressed}");
        }
    }
}
