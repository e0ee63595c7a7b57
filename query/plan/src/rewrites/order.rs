//! The order of rows that nobody asked for: the newest first. It matters when rows reach the user, or a limit, as the scan
//! delivers them; below an aggregate or a sort it does not, unless a limit stands between.

use crate::{LogicalPlan, ScanOrder};

/// Sets the scan's order where it matters and is not set.
pub(super) fn default_order(plan: &mut LogicalPlan) {
    order(plan, true);
}

fn order(plan: &mut LogicalPlan, wanted: bool) {
    match plan {
        LogicalPlan::Scan(scan) => {
            if wanted && scan.order.is_none() {
                scan.order = Some(ScanOrder::NewestFirst);
            }
        }
        LogicalPlan::Aggregate { input, .. } | LogicalPlan::Sort { input, .. } => order(input, false),
        LogicalPlan::Limit { input, .. } => order(input, true),
        LogicalPlan::Stage { input, stage } => {
            order(input, stage.depends_on_order() || (wanted && stage.keeps_order()));
        }
        LogicalPlan::Filter { input, .. }
        | LogicalPlan::Project { input, .. }
        | LogicalPlan::Drop { input, .. }
        | LogicalPlan::Rename { input, .. }
        | LogicalPlan::Eval { input, .. } => order(input, wanted),
    }
}
