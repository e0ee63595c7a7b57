//! A segment's columns: rows as Arrow record batches, and record batches as Parquet files.
//!
//! **Shape of a batch.** `_time` Timestamp(ns, UTC), `_id` UInt64, `_stream` a dictionary of Utf8, then one nullable column
//! for each of the [`FIELD_COLUMNS_MAX`] most frequent scalar fields, typed Utf8, Int64, Float64 or Boolean, and last
//! `_overflow`, a Map from field name to JSON text. A column of text is a dictionary where texts repeat. The overflow holds
//! what has no column: rare fields, arrays, maps, bytes, and values whose type is not their column's. So no number of field
//! names breaks a file, and a type conflict loses nothing. A batch types a column after its first value, a [`Layout`] after
//! the majority of them. In a file, `body` is a structure of two parts ([`SplitColumn`]): a text's shape, which many rows share,
//! and its variables.
//!
//! **Write path.** [`BatchBuilder`] (or [`rows_to_batch`]) makes batches, each of its own columns. [`encode_batch`] makes
//! bytes of one for a log. [`FieldCounts`] decide a [`Layout`], [`Layout::conform`] brings batches to it, [`Writer`] writes
//! them to a file.
//!
//! **Read path.** [`Reader`] yields batches for a [`Projection`] and a bitmap of row numbers; [`Reader::page_times`] says
//! where in time the rows are; [`FieldView`] reads one field of a batch, column first and overflow second;
//! [`rows_from_batch`] and [`write_row_json`] rebuild rows.
//!
//! **Guarantees.** [`rows_from_batch`] is the exact inverse of [`rows_to_batch`] up to the order of a row's fields: types,
//! NaN, infinities, bytes and nested values survive, also a log, a layout and a file. A file carries the ordinary Parquet
//! logical types, so any Parquet reader opens it. A read touches the footer once, and then the pages of the wanted rows and
//! columns. Damaged input is an error, never a panic.
//!
//! **Series.** [`metrics`] has blocks of metric series, which are Parquet files of another schema.
//!
//! **Not here.** Checksums of segments, sorting and file names (`segment`), the term index (`index`).

mod batch;
mod build;
mod codec;
mod conform;
mod counts;
mod error;
mod export;
mod intern;
mod json;
mod layout;
pub mod metrics;
mod pages;
mod read;
mod row_json;
mod rows;
mod schema;
mod source;
mod split;
mod view;
mod write;

pub use batch::{batch_bytes, days, times, with_first_id};
pub use build::{BatchBuilder, Slot};
pub use codec::{decode_batch, encode_batch};
pub use counts::{FieldCount, FieldCounts, FieldType};
pub use error::ColumnError;
pub use export::ParquetExport;
pub use layout::{FIELD_COLUMNS_MAX, FIELD_NAMES_MAX, Layout, rows_to_batch};
pub use pages::PagesRead;
pub use read::{Batches, PageTimes, Projection, READ_BATCH_ROWS_MAX, Reader};
pub use row_json::{RowJson, write_row_json};
pub use rows::rows_from_batch;
pub use source::{RangeRead, Source};
pub use split::{SHAPE, SplitColumn, VARIABLES, split_bodies};
pub use view::{DictColumn, FieldView, field_names};
pub use write::{Effort, PAGE_BYTES_MAX, PAGE_ROWS_MAX, ROW_GROUP_ROWS_MAX, Writer, WriterOptions, Written};

/// Name of the column that holds what has no column of its own.
pub const OVERFLOW: &str = "_overflow";

#[cfg(test)]
mod tests;
