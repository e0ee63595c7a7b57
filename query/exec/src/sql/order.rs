//! The newest rows first, without reading the others.
//!
//! `ORDER BY _time DESC LIMIT 100` is what people ask of logs most. A scan that is told so visits pages best first and reads whole
//! rows of a hundred; DataFusion's sort above it then has nothing to do but stay right.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult as _, TreeNode as _};
use datafusion::error::Result as DfResult;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::coop::CooperativeExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;
use model::field;
use plan::ScanOrder;

use super::table::Shared;
use crate::scan::SnapshotScan;

/// The rule.
pub(super) struct NewestFirst {
    pub(super) shared: Shared,
}

impl std::fmt::Debug for NewestFirst {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NewestFirst")
    }
}

impl PhysicalOptimizerRule for NewestFirst {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> DfResult<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| self.sorted(node)).data()
    }

    fn name(&self) -> &str {
        "newest_first"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

impl NewestFirst {
    fn sorted(&self, node: Arc<dyn ExecutionPlan>) -> DfResult<Transformed<Arc<dyn ExecutionPlan>>> {
        let Some(sort) = node.downcast_ref::<SortExec>() else { return Ok(Transformed::no(node)) };
        let fetch = sort.fetch().map(|fetch| fetch as u64).filter(|fetch| self.shared.can_wait(*fetch));
        let (Some(fetch), Some(order)) = (fetch, order_of(sort)) else { return Ok(Transformed::no(node)) };
        match in_order(sort.input(), order, fetch) {
            Some(input) => Ok(Transformed::yes(replace_children_if_necessary(Arc::clone(&node), vec![input])?)),
            None => Ok(Transformed::no(node)),
        }
    }
}

/// The order of times that a sort asks for: by `_time`, and by `_id` in the same direction when there is more.
fn order_of(sort: &SortExec) -> Option<ScanOrder> {
    let mut keys = sort.expr().iter();
    let first = keys.next()?;
    let named =
        |expr: &Arc<dyn PhysicalExpr>, name: &str| origin(sort.input(), expr).is_some_and(|origin| origin == name);
    let rest: Vec<_> = keys.collect();
    let ids = match rest[..] {
        [] => true,
        [id] => named(&id.expr, field::ID) && id.options.descending == first.options.descending,
        _ => false,
    };
    (named(&first.expr, field::TIME) && ids).then_some(match first.options.descending {
        true => ScanOrder::NewestFirst,
        false => ScanOrder::OldestFirst,
    })
}

/// The name of the scan's column that an expression above it is.
fn origin(plan: &Arc<dyn ExecutionPlan>, expr: &Arc<dyn PhysicalExpr>) -> Option<String> {
    let column = expr.downcast_ref::<Column>()?;
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return origin(projection.input(), &projection.expr().get(column.index())?.expr);
    }
    if let Some(cooperative) = plan.downcast_ref::<CooperativeExec>() {
        return origin(cooperative.input(), expr);
    }
    let scan = plan.downcast_ref::<SnapshotScan>()?;
    Some(scan.schema().fields().get(column.index())?.name().clone())
}

/// The same rows from a scan that yields the first of them in order; `None` when there is more than projections above the scan.
fn in_order(plan: &Arc<dyn ExecutionPlan>, order: ScanOrder, fetch: u64) -> Option<Arc<dyn ExecutionPlan>> {
    if let Some(scan) = plan.downcast_ref::<SnapshotScan>() {
        return scan.first_rows(order, fetch).map(|scan| Arc::new(scan) as Arc<dyn ExecutionPlan>);
    }
    let below = match plan.downcast_ref::<ProjectionExec>() {
        Some(projection) => projection.input(),
        None => plan.downcast_ref::<CooperativeExec>()?.input(),
    };
    let input = in_order(below, order, fetch)?;
    replace_children_if_necessary(Arc::clone(plan), vec![input]).ok()
}
