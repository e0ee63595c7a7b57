//! The pages of a column file to batches, without a step between them.
//!
//! The `parquet` crate reads the footer and the index of pages; this reads the pages, and only those that have a wanted
//! row. Of a page it decodes what is wanted: all lengths of its texts, but only the wanted texts; differences up to the last
//! wanted one; the keys of a dictionary where they are. Dictionaries are decoded once and kept ([`Dictionaries`]), and a
//! batch read after another goes on where that one stopped in each page.
//!
//! `select` cuts the wanted rows into batches; `column` makes arrays of `leaf`s, which go through pages; `page` opens one:
//! `header` over `thrift`, `inflate`, `levels`, `values`. The encodings are `rle`, `delta`, `numbers` and `texts` over
//! `bits`. `out` is what arrays are made of.
//!
//! What [`crate::Writer`] writes can be read, and what earlier versions of it wrote: pages of both versions, with zstd or
//! without compression, with an index of pages. Anything else is an error that names the column. Damaged bytes are an
//! error, and every length they claim is bounded before room is made for it.
//!
//! Why not the reader of the `parquet` crate: it makes a reader and a decompressor for each column of each read, walks over
//! all pages before the row, and decodes each dictionary anew. One row of a file of 400,000, 100 times, by CPU: four columns
//! took it 4.6 ms and take this 0.55; all 18 took it 59 ms and take this 22, of which zstd has 83 %. A page costs about 0.3
//! µs and what is decoded of it. Scans of whole columns take as long as there or less: times 1.3 ns a value, keys 0.7 to 1.

use std::borrow::Cow;
use std::ops::{Add, Sub};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_array::RecordBatchOptions;
use arrow_schema::{Schema, SchemaRef};
use roaring::RoaringBitmap;

use crate::ColumnError;
use column::Column;
use select::Selection;

mod bits;
mod column;
mod delta;
mod dictionary;
mod header;
mod inflate;
mod leaf;
mod levels;
mod lists;
mod numbers;
mod out;
mod page;
mod rle;
mod select;
mod texts;
mod thrift;
mod values;

pub(crate) use dictionary::Dictionaries;
pub(crate) use leaf::OpenFile;
pub(crate) use lists::{blobs, number_lists, page_lengths};

/// Most bytes of a page, decompressed. The writer looks after every 256 rows whether a page is full, so that one of them may
/// have 256 texts of 4 MB.
const PAGE_INFLATED_BYTES_MAX: usize = 1 << 30;

/// Most values of a page. A row of the writer's has one value a column, but for the overflow's: there a page ends 256 values
/// after it is full, or with the row.
const PAGE_VALUES_MAX: usize = 1 << 24;

/// What is wrong with a page. Who knows which column it is of makes a [`ColumnError`] of it.
#[derive(Debug)]
struct Damage(Cow<'static, str>);

impl Damage {
    const fn of(what: &'static str) -> Self {
        Self(Cow::Borrowed(what))
    }

    fn new(what: String) -> Self {
        Self(Cow::Owned(what))
    }

    fn as_str(&self) -> &str {
        &self.0
    }
}

type Checked<T> = Result<T, Damage>;

/// How much a read took from a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PagesRead {
    /// Pages of data, each of one column.
    pub pages: u64,
    /// Their bytes in the file.
    pub bytes: u64,
}

impl Add for PagesRead {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { pages: self.pages + other.pages, bytes: self.bytes + other.bytes }
    }
}

impl Sub for PagesRead {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { pages: self.pages.saturating_sub(other.pages), bytes: self.bytes.saturating_sub(other.bytes) }
    }
}

/// A read of some columns and rows, batch after batch.
pub(crate) struct PageScan {
    file: OpenFile,
    columns: Vec<Column>,
    schema: SchemaRef,
    selection: Selection,
}

impl PageScan {
    /// Starts a read of the columns of these numbers, ascending, which are `schema`'s.
    pub(crate) fn new(
        file: OpenFile,
        schema: &Schema,
        roots: &[usize],
        rows: Option<&RoaringBitmap>,
        batch_rows: usize,
    ) -> Result<Self, ColumnError> {
        let descriptor = file.metadata.file_metadata().schema_descr();
        let leaf_roots: Vec<usize> =
            (0..descriptor.num_columns()).map(|at| descriptor.get_column_root_idx(at)).collect();
        let mut columns = Vec::with_capacity(roots.len());
        for root in roots {
            let first = leaf_roots.partition_point(|of| of < root);
            let end = leaf_roots.partition_point(|of| of <= root);
            columns.push(Column::new(schema.field(*root), first, &descriptor.columns()[first..end])?);
        }
        let fields: Vec<_> = roots.iter().map(|root| schema.fields()[*root].clone()).collect();
        let selection = Selection::new(rows, group_ends(&file)?, batch_rows);
        Ok(Self { columns, schema: Arc::new(Schema::new(fields)), selection, file })
    }

    /// What was read so far.
    pub(crate) fn pages_read(&self) -> PagesRead {
        self.columns.iter().map(Column::pages_read).fold(PagesRead::default(), Add::add)
    }

    /// The next batch; `None` after the last.
    pub(crate) fn next(&mut self) -> Result<Option<RecordBatch>, ColumnError> {
        let Some(cut) = self.selection.next() else { return Ok(None) };
        self.file.source.check_again().map_err(ColumnError::source)?;
        let read = |column: &mut Column| column.read(&self.file, cut.group, &cut.runs, cut.rows);
        let arrays = self.columns.iter_mut().map(read).collect::<Result<_, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(cut.rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), arrays, &options);
        Ok(Some(batch.map_err(ColumnError::reading)?))
    }
}

/// Where each row group ends. Together they must have the rows of the file.
fn group_ends(file: &OpenFile) -> Result<Vec<u64>, ColumnError> {
    let mut end = 0u64;
    let mut ends = Vec::with_capacity(file.metadata.num_row_groups());
    for group in file.metadata.row_groups() {
        let rows = u64::try_from(group.num_rows()).ok().and_then(|rows| end.checked_add(rows));
        end = rows.ok_or_else(|| ColumnError::Corrupt(format!("a row group claims {} rows", group.num_rows())))?;
        ends.push(end);
    }
    let rows = file.metadata.file_metadata().num_rows();
    if u64::try_from(rows).is_ok_and(|rows| rows == end) {
        return Ok(ends);
    }
    Err(ColumnError::Corrupt(format!("its row groups have {end} rows and its footer says {rows}")))
}

#[cfg(test)]
mod tests;
