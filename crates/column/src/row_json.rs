//! Rows as the JSON that APIs answer with.

use std::fmt::Write as _;

use arrow_array::RecordBatch;
use model::{RowId, Timestamp, field};

use crate::view::{Column, OverflowColumn};
use crate::{OVERFLOW, json};

/// Writes rows of one batch as JSON objects: `_time` in RFC 3339, `_id` in 16 hexadecimal digits, `_stream`, `severity`,
/// `body`, then the other fields by name. Values are as [`model::Value::write_json`] writes them. Fields that a row lacks
/// are left out.
pub struct RowJson<'a> {
    /// In the order of output.
    columns: Vec<(&'a str, Column<'a>)>,
    /// How many of them come before the fields by name.
    head: usize,
    overflow: Option<OverflowColumn<'a>>,
}

const HEAD: [&str; 5] = [field::TIME, field::ID, field::STREAM, field::SEVERITY, field::BODY];

impl<'a> RowJson<'a> {
    /// Prepares a batch.
    pub fn new(batch: &'a RecordBatch) -> Self {
        let rank = |name: &str| HEAD.iter().position(|head| *head == name).unwrap_or(HEAD.len());
        let fields = batch.schema_ref().fields().iter().zip(batch.columns());
        let named = fields.filter(|(column, _)| column.name() != OVERFLOW);
        let mut columns: Vec<_> = named.map(|(column, array)| (column.name().as_str(), Column::of(array))).collect();
        columns.sort_by_key(|(name, _)| (rank(name), *name));
        let head = columns.iter().take_while(|(name, _)| rank(name) < HEAD.len()).count();
        let overflow = OverflowColumn::of(batch).filter(|overflow| !overflow.is_empty());
        Self { columns, head, overflow }
    }

    /// Appends the object of a row, without a line end.
    pub fn write(&self, row: usize, out: &mut String) {
        let mut rare: Vec<(&str, &str)> = self.overflow.map_or_else(Vec::new, |overflow| overflow.row(row).collect());
        rare.sort_unstable();
        let mut rare = rare.into_iter().peekable();
        out.push('{');
        let start = out.len();
        for (at, (name, column)) in self.columns.iter().enumerate() {
            if at >= self.head {
                while let Some((name, text)) = rare.next_if(|(rare, _)| rare < name) {
                    write_rare(start, name, text, out);
                }
            }
            if !column.is_null(row) {
                write_key(start, name, out);
                write_column(column, row, out);
            }
        }
        for (name, text) in rare {
            write_rare(start, name, text, out);
        }
        out.push('}');
    }
}

/// Appends one row as a JSON object; [`RowJson`] for many rows of a batch.
pub fn write_row_json(batch: &RecordBatch, row: usize, out: &mut String) {
    RowJson::new(batch).write(row, out);
}

fn write_key(start: usize, name: &str, out: &mut String) {
    if out.len() > start {
        out.push(',');
    }
    json::write_string(out, name);
    out.push(':');
}

fn write_rare(start: usize, name: &str, text: &str, out: &mut String) {
    write_key(start, name, out);
    json::decode(text).write_json(out);
}

fn write_column(column: &Column<'_>, row: usize, out: &mut String) {
    let _ = match column {
        Column::Time(array) => write!(out, "\"{}\"", Timestamp(array.value(row))),
        Column::Id(array) => write!(out, "\"{}\"", RowId(array.value(row))),
        Column::Int(array) => write!(out, "{}", array.value(row)),
        Column::Str(array) => {
            json::write_string(out, array.value(row));
            Ok(())
        }
        Column::Split(array) => {
            json::write_string(out, &array.text(row));
            Ok(())
        }
        Column::Dict(array) => {
            json::write_string(out, array.value(row));
            Ok(())
        }
        other => {
            other.value(row).write_json(out);
            Ok(())
        }
    };
}
