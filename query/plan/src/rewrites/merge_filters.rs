//! A filter right above a scan or another filter becomes part of it, so that the index sees it.

use lang::Filter;

use crate::LogicalPlan;

/// Merges neighbouring filters downwards. A filter above a limit stays: it must see the limited rows only.
pub(super) fn merge_filters(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Filter { input, predicate } => match merge_filters(*input) {
            LogicalPlan::Scan(mut scan) => {
                scan.filter = Filter::And(vec![scan.filter, predicate]);
                LogicalPlan::Scan(scan)
            }
            LogicalPlan::Filter { input, predicate: inner } => {
                LogicalPlan::Filter { input, predicate: Filter::And(vec![inner, predicate]) }
            }
            other => LogicalPlan::Filter { input: Box::new(other), predicate },
        },
        mut other => {
            if let Some(input) = other.input_mut() {
                let inner = std::mem::replace(input, crate::logical::EMPTY);
                *input = merge_filters(inner);
            }
            other
        }
    }
}
