//! Which fields a filter and an expression read.

use std::collections::BTreeSet;

use lang::{Expr, FieldName, Filter};
use model::field;

/// The fields that a filter reads; `None` when it looks at any field of the row.
pub fn filter_fields(filter: &Filter) -> Option<BTreeSet<String>> {
    let mut out = BTreeSet::new();
    collect_filter(filter, &mut out).then_some(out)
}

fn collect_filter(filter: &Filter, out: &mut BTreeSet<String>) -> bool {
    match filter {
        Filter::All | Filter::Nothing => true,
        Filter::And(parts) | Filter::Or(parts) => parts.iter().all(|part| collect_filter(part, out)),
        Filter::Not(inner) => collect_filter(inner, out),
        Filter::Field(FieldName::Any, _) => false,
        Filter::Field(FieldName::Named(name), _) => {
            out.insert(name.clone());
            true
        }
        Filter::Stream(matchers) => {
            out.extend(matchers.iter().map(|matcher| matcher.name.clone()));
            true
        }
        Filter::Time(_) => {
            out.insert(field::TIME.to_owned());
            true
        }
    }
}

/// The fields that an expression reads.
pub fn expr_fields(expr: &Expr) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    collect_expr(expr, &mut out);
    out
}

fn collect_expr(expr: &Expr, out: &mut BTreeSet<String>) {
    match expr {
        Expr::Number(_) => {}
        Expr::Field(name) => {
            out.insert(name.clone());
        }
        Expr::Negate(inner) => collect_expr(inner, out),
        Expr::Binary(left, _, right) => {
            collect_expr(left, out);
            collect_expr(right, out);
        }
        Expr::Call(_, arguments) => arguments.iter().for_each(|argument| collect_expr(argument, out)),
    }
}

/// Whether a name is what a pattern of `fields` and `drop` stands for: the name itself, or a start with `*` behind it.
pub fn pattern_matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => name.starts_with(prefix),
        None => pattern == name,
    }
}
