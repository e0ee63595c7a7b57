//! One field of a batch, wherever its values are.

use std::borrow::Cow;
use std::collections::BTreeSet;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, MapArray, RecordBatch,
    StringArray, TimestampNanosecondArray, UInt64Array,
};
use model::{RowId, Timestamp, Value, field};

use crate::split::{SplitColumn, null_count};
use crate::{OVERFLOW, json};

/// One field of a batch: the typed column first, the overflow second. Works for `_time` (text RFC 3339, value and number in
/// nanoseconds), `_id` (text and value in 16 hexadecimal digits, no number) and `_stream` too. Building one costs a lookup
/// by name and a pass over the overflow's names; make it once a batch, not once a row.
pub struct FieldView<'a> {
    column: Column<'a>,
    overflow: Option<Overflow<'a>>,
}

pub(crate) enum Column<'a> {
    Absent,
    Time(&'a TimestampNanosecondArray),
    Id(&'a UInt64Array),
    Str(&'a StringArray),
    Dict(DictColumn<'a>),
    Split(SplitColumn<'a>),
    Int(&'a Int64Array),
    Double(&'a Float64Array),
    Bool(&'a BooleanArray),
}

/// A column of few distinct texts: each row has the number of its text.
#[derive(Clone, Copy, Debug)]
pub struct DictColumn<'a> {
    keys: &'a Int32Array,
    values: &'a StringArray,
}

impl<'a> DictColumn<'a> {
    /// The array as a dictionary of texts; `None` when it is something else.
    pub fn of(array: &'a ArrayRef) -> Option<Self> {
        let array: &DictionaryArray<Int32Type> = array.as_dictionary_opt()?;
        Some(Self { keys: array.keys(), values: array.values().as_string_opt()? })
    }

    /// The number of each row's text; null where the row lacks the field.
    pub fn keys(&self) -> &'a Int32Array {
        self.keys
    }

    /// The texts. Each row's is here; a text may have no row, and two may be equal.
    pub fn values(&self) -> &'a StringArray {
        self.values
    }

    /// Whether the row lacks the field.
    pub fn is_null(&self, row: usize) -> bool {
        self.keys.is_null(row)
    }

    /// The text of a row that is not null.
    pub fn value(&self, row: usize) -> &'a str {
        self.values.value(self.keys.value(row) as usize)
    }
}

impl<'a> Column<'a> {
    pub(crate) fn of(array: &'a ArrayRef) -> Self {
        if let Some(array) = array.as_string_opt::<i32>() {
            Self::Str(array)
        } else if let Some(array) = DictColumn::of(array) {
            Self::Dict(array)
        } else if let Some(array) = SplitColumn::of(array) {
            Self::Split(array)
        } else if let Some(array) = array.as_primitive_opt::<Int64Type>() {
            Self::Int(array)
        } else if let Some(array) = array.as_primitive_opt::<Float64Type>() {
            Self::Double(array)
        } else if let Some(array) = array.as_boolean_opt() {
            Self::Bool(array)
        } else if let Some(array) = array.as_primitive_opt::<TimestampNanosecondType>() {
            Self::Time(array)
        } else if let Some(array) = array.as_primitive_opt::<UInt64Type>() {
            Self::Id(array)
        } else {
            Self::Absent
        }
    }

    pub(crate) fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Absent => true,
            Self::Time(array) => array.is_null(row),
            Self::Id(array) => array.is_null(row),
            Self::Str(array) => array.is_null(row),
            Self::Dict(array) => array.is_null(row),
            Self::Split(array) => array.is_null(row),
            Self::Int(array) => array.is_null(row),
            Self::Double(array) => array.is_null(row),
            Self::Bool(array) => array.is_null(row),
        }
    }

    /// The value of a row that is not null.
    pub(crate) fn value(&self, row: usize) -> Value {
        match self {
            Self::Absent => Value::Null,
            Self::Time(array) => Value::Int(array.value(row)),
            Self::Id(array) => Value::Str(RowId(array.value(row)).to_string()),
            Self::Str(array) => Value::Str(array.value(row).to_owned()),
            Self::Dict(array) => Value::Str(array.value(row).to_owned()),
            Self::Split(array) => Value::Str(array.text(row).into_owned()),
            Self::Int(array) => Value::Int(array.value(row)),
            Self::Double(array) => Value::Double(array.value(row)),
            Self::Bool(array) => Value::Bool(array.value(row)),
        }
    }

    fn text(&self, row: usize) -> Cow<'a, str> {
        match self {
            Self::Str(array) => Cow::Borrowed(array.value(row)),
            Self::Dict(array) => Cow::Borrowed(array.value(row)),
            Self::Split(array) => array.text(row),
            Self::Time(array) => Cow::Owned(Timestamp(array.value(row)).to_string()),
            Self::Bool(array) => Cow::Borrowed(if array.value(row) { "true" } else { "false" }),
            _ => Cow::Owned(self.value(row).text().into_owned()),
        }
    }

    fn number(&self, row: usize) -> Option<f64> {
        match self {
            Self::Time(array) => Some(array.value(row) as f64),
            Self::Str(array) => array.value(row).trim().parse().ok(),
            Self::Dict(array) => array.value(row).trim().parse().ok(),
            Self::Split(array) => array.text(row).trim().parse().ok(),
            Self::Int(array) => Some(array.value(row) as f64),
            Self::Double(array) => Some(array.value(row)),
            Self::Absent | Self::Bool(_) | Self::Id(_) => None,
        }
    }
}

/// The overflow column of a batch.
#[derive(Clone, Copy)]
pub(crate) struct OverflowColumn<'a> {
    map: &'a MapArray,
    keys: &'a StringArray,
    values: &'a StringArray,
}

impl<'a> OverflowColumn<'a> {
    pub(crate) fn of(batch: &'a RecordBatch) -> Option<Self> {
        let map = batch.column_by_name(OVERFLOW)?.as_map_opt()?;
        Some(Self { map, keys: map.keys().as_string_opt()?, values: map.values().as_string_opt()? })
    }

    /// Whether no row of the batch has an overflow value.
    pub(crate) fn is_empty(&self) -> bool {
        let offsets = self.map.value_offsets();
        offsets.first() == offsets.last()
    }

    /// Names and JSON texts of a row.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.numbered(row).map(|(_, name, text)| (name, text))
    }

    /// Numbers, names and JSON texts of a row's entries. A number is the entry's in the batch.
    pub(crate) fn numbered(&self, row: usize) -> impl Iterator<Item = (usize, &'a str, &'a str)> + use<'a> {
        let Self { map, keys, values } = *self;
        let offsets = map.value_offsets();
        let range = if map.is_null(row) { 0..0 } else { offsets[row] as usize..offsets[row + 1] as usize };
        range.map(move |at| (at, keys.value(at), values.value(at)))
    }

    /// Names and JSON texts of all rows.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let column = *self;
        (0..self.map.len()).flat_map(move |row| column.row(row))
    }

    /// Names in any row, with repetitions.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let keys = self.keys;
        let offsets = self.map.value_offsets();
        let range = offsets.first().map_or(0, |at| *at as usize)..offsets.last().map_or(0, |at| *at as usize);
        range.map(move |at| keys.value(at))
    }
}

struct Overflow<'a> {
    column: OverflowColumn<'a>,
    name: String,
}

impl<'a> Overflow<'a> {
    fn get(&self, row: usize) -> Option<&'a str> {
        self.column.row(row).find(|(name, _)| *name == self.name).map(|(_, text)| text)
    }
}

impl<'a> FieldView<'a> {
    /// Finds the field. A batch without it gives a view of nulls.
    pub fn new(batch: &'a RecordBatch, name: &str) -> Self {
        let column = if name == OVERFLOW { None } else { batch.column_by_name(name) };
        let overflow = OverflowColumn::of(batch).filter(|column| column.names().any(|known| known == name));
        Self {
            column: column.map_or(Column::Absent, Column::of),
            overflow: overflow.map(|column| Overflow { column, name: name.to_owned() }),
        }
    }

    /// Whether no row of the batch can have the field.
    pub fn is_absent(&self) -> bool {
        matches!(self.column, Column::Absent) && self.overflow.is_none()
    }

    /// The column of the field when it is plain text and no row has a value elsewhere: what a fast scan works on.
    pub fn str_column(&self) -> Option<&'a StringArray> {
        match self.column {
            Column::Str(array) if self.overflow.is_none() => Some(array),
            _ => None,
        }
    }

    /// The column of the field when it is a dictionary of texts and no row has a value elsewhere: a scan tests each
    /// distinct text once and then compares numbers.
    pub fn dict_column(&self) -> Option<DictColumn<'a>> {
        match self.column {
            Column::Dict(array) if self.overflow.is_none() => Some(array),
            _ => None,
        }
    }

    /// The column of the field when it is text in two parts and no row has a value elsewhere: a scan tests each shape once.
    pub fn split_column(&self) -> Option<SplitColumn<'a>> {
        match self.column {
            Column::Split(array) if self.overflow.is_none() => Some(array),
            _ => None,
        }
    }

    /// Whether the row lacks the field.
    pub fn is_null(&self, row: usize) -> bool {
        self.column.is_null(row) && self.overflow_text(row).is_none()
    }

    /// The text that a query compares with, as [`Value::text`] says.
    pub fn text(&self, row: usize) -> Option<Cow<'a, str>> {
        if !self.column.is_null(row) {
            return Some(self.column.text(row));
        }
        let text = self.overflow_text(row)?;
        Some(match json::plain_str(text) {
            Some(plain) => Cow::Borrowed(plain),
            None => match json::decode(text) {
                Value::Str(text) => Cow::Owned(text),
                value => Cow::Owned(value.text().into_owned()),
            },
        })
    }

    /// The number that a query computes with, as [`Value::number`] says.
    pub fn number(&self, row: usize) -> Option<f64> {
        if !self.column.is_null(row) {
            return self.column.number(row);
        }
        json::decode(self.overflow_text(row)?).number()
    }

    /// The value.
    pub fn value(&self, row: usize) -> Option<Value> {
        if !self.column.is_null(row) {
            return Some(self.column.value(row));
        }
        Some(json::decode(self.overflow_text(row)?))
    }

    fn overflow_text(&self, row: usize) -> Option<&'a str> {
        self.overflow.as_ref()?.get(row)
    }
}

/// The fields that some row of the batch has, without `_time`, `_id` and `_stream`, which every row has.
pub fn field_names(batch: &RecordBatch) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (column, array) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let name = column.name().as_str();
        let built_in = [field::TIME, field::ID, field::STREAM, OVERFLOW].contains(&name);
        if !built_in && null_count(array) < array.len() {
            names.insert(name.to_owned());
        }
    }
    if let Some(overflow) = OverflowColumn::of(batch) {
        for name in overflow.names() {
            if !names.contains(name) {
                names.insert(name.to_owned());
            }
        }
    }
    names
}
