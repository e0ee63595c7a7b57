//! How large expressions become when queries in FROM are written out.
//!
//! Rewrites put the expressions of a query in FROM in the place of its columns: forty levels of `select s + s as s from (...)` are forty
//! operators, and two to the fortieth when written out.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{TreeNode as _, TreeNodeRecursion};
use datafusion::logical_expr::{Expr, LogicalPlan};

use super::SQL_EXPRESSION_PARTS_MAX;

/// Fails when an expression of a plan is larger than may be.
pub(super) fn check(plan: &LogicalPlan) -> Result<(), String> {
    sizes(plan).map(|_| ())
}

/// The sizes of the columns of a plan.
fn sizes(plan: &LogicalPlan) -> Result<Vec<u64>, String> {
    let inputs = plan.inputs().into_iter().map(sizes).collect::<Result<Vec<_>, _>>()?;
    let schemas: Vec<&DFSchema> = plan.inputs().into_iter().map(|input| &**input.schema()).collect();
    let size = |expr: &Expr| size(expr, &schemas, &inputs);
    let own = plan.expressions().iter().map(size).collect::<Result<Vec<u64>, String>>()?;
    let width = plan.schema().fields().len();
    Ok(match plan {
        LogicalPlan::Projection(_) => own,
        _ => {
            let through: Vec<u64> = inputs.into_iter().flatten().collect();
            if through.len() == width { through } else { vec![1; width] }
        }
    })
}

/// The parts of an expression, its columns as large as they are in the inputs.
fn size(expr: &Expr, schemas: &[&DFSchema], inputs: &[Vec<u64>]) -> Result<u64, String> {
    let mut parts = 0u64;
    let _ = expr.apply(|part| {
        let column = match part {
            Expr::Column(column) => schemas
                .iter()
                .zip(inputs)
                .find_map(|(schema, sizes)| schema.maybe_index_of_column(column).and_then(|at| sizes.get(at)).copied()),
            // Lists of values are as long as the text.
            Expr::Literal(..) => Some(0),
            _ => None,
        };
        parts = parts.saturating_add(column.unwrap_or(1));
        Ok(TreeNodeRecursion::Continue)
    });
    match parts > SQL_EXPRESSION_PARTS_MAX {
        true => Err(format!(
            "an expression has more parts, written out, than SQL_EXPRESSION_PARTS_MAX = {SQL_EXPRESSION_PARTS_MAX} allows"
        )),
        false => Ok(parts),
    }
}
