//! Whether a result is the expected one.

use model::{FloatHistogram, Labels, is_stale_nan};
use promql::{Annotations, MatrixSeries, QueryValue, SequenceValue, VectorSample};

/// What a case expects.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) fail: Vec<Pattern>,
    pub(crate) ordered: bool,
    pub(crate) warnings: Vec<Pattern>,
    pub(crate) infos: Vec<Pattern>,
    pub(crate) no_warnings: bool,
    pub(crate) no_infos: bool,
    /// Of the old `eval_warn` and `eval_info`: there are some.
    pub(crate) some_warnings: bool,
    pub(crate) some_infos: bool,
    pub(crate) string: Option<String>,
    pub(crate) scalar: Option<f64>,
    /// start, end, step of a matrix that an instant query yields.
    pub(crate) range: Option<(i64, i64, i64)>,
    pub(crate) series: Vec<(Labels, Vec<SequenceValue>)>,
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

fn same_histogram(want: &FloatHistogram, found: &FloatHistogram, hint_set: bool) -> bool {
    let (mut want, mut found) = (want.clone(), found.clone());
    want.compact();
    found.compact();
    let same_side = |a: &model::histogram::Buckets, b: &model::histogram::Buckets| {
        a.counts.len() == b.counts.len() && a.pairs().zip(b.pairs()).all(|(a, b)| a.0 == b.0 && almost_equal(a.1, b.1))
    };
    want.schema == found.schema
        && almost_equal(want.count, found.count)
        && almost_equal(want.sum, found.sum)
        && want.custom_values == found.custom_values
        && want.zero_threshold == found.zero_threshold
        && almost_equal(want.zero_count, found.zero_count)
        && same_side(&want.positive, &found.positive)
        && same_side(&want.negative, &found.negative)
        && (!hint_set || want.reset_hint == found.reset_hint)
}

/// Checks warnings and infos; the error says what differs.
pub(crate) fn check_annotations(expected: &Expected, annotations: &Annotations, query: &str) -> Result<(), String> {
    let (warnings, infos) = (annotations.warnings(query), annotations.infos(query));
    if (expected.some_warnings && warnings.is_empty()) || (expected.some_infos && infos.is_empty()) {
        return Err("expected annotations, got none".into());
    }
    one_kind(&expected.warnings, expected.no_warnings, &warnings)?;
    one_kind(&expected.infos, expected.no_infos, &infos)
}

fn one_kind(want: &[Pattern], none: bool, found: &[String]) -> Result<(), String> {
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

/// Compares a result; the error says what differs.
pub(crate) fn check(expected: &Expected, value: &QueryValue, grid: Option<(i64, i64, i64)>) -> Result<(), String> {
    match value {
        QueryValue::Scalar(sample) => match expected.scalar {
            Some(want) if almost_equal(want, sample.value) => Ok(()),
            want => Err(format!("scalar {} instead of {want:?}", sample.value)),
        },
        QueryValue::String { value, .. } if expected.string.as_ref() == Some(value) => Ok(()),
        QueryValue::String { value, .. } => Err(format!("string {value:?} instead of {:?}", expected.string)),
        QueryValue::Vector(found) => vector(expected, found),
        QueryValue::Matrix(found) => matrix(expected, found, expected.range.or(grid).ok_or("unexpected matrix")?),
    }
}

fn shown(sample: &VectorSample) -> String {
    match &sample.histogram {
        Some(histogram) => format!("{} {}", sample.labels, histogram.test_expression()),
        None => format!("{} {}", sample.labels, sample.value),
    }
}

fn vector(expected: &Expected, found: &[VectorSample]) -> Result<(), String> {
    if expected.scalar.is_some() || expected.string.is_some() {
        return Err("a vector is not what was expected".into());
    }
    let all = || found.iter().map(shown).collect::<Vec<_>>();
    if expected.series.len() != found.len() {
        return Err(format!("{} series instead of {}: {:#?}", found.len(), expected.series.len(), all()));
    }
    for (at, (labels, items)) in expected.series.iter().enumerate() {
        let place = found.iter().position(|sample| sample.labels == *labels);
        let place = place.ok_or_else(|| format!("{labels} is missing in {:#?}", all()))?;
        if expected.ordered && place != at {
            return Err(format!("{labels} is at {place} instead of {at}"));
        }
        let sample = &found[place];
        let same = match (&items[..], &sample.histogram) {
            ([SequenceValue::Float(want)], None) => almost_equal(*want, sample.value),
            ([SequenceValue::Histogram { histogram, hint_set }], Some(found)) => {
                same_histogram(histogram, found, *hint_set)
            }
            _ => false,
        };
        if !same {
            return Err(format!("{} instead of {}", shown(sample), items.iter().map(item).collect::<String>()));
        }
    }
    Ok(())
}

fn item(item: &SequenceValue) -> String {
    match item {
        SequenceValue::Missing => "_".into(),
        SequenceValue::Float(value) => value.to_string(),
        SequenceValue::Histogram { histogram, .. } => histogram.test_expression(),
    }
}

fn matrix(expected: &Expected, found: &[MatrixSeries], grid: (i64, i64, i64)) -> Result<(), String> {
    if expected.ordered || expected.scalar.is_some() || expected.string.is_some() {
        return Err("a matrix is not what was expected".into());
    }
    if !found.is_sorted_by(|a, b| a.labels <= b.labels) {
        return Err("the matrix is not sorted".into());
    }
    if expected.series.len() != found.len() {
        return Err(format!("{} series instead of {}: {found:#?}", found.len(), expected.series.len()));
    }
    for (labels, items) in &expected.series {
        let series = found.iter().find(|series| series.labels == *labels);
        let series = series.ok_or_else(|| format!("{labels} is missing in {found:?}"))?;
        let (mut samples, mut histograms) = (series.samples.iter(), series.histograms.iter());
        for (at, want) in items.iter().enumerate() {
            let time = grid.0 + grid.2 * at as i64;
            if time > grid.1 {
                return Err(format!("{labels}: more points expected than there are steps"));
            }
            let (same, found) = match want {
                SequenceValue::Missing => continue,
                SequenceValue::Float(want) => {
                    let found = samples.next();
                    let same = found.is_some_and(|s| s.time_ms == time && almost_equal(*want, s.value));
                    (same, format!("{found:?}"))
                }
                SequenceValue::Histogram { histogram, hint_set } => {
                    let found = histograms.next();
                    let same = |s: &promql::HistogramSample| {
                        s.time_ms == time && same_histogram(histogram, &s.histogram, *hint_set)
                    };
                    (
                        found.is_some_and(same),
                        format!("{:?}", found.map(|s| (s.time_ms, s.histogram.test_expression()))),
                    )
                }
            };
            if !same {
                return Err(format!("{labels} at {time}: {found} instead of {}", item(want)));
            }
        }
        if samples.next().is_some() || histograms.next().is_some() {
            return Err(format!("{labels}: more points than expected in {series:?}"));
        }
    }
    Ok(())
}
