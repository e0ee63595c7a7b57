//! Batches to a Parquet file.

use std::collections::BTreeSet;
use std::io::Write;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, RecordBatch};
use model::field;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::{KeyValue, SortingColumn};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

use crate::{ColumnError, FIELD_NAMES_MAX, Layout};

/// Most rows of a page. Reading one row decodes one page of each column it wants, so pages are small; at this size zstd
/// loses a few per cent against pages of a megabyte.
pub const PAGE_ROWS_MAX: usize = 8192;

/// Most rows of a row group. A row group is what the writer holds in memory, encoded, before it goes to the file.
pub const ROW_GROUP_ROWS_MAX: usize = 256 * 1024;

/// zstd level. On 284 MB of log text level 3 costs a fifth more time than level 1 and saves 4 % of the file.
const ZSTD_LEVEL: i32 = 3;

/// Longest prefix of a text kept as minimum or maximum of a page.
const STATISTICS_BYTES_MAX: usize = 48;

/// Key of the file metadata that lists the fields of the overflow column, as a JSON list.
pub(crate) const OVERFLOW_FIELDS_KEY: &str = "backstop.overflow_fields";

/// Fields whose values hardly repeat: a dictionary would be built and thrown away.
const DISTINCT_FIELDS: [&str; 5] =
    [field::BODY, field::TRACE_ID, field::SPAN_ID, "parent_span_id", field::OBSERVED_TIME];

/// Writes the batches of one [`Layout`] to a Parquet file.
pub struct Writer<W: Write + Send> {
    inner: ArrowWriter<W>,
    overflow_fields: BTreeSet<String>,
    overflow_complete: bool,
    rows: u64,
}

/// What a finished writer says.
#[derive(Debug)]
pub struct Written<W> {
    /// The sink.
    pub sink: W,
    /// Rows in the file.
    pub rows: u64,
    /// Fields with a value in the overflow column, at most [`FIELD_NAMES_MAX`].
    pub overflow_fields: BTreeSet<String>,
    /// False when there were more.
    pub overflow_fields_complete: bool,
}

impl<W: Write + Send> Writer<W> {
    /// Starts a file. `metadata` are pairs for the file's footer, by which the file explains itself without a catalog.
    /// Rows must come sorted by `_stream`, `_time`, `_id`, which the footer declares.
    pub fn new(sink: W, layout: &Layout, metadata: &[(String, String)]) -> Result<Self, ColumnError> {
        let properties = properties(layout, metadata)?;
        let inner = ArrowWriter::try_new(sink, layout.schema().clone(), Some(properties)).map_err(encoding)?;
        Ok(Self { inner, overflow_fields: BTreeSet::new(), overflow_complete: true, rows: 0 })
    }

    /// Appends a batch.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ColumnError> {
        self.note_overflow(batch);
        self.rows += batch.num_rows() as u64;
        self.inner.write(batch).map_err(encoding)
    }

    /// Bytes that the writer holds in memory.
    pub fn memory_bytes(&self) -> usize {
        self.inner.memory_size()
    }

    /// Writes the footer. The sink is not flushed to the disk: that is its owner's.
    pub fn finish(mut self) -> Result<Written<W>, ColumnError> {
        if self.overflow_complete {
            let names = serde_json::to_string(&self.overflow_fields).map_err(|e| ColumnError::Encode(e.to_string()))?;
            self.inner.append_key_value_metadata(KeyValue::new(OVERFLOW_FIELDS_KEY.to_owned(), names));
        }
        let sink = self.inner.into_inner().map_err(encoding)?;
        Ok(Written {
            sink,
            rows: self.rows,
            overflow_fields: self.overflow_fields,
            overflow_fields_complete: self.overflow_complete,
        })
    }

    fn note_overflow(&mut self, batch: &RecordBatch) {
        let Some(map) = batch.column_by_name(crate::OVERFLOW).and_then(|column| column.as_map_opt()) else { return };
        let Some(keys) = map.keys().as_string_opt::<i32>() else { return };
        for at in 0..keys.len() {
            let name = keys.value(at);
            if self.overflow_fields.contains(name) {
                continue;
            }
            if self.overflow_fields.len() == FIELD_NAMES_MAX {
                self.overflow_complete = false;
                return;
            }
            self.overflow_fields.insert(name.to_owned());
        }
    }
}

fn properties(layout: &Layout, metadata: &[(String, String)]) -> Result<WriterProperties, ColumnError> {
    let zstd = ZstdLevel::try_new(ZSTD_LEVEL).map_err(encoding)?;
    // `_stream`, `_time`, `_id` are the columns 2, 0 and 1 of every layout.
    let sorting = [2, 0, 1].map(|column_idx| SortingColumn { column_idx, descending: false, nulls_first: false });
    let pairs = metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(zstd))
        .set_data_page_row_count_limit(PAGE_ROWS_MAX)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS_MAX))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_statistics_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_column_index_truncate_length(Some(STATISTICS_BYTES_MAX))
        .set_sorting_columns(Some(sorting.to_vec()))
        .set_created_by(concat!("backstop ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(pairs));
    for name in [field::TIME, field::ID] {
        let path = path_of(name);
        builder = builder
            .set_column_dictionary_enabled(path.clone(), false)
            .set_column_encoding(path, Encoding::DELTA_BINARY_PACKED);
    }
    for (name, _) in layout.columns().filter(|(name, _)| DISTINCT_FIELDS.contains(name)) {
        builder = builder.set_column_dictionary_enabled(path_of(name), false);
    }
    // Which texts are smallest and largest says nothing about a page of log lines.
    builder = builder.set_column_statistics_enabled(path_of(field::BODY), EnabledStatistics::Chunk);
    Ok(builder.build())
}

/// A field's name may have dots; in Parquet it is one part of the path all the same.
fn path_of(name: &str) -> ColumnPath {
    ColumnPath::new(vec![name.to_owned()])
}

fn encoding(error: parquet::errors::ParquetError) -> ColumnError {
    match error {
        parquet::errors::ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => ColumnError::Io(*io),
            Err(other) => ColumnError::Encode(other.to_string()),
        },
        other => ColumnError::Encode(other.to_string()),
    }
}
