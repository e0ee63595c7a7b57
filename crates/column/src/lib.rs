//! A segment's columns: rows as Arrow record batches, and record batches as Parquet files.
//!
//! **Shape of a batch.** `_time` Timestamp(ns, UTC), `_id` UInt64, `_stream` Utf8, then one nullable column for each of the
//! [`FIELD_COLUMNS_MAX`] most frequent scalar fields, typed Utf8, Int64, Float64 or Boolean after the majority of its
//! values, and last `_overflow`, a Map from field name to JSON text. The overflow holds what has no column: rare fields,
//! arrays, maps, bytes, and values whose type is not their column's. So no number of field names breaks a file, and a type
//! conflict loses nothing. The memtable and the segments have the same shape.
//!
//! **Write path.** [`rows_to_batch`] (or [`FieldCounts`] and [`Layout`] where many batches must share a schema), then
//! [`Writer`].
//!
//! **Read path.** [`Reader`] yields batches for a [`Projection`] and a bitmap of row numbers; [`FieldView`] reads one field
//! of a batch, column first and overflow second; [`rows_from_batch`] and [`write_row_json`] rebuild rows.
//!
//! **Guarantees.** [`rows_from_batch`] is the exact inverse of [`rows_to_batch`] up to the order of a row's fields: types,
//! NaN, infinities, bytes and nested values survive. A file carries the ordinary Parquet logical types, so any Parquet
//! reader opens it. Damaged input is an error, never a panic.
//!
//! **Not here.** Checksums, sorting and file names (`segment`), the term index (`index`).

mod error;
mod json;
mod layout;
mod read;
mod row_json;
mod rows;
mod source;
mod view;
mod write;

pub use error::ColumnError;
pub use layout::{FIELD_COLUMNS_MAX, FIELD_NAMES_MAX, FieldCount, FieldCounts, FieldType, Layout, rows_to_batch};
pub use read::{Batches, Projection, READ_BATCH_ROWS_MAX, Reader};
pub use row_json::{RowJson, write_row_json};
pub use rows::rows_from_batch;
pub use source::Source;
pub use view::{FieldView, field_names};
pub use write::{PAGE_ROWS_MAX, ROW_GROUP_ROWS_MAX, Writer, Written};

/// Name of the column that holds what has no column of its own.
pub const OVERFLOW: &str = "_overflow";
