//! A query as canonical text: one spelling for each meaning, which parses back to the same tree.

use std::fmt::Write as _;

use model::TimeRange;

use crate::expr::{column_text, format_expr};
use crate::filter::is_keyword;
use crate::terminals::{is_whole, quote, value_word, word};
use crate::{
    Aggregate, Case, Expr, FieldName, Filter, Function, Group, Pipe, PipeKind, Query, SortKey, Source, Stats,
    StreamMatcher, Test, Top, Uniq,
};

/// The canonical text of a query.
pub fn format(query: &Query) -> String {
    let mut out = String::new();
    if query.source != Source::Logs {
        let _ = write!(out, "from {} ", query.source.as_str());
    }
    out.push_str(&format_filter(&query.filter));
    for pipe in &query.pipes {
        out.push_str(" | ");
        out.push_str(&format_pipe(pipe));
    }
    out
}

/// The canonical text of a filter.
pub fn format_filter(filter: &Filter) -> String {
    match filter {
        Filter::All => "*".to_owned(),
        Filter::Nothing => "!*".to_owned(),
        Filter::And(parts) => joined(parts, " "),
        Filter::Or(parts) => joined(parts, " or "),
        Filter::Not(inner) => format!("!{}", part(inner)),
        Filter::Field(field, test) => field_test(field, test),
        Filter::Stream(matchers) => stream(matchers),
        Filter::Time(range) => time(range),
        Filter::Expr(expr) => format!("expr({})", format_expr(expr)),
    }
}

fn joined(parts: &[Filter], separator: &str) -> String {
    parts.iter().map(part).collect::<Vec<_>>().join(separator)
}

/// A filter as part of another.
fn part(filter: &Filter) -> String {
    match filter {
        Filter::And(_) | Filter::Or(_) => format!("({})", format_filter(filter)),
        other => format_filter(other),
    }
}

fn field_test(field: &FieldName, test: &Test) -> String {
    let value = test_text(test);
    match (field, test) {
        (field, Test::Phrase { text, case: Case::Insensitive, .. }) if *field == FieldName::body() => {
            if value.starts_with('"') || is_bare(text) { value } else { format!("body:{value}") }
        }
        (FieldName::Any, _) => format!("*:{value}"),
        (FieldName::Named(name), _) => format!("{}:{value}", name_text(name)),
    }
}

/// What stands after `field:`.
fn test_text(test: &Test) -> String {
    let star = |prefix: bool| if prefix { "*" } else { "" };
    match test {
        Test::Phrase { text, prefix, case: Case::Insensitive } => format!("{}{}", value(text), star(*prefix)),
        Test::Phrase { text, prefix, case: Case::Sensitive } => format!("c({}{})", quote(text), star(*prefix)),
        Test::Exact { text, prefix, case: Case::Sensitive } => format!("={}{}", value(text), star(*prefix)),
        Test::Exact { text, prefix, case: Case::Insensitive } => format!("i(={}{})", quote(text), star(*prefix)),
        Test::Regex(pattern) => format!("~{}", quote(pattern)),
        Test::Compare(comparison, bound) => format!("{}{}", comparison.as_str(), value(&bound.text)),
        Test::In(values) => format!("in({})", values.iter().map(|text| value(text)).collect::<Vec<_>>().join(", ")),
        Test::Exists => "*".to_owned(),
        Test::Empty => "\"\"".to_owned(),
        Test::Sequence(phrases) => {
            format!("seq({})", phrases.iter().map(|text| value(text)).collect::<Vec<_>>().join(", "))
        }
        Test::Ipv4Range(first, last) => {
            format!("ipv4_range({}, {})", std::net::Ipv4Addr::from(*first), std::net::Ipv4Addr::from(*last))
        }
    }
}

/// Whether a text reads as a bare word where a filter may stand.
fn is_bare(text: &str) -> bool {
    is_whole(word, text) && !is_keyword(text) && !text.eq_ignore_ascii_case("from")
}

/// A text as a word where only a value can stand, or quoted.
fn value(text: &str) -> String {
    let plain = is_whole(value_word, text) && !is_keyword(text);
    if plain { text.to_owned() } else { quote(text) }
}

/// A field's name where a filter may stand.
fn name_text(name: &str) -> String {
    if is_bare(name) { name.to_owned() } else { quote(name) }
}

/// A name in a list of names.
fn list_name(name: &str) -> String {
    let keywords = ["as", "asc", "by", "desc", "if", "limit", "offset", "with", "hits"];
    if is_bare(name) && !keywords.contains(&name.to_ascii_lowercase().as_str()) { name.to_owned() } else { quote(name) }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| list_name(name)).collect::<Vec<_>>().join(", ")
}

/// Names of which some end in `*`.
fn patterns(names: &[String]) -> String {
    let one = |name: &String| match name.strip_suffix('*') {
        Some("") => "*".to_owned(),
        Some(prefix) => format!("{}*", list_name(prefix)),
        None => list_name(name),
    };
    names.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn stream(matchers: &[StreamMatcher]) -> String {
    let one = |m: &StreamMatcher| format!("{}{}{}", list_name(&m.name), m.op.as_str(), quote(&m.value));
    format!("{{{}}}", matchers.iter().map(one).collect::<Vec<_>>().join(","))
}

fn time(range: &TimeRange) -> String {
    let ns = |t: model::Timestamp| quote(&t.to_string());
    match (range.start == TimeRange::ALL.start, range.end == TimeRange::ALL.end) {
        (true, true) => "_time:*".to_owned(),
        (true, false) => format!("_time:<{}", ns(range.end)),
        (false, true) => format!("_time:>={}", ns(range.start)),
        (false, false) => format!("_time:[{}, {})", ns(range.start), ns(range.end)),
    }
}

/// The canonical text of a pipe.
pub fn format_pipe(pipe: &Pipe) -> String {
    match &pipe.kind {
        PipeKind::Stats(pipe) => stats(pipe),
        PipeKind::Sort(keys) => format!("sort by ({})", keys.iter().map(sort_key).collect::<Vec<_>>().join(", ")),
        PipeKind::Limit(n) => format!("limit {n}"),
        PipeKind::Offset(n) => format!("offset {n}"),
        PipeKind::Fields(names) => format!("fields {}", patterns(names)),
        PipeKind::Drop(names) => format!("drop {}", patterns(names)),
        PipeKind::Rename(renames) => {
            let one = |(from, to): &(String, String)| format!("{} as {}", list_name(from), list_name(to));
            format!("rename {}", renames.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        PipeKind::Where(filter) => format!("where {}", format_filter(filter)),
        PipeKind::Eval(columns) => {
            let one = |(name, value): &(String, Expr)| format!("{} = {}", column_text(name), format_expr(value));
            format!("eval {}", columns.iter().map(one).collect::<Vec<_>>().join(", "))
        }
        PipeKind::Top(Top { limit, by, rare, hits }) => {
            let name = if *rare { "rare" } else { "top" };
            format!("{name} {limit} by ({}) as {}", list(by), name_text(hits))
        }
        PipeKind::Uniq(Uniq { by, hits }) => {
            format!("uniq by ({}){}", list(by), if hits.is_some() { " with hits" } else { "" })
        }
    }
}

fn stats(stats: &Stats) -> String {
    let mut out = String::from("stats ");
    if !stats.by.is_empty() {
        let _ = write!(out, "by ({}) ", stats.by.iter().map(format_group).collect::<Vec<_>>().join(", "));
    }
    let one = |aggregate: &Aggregate| format!("{} as {}", aggregate_call(aggregate), name_text(&aggregate.name));
    out.push_str(&stats.aggregates.iter().map(one).collect::<Vec<_>>().join(", "));
    out
}

/// The canonical text of a key of `by`.
pub fn format_group(group: &Group) -> String {
    match group {
        Group::Field(name) => list_name(name),
        Group::TimeBucket { field, step_ns } => format!("{}:{}", list_name(field), duration(*step_ns)),
    }
}

/// A duration in the largest unit that divides it.
fn duration(ns: i64) -> String {
    let units = [
        ("d", 86_400_000_000_000),
        ("h", 3_600_000_000_000),
        ("m", 60_000_000_000),
        ("s", 1_000_000_000),
        ("ms", 1_000_000),
        ("us", 1_000),
    ];
    match units.into_iter().find(|(_, unit)| ns % unit == 0) {
        Some((name, unit)) => format!("{}{name}", ns / unit),
        None => format!("{ns}ns"),
    }
}

/// The canonical text of a call, without its name: what a column without a name is called.
pub fn aggregate_call(aggregate: &Aggregate) -> String {
    let mut arguments: Vec<String> = aggregate.fields.iter().map(|name| list_name(name)).collect();
    if let Function::Quantile(share) = aggregate.function {
        arguments.insert(0, share.to_string());
    }
    if arguments.is_empty() && aggregate.function == Function::Count {
        arguments.push("*".to_owned());
    }
    let mut out = format!("{}({})", aggregate.function.as_str(), arguments.join(", "));
    if let Some(filter) = &aggregate.filter {
        let _ = write!(out, " if ({})", format_filter(filter));
    }
    out
}

fn sort_key(key: &SortKey) -> String {
    format!("{}{}", list_name(&key.field), if key.descending { " desc" } else { "" })
}
