//! The service catalogue, the graph that spans teach, and the four figures, against the real server.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::server::Server;
use crate::shared::repository;

/// How long the graph may take to show what the first look of a server reads.
const PATIENCE: Duration = Duration::from_secs(60);

#[allow(clippy::disallowed_methods, reason = "what the tests send happened a moment ago")]
fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("clock").as_secs()
}

/// A span of OTLP/JSON: `(span, parent, kind, failed, attributes)`, kinds as OTLP numbers them.
fn span(at_secs: u64, span: u8, parent: u8, kind: u8, failed: bool, attributes: &[(&str, &str)]) -> Value {
    let id = |n: u8| format!("{n:016x}");
    let attribute = |(key, text): &(&str, &str)| json!({"key": key, "value": {"stringValue": text}});
    json!({
        "traceId": "4bf92f3577b34da6a3ce929d0e0e4736", "spanId": id(span), "parentSpanId": if parent == 0 { String::new() } else { id(parent) },
        "name": "work", "kind": kind, "startTimeUnixNano": (at_secs * 1_000_000_000).to_string(),
        "endTimeUnixNano": (at_secs * 1_000_000_000 + 5_000_000).to_string(),
        "status": {"code": if failed { 2 } else { 0 }}, "attributes": attributes.iter().map(attribute).collect::<Vec<_>>(),
    })
}

fn resource(service: &str, spans: &[Value]) -> Value {
    let attributes = json!([{"key": "service.name", "value": {"stringValue": service}}]);
    json!({"resource": {"attributes": attributes}, "scopeSpans": [{"spans": spans}]})
}

fn edge(graph: &Value, caller: &str, callee: &str) -> Option<Value> {
    let edges = graph["edges"].as_array().expect("edges");
    edges.iter().find(|edge| edge["caller"] == caller && edge["callee"] == callee).cloned()
}

fn await_edge(server: &Server, caller: &str, callee: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let graph = server.get_json("/backstop/api/v1/services/graph");
        let found = edge(&graph, caller, callee).filter(|edge| edge["traffic"].is_object());
        if let Some(found) = found {
            return found;
        }
        assert!(Instant::now() < deadline, "no calls of {callee} by {caller} after {PATIENCE:?}: {graph}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn spans_teach_the_graph_and_files_state_it() {
    let pattern = repository().join("examples/services/*.yaml").display().to_string();
    let mut server = Server::start_with(&format!("services: ['{pattern}']"));
    let at = now_secs() - 120;
    let sent = server.post(
        "/v1/traces",
        &json!({"resourceSpans": [
            resource("checkout", &[
                span(at, 1, 0, 2, false, &[]),
                span(at, 2, 1, 3, true, &[("server.address", "payment.shop.svc")]),
                span(at, 4, 1, 3, false, &[("peer.service", "stock")]),
            ]),
            resource("payment", &[span(at, 3, 2, 2, false, &[])]),
        ]}),
    );
    assert_eq!(sent.status(), 200);
    server.await_rows("from spans *", 4);
    // A start that finds nothing learned looks back over the last minutes at once.
    assert!(server.stop().success());
    std::fs::remove_file(server.data().join("service-graph.json")).expect("the graph was kept");
    server.restart();
    let stock = await_edge(&server, "checkout", "stock");
    assert_eq!(stock["provenance"], json!(["traces"]));
    let payment = await_edge(&server, "checkout", "payment");
    assert_eq!(payment["provenance"], json!(["file", "traces"]));
    assert!(payment["traffic"]["errors"].as_f64().expect("errors") > 0.99, "{payment}");
    let graph = server.get_json("/backstop/api/v1/services/graph");
    assert!(edge(&graph, "checkout", "payment.shop.svc").is_none(), "its service answered by its own name: {graph}");
    assert!(graph["learning"]["until"].is_string() && graph["learning"]["error"].is_null(), "{graph}");

    // What was learned is kept; the spans are not read again.
    assert!(server.stop().success());
    server.restart();
    let graph = server.get_json("/backstop/api/v1/services/graph");
    assert!(edge(&graph, "checkout", "stock").is_some(), "{graph}");

    let services = server.get_json("/backstop/api/v1/services")["services"].as_array().expect("services").clone();
    let names: Vec<&str> = services.iter().filter_map(|service| service["service"].as_str()).collect();
    assert_eq!(names, ["cart", "checkout", "payment", "postgres", "redis", "stock"]);
    let cart = server.get_json("/backstop/api/v1/services/cart");
    assert_eq!((&cart["criticality"]["tier"], &cart["criticality"]["because_of"]), (&json!(1), &json!("checkout")));
    assert_eq!(cart["blast_radius"], json!(["checkout"]));
    assert_eq!(cart["bake_ns"]["deploy"], json!(3_600_000_000_000_i64));
    let checkout = server.get_json("/backstop/api/v1/services/checkout");
    assert_eq!(checkout["entry"]["checks"][0]["kind"], "errors");
    assert_eq!(checkout["bake_ns"]["flag"], json!(600_000_000_000_i64));
    assert_eq!(server.get("/backstop/api/v1/services/nobody").status(), 404);
}

#[test]
fn the_four_figures_come_from_the_records() {
    let server = Server::start();
    let empty = server.get_json("/backstop/api/v1/dora");
    assert_eq!(empty["overall"]["deployments_per_day"], Value::Null);
    assert_eq!(empty["overall"]["notes"].as_array().map(Vec::len), Some(1), "{empty}");
    let day = 86_400;
    let start = now_secs() - 10 * day;
    let deploy = |id: &str, service: &str, version: &str, day_of: u64, committed: Option<u64>| {
        let mut change = json!({"id": id, "source": "ci", "kind": "deploy", "target": {"service": service},
            "to_version": version, "started_at": start + day_of * day, "finished_at": start + day_of * day});
        if let Some(hours) = committed {
            change["labels"] = json!({"committed_at": (start + day_of * day - hours * 3600).to_string()});
        }
        assert_eq!(server.post("/backstop/api/v1/changes", &change).status(), 201);
    };
    deploy("1", "a", "1", 0, Some(2));
    deploy("2", "a", "2", 4, Some(4));
    deploy("3", "a", "1", 5, None);
    deploy("4", "b", "9", 6, None);
    let figures = server.get_json("/backstop/api/v1/dora?start=-20d");
    let all = &figures["overall"];
    assert_eq!((&all["deployments"], &all["rollbacks"]), (&json!(3), &json!(1)), "{figures}");
    assert!((all["deployments_per_day"].as_f64().expect("rate") - 0.3).abs() < 0.001, "{figures}");
    assert_eq!(all["lead_time"], json!({"median_ns": 3 * 3600 * 1_000_000_000_i64, "n": 2, "of": 3}));
    assert_eq!((&all["change_failures"]["n"], &all["change_failures"]["of"]), (&json!(1), &json!(3)));
    assert_eq!(all["time_to_restore"], json!({"median_ns": null, "n": 0, "of": 0}));
    let b = server.get_json("/backstop/api/v1/dora?service=b");
    assert_eq!(b["services"].as_object().map(|services| services.len()), Some(1), "{b}");
    assert_eq!(b["overall"]["deployments"], 1);
    for bad in ["start=soon", "start=-1d&end=-2d", "sevice=b"] {
        assert_eq!(server.get(&format!("/backstop/api/v1/dora?{bad}")).status(), 400, "{bad}");
    }
}
