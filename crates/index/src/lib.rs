//! A segment's term index: which rows hold which words.
//!
//! **Entry points.** [`tokenize`] cuts text into words, here and wherever a query looks at text; [`IndexWriter`] takes the
//! rows of a segment in order and writes one file; [`IndexReader`] answers with bitmaps of row numbers.
//!
//! **What is indexed.** Every field but `_time`, `_id` and `_stream`, arrays, numbers and booleans by their text. A term is
//! `<field>\x1f<token>` in the one field of a tantivy index with a single segment, whose document ids are the row numbers.
//! No positions, no frequencies, no norms, no stored fields. tantivy writes a document store even when it holds nothing (4
//! bytes a row); the file leaves it out.
//!
//! **Guarantees.** For a field that [`IndexReader::is_complete`] affirms, the rows with a token are exactly those whose
//! text [`tokenize`] cuts into it. A token over [`TOKEN_BYTES_MAX`] is not indexed and makes its field incomplete. An index
//! has as many documents as the segment has rows, or it is not written; damage is an error, never a panic.
//!
//! **Not here.** Checksums (`segment`), phrases and regexes (`exec` verifies them on the column), a second tier for tokens
//! that look random.

mod error;
mod pack;
mod read;
mod tokenize;
mod write;

pub use error::IndexError;
pub use read::{IndexFile, IndexReader};
pub use tokenize::{Tokens, tokenize};
pub use write::{IndexWriter, IndexWritten};

/// Longest token that is indexed, in bytes. Longer runs are encoded data; a term dictionary of them would be larger than the
/// text.
pub const TOKEN_BYTES_MAX: usize = 128;

/// Longest field name that is indexed, in bytes; a longer one makes the field incomplete.
pub const FIELD_NAME_BYTES_MAX: usize = 1024;

/// Between field and token in a term. No token has it; in a field name it is rejected as incomplete.
const SEPARATOR: char = '\u{1f}';

/// The one field of the tantivy schema.
const TERMS_FIELD: &str = "terms";
