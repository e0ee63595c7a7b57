//! `GET /export`: all rows of a query as a file, without a limit on their number, as they come.
//!
//! Rows of a table come newest first, by `_time` and then `_id`, so that an export that broke off goes on where it stopped: send the
//! `_time` and `_id` of the last row as `after_time` and `after_id`.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_ipc::writer::StreamWriter;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use column::ParquetExport;
use engine::{Engine, Language, QueryError, QueryRequest, QueryStream, row_json};
use futures::stream;
use model::{TimeRange, Timestamp};
use serde::Deserialize;
use serde_json::Value;

use super::query::{csv_cell, csv_value};
use crate::request::{Tenant, range};
use crate::{Api, ApiError};

/// JSON of rows whose columns are only known when all were seen, that a CSV, Arrow or Parquet file may be made of.
const EXPORT_UNKNOWN_BYTES_MAX: usize = 256 << 20;

/// How a file of rows is written.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum FileFormat {
    /// A JSON object a line.
    #[default]
    Ndjson,
    /// Comma-separated values with a header; nothing in them is a formula.
    Csv,
    /// A stream of Arrow record batches.
    Arrow,
    /// Parquet.
    Parquet,
}

impl FileFormat {
    /// The content type, and how the file's name ends.
    pub(crate) fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Ndjson => ("application/x-ndjson", "ndjson"),
            Self::Csv => ("text/csv; charset=utf-8", "csv"),
            Self::Arrow => ("application/vnd.apache.arrow.stream", "arrow"),
            Self::Parquet => ("application/vnd.apache.parquet", "parquet"),
        }
    }
}

/// What is exported.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportQuery {
    #[serde(default)]
    query: String,
    #[serde(default)]
    language: Language,
    #[serde(default)]
    start: Option<Value>,
    #[serde(default)]
    end: Option<Value>,
    #[serde(default)]
    format: FileFormat,
    #[serde(default)]
    after_time: Option<String>,
    #[serde(default)]
    after_id: Option<String>,
}

/// Streams the file. A query that can not be run is an error with its status; what fails later breaks the file off, so that it is
/// never taken for a whole one.
pub(crate) async fn export(
    State(api): State<Arc<Api>>,
    Tenant(tenant): Tenant,
    Query(asked): Query<ExportQuery>,
) -> Result<Response, ApiError> {
    let now = telemetry::clock::now();
    let mut request = QueryRequest::new(tenant, asked.query.clone(), now);
    request.language = asked.language;
    request.range = range(asked.start.as_ref(), asked.end.as_ref(), now)?;
    request.export = true;
    let after = cursor(&asked, now)?;
    if let Some((time, _)) = &after {
        request.range = request.range.intersect(&TimeRange::new(TimeRange::ALL.start, time.saturating_add_ns(1)));
    }
    let file = ResultFile::open_after(&api.engine, request, asked.format, after).await?;
    let (_, ending) = asked.format.names();
    let mut response = file.response();
    let headers = response.headers_mut();
    let name = format!("attachment; filename=\"export-{}.{ending}\"", now.millis() / 1000);
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The row after which an export goes on.
fn cursor(asked: &ExportQuery, now: Timestamp) -> Result<Option<(Timestamp, String)>, ApiError> {
    match (&asked.after_time, &asked.after_id) {
        (None, None) => Ok(None),
        (Some(time), Some(id)) => {
            let time = Timestamp::parse(time, now);
            let time = time.map_err(|error| ApiError::bad_request(error.to_string(), "send the row's own `_time`"))?;
            Ok(Some((time, id.clone())))
        }
        _ => {
            Err(ApiError::bad_request("`after_time` and `after_id` go together", "send both of the last row, or none"))
        }
    }
}

/// The rows of a query as a file on its way.
pub struct ResultFile {
    stream: QueryStream,
    after: Option<(Timestamp, String)>,
    writer: Option<Writer>,
    format: FileFormat,
}

enum Writer {
    Ndjson,
    /// The names of the columns.
    Csv(Vec<String>),
    Arrow(Box<StreamWriter<Vec<u8>>>),
    Parquet(Box<ParquetExport>),
}

fn broken(error: impl std::fmt::Display) -> std::io::Error {
    std::io::Error::other(error.to_string())
}

impl std::fmt::Debug for ResultFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResultFile").field("stream", &self.stream).field("format", &self.format).finish_non_exhaustive()
    }
}

impl ResultFile {
    /// Starts a query whose rows become a file.
    pub async fn open(engine: &Engine, request: QueryRequest, format: FileFormat) -> Result<Self, QueryError> {
        let columns = engine.record_columns(&request).await?;
        Self::with_columns(engine, request, format, columns).await
    }

    /// The same, behind a row that was seen already.
    async fn open_after(
        engine: &Engine,
        request: QueryRequest,
        format: FileFormat,
        after: Option<(Timestamp, String)>,
    ) -> Result<Self, ApiError> {
        let columns = engine.record_columns(&request).await?;
        if after.is_some() && columns.is_none() {
            return Err(ApiError::bad_request(
                "only rows of a table can be gone on with after a row",
                "leave out `after_time` and `after_id`",
            ));
        }
        Ok(Self { after, ..Self::with_columns(engine, request, format, columns).await? })
    }

    async fn with_columns(
        engine: &Engine,
        mut request: QueryRequest,
        format: FileFormat,
        columns: Option<Vec<String>>,
    ) -> Result<Self, QueryError> {
        if let Some(columns) = columns.filter(|_| format != FileFormat::Ndjson) {
            let quoted: Vec<String> = columns.iter().map(|name| Value::from(name.as_str()).to_string()).collect();
            request.pipes = format!("fields {}", quoted.join(", "));
        }
        Ok(Self { stream: engine.run(request).await?, after: None, writer: None, format })
    }

    /// The file as the body of an answer.
    pub(crate) fn response(self) -> Response {
        let (content_type, _) = self.format.names();
        let frames = stream::try_unfold(Some(self), |file| async move {
            let Some(mut file) = file else { return Ok(None) };
            let (bytes, more) = file.next().await?;
            Ok::<_, std::io::Error>(Some((Bytes::from(bytes), more.then_some(file))))
        });
        let mut response = Response::new(Body::from_stream(frames));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        response
    }

    /// The id of the query behind it.
    pub(crate) fn id(&self) -> u64 {
        self.stream.id()
    }

    /// The next bytes, and whether more come.
    pub async fn next(&mut self) -> std::io::Result<(Vec<u8>, bool)> {
        loop {
            let Some(batch) = self.stream.next_batch().await else {
                let mut bytes = Vec::new();
                if self.writer.is_none() {
                    // Without rows there still is a file.
                    bytes = self.start(&RecordBatch::new_empty(Arc::new(arrow_schema::Schema::empty())))?;
                }
                bytes.extend(self.finish()?);
                return Ok((bytes, false));
            };
            let mut batch = batch.map_err(broken)?;
            if let Some((time, id)) = &self.after {
                batch = behind(&batch, *time, id)?;
            }
            if batch.num_rows() == 0 {
                continue;
            }
            if self.writer.is_none()
                && batch.column_by_name(engine::RECORD_COLUMN).is_some()
                && self.format != FileFormat::Ndjson
            {
                batch = self.unknown_columns(batch).await?;
            }
            let mut bytes = if self.writer.is_none() { self.start(&batch)? } else { Vec::new() };
            bytes.extend(self.write(&batch)?);
            if !bytes.is_empty() {
                return Ok((bytes, true));
            }
        }
    }

    /// All rows whose columns only the rows tell, as one batch of texts.
    async fn unknown_columns(&mut self, first: RecordBatch) -> std::io::Result<RecordBatch> {
        let mut rows: Vec<serde_json::Map<String, Value>> = Vec::new();
        let (mut names, mut bytes) = (Vec::<String>::new(), 0);
        let mut next = Some(first);
        while let Some(batch) = next {
            let mut line = String::new();
            for row in 0..batch.num_rows() {
                line.clear();
                row_json(&batch, row, &mut line);
                bytes += line.len();
                let Value::Object(fields) = serde_json::from_str(&line).map_err(broken)? else { continue };
                names.extend(fields.keys().filter(|name| !names.contains(name)).cloned().collect::<Vec<_>>());
                rows.push(fields);
            }
            if bytes > EXPORT_UNKNOWN_BYTES_MAX {
                return Err(broken(format!(
                    "the columns are only known when all rows were seen, and these have more than {EXPORT_UNKNOWN_BYTES_MAX} bytes \
                     (EXPORT_UNKNOWN_BYTES_MAX): export NDJSON"
                )));
            }
            next = self.stream.next_batch().await.transpose().map_err(broken)?;
        }
        let text = |value: Option<&Value>| match value {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => Some(other.to_string()),
        };
        let columns = names.iter().map(|name| {
            let column: arrow_array::StringArray = rows.iter().map(|row| text(row.get(name))).collect();
            (name.as_str(), Arc::new(column) as arrow_array::ArrayRef)
        });
        RecordBatch::try_from_iter_with_nullable(columns.map(|(name, column)| (name, column, true))).map_err(broken)
    }

    fn start(&mut self, first: &RecordBatch) -> std::io::Result<Vec<u8>> {
        let schema = first.schema();
        let (writer, head) = match self.format {
            FileFormat::Ndjson => (Writer::Ndjson, Vec::new()),
            FileFormat::Csv => {
                let names: Vec<String> = schema.fields().iter().map(|field| field.name().clone()).collect();
                let head = names.iter().map(|name| csv_cell(name)).collect::<Vec<_>>().join(",") + "\r\n";
                (Writer::Csv(names), head.into_bytes())
            }
            FileFormat::Arrow => {
                (Writer::Arrow(Box::new(StreamWriter::try_new(Vec::new(), &schema).map_err(broken)?)), Vec::new())
            }
            FileFormat::Parquet => (Writer::Parquet(Box::new(ParquetExport::new(schema).map_err(broken)?)), Vec::new()),
        };
        self.writer = Some(writer);
        Ok(head)
    }

    fn write(&mut self, batch: &RecordBatch) -> std::io::Result<Vec<u8>> {
        match self.writer.as_mut() {
            None => Ok(Vec::new()),
            Some(Writer::Arrow(writer)) => {
                writer.write(batch).map_err(broken)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Some(Writer::Parquet(writer)) => writer.write(batch).map_err(broken),
            Some(Writer::Ndjson) => {
                let mut text = String::new();
                for row in 0..batch.num_rows() {
                    row_json(batch, row, &mut text);
                    text.push('\n');
                }
                Ok(text.into_bytes())
            }
            Some(Writer::Csv(names)) => {
                let (mut text, mut line) = (String::new(), String::new());
                for row in 0..batch.num_rows() {
                    line.clear();
                    row_json(batch, row, &mut line);
                    let fields: Value = serde_json::from_str(&line).map_err(broken)?;
                    let cells: Vec<String> = names.iter().map(|name| csv_value(&fields[name.as_str()])).collect();
                    text.push_str(&cells.join(","));
                    text.push_str("\r\n");
                }
                Ok(text.into_bytes())
            }
        }
    }

    fn finish(&mut self) -> std::io::Result<Vec<u8>> {
        match self.writer.take() {
            Some(Writer::Arrow(mut writer)) => {
                writer.finish().map_err(broken)?;
                Ok(std::mem::take(writer.get_mut()))
            }
            Some(Writer::Parquet(writer)) => writer.finish().map_err(broken),
            _ => Ok(Vec::new()),
        }
    }
}

/// The rows of a batch that come after a row, in the order of an export.
fn behind(batch: &RecordBatch, time: Timestamp, id: &str) -> std::io::Result<RecordBatch> {
    let text = |row: usize, name: &str| engine::row_value(batch, row, name).map(|value| value.text().into_owned());
    let at = time.to_string();
    let later = |row: &u32| {
        let (row_time, row_id) = (text(*row as usize, model::field::TIME), text(*row as usize, model::field::ID));
        row_time.as_deref() != Some(at.as_str()) || row_id.as_deref().unwrap_or_default() < id
    };
    let kept: Vec<u32> = (0..batch.num_rows() as u32).filter(later).collect();
    engine::take_rows(batch, kept).map_err(broken)
}
