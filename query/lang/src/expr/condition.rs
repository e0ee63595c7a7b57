//! Expressions as conditions among filters.
//!
//! `expr(...)` holds an expression wherever a filter may stand: `error and expr(len(body) > 100)`. In `where` these need no
//! `expr(...)`, because no filter over columns is meant by them:
//!
//! - a call of a function with the parenthesis right behind its name: `where len(body) > 100`, `where is_private(client.address)`;
//! - a comparison with arithmetic in it, its operators between spaces: `where errors / total > 0.1`, `where took > limit * 2`;
//! - a comparison with a call on its right: `where took > round(limit)`.
//!
//! Such a condition ends where its comparison ends; `and`, `or`, `not` and parentheses around it are the filter's own. A
//! comparison of two bare names, `where a > b`, is a filter and compares `a` with the text `b`: write `where expr(a > b)`.

use super::grammar::{RESERVED, comparison, expression, name};
use super::{BinaryOp, Expr, ScalarFunction};
use crate::highlight::TokenKind;
use crate::parser::Parser;
use crate::{FieldName, Filter, filter, terminals};

const WRAPPER: &str = "expr";

/// Takes an expression where a filter may stand. The outer `None` when none stands here, the inner one when it cannot be
/// read, which is reported.
pub(crate) fn condition(p: &mut Parser<'_>) -> Option<Option<Filter>> {
    p.skip_space();
    if called(p.rest()).is_some_and(|name| name.eq_ignore_ascii_case(WRAPPER)) {
        return Some(wrapped(p));
    }
    if !p.over_columns || p.default_field != FieldName::body() {
        return None;
    }
    if calls_function(p.rest()) {
        p.count_term(p.at..p.at + 1);
        return Some(comparison(p).map(|(expr, _)| Filter::Expr(expr)));
    }
    if !is_arithmetic(p.rest()) {
        return None;
    }
    let before = (p.at, p.tokens.len(), p.diagnostics.len());
    let parsed = comparison(p);
    let compares = matches!(&parsed, Some((Expr::Binary(_, op, _), _)) if !BinaryOp::is_arithmetic(*op));
    if compares || p.diagnostics.len() > before.2 {
        p.count_term(before.0..p.at);
        return Some(parsed.map(|(expr, _)| Filter::Expr(expr)));
    }
    p.at = before.0;
    p.tokens.truncate(before.1);
    None
}

/// Takes `expr(...)`.
fn wrapped(p: &mut Parser<'_>) -> Option<Filter> {
    let (_, span) = p.take_here(TokenKind::Function, name)?;
    p.count_term(span.clone());
    let open = p.eat_here("(")?;
    let inner = p.nested(open.clone(), |p| {
        let inner = expression(p)?;
        p.close(open, ")");
        Some(inner)
    });
    if inner.is_none() {
        p.skip_past(')');
    }
    inner.map(Filter::Expr)
}

/// The name of a call that starts here, its parenthesis right behind it.
fn called(rest: &str) -> Option<&str> {
    name(rest).ok().filter(|(after, _)| after.starts_with('(')).map(|(_, name)| name)
}

/// Whether a call of a function starts here that is no function of filters. A call whose result is compared is one even
/// when no function has that name: it is a slip, and a filter is never meant.
fn calls_function(rest: &str) -> bool {
    let Some(name) = called(rest).filter(|name| !filter::is_function(name)) else { return false };
    ScalarFunction::parse(name).is_some() || is_compared(&rest[name.len()..])
}

/// Whether a comparison follows the parentheses that start here.
fn is_compared(rest: &str) -> bool {
    // Far enough for what people write, and near enough that a query full of parentheses is read in no time.
    const LOOKAHEAD_CHARS: usize = 512;
    let mut depth = 0;
    for (at, c) in rest.char_indices().take(LOOKAHEAD_CHARS) {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => {
                let after = rest[at + 1..].trim_start();
                return COMPARISONS.iter().any(|sign| after.starts_with(sign));
            }
            ')' => depth -= 1,
            '|' | '"' | '\'' | '`' => return false,
            _ => {}
        }
    }
    false
}

const COMPARISONS: [&str; 8] = ["==", "!=", "<>", "<=", ">=", "<", ">", "="];

/// Whether what starts here reads as a comparison with arithmetic or a call in it.
fn is_arithmetic(rest: &str) -> bool {
    let Some(after) = after_operand(rest) else { return false };
    if operator_follows(after) {
        return true;
    }
    let after = after.trim_start();
    let Some(right) = COMPARISONS.into_iter().find_map(|sign| after.strip_prefix(sign)) else { return false };
    let right = right.trim_start();
    calls_function(right) || after_operand(right).is_some_and(operator_follows)
}

/// What stands behind a number, a name or a name in backticks.
fn after_operand(rest: &str) -> Option<&str> {
    if let Ok((after, _)) = terminals::number(rest) {
        return Some(after.trim_start_matches(char::is_alphanumeric));
    }
    if let Some(inner) = rest.strip_prefix('`') {
        return inner.find('`').map(|at| &inner[at + 1..]);
    }
    let (after, name) = name(rest).ok()?;
    (!RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name))).then_some(after)
}

/// Whether an operator between spaces and an operand follow.
fn operator_follows(after: &str) -> bool {
    let trimmed = after.trim_start();
    let mut chars = trimmed.chars();
    trimmed.len() < after.len()
        && chars.next().is_some_and(|c| "+-*/%".contains(c))
        && chars.as_str().starts_with(char::is_whitespace)
        && chars.as_str().trim_start().starts_with(|c: char| c.is_alphanumeric() || "_`(-".contains(c))
}
