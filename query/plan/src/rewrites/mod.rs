//! Rewrites: each makes a plan that answers the same with less work. One file per rewrite; [`all`] is their order.

pub(crate) mod columns;
mod fetch;
mod merge_filters;
mod order;
mod patterns;
mod severity;
mod simplify;
mod sort_by_time;
mod time_range;

use lang::{Filter, ParsePipe};

use crate::LogicalPlan;
use crate::stage::Stage;

pub(crate) use fetch::push_fetch;
pub(crate) use simplify::simplify_filter;

/// Applies every rewrite, each once, in an order in which each finds what the ones before it prepared.
pub(crate) fn all(plan: LogicalPlan) -> LogicalPlan {
    let mut plan = narrow(plan);
    push_fetch(&mut plan);
    columns::required(&mut plan);
    plan
}

/// The rewrites of one chain of operators, and of those that its stages read.
fn narrow(mut plan: LogicalPlan) -> LogicalPlan {
    each_other(&mut plan, &|other| *other = narrow(std::mem::replace(other, crate::logical::EMPTY)));
    each_filter(&mut plan, severity::name_severities);
    let mut plan = merge_filters::merge_filters(plan);
    each_filter(&mut plan, |filter| *filter = simplify_filter(std::mem::replace(filter, Filter::All)));
    time_range::into_scan(&mut plan);
    let mut plan = patterns::insert(sort_by_time::into_scan(plan));
    order::default_order(&mut plan);
    plan
}

/// Changes every other plan that the stages of a plan read.
pub(crate) fn each_other(plan: &mut LogicalPlan, change: &dyn Fn(&mut LogicalPlan)) {
    if let LogicalPlan::Stage { stage, .. } = plan
        && let Some(other) = stage.other_mut()
    {
        change(other);
    }
    if let Some(input) = plan.input_mut() {
        each_other(input, change);
    }
}

/// Changes every filter of a plan: of the scan, of pipes, of aggregates.
fn each_filter(plan: &mut LogicalPlan, change: impl Fn(&mut Filter) + Copy) {
    match plan {
        LogicalPlan::Scan(scan) => change(&mut scan.filter),
        LogicalPlan::Filter { predicate, .. } => change(predicate),
        LogicalPlan::Aggregate { aggregates, .. } => {
            aggregates.iter_mut().filter_map(|aggregate| aggregate.filter.as_mut()).for_each(change);
        }
        _ => {}
    }
    if let LogicalPlan::Stage { stage: Stage::Parse(ParsePipe { filter: Some(filter), .. }), .. } = plan {
        change(filter);
    }
    if let Some(input) = plan.input_mut() {
        each_filter(input, change);
    }
}
