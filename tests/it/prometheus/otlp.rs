//! Exponential histograms of OTLP: the same requests to both, and the same answers from both.

use serde_json::{Value, json};

use super::compare::{Texts, Times, compare};
use super::daemon::{Api, Prometheus, newest, seconds};
use crate::server::Server;

/// When the first point is from, in milliseconds, and how far points are apart.
const STEP_MS: i64 = 10_000;

/// A point of a counter that has counted for a while, with gaps between its buckets, at some scale.
fn point(at: i64, start_ms: i64, time_ms: i64, scale: i64, kind: &str) -> Value {
    let counts: Vec<String> = (0..40).map(|bucket| ((at + 1) * (bucket % 7)).to_string()).collect();
    let below = vec![(at + 1).to_string(), "0".to_owned(), (2 * (at + 1)).to_string()];
    let total: i64 = counts.iter().chain(&below).map(|count| count.parse::<i64>().expect("a number")).sum();
    json!({
        "attributes": [{"key": "kind", "value": {"stringValue": kind}}],
        "startTimeUnixNano": (start_ms * 1_000_000).to_string(), "timeUnixNano": (time_ms * 1_000_000).to_string(),
        "count": (total + at + 5).to_string(), "sum": 3.5 * (at + 1) as f64, "min": -4, "max": 9, "scale": scale,
        "zeroCount": (at + 5).to_string(),
        "positive": {"offset": -25, "bucketCounts": counts}, "negative": {"offset": 3, "bucketCounts": below},
    })
}

/// Twelve points of each kind, the last at `end_ms`.
fn request(end_ms: i64) -> Value {
    let start_ms = end_ms - 12 * STEP_MS;
    let scales = [("coarse", -4), ("one", 0), ("sdk", 5), ("finest kept", 8), ("finer", 12), ("finest", 20)];
    let points: Vec<Value> = scales
        .iter()
        .flat_map(|(kind, scale)| {
            (0..12).map(move |at| point(at, start_ms, start_ms + (at + 1) * STEP_MS, *scale, kind))
        })
        .collect();
    let metric = json!({"name": "shop.latency", "unit": "s", "exponentialHistogram": {"aggregationTemporality": 2, "dataPoints": points}});
    let attributes = json!([
        {"key": "service.name", "value": {"stringValue": "shop"}},
        {"key": "service.instance.id", "value": {"stringValue": "pod-1"}},
    ]);
    json!({"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": [metric]}]}]})
}

const QUERIES: [&str; 16] = [
    "shop_latency_seconds",
    "histogram_quantile(0.5, shop_latency_seconds)",
    "histogram_quantile(0.99, sum(rate(shop_latency_seconds[1m])))",
    "histogram_quantile(0.01, sum by (kind) (increase(shop_latency_seconds[40s])))",
    "histogram_count(shop_latency_seconds)",
    "histogram_sum(rate(shop_latency_seconds[1m]))",
    "histogram_avg(shop_latency_seconds)",
    "histogram_fraction(-1, 1, shop_latency_seconds)",
    "histogram_stddev(shop_latency_seconds)",
    "rate(shop_latency_seconds[1m])",
    "sum(shop_latency_seconds)",
    "avg by (job) (shop_latency_seconds)",
    "resets(shop_latency_seconds[2m])",
    "shop_latency_seconds_bucket",
    "shop_latency_seconds_count",
    "shop_latency_seconds - shop_latency_seconds offset 10s",
];

#[allow(clippy::disallowed_methods, reason = "what the tests send happened a moment ago")]
fn now_ms() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a time after 1970");
    i64::try_from(since.as_millis()).expect("a time before 2262")
}

#[test]
fn exponential_histograms_of_otlp_answer_histogram_quantile() {
    let mut server = Server::start();
    let end_ms = now_ms() - 1000;
    let quantile = |server: &Server, q: f64| {
        let expr = format!("histogram_quantile({q}, sum(shop_latency_seconds{{kind=\"one\"}}))");
        let found = Api::new(&server.url).instant(&expr, end_ms);
        assert_eq!(found.len(), 1, "{expr}: {found:?}");
        found[0].1
    };
    assert_eq!(Api::new(&server.url).post_json("/v1/metrics", &request(end_ms)), 200);
    // Of scale 0: 36 of 1432 are below zero, 16 at zero, and bucket b holds 12 * (b % 7) between 2^(b-25) and 2^(b-24). Up to b = 18 that is 676
    // of all, with b = 19 it is 736.
    let median = quantile(&server, 0.5);
    assert!((2f64.powi(-6)..=2f64.powi(-5)).contains(&median), "{median}");
    assert!((-64.0..-32.0).contains(&quantile(&server, 0.001)));
    server.kill();
    server.restart();
    assert_eq!(quantile(&server, 0.5), median, "it is durable");
    assert_eq!(server.count("from quarantine *"), 0);
}

#[test]
fn exponential_histograms_of_otlp_are_those_of_the_newest_prometheus() {
    let Some(program) = newest() else { return };
    let server = Server::start();
    let config = "otlp: {promote_resource_attributes: [service.name, service.instance.id]}\n";
    let prometheus = Prometheus::configured(&program, config, &["--web.enable-otlp-receiver"]);
    let (theirs, ours) = (Api::new(&prometheus.url), Api::new(&server.url));
    let end_ms = now_ms() - 1000;
    let request = request(end_ms);
    assert_eq!(theirs.post_json("/api/v1/otlp/v1/metrics", &request), 200, "{}", prometheus.log());
    assert_eq!(ours.post_json("/v1/metrics", &request), 200);
    let times = Times { start_ms: end_ms - 60_000, end_ms, step_ms: 5_000 };
    let tally = compare(&theirs, &ours, &QUERIES, times, Texts::Same);
    tally.assert_same("newest Prometheus, OTLP");
    assert!(tally.filled >= 28, "{} of {} have something in them", tally.filled, tally.answers);
    let found =
        ours.data("/api/v1/query", &[("query", "count(shop_latency_seconds)"), ("time", seconds(end_ms).as_str())]);
    assert_eq!(found["result"][0]["value"][1], "6");
}
