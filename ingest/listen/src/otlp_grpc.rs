//! OTLP over gRPC: the three collector services. That of logs leaves the message as bytes (`otlp_grpc_logs`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use decode::otlp::OtlpError;
use decode::{Decoded, Encoding, otlp};
use model::{TenantId, Timestamp};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_server::{
    MetricsService, MetricsServiceServer,
};
use opentelemetry_proto::tonic::collector::metrics::v1::{ExportMetricsServiceRequest, ExportMetricsServiceResponse};
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use pipeline::{Protocol, Source};
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::codec::CompressionEncoding;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::http::{Refusal, decoding};
use crate::otlp_grpc_logs::LogsServer;
use crate::otlp_http::{Otlp, Rejected};
use crate::tenant::{TENANT_HEADER, tenant};
use crate::{ListenError, Listener, rpc};

/// Largest message, decompressed. OTLP's default.
pub const GRPC_MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Calls that one connection may have open: bounds what one client can hold in memory.
const CALLS_PER_CONNECTION_MAX: usize = 64;

/// How often an idle connection is asked whether it is alive, and how long it may take to answer.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// A generated server with our limits; the two have no trait in common.
macro_rules! with_limits {
    ($server:ident, $service:expr) => {
        $server::new($service.clone())
            .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
            .accept_compressed(CompressionEncoding::Gzip)
            .accept_compressed(CompressionEncoding::Zstd)
            .send_compressed(CompressionEncoding::Gzip)
    };
}

/// Serves the three services until `shutdown`; calls that have begun are finished.
pub async fn serve_otlp_grpc(
    address: SocketAddr,
    otlp: Otlp,
    shutdown: CancellationToken,
) -> Result<Listener, ListenError> {
    let bind_error = ListenError::bind("OTLP/gRPC", address);
    let listener = tokio::net::TcpListener::bind(address).await.map_err(&bind_error)?;
    let bound = listener.local_addr().map_err(&bind_error)?;
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    let service = Service(otlp);
    let task = telemetry::spawn("otlp_grpc", async move {
        let served = tonic::transport::Server::builder()
            .concurrency_limit_per_connection(CALLS_PER_CONNECTION_MAX)
            .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .add_service(LogsServer(service.clone()))
            .add_service(with_limits!(MetricsServiceServer, service))
            .add_service(with_limits!(TraceServiceServer, service))
            .serve_with_incoming_shutdown(incoming, shutdown.cancelled_owned())
            .await;
        if let Err(error) = served {
            tracing::error!(%error, "OTLP/gRPC ended");
        }
    });
    Ok(Listener::new(bound, task))
}

/// What the three services do.
#[derive(Clone)]
pub(crate) struct Service(Otlp);

impl Service {
    /// Receives a request of any form; `bytes` is its size, decompressed.
    pub(crate) async fn receive<R: Send + 'static>(
        &self,
        request: Request<R>,
        bytes: usize,
        decode: impl FnOnce(R, &TenantId, Timestamp) -> Result<Decoded, OtlpError> + Send + 'static,
    ) -> Result<Option<Rejected>, Status> {
        let tenant = tenant(request.metadata().get(TENANT_HEADER).map(|value| value.as_encoded_bytes()))
            .map_err(Status::invalid_argument)?;
        let peer = request.remote_addr().map(|address| address.ip().to_string()).unwrap_or_default();
        let source = Source { protocol: Protocol::OtlpGrpc, peer };
        let message = request.into_inner();
        let reservation = self.0.pipeline.reserve(&source, bytes).map_err(status)?;
        let received = telemetry::clock::now();
        let pipeline = Arc::clone(&self.0.pipeline);
        let (rejected, begun) = decoding(Encoding::Identity, bytes, move || {
            let mut decoded =
                decode(message, &tenant, received).map_err(|error| Refusal::bad_request(error.to_string()))?;
            pipeline.admit(&tenant, &mut decoded);
            let rejected = Rejected::of(&decoded);
            Ok((rejected, pipeline.begin(&tenant, &source, received, decoded)))
        })
        .await
        .map_err(|refusal| Status::new(refusal.code(), refusal.message))?;
        begun.stored(&self.0.pipeline).await.map_err(status)?;
        drop(reservation);
        Ok(rejected)
    }
}

/// The status of a push that failed. A client tries again after RESOURCE_EXHAUSTED only when the details say how long to wait.
fn status(error: pipeline::PushError) -> Status {
    let refusal = Refusal::from(error);
    let code = refusal.code();
    let details = rpc::Status::new(code, &refusal.message, refusal.retry_after_ms);
    Status::with_details(code, refusal.message, details.encode_to_vec().into())
}

#[tonic::async_trait]
impl MetricsService for Service {
    async fn export(
        &self,
        request: Request<ExportMetricsServiceRequest>,
    ) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let bytes = request.get_ref().encoded_len();
        let metrics = Arc::clone(&self.0.metrics);
        let decode = move |request, tenant: &TenantId, received| Ok(metrics.decode_request(request, tenant, received));
        self.receive(request, bytes, decode).await.map(|rejected| Response::new(Rejected::metrics(rejected)))
    }
}

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let bytes = request.get_ref().encoded_len();
        let decode = |request, _: &TenantId, received| Ok(otlp::traces(request, received));
        self.receive(request, bytes, decode).await.map(|rejected| Response::new(Rejected::traces(rejected)))
    }
}

#[cfg(test)]
mod tests;
