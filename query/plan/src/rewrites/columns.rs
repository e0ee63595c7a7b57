//! Which fields the scan must read: those that some operator above it needs. A plan that shows whole records needs all.

use std::collections::BTreeSet;

use lang::{Aggregate, Group};
use model::field;

use crate::LogicalPlan;
use crate::check::{reads_rows, reads_time};
use crate::names::{filter_fields, pattern_matches};
use crate::stage::Stage;

/// What is needed of the rows below; `None` for everything.
pub(crate) type Needed = Option<BTreeSet<String>>;

/// Sets the fields of the scan, and of the scans of other plans that the plan reads.
pub(super) fn required(plan: &mut LogicalPlan) {
    fill(plan, None);
}

fn fill(plan: &mut LogicalPlan, needed: Needed) {
    let below = needed_of_input(plan, needed.clone());
    if let LogicalPlan::Stage { stage, .. } = plan {
        // The rows of a union are as wide as they are needed; what a join takes over, and what differs, is not known.
        let of_other = match stage {
            Stage::Union(_) => needed,
            Stage::Diff(..) => below.clone(),
            _ => None,
        };
        if let Some(other) = stage.other_mut() {
            fill(other, of_other);
        }
    }
    match plan {
        LogicalPlan::Scan(scan) => scan.fields = below.map(|names| names.into_iter().collect()),
        other => {
            if let Some(input) = other.input_mut() {
                fill(input, below);
            }
        }
    }
}

/// The fields that one operator reads by their names.
pub(super) fn reads_by_name(plan: &LogicalPlan) -> BTreeSet<String> {
    let nothing = Some(BTreeSet::new());
    match plan {
        // What it computes is not needed of it here, and what that reads is asked for all the same.
        LogicalPlan::Eval { columns, .. } => columns.iter().flat_map(|(_, expr)| expr.fields()).collect(),
        LogicalPlan::Rename { renames, .. } => renames.iter().map(|(from, _)| from.clone()).collect(),
        other => needed_of_input(other, nothing).unwrap_or_default(),
    }
}

/// The fields that groups and what is computed of them read.
pub(crate) fn aggregate_fields(by: &[Group], aggregates: &[Aggregate]) -> Needed {
    let mut out: Needed = Some(by.iter().map(|group| group.field().to_owned()).collect());
    for aggregate in aggregates {
        out = union(out, Some(aggregate.fields.iter().cloned().collect()));
        if let Some(filter) = &aggregate.filter {
            out = union(out, filter_fields(filter));
        }
        if reads_time(aggregate.function) {
            out = union(out, Some(BTreeSet::from([field::TIME.to_owned()])));
        }
        if reads_rows(aggregate) {
            return None;
        }
    }
    out
}

fn needed_of_input(plan: &LogicalPlan, needed: Needed) -> Needed {
    match plan {
        LogicalPlan::Scan(_) | LogicalPlan::Limit { .. } | LogicalPlan::Drop { .. } => needed,
        LogicalPlan::Filter { predicate, .. } => union(needed, filter_fields(predicate)),
        LogicalPlan::Sort { keys, .. } => union(needed, Some(keys.iter().map(|key| key.field.clone()).collect())),
        LogicalPlan::Aggregate { by, aggregates, .. } => aggregate_fields(by, aggregates),
        LogicalPlan::Stage { stage, .. } => stage.needed_of_input(needed),
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
                    names.extend(expr.fields());
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

pub(crate) fn union(a: Needed, b: Needed) -> Needed {
    let (mut a, b) = (a?, b?);
    a.extend(b);
    Some(a)
}
