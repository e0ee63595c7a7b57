//! `sort by (_time desc)` of what a scan delivers is the scan's own order: no sort is needed, and a limit above it reaches
//! the scan.

use lang::SortKey;
use model::field;

use crate::names::pattern_matches;
use crate::{LogicalPlan, ScanOrder};

/// Replaces such a sort, wherever it stands.
pub(super) fn into_scan(plan: LogicalPlan) -> LogicalPlan {
    match plan {
        LogicalPlan::Sort { mut input, keys, fetch } => match by_time(&keys).filter(|_| delivers_scan_order(&input)) {
            Some(order) => {
                input.scan_mut().order = Some(order);
                *input
            }
            None => LogicalPlan::Sort { input: Box::new(into_scan(*input)), keys, fetch },
        },
        mut other => {
            if let Some(input) = other.input_mut() {
                let inner = std::mem::replace(input, crate::logical::EMPTY);
                *input = into_scan(inner);
            }
            other
        }
    }
}

fn by_time(keys: &[SortKey]) -> Option<ScanOrder> {
    match keys {
        [key] if key.field == field::TIME && key.descending => Some(ScanOrder::NewestFirst),
        [key] if key.field == field::TIME => Some(ScanOrder::OldestFirst),
        _ => None,
    }
}

/// Whether rows come out as the scan ordered them, with its `_time`.
fn delivers_scan_order(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Scan(_) => true,
        LogicalPlan::Filter { input, .. } => delivers_scan_order(input),
        LogicalPlan::Project { input, fields } => {
            fields.iter().any(|pattern| pattern_matches(pattern, field::TIME)) && delivers_scan_order(input)
        }
        _ => false,
    }
}
