//! Tests of a field's value: what may stand after `field:`.

use std::ops::Range;

use model::parse_duration_ns;

use super::words::{Place, words};
use super::{function, group, negated, range, severity};
use crate::expr::column_text;
use crate::highlight::TokenKind;
use crate::parser::{Located, Parser};
use crate::terminals;
use crate::{Bound, Case, Comparison, Diagnostic, FieldName, Filter, Test, regex_check};

/// Takes a test of a field; `start` is where the field's name starts.
pub(super) fn test(p: &mut Parser<'_>, field: FieldName, start: usize) -> Option<Filter> {
    p.skip_space();
    if p.eat_here("!").is_some() {
        // Not a loop on purpose: each `!` here would be a level of recursion.
        if p.peek() == Some('!') {
            p.expected("a value after `!`", "write one `!` to negate");
            return None;
        }
        return test(p, field, start).map(negated);
    }
    if let Some((comparison, _)) = comparison(p) {
        return compare(p, field, comparison, start);
    }
    if p.eat_here("=~").is_some() || p.eat_here("~").is_some() {
        return regex(p, field, start);
    }
    if p.eat_here("==").is_some() || p.eat_here("=").is_some() {
        return exact(p, field, start);
    }
    match p.peek_here() {
        Some('*') => words(p, field, None, Place::Value),
        Some('(') => {
            let outer = std::mem::replace(&mut p.default_field, field);
            let inner = group(p);
            p.default_field = outer;
            inner
        }
        Some('[') => range::numbers(p, field, start),
        _ if is_function(p) => function::call(p, field, start),
        _ => {
            let first = value(p, TokenKind::String, start)?;
            words(p, field, Some(first), Place::Value)
        }
    }
}

/// Whether a name with an opening parenthesis right behind it follows, or `range[`.
fn is_function(p: &Parser<'_>) -> bool {
    terminals::expr_name(p.rest())
        .is_ok_and(|(rest, name)| rest.starts_with('(') || (name == "range" && rest.starts_with('[')))
}

/// Takes a quoted text or a value word; reports when there is none.
pub(super) fn value(p: &mut Parser<'_>, kind: TokenKind, start: usize) -> Option<Located<String>> {
    p.skip_space();
    if let Some(quoted) = p.quoted_here(kind) {
        return Some(quoted);
    }
    if let Some((word, span)) = p.take_here(kind, terminals::value_word) {
        return Some((word.to_owned(), span));
    }
    if p.at_end() || matches!(p.peek(), Some('|' | ')')) {
        let written = p.text[start..p.at].trim_end();
        let span = start..start + written.len();
        let message = format!("a value is missing after `{written}`");
        p.report(Diagnostic::error(span, message).hint("write a word, \"a phrase\", ~\"regex\" or * (any value)"));
    } else {
        p.expected("a value", "write a word, \"a phrase\", ~\"regex\", * (any value), or a function such as in(a, b)");
    }
    None
}

/// `=exact`, the `=` already taken.
pub(super) fn exact(p: &mut Parser<'_>, field: FieldName, start: usize) -> Option<Filter> {
    if p.peek() == Some('*') {
        let hint = "for the end of a value write ~\"text$\", for a part of it *text*, for any value field:*";
        p.expected("a value after `=`", hint);
        let _ = p.eat("*");
        let _ = p.take_here(TokenKind::Error, terminals::value_word);
        return None;
    }
    let (text, span) = value(p, TokenKind::String, start)?;
    let prefix = p.eat_here("*").is_some();
    p.count_term(span.clone());
    Some(exactly(p, field, text, prefix, &span))
}

/// The test that the whole value is a text, or starts with it.
pub(super) fn exactly(p: &mut Parser<'_>, field: FieldName, text: String, prefix: bool, span: &Range<usize>) -> Filter {
    if text.is_empty() {
        return Filter::Field(field, if prefix { Test::Exists } else { Test::Empty });
    }
    if !prefix {
        severity::check_exact(p, &field, &text, span);
    }
    Filter::Field(field, Test::Exact { text, prefix, case: Case::Sensitive })
}

/// `~"regex"`, the `~` already taken. Also without quotes, up to a space or a parenthesis.
fn regex(p: &mut Parser<'_>, field: FieldName, start: usize) -> Option<Filter> {
    p.skip_space();
    let bare = p.peek_here().is_some_and(|c| !"\"'`".contains(c));
    if bare && has_signs(p) {
        return None;
    }
    let (text, span) = value(p, TokenKind::Regex, start)?;
    p.count_term(span.clone());
    if text.len() > 2 && text.starts_with('/') && text.ends_with('/') {
        let hint = "leave them out: ~\"regex\"";
        p.report(Diagnostic::warning(span.clone(), "the slashes are a part of the regular expression").hint(hint));
    }
    regex_check::check(p, &text, &span);
    Some(Filter::Field(field, Test::Regex(text)))
}

/// Reports a regular expression without quotes that has signs of the grammar in it, and passes over it: it would end at the
/// first of them.
fn has_signs(p: &mut Parser<'_>) -> bool {
    let rest = p.rest();
    let word = terminals::value_word(rest).map_or(0, |(_, word)| word.len());
    if !rest[word..].starts_with(['*', '(', '[', '{', '|']) || rest[word..].starts_with("| ") {
        return false;
    }
    let end = p.at + rest.find(char::is_whitespace).unwrap_or(rest.len());
    let hint = format!("write ~{}", terminals::quote(&p.text[p.at..end]));
    let message = "a regular expression with signs of the grammar is quoted";
    p.report(Diagnostic::error(p.at..end, message).hint(hint));
    p.at = end;
    true
}

fn comparison(p: &mut Parser<'_>) -> Option<(Comparison, Range<usize>)> {
    let operators = [Comparison::GreaterOrEqual, Comparison::LessOrEqual, Comparison::Greater, Comparison::Less];
    operators.into_iter().find_map(|op| p.eat_here(op.as_str()).map(|span| (op, span)))
}

/// `>= value`, the operator already taken.
fn compare(p: &mut Parser<'_>, field: FieldName, comparison: Comparison, start: usize) -> Option<Filter> {
    let spaced = !p.text[..p.at - comparison.as_str().len()].trim_end().ends_with(':');
    let (text, span) = value(p, TokenKind::Number, start)?;
    p.count_term(span.clone());
    let text = severity::checked(p, &field, text, &span);
    let bound = bound(text);
    let first = !p.diagnostics.iter().any(Diagnostic::is_error);
    if first
        && field == FieldName::body()
        && p.default_field == field
        && bound.number.is_some()
        && start + 2 >= span.start
    {
        let hint = format!("name the field: field:{}{}", comparison.as_str(), bound.text);
        p.report(Diagnostic::warning(start..span.end, "this compares `body`, which is a text").hint(hint));
    }
    if p.over_columns && spaced && bound.number.is_none() {
        warn_about_field(p, &field, &bound.text, &span, comparison);
    }
    Some(Filter::Field(field, Test::Compare(comparison, bound)))
}

/// `where a > b` reads like a comparison of two fields, and is one with the text `b`.
fn warn_about_field(p: &mut Parser<'_>, field: &FieldName, text: &str, span: &Range<usize>, comparison: Comparison) {
    let FieldName::Named(name) = field else { return };
    let bare = terminals::is_whole(terminals::expr_name, &p.text[span.clone()]);
    if !bare || name == model::field::SEVERITY || model::Severity::from_text(text).is_some() {
        return;
    }
    let message = format!("this compares `{name}` with the text \"{text}\"");
    let condition = format!("{} {} {text}", column_text(name), comparison.as_str());
    let hint = format!("to compare two fields write expr({condition}), else put the text in quotes");
    p.report(Diagnostic::warning(span.clone(), message).hint(hint));
}

/// Reads what a value is compared with.
pub(crate) fn bound(text: String) -> Bound {
    let number = plain_number(&text).or_else(|| duration(&text)).or_else(|| size(&text));
    Bound { text, number }
}

fn plain_number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !terminals::is_whole(terminals::number, digits) {
        return None;
    }
    text.parse().ok().filter(|n: &f64| n.is_finite())
}

fn duration(text: &str) -> Option<f64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text),
    };
    parse_duration_ns(rest).map(|ns| sign * ns as f64)
}

fn size(text: &str) -> Option<f64> {
    let units: [(&str, f64); 9] = [
        ("KiB", 1024.0),
        ("MiB", 1_048_576.0),
        ("GiB", 1_073_741_824.0),
        ("TiB", 1_099_511_627_776.0),
        ("KB", 1e3),
        ("MB", 1e6),
        ("GB", 1e9),
        ("TB", 1e12),
        ("B", 1.0),
    ];
    let (digits, unit) = units.into_iter().find_map(|(name, unit)| Some((text.strip_suffix(name)?, unit)))?;
    plain_number(digits).map(|n| n * unit)
}
