//! Measuring: conditions that hold or not, and numbers.

use model::{TimeRange, Timestamp};

use crate::playbook::{Compare, QueryText};
use crate::result::{RESULT_COLUMNS_MAX, ResultState};
use crate::{Effects, StepResult, VerifyQuery};

/// How a condition came out.
pub(super) enum Measured {
    Holds(String),
    Not(String),
    /// It could not be measured; this is not "it does not hold".
    Unknown(String),
}

/// Measures a condition. An empty answer never holds: absence of data is not recovery.
pub(super) fn condition(query: &VerifyQuery, now: Timestamp, effects: &Effects<'_>) -> Measured {
    match query {
        VerifyQuery::Expr(expr) => match effects.query.instant(expr, now) {
            Err(error) => Measured::Unknown(format!("the query failed: {error}")),
            Ok(samples) if samples.is_empty() => Measured::Not("the expression yields nothing".to_owned()),
            Ok(samples) => {
                let values: Vec<String> =
                    samples.iter().take(5).map(|(labels, value)| format!("{labels} {value}")).collect();
                Measured::Holds(values.join(", "))
            }
        },
        VerifyQuery::Logs { query: text, window_ns, when } => {
            let Some(condition) = query.condition() else {
                return Measured::Unknown(format!("the condition {when:?} can not be read"));
            };
            let range = TimeRange::new(now.saturating_add_ns(-window_ns), now);
            match effects.query.logs(text, range) {
                Err(error) => Measured::Unknown(format!("the query failed: {error}")),
                Ok(rows) if rows.is_empty() => Measured::Unknown("the query yields no rows".to_owned()),
                Ok(rows) => {
                    let held = rows.iter().filter(|row| condition.holds(row)).count();
                    let what = format!("{when} holds for {held} of {} rows", rows.len());
                    if held == rows.len() { Measured::Holds(what) } else { Measured::Not(what) }
                }
            }
        }
    }
}

/// Measures a number. No samples, or no rows, are a result without a value.
pub(super) fn number(text: &QueryText, now: Timestamp, effects: &Effects<'_>) -> Result<StepResult, String> {
    let mut result = StepResult::new("query", ResultState::Ok, "");
    match text {
        QueryText::Expr(expr) => {
            let samples = effects.query.instant(expr, now).map_err(|error| error.to_string())?;
            result.n = Some(samples.len() as u64);
            if let Some((labels, value)) = samples.first() {
                result.value = Some(*value).filter(|value| value.is_finite());
                let labels = labels.iter().take(RESULT_COLUMNS_MAX);
                result.row = labels.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            }
        }
        QueryText::Logs { query, window_ns } => {
            let range = TimeRange::new(now.saturating_add_ns(-window_ns), now);
            let rows = effects.query.logs(query, range).map_err(|error| error.to_string())?;
            result.n = Some(rows.len() as u64);
            if let Some(row) = rows.first() {
                result.value = row.values().find_map(model::Value::number).filter(|value| value.is_finite());
                let columns = row.iter().take(RESULT_COLUMNS_MAX);
                result.row = columns.map(|(name, value)| (name.clone(), value.text().into_owned())).collect();
            }
        }
    }
    result.detail = match (result.value, result.n) {
        (Some(value), n) => format!("{value}, the first of {}", n.unwrap_or(0)),
        (None, _) => "nothing was measured".to_owned(),
    };
    Ok(result)
}

/// The number that a verification compares with before and after: the worst of its samples.
pub(super) fn worst(compare: &Compare, now: Timestamp, effects: &Effects<'_>) -> Option<f64> {
    let samples = effects.query.instant(&compare.expr, now).ok()?;
    let values = samples.into_iter().map(|(_, value)| value).filter(|value| value.is_finite());
    if compare.more_is_worse { values.reduce(f64::max) } else { values.reduce(f64::min) }
}
