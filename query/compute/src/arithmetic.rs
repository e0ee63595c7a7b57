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

/// A number or a time to compute with.
enum Operand {
    Number(Num),
    Time(i64),
}

fn operand(value: &Value<'_>) -> Option<Operand> {
    match value {
        Value::Time(ns) => Some(Operand::Time(*ns)),
        Value::Text(text) => value.number().map(Operand::Number).or_else(|| civil_time(text).map(Operand::Time)),
        _ => value.number().map(Operand::Number),
    }
}

fn arithmetic(op: BinaryOp, a: &Value<'_>, b: &Value<'_>) -> Option<Value<'static>> {
    match (operand(a)?, op, operand(b)?) {
        (Operand::Number(a), _, Operand::Number(b)) => numbers(op, a, b),
        (Operand::Time(a), BinaryOp::Subtract, Operand::Time(b)) => a.checked_sub(b).map(Value::Int),
        (Operand::Time(time), BinaryOp::Subtract, Operand::Number(_)) => {
            Some(Value::Time(time.checked_sub(b.duration()?)?))
        }
        (Operand::Time(time), BinaryOp::Add, Operand::Number(_)) => Some(Value::Time(time.checked_add(b.duration()?)?)),
        (Operand::Number(_), BinaryOp::Add, Operand::Time(time)) => Some(Value::Time(time.checked_add(a.duration()?)?)),
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
