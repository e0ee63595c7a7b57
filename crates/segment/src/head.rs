//! What every row of a batch has: time, id and stream; and texts in either of their two forms.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Int32Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array, Int32Array, RecordBatch, StringArray};
use arrow_buffer::ScalarBuffer;
use model::field;

use crate::SegmentError;

/// A column of text: plain, or numbers into a list of distinct texts.
#[derive(Clone, Copy)]
pub(crate) enum Texts<'a> {
    Plain(&'a StringArray),
    Dict(&'a Int32Array, &'a StringArray),
}

impl<'a> Texts<'a> {
    /// `None` when the column is of another type.
    pub(crate) fn of(array: &'a dyn Array) -> Option<Self> {
        if let Some(plain) = array.as_string_opt::<i32>() {
            return Some(Self::Plain(plain));
        }
        let dictionary = array.as_dictionary_opt::<Int32Type>()?;
        Some(Self::Dict(dictionary.keys(), dictionary.values().as_string_opt::<i32>()?))
    }

    /// The text of a row; `None` when it is null.
    pub(crate) fn get(&self, row: usize) -> Option<&'a str> {
        match self {
            Self::Plain(texts) => texts.is_valid(row).then(|| texts.value(row)),
            Self::Dict(keys, values) => {
                let key = keys.is_valid(row).then(|| keys.value(row) as usize)?;
                values.is_valid(key).then(|| values.value(key))
            }
        }
    }

    /// Whether two rows surely have the same text; cheap, and may say false when they do.
    pub(crate) fn is_same(&self, a: usize, b: usize) -> bool {
        match self {
            Self::Plain(texts) => texts.is_valid(a) && texts.is_valid(b) && texts.value(a) == texts.value(b),
            Self::Dict(keys, _) => keys.is_valid(a) && keys.is_valid(b) && keys.value(a) == keys.value(b),
        }
    }
}

/// The columns of a batch by which its rows sort.
pub(crate) struct Head<'a> {
    pub(crate) times: &'a ScalarBuffer<i64>,
    pub(crate) ids: &'a ScalarBuffer<u64>,
    streams: Texts<'a>,
}

impl<'a> Head<'a> {
    /// Fails when the batch is not of the shape that `column` documents.
    pub(crate) fn of(batch: &'a RecordBatch) -> Result<Self, SegmentError> {
        let missing = |name: &str| SegmentError::Rows { what: format!("a batch has no {name} of the right type") };
        let column =
            |name: &str| batch.column_by_name(name).filter(|column| !has_nulls(column)).ok_or_else(|| missing(name));
        let times = column(field::TIME)?.as_primitive_opt::<TimestampNanosecondType>();
        let ids = column(field::ID)?.as_primitive_opt::<UInt64Type>();
        let streams = Texts::of(column(field::STREAM)?);
        Ok(Self {
            times: times.ok_or_else(|| missing(field::TIME))?.values(),
            ids: ids.ok_or_else(|| missing(field::ID))?.values(),
            streams: streams.ok_or_else(|| missing(field::STREAM))?,
        })
    }

    pub(crate) fn rows(&self) -> usize {
        self.times.len()
    }

    /// Time and id of a row.
    pub(crate) fn key(&self, row: usize) -> (i64, u64) {
        (self.times[row], self.ids[row])
    }

    /// The stream of a row; a null inside a dictionary counts as the empty text.
    pub(crate) fn stream(&self, row: usize) -> &'a str {
        self.streams.get(row).unwrap_or_default()
    }

    pub(crate) fn streams(&self) -> &Texts<'a> {
        &self.streams
    }

    /// The runs of rows with one stream: where each ends, and the stream.
    pub(crate) fn runs(&self) -> Vec<(u32, &'a str)> {
        let mut runs: Vec<(u32, &str)> = Vec::new();
        for row in 0..self.rows() {
            if row > 0 && self.streams.is_same(row - 1, row) {
                continue;
            }
            let stream = self.stream(row);
            match runs.last_mut() {
                Some((_, last)) if *last == stream => {}
                Some((end, _)) => {
                    *end = row as u32;
                    runs.push((0, stream));
                }
                None => runs.push((0, stream)),
            }
        }
        if let Some((end, _)) = runs.last_mut() {
            *end = self.rows() as u32;
        }
        runs
    }
}

fn has_nulls(column: &dyn Array) -> bool {
    column.null_count() > 0
}
