//! Tests that are written as functions: `in(...)`, `seq(...)`, `ipv4_range(...)`, `i(...)`, `c(...)`.

use std::net::Ipv4Addr;
use std::ops::Range;

use super::{severity, value};
use crate::highlight::TokenKind;
use crate::parser::Parser;
use crate::suggest::nearest;
use crate::terminals;
use crate::{Case, Diagnostic, FieldName, Filter, Test};

/// The functions there are.
pub(crate) const FUNCTIONS: [&str; 5] = ["in", "seq", "ipv4_range", "i", "c"];

/// Functions of LogsQL that there are not.
const FUNCTIONS_NOT_YET: [&str; 12] = [
    "contains_all",
    "contains_any",
    "eq_field",
    "exact",
    "le_field",
    "len_range",
    "lt_field",
    "pattern_match",
    "range",
    "re",
    "string_range",
    "value_type",
];

/// Takes a call; a name and an opening parenthesis are known to follow.
pub(super) fn call(p: &mut Parser<'_>, field: FieldName, start: usize) -> Option<Filter> {
    let (name, span) = p.take(TokenKind::Function, terminals::expr_name)?;
    p.count_term(span.clone());
    match name {
        "in" => one_of(p, field, &span),
        "seq" => sequence(p, field, &span),
        "ipv4_range" => ipv4_range(p, field, &span),
        "i" => with_case(p, field, Case::Insensitive, start),
        "c" => with_case(p, field, Case::Sensitive, start),
        _ => {
            unknown(p, name, span);
            None
        }
    }
}

fn unknown(p: &mut Parser<'_>, name: &str, span: Range<usize>) {
    p.retag(TokenKind::Error);
    let available = format!("available are {}()", FUNCTIONS.join("(), "));
    let diagnostic = if FUNCTIONS_NOT_YET.contains(&name) {
        Diagnostic::error(span, format!("the filter function `{name}` is not available yet")).hint(available)
    } else {
        let hint = match nearest(name, FUNCTIONS) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("{available}; quote the text to search for it"),
        };
        Diagnostic::error(span, format!("unknown filter function `{name}`")).hint(hint)
    };
    p.report(diagnostic);
    let _ = p.parenthesised("a value", "", |p| item(p).map(|_| ()));
}

/// A quoted text or a value word.
fn item(p: &mut Parser<'_>) -> Option<(String, Range<usize>)> {
    p.skip_space();
    if let Some(quoted) = p.quoted_here(TokenKind::String) {
        return Some(quoted);
    }
    p.take_here(TokenKind::String, terminals::value_word).map(|(word, span)| (word.to_owned(), span))
}

fn items(p: &mut Parser<'_>, name: &Range<usize>, example: &str) -> Option<Vec<(String, Range<usize>)>> {
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

fn one_of(p: &mut Parser<'_>, field: FieldName, name: &Range<usize>) -> Option<Filter> {
    let values = items(p, name, "in(a, \"b c\")")?;
    for (text, span) in &values {
        severity::check_exact(p, &field, text, span);
    }
    Some(Filter::Field(field, Test::In(values.into_iter().map(|(text, _)| text).collect())))
}

fn sequence(p: &mut Parser<'_>, field: FieldName, name: &Range<usize>) -> Option<Filter> {
    let phrases = items(p, name, "seq(\"first\", \"then\")")?;
    Some(Filter::Field(field, Test::Sequence(phrases.into_iter().map(|(text, _)| text).collect())))
}

fn ipv4_range(p: &mut Parser<'_>, field: FieldName, name: &Range<usize>) -> Option<Filter> {
    let values = items(p, name, "ipv4_range(10.0.0.0/8)")?;
    let texts: Vec<&str> = values.iter().map(|(text, _)| text.as_str()).collect();
    let range = match texts[..] {
        [one] => network(one),
        [first, last] => address(first).zip(address(last)),
        _ => None,
    };
    match range.filter(|(first, last)| first <= last) {
        Some((first, last)) => Some(Filter::Field(field, Test::Ipv4Range(first, last))),
        None => {
            let span = name.start..p.at;
            let hint = "write a network, ipv4_range(10.0.0.0/8), or the first and the last address";
            p.report(Diagnostic::error(span, "this is no range of IPv4 addresses").hint(hint));
            None
        }
    }
}

fn address(text: &str) -> Option<u32> {
    text.parse::<Ipv4Addr>().ok().map(u32::from)
}

/// `10.0.0.0/8`, or a single address.
fn network(text: &str) -> Option<(u32, u32)> {
    let (base, bits) = text.split_once('/').unwrap_or((text, "32"));
    let bits: u32 = bits.parse().ok().filter(|bits| *bits <= 32)?;
    let hosts = u32::MAX.checked_shr(bits).unwrap_or(0);
    let base = address(base)? & !hosts;
    Some((base, base | hosts))
}

/// `i(word)`, `i("a phrase"*)`, `i(="exact")` and the same with `c`.
fn with_case(p: &mut Parser<'_>, field: FieldName, case: Case, start: usize) -> Option<Filter> {
    let open = p.eat("(")?;
    let exact = p.eat("=").is_some();
    let (text, span) = value::value(p, TokenKind::String, start)?;
    let prefix = p.eat_here("*").is_some();
    p.close(open, ")");
    if text.is_empty() {
        p.report(
            Diagnostic::error(span, "this text is empty").hint("f:* finds rows with the field, f:\"\" rows without"),
        );
        return None;
    }
    let test = if exact { Test::Exact { text, prefix, case } } else { Test::Phrase { text, prefix, case } };
    Some(Filter::Field(field, test))
}
