//! The rows of a running query.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow_array::{Array as _, ArrayRef, RecordBatch, StringArray};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use exec::Control;
use futures::{Stream, StreamExt as _};
use tokio::sync::mpsc;

use crate::engine::Inner;
use crate::registry::Entry;
use crate::{QueryError, QueryRequest, QueryStats, row_json};

/// Batches on their way to the reader. Small: a slow reader holds the query back instead of filling memory.
pub(crate) const BATCHES_AHEAD_MAX: usize = 2;

/// What the driver of a query sends.
#[derive(Debug)]
pub(crate) enum Event {
    Batch(RecordBatch),
    End(Box<QueryStats>),
    Failed(QueryError),
}

/// The rows of a running query, as a stream of batches. After the last batch [`QueryStream::stats`] knows how it went; an
/// error ends the stream. Dropping it cancels the query.
#[derive(Debug)]
pub struct QueryStream {
    events: mpsc::Receiver<Event>,
    entry: Arc<Entry>,
    stats: Option<QueryStats>,
    ended: bool,
}

/// All rows of a query, for callers that do not stream.
#[derive(Clone, Debug)]
pub struct QueryResult {
    /// The rows.
    pub batches: Vec<RecordBatch>,
    /// How it went.
    pub stats: QueryStats,
}

impl QueryStream {
    pub(crate) fn new(events: mpsc::Receiver<Event>, entry: Arc<Entry>) -> Self {
        Self { events, entry, stats: None, ended: false }
    }

    /// An answer that needs no running: these lines as rows of one column.
    pub(crate) fn of_lines<'a>(
        inner: &Inner,
        request: &QueryRequest,
        column: &str,
        lines: impl Iterator<Item = &'a str>,
    ) -> Result<Self, QueryError> {
        let internal = |error: ArrowError| QueryError::Internal { message: error.to_string() };
        let lines: ArrayRef = Arc::new(lines.map(Some).collect::<StringArray>());
        let rows = lines.len() as u64;
        let schema = Schema::new(vec![Field::new(column, DataType::Utf8, true)]);
        let batch = RecordBatch::try_new(Arc::new(schema), vec![lines]).map_err(internal)?;
        let registered = inner.registry.add(&request.tenant, &request.text, Arc::new(Control::new(false)));
        let stats = QueryStats::of_rows(registered.entry.id, rows);
        let (events, receiver) = mpsc::channel(BATCHES_AHEAD_MAX);
        let full = |_| QueryError::Internal { message: "an empty channel is full".to_owned() };
        events.try_send(Event::Batch(batch)).map_err(full)?;
        events.try_send(Event::End(Box::new(stats))).map_err(full)?;
        Ok(Self::new(receiver, registered.entry.clone()))
    }

    /// The id of the query, for [`crate::Engine::cancel`].
    pub fn id(&self) -> u64 {
        self.entry.id
    }

    /// What the query's operators share and count.
    pub(crate) fn control(&self) -> Arc<Control> {
        self.entry.control.clone()
    }

    /// How it went; `None` before the end, and when it failed.
    pub fn stats(&self) -> Option<&QueryStats> {
        self.stats.as_ref()
    }

    /// The next batch, `None` at the end.
    pub async fn next_batch(&mut self) -> Option<Result<RecordBatch, QueryError>> {
        self.next().await
    }

    /// Reads to the end. Holds all rows in memory.
    pub async fn collect_all(mut self) -> Result<QueryResult, QueryError> {
        let mut batches = Vec::new();
        while let Some(batch) = self.next().await {
            batches.push(batch?);
        }
        let stats = self.stats.take();
        let stats = stats.ok_or_else(|| QueryError::Internal { message: "it ended without statistics".to_owned() })?;
        Ok(QueryResult { batches, stats })
    }
}

impl Stream for QueryStream {
    type Item = Result<RecordBatch, QueryError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let event = std::task::ready!(self.events.poll_recv(context));
        if let Some(Event::Batch(batch)) = event {
            return Poll::Ready(Some(Ok(batch)));
        }
        self.ended = true;
        Poll::Ready(match event {
            Some(Event::End(stats)) => {
                self.stats = Some(*stats);
                None
            }
            Some(Event::Failed(error)) => Some(Err(error)),
            _ => Some(Err(QueryError::Internal { message: "its task ended without an answer".to_owned() })),
        })
    }
}

impl Drop for QueryStream {
    fn drop(&mut self) {
        self.entry.stop();
    }
}

impl QueryResult {
    /// The rows as lines of JSON, one object a row.
    pub fn json_lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for batch in &self.batches {
            for row in 0..batch.num_rows() {
                let mut line = String::new();
                row_json(batch, row, &mut line);
                lines.push(line);
            }
        }
        lines
    }

    /// The rows as JSON objects.
    pub fn json_rows(&self) -> Vec<serde_json::Value> {
        self.json_lines().iter().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }
}
