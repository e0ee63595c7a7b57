//! `_pattern` is no stored field: where a query reads it, the rows get it from their bodies first, and a filter of it comes after.

use lang::Filter;

use super::columns::needed_of_scan;
use super::simplify_filter;
use crate::names::filter_fields;
use crate::stage::{PATTERN_FIELD, Stage};
use crate::{LogicalPlan, Scan};

/// Puts the stage above the scan where something above reads the field.
pub(super) fn insert(mut plan: LogicalPlan) -> LogicalPlan {
    let read_above = needed_of_scan(&plan).is_some_and(|names| names.contains(PATTERN_FIELD));
    let in_filter = |filter: &Filter| filter_fields(filter).is_some_and(|names| names.contains(PATTERN_FIELD));
    let filters = in_filter(&plan.scan().filter);
    if !read_above && !filters {
        return plan;
    }
    let mut below = &mut plan;
    while !matches!(below, LogicalPlan::Scan(_)) {
        match below.input_mut() {
            Some(input) => below = input,
            None => return plan,
        }
    }
    let LogicalPlan::Scan(mut scan) = std::mem::replace(below, crate::logical::EMPTY) else { return plan };
    let parts = match std::mem::replace(&mut scan.filter, Filter::All) {
        Filter::And(parts) => parts,
        other => vec![other],
    };
    let (after, before): (Vec<Filter>, Vec<Filter>) = parts.into_iter().partition(in_filter);
    let scan = Scan { filter: simplify_filter(Filter::And(before)), ..scan };
    let mut node = LogicalPlan::Stage { input: Box::new(LogicalPlan::Scan(scan)), stage: Stage::PatternId };
    if !after.is_empty() {
        node = LogicalPlan::Filter { input: Box::new(node), predicate: simplify_filter(Filter::And(after)) };
    }
    *below = node;
    plan
}
