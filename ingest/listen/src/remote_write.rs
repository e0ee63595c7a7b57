//! Prometheus's remote write: `POST /api/v1/write` (Prometheus) and `/api/v1/push` (Mimir), versions 1.0 and 2.0.
//!
//! What the status tells a sender: 204 that everything is durable; 400 that what the body names was refused, everything else is
//! durable, and repeating is of no use; 415 that it should speak another version; 503 that nothing can be taken now and the
//! request must be repeated as it is, which is safe because a sample written twice is one sample. It is never 429: by default
//! Prometheus drops what was answered so.

use std::sync::Arc;

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::post;
use decode::Encoding;
use decode::remote_write::{RemoteWrite, RemoteWriteOptions, decode_remote_write_of_known};
use model::SeriesBatch;
use pipeline::{Pipeline, Protocol, Source};

use crate::http::{Refusal, decoding, decompressed, read_body, request_tenant};
use crate::otlp_http::{Peer, peer_text};

const SAMPLES_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-samples-written");
const HISTOGRAMS_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-histograms-written");
const EXEMPLARS_WRITTEN: HeaderName = HeaderName::from_static("x-prometheus-remote-write-exemplars-written");

/// Refusals that an answer tells one by one.
const REASONS_TOLD_MAX: usize = 10;

/// The routes of remote write.
pub fn remote_write_router(pipeline: Arc<Pipeline>, options: RemoteWriteOptions) -> Router {
    let routes = Router::new().route("/api/v1/write", post(write)).route("/api/v1/push", post(write));
    routes.with_state((pipeline, options))
}

/// What became durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Written {
    samples: usize,
    histograms: usize,
    exemplars: usize,
}

impl Written {
    fn of(batch: &SeriesBatch) -> Self {
        let histograms = batch.histogram_count();
        Self { samples: batch.sample_count() - histograms, histograms, exemplars: batch.exemplar_count() }
    }
}

async fn write(
    State((pipeline, options)): State<(Arc<Pipeline>, RemoteWriteOptions)>,
    peer: Peer,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let source = Source { protocol: Protocol::RemoteWrite, peer: peer_text(peer) };
    match receive(&pipeline, options, source, &head.headers, body).await {
        Ok((written, None)) => response(StatusCode::NO_CONTENT, written, String::new()),
        Ok((written, Some(reasons))) => response(StatusCode::BAD_REQUEST, written, reasons),
        Err(refusal) => refused(refusal),
    }
}

/// Stores a request; the text is what was refused of it.
async fn receive(
    pipeline: &Arc<Pipeline>,
    options: RemoteWriteOptions,
    source: Source,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Written, Option<String>), Refusal> {
    let version = version(headers)?;
    check_encoding(headers)?;
    let tenant = request_tenant(headers)?;
    let (body, mut reservation) = read_body(body, headers, pipeline, &source).await?;
    let received = telemetry::clock::now();
    let begin = Arc::clone(pipeline);
    let (written, reasons, begun, reservation) = decoding(Encoding::Snappy, body.len(), move || {
        let body = decompressed(Encoding::Snappy, body, &mut reservation, &source)?;
        let decoded = begin.with_known(&tenant, |known| decode_remote_write_of_known(version, &body, options, known));
        decode::recycle(body);
        let mut decoded = decoded.map_err(|error| Refusal::bad_request(error.to_string()))?;
        begin.admit(&tenant, &mut decoded);
        let (written, reasons) = (Written::of(&decoded.series), reasons(&decoded));
        Ok((written, reasons, begin.begin(&tenant, &source, received, decoded), reservation))
    })
    .await?;
    begun.stored(pipeline).await?;
    drop(reservation);
    Ok((written, reasons))
}

/// Which message the content type says; without one it is version 1.0, as early senders mean it.
fn version(headers: &HeaderMap) -> Result<RemoteWrite, Refusal> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(RemoteWrite::V1) };
    let known = value.to_str().ok().and_then(|value| {
        let mut parts = value.split(';').map(str::trim);
        let kind = parts.next()?;
        let proto = parts.filter_map(|part| part.split_once('=')).find(|(name, _)| name.eq_ignore_ascii_case("proto"));
        let proto = proto.map_or(RemoteWrite::V1.proto(), |(_, proto)| proto.trim_matches('"'));
        let versions = [RemoteWrite::V1, RemoteWrite::V2];
        kind.eq_ignore_ascii_case("application/x-protobuf")
            .then(|| versions.into_iter().find(|version| version.proto() == proto))
            .flatten()
    });
    known.ok_or_else(|| {
        let message = format!(
            "Content-Type {value:?} is not supported: use application/x-protobuf;proto={} or {}",
            RemoteWrite::V2.proto(),
            RemoteWrite::V1.proto()
        );
        Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
    })
}

/// The encoding is snappy's block format, said or not.
fn check_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(value) if !value.as_bytes().eq_ignore_ascii_case(b"snappy") => {
            let message = format!("Content-Encoding {value:?} is not supported: use snappy, in its block format");
            Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message))
        }
        _ => Ok(()),
    }
}

/// The first refusals, one a line.
fn reasons(decoded: &decode::Decoded) -> Option<String> {
    let first = decoded.rejects.first()?;
    let mut text = first.reason.clone();
    for reject in decoded.rejects.iter().skip(1).take(REASONS_TOLD_MAX - 1) {
        text.push('\n');
        text.push_str(&reject.reason);
    }
    let more: u64 = decoded.rejects.iter().skip(REASONS_TOLD_MAX).map(|reject| reject.items).sum();
    if more > 0 {
        text.push_str(&format!("\nand {more} more samples, see the quarantine table"));
    }
    Some(text)
}

/// Nothing was stored, or it is not known to be.
fn refused(refusal: Refusal) -> Response {
    let retry_after_s = refusal.retry_after_s();
    let status = match refusal.status {
        StatusCode::TOO_MANY_REQUESTS => StatusCode::SERVICE_UNAVAILABLE,
        status => status,
    };
    let mut response = response(status, Written::default(), refusal.message);
    if let Some(seconds) = retry_after_s {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn response(status: StatusCode, written: Written, mut text: String) -> Response {
    let is_text = !text.is_empty();
    if is_text {
        text.push('\n');
    }
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    if is_text {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    headers.insert(SAMPLES_WRITTEN, HeaderValue::from(written.samples));
    headers.insert(HISTOGRAMS_WRITTEN, HeaderValue::from(written.histograms));
    headers.insert(EXEMPLARS_WRITTEN, HeaderValue::from(written.exemplars));
    response
}

#[cfg(test)]
mod tests;
