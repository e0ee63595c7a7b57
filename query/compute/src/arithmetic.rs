//! Arithmetic. Whole numbers stay whole while they fit; what is no finite number is missing.

use lang::BinaryOp;

use crate::compare;
use crate::value::{Num, Value, civil_time};

/// What an operator makes of two values.
pub(crate) fn binary(op: BinaryOp, a: &Value<'_>, b: &Value<'_>) -> Value<'static> {
    use std::cmp::Ordering;
    let ordered = |holds: fn(Ordering) -> bool| Value::Bool(compare::order(a, b).is_some_and(holds));
    match op {
        BinaryOp::Equal => Value::Bool(compare::equal(a, b)),
        BinaryOp::NotEqual => Value::Bool(!compare::equal(a, b)),
        BinaryOp::Less => ordered(Ordering::is_lt),
        BinaryOp::LessOrEqual => ordered(Ordering::is_le),
        BinaryOp::Greater => ordered(Ordering::is_gt),
        BinaryOp::GreaterOrEqual => ordered(Ordering::is_ge),
        BinaryOp::Add | BinaryOp::Subtract | BinaryOp::Multiply | BinaryOp::Divide | BinaryOp::Modulo => {
            arithmetic(op, a, b).unwrap_or_default()
        }
    }
}

/// Two numbers, or a time and a number or another time. A text counts as a number; beside a time, and only there, one in
/// RFC 3339 counts as a time, so that what two fields make is always a number.
fn arithmetic(op: BinaryOp, a: &Value<'_>, b: &Value<'_>) -> Option<Value<'static>> {
    match (a, b) {
        (Value::Time(time), other) => match (op, moment(other)) {
            (BinaryOp::Subtract, Some(other)) => time.checked_sub(other).map(Value::Int),
            (BinaryOp::Subtract, None) => time.checked_sub(other.duration()?).map(Value::Time),
            (BinaryOp::Add, None) => time.checked_add(other.duration()?).map(Value::Time),
            _ => None,
        },
        (other, Value::Time(time)) => match (op, moment(other)) {
            (BinaryOp::Subtract, Some(other)) => other.checked_sub(*time).map(Value::Int),
            (BinaryOp::Add, None) => time.checked_add(other.duration()?).map(Value::Time),
            _ => None,
        },
        _ => numbers(op, a.number()?, b.number()?),
    }
}

fn moment(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Time(ns) => Some(*ns),
        Value::Text(text) => civil_time(text),
        _ => None,
    }
}

/// Two numbers; whole ones exactly when the result fits.
pub(crate) fn numbers(op: BinaryOp, a: Num, b: Num) -> Option<Value<'static>> {
    if let (Num::Int(a), Num::Int(b)) = (a, b) {
        let exact = match op {
            BinaryOp::Add => a.checked_add(b),
            BinaryOp::Subtract => a.checked_sub(b),
            BinaryOp::Multiply => a.checked_mul(b),
            BinaryOp::Divide if b != 0 && a.checked_rem(b) == Some(0) => a.checked_div(b),
            BinaryOp::Modulo => a.checked_rem(b),
            _ => None,
        };
        if let Some(exact) = exact {
            return Some(Value::Int(exact));
        }
    }
    let (a, b) = (a.as_f64(), b.as_f64());
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Subtract => a - b,
        BinaryOp::Multiply => a * b,
        BinaryOp::Divide => a / b,
        BinaryOp::Modulo => a % b,
        _ => return None,
    };
    result.is_finite().then_some(Value::Number(result))
}

/// The opposite of a number.
pub(crate) fn negate(value: &Value<'_>) -> Value<'static> {
    match value {
        Value::Time(_) => Value::Missing,
        _ => match value.number() {
            Some(Num::Int(n)) => n.checked_neg().map_or_else(|| Value::Number(-(n as f64)), Value::Int),
            Some(Num::Float(n)) => Value::of(-n),
            None => Value::Missing,
        },
    }
}
