//! A segment: the immutable on-disk unit of the store. One Parquet file, one term index, and a manifest entry.
//!
//! **Write path.** [`write_segment`] sorts rows by stream, time and id and writes `<id>.parquet` and `<id>.idx`;
//! [`merge_segments`] does the same from segments, streaming. Both return a [`SegmentMeta`], which the catalog keeps.
//!
//! **Read path.** [`Segment::open`] checks the lengths and maps the files; the first read of each file checks its checksum,
//! once. [`Segment::index`] answers which rows hold a word, [`Segment::read`] yields batches for a projection and a bitmap
//! of rows.
//!
//! **Guarantees.** What is returned by a write is durable: both files and their directory are fsynced. What the manifest
//! entry claims is checked by the same function after writing and when opening. Damage is an error that names the segment
//! and the file, never a panic and never wrong rows. Row n of the columns is document n of the index.
//!
//! **Not here.** Which segments exist (`catalog`), when to flush and merge (`store`), what a query means (`exec`).

mod error;
mod fields;
mod merge;
mod meta;
mod open;
mod repair;
mod write;

pub use column::{FieldCount, FieldType, Projection};
pub use error::SegmentError;
pub use merge::merge_segments;
pub use meta::{SegmentField, SegmentMeta, SegmentSpec};
pub use open::{Segment, SegmentBatches};
pub use repair::rebuild_index;
pub use write::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, write_segment};

#[cfg(test)]
mod tests;
