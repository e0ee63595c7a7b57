//! The leaf operator: a snapshot's rows that match a filter, as DataFusion sees them.
//!
//! The index is asked inside `execute()`, so that a plan names only the segments and the filter and could be sent to another
//! machine. Parts are taken from a shared queue, newest first, by as many workers as there are partitions. A worker runs one
//! step at a time on a blocking thread and holds none while it waits for its reader.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use column::batch_bytes;
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
use parking_lot::{Condvar, Mutex};
use plan::ScanOrder;

use crate::ExecError;
use crate::matching::{Matches, Opened, Spec, UNIT_ROWS, units};
use crate::memory::Held;
use crate::ordered::Ordered;
use crate::output::Output;
use crate::part::Part;
use crate::set::Set;

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
    pub(crate) spec: Spec,
    pub(crate) output: Output,
    pub(crate) parts: Vec<Part>,
    pub(crate) want: Want,
    pub(crate) partitions: usize,
}

#[async_trait::async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        self.output.schema.clone()
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
        let output = self.output.project(projection);
        Ok(Arc::new(SnapshotScan::new(self.spec.clone(), output, self.parts.clone(), want, self.partitions)))
    }
}

/// The leaf operator.
pub(crate) struct SnapshotScan {
    spec: Spec,
    output: Output,
    want: Want,
    parts: Vec<Part>,
    partitions: usize,
    queue: Arc<Queue>,
    properties: Arc<PlanProperties>,
}

/// Work that no worker has taken yet, and how many rows are still wanted.
struct Queue {
    items: Mutex<Items>,
    changed: Condvar,
    wanted: Mutex<Option<u64>>,
}

struct Items {
    parts: VecDeque<Part>,
    units: VecDeque<Unit>,
    /// Parts whose index is being asked; their units are still to come.
    opening: usize,
}

/// A range of a part, and the rows of the part that may match.
struct Unit {
    part: Part,
    set: Arc<Set>,
    rows: Range<u32>,
}

enum Item {
    Part(Part),
    Unit(Unit),
}

impl Queue {
    fn new(parts: &[Part], wanted: Option<u64>) -> Self {
        let items = Items { parts: parts.iter().cloned().collect(), units: VecDeque::new(), opening: 0 };
        Self { items: Mutex::new(items), changed: Condvar::new(), wanted: Mutex::new(wanted) }
    }

    /// What to do next; `None` when there is nothing and nothing will come. Waits while another worker opens a part.
    fn next(&self) -> Option<Item> {
        let mut items = self.items.lock();
        loop {
            if let Some(unit) = items.units.pop_front() {
                return Some(Item::Unit(unit));
            }
            if let Some(part) = items.parts.pop_front() {
                items.opening += 1;
                return Some(Item::Part(part));
            }
            if items.opening == 0 {
                return None;
            }
            self.changed.wait(&mut items);
        }
    }

    fn push(&self, units: impl IntoIterator<Item = Unit>) {
        self.items.lock().units.extend(units);
    }
}

/// A part that is being opened. Others wait for its units until this is dropped.
struct Opening<'a>(&'a Queue);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.items.lock().opening -= 1;
        self.0.changed.notify_all();
    }
}

impl SnapshotScan {
    pub(crate) fn new(spec: Spec, output: Output, mut parts: Vec<Part>, want: Want, partitions: usize) -> Self {
        sort_parts(&mut parts, want.order.unwrap_or(ScanOrder::NewestFirst));
        let properties = PlanProperties::new(
            EquivalenceProperties::new(output.schema.clone()),
            Partitioning::UnknownPartitioning(if want.order.is_some() { 1 } else { partitions.max(1) }),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        let queue = Arc::new(Queue::new(&parts, want.fetch));
        Self { spec, output, want, parts, partitions, queue, properties: Arc::new(properties) }
    }

    /// The same scan, of only the first rows of an order; `None` when it has an order or a limit already.
    pub(crate) fn first_rows(&self, order: ScanOrder, fetch: u64) -> Option<Self> {
        if self.want.order.is_some() || self.want.fetch.is_some() {
            return None;
        }
        let want = Want { order: Some(order), fetch: Some(fetch) };
        Some(Self::new(self.spec.clone(), self.output.clone(), self.parts.clone(), want, self.partitions))
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
        let columns: Vec<&str> = self.output.schema.fields().iter().map(|field| field.name().as_str()).collect();
        write!(f, "SnapshotScan: parts={}, columns=[{}]", self.parts.len(), columns.join(", "))?;
        match (self.want.order, self.want.fetch) {
            (Some(order), Some(fetch)) => write!(f, ", {order:?}, fetch={fetch}"),
            (None, Some(fetch)) => write!(f, ", fetch={fetch}"),
            (Some(order), None) => write!(f, ", {order:?}"),
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

    fn execute(&self, _: usize, context: Arc<TaskContext>) -> DfResult<SendableRecordBatchStream> {
        let schema = self.output.schema.clone();
        let held = Held::new(context.memory_pool(), "scan");
        let (spec, output) = (self.spec.clone(), self.output.clone());
        let worker: Box<dyn Work> = match self.want.order {
            Some(order) => {
                let (parts, fetch) = (self.parts.clone(), self.want.fetch);
                Box::new(Ordered::new(spec, output, parts, order, fetch, self.partitions, held))
            }
            None => Box::new(Worker { spec, output, queue: self.queue.clone(), opened: None, rest: None, held }),
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
pub(crate) async fn run_steps(mut worker: Box<dyn Work>) -> DfResult<Option<(RecordBatch, Box<dyn Work>)>> {
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
    spec: Spec,
    output: Output,
    queue: Arc<Queue>,
    opened: Option<Opened>,
    /// Matches that are still to be yielded.
    rest: Option<Matches>,
    held: Held,
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
                return self.yield_some(matches).map(Step::Batch);
            }
            let Some(opened) = &mut self.opened else {
                match self.queue.next() {
                    None => return Ok(Step::Done),
                    Some(Item::Part(part)) => {
                        if let Some(batch) = self.open_part(&part)? {
                            return Ok(Step::Batch(batch));
                        }
                    }
                    Some(Item::Unit(unit)) => match self.open(&unit) {
                        Ok(opened) => self.opened = Some(opened),
                        Err(error) => self.spec.control.damaged(error)?,
                    },
                }
                continue;
            };
            match opened.next() {
                Ok(Some(matches)) => {
                    self.held.set(batch_bytes(&matches.stored.batch))?;
                    self.spec.control.add_matched(matches.rows.len() as u64);
                    self.rest = Some(matches).filter(|matches| !matches.rows.is_empty());
                }
                Ok(None) => self.opened = None,
                Err(error) => {
                    self.opened = None;
                    self.spec.control.damaged(error)?;
                }
            }
        }
        Ok(Step::Working)
    }
}

impl Worker {
    /// Asks the index of a part and puts what is to be read on the queue; rows without columns are answered at once.
    fn open_part(&self, part: &Part) -> Result<Option<RecordBatch>, ExecError> {
        let _opening = Opening(&self.queue);
        match self.ask(part) {
            Ok((set, counted)) => {
                let ranges = if set.is_none() { Vec::new() } else { units(part, &set, UNIT_ROWS) };
                self.spec.control.part_done(part, !ranges.is_empty());
                let set = Arc::new(set);
                self.queue.push(ranges.into_iter().map(|rows| Unit {
                    part: part.clone(),
                    set: Arc::clone(&set),
                    rows,
                }));
                Ok(counted)
            }
            Err(error) => self.spec.control.damaged(error).map(|()| None),
        }
    }

    /// The rows to read, and those that need no reading.
    fn ask(&self, part: &Part) -> Result<(Set, Option<RecordBatch>), ExecError> {
        if self.output.columns.is_empty()
            && let Some(rows) = self.spec.count(part)?
        {
            return Ok((Set::none(), self.counted(rows)?));
        }
        let set = self.spec.set(part)?;
        if self.output.columns.is_empty() {
            let rows = self.counted(set.sure_len(part.rows()))?;
            return Ok((set.unsettled(), rows));
        }
        let twice = self.output.wants_record() && !set.is_exact() && set.possible_len(part.rows()) > WHOLE_ROWS_MAX;
        Ok((if twice { self.spec.resolve(part, set, 1)? } else { set }, None))
    }

    fn counted(&self, rows: u64) -> Result<Option<RecordBatch>, ExecError> {
        self.spec.control.add_matched(rows);
        if rows == 0 {
            return Ok(None);
        }
        self.output.count_only(usize::try_from(rows).unwrap_or(usize::MAX)).map(Some)
    }

    fn open(&self, unit: &Unit) -> Result<Opened, ExecError> {
        self.spec.open(&unit.part, &unit.set, &self.output.read_columns(), unit.rows.clone())
    }

    /// The first of the matches, as many as make a batch of bounded size. The rest stays for the next step.
    fn yield_some(&mut self, mut matches: Matches) -> Result<RecordBatch, ExecError> {
        let stored = &matches.stored.batch;
        let row_bytes = batch_bytes(stored) / stored.num_rows().max(1) + 1;
        let rows_max = (OUTPUT_BYTES / row_bytes).max(OUTPUT_ROWS_MIN);
        let later = matches.rows.split_off(rows_max.min(matches.rows.len()));
        let rows = self.take(matches.rows);
        let batch = self.output.build(stored, &rows)?;
        if !later.is_empty() {
            self.rest = Some(Matches { rows: later, stored: matches.stored });
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
