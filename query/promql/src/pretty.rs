//! Queries on several lines: what Prometheus's `format_query` does.

use crate::ast::Expr;

/// Longest line that is not broken.
const LINE_MAX: usize = 100;

const INDENT: &str = "  ";

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

/// `level` says how far the expression is indented.
fn pretty(expr: &Expr, level: usize, line_max: usize) -> String {
    let indent = INDENT.repeat(level);
    let whole = expr.to_string();
    let inner = |expr: &Expr| pretty(expr, level + 1, line_max);
    let fits = whole.len() <= line_max;
    match expr {
        Expr::Unary { negative, expr, .. } => {
            let sign = if *negative { '-' } else { '+' };
            format!("{indent}{sign}{}", pretty(expr, level, line_max).trim())
        }
        Expr::Subquery(_) if fits => whole,
        Expr::Subquery(subquery) => format!("{}{}", pretty(&subquery.expr, level, line_max), subquery.suffix()),
        _ if fits => format!("{indent}{whole}"),
        Expr::Number(..) | Expr::String(..) | Expr::Vector(_) | Expr::Matrix(_) => format!("{indent}{whole}"),
        Expr::Call(call) => {
            let args: Vec<String> = call.args.iter().map(inner).collect();
            format!("{indent}{}(\n{}\n{indent})", call.function.name, args.join(",\n"))
        }
        Expr::Aggregate(aggregate) => {
            let param = aggregate.param.as_ref().map(|param| format!("{},\n", inner(param))).unwrap_or_default();
            format!("{indent}{}(\n{param}{}\n{indent})", aggregate.prefix(), inner(&aggregate.expr))
        }
        Expr::Binary(binary) => {
            format!("{}\n{indent}{}\n{}", inner(&binary.left), binary.middle(), inner(&binary.right))
        }
        Expr::Paren(expr, _) => format!("{indent}(\n{}\n{indent})", inner(expr)),
    }
}
