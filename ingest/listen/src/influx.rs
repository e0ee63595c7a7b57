//! InfluxDB's write API, versions 1 and 2, and as much of the rest as its clients ask before they write.
//!
//! | path | |
//! | --- | --- |
//! | `POST /write` | version 1: `db`, `precision`; errors are `{"error": ...}`, "not now" is 503 |
//! | `POST /api/v2/write` | version 2: `bucket`, `precision`; errors are `{"code", "message"}`, "not now" is 429 |
//! | `GET, HEAD /ping` | 204 and a version |
//! | `GET, POST /query` | statements that prepare a database succeed, and there is nothing to prepare; others are told that PromQL is spoken here |
//! | `GET /influx/health` | version 2's |
//!
//! All of them are under `/influx` as well. 204 means that everything is durable; 400 names the first line that was refused, and the lines
//! beside it are durable.

use std::sync::Arc;

use ::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header};
use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use decode::influx::{InfluxOptions, Precision, decode_influx};
use model::TenantId;
use pipeline::{Begun, Pipeline, Protocol, Reservation, Source};
use serde_json::json;
use telemetry::metrics::INFLUX_STRINGS;

use crate::http::{Refusal, decoding, decompressed, read_body, request_encoding, request_tenant};
use crate::otlp_http::{Peer, peer_text};

/// The version that clients are told: the last of the line whose API this is.
const VERSION: &str = "1.8.10";
const VERSION_HEADER: HeaderName = HeaderName::from_static("x-influxdb-version");

/// Largest body of a query: clients send a statement or two.
const QUERY_BYTES_MAX: usize = 64 * 1024;

/// Largest number of statements of a query that are answered.
const STATEMENTS_MAX: usize = 100;

/// Which API a request speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Api {
    V1,
    V2,
}

#[derive(Clone)]
struct Influx {
    pipeline: Arc<Pipeline>,
    skip_single_field: bool,
}

/// The parameters of a write.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Params {
    db: String,
    bucket: String,
    precision: String,
}

/// The routes of InfluxDB. `skip_single_field` is [`InfluxOptions::skip_single_field`].
pub fn influx_router(pipeline: Arc<Pipeline>, skip_single_field: bool) -> Router {
    let mut router = Router::new();
    for prefix in ["", "/influx"] {
        let v1 = |state, peer, request| write(Api::V1, state, peer, request);
        let v2 = |state, peer, request| write(Api::V2, state, peer, request);
        router = router
            .route(&format!("{prefix}/write"), post(v1))
            .route(&format!("{prefix}/api/v2/write"), post(v2))
            .route(&format!("{prefix}/ping"), get(ping))
            .route(&format!("{prefix}/query"), get(query).post(query));
    }
    router.route("/influx/health", get(health)).with_state(Influx { pipeline, skip_single_field })
}

async fn write(api: Api, State(influx): State<Influx>, peer: Peer, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let source = Source { protocol: Protocol::Influx, peer: peer_text(peer) };
    let stored = match Query::<Params>::try_from_uri(&head.uri) {
        Ok(Query(params)) => influx.receive(params, source, &head.headers, body).await,
        Err(rejection) => Err(Refusal::bad_request(rejection.body_text())),
    };
    match stored {
        Ok(None) => with_version(StatusCode::NO_CONTENT.into_response()),
        Ok(Some(reason)) => error_response(api, &Refusal::bad_request(reason)),
        Err(refusal) => error_response(api, &refusal),
    }
}

impl Influx {
    /// Stores a request; the text is what was refused of it.
    async fn receive(
        &self,
        params: Params,
        source: Source,
        headers: &HeaderMap,
        body: Body,
    ) -> Result<Option<String>, Refusal> {
        let precision = Precision::parse(&params.precision).ok_or_else(|| {
            Refusal::bad_request(format!(
                "precision {:?} is not known: use ns, us, ms, s, m, h or auto",
                params.precision
            ))
        })?;
        let database = if params.db.is_empty() { params.bucket } else { params.db };
        let options = InfluxOptions { precision, database, skip_single_field: self.skip_single_field };
        let (tenant, encoding) = (request_tenant(headers)?, request_encoding(headers)?);
        let (body, mut reservation) = read_body(body, headers, &self.pipeline, &source).await?;
        let pipeline = Arc::clone(&self.pipeline);
        let (refused, begun, reservation) = decoding(encoding, body.len(), move || {
            let body = decompressed(encoding, body, &mut reservation, &source)?;
            let (refused, begun) = begin(&pipeline, &tenant, &source, &body, &options)?;
            Ok::<(_, _, Reservation), _>((refused, begun, reservation))
        })
        .await?;
        begun.stored(&self.pipeline).await?;
        drop(reservation);
        Ok(refused)
    }
}

fn begin(
    pipeline: &Pipeline,
    tenant: &TenantId,
    source: &Source,
    body: &[u8],
    options: &InfluxOptions,
) -> Result<(Option<String>, Begun), Refusal> {
    let received = telemetry::clock::now();
    let influx = decode_influx(body, options, received)
        .map_err(|error| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, error.to_string()))?;
    INFLUX_STRINGS.add(influx.strings);
    let mut decoded = influx.decoded;
    pipeline.admit(tenant, &mut decoded);
    let refused = decoded.rejects.first().map(|first| {
        // `dropped` counts whole points in InfluxDB; what was refused here is in quarantine.
        format!(
            "partial write: {} dropped={}; the other lines are stored, and these are in the quarantine table",
            first.reason,
            decoded.rejected()
        )
    });
    Ok((refused, pipeline.begin(tenant, source, received, decoded)))
}

async fn ping() -> Response {
    let mut response = with_version(StatusCode::NO_CONTENT.into_response());
    response.headers_mut().insert("x-influxdb-build", HeaderValue::from_static("Backstop"));
    response
}

async fn health() -> Response {
    let body = json!({"name": "influxdb", "message": "ready for queries and writes", "status": "pass", "checks": [], "version": VERSION});
    with_version(Json(body).into_response())
}

/// The parameters of a query.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct Question {
    q: String,
}

async fn query(request: Request) -> Response {
    let (head, body) = request.into_parts();
    let in_url = Query::<Question>::try_from_uri(&head.uri).map(|Query(question)| question.q).unwrap_or_default();
    let statements = if in_url.is_empty() { in_form(body).await } else { Some(in_url) };
    let Some(statements) = statements.filter(|text| !text.trim().is_empty()) else {
        return error_response(Api::V1, &Refusal::bad_request("missing required parameter \"q\""));
    };
    let results: Vec<_> = statements
        .split(';')
        .filter(|statement| !statement.trim().is_empty())
        .take(STATEMENTS_MAX)
        .enumerate()
        .map(|(at, statement)| answer(at, statement))
        .collect();
    with_version(Json(json!({"results": results})).into_response())
}

/// The statements of a form.
async fn in_form(body: Body) -> Option<String> {
    let form = axum::body::to_bytes(body, QUERY_BYTES_MAX).await.ok()?;
    let uri: Uri = format!("/?{}", std::str::from_utf8(&form).ok()?.trim()).parse().ok()?;
    Query::<Question>::try_from_uri(&uri).ok().map(|Query(question)| question.q)
}

/// What clients that are about to write ask for is there already: a database is a label.
fn answer(at: usize, statement: &str) -> serde_json::Value {
    let words: Vec<String> = statement.split_whitespace().take(2).map(str::to_ascii_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words[..] {
        ["CREATE" | "ALTER", "DATABASE" | "RETENTION"] => json!({"statement_id": at}),
        ["SHOW", "DATABASES"] => {
            json!({"statement_id": at, "series": [{"name": "databases", "columns": ["name"], "values": []}]})
        }
        _ => json!({
            "statement_id": at,
            "error": "InfluxQL is not spoken here: ask in PromQL at /api/v1/query, or in Backstop's language at /backstop/api/v1/query",
        }),
    }
}

fn with_version(mut response: Response) -> Response {
    response.headers_mut().insert(VERSION_HEADER, HeaderValue::from_static(VERSION));
    response
}

fn error_response(api: Api, refusal: &Refusal) -> Response {
    let (status, body) = match api {
        Api::V1 => {
            // Clients of version 1 know no 429, and drop what they are answered so.
            let busy = refusal.status == StatusCode::TOO_MANY_REQUESTS;
            let status = if busy { StatusCode::SERVICE_UNAVAILABLE } else { refusal.status };
            (status, json!({"error": refusal.message}))
        }
        Api::V2 => {
            let code = match refusal.status {
                StatusCode::TOO_MANY_REQUESTS => "too many requests",
                StatusCode::SERVICE_UNAVAILABLE => "unavailable",
                StatusCode::PAYLOAD_TOO_LARGE => "request too large",
                StatusCode::UNSUPPORTED_MEDIA_TYPE => "unsupported media type",
                status if status.is_server_error() => "internal error",
                _ => "invalid",
            };
            (refusal.status, json!({"code": code, "message": refusal.message}))
        }
    };
    let mut response = with_version((status, Json(body)).into_response());
    let headers = response.headers_mut();
    if let Some(seconds) = refusal.retry_after_s() {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    // Clients of version 1 show this header, which can hold no line end and nothing but ASCII.
    let shown: String = refusal.message.chars().filter(|c| matches!(c, ' '..='~')).take(500).collect();
    if let (Api::V1, Ok(value)) = (api, HeaderValue::from_str(&shown)) {
        headers.insert("x-influxdb-error", value);
    }
    response
}

#[cfg(test)]
mod tests;
