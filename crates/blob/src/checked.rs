//! Files whose blocks have checksums that somebody else keeps: written while streaming, checked when first touched.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::{BlobError, BlobWriter, Mapped};

/// Size of a block. Reading a few rows touches a few blocks, so a block is small; 4 bytes of checksum for each are 0.006 % of
/// the file.
pub const CHECK_BLOCK_BYTES: u64 = 64 * 1024;

/// The checksums of a file's blocks: XXH3-64 cut to its low 32 bits. A damaged block passes once in 4 billion times, which is
/// enough against disks and not meant against people.
#[derive(Clone, PartialEq, Eq)]
pub struct BlockSums {
    block_bytes: u64,
    sums: Arc<[u32]>,
}

impl BlockSums {
    /// The checksums of blocks of [`CHECK_BLOCK_BYTES`], in the order of the file.
    pub fn new(sums: Vec<u32>) -> Self {
        Self { block_bytes: CHECK_BLOCK_BYTES, sums: sums.into() }
    }

    /// A file of `len` bytes of which only the XXH3-64 of the whole is known: one block, read whole at the first touch.
    pub fn of_whole(len: u64, xxh3: u64) -> Self {
        Self { block_bytes: len.max(1), sums: Arc::new([xxh3 as u32]) }
    }

    /// One checksum a block.
    pub fn as_slice(&self) -> &[u32] {
        &self.sums
    }

    /// Whether there are as many checksums as a file of `len` bytes has blocks.
    pub fn fit(&self, len: u64) -> bool {
        len.div_ceil(self.block_bytes) == self.sums.len() as u64
    }
}

impl std::fmt::Debug for BlockSums {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BlockSums({} of {} bytes)", self.sums.len(), self.block_bytes)
    }
}

/// A file mapped into memory whose blocks are checked when they are first touched; cheap to clone. What nobody asks for is
/// never read.
///
/// A file that was cut short is an error at [`open`](crate::LocalDir::map_checked) and at every later
/// [`slice`](Self::slice), which looks at the length again before it touches the mapping: reading behind the end of a mapped
/// file would end the process with SIGBUS. That costs 0.7 µs a slice. No descriptor is kept for it, because a store maps two
/// files a segment and a process may often open only 1,024. A slice that was given out before the file was cut is not
/// protected.
#[derive(Clone)]
pub struct CheckedMap {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// Device and number of the file, by which it is known when another one has its name.
    identity: (u64, u64),
    map: Mapped,
    /// The same bytes, as what slices are cut from.
    whole: Bytes,
    sums: BlockSums,
    /// One bit a block: set once it has passed.
    passed: Box<[AtomicU64]>,
    /// First block that did not pass, plus one; 0 for none.
    damaged: AtomicU64,
}

impl CheckedMap {
    pub(crate) fn open(path: PathBuf, len: u64, sums: BlockSums) -> Result<Self, BlobError> {
        let file = File::open(&path).map_err(BlobError::io("open", &path))?;
        let metadata = file.metadata().map_err(BlobError::io("stat", &path))?;
        check_len(&path, metadata.len(), len)?;
        if !sums.fit(len) {
            let what = format!("{} checksums are known of its {len} bytes", sums.sums.len());
            return Err(BlobError::Damaged { path, what });
        }
        let map = Mapped::of(&file, len, &path)?;
        let whole = Bytes::from_owner(map.clone());
        let passed = (0..sums.sums.len().div_ceil(64)).map(|_| AtomicU64::new(0)).collect();
        let identity = identity(&metadata);
        Ok(Self { inner: Arc::new(Inner { path, identity, map, whole, sums, passed, damaged: AtomicU64::new(0) }) })
    }

    /// Length of the file.
    pub fn len(&self) -> u64 {
        self.inner.whole.len() as u64
    }

    /// Whether the file has no bytes.
    pub fn is_empty(&self) -> bool {
        self.inner.whole.is_empty()
    }

    /// Where the file is, or was.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The bytes of a range, without a copy, after all blocks that it touches have passed. The slice keeps the mapping
    /// alive. [`BlobError::Damaged`] names the first bad block.
    pub fn slice(&self, range: Range<u64>) -> Result<Bytes, BlobError> {
        self.check_len()?;
        self.bytes(range)
    }

    /// Lets go of the memory that what was read so far takes, for who reads a whole file once. Slices stay valid.
    pub fn forget(&self) {
        self.inner.map.forget();
    }

    /// Looks whether the file still has its length: touching what somebody cut off would end the process.
    pub fn check_len(&self) -> Result<(), BlobError> {
        self.inner.check_len()
    }

    /// [`Self::slice`] for who reads many small ranges and calls [`Self::check_len`] once in a while: it takes longer than
    /// most of them.
    pub fn bytes(&self, range: Range<u64>) -> Result<Bytes, BlobError> {
        let inner = &*self.inner;
        if range.start > range.end || range.end > self.len() {
            let what = format!("bytes {} to {} are not in a file of {} bytes", range.start, range.end, self.len());
            return Err(BlobError::Damaged { path: inner.path.clone(), what });
        }
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let block_bytes = inner.sums.block_bytes;
        for block in range.start / block_bytes..range.end.div_ceil(block_bytes) {
            if !inner.has_passed(block) {
                inner.check(block)?;
            }
        }
        Ok(inner.whole.slice(range.start as usize..range.end as usize))
    }

    /// Reads and checks every block, those that have passed before included.
    pub fn verify_all(&self) -> Result<(), BlobError> {
        let inner = &*self.inner;
        inner.check_len()?;
        (0..inner.sums.sums.len() as u64).try_for_each(|block| inner.check(block))
    }

    /// The number of the first block that was found damaged since the file was opened.
    pub fn damaged_block(&self) -> Option<u64> {
        self.inner.damaged.load(Ordering::Relaxed).checked_sub(1)
    }

    /// How many blocks have passed so far; for tests and statistics.
    pub fn blocks_passed(&self) -> u64 {
        self.inner.passed.iter().map(|word| u64::from(word.load(Ordering::Relaxed).count_ones())).sum()
    }
}

impl std::fmt::Debug for CheckedMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CheckedMap({}, {} bytes)", self.inner.path.display(), self.len())
    }
}

impl Inner {
    /// Looks whether the file still has its length. A file that lost its name was deleted, and stays whole while it is mapped.
    fn check_len(&self) -> Result<(), BlobError> {
        match std::fs::metadata(&self.path) {
            Ok(metadata) if identity(&metadata) == self.identity => {
                check_len(&self.path, metadata.len(), self.whole.len() as u64)
            }
            Ok(_) => Ok(()),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(()),
            Err(error) => Err(BlobError::io("stat", &self.path)(error)),
        }
    }

    /// The bit says only that somebody saw the bytes pass, and the bytes never change, so no ordering is needed.
    fn has_passed(&self, block: u64) -> bool {
        self.passed[(block / 64) as usize].load(Ordering::Relaxed) & (1 << (block % 64)) != 0
    }

    /// Two threads may check the same block at once; both come to the same result.
    fn check(&self, block: u64) -> Result<(), BlobError> {
        let start = block * self.sums.block_bytes;
        let end = (start + self.sums.block_bytes).min(self.whole.len() as u64);
        self.map.populate(start, end).map_err(BlobError::io("read", &self.path))?;
        let wanted = self.sums.sums[block as usize];
        let found = xxh3_64(&self.whole[start as usize..end as usize]) as u32;
        if found != wanted {
            // The first finder wins; whoever comes later names its own block in its own error.
            let _ = self.damaged.compare_exchange(0, block + 1, Ordering::Relaxed, Ordering::Relaxed);
            let what = format!(
                "block {block} (bytes {start} to {end}) has the checksum {found:08x} and {wanted:08x} was written"
            );
            return Err(BlobError::Damaged { path: self.path.clone(), what });
        }
        self.passed[(block / 64) as usize].fetch_or(1 << (block % 64), Ordering::Relaxed);
        Ok(())
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

fn check_len(path: &Path, found: u64, wanted: u64) -> Result<(), BlobError> {
    if found == wanted {
        return Ok(());
    }
    let what = format!("it has {found} bytes and {wanted} were written");
    Err(BlobError::Damaged { path: path.to_owned(), what })
}

/// A file on its way to durability and the checksums of what went in; see [`crate::LocalDir::create_checked`].
#[derive(Debug)]
pub struct CheckedWriter {
    file: BlobWriter,
    sums: SumsBuilder,
}

/// What a finished [`CheckedWriter`] says of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckedFile {
    /// Its length.
    pub bytes: u64,
    /// XXH3-64 of all of it.
    pub xxh3: u64,
    /// The checksums of its blocks.
    pub blocks: BlockSums,
}

impl CheckedWriter {
    pub(crate) fn new(file: BlobWriter) -> Self {
        Self { file, sums: SumsBuilder::default() }
    }

    /// Bytes written so far.
    pub fn bytes(&self) -> u64 {
        self.file.bytes()
    }

    /// Makes the file durable as [`BlobWriter::finish`] does.
    pub fn finish(self) -> Result<CheckedFile, BlobError> {
        let bytes = self.file.finish()?;
        let (xxh3, blocks) = self.sums.finish();
        Ok(CheckedFile { bytes, xxh3, blocks })
    }
}

impl Write for CheckedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sums.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Checksums of bytes that come in pieces.
#[derive(Default)]
struct SumsBuilder {
    whole: Xxh3,
    block: Xxh3,
    /// Bytes in `block`.
    filled: u64,
    sums: Vec<u32>,
}

impl SumsBuilder {
    fn update(&mut self, mut bytes: &[u8]) {
        self.whole.update(bytes);
        while !bytes.is_empty() {
            let room = (CHECK_BLOCK_BYTES - self.filled) as usize;
            let (part, rest) = bytes.split_at(room.min(bytes.len()));
            self.block.update(part);
            self.filled += part.len() as u64;
            if self.filled == CHECK_BLOCK_BYTES {
                self.end_block();
            }
            bytes = rest;
        }
    }

    fn end_block(&mut self) {
        self.sums.push(self.block.digest() as u32);
        self.block.reset();
        self.filled = 0;
    }

    fn finish(mut self) -> (u64, BlockSums) {
        if self.filled > 0 {
            self.end_block();
        }
        (self.whole.digest(), BlockSums::new(self.sums))
    }
}

impl std::fmt::Debug for SumsBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SumsBuilder({} blocks)", self.sums.len())
    }
}

#[cfg(test)]
mod tests;
