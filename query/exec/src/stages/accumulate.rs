//! What is computed of the rows of a group, so that two groups can become one.

use std::collections::{BTreeSet, HashSet};

use compute::Value;
use lang::{Aggregate, Function};

use super::cells::{Table, text};
use super::estimate::Estimate;
use super::histogram::Histogram;
use super::rows::{ENTRY_BYTES, tuple};

/// One value of one group so far.
pub(super) enum Cell {
    Count(u64),
    Distinct(HashSet<String>),
    Estimate(Estimate),
    Sum {
        sum: f64,
        count: u64,
    },
    Extreme(Option<Extreme>),
    Numbers(Vec<f64>),
    Spread {
        count: f64,
        mean: f64,
        squares: f64,
    },
    /// The value of the row with the first or last time and id.
    Timed(Option<((i64, String), String)>),
    Values(BTreeSet<String>),
    Least(Option<String>),
    Histogram(Histogram),
    /// A row as JSON, and what it was chosen by.
    Row(Option<(Extreme, (i64, String), String)>),
}

/// A value that orders before or after others: numbers as numbers and before texts.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Extreme {
    number: Option<f64>,
    text: String,
    time: Option<i64>,
}

impl Extreme {
    fn of(value: Value<'_>) -> Option<Self> {
        if value.is_blank() {
            return None;
        }
        let time = match value {
            Value::Time(ns) => Some(ns),
            _ => None,
        };
        let number = value.as_f64().filter(|number| !number.is_nan());
        Some(Self { number, text: text(value)?.into_owned(), time })
    }

    /// Whether it is the better one. A number beats a text at either end.
    fn beats(&self, other: &Self, largest: bool) -> bool {
        match (self.number, other.number) {
            (Some(a), Some(b)) => {
                if largest {
                    a > b
                } else {
                    a < b
                }
            }
            (Some(_), None) => true,
            (None, Some(_)) => false,
            (None, None) => {
                if largest {
                    self.text > other.text
                } else {
                    self.text < other.text
                }
            }
        }
    }

    fn into_value(self) -> Value<'static> {
        match (self.time, self.number) {
            (Some(ns), _) => Value::Time(ns),
            (_, Some(_)) => number_of_text(&self.text),
            _ => Value::Text(self.text.into()),
        }
    }

    fn bytes(&self) -> usize {
        self.text.len() + ENTRY_BYTES
    }
}

fn number_of_text(text: &str) -> Value<'static> {
    match text.parse::<i64>() {
        Ok(n) => Value::Int(n),
        Err(_) => text.parse::<f64>().map_or(Value::Missing, Value::Number),
    }
}

impl Cell {
    pub(super) fn new(function: Function) -> Self {
        match function {
            Function::Count | Function::CountEmpty | Function::SumLen | Function::Rate => Self::Count(0),
            Function::CountDistinct => Self::Distinct(HashSet::new()),
            Function::CountDistinctEstimate => Self::Estimate(Estimate::default()),
            Function::Sum | Function::Avg | Function::RateSum => Self::Sum { sum: 0.0, count: 0 },
            Function::Min | Function::Max => Self::Extreme(None),
            Function::Quantile(_) | Function::Median => Self::Numbers(Vec::new()),
            Function::Stddev => Self::Spread { count: 0.0, mean: 0.0, squares: 0.0 },
            Function::First | Function::Last => Self::Timed(None),
            Function::Values => Self::Values(BTreeSet::new()),
            Function::Any => Self::Least(None),
            Function::Histogram(buckets) => Self::Histogram(Histogram::new(buckets)),
            Function::RowAny | Function::RowMin | Function::RowMax => Self::Row(None),
        }
    }

    /// Takes in a row; returns by how much more memory it takes.
    pub(super) fn add(&mut self, aggregate: &Aggregate, table: &Table<'_>, row: usize, at: &mut RowPlace<'_>) -> usize {
        let fields = &aggregate.fields;
        let first = || fields.first().map_or(Value::Missing, |name| table.value(name, row));
        let number = || first().as_f64().filter(|number| !number.is_nan());
        match self {
            Self::Count(count) => {
                *count += counted(aggregate, table, row);
                0
            }
            Self::Distinct(seen) => {
                let Some(key) = filled_tuple(table, fields, row) else { return 0 };
                let bytes = key.len() + ENTRY_BYTES;
                if seen.insert(key) { bytes } else { 0 }
            }
            Self::Estimate(estimate) => match filled_tuple(table, fields, row) {
                Some(key) => estimate.add(&key),
                None => 0,
            },
            Self::Sum { sum, count } => {
                if let Some(number) = number() {
                    *sum += number;
                    *count += 1;
                }
                0
            }
            Self::Numbers(numbers) => {
                numbers.extend(number());
                size_of::<f64>()
            }
            Self::Spread { count, mean, squares } => {
                if let Some(number) = number() {
                    *count += 1.0;
                    let delta = number - *mean;
                    *mean += delta / *count;
                    *squares += delta * (number - *mean);
                }
                0
            }
            Self::Extreme(best) => {
                let Some(new) = Extreme::of(first()) else { return 0 };
                offer(best, new, aggregate.function == Function::Max)
            }
            Self::Timed(best) => {
                let Some(value) = text(first()).filter(|text| !text.is_empty()) else { return 0 };
                let (value, key) = (value.into_owned(), at.key());
                let before = best.as_ref().map_or(0, |(_, value)| value.len());
                offer_timed(best, (key, value), aggregate.function == Function::Last);
                best.as_ref().map_or(0, |(_, value)| value.len()).saturating_sub(before)
            }
            Self::Values(values) => {
                let Some(value) = text(first()).filter(|text| !text.is_empty()) else { return 0 };
                let bytes = value.len() + ENTRY_BYTES;
                if values.insert(value.into_owned()) { bytes } else { 0 }
            }
            Self::Least(least) => {
                let Some(value) = text(first()).filter(|text| !text.is_empty()) else { return 0 };
                if least.as_deref().is_none_or(|known| *value < *known) {
                    *least = Some(value.into_owned());
                }
                0
            }
            Self::Histogram(histogram) => {
                number().into_iter().for_each(|number| histogram.add(number));
                0
            }
            Self::Row(best) => add_row(best, aggregate, table, row, at),
        }
    }

    /// Takes in what another group of the same function has.
    pub(super) fn absorb(&mut self, other: Cell, function: Function) {
        match (self, other) {
            (Self::Count(mine), Self::Count(theirs)) => *mine += theirs,
            (Self::Distinct(mine), Self::Distinct(theirs)) => mine.extend(theirs),
            (Self::Estimate(mine), Self::Estimate(theirs)) => mine.absorb(&theirs),
            (Self::Sum { sum, count }, Self::Sum { sum: more, count: rows }) => {
                *sum += more;
                *count += rows;
            }
            (Self::Numbers(mine), Self::Numbers(theirs)) => mine.extend(theirs),
            (
                Self::Spread { count, mean, squares },
                Self::Spread { count: other_count, mean: other_mean, squares: other_squares },
            ) => {
                let all = *count + other_count;
                if other_count > 0.0 {
                    let delta = other_mean - *mean;
                    *squares += other_squares + delta * delta * *count * other_count / all;
                    *mean += delta * other_count / all;
                    *count = all;
                }
            }
            (Self::Extreme(mine), Self::Extreme(Some(theirs))) => {
                offer(mine, theirs, function == Function::Max);
            }
            (Self::Timed(mine), Self::Timed(Some(theirs))) => offer_timed(mine, theirs, function == Function::Last),
            (Self::Values(mine), Self::Values(theirs)) => mine.extend(theirs),
            (Self::Least(mine), Self::Least(Some(theirs))) if mine.as_ref().is_none_or(|known| theirs < *known) => {
                *mine = Some(theirs);
            }
            (Self::Histogram(mine), Self::Histogram(theirs)) => mine.absorb(theirs),
            (Self::Row(mine), Self::Row(Some(theirs))) => offer_row(mine, theirs, function),
            // Both are of one function, so they are of one kind.
            _ => {}
        }
    }

    /// The number that a chart weighs groups by; `None` when it is none.
    pub(super) fn weight(&self, function: Function) -> Option<f64> {
        match self {
            Self::Count(count) => Some(*count as f64),
            Self::Distinct(seen) => Some(seen.len() as f64),
            Self::Estimate(estimate) => Some(estimate.count() as f64),
            Self::Sum { sum, count } if function == Function::Avg => (*count > 0).then(|| sum / *count as f64),
            Self::Sum { sum, .. } => Some(*sum),
            Self::Numbers(numbers) => match function {
                Function::Quantile(q) => quantile(numbers.clone(), q).as_f64(),
                _ => quantile(numbers.clone(), 0.5).as_f64(),
            },
            Self::Spread { count, squares, .. } if *count > 0.0 => Some((squares / count).sqrt()),
            Self::Extreme(best) => best.as_ref()?.number,
            Self::Timed(best) => best.as_ref()?.1.parse().ok(),
            _ => None,
        }
    }

    /// The value. `seconds` is what rates are over.
    pub(super) fn finish(self, function: Function, seconds: f64) -> Value<'static> {
        match self {
            Self::Count(count) if function == Function::Rate => Value::Number(count as f64 / seconds),
            Self::Count(count) => Value::Int(count.cast_signed()),
            Self::Distinct(seen) => Value::Int(seen.len() as i64),
            Self::Estimate(estimate) => Value::Int(estimate.count().cast_signed()),
            Self::Sum { count: 0, .. } if function != Function::RateSum => Value::Missing,
            Self::Sum { sum, count } if function == Function::Avg => Value::Number(sum / count as f64),
            Self::Sum { sum, .. } if function == Function::RateSum => Value::Number(sum / seconds),
            Self::Sum { sum, .. } => Value::Number(sum),
            Self::Numbers(numbers) => match function {
                Function::Quantile(q) => quantile(numbers, q),
                _ => quantile(numbers, 0.5),
            },
            Self::Spread { count, squares, .. } if count > 0.0 => Value::Number((squares / count).sqrt()),
            Self::Spread { .. } => Value::Missing,
            Self::Extreme(best) => best.map_or(Value::Missing, Extreme::into_value),
            Self::Timed(best) => best.map_or(Value::Missing, |(_, value)| Value::Text(value.into())),
            Self::Values(values) => {
                let items: Vec<model::Value> = values.into_iter().map(model::Value::Str).collect();
                let mut json = String::new();
                model::Value::Array(items).write_json(&mut json);
                Value::Json(json.into())
            }
            Self::Least(least) => least.map_or(Value::Missing, |text| Value::Text(text.into())),
            Self::Histogram(histogram) => Value::Json(histogram.json().into()),
            Self::Row(best) => best.map_or(Value::Missing, |(_, _, json)| Value::Json(json.into())),
        }
    }
}

/// Where a row stands in time; found out once a row, when some value asks.
pub(super) struct RowPlace<'a> {
    pub(super) table: &'a Table<'a>,
    pub(super) row: usize,
    pub(super) known: Option<(i64, String)>,
}

impl RowPlace<'_> {
    fn key(&mut self) -> (i64, String) {
        let (table, row) = (self.table, self.row);
        let find = || {
            let time = match table.value(model::field::TIME, row) {
                Value::Time(ns) => ns,
                _ => i64::MIN,
            };
            (time, table.text(model::field::ID, row).into_owned())
        };
        self.known.get_or_insert_with(find).clone()
    }
}

fn counted(aggregate: &Aggregate, table: &Table<'_>, row: usize) -> u64 {
    let texts = || aggregate.fields.iter().map(|name| table.text(name, row));
    match aggregate.function {
        Function::SumLen => texts().map(|text| text.len() as u64).sum(),
        Function::CountEmpty => u64::from(texts().all(|text| text.is_empty())),
        _ => u64::from(aggregate.fields.is_empty() || texts().any(|text| !text.is_empty())),
    }
}

/// The texts of some fields together; `None` when all are empty.
fn filled_tuple(table: &Table<'_>, fields: &[String], row: usize) -> Option<String> {
    fields.iter().any(|name| !table.text(name, row).is_empty()).then(|| tuple(table, fields, row))
}

fn offer(best: &mut Option<Extreme>, new: Extreme, largest: bool) -> usize {
    if best.as_ref().is_some_and(|known| !new.beats(known, largest)) {
        return 0;
    }
    let bytes = new.bytes().saturating_sub(best.as_ref().map_or(0, Extreme::bytes));
    *best = Some(new);
    bytes
}

fn offer_timed(best: &mut Option<((i64, String), String)>, new: ((i64, String), String), last: bool) {
    let better = best.as_ref().is_none_or(|(known, _)| if last { new.0 > *known } else { new.0 < *known });
    if better {
        *best = Some(new);
    }
}

fn add_row(
    best: &mut Option<(Extreme, (i64, String), String)>,
    aggregate: &Aggregate,
    table: &Table<'_>,
    row: usize,
    at: &mut RowPlace<'_>,
) -> usize {
    let any = aggregate.function == Function::RowAny;
    let (value, shown) = match any {
        true => (Some(Extreme { number: None, text: String::new(), time: None }), &aggregate.fields[..]),
        false => {
            let value = aggregate.fields.first().map_or(Value::Missing, |name| table.value(name, row));
            (Extreme::of(value), aggregate.fields.get(1..).unwrap_or_default())
        }
    };
    let Some(value) = value else { return 0 };
    let largest = aggregate.function == Function::RowMax;
    let worse = |known: &(Extreme, (i64, String), String)| {
        known.0.beats(&value, largest) || (any && !value.beats(&known.0, false))
    };
    if best.as_ref().is_some_and(worse) {
        return 0;
    }
    // Of equal rows the oldest stays: a younger one need not be written out.
    let equal = |known: &(Extreme, (i64, String), String)| !value.beats(&known.0, largest) && known.1 <= at.key();
    if best.as_ref().is_some_and(equal) {
        return 0;
    }
    let json = row_object(table, row, shown);
    let before = best.as_ref().map_or(0, |(.., json)| json.len());
    offer_row(best, (value, at.key(), json), aggregate.function);
    best.as_ref().map_or(0, |(.., json)| json.len()).saturating_sub(before)
}

/// The better one of two rows; of equal ones the oldest.
fn offer_row(
    best: &mut Option<(Extreme, (i64, String), String)>,
    new: (Extreme, (i64, String), String),
    function: Function,
) {
    let largest = function == Function::RowMax;
    let better = best
        .as_ref()
        .is_none_or(|known| new.0.beats(&known.0, largest) || (!known.0.beats(&new.0, largest) && new.1 < known.1));
    if better {
        *best = Some(new);
    }
}

/// A row as a JSON object, of these fields or of all; empty ones are left out.
fn row_object(table: &Table<'_>, row: usize, fields: &[String]) -> String {
    let names: Vec<&str> = match fields.is_empty() {
        true => table.batch.schema_ref().fields().iter().map(|field| field.name().as_str()).collect(),
        false => fields.iter().map(String::as_str).collect(),
    };
    let mut out = String::from("{");
    for name in names {
        let value = table.value(name, row);
        if value.is_blank() {
            continue;
        }
        if out.len() > 1 {
            out.push(',');
        }
        model::Value::Str(name.to_owned()).write_json(&mut out);
        out.push(':');
        match value {
            Value::Json(json) => out.push_str(&json),
            Value::Bool(value) => model::Value::Bool(value).write_json(&mut out),
            Value::Int(n) => model::Value::Int(n).write_json(&mut out),
            Value::Number(n) => model::Value::Double(n).write_json(&mut out),
            other => model::Value::Str(text(other).unwrap_or_default().into_owned()).write_json(&mut out),
        }
    }
    out.push('}');
    out
}

/// The value below which this share of the numbers lies, on the line between neighbours.
fn quantile(mut numbers: Vec<f64>, q: f64) -> Value<'static> {
    if numbers.is_empty() {
        return Value::Missing;
    }
    numbers.sort_by(f64::total_cmp);
    let place = q.clamp(0.0, 1.0) * (numbers.len() - 1) as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(numbers.len() - 1);
    Value::Number(numbers[low] + (numbers[high] - numbers[low]) * part)
}
