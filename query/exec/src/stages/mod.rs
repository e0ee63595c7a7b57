//! Pipes that work on rows by themselves, between operators of tables.
//!
//! The rows of a query are read by the operators of tables as far up as those go (`direct`, `translate`). From the first pipe on that
//! they do not have, rows pass through a chain of [`Operator`]s, batch by batch: what a row's columns are is only known when it is
//! there, because `parse json` brings the fields that the text has. What must see all rows (`sort`, `stats`, `patterns`) keeps what it
//! needs of them, counted in the query's memory. Rows of other queries (`join`, `union`, `diff`) come from plans of their own, which
//! run in the same way.

mod accumulate;
pub(crate) mod cells;
mod context;
mod estimate;
mod facets;
mod group;
mod histogram;
mod join;
mod patterns;
mod rows;
mod sort;
mod text;
mod timechart;

use std::pin::Pin;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Schema};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::memory_pool::MemoryPool;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use lang::{Aggregate, Group};
use model::{TimeRange, Timestamp};
use plan::{LogicalPlan, Scan, Stage};

use crate::ExecError;
use crate::control::Control;
use crate::fold::FoldSpec;
use crate::memory::{Budget, Held};
use crate::run::{ExecOptions, begin};
use crate::source::Source;
use crate::translate::to_usize;

pub use patterns::Template;

/// Some rows of a batch of results, in this order.
pub fn take_rows(batch: &RecordBatch, rows: Vec<u32>) -> Result<RecordBatch, ExecError> {
    cells::take(batch, rows)
}

/// What plans read besides the source of their own scan.
pub trait Sources: Send + Sync {
    /// The data of another scan.
    fn source(&self, scan: &Scan) -> Result<Source, ExecError>;

    /// A table of names, with columns of texts.
    fn table(&self, name: &str) -> Result<RecordBatch, ExecError>;

    /// The templates of texts, each with its number of rows; `None` where a text has none.
    fn templates(&self, texts: &[(&str, u64)]) -> Vec<Option<Template>>;
}

/// One stage on its way.
trait Operator: Send {
    /// Takes a batch of rows; gives those that are ready.
    fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>, ExecError>;

    /// Gives the rows that waited for the last one.
    fn finish(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        Ok(None)
    }

    /// Whether no further row can matter.
    fn is_done(&self) -> bool {
        false
    }

    /// Bytes of what it keeps.
    fn held_bytes(&self) -> usize {
        0
    }
}

/// An error about what a query asks for.
pub(crate) fn unsupported(message: impl Into<String>, hint: impl Into<String>) -> ExecError {
    ExecError::Unsupported { message: message.into(), hint: hint.into() }
}

/// Whether a plan has a pipe that operators of tables do not have.
pub(crate) fn needed(plan: &LogicalPlan) -> bool {
    is_stage(plan) || plan.input().is_some_and(needed)
}

fn is_stage(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Stage { .. })
}

/// What the stages of a query share.
#[derive(Clone)]
pub(crate) struct Run {
    pub(crate) options: ExecOptions,
    pub(crate) pool: Arc<dyn MemoryPool>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) control: Arc<Control>,
    pub(crate) sources: Arc<dyn Sources>,
    /// When the query was asked.
    pub(crate) now: Timestamp,
}

type Batches = Pin<Box<dyn Stream<Item = Result<RecordBatch, ExecError>> + Send>>;

/// Runs a plan with stages: the stream of its answer.
pub(crate) async fn stream(
    run: Run,
    plan: LogicalPlan,
    source: Source,
) -> Result<SendableRecordBatchStream, ExecError> {
    let shows_rows = shows_rows(&plan);
    let rows = run.rows(plan, source).await?;
    let shaped = rows.map(move |batch| {
        let batch = batch?;
        let shaped = if shows_rows { cells::records(&batch)? } else { batch };
        Ok::<_, ExecError>(shaped)
    });
    let shaped = shaped.map_err(|error| error.into_datafusion());
    // What the columns are, each batch says: nobody asks for them before.
    Ok(Box::pin(RecordBatchStreamAdapter::new(Arc::new(Schema::empty()), shaped)))
}

/// Whether the answer is rows, each with the fields that it has, rather than a table.
fn shows_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Scan(_) => true,
        LogicalPlan::Aggregate { .. } => false,
        LogicalPlan::Stage { stage, input } => match stage {
            Stage::Patterns(_) | Stage::Facets(_) | Stage::Diff(..) | Stage::Group(..) | Stage::Timechart(_) => false,
            Stage::Fill(..) => false,
            _ => shows_rows(input),
        },
        other => other.input().is_some_and(shows_rows),
    }
}

impl Run {
    /// The rows of a plan, whole records as their fields.
    fn rows(
        &self,
        plan: LogicalPlan,
        source: Source,
    ) -> Pin<Box<dyn Future<Output = Result<Batches, ExecError>> + Send + '_>> {
        Box::pin(async move {
            let (below, above) = split(plan);
            let mut operators: Vec<Box<dyn Operator>> = Vec::with_capacity(above.len());
            let data = source.times(below.scan().range);
            let range = below.scan().range;
            for node in above.into_iter().rev() {
                operators.extend(self.operator(node, &below, data, range).await?);
            }
            let input: Batches = match below {
                LogicalPlan::Stage { input, stage: Stage::Union(other) } => {
                    let first = self.rows(*input, source).await?;
                    let second = self.rows_of(*other).await?;
                    Box::pin(first.chain(second))
                }
                LogicalPlan::Stage { input, stage: Stage::Context(context) } => {
                    let table = input.scan().input.clone();
                    let matches = self.rows(*input, source).await?;
                    context::rows(self, table, matches, context).await?
                }
                classic => self.classic(classic, source).await?,
            };
            let held = Held::new(&self.pool, "stages");
            Ok(chain(input, operators, held))
        })
    }

    /// The rows of another plan, which reads a source of its own.
    fn rows_of(&self, plan: LogicalPlan) -> Pin<Box<dyn Future<Output = Result<Batches, ExecError>> + Send + '_>> {
        Box::pin(async move {
            let (sources, scan) = (Arc::clone(&self.sources), plan.scan().clone());
            let source = blocking(move || sources.source(&scan)).await?;
            self.rows(plan, source).await
        })
    }

    /// All rows of another plan as one batch, counted in the query's memory while they are wanted.
    async fn collected(&self, plan: LogicalPlan) -> Result<RecordBatch, ExecError> {
        let mut rows = self.rows_of(plan).await?;
        let mut held = Held::new(&self.pool, "other rows");
        let (mut batches, mut bytes) = (Vec::new(), 0);
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            bytes += cells::bytes(&batch);
            held.set(bytes)?;
            batches.push(batch);
        }
        match batches.is_empty() {
            true => Ok(RecordBatch::new_empty(Arc::new(Schema::empty()))),
            false => cells::unite(&batches),
        }
    }

    /// A plan that operators of tables run.
    async fn classic(&self, plan: LogicalPlan, source: Source) -> Result<Batches, ExecError> {
        let run = self.clone();
        let task = move || {
            begin(plan, source, &run.options, &run.budget, Arc::clone(&run.control), Arc::clone(&run.sources), run.now)
        };
        let stream = blocking(task).await?.stream_of_part(Arc::clone(&self.pool)).await?;
        Ok(Box::pin(stream.map(|batch| cells::explode(batch?))))
    }

    /// The operator that does what a node of a plan says.
    async fn operator(
        &self,
        node: LogicalPlan,
        below: &LogicalPlan,
        data: Option<(Timestamp, Timestamp)>,
        range: TimeRange,
    ) -> Result<Option<Box<dyn Operator>>, ExecError> {
        let regex_bytes_max = self.options.regex_size_bytes_max;
        Ok(Some(match node {
            LogicalPlan::Filter { predicate, .. } => Box::new(rows::FilterRows {
                predicate: crate::predicate::compile_at(&predicate, regex_bytes_max, self.now)?,
                control: Arc::clone(&self.control),
            }),
            LogicalPlan::Project { fields, .. } => Box::new(rows::Project(fields)),
            LogicalPlan::Drop { fields, .. } => Box::new(rows::DropColumns(fields)),
            LogicalPlan::Rename { renames, .. } => Box::new(rows::Rename(renames)),
            LogicalPlan::Eval { columns, .. } => Box::new(rows::Eval::new(&columns, self.now)?),
            LogicalPlan::Limit { offset, fetch, .. } => {
                let left = fetch.map_or(usize::MAX, to_usize);
                Box::new(rows::Limit { skip: to_usize(offset), left })
            }
            LogicalPlan::Sort { keys, fetch, .. } => Box::new(sort::SortRows::new(keys, fetch)),
            LogicalPlan::Aggregate { by, aggregates, .. } => self.aggregate(&by, &aggregates, seconds(data, range))?,
            LogicalPlan::Stage { stage, .. } => return self.stage(stage, below, data, range).await,
            LogicalPlan::Scan(_) => return Ok(None),
        }))
    }

    /// Groups by what folds over columns when that can do it, else by values.
    fn aggregate(
        &self,
        by: &[Group],
        aggregates: &[Aggregate],
        range_seconds: f64,
    ) -> Result<Box<dyn Operator>, ExecError> {
        let limits = (self.options.regex_size_bytes_max, self.now);
        let groups = group::Groups::new(by.to_vec(), aggregates.to_vec(), limits, &self.control)?;
        let seconds = groups.seconds(range_seconds);
        // What a field's numbers are is not known before, and `max` of numbers is to be a number.
        let extreme = |one: &Aggregate| matches!(one.function, lang::Function::Min | lang::Function::Max);
        if aggregates.iter().any(extreme) {
            return Ok(Box::new(group::GroupRows { groups: Some(groups), range_seconds }));
        }
        if let Some(spec) = FoldSpec::of(by, aggregates, |_| DataType::Utf8, seconds, limits)? {
            return Ok(Box::new(sort::FoldRows::new(spec, by.len(), &self.control)));
        }
        Ok(Box::new(group::GroupRows { groups: Some(groups), range_seconds }))
    }

    async fn stage(
        &self,
        stage: Stage,
        below: &LogicalPlan,
        data: Option<(Timestamp, Timestamp)>,
        range: TimeRange,
    ) -> Result<Option<Box<dyn Operator>>, ExecError> {
        let regex_bytes_max = self.options.regex_size_bytes_max;
        let limits = (regex_bytes_max, self.now);
        let only = |filter: Option<&lang::Filter>| text::Only::new(filter, limits, &self.control);
        Ok(Some(match stage {
            Stage::Parse(pipe) => {
                let only = only(pipe.filter.as_ref())?;
                Box::new(text::Parse::new(pipe, only)?)
            }
            Stage::Replace(pipe) => {
                let only = only(pipe.filter.as_ref())?;
                Box::new(text::Replace::new(pipe, regex_bytes_max, only)?)
            }
            Stage::Format(pipe) => Box::new(text::FormatText::new(&pipe, only(pipe.filter.as_ref())?)?),
            Stage::Unroll(fields) => Box::new(rows::Unroll(fields)),
            Stage::Bin(bin) => Box::new(text::BinValue(bin)),
            Stage::Dedup(dedup) => Box::new(rows::DedupRows::new(dedup)),
            Stage::Sample(sample) => Box::new(rows::SampleRows::new(sample)),
            Stage::Percent { of, to } => Box::new(rows::Percent { of, to, rows: Vec::new(), bytes: 0 }),
            Stage::Join(join, other) => {
                Box::new(join::JoinRows::new(join, self.collected(*other).await?, &self.control))
            }
            Stage::Lookup(lookup) => {
                let (sources, name) = (Arc::clone(&self.sources), lookup.table.clone());
                let table = blocking(move || sources.table(&name)).await?;
                Box::new(join::LookupRows::new(&lookup, table)?)
            }
            Stage::Patterns(patterns) => Box::new(patterns::PatternRows::new(patterns, &self.sources)),
            Stage::PatternId => Box::new(patterns::PatternColumn::new(&self.sources)),
            Stage::Facets(facets) => Box::new(facets::FacetRows::new(facets)),
            Stage::Diff(diff, other) => {
                let mut operator = facets::DiffRows::new(&diff, &self.sources);
                let (mut rows, mut held) = (self.rows_of(*other).await?, Held::new(&self.pool, "other window"));
                while let Some(batch) = rows.next().await {
                    operator.add_other(&batch?);
                    held.set(operator.held_bytes())?;
                }
                Box::new(operator)
            }
            Stage::Group(by, aggregates) => {
                let groups = group::Groups::new(by, aggregates, limits, &self.control)?;
                Box::new(group::GroupRows { groups: Some(groups), range_seconds: seconds(data, range) })
            }
            Stage::Timechart(chart) => {
                let (by, aggregates) = (timechart::ChartRows::by(&chart), chart.aggregates.clone());
                let groups = group::Groups::new(by, aggregates, limits, &self.control)?;
                Box::new(timechart::ChartRows { chart, groups: Some(groups), range })
            }
            Stage::Fill(fill, buckets) => {
                let range = below.scan().range;
                Box::new(timechart::FillRows::new(fill, buckets, range, &self.control))
            }
            // Those two are where rows come from.
            Stage::Union(_) | Stage::Context(_) => return Ok(None),
        }))
    }
}

/// How long the time is that a rate without buckets is over: the range of the query, as far as there is data.
fn seconds(data: Option<(Timestamp, Timestamp)>, range: TimeRange) -> f64 {
    let start = if range.start == TimeRange::ALL.start { data.map(|(min, _)| min.0) } else { Some(range.start.0) };
    let end = if range.end == TimeRange::ALL.end { data.map(|(_, max)| max.0) } else { Some(range.end.0) };
    let ns = start.zip(end).map_or(0, |(start, end)| end.saturating_sub(start));
    (ns as f64 / 1e9).max(1e-9)
}

/// A plan cut where stages begin: what is below them, and the nodes above, from the top.
fn split(plan: LogicalPlan) -> (LogicalPlan, Vec<LogicalPlan>) {
    let mut above = Vec::new();
    let mut at = plan;
    loop {
        let is_source = matches!(at, LogicalPlan::Stage { stage: Stage::Union(_) | Stage::Context(_), .. });
        if is_source || !needed(&at) {
            return (at, above);
        }
        let Some(input) = at.input_mut() else { return (at, above) };
        let below = std::mem::replace(input, LogicalPlan::Scan(Scan::default()));
        above.push(at);
        at = below;
    }
}

/// Runs something that reads files on a thread for that.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ExecError> + Send + 'static,
) -> Result<T, ExecError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| ExecError::Internal { message: error.to_string() })?
}

/// What drives a chain of operators.
struct Driven {
    input: Option<Batches>,
    operators: Vec<Box<dyn Operator>>,
    held: Held,
    /// The operator that is to be finished next.
    finishing: usize,
}

impl Driven {
    /// Passes a batch through the operators from one on.
    fn pass(&mut self, mut batch: RecordBatch, from: usize) -> Result<Option<RecordBatch>, ExecError> {
        for operator in &mut self.operators[from..] {
            match operator.push(batch)? {
                Some(next) => batch = next,
                None => return Ok(None),
            }
        }
        Ok(Some(batch))
    }

    fn count_bytes(&mut self) -> Result<(), ExecError> {
        self.held.set(self.operators.iter().map(|operator| operator.held_bytes()).sum())
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, ExecError> {
        while let Some(input) = &mut self.input {
            // An operator that has all it wants ends the reading below it.
            let done = self.operators.iter().any(|operator| operator.is_done());
            let Some(batch) = (if done { None } else { input.next().await }) else {
                self.input = None;
                break;
            };
            let out = self.pass(batch?, 0)?;
            self.count_bytes()?;
            if let Some(batch) = out.filter(|batch| batch.num_rows() > 0) {
                return Ok(Some(batch));
            }
        }
        while self.finishing < self.operators.len() {
            let at = self.finishing;
            self.finishing += 1;
            let Some(batch) = self.operators[at].finish()? else { continue };
            let out = self.pass(batch, at + 1)?;
            self.count_bytes()?;
            if let Some(batch) = out.filter(|batch| batch.num_rows() > 0) {
                return Ok(Some(batch));
            }
        }
        Ok(None)
    }
}

/// Rows as they come out of a chain of operators.
fn chain(input: Batches, operators: Vec<Box<dyn Operator>>, held: Held) -> Batches {
    let driven = Driven { input: Some(input), operators, held, finishing: 0 };
    Box::pin(stream::try_unfold(
        driven,
        |mut driven| async move { Ok(driven.next().await?.map(|batch| (batch, driven))) },
    ))
}
