//! Whole batches: their ids, their times, their memory.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{ArrowDictionaryKeyType, Int32Type, TimestampNanosecondType};
use arrow_array::{Array, ArrayRef, DictionaryArray, RecordBatch, StringArray, StructArray, UInt64Array};
use arrow_schema::DataType;
use model::{RowId, Timestamp, field};

use crate::schema::assemble;

/// The batch with the ids `first`, `first` + 1 and so on. The other columns are shared, not copied. A batch without `_id`
/// stays as it is.
pub fn with_first_id(batch: &RecordBatch, first: RowId) -> RecordBatch {
    let Some((at, _)) = batch.schema_ref().column_with_name(field::ID) else { return batch.clone() };
    let mut columns = batch.columns().to_vec();
    let rows = batch.num_rows() as u64;
    columns[at] = Arc::new(UInt64Array::from_iter_values((0..rows).map(|row| first.0.wrapping_add(row))));
    assemble(batch.schema(), columns, batch.num_rows())
}

/// The days, as [`Timestamp::day`] counts them, that the rows fall on.
pub fn days(batch: &RecordBatch) -> BTreeSet<i64> {
    let Some((min, max)) = times(batch) else { return BTreeSet::new() };
    if min.day() == max.day() {
        return BTreeSet::from([min.day()]);
    }
    let mut days = BTreeSet::new();
    let mut last = None;
    for time in time_values(batch) {
        let day = Timestamp(*time).day();
        if last.replace(day) != Some(day) {
            days.insert(day);
        }
    }
    days
}

/// The earliest and the latest time; `None` without rows.
pub fn times(batch: &RecordBatch) -> Option<(Timestamp, Timestamp)> {
    let times = time_values(batch);
    Some((Timestamp(*times.iter().min()?), Timestamp(*times.iter().max()?)))
}

fn time_values(batch: &RecordBatch) -> &[i64] {
    let array = batch.column_by_name(field::TIME).and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
    array.map_or(&[], |array| array.values())
}

/// The memory of the batch in bytes. A slice counts what it shows, with the whole of a dictionary.
pub fn batch_bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|column| array_bytes(column)).sum()
}

fn array_bytes(array: &dyn Array) -> usize {
    let rows = array.len();
    let nulls = array.nulls().map_or(0, |_| rows.div_ceil(8));
    let values = match array.data_type() {
        DataType::Utf8 => array.as_string_opt::<i32>().map_or(0, text_bytes),
        DataType::Dictionary(..) => array.as_dictionary_opt::<Int32Type>().map_or(0, dictionary_bytes),
        DataType::Map(..) => array.as_map_opt().map_or(0, |map| {
            let offsets = map.value_offsets();
            let range = offsets[0] as usize..offsets[rows] as usize;
            let part = |column: &dyn Array| array_bytes(&*column.slice(range.start, range.len()));
            rows * 4 + part(map.keys()) + part(map.values())
        }),
        DataType::Struct(_) => array.as_struct_opt().map_or(0, split_bytes),
        DataType::Boolean => rows.div_ceil(8),
        other => rows * other.primitive_width().unwrap_or(0),
    };
    nulls + values
}

/// Text in two parts. Many batches of a file share one dictionary of all its shapes, so each counts its own part of it.
fn split_bytes(parts: &StructArray) -> usize {
    let rows = parts.len();
    let bytes = |part: &ArrayRef| match part.as_dictionary_opt::<Int32Type>() {
        Some(shapes) => {
            rows * 4
                + array_bytes(shapes.values()).min(array_bytes(shapes.values()) / shapes.values().len().max(1) * rows)
        }
        None => array_bytes(part),
    };
    parts.columns().iter().map(bytes).sum()
}

fn text_bytes(array: &StringArray) -> usize {
    let offsets = array.value_offsets();
    (offsets[array.len()] - offsets[0]) as usize + offsets.len() * 4
}

fn dictionary_bytes<K: ArrowDictionaryKeyType>(array: &DictionaryArray<K>) -> usize {
    array.keys().len() * size_of::<K::Native>() + array_bytes(array.values())
}
