use std::io::ErrorKind;

use model::Table;
use opentelemetry_proto::tonic::collector::logs::v1::logs_service_client::LogsServiceClient;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use tonic::transport::Channel;

use super::*;
use crate::testing::{Rig, tenant};

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn serve(rig: &Rig) -> (Listener, CancellationToken, Channel) {
    let shutdown = CancellationToken::new();
    let listener = serve_otlp_grpc(ANY_PORT, Otlp::new(Arc::clone(&rig.pipeline)), shutdown.clone()).await.unwrap();
    let endpoint = Channel::from_shared(format!("http://{}", listener.address())).unwrap();
    (listener, shutdown, endpoint.connect().await.unwrap())
}

fn logs(records: Vec<LogRecord>) -> ExportLogsServiceRequest {
    let scope_logs = vec![ScopeLogs { log_records: records, ..ScopeLogs::default() }];
    ExportLogsServiceRequest { resource_logs: vec![ResourceLogs { scope_logs, ..ResourceLogs::default() }] }
}

#[tokio::test]
async fn the_three_services_store_what_they_answer_for() {
    let rig = Rig::new();
    let (listener, shutdown, channel) = serve(&rig).await;
    for encoding in [None, Some(CompressionEncoding::Gzip), Some(CompressionEncoding::Zstd)] {
        let mut client = LogsServiceClient::new(channel.clone());
        if let Some(encoding) = encoding {
            client = client.send_compressed(encoding).accept_compressed(encoding);
        }
        let answer = client.export(logs(vec![LogRecord::default()])).await.unwrap().into_inner();
        assert_eq!(answer.partial_success, None, "{encoding:?}");
    }
    assert_eq!(rig.rows(Table::Logs).len(), 3);

    let span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span, Span::default()], ..ScopeSpans::default() }];
    let request =
        ExportTraceServiceRequest { resource_spans: vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }] };
    let answer = TraceServiceClient::new(channel.clone()).export(request).await.unwrap().into_inner();
    assert_eq!(answer.partial_success.map(|partial| partial.rejected_spans), Some(1));
    assert_eq!((rig.rows(Table::Spans).len(), rig.rows(Table::Quarantine).len()), (1, 1));

    let answer =
        MetricsServiceClient::new(channel.clone()).export(ExportMetricsServiceRequest::default()).await.unwrap();
    assert_eq!(answer.into_inner().partial_success, None, "an empty request is a success");
    drop(channel);
    shutdown.cancel();
    listener.stopped().await;
}

/// A codec of a client that sends what it likes.
struct RawCodec;

impl tonic::codec::Codec for RawCodec {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl tonic::codec::Encoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, buffer: &mut tonic::codec::EncodeBuf<'_>) -> Result<(), Status> {
        prost::bytes::BufMut::put_slice(buffer, &message);
        Ok(())
    }
}

impl tonic::codec::Decoder for RawCodec {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, buffer: &mut tonic::codec::DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let bytes = prost::bytes::Buf::remaining(buffer);
        Ok(Some(prost::bytes::Buf::copy_to_bytes(buffer, bytes).to_vec()))
    }
}

async fn call(channel: &Channel, method: &'static str, message: Vec<u8>) -> Result<Vec<u8>, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.unwrap();
    let path = http::uri::PathAndQuery::from_static(method);
    client.unary(Request::new(message), path, RawCodec).await.map(Response::into_inner)
}

#[tokio::test]
async fn a_broken_log_record_is_rejected_alone_and_a_broken_message_whole() {
    const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
    let rig = Rig::new();
    let (_listener, _shutdown, channel) = serve(&rig).await;
    let marked = LogRecord { severity_text: "MARKMARK".into(), ..LogRecord::default() };
    let mut message = logs(vec![LogRecord::default(), marked]).encode_to_vec();
    let at = message.windows(8).position(|window| window == b"MARKMARK").unwrap();
    message[at] = 0xff;
    let answer = call(&channel, EXPORT, message.clone()).await.unwrap();
    let answer = ExportLogsServiceResponse::decode(&answer[..]).unwrap();
    assert_eq!(answer.partial_success.map(|partial| partial.rejected_log_records), Some(1));
    assert_eq!((rig.rows(Table::Logs).len(), rig.rows(Table::Quarantine).len()), (1, 1));

    message.truncate(message.len() - 3);
    assert_eq!(call(&channel, EXPORT, message).await.unwrap_err().code(), tonic::Code::InvalidArgument);
    let other = "/opentelemetry.proto.collector.logs.v1.LogsService/Import";
    assert_eq!(call(&channel, other, Vec::new()).await.unwrap_err().code(), tonic::Code::Unimplemented);
}

#[tokio::test]
async fn the_tenant_is_the_metadatas() {
    let rig = Rig::new();
    let (_listener, _shutdown, channel) = serve(&rig).await;
    let mut client = LogsServiceClient::new(channel);
    let mut request = Request::new(logs(vec![LogRecord::default()]));
    request.metadata_mut().insert(TENANT_HEADER, "team-a".parse().unwrap());
    client.export(request).await.unwrap();
    assert_eq!(rig.rows_of(&tenant("team-a"), Table::Logs).len(), 1);
    let mut request = Request::new(logs(vec![LogRecord::default()]));
    request.metadata_mut().insert(TENANT_HEADER, "a/b".parse().unwrap());
    assert_eq!(client.export(request).await.unwrap_err().code(), tonic::Code::InvalidArgument);
}

#[tokio::test]
async fn a_busy_store_answers_resource_exhausted_with_retry_info() {
    let rig = Rig::busy().await;
    let (_listener, _shutdown, channel) = serve(&rig).await;
    let status = LogsServiceClient::new(channel).export(logs(vec![LogRecord::default()])).await.unwrap_err();
    assert_eq!(status.code(), tonic::Code::ResourceExhausted);
    let details = rpc::Status::decode(status.details()).unwrap();
    let info = rpc::RetryInfo::decode(&details.details[0].value[..]).unwrap();
    assert!(info.retry_delay.is_some_and(|delay| delay.seconds > 0 || delay.nanos > 0));
}

#[tokio::test]
async fn an_address_in_use_is_named() {
    let taken = tokio::net::TcpListener::bind(ANY_PORT).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = serve_otlp_grpc(address, Otlp::new(Rig::new().pipeline), CancellationToken::new()).await.unwrap_err();
    let ListenError::Bind { address: named, source, .. } = error;
    assert_eq!((named, source.kind()), (address, ErrorKind::AddrInUse));
}
