//! Rows of a result as JSON.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use model::Value;

use crate::cells::array_value;
use crate::output::RECORD_COLUMN;

/// Marks a column of texts that are JSON, so that a row shows them as what they are.
pub(crate) const JSON_KEY: &str = "json";

/// Appends a row of a result as one JSON object. A whole record stands as the store wrote it: `_time` in RFC 3339, `_id` in
/// 16 hexadecimal digits, `_stream`, `severity`, `body`, the other fields by name. Computed rows have their columns in
/// order, without those that are null.
pub fn row_json(batch: &RecordBatch, row: usize, out: &mut String) {
    if let Some(record) = batch.column_by_name(RECORD_COLUMN).and_then(|array| array.as_string_opt::<i32>()) {
        out.push_str(record.value(row));
        return;
    }
    out.push('{');
    let start = out.len();
    for (field, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let Some(value) = array_value(array, row) else { continue };
        if out.len() > start {
            out.push(',');
        }
        Value::Str(field.name().clone()).write_json(out);
        out.push(':');
        match value {
            Value::Str(text) if field.metadata().contains_key(JSON_KEY) => out.push_str(&text),
            value => value.write_json(out),
        }
    }
    out.push('}');
}

/// The value of a column of a row of a result; `None` when it is null or there is no such column. A whole record has only
/// `_time`, `_id` and `_stream` as columns.
pub fn row_value(batch: &RecordBatch, row: usize, column: &str) -> Option<Value> {
    array_value(batch.column_by_name(column)?, row)
}
