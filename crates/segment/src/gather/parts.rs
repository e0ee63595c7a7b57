//! Columns of sources with their buffers laid bare.
//!
//! An Arrow array is an object behind a pointer, with buffers behind more of them. A column of a thousand sources that are
//! visited for a few rows each would cost a miss of the cache at every step; here one table has where the values are.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array as _, ArrayRef, MapArray, StringArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, ScalarBuffer};

use super::GatherError;

/// A column of a source.
#[derive(Default)]
pub(super) struct Part {
    pub(super) cells: Cells,
    /// `None` when no row is null.
    pub(super) nulls: Option<NullBuffer>,
}

/// The values of a column of a source. Buffers are shared with the batch, not copied.
#[derive(Default)]
pub(super) enum Cells {
    /// The source has no such column: all rows are null.
    #[default]
    Absent,
    /// Numbers of 8 bytes.
    Words(ScalarBuffer<u64>),
    Bits(BooleanBuffer),
    Plain(StringArray),
    Dict(Dict),
    Map(Box<Map>),
}

/// Numbers of texts.
pub(super) struct Dict {
    pub(super) keys: ScalarBuffer<i32>,
    pub(super) nulls: Option<NullBuffer>,
    pub(super) values: StringArray,
}

/// The overflow.
pub(super) struct Map {
    /// Where the entries of each row begin.
    pub(super) offsets: ScalarBuffer<i32>,
    pub(super) keys: StringArray,
    pub(super) values: StringArray,
}

impl Part {
    pub(super) fn of(array: Option<&ArrayRef>) -> Result<Self, GatherError> {
        let Some(array) = array else { return Ok(Self::default()) };
        let nulls = array.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        let cells =
            cells(array).ok_or_else(|| GatherError::Shape(format!("a column of type {}", array.data_type())))?;
        // A whole column of nulls is as good as none, and nobody looks at its values then.
        if nulls.as_ref().is_some_and(|nulls| nulls.null_count() == array.len()) {
            return Ok(Self::default());
        }
        Ok(Self { cells, nulls })
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self.cells, Cells::Absent)
    }

    /// Whether no row is null.
    pub(super) fn is_full(&self) -> bool {
        self.nulls.is_none() && !self.is_absent()
    }
}

/// `None` for a type that no column has.
fn cells(array: &ArrayRef) -> Option<Cells> {
    let words = |buffer: Buffer| Cells::Words(ScalarBuffer::new(buffer, 0, array.len()));
    if let Some(array) = array.as_primitive_opt::<TimestampNanosecondType>() {
        return Some(words(array.values().inner().clone()));
    }
    if let Some(array) = array.as_primitive_opt::<UInt64Type>() {
        return Some(words(array.values().inner().clone()));
    }
    if let Some(array) = array.as_primitive_opt::<Int64Type>() {
        return Some(words(array.values().inner().clone()));
    }
    if let Some(array) = array.as_primitive_opt::<Float64Type>() {
        return Some(words(array.values().inner().clone()));
    }
    if let Some(array) = array.as_boolean_opt() {
        return Some(Cells::Bits(array.values().clone()));
    }
    if let Some(array) = array.as_string_opt::<i32>() {
        return Some(Cells::Plain(array.clone()));
    }
    if let Some(array) = array.as_map_opt() {
        return Map::of(array).map(|map| Cells::Map(Box::new(map)));
    }
    let array = array.as_dictionary_opt::<Int32Type>()?;
    let values = array.values().as_string_opt::<i32>()?.clone();
    let nulls = array.keys().nulls().filter(|nulls| nulls.null_count() > 0).cloned();
    Some(Cells::Dict(Dict { keys: array.keys().values().clone(), nulls, values }))
}

impl Dict {
    /// The text of a row; `None` when it is null.
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return None;
        }
        let key = self.keys[row] as usize;
        self.values.is_valid(key).then(|| self.values.value(key))
    }
}

impl Map {
    fn of(array: &MapArray) -> Option<Self> {
        let half = |half: &ArrayRef| half.as_string_opt::<i32>().cloned();
        Some(Self {
            offsets: array.offsets().inner().clone(),
            keys: half(array.keys())?,
            values: half(array.values())?,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.offsets.first() == self.offsets.last()
    }
}
