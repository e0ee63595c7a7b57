//! Running a plan.

use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::{SendableRecordBatchStream, SessionState, SessionStateBuilder};
use datafusion::physical_plan::{ExecutionPlan, displayable, execute_stream};
use datafusion::prelude::SessionConfig;
use futures::{Stream, StreamExt as _};
use model::TimeRange;
use plan::LogicalPlan;

use crate::control::Control;
use crate::memory::{Budget, QueryPool};
use crate::reader::{Found, Spec};
use crate::source::{Part, Source};
use crate::translate::{Translator, to_usize};
use crate::{ExecError, output, predicate};

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
}

impl std::fmt::Debug for ExecStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecStream").field("schema", &self.schema()).finish_non_exhaustive()
    }
}

impl ExecStream {
    /// Names and types of the columns.
    pub fn schema(&self) -> SchemaRef {
        self.inner.schema()
    }
}

impl Stream for ExecStream {
    type Item = Result<RecordBatch, ExecError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = std::task::ready!(self.inner.poll_next_unpin(context));
        Poll::Ready(next.map(|batch| batch.map_err(|error| ExecError::from_datafusion(&error))))
    }
}

impl Drop for ExecStream {
    fn drop(&mut self) {
        self.control.cancel();
    }
}

/// Starts a plan over a source. Must be called and polled on the threads that queries compute on. The scan's own range says
/// which times count.
pub async fn execute(
    plan: &LogicalPlan,
    source: Source,
    options: &ExecOptions,
    budget: &Arc<Budget>,
    control: Arc<Control>,
) -> Result<ExecStream, ExecError> {
    for (segment, message) in &source.damaged {
        control.damaged(ExecError::Segment { segment: segment.clone(), message: message.clone(), corrupt: false })?;
    }
    let (physical, state) = physical(plan, &source, options, budget, &control).await?;
    let inner = execute_stream(physical, state.task_ctx())?;
    Ok(ExecStream { inner, control })
}

async fn physical(
    plan: &LogicalPlan,
    source: &Source,
    options: &ExecOptions,
    budget: &Arc<Budget>,
    control: &Arc<Control>,
) -> Result<(Arc<dyn ExecutionPlan>, SessionState), ExecError> {
    let state = session(options, budget)?;
    let translator = Translator {
        source,
        range: plan.scan().range,
        regex_bytes_max: options.regex_size_bytes_max,
        partitions: options.partitions,
        control,
    };
    let logical = translator.run(plan)?;
    let physical = state.create_physical_plan(&logical).await?;
    Ok((physical, state))
}

fn session(options: &ExecOptions, budget: &Arc<Budget>) -> Result<SessionState, ExecError> {
    let mode = match &options.spill_dir {
        Some(dir) => DiskManagerMode::Directories(vec![dir.clone()]),
        None => DiskManagerMode::OsTmpDirectory,
    };
    let disk = DiskManagerBuilder::default().with_mode(mode).with_max_temp_directory_size(options.spill_bytes_max);
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(Arc::new(QueryPool::new(options.memory_bytes_max, budget.clone())))
        .with_disk_manager_builder(disk)
        .build_arc()?;
    let mut config = SessionConfig::new()
        .with_target_partitions(options.partitions)
        .with_batch_size(BATCH_ROWS)
        // A scan that is in order stays in order; scans share their parts among partitions themselves.
        .with_round_robin_repartition(false);
    let execution = &mut config.options_mut().execution;
    let share = to_usize(options.memory_bytes_max / SORT_RESERVATION_SHARE);
    execution.sort_spill_reservation_bytes = execution.sort_spill_reservation_bytes.min(share);
    Ok(SessionStateBuilder::new_with_default_features().with_config(config).with_runtime_env(runtime).build())
}

/// How a plan would run: the operators, and for each part what its index says. Reads indexes and no columns; blocks.
pub async fn explain(
    plan: &LogicalPlan,
    source: Source,
    options: &ExecOptions,
    budget: &Arc<Budget>,
) -> Result<String, ExecError> {
    let control = Arc::new(Control::new(false));
    let (physical, _) = physical(plan, &source, options, budget, &control).await?;
    let mut out = displayable(physical.as_ref()).indent(false).to_string();
    let (scan, regex_bytes_max) = (plan.scan().clone(), options.regex_size_bytes_max);
    let parts = tokio::task::spawn_blocking(move || explain_parts(&scan, &source, regex_bytes_max, control)).await;
    out.push_str(&parts.map_err(|error| ExecError::Internal { message: error.to_string() })??);
    Ok(out)
}

fn explain_parts(
    scan: &plan::Scan,
    source: &Source,
    regex_bytes_max: usize,
    control: Arc<Control>,
) -> Result<String, ExecError> {
    use std::fmt::Write as _;
    let range: TimeRange = scan.range;
    let predicate = predicate::compile(&scan.filter, regex_bytes_max)?;
    let spec = Spec { predicate, range, output: output::Output::new(Vec::new()), control };
    let mut out = String::new();
    let parts = source.parts(range);
    let in_time = parts.iter().filter(|part| matches!(part, Part::Segment(_))).count();
    let _ = writeln!(
        out,
        "segments: {} in all, {} outside the time range",
        source.segments.len(),
        source.segments.len() - in_time
    );
    for part in &parts {
        let _ = match (part, spec.find(part)?) {
            (Part::Segment(segment), found) => {
                let meta = segment.meta();
                let total = meta.rows;
                match found {
                    Found::Nothing => writeln!(out, "segment {}: pruned, no row of {total} can match", meta.id),
                    Found::Count(rows) => {
                        writeln!(out, "segment {}: {rows} of {total} rows match, by the index alone", meta.id)
                    }
                    Found::Rows(found) => {
                        let verb = if found.exact { "match" } else { "to verify" };
                        writeln!(out, "segment {}: {} of {total} rows {verb}", meta.id, found.len(total))
                    }
                }
            }
            (Part::Chunk(chunk), _) => writeln!(out, "memtable: {} rows to verify", chunk.num_rows()),
        };
    }
    Ok(out)
}
