//! A segment's index: which rows hold which words, values and shapes of text.
//!
//! **Entry points.** [`IndexWriter`] takes the
//! batches of a segment in order and writes one file; [`IndexReader`] answers with [`Hits`]: rows that surely match, and rows
//! that somebody has to look at.
//!
//! **Three tiers.** What repeats is indexed once and not row by row:
//!
//! 1. *Groups* of rows that share a value or a shape. A field with few values (severities, hosts, status codes) keeps each
//!    with the list of its rows. Other text is cut to shapes: the text with a hole where a word holds a digit; the rows of a
//!    shape that repeats are a group, and its words cost nothing per row. Rows of rare shapes are *loose*. [`shape::GroupText`] lets a
//!    caller try any test on a few thousand shapes instead of on millions of rows.
//! 2. *Terms*: words of loose rows and short variable words (`404`, `v2`) with a list of rows each; of a word in a large part of
//!    the rows only which blocks of 64 rows have it. Words of letters in one or two rows are kept apart, in packed blocks.
//! 3. *Filters*: ids, hashes, long numbers, and numbers that occur once or twice: for every few thousand rows a filter that says
//!    maybe or no, and for long ids which of 32 parts of them.
//!
//! Numbers with many values are in no tier: only which rows have one, and the range of the integers.
//!
//! **Guarantees.** For a field that [`IndexReader::is_complete`] affirms, an answer's sure rows match, and every row that
//! matches is among the sure and the maybe rows. The n-th row added is row n. Damage is an error, never a panic, and without
//! checksums at worst other rows; what is not read is not decoded.
//!
//! **Not here.** Checksums (`segment`), tests of rows (`exec` verifies them on the columns).

mod error;
mod filter;
mod hits;
mod pack;
mod rare;
mod read;
mod rows;
mod table;
mod varint;
mod write;

use serde::{Deserialize, Serialize};

pub use error::IndexError;
pub use hits::Hits;
pub use read::{FileBytes, GroupValue, IndexFile, IndexReader, TierRows};
pub use write::{IndexWriter, IndexWritten};

/// Asked every few thousand rows whether to give up; then the answer is [`IndexError::Stopped`].
pub type Stop<'a> = &'a dyn Fn() -> bool;

/// Longest token that gets a row list of its own, in bytes. Longer runs are encoded data; the filters know them.
pub const TOKEN_BYTES_MAX: usize = 128;

/// Longest field name that is indexed, in bytes; a longer one makes the field incomplete.
pub const FIELD_NAME_BYTES_MAX: usize = 1024;

/// Most fields of an index; with more, those that came later are incomplete. Each has an entry of some 200 bytes in the header.
pub const FIELDS_MAX: usize = 16_384;

/// Most rows of an index. Answers of many rows take a bit for each row of the segment, here 128 MiB.
pub const ROWS_MAX: u32 = 1 << 30;

/// Bytes of an index file by tier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TierBytes {
    /// Values and shapes, their words and rows.
    pub groups: u64,
    /// Terms and their rows.
    pub terms: u64,
    /// Filters.
    pub filters: u64,
}
