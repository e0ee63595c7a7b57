//! Which fields get a column, and of which type.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use model::{Row, field};

use crate::schema::{HEAD_COLUMNS, dictionary_type, is_distinct, is_reserved, schema_of};
use crate::split::split_field;
use crate::{BatchBuilder, FieldCounts, FieldType};

/// Most field columns of a batch or a file; the rarer fields share the overflow column. A column costs a few hundred bytes
/// a row group even when it is almost empty, and readers hold a decoder for each.
pub const FIELD_COLUMNS_MAX: usize = 256;

/// Most field names that counts and file metadata keep track of. Rows may have more: those fields live in the overflow, and
/// the list of names says that it is not complete.
pub const FIELD_NAMES_MAX: usize = 16_384;

/// The columns of a file: shared by all its batches.
#[derive(Clone, Debug)]
pub struct Layout {
    schema: SchemaRef,
    columns: Vec<(Arc<str>, FieldType)>,
    slots: HashMap<Arc<str>, usize>,
}

impl Layout {
    /// Gives a column to the [`FIELD_COLUMNS_MAX`] most frequent scalar fields, in the order of first appearance. A column
    /// of text is a dictionary when its texts repeat often enough, as far as the counts know.
    pub fn new(counts: &FieldCounts) -> Self {
        let mut ranked: Vec<(usize, FieldType)> = Vec::new();
        for (slot, count) in counts.counts.iter().enumerate() {
            if let Some((ty, _)) = count.majority()
                && !is_reserved(&counts.names[slot])
            {
                ranked.push((slot, ty));
            }
        }
        ranked.sort_by_key(|(slot, _)| (u64::MAX - counts.counts[*slot].scalar_total(), *slot));
        ranked.truncate(FIELD_COLUMNS_MAX);
        ranked.sort_by_key(|(slot, _)| *slot);
        let columns: Vec<_> = ranked.iter().map(|(slot, ty)| (counts.names[*slot].clone(), *ty)).collect();
        let field = |(slot, ty): &(usize, FieldType)| {
            let name = &*counts.names[*slot];
            let repeats = *ty == FieldType::Str && !is_distinct(name) && counts.counts[*slot].texts_repeat();
            Field::new(name, if repeats { dictionary_type() } else { ty.data_type() }, true)
        };
        let schema = schema_of(ranked.iter().map(field));
        let slots = columns.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
        Self { schema, columns, slots }
    }

    /// The same with bodies in two parts, as files keep them; see [`crate::split_bodies`].
    pub fn split(mut self) -> Self {
        let text = |column: &Field| column.name() == field::BODY && *column.data_type() == DataType::Utf8;
        let fields = self.schema.fields().iter();
        let fields = fields.map(|column| if text(column) { split_field(column.name()) } else { Field::clone(column) });
        self.schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        self
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The field columns.
    pub fn columns(&self) -> impl Iterator<Item = (&str, FieldType)> {
        self.columns.iter().map(|(name, ty)| (&**name, *ty))
    }

    /// Rows as a batch of this layout, in the order given. The caller bounds the batch: Arrow's Utf8 holds 2 GiB of text a
    /// column.
    pub fn batch<'r>(&self, rows: impl Iterator<Item = &'r Row>) -> RecordBatch {
        self.conform(&build(rows))
    }

    /// The number among the field columns, and the type, of a field that has a column.
    pub(crate) fn column(&self, name: &str) -> Option<(usize, FieldType)> {
        let slot = *self.slots.get(name)?;
        Some((slot, self.columns[slot].1))
    }

    /// The Arrow type of a field column.
    pub(crate) fn data_type(&self, slot: usize) -> &DataType {
        self.schema.field(HEAD_COLUMNS + slot).data_type()
    }
}

/// Rows as one batch of its own shape, in the order given: what [`BatchBuilder`] makes of them.
pub fn rows_to_batch(rows: &[&Row]) -> RecordBatch {
    build(rows.iter().copied())
}

fn build<'r>(rows: impl Iterator<Item = &'r Row>) -> RecordBatch {
    let mut builder = BatchBuilder::with_capacity(rows.size_hint().0);
    let mut ids = Vec::with_capacity(rows.size_hint().0);
    for row in rows {
        builder.begin(row.time);
        for (name, value) in &row.fields {
            let slot = builder.slot(name);
            builder.put_other(slot, value);
        }
        builder.stream(&row.stream);
        ids.push(row.id.0);
    }
    builder.finish_with_ids(ids)
}
