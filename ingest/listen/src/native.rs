//! `POST /backstop/api/v1/ingest`: lines of text, which `backstop ingest` and `curl` send.

use std::sync::Arc;

use ::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use axum::{Json, Router};
use decode::{Format, LineOptions, decode_lines, detect};
use pipeline::{Accepted, Pipeline, Protocol, Source};

use crate::http::{Refusal, decoding, decompressed, read_body, request_encoding, request_tenant};
use crate::otlp_http::{Peer, peer_text};

/// The query of the request.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    /// `auto`, `json`, `logfmt`, `syslog` or `raw`; `auto` when absent.
    format: Option<String>,
    /// The service of records that name none.
    service: Option<String>,
    /// The file that the lines come from, as `log.file.path`.
    path: Option<String>,
}

/// What was stored.
#[derive(Debug, serde::Serialize)]
struct Answer {
    accepted: u64,
    quarantined: u64,
    format: &'static str,
}

/// The native ingest route: `?format=auto|json|logfmt|syslog|raw&service=S&path=P`, a body of lines, gzip, zstd or deflate;
/// answers `{"accepted": n, "quarantined": n, "format": "..."}` once they are durable.
pub fn native_router(pipeline: Arc<Pipeline>) -> Router {
    Router::new().route("/backstop/api/v1/ingest", post(ingest)).with_state(pipeline)
}

async fn ingest(
    State(pipeline): State<Arc<Pipeline>>,
    params: Result<Query<Params>, QueryRejection>,
    peer: Peer,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let source = Source { protocol: Protocol::Native, peer: peer_text(peer) };
    let received = match params {
        Ok(Query(params)) => receive(params, &pipeline, source, &headers, body).await,
        Err(rejection) => Err(Refusal::bad_request(rejection.body_text())),
    };
    match received {
        Ok((accepted, format)) => {
            let answer = Answer { accepted: accepted.rows, quarantined: accepted.quarantined, format: format.as_str() };
            Json(answer).into_response()
        }
        Err(refusal) => error_response(&refusal),
    }
}

async fn receive(
    params: Params,
    pipeline: &Arc<Pipeline>,
    source: Source,
    headers: &HeaderMap,
    body: Body,
) -> Result<(Accepted, Format), Refusal> {
    let wanted = match params.format.as_deref() {
        None | Some("auto") => None,
        Some(name) => Some(Format::parse(name).ok_or_else(|| {
            Refusal::bad_request(format!("format {name:?} is not known: use auto, {}", Format::NAMES.join(", ")))
        })?),
    };
    let tenant = request_tenant(headers)?;
    let encoding = request_encoding(headers)?;
    let (body, mut reservation) = read_body(body, headers, pipeline, &source).await?;
    let received = telemetry::clock::now();
    let options = LineOptions {
        service: params.service.filter(|service| !service.is_empty()),
        file_path: params.path.filter(|path| !path.is_empty()),
        ..LineOptions::default()
    };
    let begin = Arc::clone(pipeline);
    let (begun, format, reservation) = decoding(encoding, body.len(), move || {
        let text = decompressed(encoding, body, &mut reservation, &source)?;
        let format = wanted.unwrap_or_else(|| detect(&text));
        let decoded = decode_lines(format, &text, received, &options);
        drop(text);
        Ok((begin.begin(&tenant, &source, received, decoded), format, reservation))
    })
    .await?;
    let accepted = begun.stored(pipeline).await?;
    drop(reservation);
    Ok((accepted, format))
}

/// The native API's error shape.
fn error_response(refusal: &Refusal) -> Response {
    let code = match refusal.status {
        StatusCode::TOO_MANY_REQUESTS => "busy",
        StatusCode::PAYLOAD_TOO_LARGE => "too_large",
        StatusCode::SERVICE_UNAVAILABLE => "unavailable",
        StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported_encoding",
        StatusCode::INTERNAL_SERVER_ERROR => "internal",
        _ => "bad_request",
    };
    let body = serde_json::json!({"error": {"code": code, "message": refusal.message}});
    let mut response = (refusal.status, Json(body)).into_response();
    if let Some(seconds) = refusal.retry_after_s() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests;
