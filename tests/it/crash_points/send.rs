//! Whoever sends to the server: the shop its records and its metric, the release tool its change, a person an approval. Each tries
//! again until it is acknowledged, as a real one would, and the server is held to what it acknowledged.

use std::collections::HashMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use model::Timestamp;
use reqwest::blocking::Client;
use serde_json::{Value, json};

use super::variant::{TOKEN, Variant, change};

/// Pause between two rounds.
const PAUSE: Duration = Duration::from_millis(120);
/// Records of one request.
const RECORDS: u64 = 5;
/// How long the server may take to answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// What was sent, and what the server acknowledged of it.
pub(crate) struct Sent {
    /// Where the server is; nothing while it is down.
    pub(crate) url: Option<String>,
    /// Numbers of the records that it acknowledged.
    pub(crate) records: Vec<u64>,
    /// Whether it acknowledged the change.
    pub(crate) change: bool,
    next: u64,
    last: Option<Instant>,
    deployed_at: String,
    client: Client,
}

impl Sent {
    pub(crate) fn new() -> Self {
        let client = Client::builder().timeout(TIMEOUT).no_proxy().build().expect("client");
        let deployed_at = Timestamp::from_millis(now_ms() - 2000).to_string();
        Self { url: None, records: Vec::new(), change: false, next: 0, last: None, deployed_at, client }
    }

    /// Sends another round when it is time and the server is up.
    pub(crate) fn go_on(&mut self, variant: Variant, well: bool) {
        if self.url.is_none() || self.last.is_some_and(|last| last.elapsed() < PAUSE) {
            return;
        }
        self.last = Some(Instant::now());
        if !self.change {
            let body = change(&self.deployed_at);
            self.change = self.post("/backstop/api/v1/changes", &body.to_string(), None);
        }
        let numbers: Vec<u64> = (self.next..self.next + RECORDS).collect();
        self.next += RECORDS;
        let lines: String = numbers.iter().map(|n| format!("{{\"msg\":\"order {n}\",\"n\":{n}}}\n")).collect();
        if self.post("/backstop/api/v1/ingest?format=json&service=shop", &lines, None) {
            self.records.extend(numbers);
        }
        self.post("/v1/metrics", &errors(if well { 0.0 } else { 10.0 }).to_string(), None);
        if variant == Variant::Approval {
            self.approve();
        }
    }

    fn approve(&self) {
        let Some(found) = self.get("/backstop/api/v1/approvals?state=pending") else { return };
        for approval in found["approvals"].as_array().into_iter().flatten() {
            let path = format!("/backstop/api/v1/approvals/{}", approval["id"].as_str().expect("id"));
            self.post(&path, &json!({"decision": "approve"}).to_string(), Some(TOKEN));
        }
    }

    /// Whether the server took it.
    fn post(&self, path: &str, body: &str, token: Option<&str>) -> bool {
        let Some(url) = &self.url else { return false };
        let mut request = self.client.post(format!("{url}{path}")).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        request.body(body.to_owned()).send().is_ok_and(|answer| answer.status().is_success())
    }

    fn get(&self, path: &str) -> Option<Value> {
        let answer = self.client.get(format!("{}{path}", self.url.as_ref()?)).send().ok()?;
        answer.status().is_success().then(|| answer.json().ok()).flatten()
    }

    /// Whether everything that was acknowledged is there, once.
    pub(crate) fn all_there(&self) -> Result<(), String> {
        let url = self.url.as_ref().ok_or("the server is down")?;
        let query = json!({"query": "service.name:=shop | fields n", "limit": 1_000_000});
        let asked = self.client.post(format!("{url}/backstop/api/v1/query")).header("accept", "application/json");
        let answer = asked.json(&query).send().and_then(reqwest::blocking::Response::json::<Value>);
        let answer = answer.map_err(|error| format!("the records can not be read: {error}"))?;
        let mut seen: HashMap<u64, u32> = HashMap::new();
        for row in answer["rows"].as_array().ok_or_else(|| format!("no rows: {answer}"))? {
            *seen.entry(row["n"].as_u64().ok_or_else(|| format!("no number: {row}"))?).or_default() += 1;
        }
        if let Some(lost) = self.records.iter().find(|n| !seen.contains_key(n)) {
            return Err(format!("the acknowledged record {lost} is lost"));
        }
        if let Some((n, times)) = seen.iter().find(|(_, times)| **times > 1) {
            return Err(format!("record {n} is there {times} times"));
        }
        let known = self.get("/backstop/api/v1/changes/ci/d-2");
        known.map(|_| ()).ok_or_else(|| "the acknowledged change is lost".to_owned())
    }
}

#[allow(clippy::disallowed_methods, reason = "what the tests send happened a moment ago")]
fn now_ms() -> i64 {
    let age = SystemTime::now().duration_since(UNIX_EPOCH).expect("clock");
    i64::try_from(age.as_millis()).expect("this age")
}

/// The shop's metric, as OTLP.
fn errors(number: f64) -> Value {
    let point = json!({"asDouble": number, "timeUnixNano": (now_ms() * 1_000_000).to_string()});
    let metric = json!({"name": "shop_errors", "gauge": {"dataPoints": [point]}});
    let attributes = json!([{"key": "service.name", "value": {"stringValue": "shop"}}]);
    json!({"resourceMetrics": [{"resource": {"attributes": attributes}, "scopeMetrics": [{"metrics": [metric]}]}]})
}
