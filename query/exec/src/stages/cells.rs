//! Batches whose columns nobody knows before the rows are there: read value by value, and built again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder, TimestampNanosecondBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, UInt32Array};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use compute::Value;
use model::{RowId, field};

use crate::ExecError;
use crate::cells::array_value;
use crate::json::{JSON_KEY, row_json};
use crate::output::RECORD_COLUMN;
use crate::translate::SPREAD_FIELDS_MAX;

/// The value of a column in a row.
pub(crate) fn cell(array: &ArrayRef, row: usize) -> Value<'_> {
    if array.is_null(row) {
        return Value::Missing;
    }
    match array.data_type() {
        DataType::Utf8 => Value::Text(Cow::Borrowed(array.as_string::<i32>().value(row))),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Number(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Timestamp(..) => Value::Time(array.as_primitive::<TimestampNanosecondType>().value(row)),
        DataType::UInt64 => Value::Text(RowId(array.as_primitive::<UInt64Type>().value(row)).to_string().into()),
        _ => array_value(array, row).map_or(Value::Missing, of_model),
    }
}

/// A stored value as one that stages compute with.
pub(crate) fn of_model(value: model::Value) -> Value<'static> {
    match value {
        model::Value::Null => Value::Missing,
        model::Value::Bool(value) => Value::Bool(value),
        model::Value::Int(value) => Value::Int(value),
        model::Value::Double(value) => Value::Number(value),
        model::Value::Str(text) => Value::Text(text.into()),
        other => {
            let mut json = String::new();
            other.write_json(&mut json);
            Value::Json(json.into())
        }
    }
}

/// The text of a value; `None` for a missing one.
pub(super) fn text<'a>(value: Value<'a>) -> Option<Cow<'a, str>> {
    value.into_text()
}

/// A batch with a quick way to its columns.
pub(super) struct Table<'a> {
    pub(super) batch: &'a RecordBatch,
    places: HashMap<&'a str, usize>,
}

impl<'a> Table<'a> {
    pub(super) fn new(batch: &'a RecordBatch) -> Self {
        let names = batch.schema_ref().fields().iter().enumerate();
        Self { places: names.map(|(at, field)| (field.name().as_str(), at)).collect(), batch }
    }

    pub(super) fn column(&self, name: &str) -> Option<&'a ArrayRef> {
        self.places.get(name).map(|at| self.batch.column(*at))
    }

    pub(super) fn value(&self, name: &str, row: usize) -> Value<'a> {
        self.column(name).map_or(Value::Missing, |array| cell(array, row))
    }

    /// The text of a field; the empty text when it is missing.
    pub(super) fn text(&self, name: &str, row: usize) -> Cow<'a, str> {
        text(self.value(name, row)).unwrap_or_default()
    }
}

/// Bytes of the texts of one column of one batch.
pub(super) const MADE_BYTES_MAX: usize = 256 << 20;

/// One column that is being made, of whatever values come.
#[derive(Default)]
pub(super) struct ColumnBuilder {
    values: Vec<Value<'static>>,
}

impl ColumnBuilder {
    /// With so many missing values.
    pub(super) fn missing(rows: usize) -> Self {
        Self { values: vec![Value::Missing; rows] }
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Missing values up to a row.
    pub(super) fn pad(&mut self, rows: usize) {
        self.values.resize(rows.max(self.values.len()), Value::Missing);
    }

    pub(super) fn push(&mut self, value: Value<'_>) {
        self.values.push(value.into_owned());
    }

    pub(super) fn set(&mut self, row: usize, value: Value<'_>) {
        self.pad(row + 1);
        self.values[row] = value.into_owned();
    }

    /// The column: of the values' type when all have one, of their texts when they differ. Fails when its texts are too large.
    pub(super) fn finish(self, name: &str) -> Result<(Field, ArrayRef), ExecError> {
        let bytes: usize = self
            .values
            .iter()
            .map(|value| match value {
                Value::Text(text) | Value::Json(text) => text.len(),
                _ => 0,
            })
            .sum();
        if bytes > MADE_BYTES_MAX {
            return Err(ExecError::Unsupported {
                message: format!(
                    "the texts of `{name}` in one batch of rows have {bytes} bytes, more than {MADE_BYTES_MAX} (MADE_BYTES_MAX)"
                ),
                hint: "make shorter texts, or choose fewer rows first".to_owned(),
            });
        }
        let (mut bools, mut ints, mut doubles, mut times, mut texts, mut json) = (0, 0, 0, 0, 0, 0);
        for value in &self.values {
            match value {
                Value::Missing => {}
                Value::Bool(_) => bools += 1,
                Value::Int(_) => ints += 1,
                Value::Number(_) => doubles += 1,
                Value::Time(_) => times += 1,
                Value::Text(_) => texts += 1,
                Value::Json(_) => json += 1,
            }
        }
        let some = bools + ints + doubles + times + texts + json;
        let array: ArrayRef = if some == 0 || texts + json == some {
            self.texts()
        } else if bools == some {
            let mut builder = BooleanBuilder::with_capacity(self.values.len());
            self.values.iter().for_each(|value| match value {
                Value::Bool(value) => builder.append_value(*value),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        } else if ints == some {
            let mut builder = Int64Builder::with_capacity(self.values.len());
            self.values.iter().for_each(|value| match value {
                Value::Int(value) => builder.append_value(*value),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        } else if times == some {
            let mut builder = TimestampNanosecondBuilder::with_capacity(self.values.len()).with_timezone("UTC");
            self.values.iter().for_each(|value| match value {
                Value::Time(value) => builder.append_value(*value),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        } else if ints + doubles == some && self.fits_doubles() {
            let mut builder = Float64Builder::with_capacity(self.values.len());
            self.values.iter().for_each(|value| builder.append_option(value.as_f64()));
            Arc::new(builder.finish())
        } else {
            self.texts()
        };
        let mut made = Field::new(name, array.data_type().clone(), true);
        if json > 0 && json == some {
            made = made.with_metadata([(JSON_KEY.to_owned(), String::new())].into());
        }
        Ok((made, array))
    }

    /// Whether every whole number is one that a double holds exactly.
    fn fits_doubles(&self) -> bool {
        const EXACT: u64 = 1 << 53;
        self.values.iter().all(|value| !matches!(value, Value::Int(n) if n.unsigned_abs() > EXACT))
    }

    fn texts(self) -> ArrayRef {
        let mut builder = StringBuilder::new();
        for value in self.values {
            builder.append_option(text(value));
        }
        Arc::new(builder.finish())
    }
}

/// Columns that are being made, by name, in the order in which the names came up.
#[derive(Default)]
pub(super) struct Columns {
    names: Vec<String>,
    places: HashMap<String, usize>,
    columns: Vec<ColumnBuilder>,
}

impl Columns {
    /// Sets the value of a column in a row; what a row does not set is missing. Fails when there are too many names.
    pub(super) fn set(&mut self, name: &str, row: usize, value: Value<'_>) -> Result<(), ExecError> {
        let at = match self.places.get(name) {
            Some(at) => *at,
            None => {
                if self.names.len() >= SPREAD_FIELDS_MAX {
                    return Err(too_wide(self.names.len() + 1));
                }
                self.places.insert(name.to_owned(), self.names.len());
                self.names.push(name.to_owned());
                self.columns.push(ColumnBuilder::missing(row));
                self.names.len() - 1
            }
        };
        self.columns[at].set(row, value);
        Ok(())
    }

    pub(super) fn into_arrays(self, rows: usize) -> impl Iterator<Item = Result<(Field, ArrayRef), ExecError>> {
        self.names.into_iter().zip(self.columns).map(move |(name, mut column)| {
            column.pad(rows);
            column.finish(&name)
        })
    }
}

fn too_wide(fields: usize) -> ExecError {
    ExecError::Unsupported {
        message: format!("the rows have {fields} fields, and pipes that change columns take {SPREAD_FIELDS_MAX}"),
        hint: "name the fields that you need with `fields` as the first pipe".to_owned(),
    }
}

/// A batch of these columns; of several of one name the last counts, in the place of the first.
pub(super) fn batch_of(columns: Vec<(Field, ArrayRef)>, rows: usize) -> Result<RecordBatch, ExecError> {
    let mut kept: Vec<(Field, ArrayRef)> = Vec::with_capacity(columns.len());
    let mut places: HashMap<String, usize> = HashMap::new();
    for (field, array) in columns {
        match places.get(field.name()) {
            Some(at) => kept[*at] = (field, array),
            None => {
                places.insert(field.name().clone(), kept.len());
                kept.push((field, array));
            }
        }
    }
    if kept.len() > SPREAD_FIELDS_MAX {
        return Err(too_wide(kept.len()));
    }
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = kept.into_iter().unzip();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)?)
}

/// The columns of a batch.
pub(super) fn columns_of(batch: &RecordBatch) -> Vec<(Field, ArrayRef)> {
    let fields = batch.schema_ref().fields().iter();
    fields.zip(batch.columns()).map(|(field, array)| (field.as_ref().clone(), Arc::clone(array))).collect()
}

/// The batch with more columns, which replace those of the same name.
pub(super) fn with_columns(
    batch: &RecordBatch,
    more: impl IntoIterator<Item = Result<(Field, ArrayRef), ExecError>>,
) -> Result<RecordBatch, ExecError> {
    let mut columns = columns_of(batch);
    for column in more {
        columns.push(column?);
    }
    batch_of(columns, batch.num_rows())
}

/// A batch of columns that were made.
pub(super) fn batch_of_made<'n>(
    made: impl Iterator<Item = (&'n str, ColumnBuilder)>,
    rows: usize,
) -> Result<RecordBatch, ExecError> {
    let columns: Result<Vec<_>, ExecError> = made.map(|(name, column)| column.finish(name)).collect();
    batch_of(columns?, rows)
}

/// Some rows of a batch, in this order.
pub(super) fn take(batch: &RecordBatch, rows: Vec<u32>) -> Result<RecordBatch, ExecError> {
    if rows.len() == batch.num_rows() && rows.iter().enumerate().all(|(at, row)| at == *row as usize) {
        return Ok(batch.clone());
    }
    if batch.num_columns() == 0 {
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        return Ok(RecordBatch::try_new_with_options(batch.schema(), Vec::new(), &options)?);
    }
    Ok(arrow_select::take::take_record_batch(batch, &UInt32Array::from(rows))?)
}

/// The rows of a slice by themselves: a slice keeps in memory what it leaves out.
pub(super) fn copied(batch: &RecordBatch) -> Result<RecordBatch, ExecError> {
    let rows = UInt32Array::from((0..batch.num_rows() as u32).collect::<Vec<u32>>());
    Ok(arrow_select::take::take_record_batch(batch, &rows)?)
}

/// Whole records become their fields; rows of columns stay. Lists become JSON.
pub(super) fn explode(batch: RecordBatch) -> Result<RecordBatch, ExecError> {
    let rows = batch.num_rows();
    let Some(records) = batch.column_by_name(RECORD_COLUMN).and_then(|array| array.as_string_opt::<i32>()) else {
        return plain(batch);
    };
    let mut made = Columns::default();
    for row in 0..rows {
        let record: serde_json::Value = serde_json::from_str(records.value(row))
            .map_err(|error| ExecError::Internal { message: format!("a stored record is no JSON: {error}") })?;
        let serde_json::Value::Object(fields) = record else { continue };
        for (name, value) in fields {
            if ![field::TIME, field::ID, field::STREAM].contains(&name.as_str()) {
                made.set(&name, row, of_json(value))?;
            }
        }
    }
    let head = columns_of(&batch).into_iter().filter(|(field, _)| field.name() != RECORD_COLUMN);
    let head: Vec<(Field, ArrayRef)> = head.collect();
    // What a sort or a filter looked at stands beside the record too.
    let made: Vec<(Field, ArrayRef)> = made.into_arrays(rows).collect::<Result<_, ExecError>>()?;
    batch_of(head.into_iter().chain(made).collect(), rows)
}

fn plain(batch: RecordBatch) -> Result<RecordBatch, ExecError> {
    if !batch.columns().iter().any(|array| matches!(array.data_type(), DataType::List(_))) {
        return Ok(batch);
    }
    let rows = batch.num_rows();
    let columns = columns_of(&batch).into_iter().map(|(field, array)| {
        if !matches!(array.data_type(), DataType::List(_)) {
            return Ok((field, array));
        }
        let mut column = ColumnBuilder::default();
        (0..rows).for_each(|row| column.push(cell(&array, row)));
        column.finish(field.name())
    });
    batch_of(columns.collect::<Result<_, ExecError>>()?, rows)
}

/// A value of JSON; a list or an object stays JSON.
pub(super) fn of_json(value: serde_json::Value) -> Value<'static> {
    match value {
        serde_json::Value::Null => Value::Missing,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(n) => Value::Int(n),
            None => Value::Number(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::Text(text.into()),
        other => Value::Json(other.to_string().into()),
    }
}

/// Rows of columns as whole records: `_time`, `_id` and `_stream` where they have them, and the row as JSON.
pub(super) fn records(batch: &RecordBatch) -> Result<RecordBatch, ExecError> {
    let rows = batch.num_rows();
    let mut builder = StringBuilder::with_capacity(rows, rows * 256);
    let mut line = String::new();
    for row in 0..rows {
        line.clear();
        row_json(batch, row, &mut line);
        builder.append_value(&line);
    }
    let time = DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into()));
    let head = [(field::TIME, time), (field::ID, DataType::UInt64), (field::STREAM, DataType::Utf8)];
    let mut columns: Vec<(Field, ArrayRef)> = Vec::new();
    for (name, ty) in head {
        let array = batch.column_by_name(name).filter(|array| *array.data_type() == ty).cloned();
        let array = array.unwrap_or_else(|| arrow_array::new_null_array(&ty, rows));
        columns.push((Field::new(name, ty, true), array));
    }
    columns.push((Field::new(RECORD_COLUMN, DataType::Utf8, false), Arc::new(builder.finish())));
    batch_of(columns, rows)
}

/// Batches as one, with all of their columns; a column of several types becomes one of texts, or of doubles.
pub(super) fn unite(batches: &[RecordBatch]) -> Result<RecordBatch, ExecError> {
    if let [one] = batches {
        return Ok(one.clone());
    }
    let rows = batches.iter().map(RecordBatch::num_rows).sum();
    let mut names: Vec<String> = Vec::new();
    let mut types: HashMap<String, (DataType, Field)> = HashMap::new();
    for field in batches.iter().flat_map(|batch| batch.schema_ref().fields().iter()) {
        match types.get_mut(field.name()) {
            None => {
                names.push(field.name().clone());
                types.insert(field.name().clone(), (field.data_type().clone(), field.as_ref().clone()));
            }
            Some((known, _)) if known == field.data_type() => {}
            Some((known, _)) => {
                let number = |ty: &DataType| matches!(ty, DataType::Int64 | DataType::Float64);
                let doubles =
                    number(known) && number(field.data_type()) && batches.iter().all(|batch| fits(batch, field.name()));
                *known = if doubles { DataType::Float64 } else { DataType::Utf8 };
            }
        }
    }
    if names.len() > SPREAD_FIELDS_MAX {
        return Err(too_wide(names.len()));
    }
    let mut columns = Vec::with_capacity(names.len());
    for name in names {
        let Some((ty, first)) = types.remove(&name) else { continue };
        let parts = batches.iter().map(|batch| match batch.column_by_name(&name) {
            Some(array) if *array.data_type() == ty => Arc::clone(array),
            Some(array) => convert(array, &ty),
            None => arrow_array::new_null_array(&ty, batch.num_rows()),
        });
        let parts: Vec<ArrayRef> = parts.collect();
        let parts: Vec<&dyn arrow_array::Array> = parts.iter().map(AsRef::as_ref).collect();
        let array = arrow_select::concat::concat(&parts)?;
        let json = first.metadata().contains_key(JSON_KEY) && batches.iter().all(|batch| is_json(batch, &name));
        let metadata = if json { first.metadata().clone() } else { HashMap::new() };
        columns.push((Field::new(&name, ty, true).with_metadata(metadata), array));
    }
    batch_of(columns, rows)
}

/// Whether a column of a batch is JSON, as far as it has values.
fn is_json(batch: &RecordBatch, name: &str) -> bool {
    let Ok(field) = batch.schema_ref().field_with_name(name) else { return true };
    let values = batch.column_by_name(name).map_or(0, |array| array.len() - array.null_count());
    values == 0 || field.metadata().contains_key(JSON_KEY)
}

/// Whether the whole numbers of a column are ones that a double holds exactly.
fn fits(batch: &RecordBatch, name: &str) -> bool {
    const EXACT: u64 = 1 << 53;
    let numbers = batch.column_by_name(name).and_then(|array| array.as_primitive_opt::<Int64Type>());
    numbers.is_none_or(|numbers| numbers.iter().flatten().all(|number| number.unsigned_abs() <= EXACT))
}

fn convert(array: &ArrayRef, ty: &DataType) -> ArrayRef {
    let rows = 0..array.len();
    match ty {
        DataType::Float64 => {
            let mut builder = Float64Builder::with_capacity(array.len());
            rows.for_each(|row| builder.append_option(cell(array, row).as_f64()));
            Arc::new(builder.finish())
        }
        _ => Arc::new(rows.map(|row| text(cell(array, row)).map(Cow::into_owned)).collect::<StringArray>()),
    }
}

/// Bytes of memory that a batch takes.
pub(super) fn bytes(batch: &RecordBatch) -> usize {
    batch.columns().iter().map(|array| array.get_array_memory_size()).sum()
}
