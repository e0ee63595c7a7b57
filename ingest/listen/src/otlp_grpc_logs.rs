//! The logs service of OTLP over gRPC, with the message left as bytes: the generated service would make a struct of each
//! record, which costs more than everything that is done with it afterwards.

use std::convert::Infallible;
use std::task::{Context, Poll};

use decode::otlp::{Wire, decode_logs};
use model::TenantId;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message as _;
use prost::bytes::{Buf as _, Bytes};
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{Body, BoxFuture, StdError, http};
use tonic::server::{Grpc, NamedService, UnaryService};
use tonic::{Request, Response, Status};

use crate::otlp_grpc::{GRPC_MESSAGE_BYTES_MAX, Service};
use crate::otlp_http::Rejected;

/// The only method of the service.
const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";

/// The service, with the limits of the other two.
#[derive(Clone)]
pub(crate) struct LogsServer(pub(crate) Service);

impl NamedService for LogsServer {
    const NAME: &'static str = "opentelemetry.proto.collector.logs.v1.LogsService";
}

impl<B> tonic::codegen::Service<http::Request<B>> for LogsServer
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<tonic::body::Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let export = Export(self.0.clone());
        Box::pin(async move {
            if request.uri().path() != EXPORT {
                return Ok(Status::unimplemented("the service has the method Export only").into_http());
            }
            let mut grpc = Grpc::new(BytesCodec)
                .max_decoding_message_size(GRPC_MESSAGE_BYTES_MAX)
                .accept_compressed(CompressionEncoding::Gzip)
                .accept_compressed(CompressionEncoding::Zstd)
                .send_compressed(CompressionEncoding::Gzip);
            Ok(grpc.unary(export, request).await)
        })
    }
}

struct Export(Service);

impl UnaryService<Bytes> for Export {
    type Response = ExportLogsServiceResponse;
    type Future = BoxFuture<Response<Self::Response>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let service = self.0.clone();
        Box::pin(async move {
            let bytes = request.get_ref().len();
            let decode = |message: Bytes, _: &TenantId, received| decode_logs(Wire::Protobuf, &message, received);
            service.receive(request, bytes, decode).await.map(|rejected| Response::new(Rejected::logs(rejected)))
        })
    }
}

/// Requests as they are, responses as protobuf.
#[derive(Clone, Copy)]
struct BytesCodec;

impl Codec for BytesCodec {
    type Encode = ExportLogsServiceResponse;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Decoder for BytesCodec {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        // The buffer's own memory, not a copy.
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}

impl Encoder for BytesCodec {
    type Item = ExportLogsServiceResponse;
    type Error = Status;

    fn encode(&mut self, response: ExportLogsServiceResponse, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        response.encode(buffer).map_err(|error| Status::internal(error.to_string()))
    }
}
