//! The values of one column while its batch is built: only the rows that have one, so that a field of few rows is cheap.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, PrimitiveArray, StringArray,
    types::{ArrowPrimitiveType, Int32Type},
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};

use crate::intern::Interner;

/// Most distinct texts of a column that becomes a dictionary by itself. Severities, services, hosts and environments of one
/// batch are below it; with more, looking each text up costs as much as copying it.
pub(crate) const BATCH_DICTIONARY_MAX: usize = 256;

/// From this many distinct texts on, a column must repeat each twice on average or it stops looking for repetitions.
const TRIAL_DISTINCT: usize = 32;

/// A scalar on its way into a column.
#[derive(Clone, Copy)]
pub(crate) enum Scalar<'a> {
    Str(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
}

/// Which rows have a value.
#[derive(Default)]
pub(crate) struct Presence {
    count: u32,
    /// Empty while the rows are 0, 1, 2 and so on, which is what most columns are.
    rows: Vec<u32>,
}

impl Presence {
    pub(crate) fn count(&self) -> usize {
        self.count as usize
    }

    pub(crate) fn push(&mut self, row: u32) {
        if self.rows.is_empty() && row != self.count {
            self.rows.extend(0..self.count);
            self.rows.push(row);
        } else if !self.rows.is_empty() {
            self.rows.push(row);
        }
        self.count += 1;
    }

    pub(crate) fn pop(&mut self) {
        self.rows.pop();
        self.count -= 1;
    }

    pub(crate) fn rows(&self) -> impl Iterator<Item = u32> + '_ {
        let dense = if self.rows.is_empty() { 0..self.count } else { 0..0 };
        dense.chain(self.rows.iter().copied())
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.rows.capacity() * 4
    }

    fn nulls(&self, total: usize) -> Option<NullBuffer> {
        if self.count() == total {
            return None;
        }
        let mut bits = vec![0u8; total.div_ceil(8)];
        for row in self.rows() {
            bits[row as usize / 8] |= 1 << (row % 8);
        }
        Some(NullBuffer::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, total)))
    }

    /// Puts the values at their rows.
    fn spread<T: Copy + Default>(&self, values: Vec<T>, total: usize) -> Vec<T> {
        if self.rows.is_empty() {
            let mut values = values;
            values.resize(total, T::default());
            return values;
        }
        let mut spread = vec![T::default(); total];
        for (row, value) in self.rows.iter().zip(values) {
            spread[*row as usize] = value;
        }
        spread
    }

    fn primitive<T: ArrowPrimitiveType>(&self, values: Vec<T::Native>, total: usize) -> PrimitiveArray<T>
    where
        T::Native: Default,
    {
        PrimitiveArray::new(ScalarBuffer::from(self.spread(values, total)), self.nulls(total))
    }
}

/// The values of a column, in row order. The first one decides the type.
#[derive(Default)]
pub(crate) enum Values {
    #[default]
    Unset,
    Str(StrValues),
    Int(Vec<i64>),
    Double(Vec<f64>),
    Bool(Vec<bool>),
}

impl Values {
    /// Appends a value; false when it is of another type. `plain` says that texts of the field hardly ever repeat.
    pub(crate) fn push(&mut self, value: Scalar<'_>, plain: bool) -> bool {
        if let Values::Unset = self {
            *self = match value {
                Scalar::Str(_) => Values::Str(StrValues::new(plain)),
                Scalar::Int(_) => Values::Int(Vec::new()),
                Scalar::Double(_) => Values::Double(Vec::new()),
                Scalar::Bool(_) => Values::Bool(Vec::new()),
            };
        }
        match (self, value) {
            (Values::Str(values), Scalar::Str(text)) => values.push(text),
            (Values::Int(values), Scalar::Int(n)) => values.push(n),
            (Values::Double(values), Scalar::Double(n)) => values.push(n),
            (Values::Bool(values), Scalar::Bool(b)) => values.push(b),
            _ => return false,
        }
        true
    }

    /// Takes the last value back.
    pub(crate) fn pop(&mut self) {
        let empty = match self {
            Values::Unset => return,
            Values::Str(values) => values.pop(),
            Values::Int(values) => values.pop().is_none() || values.is_empty(),
            Values::Double(values) => values.pop().is_none() || values.is_empty(),
            Values::Bool(values) => values.pop().is_none() || values.is_empty(),
        };
        if empty {
            *self = Values::Unset;
        }
    }

    /// The value at a position, which counts the values and not the rows.
    pub(crate) fn get(&self, at: usize) -> Option<Scalar<'_>> {
        Some(match self {
            Values::Unset => return None,
            Values::Str(values) => Scalar::Str(values.get(at)),
            Values::Int(values) => Scalar::Int(values[at]),
            Values::Double(values) => Scalar::Double(values[at]),
            Values::Bool(values) => Scalar::Bool(values[at]),
        })
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            Values::Unset => 0,
            Values::Str(values) => values.size_bytes(),
            Values::Int(values) => values.capacity() * 8,
            Values::Double(values) => values.capacity() * 8,
            Values::Bool(values) => values.capacity(),
        }
    }

    /// The column of `total` rows; `None` without any value.
    pub(crate) fn finish(self, rows: &Presence, total: usize) -> Option<ArrayRef> {
        Some(match self {
            Values::Unset => return None,
            Values::Str(values) => values.finish(rows, total),
            Values::Int(values) => {
                Arc::new(rows.primitive::<arrow_array::types::Int64Type>(values, total) as Int64Array)
            }
            Values::Double(values) => {
                Arc::new(rows.primitive::<arrow_array::types::Float64Type>(values, total) as Float64Array)
            }
            Values::Bool(values) => {
                let bits = BooleanBuffer::from(rows.spread(values, total));
                Arc::new(BooleanArray::new(bits, rows.nulls(total)))
            }
        })
    }
}

/// Texts: numbers of distinct texts while those are few, else one after the other.
pub(crate) enum StrValues {
    Few { texts: Interner, keys: Vec<i32> },
    Many { text: String, ends: Vec<i32> },
}

impl StrValues {
    pub(crate) fn new(plain: bool) -> Self {
        if plain {
            Self::Many { text: String::new(), ends: vec![0] }
        } else {
            Self::Few { texts: Interner::default(), keys: Vec::new() }
        }
    }

    fn push(&mut self, value: &str) {
        if let Self::Few { texts, keys } = self {
            match same_as_last(texts, keys, value).or_else(|| {
                let may_grow = may_grow(texts.len(), keys.len());
                texts.intern_if(value, may_grow).map(|key| key as i32)
            }) {
                Some(key) => return keys.push(key),
                None => self.make_plain(),
            }
        }
        if let Self::Many { text, ends } = self {
            text.push_str(value);
            ends.push(text.len() as i32);
        }
    }

    /// Takes the last text back; whether none is left.
    fn pop(&mut self) -> bool {
        match self {
            Self::Few { keys, .. } => {
                keys.pop();
                keys.is_empty()
            }
            Self::Many { text, ends } => {
                ends.pop();
                text.truncate(ends.last().map_or(0, |end| *end as usize));
                ends.len() < 2
            }
        }
    }

    fn get(&self, at: usize) -> &str {
        match self {
            Self::Few { texts, keys } => texts.get(keys[at] as u32),
            Self::Many { text, ends } => &text[ends[at] as usize..ends[at + 1] as usize],
        }
    }

    fn size_bytes(&self) -> usize {
        match self {
            Self::Few { texts, keys } => texts.size_bytes() + keys.capacity() * 4,
            Self::Many { text, ends } => text.capacity() + ends.capacity() * 4,
        }
    }

    fn make_plain(&mut self) {
        let Self::Few { texts, keys } = self else { return };
        let mut text = String::new();
        let mut ends = Vec::with_capacity(keys.len() + 1);
        ends.push(0);
        for key in keys {
            text.push_str(texts.get(*key as u32));
            ends.push(text.len() as i32);
        }
        *self = Self::Many { text, ends };
    }

    fn finish(mut self, rows: &Presence, total: usize) -> ArrayRef {
        if let Self::Few { texts, keys } = &self
            && texts.len() * 2 > keys.len()
        {
            self.make_plain();
        }
        match self {
            Self::Few { texts, keys } => {
                let keys = rows.primitive::<Int32Type>(keys, total) as Int32Array;
                Arc::new(dictionary(keys, texts))
            }
            Self::Many { text, ends } => {
                let offsets = spread_ends(ends, rows, total);
                Arc::new(StringArray::new(
                    OffsetBuffer::new(offsets.into()),
                    Buffer::from_vec(text.into_bytes()),
                    rows.nulls(total),
                ))
            }
        }
    }
}

/// Whether a column with so many distinct texts among its values should take one more.
fn may_grow(distinct: usize, values: usize) -> bool {
    distinct < BATCH_DICTIONARY_MAX && (distinct < TRIAL_DISTINCT || distinct * 2 <= values)
}

/// The number of a text that equals its neighbour, which saves the hash.
fn same_as_last(texts: &Interner, keys: &[i32], value: &str) -> Option<i32> {
    keys.last().copied().filter(|last| texts.get(*last as u32) == value)
}

/// The number of a text, whose neighbour before it is the last of `keys`.
pub(crate) fn key_of(texts: &mut Interner, keys: &[i32], value: &str) -> i32 {
    same_as_last(texts, keys, value).unwrap_or_else(|| texts.intern(value) as i32)
}

/// A dictionary column of keys that the interner gave out.
pub(crate) fn dictionary(keys: Int32Array, texts: Interner) -> DictionaryArray<Int32Type> {
    let (text, ends) = texts.into_parts();
    let values = StringArray::new(OffsetBuffer::new(ends.into()), Buffer::from_vec(text.into_bytes()), None);
    DictionaryArray::new(keys, Arc::new(values))
}

/// The offsets of `total` rows from those of the rows that have a text.
fn spread_ends(ends: Vec<i32>, rows: &Presence, total: usize) -> Vec<i32> {
    let mut offsets = Vec::with_capacity(total + 1);
    offsets.push(0);
    if rows.rows.is_empty() {
        offsets = ends;
    } else {
        for (row, end) in rows.rows.iter().zip(&ends[1..]) {
            let before = offsets[offsets.len() - 1];
            offsets.resize(*row as usize + 1, before);
            offsets.push(*end);
        }
    }
    let last = offsets[offsets.len() - 1];
    offsets.resize(total + 1, last);
    offsets
}
