//! The overflow column while its batch is built.

use std::fmt::Write as _;
use std::sync::Arc;

use arrow_array::{ArrayRef, MapArray, StringArray, StructArray};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use model::Value;

use super::values::Scalar;
use crate::json;
use crate::schema::{entries_field, entry_fields};

/// Values as JSON text, each with the number of its row and of its field's name.
#[derive(Default)]
pub(crate) struct Overflow {
    entries: Vec<Entry>,
    text: String,
}

#[derive(Clone, Copy)]
struct Entry {
    row: u32,
    /// [`DEAD`] for an entry that was taken back.
    name: u32,
    end: u32,
}

const DEAD: u32 = u32::MAX;

impl Overflow {
    /// Adds a value; its number.
    pub(crate) fn push(&mut self, row: u32, name: u32, value: &Value) -> u32 {
        json::encode(value, &mut self.text);
        self.added(row, name)
    }

    /// Adds a scalar; its number.
    pub(crate) fn push_scalar(&mut self, row: u32, name: u32, value: Scalar<'_>) -> u32 {
        encode_scalar(value, &mut self.text);
        self.added(row, name)
    }

    /// Adds a value that is JSON text already; its number.
    pub(crate) fn push_text(&mut self, row: u32, name: u32, json: &str) -> u32 {
        self.text.push_str(json);
        self.added(row, name)
    }

    /// Takes a value back.
    pub(crate) fn remove(&mut self, entry: u32) {
        self.entries[entry as usize].name = DEAD;
    }

    pub(crate) fn size_bytes(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    fn added(&mut self, row: u32, name: u32) -> u32 {
        self.entries.push(Entry { row, name, end: self.text.len() as u32 });
        self.entries.len() as u32 - 1
    }

    /// The column of `total` rows. Entries may have been added in any order of rows.
    pub(crate) fn finish<'n>(self, total: usize, name: impl Fn(u32) -> &'n str) -> MapArray {
        let ordered = self.entries.is_sorted_by_key(|entry| entry.row);
        let mut starts = Vec::with_capacity(self.entries.len());
        let mut start = 0;
        for entry in &self.entries {
            starts.push((*entry, start as usize));
            start = entry.end;
        }
        starts.retain(|(entry, _)| entry.name != DEAD);
        if !ordered {
            starts.sort_by_key(|(entry, _)| entry.row);
        }
        let mut counts = vec![0i32; total];
        let (mut keys, mut values) = (Texts::default(), Texts::default());
        for (entry, start) in &starts {
            counts[entry.row as usize] += 1;
            keys.push(name(entry.name));
            values.push(&self.text[*start..entry.end as usize]);
        }
        map_of(keys, values, &counts)
    }
}

/// Texts one after the other.
#[derive(Default)]
struct Texts {
    text: String,
    lengths: Vec<usize>,
}

impl Texts {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.lengths.push(text.len());
    }

    fn finish(self) -> ArrayRef {
        let offsets = OffsetBuffer::from_lengths(self.lengths);
        Arc::new(StringArray::new(offsets, Buffer::from_vec(self.text.into_bytes()), None))
    }
}

fn map_of(keys: Texts, values: Texts, counts: &[i32]) -> MapArray {
    let entries = StructArray::new(entry_fields(), vec![keys.finish(), values.finish()], None);
    let valid: BooleanBuffer = counts.iter().map(|count| *count > 0).collect();
    let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
    let offsets = OffsetBuffer::from_lengths(counts.iter().map(|count| *count as usize));
    MapArray::new(entries_field(), offsets, entries, nulls, false)
}

/// Appends the JSON text of a scalar, as [`json::encode`] writes it.
fn encode_scalar(value: Scalar<'_>, out: &mut String) {
    match value {
        Scalar::Str(text) => json::write_string(out, text),
        Scalar::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Scalar::Double(n) => json::encode(&Value::Double(n), out),
        Scalar::Bool(b) => out.push_str(if b { "true" } else { "false" }),
    }
}
