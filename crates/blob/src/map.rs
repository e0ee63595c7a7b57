//! Files mapped into memory: the only unsafe code of the workspace.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::BlobError;

/// What the kernel says when touching a page would raise SIGBUS (Linux, all architectures).
const EFAULT: i32 = 14;

/// The bytes of a file, mapped into memory; cheap to clone, unmapped with the last clone. Deleting the file meanwhile is
/// harmless: the kernel keeps its blocks until then.
#[derive(Clone)]
pub struct Mapped(Option<Arc<memmap2::Mmap>>);

impl Mapped {
    pub(crate) fn open(path: &Path) -> Result<Self, BlobError> {
        let file = File::open(path).map_err(BlobError::io("open", path))?;
        let len = file.metadata().map_err(BlobError::io("stat", path))?.len();
        Self::of(&file, len, path)
    }

    /// Maps the first `len` bytes of an open file, which must have them. `path` is for errors.
    pub(crate) fn of(file: &File, len: u64, path: &Path) -> Result<Self, BlobError> {
        if len == 0 {
            return Ok(Self(None));
        }
        let too_long = |_| BlobError::io("map", path)(std::io::ErrorKind::FileTooLarge.into());
        let len = usize::try_from(len).map_err(too_long)?;
        // SAFETY: A mapping is sound as long as nobody changes the file beneath it. Files reached through `LocalDir` are
        // written under a temporary name and renamed once complete; after that nothing in this process writes or truncates
        // them, they are only deleted, which keeps mapped blocks alive. The directory is locked against a second process of
        // ours by the store. An outsider who truncates a segment by hand gets this process a SIGBUS, not silent corruption;
        // `CheckedMap` looks at the length again before each slice, which leaves a moment for that instead of a lifetime.
        #[allow(unsafe_code, reason = "mapping a file has no safe interface")]
        let map = unsafe { memmap2::MmapOptions::new().len(len).map(file) }.map_err(BlobError::io("map", path))?;
        Ok(Self(Some(Arc::new(map))))
    }

    /// Has the kernel take the mapped pages out of this process's memory; who touches one again gets it from the file.
    pub(crate) fn forget(&self) {
        let Some(map) = &self.0 else { return };
        // SAFETY: What the call can lose are changes to private mappings. This one is shared, read-only, and of a file that never
        // changes, so that every byte reads the same afterwards.
        #[allow(unsafe_code, reason = "memmap2 marks the advice unsafe for mappings that can be written")]
        // A kernel that refuses keeps the pages, which is no loss.
        let _ = unsafe { map.unchecked_advise(memmap2::UncheckedAdvice::DontNeed) };
    }

    /// Has the kernel load a range. A disk that cannot read it is an error here and would be a SIGBUS at the first touch.
    /// Kernels before 5.14 do not know the call: then nothing happens and the first touch loads.
    pub(crate) fn populate(&self, start: u64, end: u64) -> std::io::Result<()> {
        let Some(map) = &self.0 else { return Ok(()) };
        match map.advise_range(memmap2::Advice::PopulateRead, start as usize, (end - start) as usize) {
            Err(error) if error.raw_os_error() == Some(EFAULT) => Err(error),
            _ => Ok(()),
        }
    }
}

impl Deref for Mapped {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_deref().map_or(&[], |map| map)
    }
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        self
    }
}

impl std::fmt::Debug for Mapped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Mapped({} bytes)", self.len())
    }
}
