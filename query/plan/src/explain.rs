//! A plan as text, for people and for tests: an operator a line, its input indented below it.

use std::fmt::Write as _;

use lang::{aggregate_call, format_expr, format_filter, format_group};
use model::TimeRange;

use crate::{LogicalPlan, Scan, ScanOrder};

/// The plan as an indented tree.
pub fn explain(plan: &LogicalPlan) -> String {
    let mut out = String::new();
    let mut next = Some(plan);
    let mut depth = 0;
    while let Some(at) = next {
        let _ = writeln!(out, "{}{}", "  ".repeat(depth), operator(at));
        next = at.input();
        depth += 1;
    }
    out
}

fn operator(plan: &LogicalPlan) -> String {
    match plan {
        LogicalPlan::Scan(scan) => scan_line(scan),
        LogicalPlan::Filter { predicate, .. } => format!("Filter {}", format_filter(predicate)),
        LogicalPlan::Aggregate { by, aggregates, .. } => {
            let by: Vec<String> = by.iter().map(format_group).collect();
            let values: Vec<String> = aggregates
                .iter()
                .map(|aggregate| format!("{} as {}", aggregate_call(aggregate), aggregate.name))
                .collect();
            format!("Aggregate by=[{}] [{}]", by.join(", "), values.join(", "))
        }
        LogicalPlan::Sort { keys, fetch, .. } => {
            let one = |key: &lang::SortKey| format!("{}{}", key.field, if key.descending { " desc" } else { "" });
            format!("Sort [{}]{}", keys.iter().map(one).collect::<Vec<_>>().join(", "), fetch_text(*fetch))
        }
        LogicalPlan::Limit { offset, fetch, .. } => format!("Limit offset={offset}{}", fetch_text(*fetch)),
        LogicalPlan::Project { fields, .. } => format!("Project [{}]", fields.join(", ")),
        LogicalPlan::Drop { fields, .. } => format!("Drop [{}]", fields.join(", ")),
        LogicalPlan::Rename { renames, .. } => {
            let one = |(from, to): &(String, String)| format!("{from} as {to}");
            format!("Rename [{}]", renames.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        LogicalPlan::Eval { columns, .. } => {
            let one = |(name, expr): &(String, lang::Expr)| format!("{name} = {}", format_expr(expr));
            format!("Eval [{}]", columns.iter().map(one).collect::<Vec<_>>().join(", "))
        }
    }
}

fn fetch_text(fetch: Option<u64>) -> String {
    fetch.map_or(String::new(), |rows| format!(" fetch={rows}"))
}

fn scan_line(scan: &Scan) -> String {
    let mut out = format!("Scan {}", scan.source.as_str());
    if scan.range != TimeRange::ALL {
        let _ = write!(out, " range={}", range_text(&scan.range));
    }
    let _ = write!(out, " filter={}", format_filter(&scan.filter));
    let _ = match &scan.fields {
        None => write!(out, " fields=all"),
        Some(fields) => write!(out, " fields=[{}]", fields.join(", ")),
    };
    let _ = match scan.order {
        None => Ok(()),
        Some(ScanOrder::NewestFirst) => write!(out, " order=newest"),
        Some(ScanOrder::OldestFirst) => write!(out, " order=oldest"),
    };
    out + &fetch_text(scan.fetch)
}

fn range_text(range: &TimeRange) -> String {
    let start = if range.start == TimeRange::ALL.start { String::new() } else { range.start.to_string() };
    let end = if range.end == TimeRange::ALL.end { String::new() } else { range.end.to_string() };
    format!("{start}..{end}")
}
