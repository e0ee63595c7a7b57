//! Batches built row by row, without an allocation for each row.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, TimestampNanosecondArray, UInt64Array};
use arrow_schema::Field;
use model::{Timestamp, Value};

use crate::FIELD_COLUMNS_MAX;
use crate::intern::Interner;
use crate::schema::{assemble, is_distinct, is_reserved, schema_of};

pub(crate) mod overflow;
pub(crate) mod values;

use overflow::Overflow;
use values::{Presence, Scalar, Values, dictionary, key_of};

/// A field of a [`BatchBuilder`]; means nothing to another builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(u32);

/// Builds one batch row by row: [`Self::begin`], any number of puts, [`Self::stream`], [`Self::end`].
///
/// A field's first value decides the type of its column; values of other types go to the overflow, as do arrays, maps and
/// bytes, and all fields beyond the [`FIELD_COLUMNS_MAX`] most frequent. Texts that repeat become a dictionary.
///
/// The caller bounds the batch by [`Self::size_bytes`]: an Arrow column of text holds 2 GiB.
#[derive(Default)]
pub struct BatchBuilder {
    times: Vec<i64>,
    streams: Interner,
    stream_keys: Vec<i32>,
    names: Interner,
    fields: Vec<FieldState>,
    overflow: Overflow,
    /// The slots in the order in which the previous row asked for them: rows of one sender ask for the same names in the
    /// same order, so that most lookups are one comparison.
    hints: Vec<Slot>,
    /// How many slots the row has asked for.
    asked: usize,
}

#[derive(Default)]
struct FieldState {
    /// Number of the last row with a value, plus one.
    last: u32,
    /// The overflow entry of that value, if it is there.
    entry: Option<u32>,
    reserved: bool,
    plain: bool,
    rows: Presence,
    values: Values,
}

impl BatchBuilder {
    /// Starts an empty batch.
    pub fn new() -> Self {
        Self::default()
    }

    /// Starts an empty batch with room for the times and streams of some rows.
    pub fn with_capacity(rows: usize) -> Self {
        Self { times: Vec::with_capacity(rows), stream_keys: Vec::with_capacity(rows), ..Self::default() }
    }

    /// The slot of a field name. The same name has the same slot for the life of the builder.
    pub fn slot(&mut self, name: &str) -> Slot {
        let at = self.asked;
        self.asked += 1;
        if let Some(slot) = self.hints.get(at)
            && self.names.get(slot.0) == name
        {
            return *slot;
        }
        let slot = Slot(self.names.intern(name));
        if slot.0 as usize == self.fields.len() {
            let (reserved, plain) = (is_reserved(name), is_distinct(name));
            self.fields.push(FieldState { reserved, plain, ..FieldState::default() });
        }
        if at < self.hints.len() {
            self.hints[at] = slot;
        } else if at == self.hints.len() {
            self.hints.push(slot);
        }
        slot
    }

    /// Starts a row; ends the one before if that was left open.
    pub fn begin(&mut self, time: Timestamp) {
        self.end();
        self.times.push(time.0);
        self.asked = 0;
    }

    /// Sets a field of the row to a text.
    pub fn put_str(&mut self, slot: Slot, value: &str) {
        self.put(slot, Scalar::Str(value));
    }

    /// Sets a field of the row to an integer.
    pub fn put_int(&mut self, slot: Slot, value: i64) {
        self.put(slot, Scalar::Int(value));
    }

    /// Sets a field of the row to a double.
    pub fn put_double(&mut self, slot: Slot, value: f64) {
        self.put(slot, Scalar::Double(value));
    }

    /// Sets a field of the row to a truth value.
    pub fn put_bool(&mut self, slot: Slot, value: bool) {
        self.put(slot, Scalar::Bool(value));
    }

    /// Sets a field of the row to any value; arrays, maps and bytes live in the overflow. A null changes nothing.
    pub fn put_other(&mut self, slot: Slot, value: &Value) {
        match value {
            Value::Null => {}
            Value::Str(text) => self.put_str(slot, text),
            Value::Int(n) => self.put_int(slot, *n),
            Value::Double(n) => self.put_double(slot, *n),
            Value::Bool(b) => self.put_bool(slot, *b),
            Value::Bytes(_) | Value::Array(_) | Value::Map(_) => {
                let Some(row) = self.claim(slot) else { return };
                let entry = self.overflow.push(row, slot.0, value);
                self.fields[slot.0 as usize].entry = Some(entry);
            }
        }
    }

    /// Whether the row has the field.
    pub fn has(&self, slot: Slot) -> bool {
        !self.times.is_empty() && self.fields[slot.0 as usize].last as usize == self.times.len()
    }

    /// Sets the stream of the row, the empty text if it is never set. Streams that repeat are cheap.
    pub fn stream(&mut self, stream: &str) {
        if self.stream_keys.len() == self.times.len() {
            self.stream_keys.pop();
        }
        if self.stream_keys.len() < self.times.len() {
            let key = key_of(&mut self.streams, &self.stream_keys, stream);
            self.stream_keys.push(key);
        }
    }

    /// Ends the row.
    pub fn end(&mut self) {
        if self.stream_keys.len() < self.times.len() {
            self.stream("");
        }
    }

    /// Rows begun.
    pub fn rows(&self) -> usize {
        self.times.len()
    }

    /// The memory that the builder takes, in bytes. Costs a step for each field name.
    pub fn size_bytes(&self) -> usize {
        let of_field =
            |field: &FieldState| size_of::<FieldState>() + field.rows.size_bytes() + field.values.size_bytes();
        let fields: usize = self.fields.iter().map(of_field).sum();
        let heads = self.times.capacity() * 8 + self.stream_keys.capacity() * 4;
        heads + self.streams.size_bytes() + self.names.size_bytes() + self.overflow.size_bytes() + fields
    }

    /// The batch, with its fields in the order in which they were first asked for. `_id` is zero in every row; see
    /// [`crate::with_first_id`].
    pub fn finish(self) -> RecordBatch {
        let rows = self.times.len();
        self.finish_with_ids(vec![0; rows])
    }

    /// The batch with these ids, of which there is one for each row.
    pub(crate) fn finish_with_ids(mut self, ids: Vec<u64>) -> RecordBatch {
        self.end();
        self.demote();
        let rows = self.times.len();
        let mut columns = Vec::new();
        let mut arrays: Vec<ArrayRef> = vec![
            Arc::new(TimestampNanosecondArray::from(self.times).with_timezone("UTC")),
            Arc::new(UInt64Array::from(ids)),
            Arc::new(dictionary(Int32Array::from(self.stream_keys), self.streams)),
        ];
        for (number, field) in self.fields.into_iter().enumerate() {
            let Some(array) = field.values.finish(&field.rows, rows) else { continue };
            columns.push(Field::new(self.names.get(number as u32), array.data_type().clone(), true));
            arrays.push(array);
        }
        arrays.push(Arc::new(self.overflow.finish(rows, |name| self.names.get(name))));
        assemble(schema_of(columns), arrays, rows)
    }

    #[inline]
    fn put(&mut self, slot: Slot, value: Scalar<'_>) {
        let Some(row) = self.claim(slot) else { return };
        let field = &mut self.fields[slot.0 as usize];
        if !field.reserved && field.values.push(value, field.plain) {
            field.rows.push(row);
        } else {
            field.entry = Some(self.overflow.push_scalar(row, slot.0, value));
        }
    }

    /// Makes room for a value of the row in a field, where an earlier one gives way; the number of the row.
    fn claim(&mut self, slot: Slot) -> Option<u32> {
        let row = self.times.len().checked_sub(1)? as u32;
        let field = &mut self.fields[slot.0 as usize];
        let entry = field.entry.take();
        if field.last == row + 1 {
            match entry {
                Some(entry) => self.overflow.remove(entry),
                None => {
                    field.values.pop();
                    field.rows.pop();
                }
            }
        }
        field.last = row + 1;
        Some(row)
    }

    /// Moves the rarest fields to the overflow until the rest fits.
    fn demote(&mut self) {
        let used = |(_, field): &(usize, &FieldState)| field.rows.count() > 0;
        let mut ranked: Vec<usize> = self.fields.iter().enumerate().filter(used).map(|(number, _)| number).collect();
        if ranked.len() <= FIELD_COLUMNS_MAX {
            return;
        }
        ranked.sort_by_key(|number| std::cmp::Reverse(self.fields[*number].rows.count()));
        for number in ranked.split_off(FIELD_COLUMNS_MAX) {
            let field = std::mem::take(&mut self.fields[number]);
            for (at, row) in field.rows.rows().enumerate() {
                if let Some(value) = field.values.get(at) {
                    self.overflow.push_scalar(row, number as u32, value);
                }
            }
        }
    }
}
