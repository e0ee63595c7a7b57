//! Metrics on the real binary, with what senders really put on the wire: nothing acknowledged is lost to `kill -9`, a flood of one
//! metric harms no alert on another, what comes late or in any order comes out right, and another program reads the blocks.

pub(crate) mod backfill;
mod blocks;
mod crash;
mod downsampling;
mod flood;
mod wire;

use std::collections::BTreeMap;

use reqwest::blocking::Client;
use serde_json::Value;

use crate::server::Server;

/// Samples of a series, by time: the bits of each value, for NaN is no different from itself here.
type Samples = BTreeMap<i64, u64>;

/// Series by their labels, as JSON has them.
type Series = BTreeMap<String, Samples>;

/// The bits by which values are compared; JSON has one NaN.
fn bits(value: f64) -> u64 {
    if value.is_nan() { f64::NAN.to_bits() } else { value.to_bits() }
}

/// Labels as the keys of [`Series`].
fn key(labels: &[(&str, &str)]) -> String {
    let sorted: BTreeMap<&str, &str> = labels.iter().copied().collect();
    serde_json::to_string(&sorted).expect("texts")
}

fn asked(server: &Server, path: &str, parameters: &[(&str, &str)]) -> Value {
    let mut url: reqwest::Url = format!("{}{path}", server.url).parse().expect("a URL");
    url.query_pairs_mut().extend_pairs(parameters);
    let answer = server.get_json(&format!("{}?{}", url.path(), url.query().unwrap_or_default()));
    assert_eq!(answer["status"], "success", "{parameters:?}: {answer}");
    assert!(answer["warnings"].is_null(), "{parameters:?}: {answer}");
    answer["data"]["result"].clone()
}

/// Milliseconds as Prometheus writes times.
fn seconds(time_ms: i64) -> String {
    format!("{}.{:03}", time_ms.div_euclid(1000), time_ms.rem_euclid(1000))
}

/// The numbers of an answer, by series; a time that is there twice is a mistake.
fn numbers(result: &Value) -> Series {
    let mut all = Series::new();
    for series in result.as_array().expect("series") {
        let mut samples = Samples::new();
        for sample in series["values"].as_array().into_iter().flatten() {
            let time_ms = (sample[0].as_f64().expect("a time") * 1000.0).round() as i64;
            let value: f64 = sample[1].as_str().and_then(|text| text.parse().ok()).expect("a number");
            assert_eq!(samples.insert(time_ms, bits(value)), None, "{} has two samples at {time_ms}", series["metric"]);
        }
        let labels: BTreeMap<String, String> = serde_json::from_value(series["metric"].clone()).expect("labels");
        let key = serde_json::to_string(&labels).expect("texts");
        assert_eq!(all.insert(key, samples), None, "{} is there twice", series["metric"]);
    }
    all
}

/// Every sample of a selector in the time before `end_ms`.
fn stored(server: &Server, selector: &str, range: &str, end_ms: i64) -> Value {
    let query = format!("{selector}[{range}]");
    asked(server, "/api/v1/query", &[("query", query.as_str()), ("time", seconds(end_ms).as_str())])
}

/// What a range query says.
fn ranged(server: &Server, query: &str, from_ms: i64, to_ms: i64, step: &str) -> Series {
    let (from, to) = (seconds(from_ms), seconds(to_ms));
    let parameters = [("query", query), ("start", from.as_str()), ("end", to.as_str()), ("step", step)];
    numbers(&asked(server, "/api/v1/query_range", &parameters))
}

/// The only value of a query at a time.
fn single(server: &Server, query: &str, time_ms: i64) -> f64 {
    let result = asked(server, "/api/v1/query", &[("query", query), ("time", seconds(time_ms).as_str())]);
    let found = result.as_array().expect("a vector");
    assert_eq!(found.len(), 1, "{query}: {result}");
    found[0]["value"][1].as_str().and_then(|text| text.parse().ok()).expect("a number")
}

fn flush(server: &Server, compact: bool) {
    let answer = server.post(&format!("/backstop/api/v1/admin/flush?compact={compact}"), &Value::Null);
    assert!(answer.status().is_success(), "{}", answer.text().unwrap_or_default());
}

/// A client that waits for an answer as long as a busy machine may take.
fn client() -> Client {
    Client::builder().timeout(std::time::Duration::from_secs(60)).no_proxy().build().expect("client")
}

/// Tells threads to stop when it goes, also when a check has failed: a scope waits for its threads.
struct StopAtEnd<'a>(&'a std::sync::atomic::AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}
