//! tantivy's few files in one, and back.
//!
//! ```text
//! magic "BSINDEX1" | the files' bytes, one after the other | directory, JSON | its length, u32 LE | magic "BSINDEX1"
//! ```
//!
//! The directory names each file with offset and length. Of the document store only tantivy's footer is kept: nothing reads
//! the store, but opening a segment wants the file.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Directory, DirectoryLock, FileHandle, FileSlice, Lock, RamDirectory, WatchCallback, WatchHandle, WritePtr,
};
use tantivy::index::SegmentComponent;
use tantivy::{HasLen as _, SegmentMeta};

use crate::IndexError;

const MAGIC: &[u8; 8] = b"BSINDEX1";
const META: &str = "meta.json";

/// The files of a segment without deletions.
const COMPONENTS: [SegmentComponent; 6] = [
    SegmentComponent::Terms,
    SegmentComponent::Postings,
    SegmentComponent::Positions,
    SegmentComponent::FastFields,
    SegmentComponent::FieldNorms,
    SegmentComponent::Store,
];

/// tantivy ends each file with a JSON footer, its length and a magic number, 4 bytes each.
const TANTIVY_TAIL_BYTES: usize = 8;

/// Longest directory that is read: a few files and the names of incomplete fields.
const DIRECTORY_BYTES_MAX: usize = 64 << 20;

/// What is in a packed index.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Contents {
    pub(crate) rows: u32,
    pub(crate) incomplete_fields: BTreeSet<String>,
    files: Vec<PackedFile>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct PackedFile {
    name: String,
    offset: usize,
    len: usize,
}

/// Packs the files of a segment; the number of bytes written.
pub(crate) fn write(
    from: &RamDirectory,
    segment: &SegmentMeta,
    rows: u32,
    incomplete: &BTreeSet<String>,
    sink: &mut impl Write,
) -> Result<u64, IndexError> {
    let mut contents = Contents { rows, incomplete_fields: incomplete.clone(), files: Vec::new() };
    let mut offset = MAGIC.len();
    sink.write_all(MAGIC)?;
    let mut append = |name: String, bytes: &[u8]| -> Result<(), IndexError> {
        sink.write_all(bytes)?;
        contents.files.push(PackedFile { name, offset, len: bytes.len() });
        offset += bytes.len();
        Ok(())
    };
    for component in COMPONENTS {
        let is_store = component == SegmentComponent::Store;
        let path = segment.relative_path(component);
        let bytes = from.open_read(&path).map_err(IndexError::building)?.read_bytes()?;
        let bytes = if is_store { footer(&bytes)? } else { &bytes[..] };
        append(path.to_string_lossy().into_owned(), bytes)?;
    }
    append(META.to_owned(), &from.atomic_read(Path::new(META)).map_err(IndexError::building)?)?;
    let directory = serde_json::to_vec(&contents).map_err(IndexError::building)?;
    let len = u32::try_from(directory.len()).map_err(IndexError::building)?;
    sink.write_all(&directory)?;
    sink.write_all(&len.to_le_bytes())?;
    sink.write_all(MAGIC)?;
    Ok((offset + directory.len() + size_of::<u32>() + MAGIC.len()) as u64)
}

/// The footer that tantivy put at the end of a file.
fn footer(bytes: &[u8]) -> Result<&[u8], IndexError> {
    let short = || IndexError::Build("a file of tantivy's has no footer".to_owned());
    let tail = bytes.len().checked_sub(TANTIVY_TAIL_BYTES).ok_or_else(short)?;
    let len: [u8; 4] = bytes[tail..tail + 4].try_into().map_err(IndexError::building)?;
    let start = tail.checked_sub(u32::from_le_bytes(len) as usize).ok_or_else(short)?;
    Ok(&bytes[start..])
}

/// A packed index as a read-only directory of tantivy's.
#[derive(Clone, Debug)]
pub(crate) struct PackedDirectory {
    file: FileSlice,
    contents: Arc<Contents>,
}

impl PackedDirectory {
    /// Reads the directory at the end of the file.
    pub(crate) fn open(file: FileSlice) -> Result<Self, IndexError> {
        let corrupt = |what: &str| IndexError::Corrupt(format!("{what} in a file of {} bytes", file.len()));
        let tail_len = size_of::<u32>() + MAGIC.len();
        let tail_at = file.len().checked_sub(tail_len).filter(|at| *at >= MAGIC.len());
        let tail_at = tail_at.ok_or_else(|| corrupt("no room for a directory"))?;
        let tail = file.read_bytes_slice(tail_at..file.len())?;
        let (len, magic) = tail.split_at(size_of::<u32>());
        let head = file.read_bytes_slice(0..MAGIC.len())?;
        if magic != MAGIC || &head[..] != MAGIC {
            return Err(corrupt("no index magic"));
        }
        let len = u32::from_le_bytes(len.try_into().map_err(IndexError::reading)?) as usize;
        let start = tail_at.checked_sub(len).filter(|_| len <= DIRECTORY_BYTES_MAX);
        let start = start.ok_or_else(|| corrupt("a directory that is too long"))?;
        let directory = file.read_bytes_slice(start..tail_at)?;
        let contents: Contents = serde_json::from_slice(&directory).map_err(IndexError::reading)?;
        let fits = |packed: &PackedFile| packed.offset.checked_add(packed.len).is_some_and(|end| end <= start);
        if !contents.files.iter().all(fits) {
            return Err(corrupt("a directory that points outside"));
        }
        Ok(Self { file, contents: Arc::new(contents) })
    }

    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    fn slice(&self, path: &Path) -> Result<FileSlice, OpenReadError> {
        let packed = self.contents.files.iter().find(|packed| Path::new(&packed.name) == path);
        let packed = packed.ok_or_else(|| OpenReadError::FileDoesNotExist(path.to_owned()))?;
        Ok(self.file.slice(packed.offset..packed.offset + packed.len))
    }
}

fn read_only() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::PermissionDenied, "a segment's index is never changed")
}

impl Directory for PackedDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        Ok(Arc::new(self.slice(path)?))
    }

    fn open_read(&self, path: &Path) -> Result<FileSlice, OpenReadError> {
        self.slice(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        Err(DeleteError::IoError { io_error: Arc::new(read_only()), filepath: path.to_owned() })
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        Ok(self.slice(path).is_ok())
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        Err(OpenWriteError::wrap_io_error(read_only(), path.to_owned()))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let bytes = self.slice(path)?.read_bytes();
        Ok(bytes.map_err(|error| OpenReadError::wrap_io_error(error, path.to_owned()))?.to_vec())
    }

    fn atomic_write(&self, _: &Path, _: &[u8]) -> std::io::Result<()> {
        Err(read_only())
    }

    fn sync_directory(&self) -> std::io::Result<()> {
        Ok(())
    }

    fn acquire_lock(&self, _: &Lock) -> Result<DirectoryLock, LockError> {
        Err(LockError::wrap_io_error(read_only()))
    }

    fn watch(&self, _: WatchCallback) -> tantivy::Result<WatchHandle> {
        Ok(WatchHandle::empty())
    }
}
