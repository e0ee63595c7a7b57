//! A batch to bytes.

use arrow_array::cast::AsArray as _;
use arrow_array::types::TimestampNanosecondType;
use arrow_array::{Array, ArrayRef, Int32Array, RecordBatch, StringArray};
use arrow_buffer::{BooleanBuffer, NullBuffer};
use model::field;

use super::{VERSION, kind};
use crate::conform::represent;
use crate::intern::Interner;
use crate::schema::{dictionary_type, is_reserved};
use crate::split::{SplitColumn, join_texts};
use crate::view::{Column, DictColumn, OverflowColumn};

pub(super) fn encode(batch: &RecordBatch, out: &mut Vec<u8>) {
    out.push(VERSION);
    varint(batch.num_rows() as u64, out);
    times(batch, out);
    stream(batch, out);
    let fields = batch.schema_ref().fields().iter().zip(batch.columns());
    let fields = fields.filter(|(column, _)| !is_reserved(column.name()));
    // A log has texts whole: it is written once and hardly ever read.
    let whole = |array: &ArrayRef| match SplitColumn::of(array) {
        Some(column) => join_texts(column),
        None => array.clone(),
    };
    let arrays: Vec<_> = fields.map(|(column, array)| (column.name(), whole(array))).collect();
    let columns: Vec<_> = arrays.iter().map(|(name, array)| (name, array, Column::of(array))).collect();
    let known = |column: &Column<'_>| !matches!(column, Column::Absent | Column::Time(_) | Column::Id(_));
    varint(columns.iter().filter(|(_, _, column)| known(column)).count() as u64, out);
    for (name, array, column) in columns {
        if known(&column) {
            text(name, out);
            field_column(&column, array.nulls().filter(|nulls| nulls.null_count() > 0), out);
        }
    }
    overflow(batch, out);
}

fn times(batch: &RecordBatch, out: &mut Vec<u8>) {
    let times = batch.column_by_name(field::TIME).and_then(|array| array.as_primitive_opt::<TimestampNanosecondType>());
    let mut last = 0i64;
    for row in 0..batch.num_rows() {
        let time = times.map_or(0, |times| times.value(row));
        let step = time.wrapping_sub(last);
        varint(((step << 1) ^ (step >> 63)) as u64, out);
        last = time;
    }
}

fn stream(batch: &RecordBatch, out: &mut Vec<u8>) {
    let array = batch.column_by_name(field::STREAM).map(|array| represent(array.clone(), &dictionary_type()));
    match array.as_ref().and_then(DictColumn::of) {
        Some(column) => dictionary(column.keys(), column.values(), None, out),
        None => dictionary(&Int32Array::from(vec![0; batch.num_rows()]), &StringArray::from(vec![""]), None, out),
    }
}

fn field_column(column: &Column<'_>, nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    out.push(match column {
        Column::Str(_) => kind::TEXT,
        Column::Dict(_) => kind::DICTIONARY,
        Column::Int(_) => kind::INT,
        Column::Double(_) => kind::DOUBLE,
        _ => kind::BOOL,
    });
    out.push(u8::from(nulls.is_some()));
    if let Some(nulls) = nulls {
        bits(nulls.inner(), out);
    }
    match column {
        Column::Str(array) => texts(array, nulls, out),
        Column::Dict(array) => dictionary(array.keys(), array.values(), nulls, out),
        Column::Int(array) => ints(array.values(), nulls, out),
        Column::Double(array) => {
            for row in rows(nulls, array.len()) {
                out.extend_from_slice(&array.value(row).to_le_bytes());
            }
        }
        Column::Bool(array) => bits(array.values(), out),
        Column::Absent | Column::Time(_) | Column::Id(_) | Column::Split(_) => {}
    }
}

/// The rows that are not null.
fn rows(nulls: Option<&NullBuffer>, len: usize) -> impl Iterator<Item = usize> + '_ {
    let all = if nulls.is_none() { 0..len } else { 0..0 };
    all.chain(nulls.into_iter().flat_map(NullBuffer::valid_indices))
}

fn texts(array: &StringArray, nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    let offsets = array.value_offsets();
    for row in rows(nulls, array.len()) {
        varint((offsets[row + 1] - offsets[row]) as u64, out);
    }
    let data = array.value_data();
    match nulls {
        None => out.extend_from_slice(&data[offsets[0] as usize..offsets[array.len()] as usize]),
        Some(nulls) => {
            for row in nulls.valid_indices() {
                out.extend_from_slice(&data[offsets[row] as usize..offsets[row + 1] as usize]);
            }
        }
    }
}

/// The texts that are used, in the order of their first use, and the number of each value's.
fn dictionary(keys: &Int32Array, values: &StringArray, nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    const UNUSED: u32 = u32::MAX;
    let mut numbers = vec![UNUSED; values.len()];
    let mut used: Vec<usize> = Vec::new();
    let mut renumbered: Vec<u32> = Vec::with_capacity(keys.len());
    for row in rows(nulls, keys.len()) {
        let key = keys.value(row) as usize;
        if numbers[key] == UNUSED {
            numbers[key] = used.len() as u32;
            used.push(key);
        }
        renumbered.push(numbers[key]);
    }
    varint(used.len() as u64, out);
    used.iter().for_each(|key| varint(values.value(*key).len() as u64, out));
    used.iter().for_each(|key| out.extend_from_slice(values.value(*key).as_bytes()));
    match width_of(used.len().saturating_sub(1) as u64) {
        0 => {}
        1 => out.extend(renumbered.iter().map(|key| *key as u8)),
        2 => renumbered.iter().for_each(|key| out.extend_from_slice(&(*key as u16).to_le_bytes())),
        _ => renumbered.iter().for_each(|key| out.extend_from_slice(&key.to_le_bytes())),
    }
}

/// Fewest of 0, 1, 2, 4 and 8 bytes that hold a number.
pub(super) fn width_of(max: u64) -> usize {
    match max {
        0 => 0,
        1..=0xff => 1,
        0x100..=0xffff => 2,
        0x1_0000..=0xffff_ffff => 4,
        _ => 8,
    }
}

fn ints(values: &[i64], nulls: Option<&NullBuffer>, out: &mut Vec<u8>) {
    let used = || rows(nulls, values.len()).map(|row| values[row]);
    let (Some(min), Some(max)) = (used().min(), used().max()) else { return };
    let width = width_of(max.wrapping_sub(min) as u64);
    out.extend_from_slice(&min.to_le_bytes());
    out.push(width as u8);
    out.reserve(values.len() * width);
    for value in used() {
        let distance = value.wrapping_sub(min) as u64;
        out.extend_from_slice(&distance.to_le_bytes()[..width]);
    }
}

fn bits(bits: &BooleanBuffer, out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bits.len().div_ceil(8), 0);
    for at in bits.set_indices() {
        out[start + at / 8] |= 1 << (at % 8);
    }
}

fn overflow(batch: &RecordBatch, out: &mut Vec<u8>) {
    let Some(overflow) = OverflowColumn::of(batch).filter(|overflow| !overflow.is_empty()) else {
        return varint(0, out);
    };
    let mut names = Interner::default();
    let mut keys: Vec<i32> = Vec::new();
    let mut counts: Vec<u64> = Vec::with_capacity(batch.num_rows());
    let mut values: Vec<&str> = Vec::new();
    for row in 0..batch.num_rows() {
        let before = values.len();
        for (name, value) in overflow.row(row) {
            keys.push(names.intern(name) as i32);
            values.push(value);
        }
        counts.push((values.len() - before) as u64);
    }
    varint(values.len() as u64, out);
    if values.is_empty() {
        return;
    }
    counts.iter().for_each(|count| varint(*count, out));
    let names: StringArray = (0..names.len() as u32).map(|number| Some(names.get(number))).collect();
    dictionary(&Int32Array::from(keys), &names, None, out);
    values.iter().for_each(|value| varint(value.len() as u64, out));
    values.iter().for_each(|value| out.extend_from_slice(value.as_bytes()));
}

fn text(text: &str, out: &mut Vec<u8>) {
    varint(text.len() as u64, out);
    out.extend_from_slice(text.as_bytes());
}

/// Seven bits a byte, the least significant first, the high bit set on all but the last.
fn varint(mut n: u64, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}
