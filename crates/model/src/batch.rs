//! The unit that travels from an edge to the store.

use arrow_array::RecordBatch;

use crate::{Row, SeriesBatch, Table, TenantId};

/// What one request, one datagram or one read of a socket brings for one table. A batch is acknowledged as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Whose data it is.
    pub tenant: TenantId,
    /// The data.
    pub data: BatchData,
}

/// The data of a batch.
#[derive(Clone, Debug, PartialEq)]
pub enum BatchData {
    /// Rows of a table; their ids are set by the store. For small things: what comes in masses comes as columns.
    Rows(Table, Vec<Row>),
    /// Rows of a table as columns, in the shape that crate `column` documents; their ids are set by the store.
    Columns(Table, RecordBatch),
    /// Metric samples.
    Series(SeriesBatch),
}

impl Batch {
    /// Rows or samples in the batch.
    pub fn len(&self) -> usize {
        match &self.data {
            BatchData::Rows(_, rows) => rows.len(),
            BatchData::Columns(_, batch) => batch.num_rows(),
            BatchData::Series(batch) => batch.sample_count(),
        }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        match &self.data {
            BatchData::Rows(_, rows) => rows.is_empty(),
            BatchData::Columns(_, batch) => batch.num_rows() == 0,
            BatchData::Series(batch) => batch.series.is_empty() && batch.metadata.is_empty(),
        }
    }
}
