//! Filters: how tests are combined. The tests themselves are in `words`, `value`, `function`, `range`, `time`, `day` and
//! `stream`, what help says of them in `table`.

mod day;
mod function;
mod range;
mod severity;
mod stream;
mod table;
mod time;
mod value;
mod words;

use std::ops::Range;

use crate::highlight::TokenKind;
use crate::parser::{Parser, own_name};
use crate::terminals;
use crate::{Diagnostic, FieldName, Filter, expr};

pub(crate) use range::network;
pub(crate) use severity::checked as checked_word;
pub(crate) use table::{FILTERS, is_function};
pub(crate) use time::moment_of;
pub(crate) use value::bound;
pub use words::is_cjk;
pub(crate) use words::{checked, fuzzy_parts, test as wildcard_test};

use words::{Place, words};

/// Whether a word combines filters and so is no search term unless quoted.
pub(crate) fn is_keyword(word: &str) -> bool {
    ["and", "or", "not"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword))
}

/// Takes a filter up to a pipe or the end. Nothing at all is `*`.
pub(crate) fn filter(p: &mut Parser<'_>) -> Filter {
    let mut parts = Vec::new();
    loop {
        parts.extend(or(p));
        if p.at_pipe_end() {
            return joined(parts, Filter::And).unwrap_or(Filter::All);
        }
        let span = p.next_span();
        let diagnostic = match &p.text[span.clone()] {
            ")" => Diagnostic::error(span.clone(), "this `)` closes nothing")
                .hint("remove it, or quote it to search for it"),
            ":" => Diagnostic::error(span.clone(), "no field stands right before this `:`")
                .hint("write field:value without a space before the `:`, or quote it to search for it"),
            "," => Diagnostic::error(span.clone(), "a filter cannot go on with `,`")
                .hint("for one of several values write field:in(a, b); words stand without commas"),
            found => Diagnostic::error(span.clone(), format!("a filter cannot go on with `{found}`"))
                .hint("quote it to search for it"),
        };
        p.report(diagnostic);
        p.at = span.end.max(p.at + 1);
    }
}

/// Takes `( filter )`.
pub(crate) fn group(p: &mut Parser<'_>) -> Option<Filter> {
    let open = p.eat("(")?;
    p.nested(open.clone(), |p| {
        if p.eat(")").is_some() {
            let span = open.start..p.at;
            p.report(
                Diagnostic::error(span, "nothing stands in these parentheses").hint("put a filter in, such as `*`"),
            );
            return Some(Filter::All);
        }
        let inner = or(p);
        if inner.is_some() || p.at_end() || p.peek() == Some('|') {
            p.close(open, ")");
        }
        Some(inner.unwrap_or(Filter::All))
    })
}

/// `a or b`. `None` when there is no filter here.
fn or(p: &mut Parser<'_>) -> Option<Filter> {
    let known = p.diagnostics.len();
    let mut parts: Vec<Filter> = and(p).into_iter().collect();
    while let Some(keyword) = p.eat_keyword("or") {
        // A part that could not be read was there, and its flaw is told already.
        if parts.is_empty() && p.diagnostics.len() == known {
            missing(p, &keyword, "before");
        }
        let known = p.diagnostics.len();
        match and(p) {
            Some(part) => parts.push(part),
            None if p.diagnostics.len() == known => missing(p, &keyword, "after"),
            None => {}
        }
    }
    joined(parts, Filter::Or)
}

/// `a b`, `a and b`.
fn and(p: &mut Parser<'_>) -> Option<Filter> {
    let known = p.diagnostics.len();
    let mut parts: Vec<Filter> = unary(p).into_iter().collect();
    loop {
        let keyword = p.eat_keyword("and").or_else(|| foreign_and(p));
        if let Some(keyword) = keyword.as_ref().filter(|_| parts.is_empty() && p.diagnostics.len() == known) {
            missing(p, keyword, "before");
        }
        let known = p.diagnostics.len();
        match (unary(p), keyword) {
            (Some(part), _) => parts.push(part),
            (None, Some(keyword)) => {
                if p.diagnostics.len() == known {
                    missing(p, &keyword, "after");
                }
                if !p.peek_word().is_some_and(|word| word.eq_ignore_ascii_case("and") || word == "&&") {
                    break;
                }
            }
            (None, None) => break,
        }
    }
    joined(parts, Filter::And)
}

/// Takes `&&`, which is no word that anyone searches for; reports it.
fn foreign_and(p: &mut Parser<'_>) -> Option<Range<usize>> {
    p.peek_word().filter(|word| *word == "&&")?;
    let (_, span) = p.take(TokenKind::Error, terminals::word)?;
    p.report(Diagnostic::error(span.clone(), "`&&` is not known here").hint("write `and`, or nothing"));
    Some(span)
}

fn joined(mut parts: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Option<Filter> {
    if parts.len() > 1 { Some(join(parts)) } else { parts.pop() }
}

fn missing(p: &mut Parser<'_>, keyword: &Range<usize>, side: &str) {
    let word = &p.text[keyword.clone()];
    let message = format!("a filter is missing {side} `{word}`");
    let hint = format!("add one, or quote \"{word}\" to search for the word");
    p.report(Diagnostic::error(keyword.clone(), message).hint(hint));
}

/// `!x`, `-x`, `not x`, any number of them.
fn unary(p: &mut Parser<'_>) -> Option<Filter> {
    let mut negations: Vec<Range<usize>> = Vec::new();
    loop {
        let sign = p.eat("!").or_else(|| p.eat("-"));
        match sign.or_else(|| p.eat_keyword("not")) {
            Some(span) => negations.push(span),
            None => break,
        }
    }
    let inner = primary(p);
    match (inner, negations.last()) {
        (Some(inner), _) => {
            // More than a handful of negations is a test of the parser; keep the tree flat whatever comes.
            let count = if negations.len() > 8 { negations.len() % 2 } else { negations.len() };
            Some((0..count).fold(inner, |inner, _| negated(inner)))
        }
        (None, Some(span)) => {
            let span = span.clone();
            missing(p, &span, "after");
            None
        }
        (None, None) => None,
    }
}

/// The opposite; `!*` has a name of its own.
pub(crate) fn negated(filter: Filter) -> Filter {
    match filter {
        Filter::All => Filter::Nothing,
        other => Filter::Not(Box::new(other)),
    }
}

/// One test, or a group.
fn primary(p: &mut Parser<'_>) -> Option<Filter> {
    if let Some(condition) = expr::condition(p) {
        return condition;
    }
    match p.peek()? {
        '(' => group(p),
        '{' => stream::selector(p),
        '*' => star(p),
        '"' | '\'' | '`' => named(p, |p| p.quoted_here(TokenKind::String)),
        '=' | '~' | '<' | '>' => {
            let field = p.default_field.clone();
            let start = p.at;
            value::test(p, field, start)
        }
        _ => match p.peek_word() {
            Some(word) if is_keyword(word) && !p.rest()[word.len()..].starts_with(':') => None,
            Some(word)
                if p.rest()[word.len()..].starts_with('(') && terminals::is_whole(terminals::expr_name, word) =>
            {
                let field = p.default_field.clone();
                let start = p.at;
                function::call(p, field, start)
            }
            Some(_) => named(p, |p| {
                p.take_here(TokenKind::String, terminals::word).map(|(word, span)| (word.to_owned(), span))
            }),
            None => None,
        },
    }
}

/// `*`, `*:word`, `*fix` and `*mid*`.
fn star(p: &mut Parser<'_>) -> Option<Filter> {
    p.skip_space();
    let start = p.at;
    let rest = p.rest().trim_start_matches('*');
    if p.rest().starts_with("*:") {
        p.eat("*");
        p.eat_here(":");
        return value::test(p, FieldName::Any, start);
    }
    if rest.starts_with(|c: char| terminals::is_word_char(c) || "\"'`".contains(c)) {
        let field = p.default_field.clone();
        return words(p, field, None, Place::Filter);
    }
    while p.eat_here("*").is_some() {}
    p.count_term(start..p.at);
    Some(Filter::All)
}

/// What starts with a word or a quoted text: `field:test`, `field=value`, `n > 20`, or a text that is searched for.
fn named<'a>(p: &mut Parser<'a>, take: impl Fn(&mut Parser<'a>) -> Option<(String, Range<usize>)>) -> Option<Filter> {
    let (name, span) = take(p)?;
    let next = p.peek_here();
    // A `~` with nothing or digits behind it makes a fuzzy word; with anything else it is the field's regular expression.
    let regex = p
        .rest()
        .strip_prefix('~')
        .and_then(|after| after.chars().next())
        .is_some_and(|c| "\"'`".contains(c) || (terminals::is_word_start(c) && !c.is_ascii_digit()));
    let column = next == Some(':') || ((next == Some('=') || regex) && !name.is_empty()) || compares(p);
    if !column && in_list_follows(p) {
        return in_list(p, name, span);
    }
    if !column {
        let field = p.default_field.clone();
        return words(p, field, Some((name, span)), Place::Filter);
    }
    p.retag(TokenKind::Field);
    let name = if p.text[span.clone()] == *name { own_name(name) } else { name };
    if p.eat_here(":").is_some() {
        warn_about_url(p, &name, &span);
        return match name.as_str() {
            model::field::TIME => time::test(p, span),
            model::field::STREAM if p.peek() == Some('{') => stream::selector(p),
            _ => value::test(p, FieldName::Named(name), span.start),
        };
    }
    match name.as_str() {
        model::field::TIME => time::test(p, span),
        _ => value::test(p, FieldName::Named(name), span.start),
    }
}

/// Whether SQL's ` in (` follows.
fn in_list_follows(p: &Parser<'_>) -> bool {
    let rest = p.rest().trim_start();
    let list = rest.get(..2).filter(|word| word.eq_ignore_ascii_case("in")).map(|_| rest[2..].trim_start());
    rest.len() < p.rest().len() && list.is_some_and(|list| list.starts_with('('))
}

/// Takes ` in (a, b)`, which over columns is `name:in(a, b)`, and elsewhere might be words.
fn in_list(p: &mut Parser<'_>, name: String, span: Range<usize>) -> Option<Filter> {
    if p.over_columns {
        p.retag(TokenKind::Field);
        p.skip_space();
        return function::call(p, FieldName::Named(own_name(name)), span.start);
    }
    let hint = format!("write {name}:in(a, b); to search for the words, quote them: \"{name} in\"");
    p.report(Diagnostic::error(span, "a list of values stands behind `field:in`").hint(hint));
    p.skip_past(')');
    None
}

/// Whether a comparison follows, with or without space: `status >= 500`, `status = 500` with spaces around the sign; over
/// columns `n =20` and `n !=20` too.
fn compares(p: &Parser<'_>) -> bool {
    let rest = p.rest().trim_start();
    let spaced = rest.len() < p.rest().len();
    rest.starts_with(['<', '>'])
        || (!spaced && (rest.starts_with("!=") || rest.starts_with("!~")))
        || (spaced && ["= ", "== ", "!= "].iter().any(|sign| rest.starts_with(sign)))
        || (p.over_columns && (rest.starts_with('=') || rest.starts_with("!=")))
        || (p.over_columns && rest.starts_with("!~"))
}

fn warn_about_url(p: &mut Parser<'_>, name: &str, span: &Range<usize>) {
    if p.rest().starts_with("//") {
        let message = format!("this searches the field `{name}` for a text that starts with //");
        p.report(Diagnostic::warning(span.clone(), message).hint("quote the address to search for it"));
    }
}
