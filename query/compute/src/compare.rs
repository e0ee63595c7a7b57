//! How values compare.
//!
//! A value is compared as filters compare it: numbers as numbers when one side is one, texts by their bytes; a missing value
//! is the empty text when equality is asked, and neither below nor above anything.

use std::cmp::Ordering;

use crate::value::{Num, Value};

/// Whether two values are the same. A text that is a number is the same as that number; two texts are the same when they
/// read the same, so that versions and ids are not taken for numbers.
pub(crate) fn equal(a: &Value<'_>, b: &Value<'_>) -> bool {
    match (a, b) {
        (Value::Missing, other) | (other, Value::Missing) => other.is_blank(),
        (Value::Text(a) | Value::Json(a), Value::Text(b) | Value::Json(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Time(_), _) | (_, Value::Time(_)) => a.time().is_some_and(|a| Some(a) == b.time()),
        (Value::Bool(flag), Value::Text(text)) | (Value::Text(text), Value::Bool(flag)) => {
            text.eq_ignore_ascii_case(if *flag { "true" } else { "false" })
        }
        _ => a.number().zip(b.number()).is_some_and(|(a, b)| order_numbers(a, b) == Some(Ordering::Equal)),
    }
}

/// Which of two values comes first; `None` when they do not compare: one is missing, or a number meets a text that is none.
pub(crate) fn order(a: &Value<'_>, b: &Value<'_>) -> Option<Ordering> {
    match (a, b) {
        (Value::Missing, _) | (_, Value::Missing) => None,
        (Value::Time(_), _) | (_, Value::Time(_)) => Some(a.time()?.cmp(&b.time()?)),
        (Value::Text(left) | Value::Json(left), Value::Text(right) | Value::Json(right)) => {
            match a.number().zip(b.number()) {
                Some((a, b)) => order_numbers(a, b),
                None => Some(left.as_bytes().cmp(right.as_bytes())),
            }
        }
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        _ => order_numbers(a.number()?, b.number()?),
    }
}

/// An order of all values but missing ones: numbers before texts, as `sort` has it.
pub(crate) fn total_order(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    match (a.number(), b.number()) {
        (Some(a), Some(b)) => order_numbers(a, b).unwrap_or(Ordering::Equal),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => a.to_text().cmp(&b.to_text()),
    }
}

/// Numbers of both forms by their exact values: a double above 2^53 is not rounded to, nor is a whole number.
fn order_numbers(a: Num, b: Num) -> Option<Ordering> {
    match (a, b) {
        (Num::Int(a), Num::Int(b)) => Some(a.cmp(&b)),
        (Num::Float(a), Num::Float(b)) => a.partial_cmp(&b),
        (Num::Int(a), Num::Float(b)) => order_mixed(a, b),
        (Num::Float(a), Num::Int(b)) => order_mixed(b, a).map(Ordering::reverse),
    }
}

fn order_mixed(whole: i64, other: f64) -> Option<Ordering> {
    match Num::of(other.floor()) {
        Some(Num::Int(floor)) => {
            let below = if other > other.floor() { Ordering::Less } else { Ordering::Equal };
            Some(whole.cmp(&floor).then(below))
        }
        // Beyond every whole number of 64 bits, or not a number at all.
        _ => 0.0.partial_cmp(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_numbers_and_doubles_compare_exactly() {
        let big = 9_007_199_254_740_993;
        assert_eq!(order(&Value::Int(big), &Value::Number(9_007_199_254_740_992.0)), Some(Ordering::Greater));
        assert_eq!(order(&Value::Int(2), &Value::Number(2.5)), Some(Ordering::Less));
        assert_eq!(order(&Value::Number(-2.5), &Value::Int(-2)), Some(Ordering::Less));
        assert_eq!(order(&Value::Int(-3), &Value::Number(-2.5)), Some(Ordering::Less));
        assert_eq!(order(&Value::Int(i64::MAX), &Value::Number(1e19)), Some(Ordering::Less));
        assert_eq!(order(&Value::Int(i64::MIN), &Value::Number(f64::NEG_INFINITY)), Some(Ordering::Greater));
        assert_eq!(order(&Value::Int(0), &Value::Number(f64::NAN)), None);
        assert_eq!(order(&Value::Int(i64::MAX), &Value::Number(9_223_372_036_854_775_808.0)), Some(Ordering::Less));
    }

    #[test]
    fn texts_are_numbers_only_beside_numbers() {
        let text = |text: &'static str| Value::text(text);
        assert!(equal(&text("200"), &Value::Int(200)) && equal(&text("2e2"), &Value::Int(200)));
        assert!(!equal(&text("1.0"), &text("1")) && equal(&text("1.0"), &Value::Int(1)));
        assert_eq!(order(&text("9"), &text("10")), Some(Ordering::Less));
        assert_eq!(order(&text("9a"), &text("10")), Some(Ordering::Greater));
        assert_eq!(order(&text("n/a"), &Value::Int(10)), None);
        assert!(equal(&Value::Missing, &text("")) && !equal(&Value::Missing, &Value::Int(0)));
        assert!(equal(&Value::Bool(true), &text("TRUE")));
        assert!(equal(&Value::Time(1_795_424_400_000_000_000), &text("2026-11-23T10:00:00+01:00")));
        assert!(equal(&Value::Time(1_795_424_400_000_000_000), &Value::Int(1_795_424_400)));
    }
}
