//! Rows that match a query as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use arrow_array::RecordBatch;
use exec::{Chunk, Control, Source};
use futures::StreamExt as _;
use model::{Table, TimeRange};
use plan::{LogicalPlan, ScanOrder, Stage};
use store::Follower;

use crate::engine::{check_limit, exec_options, query_error};
use crate::registry::Registered;
use crate::sources::TenantSources;
use crate::{Engine, QueryError, QueryRequest};

/// How often new rows are looked for.
const TICK: Duration = Duration::from_millis(250);
/// Rows that one look shows; of more, some are shown, evenly.
pub const TAIL_ROWS_PER_TICK_MAX: usize = 250;
/// Tails that run at once.
pub const TAILS_MAX: usize = 64;

/// What a tail tells.
#[derive(Clone, Debug)]
pub enum TailEvent {
    /// New rows, the oldest first.
    Rows(Vec<RecordBatch>),
    /// Rows were left out since the last such event, because there are too many: one in `sampled` is shown.
    Dropped {
        /// Rows that matched, or that came while nobody read, and are not shown.
        dropped: u64,
        /// One row in this many is shown now.
        sampled: u64,
    },
}

/// A running tail. It ends when it is dropped, and when its query is canceled.
#[derive(Debug)]
pub struct Tail {
    engine: Engine,
    request: QueryRequest,
    plan: LogicalPlan,
    follower: Arc<Follower>,
    registered: Registered,
    dropped: Option<(u64, u64)>,
    _place: Place,
}

/// One of the places that tails have.
#[derive(Debug)]
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Engine {
    /// Follows the rows that match a query. Its pipes must work on each row by itself.
    pub async fn tail(&self, request: QueryRequest) -> Result<Tail, QueryError> {
        let prepared = self.prepare(&request)?;
        if prepared.plan.has_auto_buckets() {
            return Err(QueryError::Unsupported {
                message: "a tail has no time range from which the length of buckets could be chosen".to_owned(),
                hint: "say it: `bin _time 5m`".to_owned(),
            });
        }
        let mut plan = self.resolved(&request, prepared).await?.plan;
        let refuse = |message: &str, hint: &str| {
            Err(QueryError::Unsupported { message: message.to_owned(), hint: hint.to_owned() })
        };
        let table = plan.scan().input.table().and_then(|table| Table::parse(table.as_str()));
        let Some(table) = table else {
            return refuse(
                "only logs, spans and quarantine can be followed",
                "leave `from` out, or ask again from time to time",
            );
        };
        if !works_on_rows(&plan) {
            return refuse(
                "a tail shows rows as they come, and this query needs to see all of them first",
                "leave out pipes such as `stats`, `sort`, `limit` and `join`",
            );
        }
        let scan = plan.scan_mut();
        // What comes is new, whatever time the query names.
        scan.range = TimeRange::ALL;
        (scan.order, scan.fetch) = (Some(ScanOrder::OldestFirst), None);
        let running = self.inner.tails.fetch_add(1, Relaxed);
        let place = Place(Arc::clone(&self.inner.tails));
        check_limit("TAILS_MAX", TAILS_MAX as u64, running as u64 + 1, "tails at once")?;
        let follower = self.inner.store.follow(&request.tenant, table);
        let registered = self.inner.registry.add(&request.tenant, &request.text, Arc::new(Control::new(true)));
        Ok(Tail { engine: self.clone(), request, plan, follower, registered, dropped: None, _place: place })
    }
}

/// Whether each row can be shown without knowing the others.
fn works_on_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Scan(_) => true,
        LogicalPlan::Filter { input, .. }
        | LogicalPlan::Project { input, .. }
        | LogicalPlan::Drop { input, .. }
        | LogicalPlan::Rename { input, .. }
        | LogicalPlan::Eval { input, .. } => works_on_rows(input),
        LogicalPlan::Stage { input, stage } => {
            let on_rows = matches!(
                stage,
                Stage::Parse(_)
                    | Stage::Replace(_)
                    | Stage::Format(_)
                    | Stage::Unroll(_)
                    | Stage::Bin(_)
                    | Stage::Lookup(_)
                    | Stage::PatternId
            );
            on_rows && works_on_rows(input)
        }
        _ => false,
    }
}

impl Tail {
    /// The id, for [`Engine::cancel`].
    pub fn id(&self) -> u64 {
        self.registered.entry.id
    }

    /// What happened next; waits until something did. Dropping the future before it is ready may lose rows.
    pub async fn next(&mut self) -> Result<TailEvent, QueryError> {
        if let Some((dropped, sampled)) = self.dropped.take() {
            return Ok(TailEvent::Dropped { dropped, sampled });
        }
        loop {
            tokio::select! {
                () = self.registered.entry.cancel.cancelled() => return Err(QueryError::Canceled),
                () = tokio::time::sleep(TICK) => {}
            }
            let (batches, missed) = self.follower.take();
            let found = if batches.is_empty() { Vec::new() } else { self.matching(batches).await? };
            let rows: usize = found.iter().map(RecordBatch::num_rows).sum();
            let one_in = rows.div_ceil(TAIL_ROWS_PER_TICK_MAX).max(1);
            let shown = if one_in > 1 { sample(&found, one_in)? } else { found };
            let kept: usize = shown.iter().map(RecordBatch::num_rows).sum();
            let dropped = missed + (rows - kept) as u64;
            if dropped > 0 {
                self.dropped = Some((dropped, one_in as u64));
            }
            match (kept, self.dropped.take()) {
                (0, None) => {}
                (0, Some((dropped, sampled))) => return Ok(TailEvent::Dropped { dropped, sampled }),
                (_, left) => {
                    self.dropped = left;
                    return Ok(TailEvent::Rows(shown));
                }
            }
        }
    }

    /// The rows of new batches that the query means.
    async fn matching(&self, batches: Vec<RecordBatch>) -> Result<Vec<RecordBatch>, QueryError> {
        let (inner, plan) = (Arc::clone(&self.engine.inner), self.plan.clone());
        let (tenant, now) = (self.request.tenant.clone(), telemetry::clock::now());
        let chunks = batches.into_iter().map(|batch| Arc::new(Chunk::from(batch))).collect();
        let source = Source { segments: Vec::new(), chunks, damaged: Vec::new() };
        let work = async move {
            let options = exec_options(&inner.limits);
            let failed = |error| query_error(error, &inner.limits);
            let begin = {
                let (inner, options) = (Arc::clone(&inner), options.clone());
                let control = Arc::new(Control::new(true));
                let of_sources = Arc::clone(&control);
                let sources = Arc::new(TenantSources { inner: Arc::clone(&inner), tenant, now, control: of_sources });
                move || exec::begin(plan, source, &options, &inner.budget, control, sources, now)
            };
            let begun = tokio::task::spawn_blocking(begin).await;
            let begun = begun.map_err(|error| QueryError::Internal { message: error.to_string() })?.map_err(failed)?;
            let mut stream = begun.stream().await.map_err(failed)?;
            let mut found = Vec::new();
            while let Some(batch) = stream.next().await {
                found.push(batch.map_err(failed)?);
            }
            Ok(found)
        };
        self.engine.spawn(work).await.map_err(|error| QueryError::Internal { message: error.to_string() })?
    }
}

/// One row in so many.
fn sample(batches: &[RecordBatch], one_in: usize) -> Result<Vec<RecordBatch>, QueryError> {
    let mut at = 0;
    let mut out = Vec::with_capacity(batches.len());
    for batch in batches {
        let rows: Vec<u32> =
            (0..batch.num_rows() as u32).filter(|row| (at + *row as usize).is_multiple_of(one_in)).collect();
        at += batch.num_rows();
        let taken =
            exec::take_rows(batch, rows).map_err(|error| QueryError::Internal { message: error.to_string() })?;
        out.push(taken);
    }
    Ok(out)
}
