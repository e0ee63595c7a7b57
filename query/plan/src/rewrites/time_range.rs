//! Time filters that every row must meet become the scan's range, which chooses the files to open. One inside an `or` or a
//! negation stays a filter.

use lang::Filter;

use super::simplify_filter;
use crate::LogicalPlan;

/// Moves them. Expects simplified filters.
pub(super) fn into_scan(plan: &mut LogicalPlan) {
    let scan = plan.scan_mut();
    let parts = match std::mem::replace(&mut scan.filter, Filter::All) {
        Filter::And(parts) => parts,
        other => vec![other],
    };
    let mut rest = Vec::with_capacity(parts.len());
    for part in parts {
        match part {
            Filter::Time(range) => scan.range = scan.range.intersect(&range),
            other => rest.push(other),
        }
    }
    scan.filter = simplify_filter(Filter::And(rest));
}
