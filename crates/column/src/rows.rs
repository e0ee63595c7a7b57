//! Batches back to rows.

use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::{TimestampNanosecondType, UInt64Type};
use model::{Row, RowId, Timestamp, field};

use crate::view::{Column, OverflowColumn};
use crate::{FieldView, OVERFLOW, json};

/// The rows of a batch, in order: the exact inverse of [`crate::rows_to_batch`], except that a row's fields come in the
/// order of the columns. A batch without `_time`, `_id` or `_stream` gives rows with their defaults.
pub fn rows_from_batch(batch: &RecordBatch) -> Vec<Row> {
    let mut rows = heads(batch);
    for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let name = column.name().as_str();
        if [field::TIME, field::ID, field::STREAM, OVERFLOW].contains(&name) {
            continue;
        }
        let name: Arc<str> = name.into();
        let column = Column::of(array);
        for (at, row) in rows.iter_mut().enumerate() {
            if !column.is_null(at) {
                row.fields.push((name.clone(), column.value(at)));
            }
        }
    }
    if let Some(overflow) = OverflowColumn::of(batch).filter(|overflow| !overflow.is_empty()) {
        for (at, row) in rows.iter_mut().enumerate() {
            row.fields.extend(overflow.row(at).map(|(name, text)| (Arc::from(name), json::decode(text))));
        }
    }
    rows
}

/// Rows with time, id and stream. Rows of a stream lie together, so neighbours share its text.
fn heads(batch: &RecordBatch) -> Vec<Row> {
    let times = batch.column_by_name(field::TIME).and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
    let ids = batch.column_by_name(field::ID).and_then(|array| array.as_primitive_opt::<UInt64Type>());
    let streams = FieldView::new(batch, field::STREAM);
    let mut rows: Vec<Row> = Vec::with_capacity(batch.num_rows());
    for at in 0..batch.num_rows() {
        let mut row = Row::new(times.map_or_else(Timestamp::default, |times| Timestamp(times.value(at))));
        row.id = ids.map_or_else(RowId::default, |ids| RowId(ids.value(at)));
        if let Some(text) = streams.text(at) {
            row.stream = match rows.last() {
                Some(last) if *last.stream == text => last.stream.clone(),
                _ => text.into(),
            };
        }
        rows.push(row);
    }
    rows
}
