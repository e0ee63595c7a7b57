//! Series as texts of tests write them: `up{job="a"} 0+1x10 _ stale {{schema:1 count:3 buckets:[3]}}x2`.
//!
//! promtool's unit-test files and Prometheus's own conformance files use this form.

use std::collections::HashMap;
use std::sync::Arc;

use model::histogram::Buckets;
use model::{FloatHistogram, Labels, METRIC_NAME, ResetHint, stale_nan};

use crate::ast::Expr;
use crate::matcher::MatchOp;

/// Values that one line may stand for, so that `1x999999999999` is refused and not tried.
pub const SEQUENCE_VALUES_MAX: usize = 1_000_000;

/// One place of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum SequenceValue {
    /// `_`
    Missing,
    /// A number; `stale` is the staleness marker.
    Float(f64),
    /// A native histogram.
    Histogram {
        /// The histogram.
        histogram: Arc<FloatHistogram>,
        /// Whether the text says what its reset hint is, so that it can be compared.
        hint_set: bool,
    },
}

type Parsed<T> = Result<T, String>;

/// Reads a line: a metric, a blank, and values. The error says what is wrong.
pub fn parse_series(line: &str) -> Parsed<(Labels, Vec<SequenceValue>)> {
    let (metric, values) = split_metric(line);
    Ok((parse_metric(metric)?, parse_values(values)?))
}

/// Splits a line into metric and values: at the first blank outside of braces and quotes that a metric does not go on after.
fn split_metric(line: &str) -> (&str, &str) {
    let (mut depth, mut quote, mut escaped) = (0, None, false);
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') => depth -= 1,
            (None, c) if c.is_whitespace() && depth == 0 => return (&line[..at], line[at..].trim()),
            _ => {}
        }
    }
    (line, "")
}

/// Reads a metric such as `up{job="a"}` or `{}`.
pub fn parse_metric(text: &str) -> Parsed<Labels> {
    let text = text.trim();
    // An empty metric would be refused as a selector; a condition that is no equality makes it one.
    let padded = match text.strip_suffix('}').map(str::trim_end) {
        Some(head) if head.ends_with(['{', ',']) => format!("{head}__pad__=~\".+\"}}"),
        Some(head) => format!("{head},__pad__=~\".+\"}}"),
        None => text.to_owned(),
    };
    let Expr::Vector(selector) = crate::parse(&padded).map_err(|error| error.to_string())? else {
        return Err(format!("{text} is not a metric such as up{{job=\"a\"}}"));
    };
    let conditions = selector.matchers.iter().filter(|matcher| matcher.name != "__pad__");
    if let Some(bad) = conditions.clone().find(|matcher| matcher.op != MatchOp::Equal) {
        return Err(format!("{bad} is a condition, and a metric has only labels with values: write = there"));
    }
    let names = conditions.clone().filter(|matcher| matcher.name == METRIC_NAME).count();
    if names > 1 {
        return Err(format!("{text} has two names"));
    }
    Ok(conditions.map(|matcher| (matcher.name.as_str(), matcher.value.as_str())).collect())
}

/// Reads the values after a metric.
pub fn parse_values(text: &str) -> Parsed<Vec<SequenceValue>> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = item_end(rest);
        let (item, after) = rest.split_at(end);
        parse_item(item, &mut out)?;
        rest = after.trim_start();
    }
    Ok(out)
}

/// Where an item ends: at a blank outside of double braces.
fn item_end(text: &str) -> usize {
    let mut at = 0;
    while let Some(blank) = text[at..].find(|c: char| c.is_whitespace()).map(|blank| at + blank) {
        match text[at..blank].find("{{").map(|open| at + open) {
            None => return blank,
            Some(open) => match text[open..].find("}}") {
                Some(close) => at = open + close + 2,
                None => return text.len(),
            },
        }
    }
    text.len()
}

fn parse_item(item: &str, out: &mut Vec<SequenceValue>) -> Parsed<()> {
    if item.starts_with("{{") {
        return histograms(item, out);
    }
    let (body, times) = match item.split_once('x') {
        Some((body, times)) => (body, Some(count(times)?)),
        None => (item, None),
    };
    let copies = times.map_or(1, |times| times + 1);
    if out.len().saturating_add(copies) > SEQUENCE_VALUES_MAX {
        return Err(format!("the line stands for more than {SEQUENCE_VALUES_MAX} values"));
    }
    if body == "_" {
        out.extend(std::iter::repeat_n(SequenceValue::Missing, times.unwrap_or(1)));
        return Ok(());
    }
    if body == "stale" {
        out.extend(std::iter::repeat_n(SequenceValue::Float(stale_nan()), copies));
        return Ok(());
    }
    let (mut value, step) = match (times, inner_sign(body)) {
        (Some(_), Some(at)) => (number(&body[..at])?, number(&body[at..])?),
        _ => (number(body)?, 0.0),
    };
    for _ in 0..copies {
        out.push(SequenceValue::Float(value));
        value += step;
    }
    Ok(())
}

fn count(text: &str) -> Parsed<usize> {
    let count = text.parse::<usize>().map_err(|_| format!("{text:?} is not a number of repetitions"))?;
    if count >= SEQUENCE_VALUES_MAX { Err(format!("more than {SEQUENCE_VALUES_MAX} repetitions")) } else { Ok(count) }
}

/// Where the step of `a+b` starts: a sign that is neither first nor an exponent's.
fn inner_sign(body: &str) -> Option<usize> {
    let bytes = body.as_bytes();
    (1..bytes.len())
        .find(|at| matches!(bytes[*at], b'+' | b'-') && !matches!(bytes[*at - 1], b'e' | b'E' | b'+' | b'-'))
}

fn number(text: &str) -> Parsed<f64> {
    let (negative, plain) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = crate::parser::parse_number(plain).ok_or_else(|| format!("{text:?} is not a number"))?;
    Ok(if negative { -value } else { value })
}

/// One histogram, repeated, or with another added or subtracted at each step.
fn histograms(item: &str, out: &mut Vec<SequenceValue>) -> Parsed<()> {
    let (first, mut hint_set, rest) = histogram(item)?;
    let (step, times) = match rest.chars().next() {
        None => (None, 0),
        Some('x') => (None, count(&rest[1..])?),
        Some(sign @ ('+' | '-')) => {
            let (step, step_hint_set, rest) = histogram(&rest[1..])?;
            let times = rest.strip_prefix('x').ok_or("a histogram and a step need a number of repetitions: x3")?;
            hint_set = step_hint_set;
            (Some((sign, step)), count(times)?)
        }
        Some(_) => return Err(format!("{rest:?} is unexpected after a histogram")),
    };
    if out.len().saturating_add(times) >= SEQUENCE_VALUES_MAX {
        return Err(format!("the line stands for more than {SEQUENCE_VALUES_MAX} values"));
    }
    let mut current = Arc::new(first);
    out.push(SequenceValue::Histogram { histogram: current.clone(), hint_set });
    for _ in 0..times {
        if let Some((sign, step)) = &step {
            if current.schema > step.schema {
                let (from, to) = (step.schema, current.schema);
                return Err(format!("error combining histograms: cannot merge from schema {from} to {to}"));
            }
            let next = Arc::make_mut(&mut current);
            let added = if *sign == '+' { next.add(step) } else { next.subtract(step) };
            added.map_err(|error| error.to_string())?;
        }
        out.push(SequenceValue::Histogram { histogram: current.clone(), hint_set });
    }
    Ok(())
}

/// Reads `{{...}}`; also whether it names a reset hint, and what follows.
fn histogram(text: &str) -> Parsed<(FloatHistogram, bool, &str)> {
    let inside = text.strip_prefix("{{").ok_or("expected {{")?;
    let end = inside.find("}}").ok_or("a histogram ends with }}")?;
    let fields = fields(&inside[..end])?;
    let mut histogram = FloatHistogram::default();
    let one = |key: &str| fields.get(key).map_or(Ok(0.0), |text| number(text));
    let whole = |key: &str| {
        fields.get(key).map_or(Ok(0), |text| text.parse::<i32>().map_err(|_| format!("{key}: {text:?} is not whole")))
    };
    histogram.schema = whole("schema")?;
    histogram.sum = one("sum")?;
    histogram.count = one("count")?;
    histogram.zero_count = one("z_bucket")?;
    histogram.zero_threshold = one("z_bucket_w")?;
    histogram.custom_values = list(fields.get("custom_values"))?.into();
    for (side, prefix) in [(&mut histogram.positive, ""), (&mut histogram.negative, "n_")] {
        let counts = list(fields.get(format!("{prefix}buckets").as_str()))?;
        let offset = whole(&format!("{prefix}offset"))?;
        *side = Buckets::from_pairs((offset..).zip(counts));
    }
    histogram.reset_hint = match fields.get("counter_reset_hint").map(String::as_str) {
        None | Some("unknown") => ResetHint::Unknown,
        Some("reset") => ResetHint::Reset,
        Some("not_reset") => ResetHint::NotReset,
        Some("gauge") => ResetHint::Gauge,
        Some(other) => return Err(format!("counter_reset_hint {other:?}: one of unknown, reset, not_reset, gauge")),
    };
    Ok((histogram, fields.contains_key("counter_reset_hint"), &inside[end + 2..]))
}

const FIELDS: [&str; 11] = [
    "schema",
    "sum",
    "count",
    "z_bucket",
    "z_bucket_w",
    "buckets",
    "offset",
    "n_buckets",
    "n_offset",
    "custom_values",
    "counter_reset_hint",
];

/// `key:value` pairs; a value in brackets may hold blanks.
fn fields(text: &str) -> Parsed<HashMap<&str, String>> {
    let mut fields = HashMap::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, after) = rest.split_once(':').ok_or_else(|| format!("{rest:?}: expected a key and a value"))?;
        let key = key.trim();
        if !FIELDS.contains(&key) {
            return Err(format!("bad histogram descriptor found: {key:?}"));
        }
        let after = after.trim_start();
        let end = if after.starts_with('[') {
            after.find(']').map(|end| end + 1).ok_or_else(|| format!("{key}: a list ends with ]"))?
        } else {
            after.find(char::is_whitespace).unwrap_or(after.len())
        };
        fields.insert(key, after[..end].to_owned());
        rest = after[end..].trim_start();
    }
    Ok(fields)
}

fn list(text: Option<&String>) -> Parsed<Vec<f64>> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let inside = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    inside.ok_or_else(|| format!("{text:?} is not a list such as [1 2 3]"))?.split_whitespace().map(number).collect()
}
