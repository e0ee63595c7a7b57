//! collectd's `write_http`: `POST /collectd`, and `/collectd-post` as Prometheus's collectd exporter has it.
//!
//! collectd sends a buffer once and forgets it, whatever the answer is. So a store that is busy is waited for here, within
//! [`PATIENCE`]; only then the answer is 503. 204 says that everything is durable; 400 names what was refused, and the rest is durable.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use decode::Decoded;
use decode::collectd::{Types, decode_collectd};
use model::{TenantId, Timestamp};
use pipeline::{Pipeline, Protocol, PushError, Source};

use crate::http::{Refusal, decoding, decompressed, read_body, request_encoding, request_tenant};
use crate::otlp_http::{Peer, peer_text};

/// How long a busy store is waited for. A plugin's write thread is held up meanwhile, and its queue holds what comes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The routes of collectd. `types` says what the types of `PUTVAL` lines are.
pub fn collectd_router(pipeline: Arc<Pipeline>, types: Arc<Types>) -> Router {
    let routes = Router::new().route("/collectd", post(write)).route("/collectd-post", post(write));
    routes.with_state(Collectd { pipeline, types })
}

#[derive(Clone)]
struct Collectd {
    pipeline: Arc<Pipeline>,
    types: Arc<Types>,
}

async fn write(State(collectd): State<Collectd>, peer: Peer, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let source = Source { protocol: Protocol::Collectd, peer: peer_text(peer) };
    match collectd.receive(source, &head.headers, body).await {
        Ok(None) => StatusCode::NO_CONTENT.into_response(),
        Ok(Some(reason)) => (StatusCode::BAD_REQUEST, reason).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

impl Collectd {
    /// Stores a request; the text is what was refused of it.
    async fn receive(&self, source: Source, headers: &HeaderMap, body: Body) -> Result<Option<String>, Refusal> {
        let (tenant, encoding) = (request_tenant(headers)?, request_encoding(headers)?);
        let (body, mut reservation) = read_body(body, headers, &self.pipeline, &source).await?;
        let received = telemetry::clock::now();
        let (pipeline, types, sender) = (Arc::clone(&self.pipeline), Arc::clone(&self.types), source.clone());
        let for_admission = tenant.clone();
        let (decoded, reservation) = decoding(encoding, body.len(), move || {
            let body = decompressed(encoding, body, &mut reservation, &sender)?;
            let mut decoded = decode_collectd(&body, &types, received)
                .map_err(|error| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?;
            pipeline.admit(&for_admission, &mut decoded);
            Ok((decoded, reservation))
        })
        .await?;
        let reason = decoded.rejects.first().map(|first| {
            let (others, reason) = (decoded.rejected().saturating_sub(first.items), &first.reason);
            format!("{reason}; {others} more were refused, see the quarantine table, and the rest is stored\n")
        });
        self.store(&tenant, &source, received, decoded).await?;
        drop(reservation);
        Ok(reason)
    }

    async fn store(
        &self,
        tenant: &TenantId,
        source: &Source,
        received: Timestamp,
        decoded: Decoded,
    ) -> Result<(), PushError> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.pipeline.push(tenant, source, received, decoded.clone()).await {
                Err(PushError::Busy { retry_after_ms, .. })
                    if Instant::now() + Duration::from_millis(retry_after_ms) < until =>
                {
                    tokio::time::sleep(Duration::from_millis(retry_after_ms.max(1))).await;
                }
                stored => return stored.map(drop),
            }
        }
    }
}

fn refused(refusal: &Refusal) -> Response {
    let busy = refusal.status == StatusCode::TOO_MANY_REQUESTS;
    let status = if busy { StatusCode::SERVICE_UNAVAILABLE } else { refusal.status };
    let mut response = (status, format!("{}\n", refusal.message)).into_response();
    if let Some(seconds) = refusal.retry_after_s() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests;
