//! Bytes to a batch, with every length checked before it is believed.

use std::sync::Arc;

use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int32Array, Int64Array, MapArray, RecordBatch, StringArray,
    StructArray, TimestampNanosecondArray, UInt64Array, new_null_array,
};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer};
use arrow_schema::{ArrowError, Field};

use super::encode::width_of;
use super::{VERSION, kind};
use crate::schema::{entries_field, entry_fields, is_reserved, overflow_field, schema_of};
use crate::{ColumnError, FIELD_COLUMNS_MAX};

type Result<T> = std::result::Result<T, ColumnError>;

pub(super) fn decode(bytes: &[u8]) -> Result<RecordBatch> {
    let mut input = Input { rest: bytes };
    let version = input.byte()?;
    if version != VERSION {
        return Err(damaged(format!("its version is {version}, this program reads {VERSION}")));
    }
    let rows = input.count()?;
    let times = times(&mut input, rows)?;
    let mut arrays: Vec<ArrayRef> = vec![
        Arc::new(TimestampNanosecondArray::from(times).with_timezone("UTC")),
        Arc::new(UInt64Array::from(vec![0; rows])),
        dictionary(&mut input, None, rows)?,
    ];
    let count = input.count()?;
    if count > FIELD_COLUMNS_MAX {
        return Err(damaged(format!("it claims {count} columns, more than {FIELD_COLUMNS_MAX}")));
    }
    let mut columns = Vec::with_capacity(count);
    for _ in 0..count {
        let name = input.name()?;
        if is_reserved(name) || columns.iter().any(|column: &Field| column.name() == name) {
            return Err(damaged(format!("a second column {name}")));
        }
        let array = field_column(&mut input, rows)?;
        columns.push(Field::new(name, array.data_type().clone(), true));
        arrays.push(array);
    }
    arrays.push(overflow(&mut input, rows)?);
    if !input.rest.is_empty() {
        return Err(damaged(format!("{} bytes after its end", input.rest.len())));
    }
    RecordBatch::try_new(schema_of(columns), arrays).map_err(refused)
}

fn damaged(what: impl Into<String>) -> ColumnError {
    ColumnError::Damaged(what.into())
}

fn refused(error: ArrowError) -> ColumnError {
    damaged(error.to_string())
}

/// What is left to read.
struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let Some((taken, rest)) = self.rest.split_at_checked(len) else {
            return Err(damaged(format!("it ends {} bytes early", len - self.rest.len())));
        };
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8> {
        Ok(self.take(1)?[0])
    }

    fn varint(&mut self) -> Result<u64> {
        let mut n = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(damaged("a number is longer than ten bytes"))
    }

    /// A number of things that take at least a byte each.
    fn count(&mut self) -> Result<usize> {
        let count = self.varint()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.rest.len() => Ok(count),
            _ => Err(damaged(format!("{count} things are in {} bytes", self.rest.len()))),
        }
    }

    fn name(&mut self) -> Result<&'a str> {
        let len = self.count()?;
        std::str::from_utf8(self.take(len)?).map_err(|error| damaged(error.to_string()))
    }

    fn bits(&mut self, len: usize) -> Result<BooleanBuffer> {
        let bytes = self.take(len.div_ceil(8))?;
        Ok(BooleanBuffer::new(Buffer::from(bytes), 0, len))
    }

    fn nulls(&mut self, rows: usize) -> Result<Option<NullBuffer>> {
        match self.byte()? {
            0 => Ok(None),
            1 => Ok(Some(NullBuffer::new(self.bits(rows)?))),
            other => Err(damaged(format!("nulls are said by {other}"))),
        }
    }

    /// `N` bytes a number.
    fn numbers<const N: usize, T>(&mut self, count: usize, number: impl Fn([u8; N]) -> T) -> Result<Vec<T>> {
        let len = count.checked_mul(N).ok_or_else(|| damaged("a column is too long"))?;
        let (chunks, _) = self.take(len)?.as_chunks::<N>();
        Ok(chunks.iter().map(|chunk| number(*chunk)).collect())
    }

    /// Texts: their lengths and then their bytes; the offsets are for the rows that are not null.
    fn texts(&mut self, nulls: Option<NullBuffer>, rows: usize) -> Result<StringArray> {
        let mut offsets = Vec::with_capacity(rows + 1);
        offsets.push(0i32);
        let mut end = 0i32;
        for row in 0..rows {
            if nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)) {
                let length = i32::try_from(self.varint()?).ok();
                end = length.and_then(|length| end.checked_add(length)).ok_or_else(|| damaged("texts beyond 2 GiB"))?;
            }
            offsets.push(end);
        }
        let bytes = self.take(end as usize)?;
        let offsets = OffsetBuffer::new(offsets.into());
        StringArray::try_new(offsets, Buffer::from(bytes), nulls).map_err(refused)
    }
}

fn times(input: &mut Input<'_>, rows: usize) -> Result<Vec<i64>> {
    let mut times = Vec::with_capacity(rows);
    let mut last = 0i64;
    for _ in 0..rows {
        let step = input.varint()?;
        last = last.wrapping_add((step >> 1) as i64 ^ -((step & 1) as i64));
        times.push(last);
    }
    Ok(times)
}

fn field_column(input: &mut Input<'_>, rows: usize) -> Result<ArrayRef> {
    let kind = input.byte()?;
    let nulls = input.nulls(rows)?;
    let values = rows - nulls.as_ref().map_or(0, NullBuffer::null_count);
    Ok(match kind {
        kind::TEXT => Arc::new(input.texts(nulls, rows)?),
        kind::DICTIONARY => dictionary(input, nulls, rows)?,
        kind::INT => {
            let values = spread(ints(input, values)?, nulls.as_ref(), rows);
            Arc::new(Int64Array::new(values.into(), nulls))
        }
        kind::DOUBLE => {
            let values = spread(input.numbers(values, f64::from_le_bytes)?, nulls.as_ref(), rows);
            Arc::new(Float64Array::new(values.into(), nulls))
        }
        kind::BOOL => Arc::new(BooleanArray::new(input.bits(rows)?, nulls)),
        other => return Err(damaged(format!("a column of type {other}"))),
    })
}

/// Puts values at the rows that are not null, of which there are as many.
fn spread<T: Copy + Default>(values: Vec<T>, nulls: Option<&NullBuffer>, rows: usize) -> Vec<T> {
    let Some(nulls) = nulls else { return values };
    let mut spread = vec![T::default(); rows];
    for (row, value) in nulls.valid_indices().zip(values) {
        spread[row] = value;
    }
    spread
}

fn ints(input: &mut Input<'_>, count: usize) -> Result<Vec<i64>> {
    if count == 0 {
        return Ok(Vec::new());
    }
    let min = input.numbers(1, i64::from_le_bytes)?[0];
    let plus = |distance: u64| min.wrapping_add(distance as i64);
    match input.byte()? {
        0 => Ok(vec![min; count]),
        1 => input.numbers(count, |[byte]| plus(byte.into())),
        2 => input.numbers(count, |bytes| plus(u16::from_le_bytes(bytes).into())),
        4 => input.numbers(count, |bytes| plus(u32::from_le_bytes(bytes).into())),
        8 => input.numbers(count, |bytes| plus(u64::from_le_bytes(bytes))),
        other => Err(damaged(format!("integers of {other} bytes"))),
    }
}

fn dictionary(input: &mut Input<'_>, nulls: Option<NullBuffer>, rows: usize) -> Result<ArrayRef> {
    let count = rows - nulls.as_ref().map_or(0, NullBuffer::null_count);
    let distinct = input.count()?;
    if distinct > count || (distinct == 0 && count > 0) {
        return Err(damaged(format!("{count} values have {distinct} distinct ones")));
    }
    let values = input.texts(None, distinct)?;
    let keys = match width_of(distinct.saturating_sub(1) as u64) {
        0 => vec![0; count],
        1 => input.numbers(count, |[byte]| i32::from(byte))?,
        2 => input.numbers(count, |bytes| i32::from(u16::from_le_bytes(bytes)))?,
        _ => input.numbers(count, i32::from_le_bytes)?,
    };
    let keys = Int32Array::new(spread(keys, nulls.as_ref(), rows).into(), nulls);
    Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(values)).map_err(refused)?))
}

fn overflow(input: &mut Input<'_>, rows: usize) -> Result<ArrayRef> {
    let count = input.count()?;
    if count == 0 {
        return Ok(new_null_array(overflow_field().data_type(), rows));
    }
    let mut ends = Vec::with_capacity(rows + 1);
    ends.push(0);
    let mut end = 0u64;
    for _ in 0..rows {
        end = end.saturating_add(input.varint()?);
        ends.push(i32::try_from(end).map_err(|_| damaged("overflow entries beyond 2^31"))?);
    }
    if end != count as u64 {
        return Err(damaged(format!("rows have {end} overflow entries of {count}")));
    }
    let names = dictionary(input, None, count)?;
    let names = crate::conform::represent(names, &arrow_schema::DataType::Utf8);
    let values: ArrayRef = Arc::new(input.texts(None, count)?);
    let entries = StructArray::try_new(entry_fields(), vec![names, values], None).map_err(refused)?;
    let valid: BooleanBuffer = ends.windows(2).map(|pair| pair[0] < pair[1]).collect();
    let nulls = Some(NullBuffer::new(valid)).filter(|nulls| nulls.null_count() > 0);
    let map = MapArray::try_new(entries_field(), OffsetBuffer::new(ends.into()), entries, nulls, false);
    Ok(Arc::new(map.map_err(refused)?))
}
