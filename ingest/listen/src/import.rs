//! `POST /api/v1/import/prometheus`: samples with their times as text, for backfilling; VictoriaMetrics has the same path.
//!
//! | parameter | |
//! | --- | --- |
//! | `format` | `prometheus` (times in milliseconds), `openmetrics` (times in seconds); else the `Content-Type` says it, else `# EOF` at the end |
//! | `timestamp` | milliseconds, of samples without a time; else they are from when they came |
//! | `extra_label` | `name=value`, set on every series; may be given several times |
//!
//! 204 says that everything is durable, and `X-Samples-Written` how much that is. A body is taken whole or not at all: the first line that can not be read ends it with 400, its number, and nothing stored. What a limit
//! of the store refuses is named by 400 too, and everything else is durable then. Samples sent twice are one, so that a file whose import
//! broke off is simply sent again.

use std::sync::Arc;

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::Router;
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use decode::Decoded;
use decode::exposition::{ExpositionFormat, ExpositionOptions, decode_exposition};
use model::{LabelsBuilder, SeriesBatch, TenantId};
use pipeline::{Begun, Pipeline, Protocol, Source};

use crate::http::{Refusal, decoding, decompressed, read_body, request_encoding, request_tenant};
use crate::otlp_http::{Peer, peer_text};

/// How many samples of a request are durable.
const SAMPLES_WRITTEN: HeaderName = HeaderName::from_static("x-samples-written");

/// How a text of OpenMetrics ends.
const OPEN_METRICS_END: &[u8] = b"# EOF";

/// Most labels that a request adds to its series.
const EXTRA_LABELS_MAX: usize = 32;

/// The route of imports.
pub fn import_router(pipeline: Arc<Pipeline>) -> Router {
    Router::new().route("/api/v1/import/prometheus", post(import)).with_state(pipeline)
}

/// What a request says beside its body.
#[derive(Debug, Default, PartialEq)]
struct Params {
    format: Option<ExpositionFormat>,
    time_ms: Option<i64>,
    extra_labels: Vec<(String, String)>,
}

impl Params {
    fn parse(given: Vec<(String, String)>) -> Result<Self, Refusal> {
        let mut params = Self::default();
        for (name, value) in given {
            match name.as_str() {
                "format" => params.format = Some(format_named(&value)?),
                "timestamp" => {
                    let bad = |_| Refusal::bad_request(format!("timestamp {value:?} is no number of milliseconds"));
                    params.time_ms = Some(value.parse().map_err(bad)?);
                }
                "extra_label" => {
                    let bad = || Refusal::bad_request(format!("extra_label {value:?} is not name=value"));
                    let (name, value) = value.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(bad)?;
                    params.extra_labels.push((name.to_owned(), value.to_owned()));
                }
                // Whoever sends more wants something else than what would be stored.
                _ => {
                    let message = format!("parameter {name:?} is not known: use format, timestamp or extra_label");
                    return Err(Refusal::bad_request(message));
                }
            }
        }
        if params.extra_labels.len() > EXTRA_LABELS_MAX {
            let message = format!("{} extra labels, {EXTRA_LABELS_MAX} are allowed", params.extra_labels.len());
            return Err(Refusal::bad_request(message));
        }
        Ok(params)
    }
}

fn format_named(name: &str) -> Result<ExpositionFormat, Refusal> {
    match name {
        "prometheus" => Ok(ExpositionFormat::Text),
        "openmetrics" => Ok(ExpositionFormat::OpenMetrics),
        _ => Err(Refusal::bad_request(format!("format {name:?} is not known: use prometheus or openmetrics"))),
    }
}

async fn import(State(pipeline): State<Arc<Pipeline>>, peer: Peer, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let source = Source { protocol: Protocol::Import, peer: peer_text(peer) };
    let params = Query::<Vec<(String, String)>>::try_from_uri(&head.uri)
        .map_err(|rejection| Refusal::bad_request(rejection.body_text()))
        .and_then(|Query(given)| Params::parse(given));
    let stored = match params {
        Ok(params) => receive(params, &pipeline, source, &head.headers, body).await,
        Err(refusal) => Err(refusal),
    };
    match stored {
        Ok(Stored { samples, refused: None }) => {
            (StatusCode::NO_CONTENT, [(SAMPLES_WRITTEN, HeaderValue::from(samples))]).into_response()
        }
        Ok(Stored { samples, refused: Some(reason) }) => {
            let written = [(SAMPLES_WRITTEN, HeaderValue::from(samples))];
            (StatusCode::BAD_REQUEST, written, format!("{reason}\n")).into_response()
        }
        Err(refusal) => error_response(&refusal),
    }
}

/// What became of a request.
struct Stored {
    samples: usize,
    /// What limits of the store refused of it.
    refused: Option<String>,
}

/// Stores a request.
async fn receive(
    params: Params,
    pipeline: &Arc<Pipeline>,
    source: Source,
    headers: &HeaderMap,
    body: Body,
) -> Result<Stored, Refusal> {
    let said = content_format(headers)?;
    let (tenant, encoding) = (request_tenant(headers)?, request_encoding(headers)?);
    let (body, mut reservation) = read_body(body, headers, pipeline, &source).await?;
    let begin = Arc::clone(pipeline);
    let (stored, begun, reservation) = decoding(encoding, body.len(), move || {
        let body = decompressed(encoding, body, &mut reservation, &source)?;
        let format = params.format.or(said).unwrap_or_else(|| format_of(&body));
        let (stored, begun) = decode_and_begin(&begin, &tenant, &source, &body, format, &params)?;
        Ok((stored, begun, reservation))
    })
    .await?;
    begun.stored(pipeline).await?;
    drop(reservation);
    Ok(stored)
}

fn decode_and_begin(
    pipeline: &Pipeline,
    tenant: &TenantId,
    source: &Source,
    body: &[u8],
    format: ExpositionFormat,
    params: &Params,
) -> Result<(Stored, Begun), Refusal> {
    let received = telemetry::clock::now();
    let options = ExpositionOptions { native_histograms: true, classic_too: true };
    let time_ms = params.time_ms.unwrap_or(received.millis());
    let decoded = decode_exposition(format, body, options, time_ms);
    let mut series = decoded.map_err(|error| Refusal::bad_request(format!("nothing was stored: {error}")))?;
    add_labels(&mut series, &params.extra_labels);
    let mut decoded = Decoded { series, ..Decoded::default() };
    pipeline.admit(tenant, &mut decoded);
    let refused = decoded.rejects.first().map(|first| {
        let others = decoded.rejects.len() - 1;
        let reason = &first.reason;
        format!("{reason}; {others} more series were refused, see the quarantine table, and everything else is stored")
    });
    let stored = Stored { samples: decoded.series.sample_count(), refused };
    Ok((stored, pipeline.begin(tenant, source, received, decoded)))
}

fn add_labels(batch: &mut SeriesBatch, extra: &[(String, String)]) {
    if extra.is_empty() {
        return;
    }
    for series in &mut batch.series {
        let mut builder = LabelsBuilder::default();
        for (name, value) in series.labels.iter() {
            builder.set(name, value);
        }
        for (name, value) in extra {
            builder.set(name.as_str(), value.as_str());
        }
        series.labels = builder.build();
    }
}

/// The format that a content type names. What senders of any text say of it (`curl` says that it is a form) means nothing here.
fn content_format(headers: &HeaderMap) -> Result<Option<ExpositionFormat>, Refusal> {
    let Some(value) = headers.get(header::CONTENT_TYPE) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    let media_type = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match media_type.as_str() {
        "application/openmetrics-text" | "application/vnd.google.protobuf" => {
            let format = ExpositionFormat::of_content_type(text, None);
            let refused = |_| {
                let message = format!("Content-Type {value:?} is not supported: use OpenMetrics 1.0");
                Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, message)
            };
            format.map(Some).map_err(refused)
        }
        "text/plain" if text.contains("version=") => Ok(Some(ExpositionFormat::Text)),
        _ => Ok(None),
    }
}

/// The format of a text that nobody named.
fn format_of(body: &[u8]) -> ExpositionFormat {
    if body.trim_ascii_end().ends_with(OPEN_METRICS_END) {
        return ExpositionFormat::OpenMetrics;
    }
    ExpositionFormat::Text
}

fn error_response(refusal: &Refusal) -> Response {
    let mut response = (refusal.status, format!("{}\n", refusal.message)).into_response();
    if let Some(seconds) = refusal.retry_after_s() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[cfg(test)]
mod tests;
