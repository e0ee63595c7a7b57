//! Bytes by key: files of a local directory, written so that a crash leaves the old file, the new file or none.
//!
//! **Entry point.** [`LocalDir`]: a key is a relative path such as `segments/1f/columns.parquet`.
//!
//! **Write path.** [`LocalDir::write`] and [`LocalDir::create`] write a temporary file next to the target, fsync it, rename
//! it and fsync the directory. Files that another library wrote in place are made durable by [`LocalDir::sync_tree`].
//!
//! **Read path.** [`LocalDir::read`], [`LocalDir::open`] and [`LocalDir::map`], which maps the file into memory.
//!
//! **Guarantees.** When a call that writes returns `Ok`, the bytes and the name survive a power cut. A key never leaves the
//! directory: `..`, absolute paths and empty parts are refused. Deleting what is not there is no error.
//!
//! **Not here.** What the bytes mean (`segment`), the log (`wal` writes its own preallocated files), and object stores: they
//! come behind the same calls.

mod dir;
mod error;
mod map;

pub use dir::{BlobWriter, LocalDir, TEMP_SUFFIX};
pub use error::BlobError;
pub use map::Mapped;
