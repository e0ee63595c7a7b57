//! Checks queries inside files, and reads from them what evaluation needs to know.

use config::QueryProblem;
use model::Timestamp;
use promql::{BinaryOp, Expr, ParserOptions, Type};

/// What is known about a PromQL expression.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PromqlInfo {
    /// The part whose emptiness means "no data", when a comparison filters it: `a` of `a > 5`. `None` when the expression does not
    /// filter, then its own emptiness is it.
    pub presence: Option<String>,
    /// What the whole expression compares with a number: `a` of `a < 5`. `None` when it does anything else.
    pub bound: Option<Bound>,
}

/// A comparison with a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// What is compared.
    pub expr: String,
    /// Whether it holds for small values.
    pub wants_less: bool,
}

/// Checks an expression: it must parse, with nothing beyond what `language` switches on, and yield a number or an instant vector.
pub fn check_promql(text: &str, language: ParserOptions) -> Result<PromqlInfo, QueryProblem> {
    let expr = promql::parse_with(text, &language).map_err(|error| QueryProblem {
        offset: error.span.start,
        message: format!("promql: {}", error.message),
        hint: None,
    })?;
    match expr.result_type() {
        Type::Scalar | Type::Vector => Ok(PromqlInfo { presence: presence(&expr, text), bound: bound(&expr, text) }),
        other => Err(QueryProblem::new(
            0,
            format!("promql: the expression yields a {}", other.as_str()),
            "a rule needs a number or an instant vector; wrap a range in a function such as rate()",
        )),
    }
}

fn bound(expr: &Expr, text: &str) -> Option<Bound> {
    let Expr::Binary(binary) = expr.unparen() else { return None };
    if binary.bool_modifier || binary.right.result_type() != Type::Scalar {
        return None;
    }
    let wants_less = match binary.op {
        BinaryOp::Lt | BinaryOp::Le => true,
        BinaryOp::Gt | BinaryOp::Ge => false,
        _ => return None,
    };
    let span = binary.left.unparen().span();
    text.get(span.start..span.end).map(|expr| Bound { expr: expr.to_owned(), wants_less })
}

/// The data side of a filtering expression. Comparisons and set operators are peeled off; what is left yields a sample for every
/// series that has data.
fn presence(expr: &Expr, text: &str) -> Option<String> {
    let mut side = None;
    let mut at = expr;
    // Not by recursion: a chain of operators may be long.
    while let Expr::Binary(binary) = at.unparen() {
        let filters = (binary.op.is_comparison() && !binary.bool_modifier) || binary.op.is_set();
        if !filters {
            break;
        }
        at = if binary.left.result_type() == Type::Scalar { &binary.right } else { &binary.left };
        side = Some(at.unparen().span());
    }
    let span = side?;
    text.get(span.start..span.end).map(str::to_owned)
}

/// What is known about a log query.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogsInfo {
    /// The fields that its last `stats` groups by: the labels of its rows.
    pub by: Vec<String>,
}

/// Checks a log query: it must parse and end in numbers, that is hold a `stats` pipe.
pub fn check_logs(text: &str) -> Result<LogsInfo, QueryProblem> {
    let (query, diagnostics) = lang::parse(text, Timestamp::default());
    if let Some(found) = diagnostics.into_iter().find(lang::Diagnostic::is_error) {
        return Err(QueryProblem { offset: found.span.start, message: found.message, hint: found.hint });
    }
    let stats = query.pipes.iter().rev().find_map(|pipe| match &pipe.kind {
        lang::PipeKind::Stats(stats) => Some(stats),
        _ => None,
    });
    let Some(stats) = stats else {
        let hint = "add a pipe such as | stats by (service.name) count() as n";
        return Err(QueryProblem::new(text.len(), "the query of a log rule yields no numbers", hint));
    };
    let by = stats.by.iter().filter_map(|group| match group {
        lang::Group::Field(name) => Some(name.clone()),
        _ => None,
    });
    Ok(LogsInfo { by: by.collect() })
}
