//! Functions of numbers.

use std::cmp::Ordering;

use lang::{BinaryOp, ScalarFunction};

use super::{Run, quantity, text};
use crate::value::{Num, Value};
use crate::{arithmetic, compare};

pub(super) fn pick(function: ScalarFunction) -> Option<Run> {
    Some(match function {
        ScalarFunction::Abs => |v, _| match v[0].number()? {
            Num::Int(n) => Some(n.checked_abs().map_or_else(|| Value::Number((n as f64).abs()), Value::Int)),
            Num::Float(n) => Some(Value::of(n.abs())),
        },
        ScalarFunction::Ceil => |v, _| rounded(v, f64::ceil),
        ScalarFunction::Floor => |v, _| rounded(v, f64::floor),
        ScalarFunction::Truncate => |v, _| rounded(v, f64::trunc),
        ScalarFunction::Round => |v, _| round(v),
        ScalarFunction::Min => |v, _| extreme(v, Ordering::Less),
        ScalarFunction::Max => |v, _| extreme(v, Ordering::Greater),
        ScalarFunction::Sqrt => |v, _| double(v, f64::sqrt),
        ScalarFunction::Exp => |v, _| double(v, f64::exp),
        ScalarFunction::Ln => |v, _| double(v, f64::ln),
        ScalarFunction::Log10 => |v, _| double(v, f64::log10),
        ScalarFunction::Log2 => |v, _| double(v, f64::log2),
        ScalarFunction::Pow => |v, _| power(v[0].number()?, v[1].number()?),
        ScalarFunction::Sign => |v, _| {
            let order = v[0].as_f64()?.partial_cmp(&0.0)?;
            Some(Value::Int(order as i64))
        },
        ScalarFunction::Mod => |v, _| arithmetic::numbers(BinaryOp::Modulo, v[0].number()?, v[1].number()?),
        ScalarFunction::ToNumber => |v, _| match &v[0] {
            Value::Bool(flag) => Some(Value::Int(i64::from(*flag))),
            other => other.number().map(Value::from),
        },
        ScalarFunction::ToInteger => |v, _| match &v[0] {
            Value::Bool(flag) => Some(Value::Int(i64::from(*flag))),
            other => other.whole().map(Value::Int),
        },
        ScalarFunction::ToText => |v, _| text(v, 0).map(Value::Text),
        ScalarFunction::IsNumber => |v, _| {
            let is_time = matches!(v[0], Value::Time(_));
            Some(Value::Bool(!is_time && v[0].number().is_some()))
        },
        ScalarFunction::ParseHex => |v, _| parse_hex(&text(v, 0)?).map(Value::Int),
        ScalarFunction::ToDuration => |v, _| v[0].duration().map(Value::Int),
        ScalarFunction::FormatDuration => |v, _| v[0].duration().map(|ns| Value::text(quantity::duration_text(ns))),
        ScalarFunction::ToBytes => |v, _| match v[0].number() {
            Some(number) => number.truncated().map(Value::Int),
            None => lang::parse_size(&text(v, 0)?).map(Value::Int),
        },
        ScalarFunction::FormatBytes => |v, _| v[0].as_f64().map(|bytes| Value::text(quantity::size_text(bytes))),
        _ => return None,
    })
}

fn double<'r>(v: &[Value<'r>], function: fn(f64) -> f64) -> Option<Value<'r>> {
    Some(Value::of(function(v[0].as_f64()?)))
}

/// Whole numbers are round already.
fn rounded<'r>(v: &[Value<'r>], function: fn(f64) -> f64) -> Option<Value<'r>> {
    match v[0].number()? {
        Num::Int(n) => Some(Value::Int(n)),
        Num::Float(n) => Some(Value::of(function(n))),
    }
}

/// Digits beyond which rounding changes no double.
const DIGITS_MAX: i64 = 308;

fn round<'r>(v: &[Value<'r>]) -> Option<Value<'r>> {
    let number = v[0].number()?;
    let digits = match v.get(1) {
        Some(digits) => digits.whole()?.clamp(-DIGITS_MAX, DIGITS_MAX) as i32,
        None => 0,
    };
    match number {
        Num::Int(n) if digits >= 0 => Some(Value::Int(n)),
        Num::Int(n) => Some(round_whole(n, digits.unsigned_abs())),
        Num::Float(n) if digits == 0 => Some(Value::of(n.round())),
        Num::Float(n) => {
            let factor = 10f64.powi(digits.abs());
            let scaled = if digits > 0 { n * factor } else { n / factor };
            // So many digits that nothing is left to round.
            if !scaled.is_finite() {
                return Some(Value::of(n));
            }
            Some(Value::of(if digits > 0 { scaled.round() / factor } else { scaled.round() * factor }))
        }
    }
}

fn round_whole(n: i64, zeros: u32) -> Value<'static> {
    let Some(unit) = 10i128.checked_pow(zeros).filter(|unit| *unit <= i128::from(u64::MAX)) else {
        return Value::Int(0);
    };
    let half = if n < 0 { -unit / 2 } else { unit / 2 };
    let result = (i128::from(n) + half) / unit * unit;
    i64::try_from(result).map_or_else(|_| Value::of(result as f64), Value::Int)
}

fn extreme<'r>(v: &mut [Value<'r>], wanted: Ordering) -> Option<Value<'r>> {
    let mut best = 0;
    for at in 1..v.len() {
        if compare::total_order(&v[at], &v[best]) == wanted {
            best = at;
        }
    }
    // The number that a text is, so that `max` of texts and numbers is one kind of value.
    match (&v[best], v[best].number()) {
        (Value::Text(_), Some(number)) => Some(number.into()),
        _ => Some(std::mem::take(&mut v[best])),
    }
}

fn power<'r>(base: Num, exponent: Num) -> Option<Value<'r>> {
    if let (Num::Int(base), Num::Int(exponent)) = (base, exponent)
        && let Some(exact) = u32::try_from(exponent).ok().and_then(|exponent| base.checked_pow(exponent))
    {
        return Some(Value::Int(exact));
    }
    Some(Value::of(base.as_f64().powf(exponent.as_f64())))
}

fn parse_hex(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_hexdigit());
    if plain { i64::from_str_radix(digits, 16).ok() } else { None }
}
