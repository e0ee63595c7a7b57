//! Reading the body of an HTTP request within limits, and what can go wrong with a request.

use std::time::Duration;

use ::http::{HeaderMap, StatusCode, header};
use axum::body::Body;
use decode::{DECOMPRESSED_BYTES_MAX, DecompressError, Encoding, decompress};
use http_body_util::BodyExt as _;
use model::TenantId;
use pipeline::{Pipeline, PushError, Reservation, Source};

use crate::otlp_http::HTTP_BODY_BYTES_MAX;
use crate::tenant::{TENANT_HEADER, tenant};

/// Longest pause within a body. A sender that trickles holds memory (R26).
const BODY_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Most bytes that a body gets room for because it was announced; what is larger grows as it comes.
const CAPACITY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Largest body that is decoded where it was read, by whether it is compressed: some tens of microseconds of work, about what
/// it costs to hand it to another thread.
const IN_PLACE_BYTES_MAX: usize = 32 * 1024;
const IN_PLACE_COMPRESSED_BYTES_MAX: usize = 4 * 1024;

const _: () = assert!(CAPACITY_BYTES_MAX <= HTTP_BODY_BYTES_MAX);

/// Why a request was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) message: String,
    pub(crate) retry_after_ms: Option<u64>,
}

impl Refusal {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, message: message.into(), retry_after_ms: None }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }

    /// The value of `Retry-After`, in seconds.
    pub(crate) fn retry_after_s(&self) -> Option<u64> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1000).max(1))
    }

    /// gRPC's code for the body of an OTLP error.
    pub(crate) fn code(&self) -> tonic::Code {
        match self.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::PAYLOAD_TOO_LARGE => tonic::Code::ResourceExhausted,
            StatusCode::SERVICE_UNAVAILABLE => tonic::Code::Unavailable,
            StatusCode::REQUEST_TIMEOUT => tonic::Code::DeadlineExceeded,
            status if status.is_client_error() => tonic::Code::InvalidArgument,
            _ => tonic::Code::Internal,
        }
    }
}

impl From<PushError> for Refusal {
    fn from(error: PushError) -> Self {
        let message = error.to_string();
        match error {
            PushError::Busy { retry_after_ms, .. } => {
                Self { retry_after_ms: Some(retry_after_ms), ..Self::new(StatusCode::TOO_MANY_REQUESTS, message) }
            }
            PushError::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, message),
            // OTLP clients try again on 503, after a restart has replayed the log.
            PushError::Failed { .. } => {
                Self { retry_after_ms: Some(RETRY_FAILED_MS), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, message) }
            }
        }
    }
}

/// When to try again after the store failed: a restart takes about that.
pub(crate) const RETRY_FAILED_MS: u64 = 5_000;

/// The tenant of a request.
pub(crate) fn request_tenant(headers: &HeaderMap) -> Result<TenantId, Refusal> {
    tenant(headers.get(TENANT_HEADER).map(|value| value.as_bytes())).map_err(Refusal::bad_request)
}

/// The content encoding of a request.
pub(crate) fn request_encoding(headers: &HeaderMap) -> Result<Encoding, Refusal> {
    let Some(value) = headers.get(header::CONTENT_ENCODING) else { return Ok(Encoding::Identity) };
    value.to_str().ok().and_then(Encoding::parse).ok_or_else(|| {
        let message = format!("Content-Encoding {value:?} is not supported: use gzip, zstd, deflate or none");
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    })
}

/// Reads a whole body as it was sent, reserving memory before each piece is kept.
pub(crate) async fn read_body(
    body: Body,
    headers: &HeaderMap,
    pipeline: &Pipeline,
    source: &Source,
) -> Result<(Vec<u8>, Reservation), Refusal> {
    let too_large = || {
        let message = format!("the body is larger than {HTTP_BODY_BYTES_MAX} bytes: send smaller batches");
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message)
    };
    let announced = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|bytes| bytes > HTTP_BODY_BYTES_MAX) {
        return Err(too_large());
    }
    let mut reservation = pipeline.reserve(source, 0)?;
    // One allocation for what was announced. It is reserved as it comes: what is not written to is address space, not memory,
    // and who announces much and sends little must not hold the budget.
    let (mut body, mut bytes) = (body, Vec::with_capacity(announced.unwrap_or(0).min(CAPACITY_BYTES_MAX)));
    loop {
        let frame = tokio::time::timeout(BODY_PAUSE_MAX, body.frame()).await.map_err(|_| {
            Refusal::new(StatusCode::REQUEST_TIMEOUT, format!("no byte of the body came for {BODY_PAUSE_MAX:?}"))
        })?;
        let Some(frame) = frame else { return Ok((bytes, reservation)) };
        let frame = frame.map_err(|error| Refusal::bad_request(format!("the body was cut off: {error}")))?;
        let Some(data) = frame.data_ref() else { continue };
        if bytes.len() + data.len() > HTTP_BODY_BYTES_MAX {
            return Err(too_large());
        }
        grow(&mut reservation, data.len(), source)?;
        bytes.extend_from_slice(data);
    }
}

fn grow(reservation: &mut Reservation, bytes: usize, source: &Source) -> Result<(), PushError> {
    reservation.grow(bytes).inspect_err(|_| telemetry::metrics::INGEST_BUSY.add(source.protocol.as_str(), 1))
}

/// Undoes the content encoding within the limits; `reservation` grows by what it becomes.
pub(crate) fn decompressed(
    encoding: Encoding,
    body: Vec<u8>,
    reservation: &mut Reservation,
    source: &Source,
) -> Result<Vec<u8>, Refusal> {
    if encoding == Encoding::Identity {
        return Ok(body);
    }
    let mut busy = None;
    let result = decompress(encoding, &body, DECOMPRESSED_BYTES_MAX, &mut |bytes| {
        busy = grow(reservation, bytes, source).err();
        busy.is_none()
    });
    result.map_err(|error| match (error, busy) {
        (DecompressError::NoRoom, Some(busy)) => busy.into(),
        (error @ (DecompressError::TooLarge { .. } | DecompressError::Bomb { .. }), _) => {
            Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string())
        }
        (error, _) => Refusal::bad_request(error.to_string()),
    })
}

/// Decodes a body of so many bytes as sent: a small one at once, a large one on a thread that may take its time, so that it does
/// not delay other connections.
pub(crate) async fn decoding<T: Send + 'static>(
    encoding: Encoding,
    bytes: usize,
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let in_place_max = if encoding == Encoding::Identity { IN_PLACE_BYTES_MAX } else { IN_PLACE_COMPRESSED_BYTES_MAX };
    if bytes <= in_place_max {
        return work();
    }
    let failed = |error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, format!("decoding failed: {error}"));
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}
