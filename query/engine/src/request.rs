//! What a query asks and what it reports at its end.

use std::time::Duration;

use lang::{Diagnostic, Input, Promql, Query, Span};
use model::{TenantId, TimeRange, Timestamp};

use crate::QueryError;

/// In which language a query is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Backstop's own.
    #[default]
    Native,
    /// Query strings of Elasticsearch and Graylog.
    Lucene,
    /// PromQL; each sample is a row.
    Promql,
    /// SQL: one `SELECT` over the tables.
    Sql,
}

impl Language {
    /// Reads a text as a query of the native kind, which SQL is not.
    pub(crate) fn parse(self, text: &str, now: Timestamp) -> Result<(Query, Vec<Diagnostic>), QueryError> {
        Ok(match self {
            Self::Native => lang::parse(text, now),
            Self::Lucene => lang::parse_lucene(text, now),
            Self::Promql => {
                // A text that is not quoted starts one byte before its first one.
                let promql = Promql { text: text.to_owned(), span: Span(0..text.len()), step_ns: None };
                (Query { input: Input::Promql(promql), ..Query::default() }, Vec::new())
            }
            Self::Sql => {
                return Err(QueryError::Unsupported {
                    message: "this is not asked in SQL".to_owned(),
                    hint: "queries, their export and their plan are; for the rest put the condition into the native language"
                        .to_owned(),
                });
            }
        })
    }
}

/// One query.
#[derive(Clone, Debug)]
pub struct QueryRequest {
    /// Whose data.
    pub tenant: TenantId,
    /// The query's text.
    pub text: String,
    /// In which language.
    pub language: Language,
    /// Pipes of the native language that follow the query, whatever its language; empty for none.
    pub pipes: String,
    /// Which time; a `_time:` filter in the text narrows it further.
    pub range: TimeRange,
    /// Most rows to return. Log rows come newest first, so this is the newest `limit` rows. `None` returns all rows and fails
    /// with `query.rows_max` when there are more than that.
    pub limit: Option<u64>,
    /// What `now` and relative times in the text mean.
    pub now: Timestamp,
    /// Skip damaged segments and say so in the statistics, instead of failing.
    pub allow_partial: bool,
    /// A shorter time limit than the engine's.
    pub timeout_ms: Option<u64>,
    /// Whether the answer is a file: as many rows as there are, and [`EXPORT_TIMEOUT_FACTOR`] times as long.
    pub export: bool,
}

/// How much longer an export may take than a query.
pub const EXPORT_TIMEOUT_FACTOR: u64 = 60;

impl QueryRequest {
    /// A query over all time, without a limit, for a complete answer.
    pub fn new(tenant: TenantId, text: impl Into<String>, now: Timestamp) -> Self {
        Self {
            tenant,
            text: text.into(),
            language: Language::Native,
            pipes: String::new(),
            range: TimeRange::ALL,
            limit: None,
            now,
            allow_partial: false,
            timeout_ms: None,
            export: false,
        }
    }
}

/// What happened while a query ran; known once its stream has ended.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct QueryStats {
    /// The id under which the query ran.
    pub query_id: u64,
    /// Rows in the answer.
    pub rows_returned: u64,
    /// Rows that the filter matched; `None` when the query stopped before it had seen all of them.
    pub rows_matched: Option<u64>,
    /// Rows that were looked at one by one.
    pub rows_scanned: u64,
    /// Rows whose columns had to be read to know whether they match, because statistics and indexes did not tell.
    pub rows_verified: u64,
    /// Segments in the snapshot.
    pub segments_total: u64,
    /// Segments left out by their time, fields or index, unread.
    pub segments_pruned: u64,
    /// Segments whose columns were read.
    pub segments_scanned: u64,
    /// Bytes of columns that were decoded.
    pub bytes_read: u64,
    /// How long it ran, in milliseconds, waiting not counted.
    pub elapsed_ms: f64,
    /// Whether the answer covers all data that was asked for. A limit on rows does not make it incomplete.
    pub complete: bool,
    /// Whether there were, or may be, more rows than the limit.
    pub limit_reached: bool,
    /// What a person should know, such as the segments that a partial answer misses.
    pub warnings: Vec<String>,
}

impl QueryStats {
    /// Those of an answer that was there without reading.
    pub(crate) fn of_rows(query_id: u64, rows: u64) -> Self {
        Self {
            query_id,
            rows_returned: rows,
            rows_matched: Some(rows),
            rows_scanned: 0,
            rows_verified: 0,
            segments_total: 0,
            segments_pruned: 0,
            segments_scanned: 0,
            bytes_read: 0,
            elapsed_ms: 0.0,
            complete: true,
            limit_reached: false,
            warnings: Vec::new(),
        }
    }
}

/// A query that runs now.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct RunningQuery {
    /// Its id, for [`crate::Engine::cancel`].
    pub id: u64,
    /// Whose it is.
    pub tenant: String,
    /// Its text.
    pub text: String,
    /// How long it has run, in milliseconds.
    pub elapsed_ms: u64,
    /// Rows that it has looked at so far.
    pub rows_scanned: u64,
}

/// How many rows a span of time has, by severity.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct HistogramBucket {
    /// First time of the span.
    pub start_ns: i64,
    /// Rows by severity, `TRACE` to `FATAL`, and under the empty text those without.
    pub by_severity: std::collections::BTreeMap<String, u64>,
    /// All rows.
    pub total: u64,
}

/// How a query's matches spread over time.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Histogram {
    /// The range that the buckets cover; ends inside the last bucket.
    pub start_ns: i64,
    /// First time after.
    pub end_ns: i64,
    /// Length of a bucket.
    pub step_ns: i64,
    /// Every bucket, empty ones included, in time order.
    pub buckets: Vec<HistogramBucket>,
    /// The statistics of the query behind it.
    pub stats: QueryStats,
}

/// A field that matching rows have.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct FieldInfo {
    /// Its name.
    pub name: String,
    /// `string`, `int`, `double`, `bool` or `mixed`.
    pub kind: String,
    /// Rows that have it, among the rows looked at.
    pub rows: u64,
}

/// The fields of a query's matches.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Fields {
    /// The fields, the most frequent first.
    pub fields: Vec<FieldInfo>,
    /// Rows looked at: the newest that matched.
    pub rows: u64,
    /// Whether there were more rows than were looked at.
    pub sampled: bool,
    /// The statistics of the query behind it.
    pub stats: QueryStats,
}

/// One value of a field and how often it occurs.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct ValueCount {
    /// The value as text.
    pub value: String,
    /// Rows with it.
    pub rows: u64,
}

/// The commonest values of a field among a query's matches.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Values {
    /// The values, the commonest first, ties by value.
    pub values: Vec<ValueCount>,
    /// Whether there are more values than the limit.
    pub limit_reached: bool,
    /// The statistics of the query behind it.
    pub stats: QueryStats,
}

/// Milliseconds with a fraction.
pub(crate) fn millis(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e6).round() / 1e3
}
