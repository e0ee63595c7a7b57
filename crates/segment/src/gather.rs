//! Picked rows of several batches as one batch: what sorting and merging are made of.
//!
//! Each text is copied once. Columns of few distinct texts stay dictionaries: their texts are numbered anew over all sources,
//! once a text, so a row costs one look into a table.
//!
//! Sorting spreads a segment's neighbours over all batches, so what costs is not the copying but the way to the next value.
//! Therefore the buffers of each column lie in one table ([`parts`]), and a column is gathered source by source, which puts
//! each row where it belongs.

mod dictionary;
mod parts;
mod plan;

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{ArrowPrimitiveType, Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{ArrayRef, BooleanArray, MapArray, PrimitiveArray, RecordBatch, StringArray, StructArray};
use arrow_buffer::bit_mask::set_bits;
use arrow_buffer::bit_util::{get_bit, set_bit};
use arrow_buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{DataType, Field, Schema, SchemaRef, TimeUnit};
use column::{Layout, OVERFLOW, batch_bytes};

use self::dictionary::Dictionary;
use self::parts::{Cells, Part};
pub(crate) use self::plan::{Pick, rows_of};
use self::plan::{Place, Plan};

/// Why picks do not become a batch.
#[derive(Debug)]
pub(crate) enum GatherError {
    /// A column would hold more than the 2 GiB of text that an offset reaches: pick fewer rows.
    TooLarge,
    /// The batches are not of the shape that they should be.
    Shape(String),
}

impl From<arrow_schema::ArrowError> for GatherError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::Shape(error.to_string())
    }
}

/// Makes batches of one layout from rows of batches that fit it.
pub(crate) struct Gather {
    layout: Layout,
    schema: SchemaRef,
    columns: Vec<Column>,
    /// Rows and bytes of each source; `None` where a number is free.
    sizes: Vec<Option<(usize, usize)>>,
}

/// A column of all sources.
#[derive(Default)]
struct Column {
    /// By source.
    parts: Vec<Part>,
    /// For columns of text.
    dictionary: Dictionary,
    /// Of a text in two parts, by source: what fills the holes. The shapes are in `parts`.
    variables: Vec<Part>,
}

impl Gather {
    pub(crate) fn new(layout: Layout) -> Self {
        let schema = layout.schema().clone();
        let columns = schema.fields().iter().map(|_| Column::default()).collect();
        Self { layout, schema, columns, sizes: Vec::new() }
    }

    /// Adds a batch of any layout; the number by which picks name it. Columns of other types than this layout's are made
    /// anew, which is rare, the others are shared.
    pub(crate) fn add(&mut self, batch: &RecordBatch) -> Result<u32, GatherError> {
        let conformed = if self.fits(batch) { None } else { Some(self.layout.conform(batch)) };
        let batch = conformed.as_ref().unwrap_or(batch);
        let source = self.sizes.iter().position(Option::is_none).unwrap_or(self.sizes.len());
        if source == self.sizes.len() {
            self.sizes.push(None);
        }
        for (field, column) in self.layout.schema().fields().iter().zip(&mut self.columns) {
            column.add(source, batch.column_by_name(field.name()))?;
        }
        self.sizes[source] = Some((batch.num_rows(), batch_bytes(batch)));
        u32::try_from(source).map_err(|_| GatherError::TooLarge)
    }

    /// Lets go of a source, whose number may be given to another.
    pub(crate) fn remove(&mut self, source: u32) {
        let source = source as usize;
        self.columns.iter_mut().for_each(|column| column.remove(source));
        self.sizes[source] = None;
    }

    /// How many batches are held.
    pub(crate) fn sources(&self) -> usize {
        self.sizes.iter().flatten().count()
    }

    /// Roughly the bytes that a row of a source takes.
    pub(crate) fn row_bytes(&self, source: u32) -> usize {
        self.sizes[source as usize].map_or(0, |(rows, bytes)| bytes / rows.max(1))
    }

    /// Whether the columns of a batch can be taken as they are: they have the layout's types, and nothing in the overflow
    /// has a column here.
    fn fits(&self, batch: &RecordBatch) -> bool {
        let schema = self.layout.schema();
        let fits = |(field, array): (&Arc<Field>, &ArrayRef)| {
            let (Ok(wanted), found) = (schema.field_with_name(field.name()), array.data_type()) else { return false };
            wanted.data_type() == found || (is_text(wanted.data_type()) && is_text(found))
        };
        if !batch.schema_ref().fields().iter().zip(batch.columns()).all(fits) {
            return false;
        }
        let Some(overflow) = batch.column_by_name(OVERFLOW).and_then(|column| column.as_map_opt()) else { return true };
        let Some(keys) = overflow.keys().as_string_opt::<i32>() else { return false };
        let mut last = "";
        keys.iter().flatten().all(|key| {
            let known = std::mem::replace(&mut last, key) == key;
            known || schema.field_with_name(key).is_err()
        })
    }

    /// The picked rows, in the order of the picks, as one batch. A text column is a dictionary where the layout says so or all
    /// sources have it so, and plain otherwise.
    pub(crate) fn gather(&mut self, picks: &[Pick]) -> Result<RecordBatch, GatherError> {
        let plan = Plan::new(picks, self.sizes.len());
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(self.columns.len());
        for (field, column) in self.layout.schema().fields().iter().zip(&mut self.columns) {
            arrays.push(column.gather(field, &plan)?);
        }
        self.with_types(&arrays);
        Ok(RecordBatch::try_new(self.schema.clone(), arrays)?)
    }

    /// Makes the schema say what types the arrays have; mostly it does already.
    fn with_types(&mut self, arrays: &[ArrayRef]) {
        if self.schema.fields().iter().zip(arrays).all(|(field, array)| field.data_type() == array.data_type()) {
            return;
        }
        let typed =
            |(field, array): (&Arc<Field>, &ArrayRef)| Field::clone(field).with_data_type(array.data_type().clone());
        let fields: Vec<Field> = self.schema.fields().iter().zip(arrays).map(typed).collect();
        self.schema = Arc::new(Schema::new(fields));
    }
}

impl Column {
    /// Sets the column of a source, whose number is the next one or was in use before.
    fn add(&mut self, source: usize, array: Option<&ArrayRef>) -> Result<(), GatherError> {
        let set = |parts: &mut Vec<Part>, part| match parts.get_mut(source) {
            Some(old) => *old = part,
            None => parts.push(part),
        };
        let halves = array.and_then(|array| array.as_struct_opt()).map(|array| array.columns());
        let (array, variables) = match halves {
            Some([shapes, variables]) => (Some(shapes), Some(variables)),
            _ => (array, None),
        };
        set(&mut self.parts, Part::of(array)?);
        set(&mut self.variables, Part::of(variables)?);
        self.dictionary.forget(source);
        Ok(())
    }

    fn remove(&mut self, source: usize) {
        self.parts[source] = Part::default();
        self.variables[source] = Part::default();
    }

    fn gather(&mut self, field: &Field, plan: &Plan) -> Result<ArrayRef, GatherError> {
        let parts = &self.parts[..];
        Ok(match field.data_type() {
            DataType::Timestamp(TimeUnit::Nanosecond, zone) => {
                Arc::new(words::<TimestampNanosecondType>(parts, plan).with_timezone_opt(zone.clone()))
            }
            DataType::UInt64 => Arc::new(words::<UInt64Type>(parts, plan)),
            DataType::Int64 => Arc::new(words::<Int64Type>(parts, plan)),
            DataType::Float64 => Arc::new(words::<Float64Type>(parts, plan)),
            DataType::Boolean => Arc::new(booleans(parts, plan)),
            DataType::Map(_, _) => Arc::new(overflow(parts, plan, field)?),
            DataType::Struct(halves) => {
                let shapes: ArrayRef = Arc::new(self.dictionary.gather(parts, plan)?);
                let variables: ArrayRef = Arc::new(plain(&self.variables, plan)?);
                Arc::new(StructArray::try_new(halves.clone(), vec![shapes, variables], None)?)
            }
            DataType::Utf8 if plan.sources().any(|source| matches!(parts[source].cells, Cells::Plain(_))) => {
                Arc::new(plain(parts, plan)?)
            }
            ty if is_text(ty) => Arc::new(self.dictionary.gather(parts, plan)?),
            other => return Err(GatherError::Shape(format!("column {:?} is of type {other}", field.name()))),
        })
    }
}

/// Utf8, or a dictionary of it by 32-bit numbers.
fn is_text(ty: &DataType) -> bool {
    match ty {
        DataType::Utf8 => true,
        DataType::Dictionary(key, value) => **key == DataType::Int32 && **value == DataType::Utf8,
        _ => false,
    }
}

/// The nulls of the picked rows.
fn nulls(parts: &[Part], plan: &Plan) -> Option<NullBuffer> {
    if plan.sources().all(|source| parts[source].is_full()) {
        return None;
    }
    let mut bits = vec![0u8; plan.rows.div_ceil(8)];
    for (source, places) in plan.groups() {
        let part = &parts[source];
        match &part.nulls {
            _ if part.is_absent() => {}
            None => places.iter().flat_map(Place::target).for_each(|at| set_bit(&mut bits, at)),
            Some(nulls) => copy_bits(nulls.inner(), places, &mut bits),
        }
    }
    let bits = BooleanBuffer::new(Buffer::from_vec(bits), 0, plan.rows);
    Some(NullBuffer::new(bits)).filter(|nulls| nulls.null_count() > 0)
}

/// Copies the bits of a source's rows into bits that are zero.
fn copy_bits(from: &BooleanBuffer, places: &[Place], to: &mut [u8]) {
    let (bits, offset) = (from.values(), from.offset());
    for place in places {
        if place.len > 1 {
            set_bits(to, bits, place.to as usize, offset + place.start as usize, place.len as usize);
        } else if get_bit(bits, offset + place.start as usize) {
            set_bit(to, place.to as usize);
        }
    }
}

/// A column of numbers of 8 bytes, whatever they are.
fn words<T: ArrowPrimitiveType>(parts: &[Part], plan: &Plan) -> PrimitiveArray<T> {
    let mut out = vec![0u64; plan.rows];
    for (source, places) in plan.groups() {
        let Cells::Words(values) = &parts[source].cells else { continue };
        let values: &[u64] = values;
        for place in places {
            match place.len {
                1 => out[place.to as usize] = values[place.start as usize],
                _ => out[place.target()].copy_from_slice(&values[place.rows()]),
            }
        }
    }
    PrimitiveArray::new(ScalarBuffer::new(Buffer::from_vec(out), 0, plan.rows), nulls(parts, plan))
}

fn booleans(parts: &[Part], plan: &Plan) -> BooleanArray {
    let mut bits = vec![0u8; plan.rows.div_ceil(8)];
    for (source, places) in plan.groups() {
        if let Cells::Bits(values) = &parts[source].cells {
            copy_bits(values, places, &mut bits);
        }
    }
    BooleanArray::new(BooleanBuffer::new(Buffer::from_vec(bits), 0, plan.rows), nulls(parts, plan))
}

/// Lengths to offsets, with a leading zero, in place: `lens[n + 1]` is the length of item `n`.
fn offsets_of(mut lens: Vec<i32>) -> Result<OffsetBuffer<i32>, GatherError> {
    let mut end = 0i32;
    for len in &mut lens {
        end = end.checked_add(*len).ok_or(GatherError::TooLarge)?;
        *len = end;
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(lens)))
}

/// Texts of plain columns and of dictionaries as a plain column.
fn plain(parts: &[Part], plan: &Plan) -> Result<StringArray, GatherError> {
    let texts = |source: usize| match &parts[source].cells {
        Cells::Plain(texts) => Some(texts),
        _ => None,
    };
    let mut lens = lens(texts, plan);
    for (source, places) in plan.groups() {
        if let Cells::Dict(dict) = &parts[source].cells {
            for (row, to) in places.iter().flat_map(Place::each) {
                lens[to + 1] = dict.get(row).map_or(0, str::len) as i32;
            }
        }
    }
    let offsets = offsets_of(lens)?;
    let mut bytes = bytes(texts, plan, &offsets);
    for (source, places) in plan.groups() {
        if let Cells::Dict(dict) = &parts[source].cells {
            for (row, to) in places.iter().flat_map(Place::each) {
                let text = dict.get(row).unwrap_or_default();
                bytes[offsets[to] as usize..][..text.len()].copy_from_slice(text.as_bytes());
            }
        }
    }
    Ok(StringArray::try_new(offsets, Buffer::from_vec(bytes), nulls(parts, plan))?)
}

/// The length of each text, after a leading zero.
fn lens<'a>(texts: impl Fn(usize) -> Option<&'a StringArray>, plan: &Plan) -> Vec<i32> {
    let mut lens = vec![0i32; plan.rows + 1];
    for (source, places) in plan.groups() {
        let Some(texts) = texts(source) else { continue };
        let from = texts.value_offsets();
        for (row, to) in places.iter().flat_map(Place::each) {
            lens[to + 1] = from[row + 1] - from[row];
        }
    }
    lens
}

/// The bytes of the texts, each at its offset.
fn bytes<'a>(texts: impl Fn(usize) -> Option<&'a StringArray>, plan: &Plan, offsets: &OffsetBuffer<i32>) -> Vec<u8> {
    let mut bytes = vec![0u8; offsets[plan.rows] as usize];
    for (source, places) in plan.groups() {
        let Some(texts) = texts(source) else { continue };
        let (from, data) = (texts.value_offsets(), texts.value_data());
        for place in places {
            let rows = place.rows();
            let text = &data[from[rows.start] as usize..from[rows.end] as usize];
            bytes[offsets[place.to as usize] as usize..][..text.len()].copy_from_slice(text);
        }
    }
    bytes
}

/// The overflow column: entries are picked as rows are.
fn overflow(parts: &[Part], plan: &Plan, field: &Field) -> Result<MapArray, GatherError> {
    let shape = || GatherError::Shape("the overflow is no map of entries".to_owned());
    let DataType::Map(entries_field, sorted) = field.data_type() else { return Err(shape()) };
    let DataType::Struct(entry_fields) = entries_field.data_type() else { return Err(shape()) };
    let map = |source: usize| match &parts[source].cells {
        Cells::Map(map) if !map.is_empty() => Some(&**map),
        _ => None,
    };
    let mut lens = vec![0i32; plan.rows + 1];
    for (source, places) in plan.groups() {
        let Some(map) = map(source) else { continue };
        for (row, to) in places.iter().flat_map(Place::each) {
            lens[to + 1] = map.offsets[row + 1] - map.offsets[row];
        }
    }
    let offsets = offsets_of(lens)?;
    let entries = plan.within(offsets[plan.rows] as usize, |source, place| {
        let (map, rows) = (map(source)?, place.rows());
        let (start, end) = (map.offsets[rows.start] as u32, map.offsets[rows.end] as u32);
        Some(Place { start, len: end - start, to: offsets[place.to as usize] as u32 })
    });
    let half = |of: fn(&parts::Map) -> &StringArray| -> Result<ArrayRef, GatherError> {
        let texts = |source| map(source).map(of);
        let offsets = offsets_of(self::lens(texts, &entries))?;
        let bytes = Buffer::from_vec(bytes(texts, &entries, &offsets));
        Ok(Arc::new(StringArray::try_new(offsets, bytes, None)?))
    };
    let entries = vec![half(|map| &map.keys)?, half(|map| &map.values)?];
    let entries = StructArray::try_new(entry_fields.clone(), entries, None)?;
    Ok(MapArray::try_new(entries_field.clone(), offsets, entries, nulls(parts, plan), *sorted)?)
}
