//! Bytes by key: files of a local directory, written so that a crash leaves the old file, the new file or none.
//!
//! **Entry point.** [`LocalDir`]: a key is a relative path such as `segments/1f/columns.parquet`.
//!
//! **Write path.** [`LocalDir::write`] and [`LocalDir::create`] write a temporary file next to the target, fsync it, rename
//! it and fsync the directory; [`LocalDir::create_checked`] also gives the checksums of its blocks, which the caller keeps. Files that another library wrote in place are made durable by [`LocalDir::sync_tree`].
//!
//! **Read path.** [`LocalDir::read`], [`LocalDir::open_file`], [`LocalDir::map`], which maps the file into memory, and
//! [`LocalDir::map_checked`], which also checks each block when it is first touched.
//!
//! **Guarantees.** When a call that writes returns `Ok`, the bytes and the name survive a power cut. A key never leaves the
//! directory: `..`, absolute paths and empty parts are refused. Deleting what is not there is no error.
//!
//! **Not here.** What the bytes mean (`segment`), the log (`wal` writes its own preallocated files), and object stores: they
//! come behind the same calls.

mod checked;
mod dir;
mod error;
mod map;

pub use checked::{BlockSums, CHECK_BLOCK_BYTES, CheckedFile, CheckedMap, CheckedWriter};
pub use dir::{BlobWriter, LocalDir, TEMP_SUFFIX};
pub use error::BlobError;
pub use map::Mapped;
