//! OpenTelemetry's Python SDK, over HTTP (protobuf, gzip) and gRPC.

use std::process::Command;

use serde_json::{Value, json};

use super::assert_fields;
use crate::server::Server;
use crate::shared::{python, run};

fn send(server: &Server, protocol: &str, listener: &str) -> Option<Vec<Value>> {
    let python = python()?;
    let endpoint = format!("http://{}", server.listener(listener));
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/it/clients/otel.py");
    let sent = run(Command::new(python).args([script, protocol, &endpoint]));
    Some(serde_json::from_str(&sent).expect("JSON"))
}

fn check(protocol: &str, listener: &str) {
    let server = Server::start();
    let Some(sent) = send(&server, protocol, listener) else { return };
    let filter = format!("service.name:=py-{protocol}");
    let rows = server.await_rows(&filter, sent.len());
    assert_eq!(rows.len(), sent.len());
    for want in &sent {
        let row = rows.iter().find(|row| row["trace_id"] == want["trace_id"]);
        let row = row.unwrap_or_else(|| panic!("the record of {want} is missing"));
        assert_fields(row, want);
        let id = want["trace_id"].as_str().expect("trace id");
        assert_eq!(server.count(&format!("trace_id:={id}")), 1);
    }
    check_spans(&server, &sent);
    check_metrics(&server, protocol);
}

fn check_spans(server: &Server, sent: &[Value]) {
    let spans = server.query("from spans | fields name, trace_id, span_id, order.id, service.name, kind, duration_ns");
    assert_eq!(spans.len(), sent.len());
    for want in sent {
        let span = spans.iter().find(|span| span["span_id"] == want["span_id"]).expect("span");
        let name = format!("order-{}", want["order.id"]);
        assert_fields(
            span,
            &json!({"name": name, "trace_id": want["trace_id"], "order.id": want["order.id"], "kind": "internal"}),
        );
    }
}

fn check_metrics(server: &Server, protocol: &str) {
    let query = |expr: &str| {
        let answer = server.get_json(&format!(
            "/api/v1/query?query={}",
            expr.replace('{', "%7B").replace('}', "%7D").replace('"', "%22").replace('=', "%3D")
        ));
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"]["result"].clone()
    };
    let by_kind = query(&format!("orders_total{{job=\"py-{protocol}\"}}"));
    let mut values: Vec<(&str, &str)> = by_kind
        .as_array()
        .expect("vector")
        .iter()
        .map(|series| (series["metric"]["kind"].as_str().expect("kind"), series["value"][1].as_str().expect("value")))
        .collect();
    values.sort_unstable();
    assert_eq!(values, [("phone", "10"), ("web", "40")]);
    let count = query(&format!("order_duration_seconds_count{{job=\"py-{protocol}\"}}"));
    assert_eq!(count[0]["value"][1], "50", "{count}");
}

#[test]
fn the_python_sdk_over_http_is_stored_field_by_field() {
    check("http", "otlp_http");
}

#[test]
fn the_python_sdk_over_grpc_is_stored_field_by_field() {
    check("grpc", "otlp_grpc");
}
