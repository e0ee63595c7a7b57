//! Variants of a query that must have the same result: all selectors fixed at the time of the case, evaluated at other times.

use promql::{At, Expr, parse};

/// Functions whose result depends on the time of evaluation even if their arguments do not.
const UNSAFE: [&str; 15] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "end",
    "hour",
    "minute",
    "month",
    "year",
    "predict_linear",
    "range",
    "start",
    "step",
    "time",
    "timestamp",
];

/// The query with every selector at `time_ms`, and the times to evaluate it at; nothing if time matters otherwise.
pub(crate) fn variants(query: &str, time_ms: i64) -> Vec<(String, i64)> {
    let Ok(mut expr) = parse(query) else { return Vec::new() };
    let mut unsafe_call = false;
    expr.walk(&mut |expr| unsafe_call |= matches!(expr, Expr::Call(call) if UNSAFE.contains(&call.function.name)));
    if unsafe_call {
        return Vec::new();
    }
    pin(&mut expr, time_ms);
    let text = expr.to_string();
    let times: &[i64] =
        if time_ms == 0 { &[-1000, 0, 1000] } else { &[-10 * time_ms, 0, time_ms / 5, time_ms, 10 * time_ms] };
    times.iter().map(|time| (text.clone(), *time)).collect()
}

/// Fixes selectors and subqueries. What is inside a subquery is fixed by it.
fn pin(expr: &mut Expr, time_ms: i64) {
    let fix = |at: &mut Option<At>| {
        if !matches!(at, Some(At::TimeMs(_))) {
            *at = Some(At::TimeMs(time_ms));
        }
    };
    match expr {
        Expr::Number(..) | Expr::String(..) => {}
        Expr::Vector(selector) => fix(&mut selector.at),
        Expr::Matrix(matrix) => fix(&mut matrix.selector.at),
        Expr::Subquery(subquery) => fix(&mut subquery.at),
        Expr::Call(call) => call.args.iter_mut().for_each(|arg| pin(arg, time_ms)),
        Expr::Aggregate(aggregate) => {
            if let Some(param) = &mut aggregate.param {
                pin(param, time_ms);
            }
            pin(&mut aggregate.expr, time_ms);
        }
        Expr::Binary(binary) => {
            pin(&mut binary.left, time_ms);
            pin(&mut binary.right, time_ms);
        }
        Expr::Unary { expr, .. } | Expr::Paren(expr, _) => pin(expr, time_ms),
    }
}
