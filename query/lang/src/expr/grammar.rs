//! The grammar of expressions, loosest first: `or`, `and`, `not`, comparisons and `in`, `+ -`, `* / %`, `-x`, values.
//!
//! Texts are in `"..."` or `'...'`. A field is a bare name, or in backticks when it holds signs of the grammar such as `-`;
//! a backtick inside is written twice. Every function here comes back with the depth of the tree it made, so that no text
//! makes a tree deeper than [`NESTING_MAX`].

use std::ops::Range;

use nom::IResult;

use super::{BinaryOp, Expr, Kind, ScalarFunction, check, parse_size};
use crate::highlight::TokenKind;
use crate::limits::NESTING_MAX;
use crate::parser::{Located, Parser, shorten};
use crate::suggest::nearest;
use crate::{Diagnostic, Span, pipes, terminals};

pub(super) const HINT: &str = "for example errors / total * 100, upper(\"a\") or if(status >= 500, \"bad\", \"good\")";

/// Words that are no names of fields unless in backticks.
pub(super) const RESERVED: [&str; 8] = ["and", "or", "not", "in", "as", "true", "false", "null"];

/// An expression and how deep it is.
type Deep = (Expr, usize);

/// A bare name.
pub(super) fn name(input: &str) -> IResult<&str, &str> {
    terminals::expr_name(input)
}

/// Takes an expression.
pub(crate) fn expression(p: &mut Parser<'_>) -> Option<Expr> {
    or(p).map(|(expr, _)| expr)
}

/// Takes the name of a column that is computed: bare, in quotes or in backticks.
pub(crate) fn column_name(p: &mut Parser<'_>) -> Option<Located<String>> {
    p.skip_space();
    match p.peek_here() {
        Some('"' | '\'') => p.quoted_here(TokenKind::Field),
        Some('`') => backticked(p),
        _ => p.take_here(TokenKind::Field, name).map(|(name, span)| (name.to_owned(), span)),
    }
}

fn or(p: &mut Parser<'_>) -> Option<Deep> {
    joined(p, "or", "||", and, Expr::Or)
}

fn and(p: &mut Parser<'_>) -> Option<Deep> {
    joined(p, "and", "&&", not, Expr::And)
}

/// Parts with a word between them; one part stays what it is.
fn joined(
    p: &mut Parser<'_>,
    word: &str,
    sign: &str,
    part: fn(&mut Parser<'_>) -> Option<Deep>,
    join: fn(Vec<Expr>) -> Expr,
) -> Option<Deep> {
    let (first, mut depth) = part(p)?;
    let mut parts = vec![first];
    loop {
        let foreign = p.eat(sign);
        if let Some(span) = &foreign {
            let hint = match sign {
                "||" => "write `or`; to join texts write concat(a, b)",
                _ => "write `and`",
            };
            p.report(Diagnostic::error(span.clone(), format!("`{sign}` is no operator")).hint(hint));
        }
        let Some(span) = foreign.or_else(|| eat_word(p, word)) else { break };
        if parts.len() == crate::limits::LIST_ITEMS_MAX {
            let most = crate::limits::LIST_ITEMS_MAX;
            p.stop(span, format!("an expression joins more than {most} conditions (LIST_ITEMS_MAX)"));
            return None;
        }
        let (next, next_depth) = part(p)?;
        depth = depth.max(next_depth);
        parts.push(next);
    }
    if parts.len() == 1 { parts.pop().map(|only| (only, depth)) } else { Some((join(parts), deeper(p, depth)?)) }
}

/// The depth of what stands around something this deep; reports when that is too deep.
fn deeper(p: &mut Parser<'_>, depth: usize) -> Option<usize> {
    if depth >= NESTING_MAX {
        let at = p.at.saturating_sub(1);
        let start = (0..=at).rev().find(|at| p.text.is_char_boundary(*at)).unwrap_or(0);
        p.stop(start..p.at, format!("an expression is nested deeper than {NESTING_MAX} levels (NESTING_MAX)"));
        return None;
    }
    Some(depth + 1)
}

/// Takes the next word when it is this one, in any case. `-` and `/` end a word here.
fn eat_word(p: &mut Parser<'_>, word: &str) -> Option<Range<usize>> {
    is_next(p, word).then(|| p.take_here(TokenKind::Keyword, name).map(|(_, span)| span))?
}

fn is_next(p: &mut Parser<'_>, word: &str) -> bool {
    p.skip_space();
    name(p.rest()).is_ok_and(|(_, next)| next.eq_ignore_ascii_case(word))
}

/// `not x`, also `!x`.
fn not(p: &mut Parser<'_>) -> Option<Deep> {
    let bang =
        (p.peek() == Some('!') && !p.rest().starts_with("!=") && !p.rest().starts_with("!~")).then(|| p.eat("!"));
    match bang.flatten().or_else(|| eat_word(p, "not")) {
        Some(sign) => {
            let (inner, depth) = p.nested(sign, not)?;
            Some((Expr::Not(Box::new(inner)), deeper(p, depth)?))
        }
        None => comparison(p),
    }
}

/// Signs between values that are compared, longer ones before their starts.
const COMPARISONS: [(&str, BinaryOp); 8] = [
    ("==", BinaryOp::Equal),
    ("!=", BinaryOp::NotEqual),
    ("<>", BinaryOp::NotEqual),
    ("<=", BinaryOp::LessOrEqual),
    (">=", BinaryOp::GreaterOrEqual),
    ("<", BinaryOp::Less),
    (">", BinaryOp::Greater),
    ("=", BinaryOp::Equal),
];

/// `x < y`, `x =~ "regex"`, `x in (a, b)`, or a value alone.
pub(super) fn comparison(p: &mut Parser<'_>) -> Option<Deep> {
    p.skip_space();
    let start = p.at;
    let left = sum(p)?;
    let negated = p.eat("!~");
    if negated.is_some() || p.eat("=~").is_some() {
        return matches(p, left, start, negated.is_some());
    }
    if is_next(p, "in") || followed_by_in(p) {
        return one_of(p, left, start);
    }
    let Some((op, _)) = comparison_sign(p) else { return Some(left) };
    let right = sum(p)?;
    let out = binary(p, left, op, right)?;
    if let Some((_, second)) = comparison_sign(p) {
        let message = format!("`{}` cannot follow another comparison", &p.text[second.clone()]);
        p.report(Diagnostic::error(second, message).hint("join them: a < b and b < c"));
        let _ = sum(p);
    }
    Some(out)
}

fn comparison_sign(p: &mut Parser<'_>) -> Option<(BinaryOp, Range<usize>)> {
    COMPARISONS.iter().find_map(|(text, op)| p.eat(text).map(|span| (*op, span)))
}

fn binary(p: &mut Parser<'_>, left: Deep, op: BinaryOp, right: Deep) -> Option<Deep> {
    check::operand(p, Some(op), &left.0);
    check::operand(p, Some(op), &right.0);
    let depth = deeper(p, left.1.max(right.1))?;
    Some((Expr::Binary(Box::new(left.0), op, Box::new(right.0)), depth))
}

/// Whether `not in` comes next.
fn followed_by_in(p: &mut Parser<'_>) -> bool {
    let after = |text: &str, word: &str| {
        let (rest, next) = name(text).ok()?;
        next.eq_ignore_ascii_case(word).then(|| rest.trim_start().len())
    };
    p.skip_space();
    let rest = p.rest();
    after(rest, "not").is_some_and(|left| after(&rest[rest.len() - left..], "in").is_some())
}

/// `in (a, b)` and `not in (a, b)`.
fn one_of(p: &mut Parser<'_>, left: Deep, start: usize) -> Option<Deep> {
    let negated = eat_word(p, "not").is_some();
    let word = eat_word(p, "in")?;
    let items = p.nested(word, |p| p.parenthesised("a value", "for example status in (500, 502, 503)", or))?;
    let mut arguments = vec![left];
    arguments.extend(items);
    let (call, depth) = called(p, ScalarFunction::In, arguments, start)?;
    if negated { Some((Expr::Not(Box::new(call)), deeper(p, depth)?)) } else { Some((call, depth)) }
}

/// `=~ "regex"` and `!~ "regex"`.
fn matches(p: &mut Parser<'_>, left: Deep, start: usize, negated: bool) -> Option<Deep> {
    let pattern = sum(p)?;
    let (call, depth) = called(p, ScalarFunction::Matches, vec![left, pattern], start)?;
    if negated { Some((Expr::Not(Box::new(call)), deeper(p, depth)?)) } else { Some((call, depth)) }
}

fn sum(p: &mut Parser<'_>) -> Option<Deep> {
    chain(p, &[BinaryOp::Add, BinaryOp::Subtract], product)
}

fn product(p: &mut Parser<'_>) -> Option<Deep> {
    chain(p, &[BinaryOp::Multiply, BinaryOp::Divide, BinaryOp::Modulo], unary)
}

/// Operands with operators of one rank between them, from the left.
fn chain(p: &mut Parser<'_>, operators: &[BinaryOp], operand: fn(&mut Parser<'_>) -> Option<Deep>) -> Option<Deep> {
    let mut left = operand(p)?;
    while let Some(op) = operators.iter().find(|op| p.eat(op.as_str()).is_some()) {
        let right = operand(p)?;
        left = binary(p, left, *op, right)?;
    }
    Some(left)
}

fn unary(p: &mut Parser<'_>) -> Option<Deep> {
    let Some(sign) = p.eat("-") else { return primary(p) };
    let (inner, depth) = p.nested(sign, unary)?;
    check::operand(p, None, &inner);
    Some((Expr::Negate(Box::new(inner)), deeper(p, depth)?))
}

fn primary(p: &mut Parser<'_>) -> Option<Deep> {
    match p.peek() {
        Some('(') => {
            let open = p.eat("(")?;
            p.nested(open.clone(), |p| {
                let inner = or(p)?;
                p.close(open, ")");
                Some(inner)
            })
        }
        Some('"' | '\'') => p.quoted_here(TokenKind::String).map(|(text, span)| (Expr::Text(text, Span(span)), 1)),
        Some('`') => backticked(p).map(|(name, _)| (Expr::Field(name), 1)),
        Some(c) if c.is_ascii_digit() => number(p).map(|number| (number, 1)),
        _ => named(p),
    }
}

/// A name in backticks; one inside is written twice.
fn backticked(p: &mut Parser<'_>) -> Option<Located<String>> {
    let start = p.at;
    let inner = p.rest().strip_prefix('`')?;
    let mut name = String::new();
    let mut rest = inner;
    let closed = loop {
        let Some(at) = rest.find('`') else {
            name.push_str(rest);
            rest = "";
            break false;
        };
        name.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        match rest.strip_prefix('`') {
            Some(after) => {
                name.push('`');
                rest = after;
            }
            None => break true,
        }
    };
    p.at = p.text.len() - rest.len();
    let span = start..p.at;
    p.tokens.push((span.clone(), TokenKind::Field));
    if !closed {
        p.report(Diagnostic::error(span.clone(), "this name has no closing `").hint("add ` where the name ends"));
    } else if name.is_empty() {
        p.report(
            Diagnostic::error(span.clone(), "this name is empty").hint("put the name of a field between the backticks"),
        );
    }
    Some((name, span))
}

/// A number, a duration or a size.
fn number(p: &mut Parser<'_>) -> Option<Expr> {
    let (digits, mut span) = p.take(TokenKind::Number, terminals::number)?;
    let tail = p.rest();
    let more = tail.find(|c: char| !c.is_alphanumeric() && c != '.' && c != '_').unwrap_or(tail.len());
    if more == 0 {
        return plain_number(p, digits, span);
    }
    p.at += more;
    span.end = p.at;
    if let Some(token) = p.tokens.last_mut() {
        token.0 = span.clone();
    }
    let text = &p.text[span.clone()];
    if let Some(ns) = model::parse_duration_ns(text) {
        return Some(Expr::Duration(ns));
    }
    if let Some(bytes) = parse_size(text) {
        return Some(Expr::Size(bytes));
    }
    if let Some(whole) = text.strip_prefix("0x").and_then(|digits| i64::from_str_radix(digits, 16).ok()) {
        return Some(Expr::Integer(whole));
    }
    p.retag(TokenKind::Error);
    let hint = if text.matches('.').count() > 1 {
        "an address or a version is a text: put it in quotes"
    } else {
        "units are ns, us, ms, s, m, h, d, w and B, KB, KiB, MB, MiB, GB, GiB, TB, TiB; a text is put in quotes"
    };
    p.report(Diagnostic::error(span, format!("`{}` is no number", shorten(text))).hint(hint));
    None
}

fn plain_number(p: &mut Parser<'_>, digits: &str, span: Range<usize>) -> Option<Expr> {
    if let Ok(whole) = digits.parse() {
        return Some(Expr::Integer(whole));
    }
    let number = digits.parse().ok().filter(|n: &f64| n.is_finite());
    if number.is_none() {
        p.report(Diagnostic::error(span, "this number is too large").hint("numbers go up to about 1.8e308"));
    }
    number.map(Expr::number)
}

/// A field, a constant or a call.
fn named(p: &mut Parser<'_>) -> Option<Deep> {
    p.skip_space();
    let found = name(p.rest()).map_or("", |(_, found)| found);
    let word = found.to_ascii_lowercase();
    let is_call = p.rest()[found.len()..].trim_start().starts_with('(');
    let reserved = RESERVED.contains(&word.as_str()) && !(word == "in" && is_call);
    let constant = match word.as_str() {
        "null" => Some(Expr::Null),
        "true" => Some(Expr::Bool(true)),
        "false" => Some(Expr::Bool(false)),
        _ => None,
    };
    if found.is_empty() || (reserved && constant.is_none()) {
        let hint = match p.peek() {
            Some('@') => "a field of such a name is written in backticks: `@timestamp`",
            _ if reserved => "a field that is called as a word of the language is written in backticks",
            _ => HINT,
        };
        p.expected("a value", hint);
        return None;
    }
    let (found, span) = p.take_here(TokenKind::Field, name)?;
    if let Some(constant) = constant {
        p.retag(TokenKind::Keyword);
        return Some((constant, 1));
    }
    if is_call { call(p, found, span) } else { Some((Expr::Field(found.to_owned()), 1)) }
}

fn call(p: &mut Parser<'_>, name: &str, span: Range<usize>) -> Option<Deep> {
    p.retag(TokenKind::Function);
    let Some(function) = ScalarFunction::parse(name) else {
        unknown(p, name, span.clone());
        let _ = p.nested(span, |p| p.parenthesised("a value", HINT, or));
        return None;
    };
    let arguments = p.nested(span.clone(), |p| p.parenthesised("a value", HINT, or))?;
    called(p, function, arguments, span.start)
}

fn unknown(p: &mut Parser<'_>, name: &str, span: Range<usize>) {
    p.retag(TokenKind::Error);
    let hint = if pipes::stats::find(name).is_some() {
        format!("`{name}` is of many rows: write `stats {name}(...) as n` before this pipe")
    } else {
        match nearest(name, ScalarFunction::names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "the functions are listed in docs/query-language.md; some are if, round, lower, extract, ip_in"
                .to_owned(),
        }
    };
    p.report(Diagnostic::error(span, format!("unknown function `{}`", shorten(name))).hint(hint));
}

/// A call with its arguments, checked.
fn called(p: &mut Parser<'_>, function: ScalarFunction, arguments: Vec<Deep>, start: usize) -> Option<Deep> {
    let span = start..p.text[..p.at].trim_end().len();
    if !check::arity(p, function, arguments.len(), span.clone()) {
        return None;
    }
    let depth = arguments.iter().map(|(_, depth)| *depth).max().unwrap_or(0);
    let depth = deeper(p, depth)?;
    let arguments: Vec<Expr> = arguments.into_iter().map(|(argument, _)| argument).collect();
    // Each pattern becomes an automaton, as those of filters do.
    if function.spec().params.iter().any(|param| param.kind == Kind::Pattern) {
        p.count_term(span.clone());
    }
    check::constants(p, function, &arguments);
    Some((Expr::Call(function, arguments, Span(span)), depth))
}
