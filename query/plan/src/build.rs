//! From the tree of a query to the plan that says the same, one operator for each pipe. Nothing is clever here: what is
//! short for something else is written out, the rest is left to the rewrites.

use lang::{Aggregate, Bucket, Function, Group, Input, Pipe, PipeKind, Query, SortKey, Timechart, Top, Uniq};
use model::{TimeRange, field};

use crate::names::pattern_matches;
use crate::{Buckets, LogicalPlan, Scan, Stage};

/// The plan of a query, as written.
pub(crate) fn build(query: &Query) -> LogicalPlan {
    let scan = Scan {
        input: query.input.clone(),
        range: TimeRange::ALL,
        filter: query.filter.clone(),
        fields: None,
        order: None,
        fetch: None,
    };
    let scan = LogicalPlan::Scan(scan);
    query.pipes.iter().enumerate().fold(scan, |input, (at, pipe)| add(input, &pipe.kind, &query.pipes[..at], query))
}

fn add(input: LogicalPlan, pipe: &PipeKind, before: &[Pipe], query: &Query) -> LogicalPlan {
    let input = Box::new(input);
    match pipe {
        PipeKind::Stats(stats) => grouped(input, &stats.by, &stats.aggregates),
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
        // Who asks for the plan gets it from `explain`.
        PipeKind::Explain => *input,
        other => match stage(other, before, query) {
            Some(stage) => LogicalPlan::Stage { input, stage },
            None => *input,
        },
    }
}

/// The stage that a pipe is.
fn stage(pipe: &PipeKind, before: &[Pipe], query: &Query) -> Option<Stage> {
    let other = |query: &Query| Box::new(build(query));
    Some(match pipe {
        PipeKind::Parse(pipe) => Stage::Parse(pipe.clone()),
        PipeKind::Replace(pipe) => Stage::Replace(pipe.clone()),
        PipeKind::Format(pipe) => Stage::Format(pipe.clone()),
        PipeKind::Unroll(fields) => Stage::Unroll(fields.clone()),
        PipeKind::Bin(bin) => Stage::Bin(bin.clone()),
        PipeKind::Dedup(dedup) => Stage::Dedup(dedup.clone()),
        PipeKind::Sample(sample) => Stage::Sample(*sample),
        PipeKind::Join(join) => Stage::Join(join.clone(), other(&join.query)),
        PipeKind::Union(query) => Stage::Union(other(query)),
        PipeKind::Lookup(lookup) => Stage::Lookup(lookup.clone()),
        PipeKind::Context(context) => Stage::Context(*context),
        PipeKind::Patterns(patterns) => Stage::Patterns(patterns.clone()),
        PipeKind::Facets(facets) => Stage::Facets(facets.clone()),
        PipeKind::Timechart(chart) => Stage::Timechart(Timechart {
            aggregates: chart.aggregates.iter().map(without_median).collect(),
            ..chart.clone()
        }),
        PipeKind::Fill(fill) => Stage::Fill(fill.clone(), buckets_before(before, query)?),
        PipeKind::Diff(diff) => {
            let same = Query { pipes: before.to_vec(), ..query.clone() };
            Stage::Diff(diff.clone(), other(&same))
        }
        _ => return None,
    })
}

/// The buckets of time that the rows before a pipe are grouped by, under the names that they have there; `None` when they are not.
pub(crate) fn buckets_before(before: &[Pipe], query: &Query) -> Option<Buckets> {
    let mut buckets = grouped_before(before, query)?;
    let made = before.iter().rposition(|pipe| matches!(pipe.kind, PipeKind::Stats(_) | PipeKind::Timechart(_)));
    for pipe in &before[made.map_or(0, |at| at + 1)..] {
        match &pipe.kind {
            PipeKind::Rename(renames) => {
                for (from, to) in renames {
                    let names = buckets.keys.iter_mut().flatten().chain([&mut buckets.time]);
                    names.filter(|name| *name == from).for_each(|name| name.clone_from(to));
                }
            }
            PipeKind::Drop(fields)
                if dropped(&buckets, |name| !fields.iter().any(|field| pattern_matches(field, name))) =>
            {
                return None;
            }
            PipeKind::Fields(fields)
                if dropped(&buckets, |name| fields.iter().any(|field| pattern_matches(field, name))) =>
            {
                return None;
            }
            _ => {}
        }
    }
    Some(buckets)
}

/// Whether some key of the buckets does not stay.
fn dropped(buckets: &Buckets, stays: impl Fn(&String) -> bool) -> bool {
    !stays(&buckets.time) || buckets.keys.iter().flatten().any(|key| !stays(key))
}

/// The buckets as the pipe that made them called them.
fn grouped_before(before: &[Pipe], query: &Query) -> Option<Buckets> {
    let of = |field: &str, bucket: &Bucket, keys: Option<Vec<String>>| {
        let (step_ns, offset_ns) = match bucket {
            Bucket::Time { step_ns, offset_ns } => (Some(*step_ns), *offset_ns),
            Bucket::AutoTime => (None, 0),
            Bucket::Number { .. } => return None,
        };
        Some(Buckets { time: field.to_owned(), step_ns, offset_ns, keys })
    };
    for pipe in before.iter().rev() {
        match &pipe.kind {
            PipeKind::Stats(stats) => {
                let is_time = |bucket: &Bucket| !matches!(bucket, Bucket::Number { .. });
                let found = stats.by.iter().find_map(|group| match group {
                    Group::Bucket { field, bucket } if is_time(bucket) => Some((field, bucket)),
                    _ => None,
                });
                let (time, bucket) = found?;
                let keys = stats.by.iter().map(Group::field).filter(|field| field != time).map(str::to_owned);
                return of(time, bucket, Some(keys.collect()));
            }
            PipeKind::Timechart(chart) => return of(field::TIME, &chart.bucket, Some(chart.by.clone())),
            PipeKind::Where(_)
            | PipeKind::Sort(_)
            | PipeKind::Eval(_)
            | PipeKind::Fields(_)
            | PipeKind::Drop(_)
            | PipeKind::Rename(_) => {}
            _ => return None,
        }
    }
    match &query.input {
        Input::Promql(promql) => {
            Some(Buckets { time: field::TIME.to_owned(), step_ns: promql.step_ns, offset_ns: 0, keys: None })
        }
        Input::Table(_) => None,
    }
}

/// Groups by what tables can do; else by a stage.
fn grouped(input: Box<LogicalPlan>, by: &[Group], aggregates: &[Aggregate]) -> LogicalPlan {
    let (by, aggregates) = (by.to_vec(), aggregates.iter().map(without_median).collect::<Vec<_>>());
    let plain_key = |group: &Group| match group {
        Group::Field(_) => true,
        Group::Bucket { field, bucket: Bucket::Time { offset_ns: 0, .. } | Bucket::AutoTime } => field == field::TIME,
        Group::Bucket { .. } => false,
    };
    let plain = |aggregate: &Aggregate| {
        let one = aggregate.fields.len() == 1;
        match aggregate.function {
            Function::Count | Function::Rate => true,
            Function::CountDistinct => true,
            Function::CountEmpty
            | Function::CountDistinctEstimate
            | Function::SumLen
            | Function::RateSum
            | Function::Histogram(_)
            | Function::RowAny
            | Function::RowMin
            | Function::RowMax => false,
            _ => one,
        }
    };
    if by.iter().all(plain_key) && aggregates.iter().all(plain) {
        LogicalPlan::Aggregate { input, by, aggregates }
    } else {
        LogicalPlan::Stage { input, stage: Stage::Group(by, aggregates) }
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
    let counted = match &pipe.percent {
        Some(to) => {
            let stage = Stage::Percent { of: pipe.hits.clone(), to: to.clone() };
            LogicalPlan::Stage { input: Box::new(counted), stage }
        }
        None => counted,
    };
    let sorted = LogicalPlan::Sort { input: Box::new(counted), keys, fetch: None };
    LogicalPlan::Limit { input: Box::new(sorted), offset: 0, fetch: Some(pipe.limit) }
}
