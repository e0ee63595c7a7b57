//! Mistakes that only show when pipes are seen together: a pipe that reads a column which no pipe before it makes.

use lang::{Diagnostic, Function, Group, PipeKind, Query, nearest};

use crate::names::{expr_fields, filter_fields, pattern_matches};

/// The columns at some point of a query; `None` while any field of a record may be there.
type Columns = Option<Vec<String>>;

/// What is wrong with the order of pipes.
pub(crate) fn check(query: &Query) -> Vec<Diagnostic> {
    let mut columns: Columns = None;
    let mut out = Vec::new();
    for pipe in &query.pipes {
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
                expr_fields(expr).into_iter().filter(|name| !made(at, name)).collect::<Vec<_>>()
            };
            columns.iter().enumerate().flat_map(fields).collect()
        }
        PipeKind::Top(top) => top.by.clone(),
        PipeKind::Uniq(uniq) => uniq.by.clone(),
        PipeKind::Limit(_) | PipeKind::Offset(_) | PipeKind::Drop(_) => Vec::new(),
    }
}

/// The columns after a pipe.
fn after(columns: Columns, pipe: &PipeKind) -> Columns {
    match pipe {
        PipeKind::Stats(stats) => {
            let by = stats.by.iter().map(Group::field).map(str::to_owned);
            Some(by.chain(stats.aggregates.iter().map(|aggregate| aggregate.name.clone())).collect())
        }
        PipeKind::Top(top) => Some(top.by.iter().chain([&top.hits]).cloned().collect()),
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
        PipeKind::Sort(_) | PipeKind::Limit(_) | PipeKind::Offset(_) | PipeKind::Where(_) => columns,
    }
}

/// Whether a function looks at the time of rows besides its fields.
pub(crate) fn reads_time(function: Function) -> bool {
    matches!(function, Function::First | Function::Last)
}
