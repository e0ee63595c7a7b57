//! Which fields get a column, of which type, and rows to batches by that plan.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, MapArray, RecordBatch, StringArray, StructArray, TimestampNanosecondArray, UInt64Array};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use model::{Row, Value, field};
use serde::{Deserialize, Serialize};

use crate::{OVERFLOW, json};

/// Most field columns of a batch or a file; the rarer fields share the overflow column. A column costs a few hundred bytes
/// a row group even when it is almost empty, and readers hold a decoder for each.
pub const FIELD_COLUMNS_MAX: usize = 256;

/// Most field names that counts and file metadata keep track of. Rows may have more: those fields live in the overflow, and
/// the list of names says that it is not complete.
pub const FIELD_NAMES_MAX: usize = 16_384;

/// The type of a field column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Utf8.
    Str,
    /// Int64.
    Int,
    /// Float64.
    Double,
    /// Boolean.
    Bool,
}

impl FieldType {
    /// All of them; on a tie between types the earlier one wins.
    pub const ALL: [FieldType; 4] = [Self::Str, Self::Int, Self::Double, Self::Bool];

    /// The type of a scalar value; `None` for what only the overflow holds.
    pub fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Str(_) => Some(Self::Str),
            Value::Int(_) => Some(Self::Int),
            Value::Double(_) => Some(Self::Double),
            Value::Bool(_) => Some(Self::Bool),
            Value::Null | Value::Bytes(_) | Value::Array(_) | Value::Map(_) => None,
        }
    }

    /// The Arrow type.
    pub fn data_type(self) -> DataType {
        match self {
            Self::Str => DataType::Utf8,
            Self::Int => DataType::Int64,
            Self::Double => DataType::Float64,
            Self::Bool => DataType::Boolean,
        }
    }
}

/// How often a field occurs, by type.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldCount {
    /// Values of each type, in the order of [`FieldType::ALL`].
    pub scalars: [u64; 4],
    /// Arrays, maps and bytes.
    pub others: u64,
}

impl FieldCount {
    /// All scalar values.
    pub fn scalar_total(&self) -> u64 {
        self.scalars.iter().sum()
    }

    /// All values.
    pub fn total(&self) -> u64 {
        self.scalar_total() + self.others
    }

    /// The most frequent type and how many values have it; `None` without a scalar value.
    pub fn majority(&self) -> Option<(FieldType, u64)> {
        let mut best: Option<(FieldType, u64)> = None;
        for (ty, count) in FieldType::ALL.into_iter().zip(self.scalars) {
            if count > best.map_or(0, |(_, most)| most) {
                best = Some((ty, count));
            }
        }
        best
    }
}

/// Counts of the fields of many rows: what a [`Layout`] is decided from. Counts of several files add up, so a merge knows
/// its layout before it reads a row.
#[derive(Clone, Debug, Default)]
pub struct FieldCounts {
    names: Vec<Arc<str>>,
    counts: Vec<FieldCount>,
    slots: HashMap<Arc<str>, usize>,
    /// The slots of the previous row's fields: rows of one stream have the same fields in the same order, so most lookups
    /// are one comparison.
    hints: Vec<usize>,
    truncated: bool,
}

impl FieldCounts {
    /// Starts without fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the fields of a row.
    pub fn add(&mut self, row: &Row) {
        for (at, (name, value)) in row.fields.iter().enumerate() {
            if matches!(value, Value::Null) {
                continue;
            }
            let Some(slot) = self.slot(at, name) else { continue };
            match FieldType::of(value) {
                Some(ty) => self.counts[slot].scalars[ty as usize] += 1,
                None => self.counts[slot].others += 1,
            }
        }
    }

    /// Adds counts made elsewhere.
    pub fn add_count(&mut self, name: &str, count: FieldCount) {
        let Some(slot) = self.slot(usize::MAX, &Arc::from(name)) else { return };
        let known = &mut self.counts[slot];
        known.others += count.others;
        for (sum, more) in known.scalars.iter_mut().zip(count.scalars) {
            *sum += more;
        }
    }

    /// Whether names were left out because there were more than [`FIELD_NAMES_MAX`].
    pub fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Marks the list of names as incomplete, for counts that add up incomplete ones.
    pub fn set_truncated(&mut self) {
        self.truncated = true;
    }

    /// Names and counts in the order of first appearance.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &FieldCount)> {
        self.names.iter().map(|name| &**name).zip(&self.counts)
    }

    fn slot(&mut self, at: usize, name: &Arc<str>) -> Option<usize> {
        if let Some(&slot) = self.hints.get(at)
            && self.names[slot] == *name
        {
            return Some(slot);
        }
        let slot = match self.slots.get(name) {
            Some(&slot) => slot,
            None if self.names.len() == FIELD_NAMES_MAX => {
                self.truncated = true;
                return None;
            }
            None => {
                let slot = self.names.len();
                self.names.push(name.clone());
                self.counts.push(FieldCount::default());
                self.slots.insert(name.clone(), slot);
                slot
            }
        };
        if at < self.hints.len() {
            self.hints[at] = slot;
        } else if at == self.hints.len() {
            self.hints.push(slot);
        }
        Some(slot)
    }
}

/// Names that a field cannot have a column under, because they are columns of every batch. Records cannot carry them by
/// `LogRecord::into_row`; should one do so all the same, its value goes to the overflow.
fn is_reserved(name: &str) -> bool {
    [field::TIME, field::ID, field::STREAM, OVERFLOW].contains(&name)
}

/// The columns of a file: shared by all its batches.
#[derive(Clone, Debug)]
pub struct Layout {
    schema: SchemaRef,
    columns: Vec<(Arc<str>, FieldType)>,
    slots: HashMap<Arc<str>, usize>,
}

impl Layout {
    /// Gives a column to the [`FIELD_COLUMNS_MAX`] most frequent scalar fields, in the order of first appearance.
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
        let columns: Vec<_> = ranked.into_iter().map(|(slot, ty)| (counts.names[slot].clone(), ty)).collect();
        let slots = columns.iter().enumerate().map(|(i, (name, _))| (name.clone(), i)).collect();
        Self { schema: schema_of(&columns), columns, slots }
    }

    /// The schema of every batch.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The field columns.
    pub fn columns(&self) -> impl Iterator<Item = (&str, FieldType)> {
        self.columns.iter().map(|(name, ty)| (&**name, *ty))
    }

    /// Rows as a batch, in the order given. The caller bounds the batch: Arrow's Utf8 holds 2 GiB of text a column.
    pub fn batch<'r>(&self, rows: impl ExactSizeIterator<Item = &'r Row> + Clone) -> RecordBatch {
        let count = rows.len();
        let mut builders: Vec<_> = self.columns.iter().map(|(_, ty)| ColumnBuilder::new(*ty, count)).collect();
        let mut overflow = OverflowBuilder::new(count);
        let mut hints: Vec<Option<usize>> = Vec::new();
        for (at, row) in rows.clone().enumerate() {
            for (position, (name, value)) in row.fields.iter().enumerate() {
                let slot = self.slot(&mut hints, position, name);
                if !slot.is_some_and(|slot| builders[slot].push(at, value)) {
                    overflow.push(name, value);
                }
            }
            overflow.end_row();
        }
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len() + 4);
        let times = rows.clone().map(|row| row.time.0);
        arrays.push(Arc::new(TimestampNanosecondArray::from_iter_values(times).with_timezone("UTC")));
        arrays.push(Arc::new(UInt64Array::from_iter_values(rows.clone().map(|row| row.id.0))));
        arrays.push(Arc::new(StringArray::from_iter_values(rows.map(|row| &*row.stream))));
        arrays.extend(builders.into_iter().map(|builder| builder.finish(count)));
        arrays.push(Arc::new(overflow.finish()));
        RecordBatch::try_new(self.schema.clone(), arrays).expect("the arrays are built after the schema")
    }

    /// The column of a field. `hints` remembers the answers for the previous row's fields by position.
    fn slot(&self, hints: &mut Vec<Option<usize>>, position: usize, name: &Arc<str>) -> Option<usize> {
        if let Some(Some(slot)) = hints.get(position)
            && self.columns[*slot].0 == *name
        {
            return Some(*slot);
        }
        let slot = self.slots.get(name).copied();
        match hints.get_mut(position) {
            Some(hint) => *hint = slot,
            None => hints.push(slot),
        }
        slot
    }
}

/// Rows as one batch with a layout of its own, in the order given.
pub fn rows_to_batch(rows: &[&Row]) -> RecordBatch {
    let mut counts = FieldCounts::new();
    for row in rows {
        counts.add(row);
    }
    Layout::new(&counts).batch(rows.iter().copied())
}

fn schema_of(columns: &[(Arc<str>, FieldType)]) -> SchemaRef {
    let mut fields = vec![
        Field::new(field::TIME, DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())), false),
        Field::new(field::ID, DataType::UInt64, false),
        Field::new(field::STREAM, DataType::Utf8, false),
    ];
    fields.extend(columns.iter().map(|(name, ty)| Field::new(&**name, ty.data_type(), true)));
    fields.push(overflow_field());
    Arc::new(Schema::new(fields))
}

/// The overflow field, with the names that Parquet's specification gives the parts of a map.
pub(crate) fn overflow_field() -> Field {
    Field::new(OVERFLOW, DataType::Map(entries_field(), false), true)
}

fn entries_field() -> Arc<Field> {
    Arc::new(Field::new("key_value", DataType::Struct(entry_fields()), false))
}

fn entry_fields() -> Fields {
    Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Utf8, true)])
}

enum ColumnBuilder {
    Str(StringBuilder),
    Int(Int64Builder),
    Double(Float64Builder),
    Bool(BooleanBuilder),
}

/// Appends a value at `row`, filling the rows since the last one with nulls; false when the row is already set.
macro_rules! append_at {
    ($builder:expr, $row:expr, $value:expr) => {{
        use arrow_array::builder::ArrayBuilder as _;
        let gap = $row.checked_sub($builder.len());
        if let Some(gap) = gap {
            if gap > 0 {
                $builder.append_nulls(gap);
            }
            $builder.append_value($value);
        }
        gap.is_some()
    }};
}

/// Fills a builder with nulls up to `rows` and finishes it.
macro_rules! finish_at {
    ($builder:expr, $rows:expr) => {{
        use arrow_array::builder::ArrayBuilder as _;
        let gap = $rows - $builder.len();
        if gap > 0 {
            $builder.append_nulls(gap);
        }
        Arc::new($builder.finish())
    }};
}

impl ColumnBuilder {
    fn new(ty: FieldType, rows: usize) -> Self {
        match ty {
            FieldType::Str => Self::Str(StringBuilder::with_capacity(rows, rows * 16)),
            FieldType::Int => Self::Int(Int64Builder::with_capacity(rows)),
            FieldType::Double => Self::Double(Float64Builder::with_capacity(rows)),
            FieldType::Bool => Self::Bool(BooleanBuilder::with_capacity(rows)),
        }
    }

    /// Sets the value of a row; false when it is of another type or the row has a value already.
    fn push(&mut self, row: usize, value: &Value) -> bool {
        match (self, value) {
            (Self::Str(builder), Value::Str(text)) => append_at!(builder, row, text),
            (Self::Int(builder), Value::Int(n)) => append_at!(builder, row, *n),
            (Self::Double(builder), Value::Double(n)) => append_at!(builder, row, *n),
            (Self::Bool(builder), Value::Bool(b)) => append_at!(builder, row, *b),
            _ => false,
        }
    }

    fn finish(self, rows: usize) -> ArrayRef {
        match self {
            Self::Str(mut builder) => finish_at!(builder, rows),
            Self::Int(mut builder) => finish_at!(builder, rows),
            Self::Double(mut builder) => finish_at!(builder, rows),
            Self::Bool(mut builder) => finish_at!(builder, rows),
        }
    }
}

struct OverflowBuilder {
    keys: StringBuilder,
    values: StringBuilder,
    entries: i32,
    offsets: Vec<i32>,
    valid: Vec<bool>,
    scratch: String,
}

impl OverflowBuilder {
    fn new(rows: usize) -> Self {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0);
        Self {
            keys: StringBuilder::new(),
            values: StringBuilder::new(),
            entries: 0,
            offsets,
            valid: Vec::with_capacity(rows),
            scratch: String::new(),
        }
    }

    fn push(&mut self, name: &str, value: &Value) {
        if matches!(value, Value::Null) {
            return;
        }
        self.scratch.clear();
        json::encode(value, &mut self.scratch);
        self.keys.append_value(name);
        self.values.append_value(&self.scratch);
        self.entries += 1;
    }

    fn end_row(&mut self) {
        let before = self.offsets.last().copied().unwrap_or(0);
        self.valid.push(self.entries > before);
        self.offsets.push(self.entries);
    }

    fn finish(mut self) -> MapArray {
        let columns: Vec<ArrayRef> = vec![Arc::new(self.keys.finish()), Arc::new(self.values.finish())];
        let entries = StructArray::new(entry_fields(), columns, None);
        let nulls = self.valid.contains(&false).then(|| NullBuffer::from(self.valid));
        MapArray::new(entries_field(), OffsetBuffer::new(self.offsets.into()), entries, nulls, false)
    }
}

#[cfg(test)]
mod tests;
