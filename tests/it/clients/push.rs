//! Clients that push metrics: InfluxDB's of both versions, StatsD's, Datadog's, OpenTelemetry's with deltas and exponential histograms, and
//! carbon's pickles; in `agents.rs` programs: collectd, Telegraf and k6.

mod agents;

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::assert_fields;
use crate::server::Server;
use crate::shared::{python, run};

/// Flushes of StatsD come soon enough for a test.
const SOON: &str = "ingest: {statsd: {flush_interval: 200ms}}";

/// Runs a client against a target, and gives the second of its first sample; nothing when there is no Python.
fn send(client: &str, target: &str) -> Option<u64> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/it/clients/push.py");
    let printed = run(Command::new(python()?).args([script, client, target]));
    Some(printed.trim().parse().expect("a second"))
}

/// The series of a query of one time, each with its value.
fn ask(server: &Server, expr: &str, time_s: Option<u64>) -> Vec<(Value, f64)> {
    let mut url: reqwest::Url = format!("{}/api/v1/query", server.url).parse().expect("a URL");
    url.query_pairs_mut().append_pair("query", expr);
    if let Some(time) = time_s {
        url.query_pairs_mut().append_pair("time", &time.to_string());
    }
    let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
    let answer = server.get_json(&path);
    assert_eq!(answer["status"], "success", "{expr}: {answer}");
    let value = |series: &Value| series["value"][1].as_str().and_then(|text| text.parse().ok()).expect("a number");
    let found = answer["data"]["result"].as_array().expect("a vector");
    found.iter().map(|series| (series["metric"].clone(), value(series))).collect()
}

/// The only value of a query.
fn value(server: &Server, expr: &str, time_s: Option<u64>) -> f64 {
    let found = ask(server, expr, time_s);
    assert_eq!(found.len(), 1, "{expr}: {found:?}");
    found[0].1
}

/// Asks until the only value of a query is what is wanted.
fn await_value(server: &Server, expr: &str, want: f64) {
    for _ in 0..200 {
        if let [(_, found)] = ask(server, expr, None)[..]
            && found == want
        {
            return;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{expr} never became {want}: {:?}", ask(server, expr, None));
}

#[test]
fn influxdbs_python_client_of_version_1() {
    let server = Server::start();
    let Some(base) = send("influxdb", &server.url) else { return };
    let last = Some(base + 49);
    assert_eq!(value(&server, "cart_items", last), 49.0);
    assert_eq!(value(&server, "cart_total", last), 49.5);
    assert_eq!(value(&server, "cart_open", last), 0.0);
    assert_eq!(value(&server, "cart_v", last), 1.0, "a good line behind a broken one");
    let found = ask(&server, "count_over_time(cart_items[2m])", last);
    assert_eq!(found, [(json!({"db": "shop", "q": "a=b,c", "region": "eu west"}), 50.0)]);
    assert_eq!(server.count("from quarantine protocol:=influx"), 1);
    let metrics = server.get("/metrics").text().expect("text");
    assert!(metrics.contains("backstop_influx_strings_dropped_total 50"), "{metrics}");
}

#[test]
fn influxdbs_python_client_of_version_2() {
    let server = Server::start();
    let Some(base) = send("influxdb-client", &server.url) else { return };
    let found = ask(&server, "count_over_time(orders_n[2m])", Some(base + 49));
    assert_eq!(found, [(json!({"db": "b", "kind": "web,phone"}), 50.0)]);
    assert_eq!(value(&server, "orders_n", Some(base + 49)), 49.0);
}

#[test]
fn statsds_python_client_over_udp_and_tcp() {
    let server = Server::start_with(SOON);
    for (client, listener) in [("statsd-udp", "statsd_udp"), ("statsd-tcp", "statsd_tcp")] {
        let Some(_) = send(client, &server.listener(listener).to_string()) else { return };
    }
    await_value(&server, "py_hits", 200.0);
    await_value(&server, "py_load_count", 100.0);
    assert_eq!(value(&server, "py_load_sum", None), 32_000.0);
    let median = value(&server, "histogram_quantile(0.5, py_load)", None);
    assert!((300.0..=340.0).contains(&median), "{median}");
    await_value(&server, "py_queue", 25.0);
    assert!(value(&server, "increase(py_hits[5m])", None) > 150.0, "the first values count");
    assert_eq!(server.count("from quarantine *"), 0);
}

#[test]
fn datadogs_python_client() {
    let server = Server::start_with(SOON);
    let Some(_) = send("datadog", &server.listener("statsd_udp").to_string()) else { return };
    await_value(&server, "sum by (env) (dog_hits{env=\"prod\"})", 50.0);
    assert_eq!(value(&server, "dog_hits{kind=\"phone\"}", None), 10.0);
    assert_eq!(value(&server, "dog_size_sum{beta=\"true\"}", None), 1275.0);
    let high = value(&server, "histogram_quantile(0.9, dog_size)", None);
    assert!((41.0..=49.0).contains(&high), "{high}");
    assert_eq!(value(&server, "dog_temp", None), 21.5);
    let rows = server.await_rows("event_name:=dogstatsd.event", 1);
    let want = json!({"body": "Deploy\ncart v2\nwent out", "severity": "ERROR", "service.name": "cart", "deployment.environment.name": "prod"});
    assert_fields(&rows[0], &want);
    let rows = server.await_rows("event_name:=dogstatsd.service_check", 1);
    assert_fields(
        &rows[0],
        &json!({"body": "no answer", "check.name": "db.up", "check.status": "critical", "shard": "3"}),
    );
    assert_eq!(server.count("from quarantine *"), 0);
}

#[test]
fn pickles_of_every_protocol_of_python() {
    let server = Server::start();
    let Some(base) = send("pickle", &server.listener("graphite_pickle").to_string()) else { return };
    let last = Some(base + 9);
    for _ in 0..200 {
        if ask(&server, "{__name__=~\"pickle_p.\"}", last).len() >= 50 {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let found = ask(&server, "sum by (__name__) ({__name__=~\"pickle_p.\"})", last);
    assert!(found.len() >= 5, "{found:?}");
    assert!(found.iter().all(|(_, sum)| *sum == 50.0), "{found:?}");
    assert_eq!(server.count("from quarantine *"), 0);
}

/// Counters and histograms of delta temporality are added up, an exponential histogram is a native one.
fn check_otel(client: &str, listener: &str) {
    let server = Server::start();
    let target = format!("http://{}", server.listener(listener));
    let Some(_) = send(client, &target) else { return };
    assert_eq!(value(&server, "orders_total{kind=\"web\"}", None), 150.0);
    assert_eq!(value(&server, "order_duration_seconds_count", None), 150.0);
    assert_eq!(value(&server, "histogram_count(order_size_bytes)", None), 150.0);
    let median = value(&server, "histogram_quantile(0.5, order_size_bytes)", None);
    assert!((16.0..=32.0).contains(&median), "{median}");
    assert_eq!(ask(&server, "target_info{os_type=\"linux\"}", None).len(), 1);
    assert_eq!(server.count("from quarantine *"), 0);
}

#[test]
fn deltas_of_the_python_sdk_over_http() {
    check_otel("otel-http", "otlp_http");
}

#[test]
fn deltas_of_the_python_sdk_over_grpc() {
    check_otel("otel-grpc", "otlp_grpc");
}
