//! An open segment.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::OnceLock;

use arrow_array::RecordBatch;
use blob::{BlobError, BlockSums, CheckedMap, LocalDir};
use column::{Batches, ColumnError, PageTimes, PagesRead, Projection, READ_BATCH_ROWS_MAX, Reader};
use index::{IndexError, IndexReader};
use roaring::RoaringBitmap;

use crate::source::{columns_source, index_file};
use crate::{SegmentError, SegmentMeta, StreamRows};

/// An open segment; share it in an `Arc`. It stays readable when its files are deleted.
#[derive(Debug)]
pub struct Segment {
    meta: SegmentMeta,
    field_names: BTreeSet<String>,
    columns_file: CheckedMap,
    /// `None` when there is none; the inner error says why it cannot be used.
    index_file: Option<Result<CheckedMap, String>>,
    columns: OnceLock<Reader>,
    index: OnceLock<Result<IndexReader, String>>,
}

impl Segment {
    /// Maps the files and checks their lengths. Each block of them is checked when it is first touched, and nothing is
    /// parsed before it is asked for. An index file that is missing or of the wrong length does not fail this:
    /// [`Self::index`] says so.
    pub fn open(dir: &LocalDir, meta: SegmentMeta) -> Result<Self, SegmentError> {
        meta.check()?;
        let sums = meta.blocks_parquet.clone();
        let sums = sums.unwrap_or_else(|| BlockSums::of_whole(meta.bytes_parquet, meta.checksum_parquet));
        let columns_file = dir.map_checked(&meta.parquet_key(), meta.bytes_parquet, sums);
        let columns_file = columns_file.map_err(|error| damaged(&meta.id, error))?;
        let index_file = if meta.bytes_index == 0 { None } else { Some(map_index(dir, &meta)?) };
        let named = meta.fields.iter().filter(|field| field.count.total() > 0);
        let field_names = named.map(|field| field.name.clone()).collect();
        Ok(Self { meta, field_names, columns_file, index_file, columns: OnceLock::new(), index: OnceLock::new() })
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

    /// The streams in order with the rows of each; `None` when the manifest entry does not list them.
    pub fn streams(&self) -> Option<&[StreamRows]> {
        self.meta.streams.as_deref()
    }

    /// Whether the index knows every token of the field, as far as the manifest entry tells. When not, scan the column.
    pub fn index_covers(&self, field: &str) -> bool {
        let built_in = [model::field::TIME, model::field::ID, model::field::STREAM].contains(&field);
        let usable = matches!(&self.index_file, Some(Ok(file)) if file.damaged_block().is_none());
        usable && !built_in && !self.meta.index_incomplete_fields.contains(field)
    }

    /// The term index. [`SegmentError::NoIndex`] when the segment has none, [`SegmentError::IndexDamaged`] when it cannot be
    /// used, or a block of it was found damaged earlier: in both cases the columns answer the same questions, slower. Give an
    /// error of the reader to [`Self::index_error`], which says the same.
    pub fn index(&self) -> Result<&IndexReader, SegmentError> {
        let file = self.index_map()?;
        if let Some(block) = file.damaged_block() {
            return Err(self.index_damaged(format!("block {block} of the file fails its checksum")));
        }
        let index = self.index.get_or_init(|| self.open_index(file));
        index.as_ref().map_err(|what| self.index_damaged(what.clone()))
    }

    /// What an error of the index reader means for the segment: [`SegmentError::IndexDamaged`], unless the caller stopped it.
    pub fn index_error(&self, error: IndexError) -> SegmentError {
        match error {
            IndexError::Stopped => SegmentError::index(&self.meta.id)(IndexError::Stopped),
            other => self.index_damaged(other),
        }
    }

    /// The rows whose numbers are in `rows`, or all, in order. Numbers beyond the segment are an error.
    pub fn read(&self, fields: &Projection, rows: Option<&RoaringBitmap>) -> Result<SegmentBatches, SegmentError> {
        self.read_sized(fields, rows, READ_BATCH_ROWS_MAX)
    }

    /// [`Self::read`] with batches of at most `batch_rows` rows, at most [`READ_BATCH_ROWS_MAX`].
    pub fn read_sized(
        &self,
        fields: &Projection,
        rows: Option<&RoaringBitmap>,
        batch_rows: usize,
    ) -> Result<SegmentBatches, SegmentError> {
        let inner = self.columns()?.read_sized(fields, rows, batch_rows);
        let inner = inner.map_err(|error| columns_error(&self.meta.id, &self.columns_file, error))?;
        Ok(SegmentBatches { id: self.meta.id.clone(), file: self.columns_file.clone(), inner })
    }

    /// Whether a field is a text column in two parts, without values elsewhere, so that its shapes can be read alone.
    pub fn splits(&self, field: &str) -> Result<bool, SegmentError> {
        let columns = self.columns()?;
        let elsewhere = columns.overflow_fields().is_none_or(|fields| fields.contains(field));
        Ok(!elsewhere && columns.is_split(field))
    }

    /// Pages of data of all columns, and their bytes in the file.
    pub fn pages(&self) -> Result<PagesRead, SegmentError> {
        Ok(self.columns()?.pages())
    }

    /// The pages of `_time` in row order, with the least and the greatest time of each. They cover every row.
    pub fn page_times(&self) -> Result<Vec<PageTimes>, SegmentError> {
        Ok(self.columns()?.page_times())
    }

    /// The reader of the columns. Two threads that ask first may both parse the footer; one result stays.
    pub(crate) fn columns(&self) -> Result<&Reader, SegmentError> {
        if let Some(columns) = self.columns.get() {
            return Ok(columns);
        }
        let columns = self.open_columns()?;
        Ok(self.columns.get_or_init(|| columns))
    }

    pub(crate) fn columns_map(&self) -> &CheckedMap {
        &self.columns_file
    }

    pub(crate) fn index_map(&self) -> Result<&CheckedMap, SegmentError> {
        match &self.index_file {
            None => Err(SegmentError::NoIndex { id: self.meta.id.clone() }),
            Some(Err(what)) => Err(self.index_damaged(what.clone())),
            Some(Ok(file)) => Ok(file),
        }
    }

    pub(crate) fn index_damaged(&self, what: impl Display) -> SegmentError {
        SegmentError::IndexDamaged { id: self.meta.id.clone(), what: what.to_string() }
    }

    fn open_columns(&self) -> Result<Reader, SegmentError> {
        let (meta, file) = (&self.meta, &self.columns_file);
        let columns = Reader::open(columns_source(file)).map_err(|error| columns_error(&meta.id, file, error))?;
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

    fn open_index(&self, file: &CheckedMap) -> Result<IndexReader, String> {
        let index = IndexReader::open(index_file(file)).map_err(|error| error.to_string())?;
        if index.rows() == self.meta.rows {
            return Ok(index);
        }
        Err(format!("it has {} rows and the manifest says {}", index.rows(), self.meta.rows))
    }
}

/// Maps the index file. What is wrong with it is the inner error; the outer one is of the operating system.
fn map_index(dir: &LocalDir, meta: &SegmentMeta) -> Result<Result<CheckedMap, String>, SegmentError> {
    let sums = meta.blocks_index.clone();
    let sums = sums.unwrap_or_else(|| BlockSums::of_whole(meta.bytes_index, meta.checksum_index));
    match dir.map_checked(&meta.index_key(), meta.bytes_index, sums) {
        Ok(file) => Ok(Ok(file)),
        Err(error) if error.is_damaged() || error.is_not_found() => Ok(Err(error.to_string())),
        Err(error) => Err(SegmentError::blob(&meta.id)(error)),
    }
}

/// An error of the column file's bytes.
pub(crate) fn damaged(id: &str, error: BlobError) -> SegmentError {
    if error.is_damaged() { SegmentError::corrupt(id, error.to_string()) } else { SegmentError::blob(id)(error) }
}

/// An error of reading the columns. When a block failed its checksum, that is the reason, whatever became of it on the way
/// through the reader.
fn columns_error(id: &str, file: &CheckedMap, error: ColumnError) -> SegmentError {
    match file.damaged_block() {
        Some(block) => SegmentError::corrupt(id, format!("block {block} of its column file is bad: {error}")),
        None => SegmentError::columns(id)(error),
    }
}

/// The batches of a read, in row order. After an error there are no more.
pub struct SegmentBatches {
    id: String,
    file: CheckedMap,
    inner: Batches,
}

impl SegmentBatches {
    /// Rows that the whole read yields.
    pub fn rows_expected(&self) -> u64 {
        self.inner.rows_expected()
    }

    /// What was read so far.
    pub fn pages_read(&self) -> PagesRead {
        self.inner.pages_read()
    }
}

impl Iterator for SegmentBatches {
    type Item = Result<RecordBatch, SegmentError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.inner.next()?;
        Some(next.map_err(|error| columns_error(&self.id, &self.file, error)))
    }
}
