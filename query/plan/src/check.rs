//! Mistakes that only show when pipes are seen together: a pipe that reads a column which no pipe before it makes.

use lang::{Aggregate, Context, Diagnostic, Function, Group, Pipe, PipeKind, Query, Span, nearest};
use model::field;

use crate::build::buckets_before;
use crate::names::{filter_fields, pattern_matches};

/// The columns at some point of a query; `None` while any field of a record may be there.
type Columns = Option<Vec<String>>;

/// What is wrong with the order of pipes.
pub(crate) fn check(query: &Query) -> Vec<Diagnostic> {
    let mut columns: Columns = None;
    let mut out = Vec::new();
    for (at, pipe) in query.pipes.iter().enumerate() {
        out.extend(misplaced(&pipe.kind, &pipe.span, &query.pipes[..at], query));
        if let Some(known) = &columns {
            for name in reads(&pipe.kind) {
                if !known.iter().any(|column| pattern_matches(&name, column)) {
                    out.push(missing(pipe.span.0.clone(), &name, known));
                }
            }
        }
        columns = after(columns, &pipe.kind);
    }
    out
}

fn missing(span: std::ops::Range<usize>, name: &str, known: &[String]) -> Diagnostic {
    const SHOWN: usize = 12;
    let hint = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => {
            let shown = known.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if known.len() > SHOWN { ", ..." } else { "" };
            format!("the columns are {shown}{more}")
        }
    };
    Diagnostic::error(span, format!("the pipes before this one leave no column `{name}`")).hint(hint)
}

/// The columns that a pipe reads by name.
fn reads(pipe: &PipeKind) -> Vec<String> {
    match pipe {
        PipeKind::Stats(stats) => {
            let by = stats.by.iter().map(|group| group.field().to_owned());
            let fields = stats.aggregates.iter().flat_map(|aggregate| aggregate.fields.iter().cloned());
            let filters = stats.aggregates.iter().filter_map(|aggregate| aggregate.filter.as_ref());
            by.chain(fields).chain(filters.flat_map(|filter| filter_fields(filter).unwrap_or_default())).collect()
        }
        PipeKind::Sort(keys) => keys.iter().map(|key| key.field.clone()).collect(),
        PipeKind::Fields(names) => names.clone(),
        PipeKind::Rename(renames) => {
            let made = |at: usize, from: &String| renames[..at].iter().any(|(_, to)| to == from);
            renames
                .iter()
                .enumerate()
                .filter(|(at, (from, _))| !made(*at, from))
                .map(|(_, (from, _))| from.clone())
                .collect()
        }
        PipeKind::Where(filter) => filter_fields(filter).unwrap_or_default().into_iter().collect(),
        PipeKind::Eval(columns) => {
            let made = |at: usize, name: &String| columns[..at].iter().any(|(made, _)| made == name);
            let fields = |(at, (_, expr)): (usize, &(String, lang::Expr))| {
                expr.fields().into_iter().filter(|name| !made(at, name)).collect::<Vec<_>>()
            };
            columns.iter().enumerate().flat_map(fields).collect()
        }
        PipeKind::Top(top) => top.by.clone(),
        PipeKind::Uniq(uniq) => uniq.by.clone(),
        other => reads_of_stage(other),
    }
}

/// The columns that a pipe reads by name, of pipes that became stages.
fn reads_of_stage(pipe: &PipeKind) -> Vec<String> {
    let own = |on: &[(String, String)]| on.iter().map(|(own, _)| own.clone()).collect::<Vec<_>>();
    match pipe {
        PipeKind::Dedup(dedup) => dedup.by.clone(),
        PipeKind::Bin(bin) => vec![bin.field.clone()],
        PipeKind::Timechart(chart) => chart.by.clone(),
        PipeKind::Parse(pipe) => vec![pipe.from.clone()],
        PipeKind::Replace(pipe) => vec![pipe.field.clone()],
        PipeKind::Unroll(fields) => fields.clone(),
        PipeKind::Join(join) => own(&join.on),
        PipeKind::Lookup(lookup) => own(&lookup.on),
        PipeKind::Patterns(patterns) => patterns.by.iter().cloned().chain([field::BODY.to_owned()]).collect(),
        PipeKind::Facets(facets) => facets.fields.clone(),
        PipeKind::Fill(fill) => fill.fields.clone(),
        _ => Vec::new(),
    }
}

/// A pipe that can not stand where it stands.
fn misplaced(pipe: &PipeKind, span: &Span, before: &[Pipe], query: &Query) -> Option<Diagnostic> {
    let at =
        |message: &str, hint: &str| Some(Diagnostic::error(span.0.clone(), message.to_owned()).hint(hint.to_owned()));
    let only = |allowed: fn(&PipeKind) -> bool| before.iter().all(|pipe| allowed(&pipe.kind));
    let of_table = query.input.table().is_some();
    match pipe {
        PipeKind::Context(_) if !of_table || !only(|kind| matches!(kind, PipeKind::Where(_))) => at(
            "`context` shows the rows of a table around those that match",
            "put it right behind the filter; only `where` may stand between",
        ),
        PipeKind::Diff(_) if !of_table || !only(keeps_each_row) => at(
            "`diff` compares the rows of a table in two windows of time",
            "put it behind the filter; only pipes that work on each row, such as `where`, `parse` and `eval`, may stand between",
        ),
        PipeKind::Fill(_) if buckets_before(before, query).is_none() => at(
            "`fill` needs rows that are grouped by buckets of time",
            "put it behind `stats by (_time:5m) ...`, for example",
        ),
        _ => None,
    }
}

fn keeps_each_row(kind: &PipeKind) -> bool {
    matches!(
        kind,
        PipeKind::Where(_)
            | PipeKind::Eval(_)
            | PipeKind::Parse(_)
            | PipeKind::Replace(_)
            | PipeKind::Format(_)
            | PipeKind::Bin(_)
            | PipeKind::Rename(_)
            | PipeKind::Drop(_)
            | PipeKind::Fields(_)
            | PipeKind::Lookup(_)
    )
}

/// The columns after a pipe.
fn after(columns: Columns, pipe: &PipeKind) -> Columns {
    match pipe {
        PipeKind::Stats(stats) => {
            let by = stats.by.iter().map(Group::field).map(str::to_owned);
            Some(by.chain(stats.aggregates.iter().map(|aggregate| aggregate.name.clone())).collect())
        }
        PipeKind::Top(top) => Some(top.by.iter().chain([&top.hits]).chain(&top.percent).cloned().collect()),
        PipeKind::Uniq(uniq) => Some(uniq.by.iter().chain(&uniq.hits).cloned().collect()),
        PipeKind::Fields(names) => match columns {
            Some(known) => {
                Some(known.into_iter().filter(|c| names.iter().any(|name| pattern_matches(name, c))).collect())
            }
            None if names.iter().any(|name| name.ends_with('*')) => None,
            None => Some(names.clone()),
        },
        PipeKind::Drop(names) => columns.map(|mut known| {
            known.retain(|column| !names.iter().any(|name| pattern_matches(name, column)));
            known
        }),
        PipeKind::Rename(renames) => columns.map(|mut known| {
            for (from, to) in renames {
                known.retain(|column| column != from && column != to);
                known.push(to.clone());
            }
            known
        }),
        PipeKind::Eval(made) => columns.map(|mut known| {
            known.extend(made.iter().map(|(name, _)| name.clone()));
            known
        }),
        other => after_stage(columns, other),
    }
}

/// The columns after a pipe that became a stage, or that keeps columns as they are.
fn after_stage(columns: Columns, pipe: &PipeKind) -> Columns {
    let and = |columns: Columns, name: &str| {
        columns.map(|mut known| {
            known.push(name.to_owned());
            known
        })
    };
    let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    match pipe {
        // What these bring is only known when they run.
        PipeKind::Parse(_) | PipeKind::Join(_) | PipeKind::Union(_) | PipeKind::Lookup(_) => None,
        PipeKind::Format(pipe) => and(columns, &pipe.to),
        PipeKind::Bin(bin) => and(columns, &bin.to),
        PipeKind::Context(_) => and(columns, Context::COLUMN),
        PipeKind::Timechart(chart) => {
            let values = chart.aggregates.iter().map(|aggregate| aggregate.name.clone());
            Some(named(&[field::TIME]).into_iter().chain(chart.by.iter().cloned()).chain(values).collect())
        }
        PipeKind::Patterns(patterns) => {
            let own = ["_pattern", "template", "count", "share", "first_seen", "last_seen", "example"];
            Some(patterns.by.iter().cloned().chain(named(&own)).collect())
        }
        PipeKind::Facets(_) => Some(named(&["field", "value", "hits"])),
        PipeKind::Diff(_) => {
            let own = ["field", "value", "count", "baseline_count", "share", "baseline_share", "change", "score"];
            Some(named(&own))
        }
        PipeKind::Explain => Some(named(&["plan"])),
        _ => columns,
    }
}

/// Whether an aggregate reads whole rows: of some fields it says which.
pub(crate) fn reads_rows(aggregate: &Aggregate) -> bool {
    match aggregate.function {
        Function::RowAny => aggregate.fields.is_empty(),
        Function::RowMin | Function::RowMax => aggregate.fields.len() < 2,
        _ => false,
    }
}

/// Whether a function looks at the time of rows besides its fields.
pub(crate) fn reads_time(function: Function) -> bool {
    matches!(function, Function::First | Function::Last | Function::RowMin | Function::RowMax)
}
