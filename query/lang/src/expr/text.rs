//! The canonical text of an expression: one spelling for each meaning, which parses back to the same tree.

use super::grammar::{RESERVED, name as name_terminal};
use super::{Expr, ScalarFunction, format_duration, format_size};
use crate::terminals::{is_whole, quote};

/// How tightly the parts of an expression hold together, loosest first. A part that holds more loosely than its place
/// allows is put in parentheses.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Or,
    And,
    Not,
    Comparison,
    Arithmetic,
    Operand,
}

/// The canonical text of an expression.
pub fn format_expr(expr: &Expr) -> String {
    match expr {
        Expr::Null => "null".to_owned(),
        Expr::Bool(value) => value.to_string(),
        Expr::Integer(n) => n.to_string(),
        Expr::Number(n) => n.to_string(),
        Expr::Duration(ns) => format_duration(*ns),
        Expr::Size(bytes) => format_size(*bytes),
        Expr::Text(text, _) => quote(text),
        Expr::Field(name) => field(name),
        Expr::Negate(inner) => format!("-{}", part(inner, Rank::Operand)),
        Expr::Not(inner) => format!("not {}", part(inner, Rank::Not)),
        Expr::Binary(left, op, right) => {
            let rank = if op.is_arithmetic() { Rank::Operand } else { Rank::Arithmetic };
            format!("{} {} {}", part(left, rank), op.as_str(), part(right, rank))
        }
        Expr::And(parts) => joined(parts, " and ", Rank::Not),
        Expr::Or(parts) => joined(parts, " or ", Rank::And),
        Expr::Call(ScalarFunction::In, arguments, _) if arguments.len() > 1 => {
            format!("{} in ({})", part(&arguments[0], Rank::Arithmetic), list(&arguments[1..]))
        }
        Expr::Call(function, arguments, _) => format!("{}({})", function.as_str(), list(arguments)),
    }
}

fn rank(expr: &Expr) -> Rank {
    match expr {
        Expr::Or(_) => Rank::Or,
        Expr::And(_) => Rank::And,
        Expr::Not(_) => Rank::Not,
        Expr::Binary(_, op, _) if op.is_arithmetic() => Rank::Arithmetic,
        Expr::Binary(..) => Rank::Comparison,
        Expr::Call(ScalarFunction::In, arguments, _) if arguments.len() > 1 => Rank::Comparison,
        _ => Rank::Operand,
    }
}

fn part(expr: &Expr, wanted: Rank) -> String {
    let text = format_expr(expr);
    if rank(expr) < wanted { format!("({text})") } else { text }
}

fn joined(parts: &[Expr], separator: &str, wanted: Rank) -> String {
    parts.iter().map(|inner| part(inner, wanted)).collect::<Vec<_>>().join(separator)
}

fn list(arguments: &[Expr]) -> String {
    arguments.iter().map(format_expr).collect::<Vec<_>>().join(", ")
}

/// A field's name; in backticks when it does not read as one.
fn field(name: &str) -> String {
    let plain = is_whole(name_terminal, name) && !RESERVED.iter().any(|word| word.eq_ignore_ascii_case(name));
    if plain { name.to_owned() } else { format!("`{}`", name.replace('`', "``")) }
}

/// The name of a column before `=`.
pub(crate) fn column_text(name: &str) -> String {
    field(name)
}
