//! Whether a result is the expected one.

use model::{Labels, is_stale_nan};
use promql::{MatrixSeries, Outcome, QueryValue};

use crate::series::Item;

/// What a case expects.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) fail: Option<Pattern>,
    pub(crate) ordered: bool,
    pub(crate) warnings: Vec<Pattern>,
    pub(crate) infos: Vec<Pattern>,
    pub(crate) no_warnings: bool,
    pub(crate) no_infos: bool,
    pub(crate) string: Option<String>,
    pub(crate) scalar: Option<f64>,
    /// start, end, step of a matrix that an instant query yields.
    pub(crate) range: Option<(i64, i64, i64)>,
    pub(crate) series: Vec<(Labels, Vec<Item>)>,
}

/// A text to find.
#[derive(Debug)]
pub(crate) enum Pattern {
    Any,
    Exact(String),
    Regex(regex::Regex),
}

impl Pattern {
    pub(crate) fn matches(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Exact(want) => want == text,
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

pub(crate) fn almost_equal(a: f64, b: f64) -> bool {
    if is_stale_nan(a) || is_stale_nan(b) {
        return is_stale_nan(a) && is_stale_nan(b);
    }
    if a == b || (a.is_nan() && b.is_nan()) {
        return true;
    }
    let sum = a.abs() + b.abs();
    let diff = (a - b).abs();
    if a == 0.0 || b == 0.0 || sum < f64::MIN_POSITIVE {
        return diff < 1e-6 * f64::MIN_POSITIVE;
    }
    diff / sum.min(f64::MAX) < 1e-6
}

/// Compares; the error says what differs.
pub(crate) fn check(
    expected: &Expected,
    outcome: &Outcome,
    text: &str,
    grid: Option<(i64, i64, i64)>,
) -> Result<(), String> {
    annotations(&expected.warnings, expected.no_warnings, &outcome.annotations.warnings(text))?;
    annotations(&expected.infos, expected.no_infos, &outcome.annotations.infos(text))?;
    if expected.fail.is_some() {
        return Err(format!("expected a failure, got {:?}", outcome.value));
    }
    match &outcome.value {
        QueryValue::Scalar(sample) => match expected.scalar {
            Some(want) if almost_equal(want, sample.value) => Ok(()),
            want => Err(format!("scalar {} instead of {want:?}", sample.value)),
        },
        QueryValue::String { value, .. } => {
            if expected.string.as_ref() == Some(value) {
                Ok(())
            } else {
                Err(format!("string {value:?}"))
            }
        }
        QueryValue::Vector(found) => {
            let found: Vec<(&Labels, f64)> = found.iter().map(|sample| (&sample.labels, sample.value)).collect();
            vector(expected, &found)
        }
        QueryValue::Matrix(found) => matrix(expected, found, expected.range.or(grid).ok_or("unexpected matrix")?),
    }
}

fn annotations(want: &[Pattern], none: bool, found: &[String]) -> Result<(), String> {
    if none && !found.is_empty() {
        return Err(format!("unexpected annotations {found:?}"));
    }
    if want.is_empty() {
        return Ok(());
    }
    if let Some(missing) = want.iter().find(|pattern| !found.iter().any(|text| pattern.matches(text))) {
        return Err(format!("no annotation like {missing:?} in {found:?}"));
    }
    match found.iter().find(|text| !want.iter().any(|pattern| pattern.matches(text))) {
        Some(extra) => Err(format!("annotation {extra:?} is not expected")),
        None => Ok(()),
    }
}

fn vector(expected: &Expected, found: &[(&Labels, f64)]) -> Result<(), String> {
    if expected.scalar.is_some() || expected.string.is_some() {
        return Err("a vector is not what was expected".into());
    }
    if expected.series.len() != found.len() {
        return Err(format!("{} series instead of {}: {found:?}", found.len(), expected.series.len()));
    }
    for (at, (labels, items)) in expected.series.iter().enumerate() {
        let place = found.iter().position(|(known, _)| *known == labels);
        let place = place.ok_or_else(|| format!("{labels} is missing in {found:?}"))?;
        if expected.ordered && place != at {
            return Err(format!("{labels} is at {place} instead of {at}"));
        }
        match items[..] {
            [Item::Float(want)] if almost_equal(want, found[place].1) => {}
            _ => return Err(format!("{labels}: {} instead of {items:?}", found[place].1)),
        }
    }
    Ok(())
}

fn matrix(expected: &Expected, found: &[MatrixSeries], grid: (i64, i64, i64)) -> Result<(), String> {
    if !found.is_sorted_by(|a, b| a.labels <= b.labels) {
        return Err("the matrix is not sorted".into());
    }
    let want: Vec<_> = expected.series.iter().collect();
    if want.len() != found.len() {
        return Err(format!("{} series instead of {}: {found:?}", found.len(), want.len()));
    }
    for (labels, items) in want {
        let series = found.iter().find(|series| series.labels == *labels);
        let series = series.ok_or_else(|| format!("{labels} is missing in {found:?}"))?;
        let mut samples = series.samples.iter();
        for (at, item) in items.iter().enumerate() {
            let time = grid.0 + grid.2 * at as i64;
            match item {
                Item::Missing => {}
                Item::Histogram => return Err("expects a native histogram".into()),
                Item::Float(want) => match samples.next() {
                    Some(sample) if sample.time_ms == time && almost_equal(*want, sample.value) => {}
                    other => {
                        return Err(format!("{labels} at {time}: {other:?} instead of {want} in {:?}", series.samples));
                    }
                },
            }
        }
        if let Some(extra) = samples.next() {
            return Err(format!("{labels}: unexpected {extra:?}"));
        }
    }
    Ok(())
}
