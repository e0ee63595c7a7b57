//! The values of groups, a vector for each function.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow_array::{Array as _, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, TimestampNanosecondArray};
use arrow_schema::DataType;
use column::FieldView;
use model::Value;

use crate::fold::keys::{NumberHasher, Texts};
use crate::fold::{End, What};

/// The values of all groups for one function.
pub(crate) enum Cells {
    Rows(Vec<u64>),
    Distinct(Texts, HashSet<u64, BuildHasherDefault<NumberHasher>>, Vec<u64>),
    /// Sum and number of numbers.
    Sums(Vec<(f64, u64)>),
    Integers(Vec<Option<i64>>, End),
    Doubles(Vec<Option<f64>>, End),
    /// The number, the text.
    Texts(Vec<(Option<f64>, Option<String>)>, End),
}

impl Cells {
    pub(crate) fn new(what: &What) -> Self {
        match what {
            What::Rows | What::Rate(_) | What::Filled(_) => Cells::Rows(Vec::new()),
            What::Distinct(_) => Cells::Distinct(Texts::default(), HashSet::default(), Vec::new()),
            What::Sum(_) | What::Avg(_) => Cells::Sums(Vec::new()),
            What::Extreme(_, DataType::Float64, end) => Cells::Doubles(Vec::new(), *end),
            What::Extreme(_, _, end) => Cells::Integers(Vec::new(), *end),
            What::ExtremeText(_, end) => Cells::Texts(Vec::new(), *end),
            What::LeastText(_) => Cells::Texts(Vec::new(), End::Smallest),
        }
    }

    /// Makes room for so many groups.
    pub(crate) fn grow(&mut self, groups: usize) {
        match self {
            Cells::Rows(cells) | Cells::Distinct(_, _, cells) => cells.resize(groups, 0),
            Cells::Sums(cells) => cells.resize(groups, (0.0, 0)),
            Cells::Integers(cells, _) => cells.resize(groups, None),
            Cells::Doubles(cells, _) => cells.resize(groups, None),
            Cells::Texts(cells, _) => cells.resize(groups, (None, None)),
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        match self {
            Cells::Rows(cells) => cells.len() * 8,
            Cells::Distinct(texts, seen, cells) => texts.bytes() + seen.len() * 16 + cells.len() * 8,
            Cells::Sums(cells) => cells.len() * 16,
            Cells::Integers(cells, _) => cells.len() * 16,
            Cells::Doubles(cells, _) => cells.len() * 16,
            Cells::Texts(cells, _) => cells.len() * 64,
        }
    }

    /// Counts rows without looking at them; other functions than counts do not come here.
    pub(crate) fn add_counted(&mut self, group: u32, rows: u64) {
        if let Cells::Rows(cells) = self {
            cells[group as usize] += rows;
        }
    }

    /// Takes in rows, each with its group.
    pub(crate) fn add(&mut self, what: &What, stored: &RecordBatch, rows: &[u32], groups: &[u32]) {
        let pairs = || rows.iter().map(|row| *row as usize).zip(groups.iter().map(|group| *group as usize));
        match self {
            Cells::Rows(cells) => match what {
                What::Filled(names) => {
                    let views: Vec<FieldView<'_>> = names.iter().map(|name| FieldView::new(stored, name)).collect();
                    for (row, group) in pairs() {
                        cells[group] += u64::from(views.iter().any(|view| is_filled(view, row)));
                    }
                }
                _ => groups.iter().for_each(|group| cells[*group as usize] += 1),
            },
            Cells::Distinct(texts, seen, cells) => {
                let What::Distinct(name) = what else { return };
                let numbers = texts.number_all(stored, name, rows);
                for (number, group) in numbers.into_iter().zip(groups) {
                    if seen.insert(u64::from(*group) << 32 | u64::from(number)) {
                        cells[*group as usize] += u64::from(!texts.list()[number as usize].is_empty());
                    }
                }
            }
            Cells::Sums(cells) => each_number(what, stored, pairs(), |group, number| {
                cells[group].0 += number;
                cells[group].1 += 1;
            }),
            Cells::Doubles(cells, end) => {
                let end = *end;
                each_number(what, stored, pairs(), |group, n| offer_double(&mut cells[group], n, end));
            }
            Cells::Integers(cells, end) => {
                let end = *end;
                each_integer(what, stored, pairs(), |group, n| offer_integer(&mut cells[group], n, end));
            }
            Cells::Texts(cells, end) => {
                let numbers = matches!(what, What::ExtremeText(..));
                let Some(name) = what.fields().first() else { return };
                let view = FieldView::new(stored, name);
                for (row, group) in pairs() {
                    let number = if numbers { view.number(row).filter(|n| !n.is_nan()) } else { None };
                    if let Some(number) = number {
                        offer_double(&mut cells[group].0, number, *end);
                    }
                    if let Some(text) = view.text(row).filter(|text| !text.is_empty()) {
                        offer_text(&mut cells[group].1, &text, *end);
                    }
                }
            }
        }
    }

    /// Takes in the values of another, whose groups have these numbers here.
    pub(crate) fn absorb(&mut self, other: Cells, groups: &[u32]) {
        let at = |group: usize| groups[group] as usize;
        match (self, other) {
            (Cells::Rows(mine), Cells::Rows(theirs)) => {
                theirs.into_iter().enumerate().for_each(|(group, rows)| mine[at(group)] += rows);
            }
            (Cells::Distinct(texts, seen, cells), Cells::Distinct(their_texts, their_seen, _)) => {
                let numbers: Vec<u32> = their_texts.list().iter().map(|text| texts.number(text)).collect();
                for pair in their_seen {
                    let group = at((pair >> 32) as usize);
                    let number = numbers[(pair & u64::from(u32::MAX)) as usize];
                    if seen.insert((group as u64) << 32 | u64::from(number)) {
                        cells[group] += u64::from(!texts.list()[number as usize].is_empty());
                    }
                }
            }
            (Cells::Sums(mine), Cells::Sums(theirs)) => {
                for (group, (sum, count)) in theirs.into_iter().enumerate() {
                    mine[at(group)].0 += sum;
                    mine[at(group)].1 += count;
                }
            }
            (Cells::Integers(mine, end), Cells::Integers(theirs, _)) => {
                for (group, n) in theirs.into_iter().enumerate().filter_map(|(group, n)| Some((group, n?))) {
                    offer_integer(&mut mine[at(group)], n, *end);
                }
            }
            (Cells::Doubles(mine, end), Cells::Doubles(theirs, _)) => {
                for (group, n) in theirs.into_iter().enumerate().filter_map(|(group, n)| Some((group, n?))) {
                    offer_double(&mut mine[at(group)], n, *end);
                }
            }
            (Cells::Texts(mine, end), Cells::Texts(theirs, _)) => {
                for (group, (number, text)) in theirs.into_iter().enumerate() {
                    let cell = &mut mine[at(group)];
                    number.into_iter().for_each(|n| offer_double(&mut cell.0, n, *end));
                    text.into_iter().for_each(|text| offer_text(&mut cell.1, &text, *end));
                }
            }
            // Both are of one specification, so their cells are of one kind.
            _ => {}
        }
    }

    /// The column of the values.
    pub(crate) fn finish(self, what: &What) -> ArrayRef {
        match self {
            Cells::Rows(cells) | Cells::Distinct(_, _, cells) => match what {
                What::Rate(seconds) => {
                    Arc::new(Float64Array::from_iter_values(cells.into_iter().map(|rows| rows as f64 / seconds)))
                }
                _ => Arc::new(Int64Array::from_iter_values(cells.into_iter().map(u64::cast_signed))),
            },
            Cells::Sums(cells) => {
                let mean = matches!(what, What::Avg(_));
                let value = |(sum, count): (f64, u64)| match count {
                    0 => None,
                    _ if mean => Some(sum / count as f64),
                    _ => Some(sum),
                };
                Arc::new(cells.into_iter().map(value).collect::<Float64Array>())
            }
            Cells::Doubles(cells, _) => Arc::new(Float64Array::from(cells)),
            Cells::Integers(cells, _) => match what {
                What::Extreme(_, DataType::Timestamp(..), _) => {
                    Arc::new(TimestampNanosecondArray::from(cells).with_timezone("UTC"))
                }
                _ => Arc::new(Int64Array::from(cells)),
            },
            Cells::Texts(cells, _) => {
                let text = |(number, text): (Option<f64>, Option<String>)| match number {
                    Some(number) => Some(Value::Double(number).text().into_owned()),
                    None => text,
                };
                Arc::new(cells.into_iter().map(text).collect::<StringArray>())
            }
        }
    }
}

/// Whether a row has the field with a text that is not empty.
fn is_filled(view: &FieldView<'_>, row: usize) -> bool {
    view.text(row).is_some_and(|text| !text.is_empty())
}

/// The numbers of a field; NaN, which compares with nothing, is none.
fn each_number(
    what: &What,
    stored: &RecordBatch,
    pairs: impl Iterator<Item = (usize, usize)>,
    mut take: impl FnMut(usize, f64),
) {
    let Some(name) = what.fields().first() else { return };
    let view = FieldView::new(stored, name);
    let array = stored.column_by_name(name);
    let doubles = array.and_then(|array| array.as_primitive_opt::<Float64Type>());
    let integers = array.and_then(|array| array.as_primitive_opt::<Int64Type>());
    for (row, group) in pairs {
        let number = match (doubles, integers) {
            (Some(doubles), _) if doubles.is_valid(row) => Some(doubles.value(row)),
            (_, Some(integers)) if integers.is_valid(row) => Some(integers.value(row) as f64),
            _ => view.number(row),
        };
        if let Some(number) = number.filter(|number| !number.is_nan()) {
            take(group, number);
        }
    }
}

/// The integers of a field, or the nanoseconds of its times.
fn each_integer(
    what: &What,
    stored: &RecordBatch,
    pairs: impl Iterator<Item = (usize, usize)>,
    mut take: impl FnMut(usize, i64),
) {
    let Some(name) = what.fields().first() else { return };
    let view = FieldView::new(stored, name);
    let array = stored.column_by_name(name);
    let times = array.and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
    let integers = array.and_then(|array| array.as_primitive_opt::<Int64Type>());
    for (row, group) in pairs {
        let integer = match (times, integers) {
            (Some(times), _) if times.is_valid(row) => Some(times.value(row)),
            (_, Some(integers)) if integers.is_valid(row) => Some(integers.value(row)),
            _ => match view.value(row) {
                Some(Value::Int(n)) => Some(n),
                _ => None,
            },
        };
        if let Some(integer) = integer {
            take(group, integer);
        }
    }
}

fn offer_double(cell: &mut Option<f64>, n: f64, end: End) {
    let better = cell.is_none_or(|known| match end {
        End::Smallest => n < known,
        End::Largest => n > known,
    });
    if better {
        *cell = Some(n);
    }
}

fn offer_integer(cell: &mut Option<i64>, n: i64, end: End) {
    *cell = Some(cell.map_or(n, |known| match end {
        End::Smallest => known.min(n),
        End::Largest => known.max(n),
    }));
}

fn offer_text(cell: &mut Option<String>, text: &str, end: End) {
    let better = cell.as_deref().is_none_or(|known| match end {
        End::Smallest => text < known,
        End::Largest => text > known,
    });
    if better {
        *cell = Some(text.to_owned());
    }
}
