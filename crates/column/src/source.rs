//! Where a column file's bytes come from: memory, or a file read by position.

use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

/// How much of a file is read at a time where Parquet reads piecewise: page headers and the pages after them.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// The same for bytes by range, of which no more should be touched than a page's header.
const READ_STEP_BYTES: usize = 4 * 1024;

/// Bytes by range, from somebody who may check them before handing them out: a mapped file with checksums, for one.
pub trait RangeRead: Send + Sync + std::fmt::Debug {
    /// Length of the whole, in bytes.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Called before each batch that is read: for what is too dear to look at before each range.
    fn check(&self) -> std::io::Result<()> {
        Ok(())
    }

    /// The bytes of a range, which lies within the whole; better not copied. An error of the kind
    /// [`std::io::ErrorKind::InvalidData`] says that they are damaged.
    fn read(&self, range: Range<u64>) -> std::io::Result<Bytes>;
}

/// The bytes of a column file; cheap to clone. A file is read by position (pread): Parquet's own reader for files moves the
/// descriptor's offset, which all clones share, so two threads reading one file would get each other's bytes.
#[derive(Clone, Debug)]
pub enum Source {
    /// In memory, or mapped.
    Bytes(Bytes),
    /// An open file and its length.
    File(Arc<File>, u64),
    /// Read by range through somebody else. Only what a read needs is asked for: the footer once, then the pages.
    Ranges(Arc<dyn RangeRead>),
}

impl Source {
    /// Takes an open file.
    pub fn file(file: File) -> std::io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self::File(Arc::new(file), len))
    }

    /// See [`RangeRead::check`].
    pub(crate) fn check_again(&self) -> std::io::Result<()> {
        match self {
            Self::Ranges(ranges) => ranges.check(),
            Self::Bytes(_) | Self::File(..) => Ok(()),
        }
    }

    fn check(&self, start: u64, length: u64) -> Result<()> {
        match start.checked_add(length) {
            Some(end) if end <= self.len() => Ok(()),
            _ => Err(ParquetError::EOF(format!("{length} bytes at {start} of a file of {} bytes", self.len()))),
        }
    }
}

impl From<Vec<u8>> for Source {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl Length for Source {
    fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File(_, len) => *len,
            Self::Ranges(ranges) => ranges.len(),
        }
    }
}

impl ChunkReader for Source {
    type T = Box<dyn Read + Send>;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.check(start, 0)?;
        Ok(match self {
            Self::Bytes(bytes) => Box::new(bytes.slice(start as usize..).reader()),
            Self::File(file, _) => {
                Box::new(BufReader::with_capacity(READ_BUFFER_BYTES, AtPosition { file: file.clone(), at: start }))
            }
            Self::Ranges(ranges) => {
                let steps = InSteps { ranges: ranges.clone(), at: start };
                Box::new(BufReader::with_capacity(READ_STEP_BYTES, steps))
            }
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        self.check(start, length as u64)?;
        match self {
            Self::Bytes(bytes) => Ok(bytes.slice(start as usize..start as usize + length)),
            Self::File(file, _) => {
                let mut buffer = vec![0; length];
                file.read_exact_at(&mut buffer, start)?;
                Ok(buffer.into())
            }
            Self::Ranges(ranges) => Ok(ranges.read(start..start + length as u64)?),
        }
    }
}

struct AtPosition {
    file: Arc<File>,
    at: u64,
}

impl Read for AtPosition {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.file.read_at(buffer, self.at)?;
        self.at += n as u64;
        Ok(n)
    }
}

struct InSteps {
    ranges: Arc<dyn RangeRead>,
    at: u64,
}

impl Read for InSteps {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let end = self.ranges.len().min(self.at.saturating_add(buffer.len() as u64));
        let bytes = self.ranges.read(self.at..end.max(self.at))?;
        let len = bytes.len().min(buffer.len());
        buffer[..len].copy_from_slice(&bytes[..len]);
        self.at += len as u64;
        Ok(len)
    }
}
