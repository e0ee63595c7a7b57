//! A plan as text, for people and for tests: an operator a line, its input indented below it.

use std::fmt::Write as _;

use lang::{Input, Pipe, PipeKind, Span, Stats, aggregate_call, format_expr, format_filter, format_group, format_pipe};
use model::TimeRange;

use crate::{LogicalPlan, Scan, ScanOrder, Stage};

/// The plan as an indented tree.
pub fn explain(plan: &LogicalPlan) -> String {
    let mut out = String::new();
    lines(plan, 0, &mut out);
    out
}

fn lines(plan: &LogicalPlan, mut depth: usize, out: &mut String) {
    let mut next = Some(plan);
    while let Some(at) = next {
        let _ = writeln!(out, "{}{}", "  ".repeat(depth), operator(at));
        depth += 1;
        if let LogicalPlan::Stage { stage, .. } = at
            && let Some(other) = stage.other()
        {
            lines(other, depth, out);
        }
        next = at.input();
    }
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
        LogicalPlan::Stage { stage, .. } => stage_line(stage),
    }
}

/// A stage and what it is told, as its pipe writes it.
fn stage_line(stage: &Stage) -> String {
    let pipe = |kind: PipeKind| format_pipe(&Pipe { kind, span: Span::default() });
    let told = match stage {
        Stage::Parse(pipe_of) => pipe(PipeKind::Parse(pipe_of.clone())),
        Stage::Replace(pipe_of) => pipe(PipeKind::Replace(pipe_of.clone())),
        Stage::Format(pipe_of) => pipe(PipeKind::Format(pipe_of.clone())),
        Stage::Unroll(fields) => pipe(PipeKind::Unroll(fields.clone())),
        Stage::Bin(bin) => pipe(PipeKind::Bin(bin.clone())),
        Stage::Dedup(dedup) => pipe(PipeKind::Dedup(dedup.clone())),
        Stage::Sample(sample) => pipe(PipeKind::Sample(*sample)),
        Stage::Join(join, _) => {
            let keys: Vec<String> = join.on.iter().map(|(own, other)| format!("{own} = {other}")).collect();
            let within = join.within.map_or(String::new(), |within| format!(" within {} ns", within.ns));
            return format!("Join on=[{}]{within}", keys.join(", "));
        }
        Stage::Union(_) => return "Union".to_owned(),
        Stage::Lookup(lookup) => pipe(PipeKind::Lookup(lookup.clone())),
        Stage::Context(context) => pipe(PipeKind::Context(*context)),
        Stage::Patterns(patterns) => pipe(PipeKind::Patterns(patterns.clone())),
        Stage::Facets(facets) => pipe(PipeKind::Facets(facets.clone())),
        Stage::Diff(diff, _) => pipe(PipeKind::Diff(diff.clone())),
        Stage::Group(by, aggregates) => pipe(PipeKind::Stats(Stats { by: by.clone(), aggregates: aggregates.clone() })),
        Stage::Timechart(chart) => pipe(PipeKind::Timechart(chart.clone())),
        Stage::Fill(fill, _) => pipe(PipeKind::Fill(fill.clone())),
        Stage::PatternId => return "PatternId".to_owned(),
        Stage::Percent { of, to } => format!("percent of {of} as {to}"),
    };
    format!("{} [{told}]", stage.as_str())
}

fn fetch_text(fetch: Option<u64>) -> String {
    fetch.map_or(String::new(), |rows| format!(" fetch={rows}"))
}

fn scan_line(scan: &Scan) -> String {
    let mut out = match &scan.input {
        Input::Table(table) => format!("Scan {}", table.as_str()),
        Input::Promql(promql) => format!("Scan promql {:?}", promql.text),
    };
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
