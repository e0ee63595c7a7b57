//! Which fields rows have, how often, and of which types.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_schema::DataType;
use model::{Row, Value};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::xxh3_64;

use crate::split::{null_count, split_type};
use crate::view::{DictColumn, OverflowColumn};
use crate::{FIELD_NAMES_MAX, json, schema};

/// The type of a field column.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldType {
    /// Utf8, a dictionary of Utf8, or text in two parts.
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

    /// The type of a field column with this Arrow type; `None` when no field column has it.
    pub fn of_column(ty: &DataType) -> Option<Self> {
        match ty {
            DataType::Utf8 => Some(Self::Str),
            DataType::Dictionary(..) if *ty == schema::dictionary_type() => Some(Self::Str),
            DataType::Struct(_) if *ty == split_type() => Some(Self::Str),
            DataType::Int64 => Some(Self::Int),
            DataType::Float64 => Some(Self::Double),
            DataType::Boolean => Some(Self::Bool),
            _ => None,
        }
    }

    /// The Arrow type; a column of text may be a dictionary instead, see [`Self::of_column`].
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
    /// Distinct texts, at most: counts that were added up count a text once for each. Zero when nobody counted, and
    /// [`FieldCount::DISTINCT_MANY`] when there are too many to count.
    #[serde(default)]
    pub distinct: u32,
}

impl FieldCount {
    /// Stands for more distinct texts than are counted.
    pub const DISTINCT_MANY: u32 = u32::MAX;

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

    /// Whether texts repeat so often that a dictionary pays.
    pub(crate) fn texts_repeat(&self) -> bool {
        let texts = self.scalars[FieldType::Str as usize];
        (1..=LAYOUT_DICTIONARY_MAX).contains(&self.distinct) && u64::from(self.distinct) * 4 <= texts
    }
}

/// Most distinct texts of one field that counts follow exactly. They are remembered as hashes, 8 bytes each.
const DISTINCT_COUNTED_MAX: usize = 1024;

/// Most distinct texts of a column that is a dictionary. Sums of many counts may count a text many times, so this is far
/// above [`DISTINCT_COUNTED_MAX`]; a dictionary of this size still fits a processor's cache.
const LAYOUT_DICTIONARY_MAX: u32 = 16 * 1024;

/// Counts of the fields of many rows: what a [`crate::Layout`] is decided from. Counts of several files add up, so a merge
/// knows its layout before it reads a row.
#[derive(Clone, Debug, Default)]
pub struct FieldCounts {
    pub(crate) names: Vec<Arc<str>>,
    pub(crate) counts: Vec<FieldCount>,
    texts: Vec<TextSet>,
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
            self.note(slot, FieldType::of(value));
            if let Value::Str(text) = value {
                self.note_text(slot, || Cow::Borrowed(text));
            }
        }
    }

    /// Counts the fields of a batch's rows.
    pub fn add_batch(&mut self, batch: &RecordBatch) {
        for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
            let Some(ty) = FieldType::of_column(array.data_type()) else { continue };
            let values = array.len() - null_count(array);
            if values == 0 || schema::is_reserved(column.name()) {
                continue;
            }
            let Some(slot) = self.slot(usize::MAX, &Arc::from(column.name().as_str())) else { continue };
            self.counts[slot].scalars[ty as usize] += values as u64;
            if ty == FieldType::Str {
                self.note_column(slot, array);
            }
        }
        let Some(overflow) = OverflowColumn::of(batch).filter(|overflow| !overflow.is_empty()) else { return };
        for (name, text) in overflow.entries() {
            let Some(slot) = self.slot(usize::MAX, &Arc::from(name)) else { continue };
            let ty = json::scalar_type(text);
            self.note(slot, ty);
            if ty == Some(FieldType::Str) {
                self.note_text(slot, || Cow::Owned(json::decode(text).text().into_owned()));
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
        let uncounted = count.scalars[FieldType::Str as usize] > 0 && count.distinct == 0;
        let more = if uncounted { FieldCount::DISTINCT_MANY } else { count.distinct };
        self.texts[slot].elsewhere = self.texts[slot].elsewhere.saturating_add(more);
        known.distinct = self.texts[slot].distinct();
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

    fn note(&mut self, slot: usize, ty: Option<FieldType>) {
        match ty {
            Some(ty) => self.counts[slot].scalars[ty as usize] += 1,
            None => self.counts[slot].others += 1,
        }
    }

    /// Notes a text, which is only made if somebody looks at it.
    fn note_text<'t>(&mut self, slot: usize, text: impl FnOnce() -> Cow<'t, str>) {
        let texts = &mut self.texts[slot];
        if !texts.closed {
            texts.add(&text());
        }
        self.counts[slot].distinct = texts.distinct();
    }

    /// Notes the distinct texts of a column until there are too many.
    fn note_column(&mut self, slot: usize, array: &ArrayRef) {
        let texts = &mut self.texts[slot];
        if let Some(column) = DictColumn::of(array) {
            texts.add_all(column.values());
        } else if let Some(column) = array.as_string_opt::<i32>() {
            texts.add_all(column);
        }
        self.counts[slot].distinct = texts.distinct();
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
                self.texts.push(TextSet { closed: schema::is_distinct(name), ..TextSet::default() });
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

/// The distinct texts of a field, by hash, until there are too many.
#[derive(Clone, Debug, Default)]
struct TextSet {
    hashes: HashSet<u64>,
    closed: bool,
    /// Distinct texts that counts made elsewhere say.
    elsewhere: u32,
}

impl TextSet {
    fn add(&mut self, text: &str) {
        self.hashes.insert(xxh3_64(text.as_bytes()));
        if self.hashes.len() > DISTINCT_COUNTED_MAX {
            self.closed = true;
            self.hashes = HashSet::new();
        }
    }

    fn add_all(&mut self, texts: &StringArray) {
        let mut last = None;
        for text in texts.iter().flatten() {
            if self.closed {
                return;
            }
            if last != Some(text) {
                self.add(text);
                last = Some(text);
            }
        }
    }

    fn distinct(&self) -> u32 {
        let here = if self.closed { FieldCount::DISTINCT_MANY } else { self.hashes.len() as u32 };
        here.saturating_add(self.elsewhere)
    }
}
