//! An index file's answers.

use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use roaring::RoaringBitmap;
use tantivy::directory::{Directory as _, FileSlice, MmapDirectory};
use tantivy::postings::TermInfo;
use tantivy::schema::IndexRecordOption;
use tantivy::{Index, InvertedIndexReader, SegmentReader};

use crate::error::panic_text;
use crate::pack::{Contents, PackedDirectory};
use crate::write::is_indexed;
use crate::{IndexError, SEPARATOR, TERMS_FIELD};

/// The bytes of an index file.
#[derive(Clone, Debug)]
pub struct IndexFile(FileSlice);

impl IndexFile {
    /// Maps a file into memory. It stays readable when the file is deleted.
    pub fn map(path: &Path) -> Result<Self, IndexError> {
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
            return Err(IndexError::Corrupt(format!("{} names no file", path.display())));
        };
        let directory = MmapDirectory::open(folder).map_err(IndexError::reading)?;
        directory.open_read(Path::new(name)).map(Self).map_err(IndexError::reading)
    }

    /// All the bytes.
    pub fn bytes(&self) -> Result<impl Deref<Target = [u8]> + use<>, IndexError> {
        Ok(self.0.read_bytes()?)
    }
}

impl From<Vec<u8>> for IndexFile {
    fn from(bytes: Vec<u8>) -> Self {
        Self(FileSlice::from(bytes))
    }
}

/// An open index; cheap to share. Tokens and prefixes must be as [`crate::tokenize`] makes them: lower case.
pub struct IndexReader {
    inverted: Arc<InvertedIndexReader>,
    contents: Contents,
}

impl std::fmt::Debug for IndexReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexReader").field("rows", &self.contents.rows).finish_non_exhaustive()
    }
}

impl IndexReader {
    /// Opens an index whose length and checksum the caller has checked.
    pub fn open(file: IndexFile) -> Result<Self, IndexError> {
        guarded(|| Self::from_slice(file.0))
    }

    fn from_slice(file: FileSlice) -> Result<Self, IndexError> {
        let directory = PackedDirectory::open(file)?;
        let contents = directory.contents().clone();
        let index = Index::open(directory).map_err(IndexError::reading)?;
        let segments = index.searchable_segments().map_err(IndexError::reading)?;
        let [segment] = &segments[..] else {
            return Err(IndexError::Corrupt(format!("it has {} segments instead of one", segments.len())));
        };
        let reader = SegmentReader::open(segment).map_err(IndexError::reading)?;
        if reader.max_doc() != contents.rows || reader.has_deletes() {
            return Err(IndexError::Corrupt(format!("{} documents for {} rows", reader.max_doc(), contents.rows)));
        }
        let field = index.schema().get_field(TERMS_FIELD).map_err(IndexError::reading)?;
        let inverted = reader.inverted_index(field).map_err(IndexError::reading)?;
        Ok(Self { inverted, contents })
    }

    /// Rows of the segment.
    pub fn rows(&self) -> u64 {
        self.contents.rows.into()
    }

    /// Whether the index knows every token of the field. When not (`_time`, `_id`, `_stream`, or a field with a token over
    /// [`crate::TOKEN_BYTES_MAX`]), its answers are only part of the rows and the column must be scanned.
    pub fn is_complete(&self, field: &str) -> bool {
        is_indexed(field) && !self.contents.incomplete_fields.contains(field)
    }

    /// The rows whose field has the token.
    pub fn term(&self, field: &str, token: &str) -> Result<RoaringBitmap, IndexError> {
        guarded(|| {
            let mut rows = Vec::new();
            if let Some(info) = self.inverted.terms().get(key(field, token))? {
                self.postings(&info, &mut rows)?;
            }
            // The rows of one term ascend: anything else is damage.
            RoaringBitmap::from_sorted_iter(rows).map_err(|_| IndexError::Corrupt("postings out of order".to_owned()))
        })
    }

    /// The rows whose field has a token that starts with `prefix`; `None` when more than `max_terms` tokens do, for then a
    /// scan is cheaper.
    pub fn prefix(&self, field: &str, prefix: &str, max_terms: usize) -> Result<Option<RoaringBitmap>, IndexError> {
        guarded(|| {
            let start = key(field, prefix);
            let mut stream = self.inverted.terms().range().ge(&start).into_stream()?;
            let mut rows = RoaringBitmap::new();
            let mut buffer = Vec::new();
            let mut terms = 0;
            while let Some((term, info)) = stream.next() {
                if !term.starts_with(start.as_bytes()) {
                    break;
                }
                terms += 1;
                if terms > max_terms {
                    return Ok(None);
                }
                buffer.clear();
                self.postings(info, &mut buffer)?;
                rows.extend(buffer.iter().copied());
            }
            Ok(Some(rows))
        })
    }

    /// How many rows have the token; reads no postings.
    pub fn doc_freq(&self, field: &str, token: &str) -> Result<u64, IndexError> {
        guarded(|| Ok(self.inverted.terms().get(key(field, token))?.map_or(0, |info| info.doc_freq.into())))
    }

    /// Reads everything once: every term's postings, in order and within the rows. For `segments verify`.
    pub fn verify(&self) -> Result<(), IndexError> {
        guarded(|| {
            let mut stream = self.inverted.terms().stream()?;
            let mut rows = Vec::new();
            while let Some((_, info)) = stream.next() {
                rows.clear();
                self.postings(info, &mut rows)?;
                if !rows.is_sorted_by(|a, b| a < b) {
                    return Err(IndexError::Corrupt("postings out of order".to_owned()));
                }
            }
            Ok(())
        })
    }

    fn postings(&self, info: &TermInfo, rows: &mut Vec<u32>) -> Result<(), IndexError> {
        let before = rows.len();
        let mut block = self.inverted.read_block_postings_from_terminfo(info, IndexRecordOption::Basic)?;
        while !block.docs().is_empty() {
            rows.extend_from_slice(block.docs());
            block.advance();
        }
        let found = (rows.len() - before) as u64;
        let beyond = rows[before..].iter().find(|row| **row >= self.contents.rows);
        if beyond.is_some() || found != u64::from(info.doc_freq) {
            let (rows, wanted) = (self.contents.rows, info.doc_freq);
            return Err(IndexError::Corrupt(format!("{found} of {wanted} postings, {beyond:?} beyond {rows} rows")));
        }
        Ok(())
    }
}

fn key(field: &str, token: &str) -> String {
    format!("{field}{SEPARATOR}{token}")
}

/// Runs a read of tantivy, which may panic on damaged input.
fn guarded<T>(read: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| Err(IndexError::Corrupt(panic_text(&*payload))))
}

#[cfg(test)]
mod tests;
