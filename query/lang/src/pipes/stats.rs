//! `stats by (f, _time:1h) count() as n, sum(x) if (filter) as total`: one row for each group.
//!
//! `by` may be left out before the parentheses, or stand after the functions. A function without a name is named by its
//! canonical text, as in LogsQL: `count(*)`, `quantile(0.5, x)`, `count(*) if (error)`.

use std::ops::Range;

use model::{field, parse_duration_ns};

use crate::format as text;
use crate::highlight::TokenKind;
use crate::parser::{Parser, shorten};
use crate::suggest::nearest;
use crate::terminals;
use crate::{Aggregate, Bucket, Diagnostic, Function, Group, PipeKind, Stats};

/// The functions there are.
pub(crate) const FUNCTIONS: [&str; 14] = [
    "count",
    "count_distinct",
    "sum",
    "avg",
    "min",
    "max",
    "quantile",
    "median",
    "stddev",
    "rate",
    "first",
    "last",
    "values",
    "any",
];

/// Functions that the language or LogsQL has names for and that are not built yet.
const FUNCTIONS_NOT_YET: [&str; 7] =
    ["histogram", "rate_sum", "row_max", "row_min", "sum_len", "count_empty", "json_values"];

const HINT: &str = "for example stats by (service.name) count() as n";

pub(super) fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let mut by = None;
    if p.eat_keyword("by").is_some() || p.peek() == Some('(') {
        by = Some(groups(p)?);
    }
    let aggregates = p.list("a function", HINT, aggregate)?;
    if let Some(keyword) = p.eat_keyword("by") {
        let late = groups(p)?;
        if by.is_some() {
            p.report(Diagnostic::error(keyword, "`by` is given twice").hint("put all keys into one `by (...)`"));
        }
        by.get_or_insert(late);
    }
    let by = by.unwrap_or_default();
    check_names(p, &by, &aggregates);
    let aggregates = aggregates.into_iter().map(|(aggregate, _)| aggregate).collect();
    Some(vec![PipeKind::Stats(Stats { by, aggregates })])
}

/// Two columns of one name would hide each other.
fn check_names(p: &mut Parser<'_>, by: &[Group], aggregates: &[(Aggregate, Range<usize>)]) {
    let mut seen: Vec<&str> = by.iter().map(Group::field).collect();
    for (aggregate, span) in aggregates {
        if seen.contains(&aggregate.name.as_str()) {
            let message = format!("two columns of this `stats` are called `{}`", shorten(&aggregate.name));
            p.report(Diagnostic::error(span.clone(), message).hint("give one another name with `as`"));
        }
        seen.push(&aggregate.name);
    }
}

fn groups(p: &mut Parser<'_>) -> Option<Vec<Group>> {
    if p.peek() == Some('(') {
        return p.parenthesised("a field", HINT, group);
    }
    group(p).map(|group| vec![group]).or_else(|| {
        p.expected("`(` and the fields to group by", HINT);
        None
    })
}

/// `field` or `_time:5m`.
fn group(p: &mut Parser<'_>) -> Option<Group> {
    let (name, span) = p.name()?;
    if p.eat_here(":").is_none() {
        return Some(Group::Field(name));
    }
    p.skip_space();
    let step = p.take_here(TokenKind::Number, terminals::time_word);
    let Some((text, step_span)) = step else {
        p.expected("the width of a bucket", "for example _time:5m");
        return None;
    };
    if name != field::TIME {
        let message = format!("buckets of `{}` are not available yet", shorten(&name));
        p.report(
            Diagnostic::error(span.start..step_span.end, message).hint("only _time can be put in buckets: _time:5m"),
        );
        return Some(Group::Field(name));
    }
    let Some(step_ns) = step_ns(text) else {
        let message = format!("cannot read `{}` as the width of a bucket", shorten(text));
        p.report(Diagnostic::error(step_span, message).hint("for example _time:5m or _time:1h"));
        return Some(Group::Field(name));
    };
    Some(Group::Bucket { field: name, bucket: Bucket::Time { step_ns, offset_ns: 0 } })
}

fn step_ns(text: &str) -> Option<i64> {
    let text = match text {
        "second" => "1s",
        "minute" => "1m",
        "hour" => "1h",
        "day" => "1d",
        "week" => "1w",
        other => other,
    };
    parse_duration_ns(text).filter(|ns| *ns > 0)
}

/// `fn(...) if (filter) as name`.
fn aggregate(p: &mut Parser<'_>) -> Option<(Aggregate, Range<usize>)> {
    let (word, span) = p.take(TokenKind::Function, terminals::expr_name)?;
    let Some(mut function) = find(p, word, &span) else {
        let _ = p.parenthesised("a field", HINT, argument);
        skip_tail(p);
        return None;
    };
    let arguments = p.parenthesised("a field", HINT, argument)?;
    let arguments: Vec<_> = arguments.into_iter().filter(|(name, _)| name != "*").collect();
    let call = span.start..p.at;
    let fields = arity(p, &mut function, arguments, &call)?;
    let filter = match p.eat_keyword("if") {
        Some(_) => Some(condition(p)?),
        None => None,
    };
    let mut out = Aggregate { function, fields, filter, name: String::new() };
    out.name = match name(p)? {
        Some(name) => name,
        None => text::aggregate_call(&out),
    };
    Some((out, call))
}

/// The name after a call, with or without `as`.
#[expect(clippy::option_option, reason = "no name given and a name that cannot be read are different things")]
fn name(p: &mut Parser<'_>) -> Option<Option<String>> {
    if p.eat_keyword("as").is_some() {
        return match p.name() {
            Some((name, _)) => Some(Some(name)),
            None => {
                p.expected("a name", HINT);
                None
            }
        };
    }
    let is_name = p.peek_word().is_some_and(|word| !word.eq_ignore_ascii_case("by"));
    if is_name || p.peek().is_some_and(|c| "\"'`".contains(c)) {
        return Some(p.name().map(|(name, _)| name));
    }
    Some(None)
}

/// `(filter)` after `if`.
fn condition(p: &mut Parser<'_>) -> Option<crate::Filter> {
    if p.peek() != Some('(') {
        p.expected("`(` and a filter", "for example count() if (severity:ERROR) as errors");
        return None;
    }
    let outer = std::mem::replace(&mut p.over_columns, true);
    let filter = crate::filter::group(p);
    p.over_columns = outer;
    filter
}

/// A field, or the number of `quantile`.
fn argument(p: &mut Parser<'_>) -> Option<(String, Range<usize>)> {
    match p.eat("*") {
        Some(span) => Some(("*".to_owned(), span)),
        None => p.name(),
    }
}

/// After a function that is not known: what belongs to it, so that one flaw gives one diagnostic.
fn skip_tail(p: &mut Parser<'_>) {
    p.skip_to_pipe();
}

fn find(p: &mut Parser<'_>, word: &str, span: &Range<usize>) -> Option<Function> {
    let function = match word.to_ascii_lowercase().as_str() {
        "count" => Function::Count,
        "count_distinct" | "count_uniq" | "count_uniq_hash" | "distinct" => Function::CountDistinct,
        "sum" => Function::Sum,
        "avg" | "mean" => Function::Avg,
        "min" => Function::Min,
        "max" => Function::Max,
        "quantile" => Function::Quantile(f64::NAN),
        "median" => Function::Median,
        "stddev" => Function::Stddev,
        "rate" => Function::Rate,
        "first" => Function::First,
        "last" => Function::Last,
        "values" | "uniq_values" => Function::Values,
        "any" | "row_any" => Function::Any,
        _ => {
            unknown(p, word, span);
            return None;
        }
    };
    Some(function)
}

fn unknown(p: &mut Parser<'_>, word: &str, span: &Range<usize>) {
    p.retag(TokenKind::Error);
    let name = shorten(word);
    let available = format!("available are {}", FUNCTIONS.join(", "));
    let diagnostic = if FUNCTIONS_NOT_YET.contains(&word) {
        Diagnostic::error(span.clone(), format!("`{name}()` is not available yet")).hint(available)
    } else {
        let hint = nearest(word, FUNCTIONS).map_or(available, |near| format!("did you mean `{near}`?"));
        Diagnostic::error(span.clone(), format!("unknown function `{name}`")).hint(hint)
    };
    p.report(diagnostic);
}

/// Checks how many fields a function takes, and reads the share of `quantile`.
fn arity(
    p: &mut Parser<'_>,
    function: &mut Function,
    mut arguments: Vec<(String, Range<usize>)>,
    call: &Range<usize>,
) -> Option<Vec<String>> {
    if let Function::Quantile(share) = function {
        let first = (!arguments.is_empty()).then(|| arguments.remove(0));
        let number = first.as_ref().and_then(|(text, _)| text.parse().ok()).filter(|n| (0.0..=1.0).contains(n));
        let Some(number) = number else {
            let span = first.map_or(call.clone(), |(_, span)| span);
            let message = "`quantile` needs a number from 0 to 1 first";
            p.report(Diagnostic::error(span, message).hint("for example quantile(0.99, duration_ms)"));
            return None;
        };
        *share = number;
    }
    let function = *function;
    let name = function.as_str();
    let wanted = match function {
        Function::Count => 0..=usize::MAX,
        Function::CountDistinct => 1..=usize::MAX,
        Function::Rate => 0..=0,
        _ => 1..=1,
    };
    if !wanted.contains(&arguments.len()) {
        let message = match (arguments.len(), function) {
            (_, Function::Rate) => "`rate` counts rows and takes no field".to_owned(),
            (0, _) => format!("`{name}` needs a field"),
            (n, _) => format!("`{name}` takes one field, not {n}"),
        };
        let hint = match function {
            Function::Rate => "write rate(), with `if (filter)` to count some rows only".to_owned(),
            Function::Quantile(_) => "for example quantile(0.99, duration_ms)".to_owned(),
            _ => format!("for example {name}(duration_ms)"),
        };
        p.report(Diagnostic::error(call.clone(), message).hint(hint));
        return None;
    }
    Some(arguments.into_iter().map(|(field, _)| field).collect())
}

/// The canonical text.
pub(super) fn print(stats: &Stats) -> String {
    let aggregates = print_aggregates(&stats.aggregates);
    match stats.by[..] {
        [] => format!("stats {aggregates}"),
        _ => format!(
            "stats by ({}) {aggregates}",
            stats.by.iter().map(text::format_group).collect::<Vec<_>>().join(", ")
        ),
    }
}

/// Functions with their names.
pub(super) fn print_aggregates(aggregates: &[Aggregate]) -> String {
    let one =
        |aggregate: &Aggregate| format!("{} as {}", text::aggregate_call(aggregate), text::name_text(&aggregate.name));
    aggregates.iter().map(one).collect::<Vec<_>>().join(", ")
}
