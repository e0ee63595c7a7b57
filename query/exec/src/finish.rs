//! What follows groups, done by us when it is simple: sorting and cutting the one batch that they are.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType};
use arrow_array::{Array as _, ArrayRef, RecordBatch, UInt32Array};
use arrow_schema::DataType;
use lang::SortKey;
use plan::LogicalPlan;

use crate::ExecError;
use crate::cells::array_number;

/// Groups on their way, and whether they are in an order already.
pub(crate) struct Grouped {
    pub(crate) batch: RecordBatch,
    /// How many of the first columns are keys: they make an order repeatable.
    pub(crate) keys: usize,
    pub(crate) ordered: bool,
}

/// Whether everything above the grouping `at` is done here.
pub(crate) fn is_simple(plan: &LogicalPlan, at: &LogicalPlan) -> bool {
    if std::ptr::eq(plan, at) {
        return true;
    }
    match plan {
        LogicalPlan::Sort { input, .. } | LogicalPlan::Limit { input, .. } => is_simple(input, at),
        _ => false,
    }
}

/// Does what is above the grouping `at`.
pub(crate) fn finish(plan: &LogicalPlan, at: &LogicalPlan, grouped: Grouped) -> Result<RecordBatch, ExecError> {
    Ok(settle(above(plan, at, grouped)?)?.batch)
}

fn above(plan: &LogicalPlan, at: &LogicalPlan, grouped: Grouped) -> Result<Grouped, ExecError> {
    if std::ptr::eq(plan, at) {
        return Ok(grouped);
    }
    match plan {
        LogicalPlan::Sort { input, keys, .. } => sort(above(input, at, grouped)?, keys),
        LogicalPlan::Limit { input, offset, fetch } => {
            let grouped = settle(above(input, at, grouped)?)?;
            let rows = grouped.batch.num_rows();
            let start = usize::try_from(*offset).unwrap_or(usize::MAX).min(rows);
            let kept = fetch.map_or(usize::MAX, |fetch| usize::try_from(fetch).unwrap_or(usize::MAX)).min(rows - start);
            Ok(Grouped { batch: grouped.batch.slice(start, kept), ..grouped })
        }
        // `is_simple` was asked first.
        _ => Err(ExecError::Internal { message: "a pipe after groups was not expected here".to_owned() }),
    }
}

/// Puts groups without an order into the order of their keys.
fn settle(grouped: Grouped) -> Result<Grouped, ExecError> {
    if grouped.ordered { Ok(grouped) } else { sort(grouped, &[]) }
}

/// Rows in the order of keys, then of the columns that are keys of groups; equal ones keep their order.
pub(crate) fn sort(grouped: Grouped, keys: &[SortKey]) -> Result<Grouped, ExecError> {
    let batch = &grouped.batch;
    let mut columns: Vec<Column> = Vec::new();
    for key in keys {
        columns.extend(batch.column_by_name(&key.field).map(|array| Column::of(array, key.descending)));
    }
    columns.extend(batch.columns()[..grouped.keys].iter().map(Column::plain));
    let mut rows: Vec<u32> = (0..batch.num_rows() as u32).collect();
    let compare = |a: &u32, b: &u32| {
        let orders = columns.iter().map(|column| column.compare(*a as usize, *b as usize));
        orders.fold(Ordering::Equal, Ordering::then)
    };
    rows.sort_by(compare);
    let batch = arrow_select::take::take_record_batch(batch, &UInt32Array::from(rows))?;
    Ok(Grouped { batch, ordered: true, ..grouped })
}

/// A column that rows are compared by; what is missing comes last in either direction.
struct Column {
    values: Values,
    descending: bool,
}

enum Values {
    Integers(Vec<Option<i64>>),
    Doubles(Vec<Option<f64>>),
    /// Numbers before texts, by their value.
    Mixed(Vec<Option<f64>>, ArrayRef),
    Texts(ArrayRef),
}

impl Column {
    /// As a `sort` compares.
    fn of(array: &ArrayRef, descending: bool) -> Self {
        match array.data_type() {
            DataType::Utf8 => {
                let numbers = (0..array.len()).map(|row| array_number(array, row)).collect();
                Self { values: Values::Mixed(numbers, Arc::clone(array)), descending }
            }
            _ => Self { descending, ..Self::plain(array) },
        }
    }

    /// As ties are broken.
    fn plain(array: &ArrayRef) -> Self {
        let values = match array.data_type() {
            DataType::Int64 => Values::Integers(array.as_primitive::<Int64Type>().iter().collect()),
            DataType::Timestamp(..) => {
                Values::Integers(array.as_primitive::<TimestampNanosecondType>().iter().collect())
            }
            DataType::Float64 => Values::Doubles(array.as_primitive::<Float64Type>().iter().collect()),
            _ => Values::Texts(Arc::clone(array)),
        };
        Self { values, descending: false }
    }

    fn compare(&self, a: usize, b: usize) -> Ordering {
        let turn = |order: Ordering| if self.descending { order.reverse() } else { order };
        match &self.values {
            Values::Integers(values) => last_if_none(values[a], values[b], |a, b| turn(a.cmp(b))),
            Values::Doubles(values) => last_if_none(values[a], values[b], |a, b| turn(a.total_cmp(b))),
            Values::Texts(array) => last_if_none(text(array, a), text(array, b), |a, b| turn(a.cmp(b))),
            Values::Mixed(numbers, array) => {
                let filled = |row| text(array, row).filter(|text| !text.is_empty());
                let (left, right) = (filled(a), filled(b));
                let by_number = last_if_none(numbers[a], numbers[b], |a, b| turn(a.total_cmp(b)));
                last_if_none(left, right, |a, b| by_number.then_with(|| turn(a.cmp(b))))
            }
        }
    }
}

fn text(array: &ArrayRef, row: usize) -> Option<&str> {
    let array = array.as_string_opt::<i32>()?;
    array.is_valid(row).then(|| array.value(row))
}

fn last_if_none<T>(a: Option<T>, b: Option<T>, compare: impl FnOnce(&T, &T) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => compare(&a, &b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}
