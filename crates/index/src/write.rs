//! Batches to an index file.

mod cells;
mod field;
mod finish;
mod json;
mod split;
mod terms;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};

use arrow_array::{Array as _, RecordBatch};
use model::field as names;

pub(crate) use self::cells::OVERFLOW;
use self::cells::{Cells, overflow};
use self::field::{FieldBuilder, Tools};
pub(crate) use self::field::{Kind, key};
use crate::error::panic_text;
use crate::{FIELD_NAME_BYTES_MAX, FIELDS_MAX, IndexError, ROWS_MAX, TierBytes};

/// Builds the index of one segment. Rows are added in the segment's order; the n-th row has the number n. After an error the
/// whole build is worthless, so every later call fails too.
pub struct IndexWriter {
    fields: Vec<FieldBuilder>,
    slots: HashMap<String, usize>,
    tools: Tools,
    incomplete: BTreeSet<String>,
    /// Whether there were more than [`FIELDS_MAX`] fields.
    truncated: bool,
    rows: u32,
    /// [`terms::dense_bytes`] of all rows that are to come.
    dense_bytes: u32,
    failed: bool,
}

/// What a finished index says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexWritten {
    /// Rows in the index.
    pub rows: u64,
    /// Bytes written.
    pub bytes: u64,
    /// The same by tier, without the directory of the file.
    pub tiers: TierBytes,
    /// Fields with a value that is not indexed; see [`crate::IndexReader::is_complete`].
    pub incomplete_fields: BTreeSet<String>,
}

impl IndexWriter {
    /// Starts an empty index in memory.
    pub fn new() -> Result<Self, IndexError> {
        Self::for_rows(u64::MAX)
    }

    /// Starts an empty index for about so many rows. With another number of rows it is complete all the same; but with the
    /// right one, what the file will not say exactly is not kept exactly, which takes half the memory.
    pub fn for_rows(rows: u64) -> Result<Self, IndexError> {
        Ok(Self {
            fields: Vec::new(),
            slots: HashMap::new(),
            tools: Tools::default(),
            incomplete: BTreeSet::new(),
            truncated: false,
            rows: 0,
            dense_bytes: terms::dense_bytes(u32::try_from(rows).unwrap_or(u32::MAX)),
            failed: false,
        })
    }

    /// Adds the next rows: a batch of the shape that crate `column` describes, conformed to a layout or not. Of a field that
    /// a row has twice, only the value that a reader of the batch sees is indexed: the column before the overflow, the first
    /// entry of the overflow before the others.
    pub fn add_batch(&mut self, batch: &RecordBatch) -> Result<(), IndexError> {
        self.begin(batch.num_rows())?;
        let base = self.rows;
        let mut entries = overflow(batch);
        for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let name = column.name().as_str();
            if name == OVERFLOW || !is_indexed(name) || cells::null_count(array) == array.len() {
                continue;
            }
            let Some(slot) = self.slot(name) else { continue };
            let Some(cells) = Cells::of(array) else {
                self.incomplete.insert(name.to_owned());
                continue;
            };
            let entries = entries.remove(name).unwrap_or_default();
            let field = &mut self.fields[slot];
            if !cells.add_to(field, &mut self.tools, &entries, base) {
                self.incomplete.insert(name.to_owned());
            }
        }
        self.add_entries(entries);
        self.rows += batch.num_rows() as u32;
        self.failed = false;
        Ok(())
    }

    /// Bytes that the index takes in memory while it is built, roughly.
    pub fn memory_bytes(&self) -> usize {
        let fields: usize = self.fields.iter().map(FieldBuilder::memory_bytes).sum();
        fields + self.tools.filters.memory_bytes()
    }

    /// Writes the index as one file; after an error what is in the sink is worthless. The sink is not flushed to the disk: that is its owner's.
    pub fn finish(self, sink: &mut impl Write) -> Result<IndexWritten, IndexError> {
        if self.failed {
            return Err(IndexError::Build("an earlier batch failed".to_owned()));
        }
        // tantivy asserts where others return errors.
        let written = catch_unwind(AssertUnwindSafe(|| finish::write(self, sink)));
        written.map_err(|payload| IndexError::Build(panic_text(&*payload)))?
    }

    /// Makes sure that there is room for more rows, and that an error in the middle of them is not forgotten.
    fn begin(&mut self, more: usize) -> Result<(), IndexError> {
        if std::mem::replace(&mut self.failed, true) {
            return Err(IndexError::Build("an earlier batch failed".to_owned()));
        }
        if self.rows as usize + more > ROWS_MAX as usize {
            return Err(IndexError::Build(format!("more than {ROWS_MAX} rows")));
        }
        Ok(())
    }

    /// Adds the overflow's values of fields that have no column.
    fn add_entries(&mut self, entries: BTreeMap<&str, Vec<(u32, &str)>>) {
        for (name, entries) in entries {
            if !is_indexed(name) {
                continue;
            }
            let Some(slot) = self.slot(name) else { continue };
            for (row, json) in entries {
                if !cells::add_json(&mut self.fields[slot], &mut self.tools, json, self.rows + row) {
                    self.incomplete.insert(name.to_owned());
                }
            }
        }
    }

    /// The builder of a field; `None` when it cannot be indexed.
    fn slot(&mut self, name: &str) -> Option<usize> {
        if let Some(slot) = self.slots.get(name) {
            return Some(*slot);
        }
        if name.len() > FIELD_NAME_BYTES_MAX {
            self.incomplete.insert(name.to_owned());
            return None;
        }
        if self.fields.len() == FIELDS_MAX {
            self.truncated = true;
            return None;
        }
        let slot = self.fields.len();
        self.fields.push(FieldBuilder::new(slot as u32, self.dense_bytes));
        self.slots.insert(name.to_owned(), slot);
        Some(slot)
    }
}

/// Whether a field goes into the index: all but the three that every row has and that statistics and sorting serve.
pub(crate) fn is_indexed(name: &str) -> bool {
    ![names::TIME, names::ID, names::STREAM].contains(&name)
}
