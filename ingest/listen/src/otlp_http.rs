//! OTLP over HTTP: `POST /v1/{logs,metrics,traces}`, protobuf and JSON, by the OTLP specification 1.x.

use std::net::SocketAddr;
use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use axum::response::Response;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use decode::Decoded;
use decode::otlp::{MetricsDecoder, OtlpError, Wire, decode_logs, decode_traces};
use model::{TenantId, Timestamp};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsPartialSuccess, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTracePartialSuccess, ExportTraceServiceResponse};
use pipeline::{Pipeline, Protocol, Source};
use prost::Message as _;
use tokio_util::sync::CancellationToken;

use crate::http::{Refusal, decoding, decompressed, read_body, request_encoding, request_tenant};
use crate::{ListenError, Listener, rpc};

/// Largest body of a request as sent. The default limit of OTLP receivers for a message.
pub const HTTP_BODY_BYTES_MAX: usize = 64 * 1024 * 1024;

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";

/// What a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    Logs,
    Metrics,
    Traces,
}

/// What the receivers of OTLP need. All of one server share the decoder of metrics, for it remembers the totals of deltas.
#[derive(Clone)]
pub struct Otlp {
    /// The way into the store.
    pub pipeline: Arc<Pipeline>,
    /// Settings of metrics, and what is remembered of them.
    pub metrics: Arc<MetricsDecoder>,
}

impl std::fmt::Debug for Otlp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Otlp").finish_non_exhaustive()
    }
}

impl Otlp {
    /// Receivers with default settings.
    pub fn new(pipeline: Arc<Pipeline>) -> Self {
        Self { pipeline, metrics: Arc::default() }
    }

    fn decode(
        &self,
        signal: Signal,
        wire: Wire,
        body: &[u8],
        tenant: &TenantId,
        received: Timestamp,
    ) -> Result<Decoded, OtlpError> {
        match signal {
            Signal::Logs => decode_logs(wire, body, received),
            Signal::Metrics => self.metrics.decode(wire, body, tenant, received),
            Signal::Traces => decode_traces(wire, body, received),
        }
    }
}

/// The routes of OTLP/HTTP, with the aliases that Loki (`/otlp/v1/logs`), Mimir (`/otlp/v1/metrics`) and Prometheus
/// (`/api/v1/otlp/v1/metrics`) taught clients.
pub fn otlp_http_router(otlp: Otlp) -> Router {
    let mut router = Router::new();
    for (name, signal) in [("logs", Signal::Logs), ("metrics", Signal::Metrics), ("traces", Signal::Traces)] {
        let handler = move |state, peer, request| export(signal, state, peer, request);
        router = router.route(&format!("/v1/{name}"), post(handler)).route(&format!("/otlp/v1/{name}"), post(handler));
    }
    let handler = |state, peer, request| export(Signal::Metrics, state, peer, request);
    router.route("/api/v1/otlp/v1/metrics", post(handler)).with_state(otlp)
}

/// Serves [`otlp_http_router`] on a port of its own (4318) until `shutdown`.
pub async fn serve_otlp_http(
    address: SocketAddr,
    otlp: Otlp,
    shutdown: CancellationToken,
) -> Result<Listener, ListenError> {
    let bind_error = ListenError::bind("OTLP/HTTP", address);
    let listener = tokio::net::TcpListener::bind(address).await.map_err(&bind_error)?;
    let bound = listener.local_addr().map_err(&bind_error)?;
    // The next request of a connection waits for this answer: it must not wait for more to send.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let app = otlp_http_router(otlp).into_make_service_with_connect_info::<SocketAddr>();
    let task = telemetry::spawn("otlp_http", async move {
        let served = axum::serve(listener, app).with_graceful_shutdown(shutdown.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "OTLP/HTTP ended");
        }
    });
    Ok(Listener::new(bound, task))
}

/// The sender's address, when the server was started with connect info.
pub(crate) type Peer = Result<ConnectInfo<SocketAddr>, axum::extract::rejection::ExtensionRejection>;

/// The address as text; empty when not known.
pub(crate) fn peer_text(peer: Peer) -> String {
    peer.map(|ConnectInfo(address)| address.ip().to_string()).unwrap_or_default()
}

async fn export(signal: Signal, State(otlp): State<Otlp>, peer: Peer, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let wire = match request_wire(&head.headers) {
        Ok(wire) => wire,
        Err(refusal) => return error_response(Wire::Json, &refusal),
    };
    let source = Source { protocol: Protocol::OtlpHttp, peer: peer_text(peer) };
    match receive(signal, wire, &otlp, source, &head.headers, body).await {
        Ok(rejected) => success_response(signal, wire, rejected),
        Err(refusal) => error_response(wire, &refusal),
    }
}

fn request_wire(headers: &HeaderMap) -> Result<Wire, Refusal> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    match value.split(';').next().unwrap_or("").trim().to_ascii_lowercase().as_str() {
        PROTOBUF => Ok(Wire::Protobuf),
        JSON => Ok(Wire::Json),
        _ => {
            let message = format!("Content-Type {value:?} is not supported: use {PROTOBUF} or {JSON}");
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
        }
    }
}

async fn receive(
    signal: Signal,
    wire: Wire,
    otlp: &Otlp,
    source: Source,
    headers: &HeaderMap,
    body: Body,
) -> Result<Option<Rejected>, Refusal> {
    let tenant = request_tenant(headers)?;
    let encoding = request_encoding(headers)?;
    let (body, mut reservation) = read_body(body, headers, &otlp.pipeline, &source).await?;
    let received = telemetry::clock::now();
    let begin = otlp.clone();
    let (rejected, begun, reservation) = decoding(encoding, body.len(), move || {
        let body = decompressed(encoding, body, &mut reservation, &source)?;
        let decoded = begin.decode(signal, wire, &body, &tenant, received);
        drop(body);
        let mut decoded = decoded.map_err(|error| Refusal::bad_request(error.to_string()))?;
        begin.pipeline.admit(&tenant, &mut decoded);
        let rejected = Rejected::of(&decoded);
        Ok((rejected, begin.pipeline.begin(&tenant, &source, received, decoded), reservation))
    })
    .await?;
    begun.stored(&otlp.pipeline).await?;
    drop(reservation);
    Ok(rejected)
}

/// What a partial success says. Absent from the answer when nothing was rejected.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) items: i64,
    pub(crate) message: String,
}

impl Rejected {
    pub(crate) fn of(decoded: &Decoded) -> Option<Self> {
        let first = decoded.rejects.first()?;
        let items = i64::try_from(decoded.rejected()).unwrap_or(i64::MAX);
        let message = format!(
            "{items} rejected, kept in the quarantine table; do not send them again; the first: {}",
            first.reason
        );
        Some(Self { items, message })
    }

    pub(crate) fn logs(rejected: Option<Self>) -> ExportLogsServiceResponse {
        let partial_success =
            rejected.map(|r| ExportLogsPartialSuccess { rejected_log_records: r.items, error_message: r.message });
        ExportLogsServiceResponse { partial_success }
    }

    pub(crate) fn metrics(rejected: Option<Self>) -> ExportMetricsServiceResponse {
        let partial_success =
            rejected.map(|r| ExportMetricsPartialSuccess { rejected_data_points: r.items, error_message: r.message });
        ExportMetricsServiceResponse { partial_success }
    }

    pub(crate) fn traces(rejected: Option<Self>) -> ExportTraceServiceResponse {
        let partial_success =
            rejected.map(|r| ExportTracePartialSuccess { rejected_spans: r.items, error_message: r.message });
        ExportTraceServiceResponse { partial_success }
    }
}

fn success_response(signal: Signal, wire: Wire, rejected: Option<Rejected>) -> Response {
    let body = match wire {
        Wire::Protobuf => match signal {
            Signal::Logs => Rejected::logs(rejected).encode_to_vec(),
            Signal::Metrics => Rejected::metrics(rejected).encode_to_vec(),
            Signal::Traces => Rejected::traces(rejected).encode_to_vec(),
        },
        Wire::Json => success_json(signal, rejected).to_string().into_bytes(),
    };
    response(StatusCode::OK, wire, body)
}

/// The response in OTLP's JSON: a 64-bit integer is a string there.
fn success_json(signal: Signal, rejected: Option<Rejected>) -> serde_json::Value {
    let Some(rejected) = rejected else { return serde_json::json!({}) };
    let count = match signal {
        Signal::Logs => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
        Signal::Traces => "rejectedSpans",
    };
    serde_json::json!({"partialSuccess": {count: rejected.items.to_string(), "errorMessage": rejected.message}})
}

fn error_response(wire: Wire, refusal: &Refusal) -> Response {
    let status = rpc::Status::new(refusal.code(), &refusal.message, refusal.retry_after_ms);
    let mut response = response(refusal.status, wire, status.encode_as(wire));
    if let Some(seconds) = refusal.retry_after_s() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn response(status: StatusCode, wire: Wire, body: Vec<u8>) -> Response {
    let content_type = match wire {
        Wire::Protobuf => PROTOBUF,
        Wire::Json => JSON,
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests;
