//! A batch of any layout to the columns of one layout.

use std::collections::HashSet;
use std::sync::Arc;

use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray as _;
use arrow_array::{
    Array, ArrayRef, Int32Array, RecordBatch, StringArray, TimestampNanosecondArray, UInt64Array, new_null_array,
};
use arrow_schema::DataType;
use model::{Value, field};

use crate::build::overflow::Overflow;
use crate::build::values::{Presence, Scalar, Values, dictionary};
use crate::intern::Interner;
use crate::schema::{assemble, dictionary_type, is_reserved, overflow_field, time_type};
use crate::split::{SplitColumn, join_texts, no_texts, null_count, split_texts};
use crate::view::{Column, DictColumn, OverflowColumn};
use crate::{FieldType, Layout, OVERFLOW, json};

impl Layout {
    /// A batch of any layout in this layout: the same rows with the same values, of this layout's schema. A column of the
    /// right type is shared and not copied. Values of a field that has no column here, or one of another type, go to the
    /// overflow, and values in the overflow that have a column here go there.
    pub fn conform(&self, batch: &RecordBatch) -> RecordBatch {
        if batch.schema_ref() == self.schema() {
            return batch.clone();
        }
        let rows = batch.num_rows();
        let mut columns: Vec<Option<ArrayRef>> = vec![None; self.columns().count()];
        let mut leaving: Vec<(&str, &ArrayRef)> = Vec::new();
        for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let name = column.name().as_str();
            if is_reserved(name) || null_count(array) == rows {
                continue;
            }
            match self.column(name) {
                Some((slot, ty)) if FieldType::of_column(array.data_type()) == Some(ty) => {
                    columns[slot] = Some(array.clone());
                }
                _ => leaving.push((name, array)),
            }
        }
        let moves =
            Moves { layout: self, overflow: OverflowColumn::of(batch).filter(|overflow| !overflow.is_empty()), rows };
        let overflow = moves.settle(&leaving, &mut columns).or_else(|| batch.column_by_name(OVERFLOW).cloned());
        let mut arrays = heads(batch);
        for (slot, column) in columns.into_iter().enumerate() {
            let ty = self.data_type(slot);
            arrays.push(column.map_or_else(|| nulls(ty, rows), |column| represent(column, ty)));
        }
        arrays.push(overflow.unwrap_or_else(|| new_null_array(overflow_field().data_type(), rows)));
        assemble(self.schema().clone(), arrays, rows)
    }
}

/// `_time`, `_id` and `_stream`. A batch without one of them gets that of an empty row.
fn heads(batch: &RecordBatch) -> Vec<ArrayRef> {
    let rows = batch.num_rows();
    let column =
        |name: &str, ty: DataType| batch.column_by_name(name).filter(|array| *array.data_type() == ty).cloned();
    let time = column(field::TIME, time_type())
        .unwrap_or_else(|| Arc::new(TimestampNanosecondArray::from(vec![0; rows]).with_timezone("UTC")));
    let id = column(field::ID, DataType::UInt64).unwrap_or_else(|| Arc::new(UInt64Array::from(vec![0; rows])));
    let stream = match batch.column_by_name(field::STREAM) {
        Some(array) if FieldType::of_column(array.data_type()) == Some(FieldType::Str) => {
            represent(array.clone(), &dictionary_type())
        }
        _ => {
            let mut texts = Interner::default();
            texts.intern("");
            Arc::new(dictionary(Int32Array::from(vec![0; rows]), texts))
        }
    };
    vec![time, id, stream]
}

/// A column without values.
fn nulls(ty: &DataType, rows: usize) -> ArrayRef {
    if matches!(ty, DataType::Struct(_)) { no_texts(rows) } else { new_null_array(ty, rows) }
}

/// A column of text as plain text, as a dictionary or in two parts; other columns as they are.
pub(crate) fn represent(array: ArrayRef, ty: &DataType) -> ArrayRef {
    if array.data_type() == ty {
        return array;
    }
    let plain = if let Some(texts) = DictColumn::of(&array) {
        to_plain(texts)
    } else if let Some(texts) = SplitColumn::of(&array) {
        join_texts(texts)
    } else {
        array
    };
    match plain.as_string_opt::<i32>() {
        Some(texts) if *ty == dictionary_type() => to_dictionary(texts),
        Some(texts) if matches!(ty, DataType::Struct(_)) => split_texts(texts),
        _ => plain,
    }
}

fn to_dictionary(texts: &StringArray) -> ArrayRef {
    let mut interner = Interner::default();
    let mut keys: Vec<i32> = Vec::with_capacity(texts.len());
    let mut last = None;
    for text in texts {
        let Some(text) = text else {
            keys.push(0);
            continue;
        };
        let key = match last {
            Some((known, key)) if known == text => key,
            _ => interner.intern(text) as i32,
        };
        last = Some((text, key));
        keys.push(key);
    }
    Arc::new(dictionary(Int32Array::new(keys.into(), texts.nulls().cloned()), interner))
}

fn to_plain(texts: DictColumn<'_>) -> ArrayRef {
    let keys = texts.keys();
    let bytes: usize = keys.iter().flatten().map(|key| texts.values().value_length(key as usize) as usize).sum();
    let mut builder = StringBuilder::with_capacity(keys.len(), bytes);
    for row in 0..keys.len() {
        if texts.is_null(row) { builder.append_null() } else { builder.append_value(texts.value(row)) }
    }
    Arc::new(builder.finish())
}

/// The values that change their place.
struct Moves<'a> {
    layout: &'a Layout,
    overflow: Option<OverflowColumn<'a>>,
    rows: usize,
}

/// A value on its way from the overflow to a column.
struct Arrival {
    slot: usize,
    row: usize,
    /// Number of the overflow entry.
    entry: usize,
    value: Value,
}

impl Moves<'_> {
    /// Moves values between columns and overflow. The new overflow, `None` when it stays as it is.
    fn settle(&self, leaving: &[(&str, &ArrayRef)], columns: &mut [Option<ArrayRef>]) -> Option<ArrayRef> {
        let arrivals = self.arrivals(columns);
        if leaving.is_empty() && arrivals.is_empty() {
            return None;
        }
        let overflow = self.rest(leaving, &arrivals);
        let mut arrivals = &arrivals[..];
        while let Some(first) = arrivals.first() {
            let (of_slot, rest) = arrivals.split_at(arrivals.partition_point(|arrival| arrival.slot == first.slot));
            let column = &mut columns[first.slot];
            *column = self.fill(column.take(), of_slot);
            arrivals = rest;
        }
        Some(overflow)
    }

    /// The overflow values that have a column, by column and row.
    fn arrivals(&self, columns: &[Option<ArrayRef>]) -> Vec<Arrival> {
        let mut arrivals = Vec::new();
        let Some(overflow) = self.overflow else { return arrivals };
        for row in 0..self.rows {
            for (entry, name, text) in overflow.numbered(row) {
                let Some((slot, ty)) = self.layout.column(name) else { continue };
                let free = columns[slot].as_ref().is_none_or(|column| Column::of(column).is_null(row));
                if !free || json::scalar_type(text) != Some(ty) {
                    continue;
                }
                let value = json::decode(text);
                if FieldType::of(&value) == Some(ty) {
                    arrivals.push(Arrival { slot, row, entry, value });
                }
            }
        }
        arrivals.sort_by_key(|arrival| arrival.slot);
        arrivals
    }

    /// The overflow without the arrivals and with the values of the leaving columns.
    fn rest(&self, leaving: &[(&str, &ArrayRef)], arrivals: &[Arrival]) -> ArrayRef {
        let mut names = Interner::default();
        let mut overflow = Overflow::default();
        let moved: HashSet<usize> = arrivals.iter().map(|arrival| arrival.entry).collect();
        let leaving: Vec<_> = leaving.iter().map(|(name, array)| (names.intern(name), Column::of(array))).collect();
        for row in 0..self.rows {
            for (name, column) in &leaving {
                if !column.is_null(row) {
                    overflow.push(row as u32, *name, &column.value(row));
                }
            }
            for (entry, name, text) in self.overflow.iter().flat_map(|overflow| overflow.numbered(row)) {
                if !moved.contains(&entry) {
                    overflow.push_text(row as u32, names.intern(name), text);
                }
            }
        }
        Arc::new(overflow.finish(self.rows, |name| names.get(name)))
    }

    /// A column with the arrivals in its empty places.
    fn fill(&self, column: Option<ArrayRef>, arrivals: &[Arrival]) -> Option<ArrayRef> {
        let view = column.as_ref().map_or(Column::Absent, Column::of);
        let mut arrivals = arrivals.iter().peekable();
        let (mut values, mut rows) = (Values::default(), Presence::default());
        for row in 0..self.rows {
            let stored;
            let value = match arrivals.next_if(|arrival| arrival.row == row) {
                Some(arrival) => &arrival.value,
                None if view.is_null(row) => continue,
                None => {
                    stored = view.value(row);
                    &stored
                }
            };
            if let Some(value) = scalar(value)
                && values.push(value, false)
            {
                rows.push(row as u32);
            }
        }
        values.finish(&rows, self.rows)
    }
}

fn scalar(value: &Value) -> Option<Scalar<'_>> {
    Some(match value {
        Value::Str(text) => Scalar::Str(text),
        Value::Int(n) => Scalar::Int(*n),
        Value::Double(n) => Scalar::Double(*n),
        Value::Bool(b) => Scalar::Bool(*b),
        Value::Null | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => return None,
    })
}
