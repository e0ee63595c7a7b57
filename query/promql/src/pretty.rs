//! Queries on several lines: what Prometheus's `format_query` does.

use std::fmt::{self, Write as _};

use crate::ast::Expr;

/// Longest line that is not broken.
const LINE_MAX: usize = 100;

const INDENT: &str = "  ";

/// Operators of a chain that are put on lines of their own. Each indents what is left of it, so that the text grows with the square
/// of their number: a longer chain stays on one line.
pub const PRETTY_OPERATORS_MAX: usize = 1_000;

impl Expr {
    /// The query in canonical form, broken into indented lines where it is longer than 100 characters.
    pub fn pretty(&self) -> String {
        self.pretty_within(LINE_MAX)
    }

    /// As [`Expr::pretty`], with another length of lines.
    pub fn pretty_within(&self, line_max: usize) -> String {
        crate::stack::with_room(self, || pretty(self, 0, line_max)).unwrap_or_else(|_| self.to_string())
    }
}

/// The expression on one line, if it is not longer than that.
fn fitting(expr: &Expr, line_max: usize) -> Option<String> {
    let mut line = Line { text: String::new(), max: line_max };
    write!(line, "{expr}").ok().map(|()| line.text)
}

/// A line that refuses what does not fit, so that a long expression is not written out to see that it is too long.
struct Line {
    text: String,
    max: usize,
}

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.text.push_str(text);
        if self.text.len() <= self.max { Ok(()) } else { Err(fmt::Error) }
    }
}

/// Operators on lines of their own, as far as the expression does not fit on one.
fn pretty_chain(expr: &Expr, level: usize, line_max: usize) -> String {
    if expr.chain().0.len() > PRETTY_OPERATORS_MAX {
        return format!("{}{expr}", INDENT.repeat(level));
    }
    let mut operators = Vec::new();
    let mut first = expr;
    while let Expr::Binary(binary) = first
        && fitting(first, line_max).is_none()
    {
        operators.push(binary);
        first = &binary.left;
    }
    let mut out = pretty(first, level + operators.len(), line_max);
    for (at, binary) in operators.iter().enumerate().rev() {
        let right = pretty(&binary.right, level + at + 1, line_max);
        out.push_str(&format!("\n{}{}\n{right}", INDENT.repeat(level + at), binary.middle()));
    }
    out
}

/// `level` says how far the expression is indented.
fn pretty(expr: &Expr, level: usize, line_max: usize) -> String {
    let indent = INDENT.repeat(level);
    let inner = |expr: &Expr| pretty(expr, level + 1, line_max);
    let fitting = fitting(expr, line_max);
    let whole = || fitting.clone().unwrap_or_else(|| expr.to_string());
    let fits = fitting.is_some();
    match expr {
        Expr::Unary { negative, expr, .. } => {
            let sign = if *negative { '-' } else { '+' };
            format!("{indent}{sign}{}", pretty(expr, level, line_max).trim())
        }
        Expr::Subquery(_) if fits => whole(),
        Expr::Subquery(subquery) => format!("{}{}", pretty(&subquery.expr, level, line_max), subquery.suffix()),
        _ if fits => format!("{indent}{}", whole()),
        Expr::Number(..) | Expr::String(..) | Expr::Vector(_) | Expr::Matrix(_) => format!("{indent}{}", whole()),
        Expr::Call(call) => {
            let args: Vec<String> = call.args.iter().map(inner).collect();
            format!("{indent}{}(\n{}\n{indent})", call.function.name, args.join(",\n"))
        }
        Expr::Aggregate(aggregate) => {
            let param = aggregate.param.as_ref().map(|param| format!("{},\n", inner(param))).unwrap_or_default();
            format!("{indent}{}(\n{param}{}\n{indent})", aggregate.prefix(), inner(&aggregate.expr))
        }
        Expr::Binary(_) => pretty_chain(expr, level, line_max),
        Expr::Paren(expr, _) => format!("{indent}(\n{}\n{indent})", inner(expr)),
    }
}
