//! The values of a batch, column by column, in the order of the rows.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array as _, ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray};
use model::Value;

use super::field::{FieldBuilder, Kind, Tools};
use super::json;
use super::split::Shape;

/// Name of the map column that crate `column` keeps rare values in.
pub(crate) const OVERFLOW: &str = "_overflow";

/// No group known yet.
const UNKNOWN: u32 = u32::MAX;

/// The values of a column.
pub(crate) enum Cells<'a> {
    Str(&'a StringArray),
    Dictionary(&'a Int32Array, &'a StringArray),
    /// Text in two parts: numbers of shapes, the shapes, and what fills their holes.
    Split(&'a Int32Array, &'a StringArray, &'a StringArray),
    Int(&'a Int64Array),
    Double(&'a Float64Array),
    Bool(&'a BooleanArray),
}

impl<'a> Cells<'a> {
    /// `None` for a type that no field has.
    pub(crate) fn of(array: &'a ArrayRef) -> Option<Self> {
        if let Some(array) = array.as_string_opt::<i32>() {
            return Some(Self::Str(array));
        }
        if let Some(array) = array.as_dictionary_opt::<Int32Type>() {
            return Some(Self::Dictionary(array.keys(), array.values().as_string_opt::<i32>()?));
        }
        if let Some(array) = array.as_struct_opt() {
            let [shapes, variables] = array.columns() else { return None };
            let shapes = shapes.as_dictionary_opt::<Int32Type>()?;
            let variables = variables.as_string_opt::<i32>()?;
            return Some(Self::Split(shapes.keys(), shapes.values().as_string_opt::<i32>()?, variables));
        }
        if let Some(array) = array.as_primitive_opt::<Int64Type>() {
            return Some(Self::Int(array));
        }
        if let Some(array) = array.as_primitive_opt::<Float64Type>() {
            return Some(Self::Double(array));
        }
        array.as_boolean_opt().map(Self::Bool)
    }

    /// Adds the values to a field, and where the column has none those of the overflow; the first row has the number `base`.
    /// Whether all could be read.
    pub(crate) fn add_to(
        &self,
        field: &mut FieldBuilder,
        tools: &mut Tools,
        entries: &[(u32, &str)],
        base: u32,
    ) -> bool {
        let mut entries = Entries { list: entries, base, complete: true };
        match self {
            Self::Str(array) => entries.merge(array, field, tools, |field, tools, at, row| {
                field.add_text(tools, array.value(at), row);
            }),
            Self::Dictionary(keys, values) => {
                let mut groups = vec![UNKNOWN; values.len()];
                entries.merge(keys, field, tools, |field, tools, at, row| {
                    let key = keys.value(at) as usize;
                    if values.is_null(key) {
                        return;
                    }
                    if field.has_values() && groups[key] != UNKNOWN {
                        field.add_known(groups[key], row);
                    } else {
                        groups[key] = field.add_text(tools, values.value(key), row).unwrap_or(UNKNOWN);
                    }
                });
            }
            Self::Split(keys, shapes, variables) => {
                let mut known: Vec<Option<Shape>> = Vec::new();
                known.resize_with(shapes.len(), || None);
                entries.merge(keys, field, tools, |field, tools, at, row| {
                    let key = keys.value(at) as usize;
                    if shapes.is_null(key) {
                        return;
                    }
                    let variables = if variables.is_valid(at) { variables.value(at) } else { "" };
                    let shape = known[key].get_or_insert_with(|| Shape::new(shapes.value(key)));
                    field.add_split(tools, shape, shapes.value(key), variables, row);
                });
            }
            Self::Int(array) => {
                let mut last = None;
                entries.merge(array, field, tools, |field, tools, at, row| {
                    add_number(field, tools, &mut last, (Kind::Int, array.value(at) as u64), row);
                });
            }
            Self::Double(array) => {
                let mut last = None;
                entries.merge(array, field, tools, |field, tools, at, row| {
                    add_number(field, tools, &mut last, (Kind::Double, double_bits(array.value(at))), row);
                });
            }
            Self::Bool(array) => {
                let mut last = None;
                entries.merge(array, field, tools, |field, tools, at, row| {
                    add_number(field, tools, &mut last, (Kind::Bool, array.value(at).into()), row);
                });
            }
        }
        entries.complete
    }
}

/// How many rows have no value, whatever the form of the column.
pub(crate) fn null_count(array: &ArrayRef) -> usize {
    match array.as_struct_opt().and_then(|array| array.columns().first()) {
        Some(shapes) => shapes.null_count(),
        None => array.null_count(),
    }
}

/// Adds a number; `last` remembers the group of the one before.
fn add_number(
    field: &mut FieldBuilder,
    tools: &mut Tools,
    last: &mut Option<(u64, u32)>,
    (kind, bits): (Kind, u64),
    row: u32,
) {
    match *last {
        Some((known, group)) if known == bits && field.has_values() => field.add_known(group, row),
        _ => *last = field.add_number(tools, kind, bits, row).map(|group| (bits, group)),
    }
}

/// The bits of a double, the same for every NaN: they are one value.
fn double_bits(n: f64) -> u64 {
    if n.is_nan() { f64::NAN.to_bits() } else { n.to_bits() }
}

/// Values of a field in the overflow of a batch, by row.
struct Entries<'a> {
    list: &'a [(u32, &'a str)],
    base: u32,
    complete: bool,
}

impl Entries<'_> {
    /// Goes through the rows in order; `add` adds a value of the column.
    fn merge(
        &mut self,
        array: &dyn arrow_array::Array,
        field: &mut FieldBuilder,
        tools: &mut Tools,
        mut add: impl FnMut(&mut FieldBuilder, &mut Tools, usize, u32),
    ) {
        let nulls = array.nulls();
        if self.list.is_empty() {
            match nulls {
                None => (0..array.len()).for_each(|at| add(field, tools, at, self.base + at as u32)),
                Some(nulls) => nulls.valid_indices().for_each(|at| add(field, tools, at, self.base + at as u32)),
            }
            return;
        }
        for at in 0..array.len() {
            let row = self.base + at as u32;
            while let Some((first, rest)) = self.list.split_first()
                && first.0 < at as u32
            {
                self.list = rest;
            }
            if nulls.is_none_or(|nulls| nulls.is_valid(at)) {
                add(field, tools, at, row);
            } else if let Some((entry, json)) = self.list.first()
                && *entry == at as u32
            {
                self.complete &= add_json(field, tools, json, row);
            }
        }
    }
}

/// Adds a value of the overflow; whether it could be read.
pub(crate) fn add_json(field: &mut FieldBuilder, tools: &mut Tools, text: &str, row: u32) -> bool {
    if let Some(plain) = json::plain_str(text) {
        field.add_text(tools, plain, row);
        return true;
    }
    let value = json::decode(text);
    if let Some(value) = &value {
        add_value(field, tools, value, row);
    }
    value.is_some()
}

pub(crate) fn add_value(field: &mut FieldBuilder, tools: &mut Tools, value: &Value, row: u32) {
    match value {
        Value::Null => None,
        Value::Bool(b) => field.add_number(tools, Kind::Bool, (*b).into(), row),
        Value::Int(n) => field.add_number(tools, Kind::Int, *n as u64, row),
        Value::Double(n) => field.add_number(tools, Kind::Double, double_bits(*n), row),
        other => field.add_text(tools, &other.text(), row),
    };
}

/// The overflow of a batch by field: rows and JSON texts, ascending, of each row the first entry.
pub(crate) fn overflow(batch: &RecordBatch) -> BTreeMap<&str, Vec<(u32, &str)>> {
    let mut out: BTreeMap<&str, Vec<(u32, &str)>> = BTreeMap::new();
    let Some(map) = batch.column_by_name(OVERFLOW).and_then(|array| array.as_map_opt()) else { return out };
    let (Some(keys), Some(values)) = (map.keys().as_string_opt::<i32>(), map.values().as_string_opt::<i32>()) else {
        return out;
    };
    let offsets = map.value_offsets();
    for row in 0..map.len() {
        if map.is_null(row) {
            continue;
        }
        for at in offsets[row] as usize..offsets[row + 1] as usize {
            if values.is_null(at) {
                continue;
            }
            let list = out.entry(keys.value(at)).or_default();
            if list.last().is_none_or(|(last, _)| *last != row as u32) {
                list.push((row as u32, values.value(at)));
            }
        }
    }
    out
}
