//! The HTTP port: answers about the server's own state from the first moment, and everything else once the store is open.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use api::{ApiError, Readiness, self_state_router};
use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::serve::ListenerExt as _;
use listen::CancellationToken;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

/// Lets requests through once there is something behind it.
#[derive(Clone)]
pub(super) struct Gate {
    readiness: Readiness,
    inner: Arc<OnceLock<Router>>,
}

impl Gate {
    /// A closed gate.
    pub(super) fn new(readiness: Readiness) -> Self {
        Self { readiness, inner: Arc::default() }
    }

    /// Opens it.
    pub(super) fn open(&self, router: Router) {
        drop(self.inner.set(router));
    }

    fn router(self) -> Router {
        let readiness = self.readiness.clone();
        self_state_router(readiness).merge(Router::new().fallback(pass).with_state(self))
    }
}

async fn pass(State(gate): State<Gate>, request: Request) -> Response {
    match gate.inner.get() {
        Some(router) => match router.clone().oneshot(request).await {
            Ok(response) => response,
            Err(never) => match never {},
        },
        None => ApiError::unavailable("the server is starting", "/ready answers 200 once the log is replayed")
            .into_response(),
    }
}

/// Serves until `shutdown`, then finishes what has begun.
pub(super) async fn serve_http(listener: TcpListener, gate: Gate, shutdown: CancellationToken) {
    let service = gate.router().into_make_service_with_connect_info::<SocketAddr>();
    // An answer is a few small writes. Held back until the last is acknowledged, as TCP does by itself, a client that
    // acknowledges late would wait 40 ms for each.
    let listener = listener.tap_io(|stream| {
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "a connection keeps its delay");
        }
    });
    let served = axum::serve(listener, service).with_graceful_shutdown(shutdown.cancelled_owned()).await;
    if let Err(error) = served {
        tracing::error!(%error, "the HTTP port ended");
    }
}
