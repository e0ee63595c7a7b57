//! Where the bytes of an index come from.

use std::fmt;
use std::io;
use std::ops::{Deref, Range};
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use tantivy::directory::{Directory as _, MmapDirectory};

use crate::IndexError;

/// Bytes that an index is read from. Every read is of a range that is wanted, so that whoever implements this can check what
/// is touched and nothing else.
pub trait FileBytes: Send + Sync {
    /// Length of the file.
    fn len(&self) -> u64;

    /// Whether there are no bytes.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The bytes of a range that is within the length, without copying if possible.
    fn read(&self, range: Range<u64>) -> io::Result<Bytes>;
}

impl FileBytes for Bytes {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn read(&self, range: Range<u64>) -> io::Result<Bytes> {
        Ok(self.slice(range.start as usize..range.end as usize))
    }
}

/// An index file; cheap to clone.
#[derive(Clone)]
pub struct IndexFile(Arc<dyn FileBytes>);

impl fmt::Debug for IndexFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IndexFile({} bytes)", self.len())
    }
}

impl IndexFile {
    /// A file whose bytes somebody else hands out.
    pub fn new(bytes: Arc<dyn FileBytes>) -> Self {
        Self(bytes)
    }

    /// Maps a file into memory. It stays readable when the file is deleted.
    pub fn map(path: &Path) -> Result<Self, IndexError> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(IndexError::Corrupt(format!("{} names no file", path.display())));
        };
        let directory = MmapDirectory::open(folder).map_err(IndexError::reading)?;
        let file = directory.open_read(Path::new(name)).map_err(IndexError::reading)?;
        Ok(Self(Arc::new(Bytes::from_owner(file.read_bytes()?))))
    }

    /// All the bytes.
    pub fn bytes(&self) -> Result<impl Deref<Target = [u8]> + use<>, IndexError> {
        self.read(0..self.len())
    }

    /// Length of the file.
    pub(crate) fn len(&self) -> u64 {
        self.0.len()
    }

    pub(crate) fn read(&self, range: Range<u64>) -> Result<Bytes, IndexError> {
        let wanted = range.end - range.start;
        let bytes = self.0.read(range)?;
        if bytes.len() as u64 != wanted {
            return Err(IndexError::Corrupt(format!("{} of {wanted} bytes could be read", bytes.len())));
        }
        Ok(bytes)
    }
}

impl From<Vec<u8>> for IndexFile {
    fn from(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Bytes::from(bytes)))
    }
}
