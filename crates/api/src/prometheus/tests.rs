//! The Prometheus API over a store of its own: requests as text, answers as they are.
//!
//! The shapes and texts are Prometheus's; where they were looked up is in `docs/prometheus.md`.

use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode, header};
use axum::response::Response;
use catalog::ledger::{Ledger, Records};
use engine::{Engine, NoStateTables, QueryLimits};
use expect_test::{Expect, expect};
use model::histogram::{BucketSpan, Buckets, CUSTOM_SCHEMA};
use model::{
    Batch, BatchData, Exemplar, FloatHistogram, HistogramSample, Labels, MetricKind, MetricMetadata, ResetHint, Sample,
    SeriesBatch, SeriesSamples, TenantId, Timestamp, stale_nan,
};
use respond::{Responder, ResponderOptions};
use std::sync::Arc;
use store::{Store, StoreOptions};
use tower::ServiceExt as _;

use crate::{About, Api, Approvers, RuleBoard, Settings, router};

mod answers;
mod changing;
mod pages;

/// A server without a port.
pub(super) struct Server {
    pub(super) store: Arc<Store>,
    router: axum::Router,
    runtime: tokio::runtime::Runtime,
    _dir: tempfile::TempDir,
}

impl Server {
    /// Empty.
    pub(super) fn new() -> Self {
        Self::with_limits(QueryLimits::default())
    }

    pub(super) fn with_limits(limits: QueryLimits) -> Self {
        let dir = tempfile::tempdir().expect("directory");
        let store = Arc::new(Store::open(StoreOptions::new(dir.path())).expect("store"));
        let engine = Engine::new(Arc::clone(&store), Arc::new(NoStateTables), limits).expect("engine");
        let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
        let records: Arc<dyn Records> = Arc::<Ledger>::clone(&ledger);
        let started_at = Timestamp::from_secs(1_000);
        let options = ResponderOptions::default();
        let responder = Responder::new(records, Vec::new(), options, Box::new(|| None), started_at).expect("responder");
        let about = About { started_at, listeners: Vec::new() };
        let (board, approvers) = (Arc::new(RuleBoard::default()), Approvers::default());
        let api = Api::new(engine, Arc::clone(&store), ledger, board, Arc::new(responder), approvers, about);
        let settings = Settings {
            yaml: "query:\n  timeout: 60s\n".to_owned(),
            flags: [("listen".to_owned(), "127.0.0.1:7070".to_owned())].into_iter().collect(),
            retention: "90d".to_owned(),
            external_labels: [("replica".to_owned(), "a".to_owned())].into_iter().collect(),
        };
        let router =
            router(Arc::new(api.with_settings(settings).with_cors_origins(vec!["https://grafana.example".to_owned()])));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        Self { store, router, runtime, _dir: dir }
    }

    /// With the series that most tests ask about.
    pub(super) fn filled() -> Self {
        let server = Self::new();
        server.insert(some_series());
        server
    }

    pub(super) fn insert(&self, batch: SeriesBatch) {
        let batch = Batch { tenant: TenantId::default(), data: BatchData::Series(batch) };
        self.store.append(vec![batch]).expect("append").wait().expect("durable");
    }

    pub(super) fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
        self.runtime.block_on(async {
            let response: Response = self.router.clone().oneshot(request).await.expect("answer");
            let (status, headers) = (response.status(), response.headers().clone());
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("body");
            (status, headers, body.to_vec())
        })
    }

    /// Sends `GET /path`, `POST /path form` or `PUT /path`, and compares status and body, which is indented if it is JSON.
    pub(super) fn check(&self, request: &str, want: Expect) {
        let mut words = request.splitn(3, ' ');
        let (method, path, form) = (words.next().unwrap_or(""), words.next().unwrap_or(""), words.next());
        let mut built = Request::builder().method(method).uri(address(path));
        if form.is_some() {
            built = built.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let body = form.map_or(Body::empty(), |form| Body::from(form.to_owned()));
        let (status, _, body) = self.send(built.body(body).expect("request"));
        let text = String::from_utf8_lossy(&body);
        want.assert_eq(&format!("{} {}", status.as_u16(), text.trim_end()));
    }
}

/// A path as it can stand in a request.
pub(super) fn address(path: &str) -> String {
    path.replace('"', "%22").replace('<', "%3C").replace('>', "%3E")
}

pub(super) fn labels(name: &str, pairs: &[(&str, &str)]) -> Labels {
    [("__name__", name)].into_iter().chain(pairs.iter().copied()).collect()
}

pub(super) fn numbers(labels: Labels, samples: &[(i64, f64)]) -> SeriesSamples {
    let samples = samples.iter().map(|(time_ms, value)| Sample { time_ms: *time_ms, value: *value }).collect();
    SeriesSamples { labels, samples, ..SeriesSamples::default() }
}

pub(super) fn exponential() -> FloatHistogram {
    let span = |offset, length| BucketSpan { offset, length };
    FloatHistogram {
        schema: 0,
        zero_threshold: 0.5,
        zero_count: 1.0,
        count: 6.0,
        sum: -2.5,
        positive: Buckets { spans: vec![span(1, 2)], counts: vec![2.0, 0.0] },
        negative: Buckets { spans: vec![span(1, 1)], counts: vec![3.0] },
        ..FloatHistogram::default()
    }
}

pub(super) fn custom() -> FloatHistogram {
    FloatHistogram {
        schema: CUSTOM_SCHEMA,
        count: 6.0,
        sum: 7.5,
        positive: Buckets { spans: vec![BucketSpan { offset: 0, length: 3 }], counts: vec![1.0, 2.0, 3.0] },
        custom_values: Arc::from([0.5, 1.0]),
        ..FloatHistogram::default()
    }
}

/// A histogram every ten seconds from `time_ms` on.
pub(super) fn histograms(labels: Labels, time_ms: i64, histograms: &[FloatHistogram]) -> SeriesSamples {
    let at = |(at, histogram): (i64, &FloatHistogram)| HistogramSample {
        time_ms: time_ms + at * 10_000,
        start_ms: 0,
        histogram: Arc::new(histogram.clone()),
    };
    SeriesSamples { labels, histograms: (0..).zip(histograms).map(at).collect(), ..SeriesSamples::default() }
}

fn some_series() -> SeriesBatch {
    let requests = |code: &str, rate: f64| {
        let samples: Vec<(i64, f64)> = (0..=20).map(|at| (at * 15_000, at as f64 * rate)).collect();
        numbers(labels("http_requests_total", &[("code", code), ("job", "shop")]), &samples)
    };
    let mut failed = requests("500", 0.5);
    let trace = [("trace_id", "4bf92f")].into_iter().collect();
    failed.exemplars = vec![Exemplar { labels: trace, time_ms: 60_250, value: 0.25 }];
    let mut gone = numbers(labels("up", &[("job", "gone")]), &[(0, 1.0), (15_000, stale_nan())]);
    gone.samples.push(Sample { time_ms: 300_000, value: stale_nan() });
    let metadata = |name: &str, kind, help: &str| MetricMetadata {
        name: name.to_owned(),
        kind,
        help: help.to_owned(),
        unit: String::new(),
    };
    SeriesBatch {
        series: vec![
            requests("200", 10.0),
            failed,
            numbers(labels("up", &[("job", "shop")]), &[(0, 1.0), (300_000, 1.0)]),
            gone,
            numbers(labels("größe.bytes", &[("http.status", "200")]), &[(300_000, f64::NAN)]),
            histograms(labels("latency", &[("kind", "native")]), 290_000, &[exponential(), exponential()]),
            histograms(labels("latency", &[("kind", "custom")]), 290_000, &[custom(), custom()]),
        ],
        metadata: vec![
            metadata("http_requests_total", MetricKind::Counter, "Requests."),
            metadata("up", MetricKind::Gauge, ""),
        ],
    }
}

pub(super) fn gauge(mut histogram: FloatHistogram) -> FloatHistogram {
    histogram.reset_hint = ResetHint::Gauge;
    histogram
}
