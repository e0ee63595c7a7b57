//! Questions about what a value is. Conditions that choose which values are computed are the program's own steps.

use lang::ScalarFunction;

use super::{Run, text};
use crate::value::Value;

/// What computes a function that no other family has.
pub(super) fn pick(function: ScalarFunction) -> Run {
    match function {
        ScalarFunction::IsMissing => |v, _| Some(Value::Bool(v[0].is_blank())),
        ScalarFunction::Exists => |v, _| Some(Value::Bool(!v[0].is_blank())),
        ScalarFunction::TypeOf => |v, _| Some(Value::text(kind(&v[0]))),
        ScalarFunction::SeverityNumber => |v, _| {
            let text = text(v, 0)?;
            let severity = match text.trim().parse() {
                Ok(number) => return model::Severity::from_number(number).map(|_| Value::Int(number.into())),
                Err(_) => model::Severity::from_text(&text)?,
            };
            Some(Value::Int(severity.number().into()))
        },
        // The program computes these itself, and the tests of every function would find one that is nowhere.
        _ => |_, _| None,
    }
}

fn kind(value: &Value<'_>) -> &'static str {
    match value {
        Value::Missing => "missing",
        Value::Bool(_) => "bool",
        Value::Int(_) | Value::Number(_) => "number",
        Value::Time(_) => "time",
        Value::Text(_) => "text",
        Value::Json(text) if text.starts_with('{') => "object",
        Value::Json(_) => "list",
    }
}
