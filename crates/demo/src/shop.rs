//! The simulated shop: five services that serve requests, fail when a release is bad, and report as real ones do.
//!
//! `frontend`, `cart` and `checkout` speak OTLP over HTTP; `payment` writes RFC 5424 syslog over TCP, `catalog` RFC 3164
//! over UDP. The shop has a deploy endpoint of its own: `POST /deploy/{service}` with `{"version": "..."}`, and
//! `GET /deploy/{service}` tells what runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use opentelemetry_proto::tonic::logs::v1::SeverityNumber;
use rand::Rng as _;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::DemoError;
use crate::otlp::{LogLine, Operation, RequestCount, Sender, int, text};

/// The release of `checkout` that fails.
pub(crate) const BAD_VERSION: &str = "2.0.0";
/// The release that every service starts with.
pub(crate) const GOOD_VERSION: &str = "1.9.3";
/// Share of checkouts that the bad release fails.
const BAD_FAILURE_RATIO: f64 = 0.35;
/// Share of requests that fail at any time, as in every real shop.
const BASE_FAILURE_RATIO: f64 = 0.002;
/// Services, in the order in which a request meets them.
pub(crate) const SERVICES: [&str; 5] = ["frontend", "catalog", "cart", "checkout", "payment"];

/// The shop's state, shared by its load, its reporters and its deploy endpoint.
#[derive(Clone)]
pub(crate) struct Shop {
    state: Arc<Mutex<ShopState>>,
}

struct ShopState {
    versions: BTreeMap<String, String>,
    /// Requests by sender (so by version too) and status code since the shop opened.
    counts: BTreeMap<Sender, BTreeMap<u16, u64>>,
    deploys: Vec<Deploy>,
    deploy_broken: bool,
}

/// One deployment that the deploy endpoint did.
#[derive(Clone, Debug)]
pub(crate) struct Deploy {
    pub(crate) service: String,
    pub(crate) from: String,
    pub(crate) to: String,
}

/// What one request left behind in each service.
#[derive(Default)]
pub(crate) struct Trail {
    pub(crate) logs: Vec<(Sender, LogLine)>,
    pub(crate) operations: Vec<(Sender, Operation)>,
}

impl Shop {
    pub(crate) fn new() -> Self {
        let versions = SERVICES.iter().map(|service| ((*service).to_owned(), GOOD_VERSION.to_owned())).collect();
        let state = ShopState { versions, counts: BTreeMap::new(), deploys: Vec::new(), deploy_broken: false };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    fn lock(&self) -> MutexGuard<'_, ShopState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The version of a service that runs now.
    pub(crate) fn version(&self, service: &str) -> String {
        self.lock().versions.get(service).cloned().unwrap_or_default()
    }

    /// Puts a version live and remembers that it was done; gives what ran before.
    pub(crate) fn deploy(&self, service: &str, version: &str) -> Option<String> {
        let mut state = self.lock();
        let from = state.versions.get(service)?.clone();
        state.versions.insert(service.to_owned(), version.to_owned());
        state.deploys.push(Deploy { service: service.to_owned(), from: from.clone(), to: version.to_owned() });
        Some(from)
    }

    /// Every deployment so far.
    pub(crate) fn deploys(&self) -> Vec<Deploy> {
        self.lock().deploys.clone()
    }

    /// Makes the deploy endpoint fail from now on: one of the links that a test breaks.
    pub(crate) fn break_deploy(&self) {
        self.lock().deploy_broken = true;
    }

    fn sender(&self, service: &str) -> Sender {
        Sender { service: service.to_owned(), version: self.version(service), host: format!("{service}-1.shop") }
    }

    /// Failed and served requests of a service, over all its versions.
    pub(crate) fn failed_and_served(&self, service: &str) -> (u64, u64) {
        let state = self.lock();
        let of_service = state.counts.iter().filter(|(sender, _)| sender.service == service);
        of_service
            .flat_map(|(_, codes)| codes)
            .fold((0, 0), |(failed, served), (code, n)| (failed + if *code >= 500 { *n } else { 0 }, served + n))
    }

    /// Counters of requests, by sender.
    pub(crate) fn counts(&self) -> Vec<(Sender, Vec<RequestCount>)> {
        let counts = |codes: &BTreeMap<u16, u64>| {
            codes.iter().map(|(code, total)| RequestCount { code: *code, total: *total }).collect()
        };
        self.lock().counts.iter().map(|(sender, codes)| (sender.clone(), counts(codes))).collect()
    }

    /// Serves one request that passes through every service, and tells what each of them logs.
    pub(crate) fn serve_request(&self, now_ns: u64, trail: &mut Trail) {
        let mut rng = rand::rng();
        let trace_id: [u8; 16] = rng.random();
        let order: u32 = rng.random_range(100_000..999_999);
        let failure_ratio =
            if self.version("checkout") == BAD_VERSION { BAD_FAILURE_RATIO } else { BASE_FAILURE_RATIO };
        let failed = rng.random_bool(failure_ratio);
        let mut parent = Vec::new();
        for service in SERVICES {
            // A checkout that fails never reaches payment, and the frontend shows the failure.
            if failed && service == "payment" {
                continue;
            }
            let fails_here = failed && (service == "checkout" || service == "frontend");
            let sender = self.sender(service);
            let span_id: [u8; 8] = rng.random();
            let took_ms: u64 = rng.random_range(3..40) + if fails_here { 900 } else { 0 };
            let code: u16 = if fails_here { 500 } else { 200 };
            *self.lock().counts.entry(sender.clone()).or_default().entry(code).or_default() += 1;
            let attributes = vec![
                text("http.request.method", "POST"),
                text("url.path", format!("/{service}/orders/{order}")),
                int("http.response.status_code", code.into()),
                int("duration_ms", i64::try_from(took_ms).unwrap_or(0)),
            ];
            trail.operations.push((
                sender.clone(),
                Operation {
                    name: format!("POST /{service}"),
                    trace_id,
                    span_id,
                    parent_span_id: std::mem::replace(&mut parent, span_id.to_vec()),
                    start_ns: now_ns,
                    end_ns: now_ns + took_ms * 1_000_000,
                    failed: fails_here,
                    attributes: attributes.clone(),
                },
            ));
            let (severity, body) = line(service, order, took_ms, fails_here);
            trail.logs.push((sender, LogLine { time_ns: now_ns, severity, body, attributes, trace_id, span_id }));
        }
    }

    /// The deploy endpoint, on a free port of loopback.
    pub(crate) async fn serve_deploys(&self) -> Result<SocketAddr, DemoError> {
        let router = Router::new().route("/deploy/{service}", get(current).post(deploy)).with_state(self.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        telemetry::spawn("shop-deploys", async move {
            let ended = axum::serve(listener, router).await;
            drop(ended);
        });
        Ok(address)
    }
}

/// What a service writes about a request.
fn line(service: &str, order: u32, took_ms: u64, failed: bool) -> (SeverityNumber, String) {
    if failed && service == "checkout" {
        let body =
            format!("order {order}: payment authorisation failed: card token missing in request (took {took_ms} ms)");
        return (SeverityNumber::Error, body);
    }
    if failed {
        return (SeverityNumber::Warn, format!("order {order}: checkout answered 500 after {took_ms} ms"));
    }
    let body = match service {
        "frontend" => format!("POST /orders/{order} 200 {took_ms}ms"),
        "catalog" => format!("looked up 3 items for order {order} in {took_ms} ms"),
        "cart" => format!("cart of order {order} priced at {}.90 EUR", order % 200),
        "checkout" => format!("order {order} confirmed in {took_ms} ms"),
        _ => format!("authorised order {order} at acquirer 7 in {took_ms} ms"),
    };
    (SeverityNumber::Info, body)
}

async fn current(State(shop): State<Shop>, Path(service): Path<String>) -> (StatusCode, Json<Value>) {
    match shop.version(&service) {
        version if version.is_empty() => (StatusCode::NOT_FOUND, Json(json!({"error": "no such service"}))),
        version => (StatusCode::OK, Json(json!({"service": service, "version": version}))),
    }
}

async fn deploy(
    State(shop): State<Shop>,
    Path(service): Path<String>,
    Json(body): Json<Value>,
) -> (StatusCode, Json<Value>) {
    let Some(version) = body["version"].as_str().filter(|version| !version.is_empty()) else {
        return (StatusCode::BAD_REQUEST, Json(json!({"error": "version is missing"})));
    };
    if shop.lock().deploy_broken {
        return (StatusCode::INTERNAL_SERVER_ERROR, Json(json!({"error": "the deploy system is down"})));
    }
    match shop.deploy(&service, version) {
        Some(from) => (StatusCode::OK, Json(json!({"service": service, "from": from, "version": version}))),
        None => (StatusCode::NOT_FOUND, Json(json!({"error": "no such service"}))),
    }
}
