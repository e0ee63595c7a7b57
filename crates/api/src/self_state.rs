//! The server's own state: `/health`, `/ready`, `/metrics`, and what else says that it lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use telemetry::metrics;

/// Whether the server answers queries yet: false until the write-ahead log is replayed.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says that replay is done, or that the server is about to end.
    pub fn set(&self, ready: bool) {
        metrics::READY.set(if ready { 1.0 } else { 0.0 });
        self.0.store(ready, Ordering::SeqCst);
    }

    /// Whether it is ready.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// The paths that answer from the first moment on. `/-/ready` and `/-/healthy` are Prometheus's names.
pub fn self_state_router(readiness: Readiness) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok\n" }))
        .route("/-/healthy", get(|| async { "ok\n" }))
        .route("/ready", get(ready))
        .route("/-/ready", get(ready))
        .route("/metrics", get(show_metrics))
        .with_state(readiness)
}

async fn ready(State(readiness): State<Readiness>) -> impl IntoResponse {
    if readiness.get() {
        (StatusCode::OK, "ready\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "starting: the write-ahead log is being replayed\n")
    }
}

async fn show_metrics() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render())
}
