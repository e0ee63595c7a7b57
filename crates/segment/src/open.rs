//! An open segment.

use std::collections::BTreeSet;
use std::sync::{Mutex, OnceLock, PoisonError};

use arrow_array::RecordBatch;
use blob::{LocalDir, Mapped};
use bytes::Bytes;
use column::{Batches, Projection, Reader, Source};
use index::{IndexFile, IndexReader};
use roaring::RoaringBitmap;
use xxhash_rust::xxh3::xxh3_64;

use crate::{SegmentError, SegmentMeta};

/// An open segment; share it in an `Arc`. It stays readable when its files are deleted.
#[derive(Debug)]
pub struct Segment {
    meta: SegmentMeta,
    field_names: BTreeSet<String>,
    columns_file: Mapped,
    index_file: Option<IndexFile>,
    /// Set once the file has passed its check.
    columns: OnceLock<Reader>,
    index: OnceLock<IndexReader>,
    /// Held while a file is checked, so that it is checked once.
    checking: Mutex<()>,
}

impl Segment {
    /// Maps the files and checks their lengths. Checksums are checked by the first read of each file.
    pub fn open(dir: &LocalDir, meta: SegmentMeta) -> Result<Self, SegmentError> {
        meta.check()?;
        let id = meta.id.as_str();
        let columns_file = dir.map(&meta.parquet_key()).map_err(SegmentError::blob(id))?;
        check_len(id, "column", columns_file.len() as u64, meta.bytes_parquet)?;
        let index_file = if meta.bytes_index == 0 { None } else { Some(map_index(dir, &meta)?) };
        let field_names = meta.fields.iter().map(|field| field.name.clone()).collect();
        Ok(Self {
            meta,
            field_names,
            columns_file,
            index_file,
            columns: OnceLock::new(),
            index: OnceLock::new(),
            checking: Mutex::new(()),
        })
    }

    /// The manifest entry.
    pub fn meta(&self) -> &SegmentMeta {
        &self.meta
    }

    /// The fields that some row has, without `_time`, `_id` and `_stream`; all of them if
    /// [`SegmentMeta::fields_complete`].
    pub fn field_names(&self) -> &BTreeSet<String> {
        &self.field_names
    }

    /// Whether the index knows every token of the field. When not, scan the column instead.
    pub fn index_covers(&self, field: &str) -> bool {
        let built_in = [model::field::TIME, model::field::ID, model::field::STREAM].contains(&field);
        self.index_file.is_some() && !built_in && !self.meta.index_incomplete_fields.contains(field)
    }

    /// The term index. [`SegmentError::NoIndex`] when the segment has none; [`Self::index_covers`] says so beforehand.
    pub fn index(&self) -> Result<&IndexReader, SegmentError> {
        if let Some(index) = self.index.get() {
            return Ok(index);
        }
        let _one_at_a_time = self.checking.lock().unwrap_or_else(PoisonError::into_inner);
        match self.index.get() {
            Some(index) => Ok(index),
            None => {
                let index = self.checked_index()?;
                Ok(self.index.get_or_init(|| index))
            }
        }
    }

    /// The rows whose numbers are in `rows`, or all, in order. Numbers beyond the segment are an error.
    pub fn read(&self, fields: &Projection, rows: Option<&RoaringBitmap>) -> Result<SegmentBatches, SegmentError> {
        let inner = self.columns()?.read(fields, rows).map_err(SegmentError::columns(&self.meta.id))?;
        Ok(SegmentBatches { id: self.meta.id.clone(), inner })
    }

    pub(crate) fn columns(&self) -> Result<&Reader, SegmentError> {
        if let Some(columns) = self.columns.get() {
            return Ok(columns);
        }
        let _one_at_a_time = self.checking.lock().unwrap_or_else(PoisonError::into_inner);
        match self.columns.get() {
            Some(columns) => Ok(columns),
            None => {
                let columns = self.checked_columns()?;
                Ok(self.columns.get_or_init(|| columns))
            }
        }
    }

    /// Checks the checksum of the column file and opens it.
    pub(crate) fn checked_columns(&self) -> Result<Reader, SegmentError> {
        let meta = &self.meta;
        check_sum(&meta.id, "column", &self.columns_file, meta.checksum_parquet)?;
        let source = Source::Bytes(Bytes::from_owner(self.columns_file.clone()));
        let columns = Reader::open(source).map_err(SegmentError::columns(&meta.id))?;
        if columns.rows() != meta.rows {
            let what = format!("the column file has {} rows and the manifest says {}", columns.rows(), meta.rows);
            return Err(SegmentError::corrupt(&meta.id, what));
        }
        let known = meta.fields.iter().filter_map(|field| Some((field.name.as_str(), field.column?)));
        if !columns.columns().eq(known) {
            let what = "the column file has other columns than the manifest says".to_owned();
            return Err(SegmentError::corrupt(&meta.id, what));
        }
        Ok(columns)
    }

    /// Checks the checksum of the index file and opens it.
    pub(crate) fn checked_index(&self) -> Result<IndexReader, SegmentError> {
        let meta = &self.meta;
        let file = self.index_file.clone().ok_or_else(|| SegmentError::NoIndex { id: meta.id.clone() })?;
        check_sum(&meta.id, "index", &file.bytes().map_err(SegmentError::index(&meta.id))?, meta.checksum_index)?;
        let index = IndexReader::open(file).map_err(SegmentError::index(&meta.id))?;
        if index.rows() != meta.rows {
            let what = format!("the index has {} documents and the manifest says {} rows", index.rows(), meta.rows);
            return Err(SegmentError::corrupt(&meta.id, what));
        }
        Ok(index)
    }
}

fn map_index(dir: &LocalDir, meta: &SegmentMeta) -> Result<IndexFile, SegmentError> {
    let id = meta.id.as_str();
    let key = meta.index_key();
    check_len(id, "index", dir.size(&key).map_err(SegmentError::blob(id))?, meta.bytes_index)?;
    IndexFile::map(&dir.path(&key).map_err(SegmentError::blob(id))?).map_err(SegmentError::index(id))
}

fn check_len(id: &str, file: &str, found: u64, wanted: u64) -> Result<(), SegmentError> {
    if found == wanted {
        return Ok(());
    }
    Err(SegmentError::corrupt(id, format!("its {file} file has {found} bytes and the manifest says {wanted}")))
}

fn check_sum(id: &str, file: &str, bytes: &[u8], wanted: u64) -> Result<(), SegmentError> {
    let found = xxh3_64(bytes);
    if found == wanted {
        return Ok(());
    }
    let what = format!("its {file} file has the checksum {found:016x} and the manifest says {wanted:016x}");
    Err(SegmentError::corrupt(id, what))
}

/// The batches of a read, in row order. After an error there are no more.
pub struct SegmentBatches {
    id: String,
    inner: Batches,
}

impl SegmentBatches {
    /// Rows that the whole read yields.
    pub fn rows_expected(&self) -> u64 {
        self.inner.rows_expected()
    }
}

impl Iterator for SegmentBatches {
    type Item = Result<RecordBatch, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.inner.next()?.map_err(SegmentError::columns(&self.id)))
    }
}
