//! A batch as bytes, for a log: the buffers of its columns one after the other, small and fast to read back rather than
//! clever, because the whole is compressed by the caller.
//!
//! | part | bytes |
//! |---|---|
//! | version | 1 |
//! | rows | varint |
//! | `_time` | a zigzag varint a row: the distance from the row before |
//! | `_stream` | as a dictionary column |
//! | field columns | varint count; for each its name, type, nulls, and the values of the rows that are not null |
//! | `_overflow` | varint count of entries; if there are any: a varint a row, the names as a dictionary, the JSON texts |
//!
//! A text is its varint length and its bytes; of many texts all lengths come first. A dictionary is its texts and the
//! number of each value's text in the fewest of 0, 1, 2 or 4 bytes. Integers are their least and the distance of each from
//! it in the fewest of 0, 1, 2, 4 or 8 bytes. `_id` is not stored: a log knows the first id of a batch, see
//! [`crate::with_first_id`].

use arrow_array::RecordBatch;

use crate::ColumnError;

mod decode;
mod encode;

/// First byte of every encoded batch.
const VERSION: u8 = 1;

/// The types of an encoded field column.
mod kind {
    pub(super) const TEXT: u8 = 0;
    pub(super) const DICTIONARY: u8 = 1;
    pub(super) const INT: u8 = 2;
    pub(super) const DOUBLE: u8 = 3;
    pub(super) const BOOL: u8 = 4;
}

/// Appends a batch to `out`. Columns that are not of the shape of a batch are left out.
pub fn encode_batch(batch: &RecordBatch, out: &mut Vec<u8>) {
    encode::encode(batch, out);
}

/// Reads a batch that [`encode_batch`] wrote; its ids are zero. [`ColumnError::Damaged`] when the bytes are anything else.
/// Memory is bounded by the length of the bytes times the number of columns, which is at most
/// [`crate::FIELD_COLUMNS_MAX`].
pub fn decode_batch(bytes: &[u8]) -> Result<RecordBatch, ColumnError> {
    decode::decode(bytes)
}

#[cfg(test)]
mod tests;
