//! The shape that every batch has.

use std::sync::Arc;

use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use model::field;

use crate::OVERFLOW;

/// Columns before the field columns: `_time`, `_id`, `_stream`.
pub(crate) const HEAD_COLUMNS: usize = 3;

/// Whether every batch has a column of this name, so that no field can have one. Records cannot carry such a field by
/// `LogRecord::into_row`; should one do so all the same, its value goes to the overflow.
pub(crate) fn is_reserved(name: &str) -> bool {
    [field::TIME, field::ID, field::STREAM, OVERFLOW].contains(&name)
}

/// Fields whose texts hardly repeat. They never become a dictionary: it would be built and thrown away.
pub(crate) fn is_distinct(name: &str) -> bool {
    [field::BODY, field::TRACE_ID, field::SPAN_ID, "parent_span_id"].contains(&name)
}

/// The type of `_time`.
pub(crate) fn time_type() -> DataType {
    DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()))
}

/// The type of a text column of few distinct values, and of `_stream`.
pub(crate) fn dictionary_type() -> DataType {
    DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8))
}

/// The schema of a batch with these field columns.
pub(crate) fn schema_of(columns: impl IntoIterator<Item = Field>) -> SchemaRef {
    let mut fields = vec![
        Field::new(field::TIME, time_type(), false),
        Field::new(field::ID, DataType::UInt64, false),
        Field::new(field::STREAM, dictionary_type(), false),
    ];
    fields.extend(columns);
    fields.push(overflow_field());
    Arc::new(Schema::new(fields))
}

/// The overflow field, with the names that Parquet's specification gives the parts of a map.
pub(crate) fn overflow_field() -> Field {
    Field::new(OVERFLOW, DataType::Map(entries_field(), false), true)
}

pub(crate) fn entries_field() -> Arc<Field> {
    Arc::new(Field::new("key_value", DataType::Struct(entry_fields()), false))
}

pub(crate) fn entry_fields() -> Fields {
    Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)])
}

/// A batch of arrays that were built after their schema: a failure is a bug of this crate, not of the data.
pub(crate) fn assemble(schema: SchemaRef, arrays: Vec<ArrayRef>, rows: usize) -> RecordBatch {
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    RecordBatch::try_new_with_options(schema, arrays, &options).expect("the arrays are built after the schema")
}
