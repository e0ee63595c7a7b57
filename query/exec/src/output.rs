//! Stored rows to the columns that a plan wants.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::builder::{BooleanBuilder, Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch, RecordBatchOptions, UInt32Array};
use arrow_schema::{DataType, Field, Schema, SchemaRef};
use column::{FieldView, RowJson};
use model::Value;

use crate::ExecError;
use crate::part::Columns;
use crate::source::Kind;

/// The column of a whole record: its row as JSON.
pub const RECORD_COLUMN: &str = "_record";

/// Marks a column of row ids, which are shown otherwise than numbers.
pub(crate) const ID_KEY: &str = "id";

/// One column that a scan yields.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Column {
    /// A field, all of whose values are turned into one type.
    Field(String, Kind),
    /// [`RECORD_COLUMN`].
    Record,
}

/// The columns that a scan yields.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) columns: Vec<Column>,
    pub(crate) schema: SchemaRef,
}

impl Output {
    pub(crate) fn new(columns: Vec<Column>) -> Self {
        let fields: Vec<Field> = columns
            .iter()
            .map(|column| match column {
                Column::Field(name, Kind::Id) => Field::new(name, Kind::Id.data_type(), true)
                    .with_metadata(HashMap::from([(ID_KEY.to_owned(), String::new())])),
                Column::Field(name, kind) => Field::new(name, kind.data_type(), true),
                Column::Record => Field::new(RECORD_COLUMN, DataType::Utf8, false),
            })
            .collect();
        Self { columns, schema: Arc::new(Schema::new(fields)) }
    }

    /// Only some of the columns.
    pub(crate) fn project(&self, projection: Option<&Vec<usize>>) -> Self {
        match projection {
            Some(at) => Self::new(at.iter().map(|at| self.columns[*at].clone()).collect()),
            None => self.clone(),
        }
    }

    /// Whether rows must be read whole.
    pub(crate) fn wants_record(&self) -> bool {
        self.columns.contains(&Column::Record)
    }

    /// The fields to read; meaningless when rows are read whole.
    pub(crate) fn field_names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().filter_map(|column| match column {
            Column::Field(name, _) => Some(name.as_str()),
            Column::Record => None,
        })
    }

    /// The columns that are read for it; `None` for all.
    pub(crate) fn read_columns(&self) -> Columns {
        if self.wants_record() { None } else { Some(self.field_names().map(str::to_owned).collect()) }
    }

    /// A batch of rows without columns.
    pub(crate) fn count_only(&self, rows: usize) -> Result<RecordBatch, ExecError> {
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), Vec::new(), &options)?)
    }

    /// The wanted columns of some rows of a stored batch.
    pub(crate) fn build(&self, stored: &RecordBatch, rows: &[u32]) -> Result<RecordBatch, ExecError> {
        let take = UInt32Array::from(rows.to_vec());
        let all = rows.len() == stored.num_rows();
        let arrays: Result<Vec<ArrayRef>, ExecError> = self
            .columns
            .iter()
            .map(|column| match column {
                Column::Record => Ok(records(stored, rows)),
                Column::Field(name, kind) => match plain_array(stored, name, *kind) {
                    Some(array) if all => Ok(array.clone()),
                    Some(array) => Ok(arrow_select::take::take(array, &take, None)?),
                    None => convert(&FieldView::new(stored, name), *kind, rows),
                },
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        Ok(RecordBatch::try_new_with_options(self.schema.clone(), arrays?, &options)?)
    }
}

/// The stored column when it is the answer as it stands: of the wanted type, and without values elsewhere.
fn plain_array<'a>(stored: &'a RecordBatch, name: &str, kind: Kind) -> Option<&'a ArrayRef> {
    let array = stored.column_by_name(name).filter(|array| *array.data_type() == kind.data_type())?;
    let elsewhere = match array.data_type() {
        DataType::Utf8 => FieldView::new(stored, name).str_column().is_none(),
        // A type other than text is only asked for when no part has values of another type.
        DataType::Float64 => kind == Kind::Number,
        _ => false,
    };
    (!elsewhere).then_some(array)
}

fn records(stored: &RecordBatch, rows: &[u32]) -> ArrayRef {
    let writer = RowJson::new(stored);
    let mut builder = StringBuilder::with_capacity(rows.len(), rows.len() * 256);
    let mut text = String::new();
    for row in rows {
        text.clear();
        writer.write(*row as usize, &mut text);
        builder.append_value(&text);
    }
    Arc::new(builder.finish())
}

/// The values of a field, turned into one type.
fn convert(view: &FieldView<'_>, kind: Kind, rows: &[u32]) -> Result<ArrayRef, ExecError> {
    if let Some(dict) = view.dict_column().filter(|_| kind.data_type() == DataType::Utf8) {
        let keys = arrow_select::take::take(dict.keys(), &UInt32Array::from(rows.to_vec()), None)?;
        return Ok(arrow_select::take::take(dict.values(), &keys, None)?);
    }
    let rows = rows.iter().map(|row| *row as usize);
    Ok(match kind.data_type() {
        DataType::Int64 => {
            let mut builder = Int64Builder::new();
            rows.for_each(|row| match view.value(row) {
                Some(Value::Int(n)) => builder.append_value(n),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        }
        DataType::Float64 => {
            let mut builder = Float64Builder::new();
            rows.for_each(|row| builder.append_option(view.number(row)));
            Arc::new(builder.finish())
        }
        DataType::Boolean => {
            let mut builder = BooleanBuilder::new();
            rows.for_each(|row| match view.value(row) {
                Some(Value::Bool(b)) => builder.append_value(b),
                _ => builder.append_null(),
            });
            Arc::new(builder.finish())
        }
        _ => {
            let mut builder = StringBuilder::new();
            rows.for_each(|row| builder.append_option(view.text(row)));
            Arc::new(builder.finish())
        }
    })
}
