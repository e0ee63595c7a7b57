//! `stats by (f, _time:1h) count() as n, sum(x) if (filter) as total`: one row for each group.
//!
//! `by` may be left out before the parentheses, or stand after the functions. A function without a name is named by its
//! canonical text, as in LogsQL: `count(*)`, `quantile(0.5, x)`, `count(*) if (error)`.

mod arguments;
mod functions;

use std::ops::Range;

use super::{PipeSpec, bin, condition};
use crate::complete::{At, Offer};
use crate::format as text;
use crate::highlight::TokenKind;
use crate::parser::{Parser, shorten};
use crate::suggest::nearest;
use crate::terminals;
use crate::{Aggregate, Diagnostic, Group, PipeKind, Stats};

pub(crate) use functions::{AGGREGATES, find};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["stats"],
    alias_of: None,
    syntax: "stats [by (a, _time:5m, bytes:100)] fn(...) [if (filter)] [as name], ...",
    summary: "a row for each group, with counts and other values",
    doc: "Groups rows by the text of fields, where a missing one counts as empty, and by buckets of time and of numbers; without \
          `by` there is exactly one row. `if (filter)` lets a function see some rows only. A value without a name is called \
          as it is written: `count(*)`. Rows come in no order: `sort` behind it.",
    examples: &[
        "error | stats by (service.name, _time:5m) count() as n",
        "* | stats count() as n, count() if (severity:ERROR) as errors, count_distinct(user.id) as users",
        "* | stats by (_time:auto) rate() as lines_per_second | sort by (_time)",
    ],
    parse,
    complete,
};

const HINT: &str = "for example stats by (service.name) count() as n";

fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    let mut by = None;
    if p.eat_keyword("by").is_some() || p.peek() == Some('(') {
        by = Some(groups(p)?);
    }
    if let Some(again) = p.eat_keyword("by") {
        p.report(Diagnostic::error(again, "`by` is given twice").hint("put all keys into one `by (...)`"));
        return None;
    }
    let aggregates = aggregates(p, HINT)?;
    if let Some(keyword) = p.eat_keyword("having") {
        let hint = "write a pipe behind it: | where n > 5";
        p.report(Diagnostic::error(keyword, "`having` is not known here").hint(hint));
        p.skip_to_pipe();
    }
    if p.eat_keyword("group").is_some() && !p.peek_word().is_some_and(|word| word.eq_ignore_ascii_case("by")) {
        p.expected("`by`", HINT);
        p.skip_to_pipe();
    }
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

/// What completes the functions of `stats` and `timechart`, their fields and names.
pub(super) fn complete(at: &At<'_>) -> Offer {
    match at.last() {
        _ if at.inside_call("if") => at.filter(),
        _ if at.inside() => Offer::fields(),
        "by" | "as" => Offer::nothing(),
        "" => Offer::keywords(&["by"]).and(offer()),
        ")" if at.has_call() => Offer::keywords(&["as", "if", "by"]),
        _ => offer(),
    }
}

/// The functions.
pub(super) fn offer() -> Offer {
    Offer::functions(AGGREGATES.iter().map(|spec| (spec.names[0], spec.syntax)))
}

/// Takes functions between commas.
pub(super) fn aggregates(p: &mut Parser<'_>, hint: &str) -> Option<Vec<(Aggregate, Range<usize>)>> {
    p.list("a function", hint, aggregate)
}

/// Two columns of one name would hide each other.
pub(super) fn check_names(p: &mut Parser<'_>, by: &[Group], aggregates: &[(Aggregate, Range<usize>)]) {
    let mut seen: Vec<&str> = by.iter().map(Group::field).collect();
    for (aggregate, span) in aggregates {
        if seen.contains(&aggregate.name.as_str()) {
            let message = format!("two columns are called `{}`", shorten(&aggregate.name));
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

/// `field`, `_time:5m` or `bytes:100`.
fn group(p: &mut Parser<'_>) -> Option<Group> {
    let (field, _) = p.name()?;
    if p.eat_here(":").is_none() {
        return Some(Group::Field(field));
    }
    let bucket = bin::bucket(p, &field, "for example _time:5m")?;
    Some(Group::Bucket { field, bucket })
}

/// `fn(...) if (filter) as name`.
fn aggregate(p: &mut Parser<'_>) -> Option<(Aggregate, Range<usize>)> {
    let (word, span) = p.take(TokenKind::Function, terminals::expr_name)?;
    let Some(spec) = find(word) else {
        unknown(p, word, &span);
        p.skip_to_pipe();
        return None;
    };
    if p.peek() != Some('(') {
        let message = format!("`(` is missing after `{word}`");
        p.report(Diagnostic::error(span, message).hint(format!("write {}", spec.syntax)));
        return None;
    }
    let arguments = p.parenthesised("a field", HINT, argument)?;
    let arguments: Vec<_> = arguments.into_iter().filter(|(name, _)| name != "*").collect();
    let call = span.start..p.at;
    let (function, fields) = arguments::check(p, spec, arguments, &call)?;
    let filter = match p.eat_keyword("if") {
        Some(_) => Some(condition(p, "for example count() if (severity:ERROR) as errors")?),
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
    if let Some(keyword) = p.eat_keyword("where").or_else(|| p.eat_keyword("having")) {
        let hint = "write count() if (filter), or a pipe before or behind: | where filter";
        p.report(Diagnostic::error(keyword, "a filter cannot stand behind a function so").hint(hint));
        return None;
    }
    let other = ["by", "group", "order", "limit", "from"];
    let is_name = p.peek_word().is_some_and(|word| !other.iter().any(|other| word.eq_ignore_ascii_case(other)));
    if is_name || p.peek().is_some_and(|c| "\"'`".contains(c)) {
        return Some(p.name().map(|(name, _)| name));
    }
    Some(None)
}

/// A field, or the number of `quantile`.
fn argument(p: &mut Parser<'_>) -> Option<(String, Range<usize>)> {
    match p.eat("*") {
        Some(span) => Some(("*".to_owned(), span)),
        None => p.name(),
    }
}

fn unknown(p: &mut Parser<'_>, word: &str, span: &Range<usize>) {
    p.retag(TokenKind::Error);
    let lower = word.to_ascii_lowercase();
    let percentile = lower.strip_prefix('p').and_then(|digits| digits.parse::<f64>().ok()).filter(|n| *n <= 100.0);
    let hint = match (lower.as_str(), percentile) {
        (_, Some(percent)) => format!("write quantile({}, field)", percent / 100.0),
        ("percentile" | "perc" | "quantiles", _) => "write quantile(0.99, field), with a share from 0 to 1".to_owned(),
        ("average", _) => "write avg(field)".to_owned(),
        ("var" | "variance", _) => "write stddev(field), whose square it is".to_owned(),
        ("list" | "array_agg" | "make_list" | "make_set" | "json_values", _) => "write values(field)".to_owned(),
        ("earliest" | "oldest", _) => "write first(field)".to_owned(),
        ("latest" | "newest", _) => "write last(field)".to_owned(),
        ("countif" | "count_if" | "sumif", _) => "write count() if (filter) as name".to_owned(),
        _ => match nearest(word, AGGREGATES.iter().flat_map(|spec| spec.names.iter().copied())) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("functions are {}", functions::names().join(", ")),
        },
    };
    p.report(Diagnostic::error(span.clone(), format!("unknown function `{}`", shorten(word))).hint(hint));
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

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use crate::tests::check;

    #[test]
    fn every_function() {
        check(
            r#"
            * | stats count(a, b), count_empty(a, b), count_uniq(a), count_uniq_hash(a, b), sum_len(a, b) as x
            * | stats rate_sum(a), histogram(a), histogram(a, 50), row_any(), row_any(a), row_min(a), row_max(a, b, c)
            * | stats by (bytes:100, _time:auto, ratio:0.5) uniq_values(a), dc(a) as n
            "#,
            expect![[r#"
                * | stats count(a, b), count_empty(a, b), count_uniq(a), count_uniq_hash(a, b), sum_len(a, b) as x
                    * | stats count(a, b) as "count(a, b)", count_empty(a, b) as "count_empty(a, b)", count_distinct(a) as "count_distinct(a)", count_distinct_estimate(a, b) as "count_distinct_estimate(a, b)", sum_len(a, b) as x
                * | stats rate_sum(a), histogram(a), histogram(a, 50), row_any(), row_any(a), row_min(a), row_max(a, b, c)
                    * | stats rate_sum(a) as "rate_sum(a)", histogram(a) as "histogram(a)", histogram(a, 50) as "histogram(a, 50)", row_any() as "row_any()", row_any(a) as "row_any(a)", row_min(a) as "row_min(a)", row_max(a, b, c) as "row_max(a, b, c)"
                * | stats by (bytes:100, _time:auto, ratio:0.5) uniq_values(a), dc(a) as n
                    * | stats by (bytes:100, _time:auto, ratio:0.5) values(a) as "values(a)", count_distinct(a) as n
            "#]],
        );
    }
}
