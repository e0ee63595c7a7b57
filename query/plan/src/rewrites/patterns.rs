//! `_pattern` is no stored field: where a query reads it, the rows get it from their bodies first, and a filter of it comes after.

use lang::Filter;

use super::columns::reads_by_name;
use super::simplify_filter;
use crate::names::filter_fields;
use crate::stage::{PATTERN_FIELD, Stage};
use crate::{LogicalPlan, Scan};

/// Whether some operator reads the field by its name, and none below makes it.
fn is_read(plan: &LogicalPlan) -> bool {
    if matches!(plan, LogicalPlan::Stage { stage: Stage::Patterns(_), .. }) {
        return false;
    }
    let Some(input) = plan.input() else { return false };
    // The node above `patterns` reads what that makes.
    let made_below = makes(input);
    let reads = reads_by_name(plan).contains(PATTERN_FIELD);
    (reads && !made_below) || is_read(input)
}

/// Whether the rows of a plan have the field without this rewrite.
fn makes(plan: &LogicalPlan) -> bool {
    match plan {
        LogicalPlan::Stage { stage: Stage::Patterns(_), .. } => true,
        LogicalPlan::Aggregate { .. } | LogicalPlan::Stage { stage: Stage::Group(..) | Stage::Timechart(_), .. } => {
            true
        }
        other => other.input().is_some_and(makes),
    }
}

/// Puts the stage above the scan where something above reads the field.
pub(super) fn insert(mut plan: LogicalPlan) -> LogicalPlan {
    let read_above = is_read(&plan);
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
