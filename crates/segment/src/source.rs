//! A checked file as what the column and index readers read from: each block is checked when it is first read.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use blob::{BlobError, CheckedMap};
use bytes::Bytes;
use column::{RangeRead, Source};
use index::{FileBytes, IndexFile};

pub(crate) fn columns_source(file: &CheckedMap) -> Source {
    Source::Ranges(Arc::new(Checked(file.clone())))
}

pub(crate) fn index_file(file: &CheckedMap) -> IndexFile {
    IndexFile::new(Arc::new(Checked(file.clone())))
}

#[derive(Debug)]
struct Checked(CheckedMap);

impl Checked {
    /// Damage is [`io::ErrorKind::InvalidData`], which the readers know; the rest is what the system said.
    fn slice(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.0.slice(range).map_err(io_error)
    }
}

fn io_error(error: BlobError) -> io::Error {
    let kind = if error.is_damaged() { io::ErrorKind::InvalidData } else { io::ErrorKind::Other };
    io::Error::new(kind, error)
}

impl RangeRead for Checked {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn check(&self) -> io::Result<()> {
        self.0.check_len().map_err(io_error)
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.0.bytes(range).map_err(io_error)
    }
}

impl FileBytes for Checked {
    fn len(&self) -> u64 {
        self.0.len()
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        self.slice(range)
    }
}
