//! Batches of results as a Parquet file, written piece by piece.

use std::io::Write;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parking_lot::Mutex;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::WriterProperties;

use crate::ColumnError;

/// Rows of a row group: what waits in memory before it is written.
const ROWS_PER_GROUP: usize = 64 * 1024;

/// Bytes that are written and not yet sent.
#[derive(Clone, Default)]
struct Pending(Arc<Mutex<Vec<u8>>>);

impl Write for Pending {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A Parquet file that is made of batches of one schema.
pub struct ParquetExport {
    writer: ArrowWriter<Pending>,
    pending: Pending,
}

impl std::fmt::Debug for ParquetExport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetExport").finish_non_exhaustive()
    }
}

impl ParquetExport {
    /// A file of this schema.
    pub fn new(schema: SchemaRef) -> Result<Self, ColumnError> {
        let pending = Pending::default();
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
            .build();
        let writer = ArrowWriter::try_new(pending.clone(), schema, Some(properties)).map_err(crate::write::encoding)?;
        Ok(Self { writer, pending })
    }

    /// Adds rows; gives the bytes that are ready.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ColumnError> {
        self.writer.write(batch).map_err(crate::write::encoding)?;
        Ok(std::mem::take(&mut *self.pending.0.lock()))
    }

    /// Ends the file; gives the bytes that are left.
    pub fn finish(self) -> Result<Vec<u8>, ColumnError> {
        let Self { writer, pending } = self;
        writer.close().map_err(crate::write::encoding)?;
        Ok(std::mem::take(&mut *pending.0.lock()))
    }
}
