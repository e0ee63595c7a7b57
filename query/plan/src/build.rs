//! From the tree of a query to the plan that says the same, one operator for each pipe. Nothing is clever here: what is
//! short for something else is written out, the rest is left to the rewrites.

use lang::{Aggregate, Function, Group, PipeKind, Query, SortKey, Top, Uniq};
use model::TimeRange;

use crate::{LogicalPlan, Scan};

/// The plan of a query, as written.
pub(crate) fn build(query: &Query) -> LogicalPlan {
    let scan = Scan {
        source: query.source,
        range: TimeRange::ALL,
        filter: query.filter.clone(),
        fields: None,
        order: None,
        fetch: None,
    };
    query.pipes.iter().fold(LogicalPlan::Scan(scan), |input, pipe| add(input, &pipe.kind))
}

fn add(input: LogicalPlan, pipe: &PipeKind) -> LogicalPlan {
    let input = Box::new(input);
    match pipe {
        PipeKind::Stats(stats) => LogicalPlan::Aggregate {
            input,
            by: stats.by.clone(),
            aggregates: stats.aggregates.iter().map(without_median).collect(),
        },
        PipeKind::Sort(keys) => LogicalPlan::Sort { input, keys: keys.clone(), fetch: None },
        PipeKind::Limit(fetch) => LogicalPlan::Limit { input, offset: 0, fetch: Some(*fetch) },
        PipeKind::Offset(offset) => LogicalPlan::Limit { input, offset: *offset, fetch: None },
        PipeKind::Fields(fields) => LogicalPlan::Project { input, fields: fields.clone() },
        PipeKind::Drop(fields) => LogicalPlan::Drop { input, fields: fields.clone() },
        PipeKind::Rename(renames) => LogicalPlan::Rename { input, renames: renames.clone() },
        PipeKind::Where(predicate) => LogicalPlan::Filter { input, predicate: predicate.clone() },
        PipeKind::Eval(columns) => LogicalPlan::Eval { input, columns: columns.clone() },
        PipeKind::Top(pipe) => top(input, pipe),
        PipeKind::Uniq(Uniq { by, hits }) => {
            LogicalPlan::Aggregate { input, by: groups(by), aggregates: hits.iter().map(|name| count(name)).collect() }
        }
    }
}

fn without_median(aggregate: &Aggregate) -> Aggregate {
    let function = match aggregate.function {
        Function::Median => Function::Quantile(0.5),
        other => other,
    };
    Aggregate { function, ..aggregate.clone() }
}

fn groups(fields: &[String]) -> Vec<Group> {
    fields.iter().cloned().map(Group::Field).collect()
}

fn count(name: &str) -> Aggregate {
    Aggregate { function: Function::Count, fields: Vec::new(), filter: None, name: name.to_owned() }
}

/// `top` and `rare`: count, sort, limit. Equal counts sort by their values, so that the answer is always the same.
fn top(input: Box<LogicalPlan>, pipe: &Top) -> LogicalPlan {
    let counted = LogicalPlan::Aggregate { input, by: groups(&pipe.by), aggregates: vec![count(&pipe.hits)] };
    let hits = SortKey { field: pipe.hits.clone(), descending: !pipe.rare };
    let ties = pipe.by.iter().map(|field| SortKey { field: field.clone(), descending: false });
    let keys = [hits].into_iter().chain(ties).collect();
    let sorted = LogicalPlan::Sort { input: Box::new(counted), keys, fetch: None };
    LogicalPlan::Limit { input: Box::new(sorted), offset: 0, fetch: Some(pipe.limit) }
}
