//! What is known of a query before it runs.

use std::collections::HashSet;

use crate::ast::{Binary, BinaryOp, Expr};

/// Selectors, by where they begin, of whose histograms only count and sum matter: those under `histogram_count` and its kin, unless
/// something on the way needs the buckets. Subqueries do, to see resets between samples that they skip.
pub(crate) fn selectors_without_buckets(expr: &Expr) -> HashSet<usize> {
    let mut found = HashSet::new();
    collect(expr, false, &mut found);
    found
}

fn collect(expr: &Expr, counted: bool, found: &mut HashSet<usize>) {
    match expr {
        Expr::Number(..) | Expr::String(..) => {}
        Expr::Vector(selector) if counted => drop(found.insert(selector.span.start)),
        Expr::Matrix(matrix) if counted => drop(found.insert(matrix.selector.span.start)),
        Expr::Vector(_) | Expr::Matrix(_) => {}
        Expr::Subquery(_) => {}
        Expr::Call(call) => {
            let counted = match call.function.name {
                "histogram_count" | "histogram_sum" | "histogram_avg" => true,
                "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => return,
                _ => counted,
            };
            call.args.iter().for_each(|arg| collect(arg, counted, found));
        }
        Expr::Aggregate(aggregate) => {
            if let Some(param) = &aggregate.param {
                collect(param, counted, found);
            }
            collect(&aggregate.expr, counted, found);
        }
        Expr::Binary(_) => {
            let (operators, first) = expr.chain();
            let trims = |binary: &&Binary| matches!(binary.op, BinaryOp::TrimUpper | BinaryOp::TrimLower);
            let reached = operators.iter().position(trims);
            operators[..reached.unwrap_or(operators.len())]
                .iter()
                .for_each(|binary| collect(&binary.right, counted, found));
            if reached.is_none() {
                collect(first, counted, found);
            }
        }
        Expr::Unary { expr, .. } | Expr::Paren(expr, _) => collect(expr, counted, found),
    }
}
