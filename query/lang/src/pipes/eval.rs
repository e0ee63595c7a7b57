//! `eval n = a / b * 100, m = lower(x)`: new columns computed by expressions. Also in LogsQL's order: `math a / b as n`.

use super::PipeSpec;
use crate::complete::Offer;
use crate::expr::{column_name, column_text, expression, format_expr};
use crate::parser::Parser;
use crate::{Expr, PipeKind};

pub(super) const SPEC: PipeSpec = PipeSpec {
    names: &["eval", "math"],
    alias_of: None,
    syntax: "eval name = expression, ...",
    summary: "computes columns",
    doc: "Each expression sees the columns before it; a column that has the name already is replaced. What cannot be computed \
          is missing. LogsQL's order `math expression as name` is read too.",
    examples: &[
        "* | stats count() as total, count() if (severity:ERROR) as errors | eval percent = errors / total * 100",
        "duration_ms:* | eval seconds = round(duration_ms / 1000), slow = duration_ms > 500",
        "* | eval host = lower(url_host(url)), code = extract(body, \"status=(\\d+)\") | limit 5",
    ],
    parse,
    complete: |_| Offer::expression(),
};

const HINT: &str = "for example eval percent = errors / total * 100";

pub(super) fn parse(p: &mut Parser<'_>) -> Option<Vec<PipeKind>> {
    Some(vec![PipeKind::Eval(p.list("a name and an expression", HINT, column)?)])
}

fn column(p: &mut Parser<'_>) -> Option<(String, Expr)> {
    let start = (p.at, p.tokens.len(), p.diagnostics.len());
    if let Some((name, _)) = column_name(p) {
        p.skip_space();
        if !p.rest().starts_with("==") && !p.rest().starts_with("=~") && p.eat_here("=").is_some() {
            return Some((name, expression(p)?));
        }
        p.at = start.0;
        p.tokens.truncate(start.1);
        p.diagnostics.truncate(start.2);
    }
    let expr = expression(p)?;
    if p.eat_keyword("as").is_none() {
        p.expected("`as` and a name", HINT);
        return None;
    }
    match column_name(p) {
        Some((name, _)) => Some((name, expr)),
        None => {
            p.expected("a name", HINT);
            None
        }
    }
}

/// The canonical text.
pub(super) fn print(columns: &[(String, Expr)]) -> String {
    let one = |(name, value): &(String, Expr)| format!("{} = {}", column_text(name), format_expr(value));
    format!("eval {}", columns.iter().map(one).collect::<Vec<_>>().join(", "))
}
