//! Files mapped into memory: the only unsafe code of the workspace.

use std::fs::File;
use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use crate::BlobError;

/// The bytes of a file, mapped into memory; cheap to clone, unmapped with the last clone. Deleting the file meanwhile is
/// harmless: the kernel keeps its blocks until then.
#[derive(Clone)]
pub struct Mapped(Option<Arc<memmap2::Mmap>>);

impl Mapped {
    pub(crate) fn open(path: &Path) -> Result<Self, BlobError> {
        let file = File::open(path).map_err(BlobError::io("open", path))?;
        let len = file.metadata().map_err(BlobError::io("stat", path))?.len();
        if len == 0 {
            return Ok(Self(None));
        }
        // SAFETY: A mapping is sound as long as nobody changes the file beneath it. Files reached through `LocalDir` are
        // written under a temporary name and renamed once complete; after that nothing in this process writes or truncates
        // them, they are only deleted, which keeps mapped blocks alive. The directory is locked against a second process of
        // ours by the store. An outsider who truncates a segment by hand gets this process a SIGBUS, not silent corruption.
        #[allow(unsafe_code, reason = "mapping a file has no safe interface")]
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(BlobError::io("map", path))?;
        Ok(Self(Some(Arc::new(map))))
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
