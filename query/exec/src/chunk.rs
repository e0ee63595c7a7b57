//! A batch of rows in memory, and what a query asks of it again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use arrow_array::{Array as _, RecordBatch};
use column::{FieldType, FieldView, OVERFLOW};
use index::IndexReader;
use model::Timestamp;
use parking_lot::Mutex;

use crate::source::Kind;

/// Rows that are not in a segment, as one query sees them: a chunk of the memtable, or a table that is made of rows when it
/// is asked for.
pub struct Chunk {
    data: Data,
    names: OnceLock<BTreeSet<String>>,
    kinds: Mutex<BTreeMap<String, Option<Kind>>>,
    /// Whether the memtable's chunk has an index: it counts how often it is asked.
    indexed: OnceLock<bool>,
}

enum Data {
    Memtable(Arc<store::Chunk>),
    Batch(Arc<RecordBatch>),
}

impl std::fmt::Debug for Chunk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Chunk").field("rows", &self.rows()).finish_non_exhaustive()
    }
}

impl From<Arc<store::Chunk>> for Chunk {
    fn from(chunk: Arc<store::Chunk>) -> Self {
        Self::new(Data::Memtable(chunk))
    }
}

impl From<RecordBatch> for Chunk {
    fn from(batch: RecordBatch) -> Self {
        Self::new(Data::Batch(Arc::new(batch)))
    }
}

impl Chunk {
    fn new(data: Data) -> Self {
        Self { data, names: OnceLock::new(), kinds: Mutex::default(), indexed: OnceLock::new() }
    }

    /// The rows.
    pub(crate) fn batch(&self) -> &Arc<RecordBatch> {
        match &self.data {
            Data::Memtable(chunk) => chunk.batch(),
            Data::Batch(batch) => batch,
        }
    }

    pub(crate) fn rows(&self) -> u64 {
        match &self.data {
            Data::Memtable(chunk) => chunk.rows() as u64,
            Data::Batch(batch) => batch.num_rows() as u64,
        }
    }

    pub(crate) fn times(&self) -> Option<(Timestamp, Timestamp)> {
        match &self.data {
            Data::Memtable(chunk) => Some(chunk.times()),
            Data::Batch(batch) => column::times(batch),
        }
    }

    pub(crate) fn field_names(&self) -> &BTreeSet<String> {
        self.names.get_or_init(|| column::field_names(self.batch()))
    }

    pub(crate) fn index(&self) -> Option<&IndexReader> {
        let Data::Memtable(chunk) = &self.data else { return None };
        let index = || chunk.index();
        // Asked once a query, so that one query does not count as many.
        match self.indexed.get() {
            Some(false) => None,
            Some(true) => index(),
            None => {
                let index = index();
                let _ = self.indexed.set(index.is_some());
                index
            }
        }
    }

    /// The type of a field; `None` when no row has it.
    pub(crate) fn kind(&self, name: &str) -> Option<Kind> {
        if let Some(kind) = self.kinds.lock().get(name) {
            return *kind;
        }
        let kind = kind_in(self.batch(), name);
        self.kinds.lock().insert(name.to_owned(), kind);
        kind
    }
}

/// The type of a field in a batch; `None` when the batch lacks it. Overflow values are looked at one by one.
fn kind_in(batch: &RecordBatch, name: &str) -> Option<Kind> {
    let view = FieldView::new(batch, name);
    if view.is_absent() {
        return None;
    }
    let array = if name == OVERFLOW { None } else { batch.column_by_name(name) };
    let column = array.filter(|array| array.null_count() < array.len());
    let mut kind = column.and_then(|array| FieldType::of_column(array.data_type())).map(Kind::One);
    for row in (0..batch.num_rows()).filter(|row| array.is_none_or(|array| array.is_null(*row))) {
        let Some(value) = view.value(row) else { continue };
        let here = FieldType::of(&value).map_or(Kind::Mixed, Kind::One);
        kind = Some(kind.map_or(here, |kind| kind.with(here)));
    }
    kind
}
