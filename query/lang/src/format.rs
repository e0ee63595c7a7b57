//! A query as canonical text: one spelling for each meaning, which parses back to the same tree.

use std::fmt::Write as _;

use model::TimeRange;

use crate::expr::format_expr;
use crate::filter::{fuzzy_parts, is_keyword};
use crate::terminals::{is_whole, quote, value_word, word};
use crate::{
    Aggregate, Bucket, Case, Comparison, DayRange, FieldName, Filter, Function, Group, HISTOGRAM_BUCKETS_DEFAULT,
    Input, Pipe, Query, SortKey, Source, StreamMatcher, Test, WeekRange, WildPart,
};

/// The canonical text of a query.
pub fn format(query: &Query) -> String {
    let mut out = String::new();
    match &query.input {
        Input::Table(Source::Logs) => {}
        Input::Table(source) => {
            let _ = write!(out, "from {} ", source.as_str());
        }
        Input::Promql(promql) => {
            let step = promql.step_ns.map_or(String::new(), |ns| format!(", step {}", duration(ns)));
            let _ = write!(out, "from promql({}{step}) ", quote(&promql.text));
        }
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
        Filter::DayRange(range) => day_range(range),
        Filter::WeekRange(range) => week_range(range),
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
        (field, test) if *field == FieldName::body() && is_bare_test(test, &value) => value,
        (FieldName::Any, _) => format!("*:{value}"),
        (FieldName::Named(name), _) => format!("{}:{value}", name_text(name)),
    }
}

/// Whether a test of `body` reads as one without the field before it.
fn is_bare_test(test: &Test, value: &str) -> bool {
    match test {
        Test::Phrase { text, case: Case::Insensitive, .. } => value.starts_with('"') || is_bare(text),
        Test::Suffix { text, case: Case::Insensitive } | Test::Substring { text, case: Case::Insensitive } => {
            value.starts_with("*\"") || is_bare(text)
        }
        Test::Fuzzy { word, .. } => is_bare(word),
        _ => false,
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
        Test::Suffix { text, case: Case::Insensitive } => format!("*{}", value(text)),
        Test::Suffix { text, case: Case::Sensitive } => format!("c(*{})", quote(text)),
        Test::Substring { text, case: Case::Insensitive } => format!("*{}*", value(text)),
        Test::Substring { text, case: Case::Sensitive } => format!("c(*{}*)", quote(text)),
        Test::Wildcard { parts, case: Case::Insensitive } => format!("wild({})", quote(&wildcard(parts))),
        Test::Wildcard { parts, case: Case::Sensitive } => format!("c(wild({}))", quote(&wildcard(parts))),
        Test::Fuzzy { word, edits } => format!("{word}~{edits}"),
        Test::Regex(pattern) => format!("~{}", quote(pattern)),
        Test::Compare(comparison, bound) => format!("{}{}", comparison.as_str(), value(&bound.text)),
        Test::In(values) => format!("in({})", values_list(values)),
        Test::InQuery(query) => format!("in({})", format_subquery(query)),
        Test::ContainsAny(phrases) => format!("contains_any({})", values_list(phrases)),
        Test::ContainsAll(phrases) => format!("contains_all({})", values_list(phrases)),
        Test::Exists => "*".to_owned(),
        Test::Empty => "\"\"".to_owned(),
        Test::Sequence(phrases) => format!("seq({})", values_list(phrases)),
        Test::Ipv4Range(first, last) => {
            format!("ipv4_range({}, {})", std::net::Ipv4Addr::from(*first), std::net::Ipv4Addr::from(*last))
        }
        Test::Ipv6Range(first, last) => {
            let (first, last) = (std::net::Ipv6Addr::from(*first), std::net::Ipv6Addr::from(*last));
            format!("ipv6_range(\"{first}\", \"{last}\")")
        }
        Test::LenRange(first, u64::MAX) => format!("len_range({first}, inf)"),
        Test::LenRange(first, last) => format!("len_range({first}, {last})"),
        Test::StringRange(first, end) => format!("string_range({}, {})", value(first), value(end)),
        Test::EqualsField(name) => format!("eq_field({})", list_name(name)),
        Test::CompareField(comparison, name) => {
            let function = match comparison {
                Comparison::Greater => "gt_field",
                Comparison::GreaterOrEqual => "ge_field",
                Comparison::Less => "lt_field",
                Comparison::LessOrEqual => "le_field",
            };
            format!("{function}({})", list_name(name))
        }
    }
}

fn values_list(values: &[String]) -> String {
    values.iter().map(|text| value(text)).collect::<Vec<_>>().join(", ")
}

/// A query in parentheses: `from` is always written, which tells it from a list of values.
pub(crate) fn format_subquery(query: &Query) -> String {
    match query.input {
        Input::Table(Source::Logs) => format!("from logs {}", format(query)),
        _ => format(query),
    }
}

/// The text of a pattern with wildcards: `*` and `?`, and a backslash before those that are meant.
fn wildcard(parts: &[WildPart]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            WildPart::Run => out.push('*'),
            WildPart::One => out.push('?'),
            WildPart::Text(text) => {
                for c in text.chars() {
                    if "*?\\".contains(c) {
                        out.push('\\');
                    }
                    out.push(c);
                }
            }
        }
    }
    out
}

/// ` if (filter)`, or nothing.
pub(crate) fn condition(filter: Option<&Filter>) -> String {
    filter.map_or(String::new(), |filter| format!(" if ({})", format_filter(filter)))
}

fn zone(offset_ns: i64) -> String {
    match offset_ns {
        0 => String::new(),
        ns if ns < 0 => format!(" offset -{}", duration(-ns)),
        ns => format!(" offset {}", duration(ns)),
    }
}

fn day_range(range: &DayRange) -> String {
    let clock = |ns: i64| {
        let (seconds, rest) = (ns / 1_000_000_000, ns % 1_000_000_000);
        let mut out = format!("{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
        if seconds % 60 != 0 || rest != 0 {
            let _ = write!(out, ":{:02}", seconds % 60);
        }
        if rest != 0 {
            out.push_str(format!(".{rest:09}").trim_end_matches('0'));
        }
        out
    };
    format!("_time:day_range[{}, {}){}", clock(range.start_ns), clock(range.end_ns), zone(range.offset_ns))
}

fn week_range(range: &WeekRange) -> String {
    let day = |day: u8| WeekRange::DAYS[usize::from(day) % 7];
    format!("_time:week_range[{}, {}]{}", day(range.first), day(range.last), zone(range.offset_ns))
}

/// Whether a text reads as a bare word where a filter may stand: not so a `#`, which starts a comment, and `_msg`, which is
/// another name of `body` unless it is quoted.
fn is_bare(text: &str) -> bool {
    is_whole(word, text) && !is_keyword(text) && !["#", "_msg"].contains(&text) && !text.eq_ignore_ascii_case("from")
}

/// A text as a word where only a value can stand, or quoted.
pub(crate) fn value(text: &str) -> String {
    let plain = is_whole(value_word, text) && !is_keyword(text) && fuzzy_parts(text).is_none() && text != "#";
    if plain { text.to_owned() } else { quote(text) }
}

/// A field's name where a filter may stand, in quotes when it needs them.
pub fn name_text(name: &str) -> String {
    if is_bare(name) { name.to_owned() } else { quote(name) }
}

/// Words that have a meaning behind a name or in its place.
const LIST_KEYWORDS: [&str; 24] = [
    "after", "ago", "as", "asc", "at", "auto", "before", "by", "desc", "hits", "if", "inner", "keep", "left", "limit",
    "offset", "on", "output", "percent", "prefix", "previous", "step", "with", "within",
];

/// A name in a list of names.
pub(crate) fn list_name(name: &str) -> String {
    if is_bare(name) && !LIST_KEYWORDS.contains(&name.to_ascii_lowercase().as_str()) {
        name.to_owned()
    } else {
        quote(name)
    }
}

pub(crate) fn list(names: &[String]) -> String {
    names.iter().map(|name| list_name(name)).collect::<Vec<_>>().join(", ")
}

/// Names of which some end in `*`.
pub(crate) fn patterns(names: &[String]) -> String {
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
    crate::pipes::print(&pipe.kind)
}

/// The canonical text of a key of `by`.
pub fn format_group(group: &Group) -> String {
    match group {
        Group::Field(name) => list_name(name),
        Group::Bucket { field, bucket } => format!("{}:{}", list_name(field), bucket_text(bucket)),
    }
}

/// Buckets as they stand behind `_time:`.
pub(crate) fn bucket_text(bucket: &Bucket) -> String {
    match bucket {
        Bucket::Time { step_ns, offset_ns: 0 } => duration(*step_ns),
        Bucket::Time { step_ns, offset_ns } => format!("{} offset {}", duration(*step_ns), duration(*offset_ns)),
        Bucket::AutoTime => "auto".to_owned(),
        Bucket::Number { width } => width.to_string(),
    }
}

/// A duration in the largest unit that divides it.
pub(crate) fn duration(ns: i64) -> String {
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
    match aggregate.function {
        Function::Quantile(share) => arguments.insert(0, share.to_string()),
        Function::Histogram(buckets) if buckets != HISTOGRAM_BUCKETS_DEFAULT => arguments.push(buckets.to_string()),
        _ => {}
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

pub(crate) fn sort_key(key: &SortKey) -> String {
    format!("{}{}", list_name(&key.field), if key.descending { " desc" } else { "" })
}
