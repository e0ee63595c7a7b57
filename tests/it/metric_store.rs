//! The metric store on the real binary: what a flood of one metric does to the others, and who asks for what.

use std::process::Command;

use serde_json::{Value, json};

use crate::server::Server;
use crate::shared::binary;

/// Sends the lines of InfluxDB's protocol; gives the status and the text of the answer.
fn send(server: &Server, lines: &str) -> (u16, String) {
    let url = format!("{}/influx/write?precision=ms", server.url);
    let answer = reqwest::blocking::Client::new().post(url).body(lines.to_owned()).send().expect("answer");
    (answer.status().as_u16(), answer.text().unwrap_or_default())
}

fn value(server: &Server, query: &str) -> Value {
    let answer = server.get_json(&format!("/api/v1/query?query={query}"));
    answer["data"]["result"][0]["value"][1].clone()
}

#[test]
fn a_flood_of_one_metric_stops_that_metric_alone_and_the_reason_is_told() {
    let server = Server::start_with("store:\n  series_per_metric_max: 3\n");
    let now = telemetry::clock::now().millis();
    let (status, said) = send(&server, &format!("steady,host=a v=1 {now}\n"));
    assert_eq!(status, 204, "{said}");
    let flood: String = (0..50).map(|n| format!("noisy,user=u{n} v={n} {now}\nsteady,host=b v=2 {now}\n")).collect();
    let (status, said) = send(&server, &flood);
    assert_eq!(status, 400, "{said}");
    assert!(said.contains("series_per_metric_max"), "the reason is told: {said}");
    assert_eq!(value(&server, "count(noisy_v)"), json!("3"));
    assert_eq!(value(&server, "sum(steady_v)"), json!("3"), "the others go on");
    let (status, said) = send(&server, &format!("noisy,user=u0 v=7 {}\nsteady,host=c v=4 {}\n", now + 1, now + 1));
    assert_eq!(status, 204, "what is known goes on: {said}");
    assert_eq!(value(&server, "sum(steady_v)"), json!("7"));
}

#[test]
fn metrics_that_nobody_asks_for_come_first_in_the_report() {
    let server = Server::start();
    let now = telemetry::clock::now().millis();
    let (status, said) =
        send(&server, &format!("wanted,host=a v=1 {now}\nunwanted,host=a v=1 {now}\nunwanted,host=b v=1 {now}\n"));
    assert_eq!(status, 204, "{said}");
    assert_eq!(value(&server, "wanted_v"), json!("1"));
    let report = server.get_json("/backstop/api/v1/metrics/usage?limit=10");
    let named = |name: &str| {
        let all = report["metrics"].as_array().expect("metrics");
        let at = all.iter().position(|metric| metric["metric"] == name).unwrap_or_else(|| panic!("{name}: {report}"));
        (at, all[at].clone())
    };
    let ((unwanted_at, unwanted), (wanted_at, wanted)) = (named("unwanted_v"), named("wanted_v"));
    assert!(unwanted_at < wanted_at, "{report}");
    assert_eq!((&unwanted["series"], &unwanted["asked_at"]), (&json!(2), &Value::Null));
    assert!(wanted["asked_at"].is_string(), "{wanted}");
}

#[test]
fn some_series_are_kept_for_another_time() {
    let config =
        "store:\n  retention_metrics: 90d\n  retention_series: [{selector: 'debug_v{host=\"a\"}', keep: 1h}]\n";
    let server = Server::start_with(config);
    let now = telemetry::clock::now().millis();
    let old = now - 2 * 3_600_000;
    let (status, said) =
        send(&server, &format!("debug,host=a v=1 {old}\ndebug,host=b v=1 {old}\ndebug,host=a v=1 {now}\n"));
    assert_eq!(status, 204, "{said}");
    let kept = || {
        (
            value(&server, "sum(count_over_time(debug_v{host=\"a\"}[1d]))"),
            value(&server, "sum(count_over_time(debug_v{host=\"b\"}[1d]))"),
        )
    };
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while kept() != (json!("1"), json!("1")) {
        assert!(std::time::Instant::now() < deadline, "{:?}", kept());
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    let file = server.path("wrong.yaml");
    std::fs::write(&file, "listen: 127.0.0.1:0\nstore:\n  retention_series: [{selector: 'debug{', keep: 1h}]\n")
        .expect("write");
    let (file, data) = (file.display().to_string(), server.path("other").display().to_string());
    let refused =
        Command::new(binary()).args(["serve", "--config", &file, "--data", &data]).output().expect("the binary runs");
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("store.retention_series.selector"), "{said}");
}
