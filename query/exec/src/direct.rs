//! Plans that run without DataFusion: groups of a scan, and rows in the order of their times.
//!
//! Planning a query with DataFusion and starting its operators takes more time than most answers. Here a plan is looked
//! through for the two shapes that most queries have. What stands above groups and is more than sorting and cutting still
//! goes to DataFusion, over the few rows that the groups are.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use datafusion::execution::memory_pool::MemoryPool;
use model::Timestamp;
use plan::LogicalPlan;

use crate::ExecError;
use crate::finish::{Grouped, finish, is_simple};
use crate::fold::FoldSpec;
use crate::memory::Held;
use crate::ordered::Ordered;
use crate::scan::{Step, Work};
use crate::translate::{Leaf, Translator, expand, keeps_records, to_usize};

/// How a plan runs.
pub(crate) enum Started {
    /// All rows of the answer.
    Rows(RecordBatch),
    /// Rows come step by step.
    Steps(Box<dyn Work>, SchemaRef),
    /// DataFusion runs it, over these groups in place of the operator at this depth when there are some.
    General(Option<RecordBatch>),
}

/// The grouping right above the scan of a plan.
pub(crate) fn grouping(plan: &LogicalPlan) -> Option<&LogicalPlan> {
    match plan {
        LogicalPlan::Aggregate { input, .. } if matches!(**input, LogicalPlan::Scan(_)) => Some(plan),
        other => grouping(other.input()?),
    }
}

/// How a plan runs when it runs here, for people; `None` when DataFusion runs all of it, or some.
pub(crate) fn describe(plan: &LogicalPlan) -> Option<String> {
    if let Some(at) = grouping(plan) {
        let LogicalPlan::Aggregate { input, by, aggregates } = at else { return None };
        let ours = FoldSpec::of(by, aggregates, |_| DataType::Utf8, 1.0, (usize::MAX, Timestamp(0))).ok()??;
        let (scan, counts) = (input.scan(), ours.counts_only());
        let from = if counts { "statistics and index first, columns for the rest" } else { "columns" };
        return (scan.fetch.is_none() && is_simple(plan, at)).then(|| format!("SnapshotFold: from {from}\n"));
    }
    let order = plan.scan().order.filter(|_| is_rows(plan))?;
    let fetch = plan.scan().fetch.map_or(String::new(), |fetch| format!(", fetch={fetch}"));
    Some(format!("SnapshotScan: {order:?}{fetch}\n"))
}

/// Starts a plan, and runs it when it is groups. Blocks.
pub(crate) fn start(
    plan: &LogicalPlan,
    translator: &Translator<'_>,
    pool: &Arc<dyn MemoryPool>,
) -> Result<Started, ExecError> {
    if let Some(at) = grouping(plan) {
        return groups(plan, at, translator, pool);
    }
    if is_rows(plan) {
        return rows(plan, translator, pool);
    }
    Ok(Started::General(None))
}

fn groups(
    plan: &LogicalPlan,
    at: &LogicalPlan,
    translator: &Translator<'_>,
    pool: &Arc<dyn MemoryPool>,
) -> Result<Started, ExecError> {
    let LogicalPlan::Aggregate { input, by, aggregates } = at else { return Ok(Started::General(None)) };
    let scan = input.scan();
    if scan.fetch.is_some() {
        return Ok(Started::General(None));
    }
    let fields = aggregates.iter().flat_map(|aggregate| aggregate.fields.iter().cloned()).collect();
    let kinds = translator.source.kinds(&fields, translator.range);
    let data_type = |name: &str| kinds.get(name).map_or(DataType::Utf8, |kind| kind.data_type());
    let seconds = translator.rate_seconds(by);
    let spec = FoldSpec::of(by, aggregates, data_type, seconds, (translator.regex_bytes_max, translator.now))?;
    let Some(what) = spec.map(Arc::new) else { return Ok(Started::General(None)) };
    let held = Held::new(pool, "groups");
    let folded = crate::answer::fold(&translator.spec(scan)?, &what, &translator.parts(), translator.partitions, &held);
    let batch = match folded {
        Ok(fold) => fold.finish()?,
        // DataFusion's grouping spills; what was counted so far is counted once more.
        Err(ExecError::Memory { shared: false, .. }) => {
            translator.control.start_over();
            return Ok(Started::General(None));
        }
        Err(error) => return Err(error),
    };
    if !is_simple(plan, at) {
        return Ok(Started::General(Some(batch)));
    }
    finish(plan, at, Grouped { batch, keys: by.len(), ordered: by.is_empty() }).map(Started::Rows)
}

/// Whether a plan is rows of the scan as it yields them, cut or with fewer columns.
fn is_rows(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Scan(_) => true,
        LogicalPlan::Limit { input, .. } | LogicalPlan::Project { input, .. } => is_rows(input),
        _ => false,
    }
}

fn rows(plan: &LogicalPlan, translator: &Translator<'_>, pool: &Arc<dyn MemoryPool>) -> Result<Started, ExecError> {
    let records = keeps_records(plan);
    let leaf = translator.leaf(plan, records)?;
    if !leaf.is_in_order() {
        translator.control.start_over();
        return Ok(Started::General(None));
    }
    let Leaf { spec, output, parts, want, names, .. } = leaf;
    let Some(order) = want.order else { return Ok(Started::General(None)) };
    let (cut, shown) = shape(plan, &names);
    let schema =
        Arc::new(Schema::new(shown.iter().map(|(name, ty, _)| Field::new(name, ty.clone(), true)).collect::<Vec<_>>()));
    let held = Held::new(pool, "rows");
    let inner = Ordered::new(spec, output, parts, order, want.fetch, translator.partitions, held);
    let at = shown.into_iter().map(|(_, _, at)| at).collect();
    let shaped = Shaped { inner, skip: cut.0, left: cut.1, columns: at, schema: Arc::clone(&schema) };
    Ok(Started::Steps(Box::new(shaped), schema))
}

/// A column that is shown: its name, its type, its place among those of the scan when it is one of them.
type Shown = (String, DataType, Option<usize>);

/// What limits and projections of a plan come to: rows to pass over and to keep, and the columns.
fn shape(plan: &LogicalPlan, names: &[(String, DataType)]) -> ((usize, usize), Vec<Shown>) {
    match plan {
        LogicalPlan::Limit { input, offset, fetch } => {
            let ((skip, left), shown) = shape(input, names);
            let offset = to_usize(*offset);
            let left = left.saturating_sub(offset).min(fetch.map_or(usize::MAX, to_usize));
            ((skip.saturating_add(offset), left), shown)
        }
        LogicalPlan::Project { input, fields } => {
            let (cut, shown) = shape(input, names);
            let known: Vec<(String, DataType)> = shown.iter().map(|(name, ty, _)| (name.clone(), ty.clone())).collect();
            let place = |name: &str| shown.iter().find(|(known, ..)| known == name).and_then(|(_, _, at)| *at);
            let kept = expand(&known, fields).into_iter().map(|(name, ty)| {
                let at = place(&name);
                (name, ty, at)
            });
            (cut, kept.collect())
        }
        _ => {
            let all = names.iter().enumerate().map(|(at, (name, ty))| (name.clone(), ty.clone(), Some(at)));
            ((0, usize::MAX), all.collect())
        }
    }
}

/// Rows of a scan, cut and with the columns that are shown.
struct Shaped {
    inner: Ordered,
    /// Rows to pass over, and rows to yield behind those.
    skip: usize,
    left: usize,
    /// For each column its place among the scan's; `None` for one of nulls.
    columns: Vec<Option<usize>>,
    schema: SchemaRef,
}

impl Shaped {
    fn shape(&mut self, batch: &RecordBatch) -> Result<RecordBatch, ExecError> {
        let skipped = self.skip.min(batch.num_rows());
        self.skip -= skipped;
        let kept = (batch.num_rows() - skipped).min(self.left);
        self.left -= kept;
        let batch = batch.slice(skipped, kept);
        let arrays = self.columns.iter().enumerate().map(|(nth, at)| match at {
            Some(at) => Arc::clone(batch.column(*at)),
            None => arrow_array::new_null_array(self.schema.field(nth).data_type(), kept),
        });
        let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(kept));
        Ok(RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays.collect(), &options)?)
    }
}

impl Work for Shaped {
    fn step(&mut self) -> Result<Step, ExecError> {
        match self.inner.step()? {
            Step::Batch(batch) => {
                let batch = self.shape(&batch)?;
                Ok(if batch.num_rows() == 0 { Step::Working } else { Step::Batch(batch) })
            }
            other => Ok(other),
        }
    }
}
