//! Running a plan.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use datafusion::prelude::SessionConfig;
use futures::{Stream, StreamExt as _, stream};
use model::Timestamp;
use plan::LogicalPlan;
use roaring::RoaringBitmap;

use crate::control::Control;
use crate::direct::{self, Started};
use crate::matching::Spec;
use crate::memory::{Budget, QueryPool};
use crate::scan::{Step, run_steps};
use crate::source::Source;
use crate::stages::{self, Sources};
use crate::translate::{Translator, to_usize};
use crate::{ExecError, predicate, set};

/// Rows of the batches between operators: what a segment's reader yields.
const BATCH_ROWS: usize = 8_192;

/// Largest share of a query's memory that a sort keeps back for merging what it spilled.
const SORT_RESERVATION_SHARE: u64 = 16;

/// What a query may use.
#[derive(Clone, Debug)]
pub struct ExecOptions {
    /// Parallel parts.
    pub partitions: usize,
    /// Memory of operators, in bytes.
    pub memory_bytes_max: u64,
    /// Disk for spilling, in bytes.
    pub spill_bytes_max: u64,
    /// Where to spill; `None` is the system's directory for temporary files.
    pub spill_dir: Option<PathBuf>,
    /// Size of one compiled regular expression, in bytes.
    pub regex_size_bytes_max: usize,
}

/// The batches of a running plan. Dropping it stops the plan at its next step.
pub struct ExecStream {
    inner: SendableRecordBatchStream,
    control: Arc<Control>,
    /// Whether its mistakes may be those of a text in SQL.
    sql: bool,
}

impl std::fmt::Debug for ExecStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecStream").field("schema", &self.schema()).finish_non_exhaustive()
    }
}

impl ExecStream {
    /// The rows of a query in SQL.
    pub(crate) fn of_sql(inner: SendableRecordBatchStream, control: Arc<Control>) -> Self {
        Self { inner, control, sql: true }
    }

    /// Names and types of the columns.
    pub fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}

impl Stream for ExecStream {
    type Item = Result<RecordBatch, ExecError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(self.inner.poll_next_unpin(context));
        let own = if self.sql { ExecError::of_sql } else { ExecError::from_datafusion };
        Poll::Ready(next.map(|batch| batch.map_err(|error| own(&error))))
    }
}

impl Drop for ExecStream {
    fn drop(&mut self) {
        self.control.cancel();
    }
}

/// A plan that has begun to run: see [`begin`].
pub struct Begun {
    plan: LogicalPlan,
    source: Source,
    options: ExecOptions,
    pool: Arc<dyn MemoryPool>,
    control: Arc<Control>,
    budget: Arc<Budget>,
    sources: Arc<dyn Sources>,
    now: Timestamp,
    /// Nothing for a plan with stages, which begins with its stream.
    started: Option<Started>,
    /// Rows that came already, in order.
    first: Vec<RecordBatch>,
}

impl std::fmt::Debug for Begun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Begun").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Starts a plan over a source. The scan's own range says which times count; `sources` has what else the plan reads, and `now` is
/// when the query was asked. Blocks: most plans are answered, or have their first rows, when it returns.
pub fn begin(
    plan: LogicalPlan,
    source: Source,
    options: &ExecOptions,
    budget: &Arc<Budget>,
    control: Arc<Control>,
    sources: Arc<dyn Sources>,
    now: Timestamp,
) -> Result<Begun, ExecError> {
    for (segment, message) in &source.damaged {
        control.damaged(ExecError::Segment { segment: segment.clone(), message: message.clone(), corrupt: false })?;
    }
    let pool: Arc<dyn MemoryPool> =
        Arc::new(QueryPool::new(options.memory_bytes_max, Arc::clone(budget), Arc::clone(&control)));
    let (budget, mut first) = (Arc::clone(budget), Vec::new());
    if stages::needed(&plan) {
        return Ok(Begun {
            options: options.clone(),
            plan,
            source,
            pool,
            control,
            budget,
            sources,
            now,
            started: None,
            first,
        });
    }
    let translator = translator(&plan, &source, options, &control, None, now);
    let mut started = direct::start(&plan, &translator, &pool)?;
    if let Started::Steps(work, _) = &mut started {
        while first.is_empty() {
            match work.step()? {
                Step::Batch(batch) => first.push(batch),
                Step::Working => {}
                Step::Done => break,
            }
        }
    }
    let started = Some(started);
    Ok(Begun { options: options.clone(), plan, source, pool, control, budget, sources, now, started, first })
}

impl Begun {
    /// The rest of the way. Must be called and polled on the threads that queries compute on.
    pub async fn stream(self) -> Result<ExecStream, ExecError> {
        let (pool, control) = (Arc::clone(&self.pool), Arc::clone(&self.control));
        Ok(ExecStream { inner: self.stream_of_part(pool).await?, control, sql: false })
    }

    /// The same for a part of a query, whose end is not the query's.
    pub(crate) async fn stream_of_part(
        self,
        pool: Arc<dyn MemoryPool>,
    ) -> Result<SendableRecordBatchStream, ExecError> {
        let Self { plan, source, options, control, budget, sources, now, started, first, .. } = self;
        Ok(match started {
            None => stages::stream(stages::Run { options, pool, budget, control, sources, now }, plan, source).await?,
            Some(Started::Rows(batch)) => {
                let schema = batch.schema();
                Box::pin(RecordBatchStreamAdapter::new(schema, stream::iter([Ok(batch)])))
            }
            Some(Started::Steps(work, schema)) => {
                let first = stream::iter(first.into_iter().map(Ok));
                Box::pin(RecordBatchStreamAdapter::new(schema, first.chain(stream::try_unfold(work, run_steps))))
            }
            Some(Started::General(grouped)) => {
                let (physical, state) = physical(&plan, &source, &options, pool, &control, (grouped, now)).await?;
                execute_stream(physical, state.task_ctx())?
            }
        })
    }
}

fn translator<'a>(
    plan: &'a LogicalPlan,
    source: &'a Source,
    options: &ExecOptions,
    control: &'a Arc<Control>,
    grouped: Option<RecordBatch>,
    now: Timestamp,
) -> Translator<'a> {
    Translator {
        now,
        source,
        range: plan.scan().range,
        regex_bytes_max: options.regex_size_bytes_max,
        partitions: options.partitions,
        memory_bytes_max: options.memory_bytes_max,
        control,
        grouped: grouped.and_then(|batch| Some((direct::grouping(plan)?, batch))),
    }
}

async fn physical(
    plan: &LogicalPlan,
    source: &Source,
    options: &ExecOptions,
    pool: Arc<dyn MemoryPool>,
    control: &Arc<Control>,
    (grouped, now): (Option<RecordBatch>, Timestamp),
) -> Result<(Arc<dyn ExecutionPlan>, SessionState), ExecError> {
    let state = session(options, pool, None)?;
    let logical = translator(plan, source, options, control, grouped, now).run(plan)?;
    let physical = state.create_physical_plan(&logical).await?;
    Ok((physical, state))
}

/// What DataFusion runs a plan with; `rule` comes after its own rules of operators.
pub(crate) fn session(
    options: &ExecOptions,
    pool: Arc<dyn MemoryPool>,
    rule: Option<Arc<dyn PhysicalOptimizerRule + Send + Sync>>,
) -> Result<SessionState, ExecError> {
    let mode = match &options.spill_dir {
        Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(options.spill_bytes_max);
    let runtime = RuntimeEnvBuilder::new().with_memory_pool(pool).with_disk_manager_builder(disk).build_arc()?;
    let mut config = SessionConfig::new()
        .with_target_partitions(options.partitions)
        .with_batch_size(BATCH_ROWS)
        // A scan that is in order stays in order; scans share their parts among partitions themselves.
        .with_round_robin_repartition(false);
    let execution = &mut config.options_mut().execution;
    let share = to_usize(options.memory_bytes_max / SORT_RESERVATION_SHARE);
    execution.sort_spill_reservation_bytes = execution.sort_spill_reservation_bytes.min(share);
    // Without the default features: plans hold their functions themselves, and registering hundreds takes a millisecond.
    let builder = SessionStateBuilder::new().with_config(config).with_runtime_env(runtime);
    Ok(rule.into_iter().fold(builder, SessionStateBuilder::with_physical_optimizer_rule).build())
}

/// How a plan would run: the operators, and for each part what its statistics and index say. Reads no columns but times;
/// blocks.
pub async fn explain(
    plan: &LogicalPlan,
    source: Source,
    options: &ExecOptions,
    budget: &Arc<Budget>,
    now: Timestamp,
) -> Result<String, ExecError> {
    let control = Arc::new(Control::new(false));
    let pool: Arc<dyn MemoryPool> =
        Arc::new(QueryPool::new(options.memory_bytes_max, Arc::clone(budget), Arc::clone(&control)));
    let mut out = match direct::describe(plan).filter(|_| !stages::needed(plan)) {
        Some(text) => text,
        None if stages::needed(plan) => {
            "Stages: rows pass through the operators above one after the other\n".to_owned()
        }
        None => {
            let (physical, _) = physical(plan, &source, options, pool, &control, (None, now)).await?;
            displayable(physical.as_ref()).indent(false).to_string()
        }
    };
    let (scan, options) = (plan.scan().clone(), options.clone());
    let parts = tokio::task::spawn_blocking(move || explain_parts(&scan, &source, &options, control, now)).await;
    out.push_str(&parts.map_err(|error| ExecError::Internal { message: error.to_string() })??);
    Ok(out)
}

fn explain_parts(
    scan: &plan::Scan,
    source: &Source,
    options: &ExecOptions,
    control: Arc<Control>,
    now: Timestamp,
) -> Result<String, ExecError> {
    let predicate = Arc::new(predicate::compile_at(&scan.filter, options.regex_size_bytes_max, now)?);
    let spec = Spec { predicate, range: scan.range, control };
    let mut out = String::new();
    let parts = source.parts(scan.range);
    let in_time = parts.iter().filter(|part| part.is_segment()).count();
    let outside = source.segments.len() - in_time;
    let _ = writeln!(out, "segments: {} in all, {outside} outside the time range", source.segments.len());
    for part in &parts {
        let name = if part.is_segment() { format!("segment {}", part.name()) } else { part.name().to_owned() };
        let total = part.rows();
        let _ = match spec.count(part)? {
            Some(0) => writeln!(out, "{name}: pruned, no row of {total} can match"),
            Some(rows) => writeln!(out, "{name}: {rows} of {total} rows match, by the index alone"),
            None => {
                let set = spec.set(part)?;
                let (sure, open) = (set.sure_len(total), set.possible_len(total) - set.sure_len(total));
                match (sure, open) {
                    (0, 0) => writeln!(out, "{name}: pruned, no row of {total} can match"),
                    (sure, 0) => writeln!(out, "{name}: {sure} of {total} rows match, by the index alone"),
                    (0, open) => writeln!(out, "{name}: {open} of {total} rows to verify"),
                    (sure, open) => writeln!(out, "{name}: {sure} of {total} rows match, {open} more to verify"),
                }
            }
        };
        for line in spec.tiers(part)? {
            let _ = writeln!(out, "  index: {line}");
        }
        if let Some(pages) = part.pages()? {
            let _ = writeln!(out, "  columns: {} pages of {} bytes", pages.pages, pages.bytes);
        }
    }
    spec.control.slowed().iter().for_each(|line| {
        let _ = writeln!(out, "{line}");
    });
    Ok(out)
}

/// The rows of each segment of a source that match a plan's scan, by segment id; segments without any are left out. Blocks.
/// Chunks of the memtable are not looked at: their rows have no lasting numbers.
pub fn matching_rows(
    plan: &LogicalPlan,
    source: &Source,
    options: &ExecOptions,
    control: &Arc<Control>,
    now: Timestamp,
) -> Result<Vec<(String, RoaringBitmap)>, ExecError> {
    let scan = plan.scan();
    let predicate = Arc::new(predicate::compile_at(&scan.filter, options.regex_size_bytes_max, now)?);
    let spec = Spec { predicate, range: scan.range, control: Arc::clone(control) };
    let mut out = Vec::new();
    for part in source.parts(scan.range).iter().filter(|part| part.is_segment()) {
        control.check()?;
        let set = spec.resolve(part, spec.set(part)?, options.partitions)?;
        let rows = set.possible().unwrap_or_else(|| set::every(part.rows()));
        if !rows.is_empty() {
            out.push((part.name().to_owned(), rows));
        }
    }
    Ok(out)
}
