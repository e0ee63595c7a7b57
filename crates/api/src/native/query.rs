//! `POST /backstop/api/v1/query`: rows as they come (NDJSON), as a document (JSON), or as a file (CSV, Arrow, Parquet).

use std::sync::Arc;

use arrow_schema::Field;
use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use engine::{Engine, Language, QueryRequest, QueryStats, QueryStream, row_json};
use futures::{Stream, StreamExt as _, stream};
use http_body_util::StreamBody;
use model::{TenantId, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::export::{FileFormat, ResultFile};
use crate::request::{JsonBody, Tenant, range};
use crate::{Api, ApiError};

/// Carries the query's id, so that it can be cancelled.
const QUERY_ID_HEADER: HeaderName = HeaderName::from_static("x-backstop-query-id");
/// Asks for a last NDJSON line with statistics, for clients that can not read trailers, as browsers.
const END_LINE_HEADER: &str = "x-backstop-end-line";
/// The trailer with statistics.
const STATS_TRAILER: HeaderName = HeaderName::from_static("x-backstop-stats");
/// Rows of an answer that names no limit and does not stream: enough for a page, small enough for memory.
const DEFAULT_LIMIT: u64 = 1_000;

/// The body of a query.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct QueryBody {
    pub(crate) query: String,
    #[serde(default)]
    pub(crate) start: Option<Value>,
    #[serde(default)]
    pub(crate) end: Option<Value>,
    #[serde(default)]
    limit: Option<u64>,
    #[serde(default)]
    language: Language,
    #[serde(default)]
    allow_partial: bool,
    #[serde(default)]
    timeout_ms: Option<u64>,
}

impl QueryBody {
    fn request(self, tenant: TenantId, now: Timestamp) -> Result<QueryRequest, ApiError> {
        let range = range(self.start.as_ref(), self.end.as_ref(), now)?;
        Ok(QueryRequest {
            tenant,
            text: self.query,
            language: self.language,
            pipes: String::new(),
            range,
            limit: self.limit,
            now,
            allow_partial: self.allow_partial,
            timeout_ms: self.timeout_ms,
            export: false,
        })
    }
}

/// Runs a query in the format that `Accept` names: NDJSON unless it says JSON, CSV, Arrow or Parquet.
pub(crate) async fn run(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    headers: HeaderMap,
    JsonBody(body): JsonBody<QueryBody>,
) -> Result<Response, ApiError> {
    let mut request = body.request(tenant, telemetry::clock::now())?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or("");
    let binary = [FileFormat::Arrow, FileFormat::Parquet].into_iter().find(|format| accept.contains(format.names().0));
    if let Some(format) = binary {
        let file = ResultFile::open(&api.engine, request, format).await?;
        let id = file.id();
        let mut response = file.response();
        response.headers_mut().insert(QUERY_ID_HEADER, HeaderValue::from(id));
        return Ok(response);
    }
    let whole = accept.contains("application/json");
    let csv = accept.contains("text/csv");
    if whole || csv {
        request.limit = request.limit.or(Some(DEFAULT_LIMIT));
    }
    let stream = api.engine.run(request).await?;
    let running = Running::new(&api, &headers, stream.id());
    let id = stream.id();
    let mut response = if whole {
        json_document(stream, running).await?
    } else if csv {
        whole_csv(stream).await?
    } else {
        ndjson(stream, running, headers.contains_key(END_LINE_HEADER))
    };
    response.headers_mut().insert(QUERY_ID_HEADER, HeaderValue::from(id));
    Ok(response)
}

/// Remembers the id that a client chose for its query, as long as the query runs.
struct Running {
    api: Arc<Api>,
    chosen: Option<String>,
}

impl Running {
    fn new(api: &Arc<Api>, headers: &HeaderMap, id: u64) -> Self {
        let chosen = headers.get(QUERY_ID_HEADER).and_then(|id| id.to_str().ok()).map(str::to_owned);
        if let Some(chosen) = &chosen {
            api.chosen_ids.lock().insert(chosen.clone(), id);
        }
        Self { api: Arc::clone(api), chosen }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(chosen) = &self.chosen {
            self.api.chosen_ids.lock().remove(chosen);
        }
    }
}

/// Streams one JSON document. What fails before the first row is an error with its status; what fails later stands in the
/// document as `error`, with `complete` false.
async fn json_document(mut stream: QueryStream, running: Running) -> Result<Response, ApiError> {
    let first = stream.next_batch().await.transpose()?;
    let columns = Value::Array(first.as_ref().map(columns).unwrap_or_default());
    let mut text = format!("{{\"query_id\":\"{}\",\"columns\":{columns},\"rows\":[", stream.id());
    let empty = first.as_ref().is_none_or(|batch| batch.num_rows() == 0);
    push_rows(&mut text, first.as_ref(), true);
    let rest = Document { stream: Box::new(stream), empty, _running: running };
    let head = stream::once(async move { Ok(Frame::data(text.into())) });
    let tail = stream::unfold(Some(rest), |rest| async move {
        let (frame, rest) = rest?.next().await;
        Some((Ok::<_, std::convert::Infallible>(frame), rest))
    });
    let mut response = Response::new(Body::new(StreamBody::new(head.chain(tail))));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(response)
}

/// The part of a JSON document that is still to come.
struct Document {
    stream: Box<QueryStream>,
    /// Whether no row was written yet: the first needs no comma.
    empty: bool,
    _running: Running,
}

impl Document {
    async fn next(mut self) -> (Frame, Option<Self>) {
        let mut text = String::new();
        match self.stream.next_batch().await {
            Some(Ok(batch)) => {
                push_rows(&mut text, Some(&batch), self.empty);
                self.empty &= batch.num_rows() == 0;
                return (Frame::data(text.into()), Some(self));
            }
            Some(Err(error)) => {
                text.push_str("],\"complete\":false,");
                text.push_str(ApiError::from(error).to_line().trim_start_matches('{'));
            }
            None => {
                text.push_str("],");
                text.push_str(self.stream.stats().map(end_json).unwrap_or_default().trim_start_matches('{'));
            }
        }
        (Frame::data(text.into()), None)
    }
}

/// Appends rows as JSON objects with commas between them, and one before the first unless nothing stands there yet.
fn push_rows(text: &mut String, batch: Option<&arrow_array::RecordBatch>, mut first: bool) {
    let Some(batch) = batch else { return };
    for row in 0..batch.num_rows() {
        if !first {
            text.push(',');
        }
        row_json(batch, row, text);
        first = false;
    }
}

/// Names and types of the typed columns; rows of whole records carry further fields, each with its own type.
fn columns(batch: &arrow_array::RecordBatch) -> Vec<Value> {
    let fields = batch.schema_ref().fields().iter().filter(|field| field.name() != "_record");
    let kind = |field: &Field| match field.name().as_str() {
        // Shown as hexadecimal digits.
        model::field::ID => "string",
        _ => type_name(&field.data_type().to_string()),
    };
    fields.map(|field| json!({"name": field.name(), "type": kind(field)})).collect()
}

fn type_name(arrow: &str) -> &'static str {
    match arrow {
        "Int64" | "UInt64" | "Int32" | "UInt32" => "int",
        "Float64" => "double",
        "Boolean" => "bool",
        text if text.starts_with("Timestamp") => "time",
        text if text.starts_with("List") => "array",
        _ => "string",
    }
}

fn end_json(stats: &QueryStats) -> String {
    json!({
        "stats": stats,
        "complete": stats.complete,
        "limit_reached": stats.limit_reached,
        "rows_matched": stats.rows_matched,
        "warnings": stats.warnings,
    })
    .to_string()
}

async fn whole_csv(stream: QueryStream) -> Result<Response, ApiError> {
    let result = stream.collect_all().await?;
    let rows = result.json_rows();
    let mut names: Vec<&str> = Vec::new();
    for name in rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut body = names.iter().map(|name| csv_cell(name)).collect::<Vec<_>>().join(",");
    body.push_str("\r\n");
    for row in &rows {
        let cells: Vec<String> = names.iter().map(|name| csv_value(&row[*name])).collect();
        body.push_str(&cells.join(","));
        body.push_str("\r\n");
    }
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], body).into_response())
}

pub(crate) fn csv_value(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => csv_cell(text),
        other => csv_cell(&other.to_string()),
    }
}

/// Quotes a cell (RFC 4180). A text that a spreadsheet would take for a formula gets a quote mark in front, since log lines
/// are written by strangers.
pub(crate) fn csv_cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let text = if formula { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

/// What is left to send of a streamed answer.
enum Rest {
    Rows(Box<QueryStream>, Running),
    Trailers(HeaderMap),
    Nothing,
}

type Frame = http_body::Frame<Bytes>;

/// Streams a row a line, then statistics as a trailer, and as a line when asked. An error after the first row is the last
/// line, `{"error": ...}`; the status was sent long before.
fn ndjson(stream: QueryStream, running: Running, end_line: bool) -> Response {
    let frames = frames(Rest::Rows(Box::new(stream), running), end_line);
    let mut response = Response::new(Body::new(StreamBody::new(frames)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(header::TRAILER, HeaderValue::from_static("x-backstop-stats"));
    response
}

fn frames(rest: Rest, end_line: bool) -> impl Stream<Item = Result<Frame, std::convert::Infallible>> {
    stream::unfold(rest, move |rest| async move {
        let (frame, rest) = match rest {
            Rest::Rows(mut stream, running) => match stream.next_batch().await {
                Some(Ok(batch)) => (lines(&batch), Rest::Rows(stream, running)),
                Some(Err(error)) => (Frame::data((ApiError::from(error).to_line() + "\n").into()), Rest::Nothing),
                None => end(&stream, end_line),
            },
            Rest::Trailers(trailers) => (Frame::trailers(trailers), Rest::Nothing),
            Rest::Nothing => return None,
        };
        Some((Ok(frame), rest))
    })
}

fn lines(batch: &arrow_array::RecordBatch) -> Frame {
    let mut text = String::new();
    for row in 0..batch.num_rows() {
        row_json(batch, row, &mut text);
        text.push('\n');
    }
    Frame::data(text.into())
}

fn end(stream: &QueryStream, end_line: bool) -> (Frame, Rest) {
    let end = stream.stats().map_or_else(|| "{}".to_owned(), end_json);
    let mut trailers = HeaderMap::new();
    // A trailer is Latin-1: whatever a warning says beyond that is left to the end line.
    let ascii: String = end.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect();
    if let Ok(value) = HeaderValue::from_str(&ascii) {
        trailers.insert(STATS_TRAILER, value);
    }
    let line = if end_line { format!("{{\"_end\":{end}}}\n") } else { String::new() };
    (Frame::data(line.into()), Rest::Trailers(trailers))
}

/// `GET /queries`: what runs now.
pub(crate) async fn list(State(api): State<Arc<Api>>) -> Json<Value> {
    Json(json!({"queries": api.engine.running()}))
}

/// `DELETE /queries/{id}` and `POST /queries/{id}/cancel`: by the id of the answer's header, or by the one that the client
/// chose.
pub(crate) async fn cancel(State(api): State<Arc<Api>>, Path(id): Path<String>) -> Result<Json<Value>, ApiError> {
    let chosen = api.chosen_ids.lock().get(&id).copied();
    let canceled = chosen.or_else(|| id.parse().ok()).is_some_and(|id| Engine::cancel(&api.engine, id));
    if canceled {
        Ok(Json(json!({"canceled": true})))
    } else {
        Err(ApiError::not_found(format!("no query {id:?} runs")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_cells_are_quoted_and_never_formulas() {
        assert_eq!(csv_cell("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(csv_cell("=cmd()"), "'=cmd()");
        assert_eq!(csv_cell("-1.5"), "-1.5");
        assert_eq!(csv_cell("plain"), "plain");
    }
}
