//! A column of a batch from its leaves: flat ones, structures of flat ones, and maps of texts.

use std::ops::{Add, Range};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, Int64Array, MapArray, PrimitiveArray, StringArray,
    StructArray, TimestampNanosecondArray, UInt64Array,
};
use arrow_buffer::{Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, Field, FieldRef, Fields, TimeUnit};
use parquet::basic::Type as PhysicalType;
use parquet::schema::types::ColumnDescriptor;

use super::PagesRead;
use super::leaf::{Leaf, OpenFile};
use super::out::{Lists, Out, OutTexts, OutValues};
use super::page::{LeafShape, ValueKind};
use crate::ColumnError;

/// A column that is being read.
pub(super) enum Column {
    Flat(Box<Leaf>, DataType),
    /// A structure of flat columns, which is never null itself.
    Struct(Fields, Vec<Leaf>),
    /// A map of texts: what its arrays are, its keys and its values.
    Map {
        entries: FieldRef,
        fields: Fields,
        keys: Box<Leaf>,
        values: Box<Leaf>,
    },
}

impl Column {
    /// The column of a field, of which `leaves` are the leaves, the first of them of that number.
    pub(super) fn new(field: &Field, first: usize, leaves: &[Arc<ColumnDescriptor>]) -> Result<Self, ColumnError> {
        let found = match field.data_type() {
            // A read may want only the first parts of a structure.
            DataType::Struct(fields) if !field.is_nullable() && fields.len() <= leaves.len() => {
                let flat = fields.iter().zip(leaves).enumerate();
                let flat = flat.map(|(at, (field, leaf))| flat_leaf(field, first + at, leaf));
                flat.collect::<Option<Vec<_>>>().map(|leaves| Self::Struct(fields.clone(), leaves))
            }
            DataType::Map(entries, _) => map(field, entries, first, leaves),
            ty => match leaves {
                [leaf] => flat_leaf(field, first, leaf).map(|leaf| Self::Flat(Box::new(leaf), ty.clone())),
                _ => None,
            },
        };
        found.ok_or_else(|| {
            let (name, ty) = (field.name(), field.data_type());
            ColumnError::Corrupt(format!("column {name} is {ty}, which this program does not write"))
        })
    }

    /// What was read so far.
    pub(super) fn pages_read(&self) -> PagesRead {
        match self {
            Self::Flat(leaf, _) => leaf.pages_read(),
            Self::Struct(_, leaves) => leaves.iter().map(Leaf::pages_read).fold(PagesRead::default(), Add::add),
            Self::Map { keys, values, .. } => keys.pages_read() + values.pages_read(),
        }
    }

    /// Reads some rows of a row group, which must be after those that were read before.
    pub(super) fn read(
        &mut self,
        file: &OpenFile,
        group: usize,
        runs: &[Range<u64>],
        rows: usize,
    ) -> Result<ArrayRef, ColumnError> {
        match self {
            Self::Flat(leaf, ty) => {
                let out = leaf.read(file, group, runs, rows)?;
                array(leaf.name(), ty, out)
            }
            Self::Struct(fields, leaves) => {
                let mut arrays = Vec::with_capacity(leaves.len());
                for (field, leaf) in fields.iter().zip(leaves) {
                    let out = leaf.read(file, group, runs, rows)?;
                    arrays.push(array(leaf.name(), field.data_type(), out)?);
                }
                let array = StructArray::try_new(fields.clone(), arrays, None).map_err(ColumnError::reading)?;
                Ok(Arc::new(array))
            }
            Self::Map { entries, fields, keys, values } => {
                let keys = keys.read(file, group, runs, rows)?;
                let values = values.read(file, group, runs, rows)?;
                map_array(entries, fields, keys, values)
            }
        }
    }
}

fn flat_leaf(field: &Field, number: usize, leaf: &ColumnDescriptor) -> Option<Leaf> {
    let (kind, physical) = match field.data_type() {
        DataType::Utf8 => (ValueKind::Text, PhysicalType::BYTE_ARRAY),
        DataType::Dictionary(key, value) if **key == DataType::Int32 && **value == DataType::Utf8 => {
            (ValueKind::Text, PhysicalType::BYTE_ARRAY)
        }
        DataType::Boolean => (ValueKind::Flag, PhysicalType::BOOLEAN),
        DataType::Float64 => (ValueKind::Number, PhysicalType::DOUBLE),
        DataType::Int64 | DataType::UInt64 | DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            (ValueKind::Number, PhysicalType::INT64)
        }
        _ => return None,
    };
    let max_definition = u8::from(field.is_nullable());
    let fits = leaf.physical_type() == physical
        && leaf.max_def_level() == i16::from(max_definition)
        && leaf.max_rep_level() == 0;
    let is_keys = matches!(field.data_type(), DataType::Dictionary(..));
    let shape = LeafShape { kind, max_definition, list_definition: None };
    fits.then(|| Leaf::new(number, leaf.path().string(), shape, is_keys))
}

fn map(field: &Field, entries: &FieldRef, first: usize, leaves: &[Arc<ColumnDescriptor>]) -> Option<Column> {
    let DataType::Struct(fields) = entries.data_type() else { return None };
    let ([key, value], [key_leaf, value_leaf]) = (&fields[..], leaves) else { return None };
    let list = u8::from(field.is_nullable());
    let part = |number: usize, field: &Field, leaf: &ColumnDescriptor| {
        let max_definition = list + 1 + u8::from(field.is_nullable());
        let fits = *field.data_type() == DataType::Utf8
            && leaf.physical_type() == PhysicalType::BYTE_ARRAY
            && leaf.max_def_level() == i16::from(max_definition)
            && leaf.max_rep_level() == 1;
        let shape = LeafShape { kind: ValueKind::Text, max_definition, list_definition: Some(list) };
        fits.then(|| Box::new(Leaf::new(number, leaf.path().string(), shape, false)))
    };
    let (keys, values) = (part(first, key, key_leaf)?, part(first + 1, value, value_leaf)?);
    Some(Column::Map { entries: entries.clone(), fields: fields.clone(), keys, values })
}

fn array(name: &str, ty: &DataType, out: Out) -> Result<ArrayRef, ColumnError> {
    let Out { values, mut nulls, .. } = out;
    let nulls = nulls.finish();
    let error = |error: ArrowError| ColumnError::Corrupt(format!("column {name}: {error}"));
    Ok(match (values, ty) {
        (OutValues::Numbers(numbers), DataType::Float64) => {
            // Only the bits of them were moved so far.
            let len = numbers.len();
            let values = ScalarBuffer::new(Buffer::from_vec(numbers), 0, len);
            Arc::new(Float64Array::try_new(values, nulls).map_err(error)?)
        }
        (OutValues::Numbers(numbers), DataType::UInt64) => {
            let len = numbers.len();
            let values = ScalarBuffer::new(Buffer::from_vec(numbers), 0, len);
            Arc::new(UInt64Array::try_new(values, nulls).map_err(error)?)
        }
        (OutValues::Numbers(numbers), DataType::Timestamp(_, zone)) => {
            let array = TimestampNanosecondArray::try_new(numbers.into(), nulls).map_err(error)?;
            Arc::new(array.with_timezone_opt(zone.clone()))
        }
        (OutValues::Numbers(numbers), _) => Arc::new(Int64Array::try_new(numbers.into(), nulls).map_err(error)?),
        (OutValues::Flags(mut flags), _) => Arc::new(BooleanArray::new(flags.finish(), nulls)),
        (OutValues::Texts(texts), _) => Arc::new(strings(texts, nulls).map_err(error)?),
        (OutValues::Keys(keys), _) => {
            let (keys, texts) =
                keys.finish().map_err(|damage| ColumnError::Corrupt(format!("column {name}: {}", damage.as_str())))?;
            let keys = PrimitiveArray::<Int32Type>::try_new(keys.into(), nulls).map_err(error)?;
            Arc::new(DictionaryArray::try_new(keys, texts).map_err(error)?)
        }
    })
}

/// Checks that the texts are UTF-8, all of them at once.
fn strings(texts: OutTexts, nulls: Option<NullBuffer>) -> Result<StringArray, ArrowError> {
    let offsets = OffsetBuffer::new(ScalarBuffer::from(texts.offsets));
    StringArray::try_new(offsets, Buffer::from_vec(texts.bytes), nulls)
}

fn map_array(entries: &FieldRef, fields: &Fields, keys: Out, values: Out) -> Result<ArrayRef, ColumnError> {
    let broken = || ColumnError::Corrupt("the overflow's names and values are not of one shape".to_owned());
    let (Some(key_lists), Some(value_lists)) = (&keys.lists, &values.lists) else { return Err(broken()) };
    if key_lists.offsets != value_lists.offsets {
        return Err(broken());
    }
    let Lists { offsets, mut nulls } = keys.lists.ok_or_else(broken)?;
    let part = |values: OutValues, nulls: Option<NullBuffer>| match values {
        OutValues::Texts(texts) => strings(texts, nulls).map_err(ColumnError::reading),
        _ => Err(broken()),
    };
    let mut value_nulls = values.nulls;
    let columns: Vec<ArrayRef> =
        vec![Arc::new(part(keys.values, None)?), Arc::new(part(values.values, value_nulls.finish())?)];
    let structure = StructArray::try_new(fields.clone(), columns, None).map_err(ColumnError::reading)?;
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    let map = MapArray::try_new(entries.clone(), offsets, structure, nulls.finish(), false);
    Ok(Arc::new(map.map_err(ColumnError::reading)?))
}
