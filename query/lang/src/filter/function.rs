//! Tests that are written as functions: `in(...)`, `seq(...)`, `contains_any(...)`, `i(...)`, `c(...)`. Ranges are in
//! `range`; which functions there are, `table` says.

use std::ops::Range;

use super::words::{self, Place};
use super::{severity, table, value};
use crate::highlight::TokenKind;
use crate::parser::{Located, Parser, shorten};
use crate::suggest::nearest;
use crate::{
    Case, Comparison, Diagnostic, FieldName, Filter, PipeKind, Query, ScalarFunction, Test, pipes, regex_check,
    terminals,
};

/// Takes a call; a name and an opening parenthesis are known to follow.
pub(super) fn call(p: &mut Parser<'_>, field: FieldName, start: usize) -> Option<Filter> {
    let (name, span) = p.take(TokenKind::Function, terminals::expr_name)?;
    p.count_term(span.clone());
    let comparison = |op| move |name| Test::CompareField(op, name);
    match name.to_ascii_lowercase().as_str() {
        "in" => one_of(p, field, &span),
        "seq" => phrases(p, field, &span, "seq(\"first\", \"then\")", Test::Sequence),
        "contains_any" => phrases(p, field, &span, "contains_any(error, \"time out\")", Test::ContainsAny),
        "contains_all" => phrases(p, field, &span, "contains_all(error, \"time out\")", Test::ContainsAll),
        "i" => with_case(p, field, Case::Insensitive, start),
        "c" => with_case(p, field, Case::Sensitive, start),
        "wild" => {
            let (text, span) = one(p, &span, "wild(\"a*b?\")")?;
            let test = words::test(p, words::pattern(&text), Case::Insensitive, &span)?;
            Some(Filter::Field(field, test))
        }
        "exact" => {
            let (text, text_span) = one(p, &span, "exact(\"the whole value\")")?;
            Some(value::exactly(p, field, text, false, &text_span))
        }
        "re" => {
            let (text, text_span) = one(p, &span, "re(\"a|b\")")?;
            regex_check::check(p, &text, &text_span);
            Some(Filter::Field(field, Test::Regex(text)))
        }
        "range" => super::range::numbers(p, field, start),
        "len_range" => super::range::length(p, field, &span),
        "string_range" => super::range::strings(p, field, &span),
        "ipv4_range" => super::range::ipv4(p, field, &span),
        "ipv6_range" => super::range::ipv6(p, field, &span),
        "eq_field" => other_field(p, field, Test::EqualsField),
        "lt_field" => other_field(p, field, comparison(Comparison::Less)),
        "le_field" => other_field(p, field, comparison(Comparison::LessOrEqual)),
        "gt_field" => other_field(p, field, comparison(Comparison::Greater)),
        "ge_field" => other_field(p, field, comparison(Comparison::GreaterOrEqual)),
        _ => {
            unknown(p, name, span);
            None
        }
    }
}

fn unknown(p: &mut Parser<'_>, name: &str, span: Range<usize>) {
    p.retag(TokenKind::Error);
    let known = table::function_names();
    let hint = match name.to_ascii_lowercase().as_str() {
        "phrase" => "write the phrase in quotes: f:\"a b\"".to_owned(),
        "like" | "wildcard" | "glob" => "write wild(\"a*b?\")".to_owned(),
        "contains" => "write *\"text\"* for a text anywhere, or the word alone".to_owned(),
        "regex" | "regexp" | "match" | "matches" => "write ~\"regex\"".to_owned(),
        "startswith" | "starts_with" => "write =\"text\"* for the start of the value".to_owned(),
        "cidr" | "cidrmatch" | "ip_range" | "cidr_match" => {
            "write ipv4_range(10.0.0.0/8) or ipv6_range(2001:db8::/32)".to_owned()
        }
        "pattern_match" | "pattern_match_full" => {
            "filter for a template with _pattern:=..., or write a regular expression".to_owned()
        }
        "value_type" => "values have no types of their own: compare, f:>0 holds for numbers only".to_owned(),
        "fuzzy" => "write word~1 or word~2".to_owned(),
        "json_array_contains_any" | "array_contains" => "write the pipe `unroll by (f)`, then filter".to_owned(),
        "equals_common_case" | "contains_common_case" => {
            "words find any case already; i(=\"text\") compares whole values so".to_owned()
        }
        _ if pipes::stats::find(name).is_some() || name.ends_with("_over_time") => {
            "a filter computes nothing: write a pipe such as `| stats count() as n`, or from promql(`...`)".to_owned()
        }
        _ if ScalarFunction::parse(name).is_some() => {
            format!("it is a function of expressions: write expr({name}(...) > 5), or a pipe: | where {name}(...) > 5")
        }
        _ => match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                format!("functions of filters are {}; to search for the word, put a space behind it", known.join(", "))
            }
        },
    };
    p.report(Diagnostic::error(span, format!("unknown filter function `{}`", shorten(name))).hint(hint));
    p.skip_past(')');
}

/// A quoted text or a value word.
fn item(p: &mut Parser<'_>) -> Option<Located<String>> {
    p.skip_space();
    if let Some(quoted) = p.quoted_here(TokenKind::String) {
        return Some(quoted);
    }
    p.take_here(TokenKind::String, terminals::value_word).map(|(word, span)| (word.to_owned(), span))
}

/// Takes values in parentheses; at least one.
pub(super) fn items(p: &mut Parser<'_>, name: &Range<usize>, example: &str) -> Option<Vec<Located<String>>> {
    let before = p.diagnostics.len();
    let items = p.parenthesised("a value", &format!("for example {example}"), item);
    if p.diagnostics.len() > before {
        p.skip_past(')');
    }
    let items = items?;
    if items.is_empty() {
        let span = name.start..p.at;
        p.report(Diagnostic::error(span, "this list is empty").hint(format!("for example {example}")));
        return None;
    }
    Some(items)
}

/// Takes one value in parentheses.
fn one(p: &mut Parser<'_>, name: &Range<usize>, example: &str) -> Option<Located<String>> {
    let mut values = items(p, name, example)?;
    if values.len() > 1 {
        let message = format!("one value is taken here, not {}", values.len());
        p.report(Diagnostic::error(name.start..p.at, message).hint(format!("for example {example}")));
        return None;
    }
    values.pop()
}

/// `in(a, b)` and `in(query)`.
fn one_of(p: &mut Parser<'_>, field: FieldName, name: &Range<usize>) -> Option<Filter> {
    let mark = p.mark();
    p.eat("(");
    let is_query = p.query_follows();
    p.back_to(mark);
    if is_query {
        let query = crate::query::subquery(p, "for example in(from changes | fields target.service)")?;
        check_columns(p, &query, name.start..p.at);
        return Some(Filter::Field(field, Test::InQuery(query)));
    }
    let values = items(p, name, "in(a, \"b c\")")?;
    for (text, span) in &values {
        severity::check_exact(p, &field, text, span);
    }
    Some(Filter::Field(field, Test::In(values.into_iter().map(|(text, _)| text).collect())))
}

/// A query for values must say which field they are of.
fn check_columns(p: &mut Parser<'_>, query: &Query, span: Range<usize>) {
    let keeps_columns = |kind: &PipeKind| {
        matches!(
            kind,
            PipeKind::Limit(_)
                | PipeKind::Offset(_)
                | PipeKind::Sort(_)
                | PipeKind::Where(_)
                | PipeKind::Dedup(_)
                | PipeKind::Sample(_)
                | PipeKind::Rename(_)
        )
    };
    let columns = match query.pipes.iter().map(|pipe| &pipe.kind).rfind(|kind| !keeps_columns(kind)) {
        Some(PipeKind::Fields(names)) if !names[0].ends_with('*') => names.len(),
        Some(PipeKind::Uniq(uniq)) => uniq.by.len(),
        Some(PipeKind::Top(top)) => top.by.len(),
        Some(PipeKind::Stats(stats)) => stats.by.len(),
        _ => 0,
    };
    if columns != 1 {
        let message = match columns {
            0 => "this query does not say which field the values are of".to_owned(),
            n => format!("this query yields {n} fields, and the values are of one"),
        };
        p.report(
            Diagnostic::error(span, message).hint("end it with one field: | fields service, or | uniq by (service)"),
        );
    }
}

fn phrases(
    p: &mut Parser<'_>,
    field: FieldName,
    name: &Range<usize>,
    example: &str,
    test: fn(Vec<String>) -> Test,
) -> Option<Filter> {
    let phrases = items(p, name, example)?;
    if let Some((_, span)) = phrases.iter().find(|(text, _)| text.is_empty()) {
        p.report(Diagnostic::error(span.clone(), "this text is empty").hint(format!("for example {example}")));
        return None;
    }
    Some(Filter::Field(field, test(phrases.into_iter().map(|(text, _)| text).collect())))
}

/// `eq_field(other)`.
fn other_field(p: &mut Parser<'_>, field: FieldName, test: impl Fn(String) -> Test) -> Option<Filter> {
    const HINT: &str = "for example service.version:eq_field(deploy.version)";
    let open = p.eat("(")?;
    let Some((other, _)) = p.name() else {
        p.expected("a field", HINT);
        p.skip_past(')');
        return None;
    };
    p.close(open, ")");
    Some(Filter::Field(field, test(other)))
}

/// `i(word)`, `i("a phrase"*)`, `i(="exact")`, `c(*fix)`, `c(wild("a*b"))`.
fn with_case(p: &mut Parser<'_>, field: FieldName, case: Case, start: usize) -> Option<Filter> {
    let open = p.eat("(")?;
    let exact = p.eat("=").is_some();
    p.skip_space();
    let at = p.at;
    let wild = p.rest().get(..5).is_some_and(|name| name.eq_ignore_ascii_case("wild("));
    let test = if wild {
        let (_, name) = p.take(TokenKind::Function, terminals::expr_name)?;
        let (text, span) = one(p, &name, "wild(\"a*b?\")")?;
        words::test(p, words::pattern(&text), case, &span)?
    } else if exact {
        let (text, _) = value::value(p, TokenKind::String, start)?;
        let prefix = p.eat_here("*").is_some();
        Test::Exact { text, prefix, case }
    } else {
        let first = if p.peek_here() == Some('*') { None } else { Some(value::value(p, TokenKind::String, start)?) };
        let parts = words::pieces(p, first, Place::Value);
        words::test(p, parts, case, &(at..p.at))?
    };
    let span = at..p.at;
    p.close(open, ")");
    let empty =
        matches!(&test, Test::Empty | Test::Exists) || matches!(&test, Test::Exact { text, .. } if text.is_empty());
    if empty {
        p.report(
            Diagnostic::error(span, "this text is empty").hint("f:* finds rows with the field, f:\"\" rows without"),
        );
        return None;
    }
    Some(Filter::Field(field, test))
}
