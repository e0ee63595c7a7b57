//! A segment: the immutable on-disk unit of the store. One Parquet file, one term index, and a manifest entry.
//!
//! **Write path.** [`write_segment`] sorts the rows of batches by stream, time and id and writes `<id>.parquet` and
//! `<id>.idx`; [`merge_segments`] does the same from segments, streaming. Both return a [`SegmentMeta`], which the catalog
//! keeps. Rows stay columns all the way: sorting and merging move ranges of rows between batches.
//!
//! **Read path.** [`Segment::open`] checks the lengths and maps the files. The footer and the index are parsed when they are
//! first asked for, and each block of 64 KiB is checked when it is first touched. [`Segment::index`] answers which rows hold
//! a word, [`Segment::read`] yields batches for a projection and a bitmap of rows.
//!
//! **Guarantees.** What is returned by a write is durable: both files and their directory are fsynced. What the manifest
//! entry claims is checked by the same function after writing and when opening. Damage is an error that names the segment,
//! the file and the block, never a panic and never wrong rows; the undamaged blocks stay readable, and a damaged index
//! leaves the columns in use. Row n of the columns is row n of the index.
//!
//! **Not here.** Which segments exist (`catalog`), when to flush and merge (`store`), what a query means (`exec`).

mod error;
mod fields;
mod gather;
mod head;
mod merge;
mod meta;
mod open;
mod order;
mod repair;
mod source;
mod sums;
mod totals;
mod write;

pub use column::{FieldCount, FieldType, PageTimes, Projection, READ_BATCH_ROWS_MAX};
pub use error::SegmentError;
pub use merge::{BEST_EFFORT_ROWS_MIN, merge_segments};
pub use meta::{SegmentField, SegmentMeta, SegmentSpec};
pub use open::{Segment, SegmentBatches};
pub use repair::rebuild_index;
pub use totals::{STREAMS_LISTED_BYTES_MAX, STREAMS_LISTED_MAX, StreamRows};
pub use write::write_segment;

#[cfg(test)]
mod tests;
