//! Which fields the scan must read: those that some operator above it needs. A plan that shows whole records needs all.

use std::collections::BTreeSet;

use model::field;

use crate::LogicalPlan;
use crate::check::reads_time;
use crate::names::{expr_fields, filter_fields, pattern_matches};

/// What is needed of the rows below; `None` for everything.
type Needed = Option<BTreeSet<String>>;

/// Sets the scan's fields.
pub(super) fn required(plan: &mut LogicalPlan) {
    let needed = needed_of_scan(plan, None);
    plan.scan_mut().fields = needed.map(|names| names.into_iter().collect());
}

fn needed_of_scan(plan: &LogicalPlan, needed: Needed) -> Needed {
    let Some(input) = plan.input() else { return needed };
    needed_of_scan(input, needed_of_input(plan, needed))
}

fn needed_of_input(plan: &LogicalPlan, needed: Needed) -> Needed {
    match plan {
        LogicalPlan::Scan(_) | LogicalPlan::Limit { .. } | LogicalPlan::Drop { .. } => needed,
        LogicalPlan::Filter { predicate, .. } => union(needed, filter_fields(predicate)),
        LogicalPlan::Sort { keys, .. } => union(needed, Some(keys.iter().map(|key| key.field.clone()).collect())),
        LogicalPlan::Aggregate { by, aggregates, .. } => {
            let mut out: Needed = Some(by.iter().map(|group| group.field().to_owned()).collect());
            for aggregate in aggregates {
                out = union(out, Some(aggregate.fields.iter().cloned().collect()));
                if let Some(filter) = &aggregate.filter {
                    out = union(out, filter_fields(filter));
                }
                if reads_time(aggregate.function) {
                    out = union(out, Some(BTreeSet::from([field::TIME.to_owned()])));
                }
            }
            out
        }
        LogicalPlan::Project { fields, .. } => {
            let all = fields.iter().any(|name| name == "*");
            if all { needed } else { Some(fields.iter().cloned().collect()) }
        }
        LogicalPlan::Rename { renames, .. } => needed.map(|mut names| {
            for (from, to) in renames.iter().rev() {
                if asks_for(&names, to) {
                    names.remove(to);
                    names.insert(from.clone());
                }
            }
            names
        }),
        LogicalPlan::Eval { columns, .. } => needed.map(|mut names| {
            for (name, expr) in columns.iter().rev() {
                if asks_for(&names, name) {
                    names.remove(name);
                    names.extend(expr_fields(expr));
                }
            }
            names
        }),
    }
}

/// Whether a column is needed, by its name or by a pattern such as `http.*`.
fn asks_for(names: &BTreeSet<String>, column: &str) -> bool {
    names.iter().any(|pattern| pattern_matches(pattern, column))
}

fn union(a: Needed, b: Needed) -> Needed {
    let (mut a, b) = (a?, b?);
    a.extend(b);
    Some(a)
}
