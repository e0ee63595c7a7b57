//! Batches to a Parquet file.

use std::collections::BTreeSet;
use std::io::Write;

use arrow_array::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use crate::view::OverflowColumn;
use crate::{ColumnError, FIELD_NAMES_MAX, Layout};

mod properties;

pub use properties::{Effort, PAGE_BYTES_MAX, PAGE_ROWS_MAX, ROW_GROUP_ROWS_MAX};

/// Key of the file metadata that lists the fields of the overflow column, as a JSON list.
pub(crate) const OVERFLOW_FIELDS_KEY: &str = "backstop.overflow_fields";

/// How a file is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriterOptions {
    /// How hard the writer tries to make the file small.
    pub effort: Effort,
}

/// Writes the batches of one [`Layout`] to a Parquet file. How each column is encoded is decided by the first batch.
pub struct Writer<W: Write + Send> {
    state: State<W>,
    layout: Layout,
    options: WriterOptions,
    overflow_fields: BTreeSet<String>,
    overflow_complete: bool,
    rows: u64,
}

enum State<W: Write + Send> {
    /// No batch yet: the sink, and the pairs of the footer.
    Waiting(W, Vec<KeyValue>),
    Writing(Box<ArrowWriter<W>>),
    /// A writer could not be made; the sink is gone.
    Failed,
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
    /// Starts a file with the default options; see [`Self::with_options`].
    pub fn new(sink: W, layout: &Layout, metadata: &[(String, String)]) -> Result<Self, ColumnError> {
        Self::with_options(sink, layout, metadata, WriterOptions::default())
    }

    /// Starts a file. `metadata` are pairs for the file's footer, by which the file explains itself without a catalog.
    /// Rows must come sorted by `_stream`, `_time`, `_id`, which the footer declares.
    pub fn with_options(
        sink: W,
        layout: &Layout,
        metadata: &[(String, String)],
        options: WriterOptions,
    ) -> Result<Self, ColumnError> {
        let pairs = metadata.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())).collect();
        Ok(Self {
            state: State::Waiting(sink, pairs),
            layout: layout.clone(),
            options,
            overflow_fields: BTreeSet::new(),
            overflow_complete: true,
            rows: 0,
        })
    }

    /// Appends a batch of the layout. The first one should have some thousand rows, if there are as many: it decides how
    /// the columns are encoded.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<(), ColumnError> {
        self.note_overflow(batch);
        self.rows += batch.num_rows() as u64;
        self.writer(Some(batch))?.write(batch).map_err(encoding)
    }

    /// Bytes that the writer holds in memory.
    pub fn memory_bytes(&self) -> usize {
        match &self.state {
            State::Writing(writer) => writer.memory_size(),
            State::Waiting(..) | State::Failed => 0,
        }
    }

    /// Writes the footer. The sink is not flushed to the disk: that is its owner's.
    pub fn finish(mut self) -> Result<Written<W>, ColumnError> {
        let names = serde_json::to_string(&self.overflow_fields).map_err(|e| ColumnError::Encode(e.to_string()))?;
        let complete = self.overflow_complete;
        self.writer(None)?;
        let State::Writing(mut writer) = self.state else { return Err(failed()) };
        if complete {
            writer.append_key_value_metadata(KeyValue::new(OVERFLOW_FIELDS_KEY.to_owned(), names));
        }
        Ok(Written {
            sink: writer.into_inner().map_err(encoding)?,
            rows: self.rows,
            overflow_fields: self.overflow_fields,
            overflow_fields_complete: complete,
        })
    }

    /// The writer, which is made when the first batch is there.
    fn writer(&mut self, sample: Option<&RecordBatch>) -> Result<&mut ArrowWriter<W>, ColumnError> {
        if let State::Waiting(..) = self.state
            && let State::Waiting(sink, pairs) = std::mem::replace(&mut self.state, State::Failed)
        {
            let properties: WriterProperties = properties::properties(&self.layout, self.options, pairs, sample)?;
            let writer =
                ArrowWriter::try_new(sink, self.layout.schema().clone(), Some(properties)).map_err(encoding)?;
            self.state = State::Writing(Box::new(writer));
        }
        match &mut self.state {
            State::Writing(writer) => Ok(writer),
            State::Waiting(..) | State::Failed => Err(failed()),
        }
    }

    fn note_overflow(&mut self, batch: &RecordBatch) {
        let Some(overflow) = OverflowColumn::of(batch) else { return };
        for name in overflow.names() {
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

fn failed() -> ColumnError {
    ColumnError::Encode("the writer failed before".to_owned())
}

pub(crate) fn encoding(error: parquet::errors::ParquetError) -> ColumnError {
    match error {
        parquet::errors::ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(io) => ColumnError::Io(*io),
            Err(other) => ColumnError::Encode(other.to_string()),
        },
        other => ColumnError::Encode(other.to_string()),
    }
}
