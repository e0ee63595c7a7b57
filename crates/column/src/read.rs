//! A Parquet file to batches: some columns, some rows.

use std::collections::BTreeSet;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use model::field;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use parquet::file::page_index::offset_index::PageLocation;
use roaring::RoaringBitmap;

use crate::pages::{Dictionaries, OpenFile, PageScan, PagesRead};
use crate::schema::{HEAD_COLUMNS, dictionary_type, overflow_field, time_type};
use crate::split::split_type;
use crate::write::OVERFLOW_FIELDS_KEY;
use crate::{ColumnError, FieldType, OVERFLOW, Source};

/// Most rows of a batch that a reader yields.
pub const READ_BATCH_ROWS_MAX: usize = 8192;

/// Which fields a reader yields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Projection {
    /// Every column.
    All,
    /// The columns of these fields in the order of the file, with the overflow column when one of them may have values
    /// there. A name that the file does not know is left out. Without any name, batches have rows and no columns.
    Fields(Vec<String>),
    /// Of a text column in two parts only the shapes: most tests need no more. Nothing when the field is no such column.
    Shapes(String),
}

/// An open column file. The footer and the page index are in memory, the rest is read when wanted. Cheap to share.
#[derive(Debug)]
pub struct Reader {
    file: OpenFile,
    schema: SchemaRef,
    rows: u64,
    /// `None` when the file does not list them all.
    overflow_fields: Option<BTreeSet<String>>,
}

impl Reader {
    /// Reads and checks the footer.
    pub fn open(source: Source) -> Result<Self, ColumnError> {
        guarded(|| {
            source.check_again().map_err(ColumnError::source)?;
            let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
            let mut metadata = ArrowReaderMetadata::load(&source, options.clone()).map_err(ColumnError::parquet)?;
            if let Some(schema) = with_stream_dictionary(metadata.schema()) {
                let options = options.with_schema(schema);
                metadata =
                    ArrowReaderMetadata::try_new(metadata.metadata().clone(), options).map_err(ColumnError::reading)?;
            }
            check_schema(metadata.schema())?;
            let rows = metadata.metadata().file_metadata().num_rows();
            let rows = u64::try_from(rows).map_err(|_| ColumnError::Corrupt(format!("it claims {rows} rows")))?;
            let schema = metadata.schema().clone();
            let file = OpenFile {
                source,
                metadata: metadata.metadata().clone(),
                dictionaries: Arc::new(Dictionaries::default()),
            };
            let mut reader = Self { file, schema, rows, overflow_fields: None };
            if let Some(names) = reader.footer_value(OVERFLOW_FIELDS_KEY) {
                let names = serde_json::from_str(names).map_err(ColumnError::reading)?;
                reader.overflow_fields = Some(names);
            }
            Ok(reader)
        })
    }

    /// Rows in the file.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The schema of all columns.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The field columns and their types.
    pub fn columns(&self) -> impl Iterator<Item = (&str, FieldType)> {
        let fields = &self.schema().fields()[..];
        fields[HEAD_COLUMNS..fields.len() - 1]
            .iter()
            .filter_map(|column| Some((column.name().as_str(), FieldType::of_column(column.data_type())?)))
    }

    /// Whether a field is a text column in two parts.
    pub fn is_split(&self, name: &str) -> bool {
        self.schema().column_with_name(name).is_some_and(|(_, column)| *column.data_type() == split_type())
    }

    /// Fields with values in the overflow column; `None` when the file has too many to list.
    pub fn overflow_fields(&self) -> Option<&BTreeSet<String>> {
        self.overflow_fields.as_ref()
    }

    /// A value of the footer's metadata.
    pub fn footer_value(&self, key: &str) -> Option<&str> {
        let pairs = self.file.metadata.file_metadata().key_value_metadata()?;
        pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
    }

    /// The pages of `_time`, in row order, with the least and the greatest time in each. They cover every row.
    pub fn page_times(&self) -> Vec<PageTimes> {
        page_times(&self.file.metadata)
    }

    /// Reads the rows whose numbers are in `rows`, or all, in order. Pages without a wanted row are not read.
    pub fn read(&self, projection: &Projection, rows: Option<&RoaringBitmap>) -> Result<Batches, ColumnError> {
        self.read_sized(projection, rows, READ_BATCH_ROWS_MAX)
    }

    /// [`Self::read`] with batches of at most `batch_rows` rows, where [`READ_BATCH_ROWS_MAX`] is the limit and one the
    /// least.
    pub fn read_sized(
        &self,
        projection: &Projection,
        rows: Option<&RoaringBitmap>,
        batch_rows: usize,
    ) -> Result<Batches, ColumnError> {
        if let Some(row) = rows.and_then(RoaringBitmap::max).filter(|row| u64::from(*row) >= self.rows) {
            return Err(ColumnError::RowOutOfRange { row: row.into(), rows: self.rows });
        }
        let expected = rows.map_or(self.rows, RoaringBitmap::len);
        let roots = self.roots(projection);
        let schema = match projection {
            Projection::Shapes(_) => shapes_only(self.schema()),
            _ => self.schema().clone(),
        };
        let batch_rows = batch_rows.clamp(1, READ_BATCH_ROWS_MAX);
        guarded(|| {
            let scan = PageScan::new(self.file.clone(), &schema, &roots, rows, batch_rows)?;
            Ok(Batches { scan: Some(scan), expected, seen: 0, read: PagesRead::default() })
        })
    }

    /// Pages of data of all columns, and their bytes in the file.
    pub fn pages(&self) -> PagesRead {
        let groups = self.file.metadata.offset_index().into_iter().flatten().flatten();
        let places = groups.flat_map(|column| column.page_locations());
        let one =
            |place: &PageLocation| PagesRead { pages: 1, bytes: place.compressed_page_size.unsigned_abs().into() };
        places.map(one).fold(PagesRead::default(), |sum, page| sum + page)
    }

    /// Bytes that the reader keeps in memory between reads: dictionaries, of which the oldest go when they are many.
    pub fn cached_bytes(&self) -> usize {
        self.file.dictionaries.size_bytes()
    }

    /// The numbers of the columns that a projection wants, ascending.
    fn roots(&self, projection: &Projection) -> Vec<usize> {
        let columns = self.schema().fields();
        let names = match projection {
            Projection::All => return (0..columns.len()).collect(),
            Projection::Shapes(name) => {
                let split = columns.find(name).filter(|(_, column)| *column.data_type() == split_type());
                return split.map(|(at, _)| at).into_iter().collect();
            }
            Projection::Fields(names) => names,
        };
        let mut roots = BTreeSet::new();
        let mut overflow = false;
        for name in names {
            if name != OVERFLOW
                && let Some((at, _)) = columns.find(name)
            {
                roots.insert(at);
            }
            overflow |= self.overflow_fields.as_ref().is_none_or(|known| known.contains(name));
        }
        if overflow {
            roots.insert(columns.len() - 1);
        }
        roots.into_iter().collect()
    }
}

/// The schema with only the shapes of texts in two parts.
fn shapes_only(schema: &Schema) -> SchemaRef {
    let fields = schema.fields().iter().map(|field| match field.data_type() {
        DataType::Struct(parts) => Arc::new(Field::clone(field).with_data_type(DataType::Struct(parts[..1].into()))),
        _ => field.clone(),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// A page of `_time`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageTimes {
    /// The rows of the page.
    pub rows: Range<u32>,
    /// The least time in it, in nanoseconds since the Unix epoch.
    pub min: i64,
    /// The greatest.
    pub max: i64,
}

fn page_times(metadata: &ParquetMetaData) -> Vec<PageTimes> {
    let mut pages = Vec::new();
    let mut start = 0u32;
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let end = start.saturating_add(u32::try_from(group.num_rows()).unwrap_or(u32::MAX));
        let known = pages_of_group(metadata, number, start..end);
        // A file of somebody else may lack the index: then anything may be anywhere.
        pages.extend(known.unwrap_or_else(|| vec![PageTimes { rows: start..end, min: i64::MIN, max: i64::MAX }]));
        start = end;
    }
    pages
}

/// The pages of a row group, of which `rows` are the rows; `None` when the file does not know or contradicts itself.
fn pages_of_group(metadata: &ParquetMetaData, group: usize, rows: Range<u32>) -> Option<Vec<PageTimes>> {
    let ColumnIndexMetaData::INT64(times) = metadata.column_index()?.get(group)?.first()? else { return None };
    let places = metadata.offset_index()?.get(group)?.first()?.page_locations();
    let mut pages = Vec::with_capacity(places.len());
    for (number, place) in places.iter().enumerate() {
        let start = rows.start.checked_add(u32::try_from(place.first_row_index).ok()?)?;
        let end = match places.get(number + 1) {
            Some(next) => rows.start.checked_add(u32::try_from(next.first_row_index).ok()?)?,
            None => rows.end,
        };
        let (min, max) = (*times.min_values().get(number)?, *times.max_values().get(number)?);
        if start >= end || end > rows.end || min > max {
            return None;
        }
        pages.push(PageTimes { rows: start..end, min, max });
    }
    pages.first().is_some_and(|page| page.rows.start == rows.start).then_some(pages)
}

/// The schema with `_stream` as a dictionary, when the file gives it as plain text.
fn with_stream_dictionary(schema: &SchemaRef) -> Option<SchemaRef> {
    let (at, stream) =
        schema.column_with_name(field::STREAM).filter(|(_, column)| *column.data_type() == DataType::Utf8)?;
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields[at] = Arc::new(stream.clone().with_data_type(dictionary_type()));
    Some(Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())))
}

fn check_schema(schema: &SchemaRef) -> Result<(), ColumnError> {
    let head = [(field::TIME, time_type()), (field::ID, DataType::UInt64), (field::STREAM, dictionary_type())];
    let fields = schema.fields();
    let head_fits = fields.len() > head.len()
        && head.iter().zip(fields).all(|((name, ty), column)| column.name() == name && column.data_type() == ty);
    let tail_fits = fields.last().is_some_and(|last| {
        let overflow = overflow_field();
        last.name() == overflow.name() && last.data_type() == overflow.data_type()
    });
    if head_fits && tail_fits {
        return Ok(());
    }
    let names: Vec<_> = fields.iter().take(8).map(|column| column.name().as_str()).collect();
    Err(ColumnError::Corrupt(format!("its columns are not a segment's: {} ...", names.join(", "))))
}

/// The batches of a read, in row order, each of 1 to [`READ_BATCH_ROWS_MAX`] rows. After an error there are no more.
pub struct Batches {
    scan: Option<PageScan>,
    expected: u64,
    seen: u64,
    /// What had been read when it ended.
    read: PagesRead,
}

impl Batches {
    /// Rows that the whole read yields.
    pub fn rows_expected(&self) -> u64 {
        self.expected
    }

    /// What was read so far, dictionaries aside.
    pub fn pages_read(&self) -> PagesRead {
        self.scan.as_ref().map_or(self.read, PageScan::pages_read)
    }

    fn next_batch(&mut self) -> Result<Option<RecordBatch>, ColumnError> {
        let Some(scan) = &mut self.scan else { return Ok(None) };
        match guarded(|| scan.next())? {
            Some(batch) => {
                self.seen += batch.num_rows() as u64;
                Ok(Some(batch))
            }
            None if self.seen == self.expected => Ok(None),
            None => Err(ColumnError::Corrupt(format!("{} rows were selected and {} read", self.expected, self.seen))),
        }
    }
}

impl Iterator for Batches {
    type Item = Result<RecordBatch, ColumnError>;

    fn next(&mut self) -> Option<Self::Item> {
        let next = self.next_batch();
        if !matches!(next, Ok(Some(_))) {
            self.read = self.pages_read();
            self.scan = None;
        }
        next.transpose()
    }
}

/// Runs a read. The Parquet library may panic on a damaged footer; the reader of pages does not, as far as is known.
fn guarded<T>(read: impl FnOnce() -> Result<T, ColumnError>) -> Result<T, ColumnError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| Err(ColumnError::panicked(&*payload)))
}

#[cfg(test)]
mod tests;
