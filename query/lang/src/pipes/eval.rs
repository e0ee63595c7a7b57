//! `eval n = a / b * 100, m = round(n)`: new columns computed from numbers. Also in LogsQL's order: `math a / b as n`.
//! In an expression `-` and `/` are operators: a name that holds them is quoted.

use std::ops::Range;

use super::PipeSpec;
use crate::complete::Offer;
use crate::format as text;
use crate::highlight::TokenKind;
use crate::parser::Parser;
use crate::suggest::nearest;
use crate::terminals;
use crate::{BinaryOp, Diagnostic, Expr, MathFunction, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["eval", "math"],
    alias_of: None,
    syntax: "eval name = expression, ...",
    summary: "computes columns",
    doc: "Each expression sees the columns before it; a column that has the name already is replaced. What cannot be computed \
          is missing. LogsQL's order `math expression as name` is read too.",
    examples: &[
        "* | stats count() as total, count() if (severity:ERROR) as errors | eval percent = errors / total * 100",
        "duration_ms:* | eval seconds = round(duration_ms / 1000)",
    ],
    parse,
    complete: |_| Offer::expression(),
};

const HINT: &str = "for example eval percent = errors / total * 100";

pub(super) fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    Some(vec![PipeKind::Eval(p.list("a name and an expression", HINT, column)?)])
}

fn column(p: &mut Parser<'_>) -> Option<(String, Expr)> {
    let start = (p.at, p.tokens.len());
    if let Some((name, _)) = name(p) {
        p.skip_space();
        if p.eat_here("=").is_some() {
            return Some((name, sum(p)?));
        }
        p.at = start.0;
        p.tokens.truncate(start.1);
    }
    let expr = sum(p)?;
    if p.eat_keyword("as").is_none() {
        p.expected("`as` and a name", HINT);
        return None;
    }
    match name(p) {
        Some((name, _)) => Some((name, expr)),
        None => {
            p.expected("a name", HINT);
            None
        }
    }
}

fn name(p: &mut Parser<'_>) -> Option<(String, Range<usize>)> {
    p.skip_space();
    if let Some(quoted) = p.quoted_here(TokenKind::Field) {
        return Some(quoted);
    }
    p.take_here(TokenKind::Field, terminals::expr_name).map(|(name, span)| (name.to_owned(), span))
}

fn sum(p: &mut Parser<'_>) -> Option<Expr> {
    chain(p, &[BinaryOp::Add, BinaryOp::Subtract], product)
}

fn product(p: &mut Parser<'_>) -> Option<Expr> {
    chain(p, &[BinaryOp::Multiply, BinaryOp::Divide, BinaryOp::Modulo], unary)
}

/// Operands with operators of one rank between them, from the left. Each operator makes the tree deeper, so each counts
/// as a level of nesting.
fn chain(p: &mut Parser<'_>, operators: &[BinaryOp], operand: fn(&mut Parser<'_>) -> Option<Expr>) -> Option<Expr> {
    let mut left = operand(p)?;
    let mut operands = 1;
    while let Some((op, span)) = operators.iter().find_map(|op| p.eat(op.as_str()).map(|span| (*op, span))) {
        operands += 1;
        if operands > crate::limits::NESTING_MAX {
            let message = format!("an expression joins more than {} values (NESTING_MAX)", crate::limits::NESTING_MAX);
            p.stop(span, message);
            return None;
        }
        let right = operand(p)?;
        left = Expr::Binary(Box::new(left), op, Box::new(right));
    }
    Some(left)
}

fn unary(p: &mut Parser<'_>) -> Option<Expr> {
    match p.eat("-") {
        Some(sign) => p.nested(sign, unary).map(|inner| Expr::Negate(Box::new(inner))),
        None => primary(p),
    }
}

fn primary(p: &mut Parser<'_>) -> Option<Expr> {
    if let Some(open) = p.eat("(") {
        return p.nested(open.clone(), |p| {
            let inner = sum(p)?;
            p.close(open, ")");
            Some(inner)
        });
    }
    if let Some((digits, span)) = p.take(TokenKind::Number, terminals::number) {
        let number = digits.parse().ok().filter(|n: &f64| n.is_finite());
        if number.is_none() {
            p.report(Diagnostic::error(span, "this number is too large").hint("numbers go up to about 1.8e308"));
        }
        return number.map(Expr::Number);
    }
    let Some((name, span)) = name(p) else {
        p.expected("a number or a field", HINT);
        return None;
    };
    if p.peek_here() == Some('(') { call(p, &name, span) } else { Some(Expr::Field(name)) }
}

fn call(p: &mut Parser<'_>, name: &str, span: Range<usize>) -> Option<Expr> {
    p.retag(TokenKind::Function);
    let names = MathFunction::ALL.map(MathFunction::as_str);
    let Some(function) = MathFunction::ALL.into_iter().find(|function| function.as_str() == name) else {
        let hint = match nearest(name, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("available are {}", names.join(", ")),
        };
        p.report(Diagnostic::error(span, format!("unknown function `{name}`")).hint(hint));
        return None;
    };
    let arguments = p.nested(span.clone(), |p| p.parenthesised("a number or a field", HINT, sum))?;
    let many = matches!(function, MathFunction::Min | MathFunction::Max);
    if arguments.is_empty() || (!many && arguments.len() > 1) {
        let wanted = if many { "at least one argument" } else { "one argument" };
        let message = format!("`{name}` takes {wanted}, not {}", arguments.len());
        p.report(Diagnostic::error(span.start..p.at, message).hint(format!("for example {name}(a / b)")));
        return None;
    }
    Some(Expr::Call(function, arguments))
}

/// The canonical text.
pub(super) fn print(columns: &[(String, Expr)]) -> String {
    let one = |(name, value): &(String, Expr)| format!("{} = {}", text::expr_name_text(name), text::format_expr(value));
    format!("eval {}", columns.iter().map(one).collect::<Vec<_>>().join(", "))
}
