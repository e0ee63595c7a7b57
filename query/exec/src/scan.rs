//! The leaf operator: a snapshot's rows that match a filter, as DataFusion sees them.
//!
//! The index is asked inside `execute()`, so that a plan names only the segments and the filter and could be sent to another
//! machine. Parts are taken from a shared queue, newest first, by as many workers as there are partitions. A worker runs one
//! step at a time on a blocking thread and holds none while it waits for its reader.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::{DataFusionError, Result as DfResult};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, TableType};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, Partitioning, PlanProperties};
use futures::stream;
use parking_lot::Mutex;
use plan::ScanOrder;

use crate::ExecError;
use crate::lookup::Candidates;
use crate::ordered::Ordered;
use crate::reader::{Found, Matches, PartReader, Spec, batch_bytes};
use crate::source::Part;

/// Most candidates that are read whole before they are verified. Above, the filter's fields are read first, and then whole
/// rows of the matches only: reading a hundred columns of a row that does not match costs more than reading one twice.
const WHOLE_ROWS_MAX: u64 = 8_192;

/// Rows of stored batches, in bytes, that become one batch of output. Operators take memory by the batch; records of 10 kB
/// would otherwise come 80 MB at a time.
const OUTPUT_BYTES: usize = 2 << 20;

/// Least rows of one batch of output while there are more, however wide they are.
const OUTPUT_ROWS_MIN: usize = 64;

/// Stored batches that one step looks at when nothing matches, before it gives its thread back.
const BATCHES_PER_STEP: usize = 16;

/// The rows that a scan must yield: in which order, and how many.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Want {
    pub(crate) order: Option<ScanOrder>,
    pub(crate) fetch: Option<u64>,
}

/// A snapshot and a filter, as a table.
#[derive(Debug)]
pub(crate) struct SnapshotTable {
    pub(crate) spec: Arc<Spec>,
    pub(crate) parts: Vec<Part>,
    pub(crate) want: Want,
    pub(crate) partitions: usize,
}

#[async_trait::async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        self.spec.output.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _: &dyn Session,
        projection: Option<&Vec<usize>>,
        _: &[Expr],
        limit: Option<usize>,
    ) -> DfResult<Arc<dyn ExecutionPlan>> {
        let mut want = self.want;
        if let Some(limit) = limit {
            want.fetch = Some(want.fetch.unwrap_or(u64::MAX).min(limit as u64));
        }
        let spec = Spec {
            predicate: self.spec.predicate.clone(),
            range: self.spec.range,
            output: self.spec.output.project(projection),
            control: self.spec.control.clone(),
        };
        Ok(Arc::new(SnapshotScan::new(Arc::new(spec), self.parts.clone(), want, self.partitions)))
    }
}

/// The leaf operator.
pub(crate) struct SnapshotScan {
    spec: Arc<Spec>,
    want: Want,
    parts: Vec<Part>,
    queue: Arc<Queue>,
    properties: Arc<PlanProperties>,
}

/// Parts that no worker has taken yet, and how many rows are still wanted.
struct Queue {
    parts: Mutex<VecDeque<Part>>,
    wanted: Mutex<Option<u64>>,
}

impl SnapshotScan {
    fn new(spec: Arc<Spec>, mut parts: Vec<Part>, want: Want, partitions: usize) -> Self {
        sort_parts(&mut parts, want.order.unwrap_or(ScanOrder::NewestFirst));
        let partitions = if want.order.is_some() { 1 } else { partitions.min(parts.len()).max(1) };
        let properties = PlanProperties::new(
            EquivalenceProperties::new(spec.output.schema.clone()),
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let queue = Queue { parts: Mutex::new(parts.iter().cloned().collect()), wanted: Mutex::new(want.fetch) };
        Self { spec, want, parts, queue: Arc::new(queue), properties: Arc::new(properties) }
    }
}

/// Puts the parts first that an order needs first.
fn sort_parts(parts: &mut [Part], order: ScanOrder) {
    parts.sort_by_cached_key(|part| {
        let (min, max) = part.times().unwrap_or_default();
        match order {
            ScanOrder::NewestFirst => !max.0,
            ScanOrder::OldestFirst => min.0,
        }
    });
}

impl fmt::Debug for SnapshotScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotScan").field("parts", &self.parts).field("want", &self.want).finish_non_exhaustive()
    }
}

impl DisplayAs for SnapshotScan {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns: Vec<&str> = self.spec.output.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "SnapshotScan: parts={}, columns=[{}]", self.parts.len(), columns.join(", "))?;
        match (self.want.order, self.want.fetch) {
            (Some(order), Some(fetch)) => write!(f, ", {order:?}, fetch={fetch}"),
            (None, Some(fetch)) => write!(f, ", fetch={fetch}"),
            _ => Ok(()),
        }
    }
}

impl ExecutionPlan for SnapshotScan {
    fn name(&self) -> &str {
        "SnapshotScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> DfResult<TreeNodeRecursion>,
    ) -> DfResult<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> DfResult<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn execute(&self, _: usize, _: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let schema = self.spec.output.schema.clone();
        let worker: Box<dyn Work> = match (self.want.order, self.want.fetch) {
            (Some(order), Some(fetch)) => Box::new(Ordered::new(self.spec.clone(), self.parts.clone(), order, fetch)),
            _ => Box::new(Worker { spec: self.spec.clone(), queue: self.queue.clone(), reader: None, rest: None }),
        };
        let batches = stream::try_unfold(worker, run_steps);
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, batches)))
    }
}

/// What one step of a worker came to.
pub(crate) enum Step {
    /// Rows.
    Batch(RecordBatch),
    /// None yet.
    Working,
    /// There are no more.
    Done,
}

/// Work that is done in steps of some milliseconds.
pub(crate) trait Work: Send {
    fn step(&mut self) -> Result<Step, ExecError>;
}

/// Runs steps on blocking threads until one has rows.
async fn run_steps(mut worker: Box<dyn Work>) -> DfResult<Option<(RecordBatch, Box<dyn Work>)>> {
    loop {
        let done = tokio::task::spawn_blocking(move || {
            let step = worker.step();
            (worker, step)
        });
        let (back, step) = done.await.map_err(|error| DataFusionError::External(Box::new(error)))?;
        worker = back;
        match step? {
            Step::Batch(batch) => return Ok(Some((batch, worker))),
            Step::Working => {}
            Step::Done => return Ok(None),
        }
    }
}

/// Yields matches in the order in which they are read.
struct Worker {
    spec: Arc<Spec>,
    queue: Arc<Queue>,
    reader: Option<PartReader>,
    /// Matches that are still to be yielded.
    rest: Option<Matches>,
}

impl Work for Worker {
    fn step(&mut self) -> Result<Step, ExecError> {
        for _ in 0..BATCHES_PER_STEP {
            self.spec.control.check()?;
            if *self.queue.wanted.lock() == Some(0) {
                self.spec.control.stopped_early();
                return Ok(Step::Done);
            }
            if let Some(matches) = self.rest.take() {
                return self.output(matches).map(Step::Batch);
            }
            let Some(reader) = &mut self.reader else {
                let Some(part) = self.queue.parts.lock().pop_front() else { return Ok(Step::Done) };
                match self.start(&part) {
                    Ok(Some(batch)) => return Ok(Step::Batch(batch)),
                    Ok(None) => continue,
                    Err(error) => self.spec.control.damaged(error)?,
                }
                continue;
            };
            match reader.next(&self.spec) {
                Ok(Some(matches)) if matches.rows.is_empty() => {}
                Ok(Some(matches)) => {
                    self.spec.control.add_matched(matches.rows.len() as u64);
                    self.rest = Some(matches);
                }
                Ok(None) => self.reader = None,
                Err(error) => {
                    self.reader = None;
                    self.spec.control.damaged(error)?;
                }
            }
        }
        Ok(Step::Working)
    }
}

impl Worker {
    /// Asks the index of a part and opens it, or answers from the index alone.
    fn start(&mut self, part: &Part) -> Result<Option<RecordBatch>, ExecError> {
        let spec = self.spec.clone();
        let mut found = match spec.find(part)? {
            Found::Nothing => {
                spec.control.part_done(part, false);
                return Ok(None);
            }
            Found::Count(rows) => {
                spec.control.part_done(part, false);
                spec.control.add_matched(rows);
                return spec.output.count_only(usize::try_from(rows).unwrap_or(usize::MAX)).map(Some);
            }
            Found::Rows(found) => found,
        };
        spec.control.part_done(part, true);
        let total = match part {
            Part::Segment(segment) => segment.meta().rows,
            Part::Chunk(_) => 0,
        };
        let twice = spec.output.wants_record() && !found.exact && found.len(total) > WHOLE_ROWS_MAX;
        if twice {
            found = Candidates { rows: Some(spec.resolve(part, found)?), exact: true };
        }
        let fields: BTreeSet<String> = spec.output.field_names().map(str::to_owned).collect();
        let extra = if spec.output.wants_record() { None } else { Some(&fields) };
        let mut reader = spec.open(part, found, extra)?;
        if twice {
            reader.trust_times();
        }
        self.reader = Some(reader);
        Ok(None)
    }

    /// The first of the matches, as many as make a batch of bounded size. The rest stays for the next step.
    fn output(&mut self, mut matches: Matches) -> Result<RecordBatch, ExecError> {
        let row_bytes = batch_bytes(&matches.stored) / matches.stored.num_rows().max(1) + 1;
        let rows_max = (OUTPUT_BYTES / row_bytes).max(OUTPUT_ROWS_MIN);
        let later = matches.rows.split_off(rows_max.min(matches.rows.len()));
        let rows = self.take(matches.rows);
        let batch = self.spec.output.build(&matches.stored, &rows)?;
        if !later.is_empty() {
            self.rest = Some(Matches { rows: later, stored: matches.stored, numbers: matches.numbers });
        }
        Ok(batch)
    }

    /// As many of the rows as are still wanted.
    fn take(&self, mut rows: Vec<u32>) -> Vec<u32> {
        if let Some(wanted) = &mut *self.queue.wanted.lock() {
            rows.truncate(usize::try_from(*wanted).unwrap_or(usize::MAX));
            *wanted -= rows.len() as u64;
        }
        rows
    }
}
