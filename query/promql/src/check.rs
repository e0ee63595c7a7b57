//! Type checks of a parsed expression, with Prometheus's texts.

use crate::ast::{Aggregate, AggregateOp, Binary, Call, Cardinality, Expr, Span, Type, VectorSelector};
use crate::text::quote;

/// A message and where it applies.
pub(crate) type Fault = (Span, String);

/// Checks an expression and all in it. Clears the matching of operators that have a scalar operand.
pub(crate) fn check(expr: &mut Expr) -> Result<Type, Fault> {
    match expr {
        Expr::Number(..) | Expr::String(..) => {}
        Expr::Vector(selector) => check_selector(selector, false)?,
        Expr::Matrix(matrix) => check_selector(&matrix.selector, false)?,
        Expr::Paren(inner, _) => drop(check(inner)?),
        Expr::Unary { expr, span, .. } => {
            let found = check(expr)?;
            if !matches!(found, Type::Scalar | Type::Vector) {
                let message = "unary expression only allowed on expressions of type scalar or instant vector";
                return Err((*span, format!("{message}, got {:?}", found.as_str())));
            }
        }
        Expr::Subquery(subquery) => {
            let found = check(&mut subquery.expr)?;
            if found != Type::Vector {
                let found = if found == Type::Matrix { "matrix" } else { found.as_str() };
                return Err((
                    subquery.span,
                    format!("subquery is only allowed on instant vector, got {found} instead"),
                ));
            }
        }
        Expr::Call(call) => check_call(call)?,
        Expr::Aggregate(aggregate) => check_aggregate(aggregate)?,
        Expr::Binary(_) => check_chain(expr)?,
    }
    Ok(expr.result_type())
}

fn expect(expr: &mut Expr, want: Type, context: &str) -> Result<(), Fault> {
    let found = check(expr)?;
    if found == want {
        return Ok(());
    }
    Err((expr.span(), format!("expected type {} in {context}, got {}", want.as_str(), found.as_str())))
}

fn check_selector(selector: &VectorSelector, empty_allowed: bool) -> Result<(), Fault> {
    let names = selector.matchers.iter().filter(|matcher| matcher.name == model::METRIC_NAME);
    if !selector.name.is_empty() {
        // The parser puts the matcher for the name outside the braces last.
        let total = names.clone().count();
        if let Some(other) = names.take(total.saturating_sub(1)).next() {
            let message = format!("metric name must not be set twice: {:?} or {:?}", selector.name, other.value);
            return Err((selector.span, message));
        }
        return Ok(());
    }
    if empty_allowed || selector.matchers.iter().any(|matcher| !matcher.matches("")) {
        return Ok(());
    }
    Err((selector.span, "vector selector must contain at least one non-empty matcher".into()))
}

fn check_aggregate(aggregate: &mut Aggregate) -> Result<(), Fault> {
    expect(&mut aggregate.expr, Type::Vector, "aggregation expression")?;
    let want = if aggregate.op == AggregateOp::CountValues { Type::String } else { Type::Scalar };
    match &mut aggregate.param {
        Some(param) => expect(param, want, "aggregation parameter"),
        None => Ok(()),
    }
}

fn check_call(call: &mut Call) -> Result<(), Fault> {
    let function = call.function;
    let (wanted, given) = (function.args.len(), call.args.len());
    let fault = |text: String| Err((call.span, text));
    if function.variadic == 0 {
        if wanted != given {
            return fault(format!("expected {wanted} argument(s) in call to {:?}, got {given}", function.name));
        }
    } else {
        let least = wanted - 1;
        let most = least + usize::try_from(function.variadic).unwrap_or(usize::MAX / 2);
        if given < least {
            return fault(format!("expected at least {least} argument(s) in call to {:?}, got {given}", function.name));
        }
        if given > most {
            return fault(format!("expected at most {most} argument(s) in call to {:?}, got {given}", function.name));
        }
    }
    let is_info = function.name == "info";
    for (at, arg) in call.args.iter_mut().enumerate() {
        if is_info && at == 1 {
            check_info_selector(arg, call.span)?;
            continue;
        }
        let want = function.args[at.min(wanted - 1)];
        expect(arg, want, &format!("call to function {:?}", function.name))?;
    }
    Ok(())
}

/// The second argument of `info` is a bare label selector, and may match everything.
fn check_info_selector(arg: &Expr, call: Span) -> Result<(), Fault> {
    let found = arg.result_type();
    if found != Type::Vector {
        let message = format!("expected type instant vector in call to function \"info\", got {}", found.as_str());
        return Err((call, message));
    }
    match arg {
        Expr::Vector(selector) if selector.name.is_empty() => check_selector(selector, true),
        Expr::Vector(_) => Err((arg.span(), "expected label selectors only, got vector selector instead".into())),
        _ => Err((arg.span(), "expected label selectors only".into())),
    }
}

/// Checks operators from the innermost on. The chain is taken apart for it, because one can not climb back up a tree.
fn check_chain(expr: &mut Expr) -> Result<(), Fault> {
    let mut operators: Vec<Box<Binary>> = Vec::new();
    let mut left = std::mem::replace(expr, Expr::placeholder());
    while let Expr::Binary(mut binary) = left {
        left = std::mem::replace(&mut binary.left, Expr::placeholder());
        operators.push(binary);
    }
    let mut found = check(&mut left)?;
    while let Some(mut binary) = operators.pop() {
        binary.left = left;
        check_binary(&mut binary, found)?;
        found = binary.returns;
        left = Expr::Binary(binary);
    }
    *expr = left;
    Ok(())
}

/// Checks an operator whose left side is checked and yields `left`.
fn check_binary(binary: &mut Binary, left: Type) -> Result<(), Fault> {
    let right = check(&mut binary.right)?;
    let span = binary.span;
    let fault = |text: &str| Err((binary.op_span, text.to_owned()));
    let op = binary.op;
    if binary.bool_modifier && !op.is_comparison() {
        return fault("bool modifier can only be used on comparison operators");
    }
    if op.is_comparison() && !binary.bool_modifier && left == Type::Scalar && right == Type::Scalar {
        return fault("comparisons between scalars must use BOOL modifier");
    }
    if let Some(matching) = &binary.matching
        && matching.on
        && let Some(label) = matching.labels.iter().find(|label| matching.include.contains(label))
    {
        return fault(&format!("label {} must not occur in ON and GROUP clause at once", quote(label)));
    }
    for (found, operand) in [(left, &binary.left), (right, &binary.right)] {
        if !matches!(found, Type::Scalar | Type::Vector) {
            let message = "binary expression must contain only scalar and instant vector types";
            return Err((operand.span(), message.to_owned()));
        }
    }
    check_matching(binary, left, right).map_err(|text| (span, text))
}

fn check_matching(binary: &mut Binary, left: Type, right: Type) -> Result<(), String> {
    let op = binary.op;
    let scalar = left == Type::Scalar || right == Type::Scalar;
    let Some(matching) = &mut binary.matching else { return Ok(()) };
    let fills = matching.fill_left.is_some() || matching.fill_right.is_some();
    if scalar {
        if !matching.labels.is_empty() {
            return Err("vector matching only allowed between instant vectors".into());
        }
        if fills {
            return Err("filling in missing series only allowed between instant vectors".into());
        }
        if op.is_set() {
            return Err(format!("set operator {:?} not allowed in binary scalar expression", op.as_str()));
        }
        binary.matching = None;
        return Ok(());
    }
    if op.is_set() {
        if matching.cardinality != Cardinality::OneToOne {
            return Err(format!("no grouping allowed for {:?} operation", op.as_str()));
        }
        if fills {
            return Err("filling in missing series not allowed for set operators".into());
        }
        matching.cardinality = Cardinality::ManyToMany;
    }
    Ok(())
}
