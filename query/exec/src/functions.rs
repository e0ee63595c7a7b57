//! The functions of rows that plans call: text and number of a value, buckets of time, filters, expressions.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use arrow_array::builder::{Float64Builder, StringBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, TimestampNanosecondType};
use arrow_array::{Array as _, ArrayRef, BooleanArray, Int64Array, RecordBatch, TimestampNanosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use compute::Program;
use datafusion::error::Result as DfResult;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use lang::Kind;
use model::Value;

use crate::ExecError;
use crate::cells::{array_number, array_value};
use crate::control::Control;
use crate::predicate::Predicate;
use crate::stages::cells::cell;

/// A function of rows.
#[derive(Clone)]
pub(crate) enum RowFunction {
    /// The value's text; null stays null.
    Text,
    /// The value's text; the empty text for null.
    KeyText,
    /// The value's text; null for the empty text.
    FilledText,
    /// The value's number; null when it is none.
    Number,
    /// A number's text.
    NumberText,
    /// One text for several values together; null when all are empty.
    Tuple,
    /// Whether the value is null or its text empty.
    IsMissing,
    /// The start of the bucket that a time falls in.
    Bucket(i64),
    /// Whether a filter holds for fields of these names.
    Filter { predicate: Arc<Predicate>, names: Vec<String>, control: Arc<Control> },
    /// An expression over the arguments, and the type of what it makes.
    Compute { program: Arc<Program>, ty: DataType },
}

impl RowFunction {
    /// The call of the function.
    pub(crate) fn call(self, args: Vec<Expr>) -> Expr {
        ScalarUDF::new_from_impl(RowUdf::new(self)).call(args)
    }

    fn return_type(&self) -> DataType {
        match self {
            Self::Text | Self::KeyText | Self::FilledText | Self::NumberText | Self::Tuple => DataType::Utf8,
            Self::Number => DataType::Float64,
            Self::Compute { ty, .. } => ty.clone(),
            Self::IsMissing | Self::Filter { .. } => DataType::Boolean,
            Self::Bucket(_) => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::KeyText => "key_text",
            Self::FilledText => "filled_text",
            Self::Number => "number",
            Self::NumberText => "number_text",
            Self::Tuple => "tuple",
            Self::IsMissing => "is_missing",
            Self::Bucket(_) => "bucket",
            Self::Filter { .. } => "filter",
            Self::Compute { .. } => "compute",
        }
    }

    fn run(&self, args: &[ArrayRef], rows: usize) -> DfResult<ArrayRef> {
        Ok(match self {
            Self::Text => texts(rows, |row| text(&args[0], row)),
            Self::KeyText => texts(rows, |row| Some(text(&args[0], row).unwrap_or_default())),
            Self::FilledText => texts(rows, |row| text(&args[0], row).filter(|text| !text.is_empty())),
            Self::Number => numbers(rows, |row| array_number(&args[0], row)),
            Self::NumberText => {
                let source = args[0].as_primitive::<Float64Type>();
                texts(rows, |row| source.is_valid(row).then(|| Value::Double(source.value(row)).text().into_owned()))
            }
            Self::Tuple => texts(rows, |row| tuple(args, row)),
            Self::IsMissing => {
                let missing = |row| text(&args[0], row).is_none_or(|text| text.is_empty());
                Arc::new((0..rows).map(|row| Some(missing(row))).collect::<BooleanArray>())
            }
            Self::Bucket(step_ns) => {
                let times = args[0].as_primitive::<TimestampNanosecondType>();
                let starts: TimestampNanosecondArray =
                    times.unary(|time| time.saturating_sub(time.rem_euclid(*step_ns)));
                Arc::new(starts.with_timezone("UTC"))
            }
            Self::Filter { predicate, names, control } => filter(predicate, names, args, rows, control)?,
            Self::Compute { program, ty } => computed(program, ty, args, rows)?,
        })
    }
}

fn texts(rows: usize, text: impl Fn(usize) -> Option<String>) -> ArrayRef {
    let mut builder = StringBuilder::new();
    (0..rows).for_each(|row| builder.append_option(text(row)));
    Arc::new(builder.finish())
}

fn numbers(rows: usize, number: impl Fn(usize) -> Option<f64>) -> ArrayRef {
    let mut builder = Float64Builder::with_capacity(rows);
    (0..rows).for_each(|row| builder.append_option(number(row)));
    Arc::new(builder.finish())
}

fn text(array: &ArrayRef, row: usize) -> Option<String> {
    match array_value(array, row)? {
        Value::Str(text) => Some(text),
        value => Some(value.text().into_owned()),
    }
}

/// The texts with their lengths, so that different tuples differ.
fn tuple(args: &[ArrayRef], row: usize) -> Option<String> {
    use fmt::Write as _;
    let mut out = String::new();
    let mut filled = false;
    for array in args {
        let text = text(array, row).unwrap_or_default();
        filled |= !text.is_empty();
        if args.len() == 1 {
            out = text;
        } else {
            let _ = write!(out, "{}:{text}", text.len());
        }
    }
    filled.then_some(out)
}

/// The arrays as a batch of the stored shape, so that the same filter reads both.
fn filter(
    predicate: &Predicate,
    names: &[String],
    args: &[ArrayRef],
    rows: usize,
    control: &Control,
) -> Result<ArrayRef, ExecError> {
    let arrays: Vec<ArrayRef> = args
        .iter()
        .map(|array| match array.data_type() {
            DataType::List(_) => texts(rows, |row| text(array, row)),
            _ => array.clone(),
        })
        .collect();
    let fields: Vec<Field> =
        names.iter().zip(&arrays).map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?;
    let hits = predicate.select(&batch, (0..rows as u32).collect(), control)?;
    let mut holds = vec![false; rows];
    hits.into_iter().for_each(|row| holds[row as usize] = true);
    Ok(Arc::new(BooleanArray::from(holds)))
}

/// The type of the column that an expression makes.
pub(crate) fn type_of(kind: Kind) -> DataType {
    match kind {
        Kind::Number => DataType::Float64,
        Kind::Integer => DataType::Int64,
        Kind::Bool => DataType::Boolean,
        Kind::Time => DataType::Timestamp(TimeUnit::Nanosecond, Some("UTC".into())),
        _ => DataType::Utf8,
    }
}

/// The kind of the values of a column.
pub(crate) fn kind_of(ty: &DataType) -> Kind {
    match ty {
        DataType::Float64 => Kind::Number,
        DataType::Int64 => Kind::Integer,
        DataType::Boolean => Kind::Bool,
        DataType::Timestamp(..) => Kind::Time,
        // A text may be a number or a time, and counts as one then.
        _ => Kind::Any,
    }
}

/// Most bytes of the texts that one call of a function makes for a batch of rows. Operators count what they hold by the batch; a
/// batch of texts of a quarter of a megabyte each would be there before anyone counts it.
pub(crate) const COMPUTED_BYTES_MAX: usize = 64 << 20;

/// The error of a call that makes more.
pub(crate) fn too_much_text(rows: usize) -> ExecError {
    let detail = format!("a function makes more than {COMPUTED_BYTES_MAX} bytes of text of {rows} rows");
    ExecError::Memory { shared: false, detail }
}

/// Texts that were computed, within [`COMPUTED_BYTES_MAX`].
fn bounded_texts<'a>(rows: usize, text: impl Fn(usize) -> Option<Cow<'a, str>>) -> Result<ArrayRef, ExecError> {
    let mut builder = StringBuilder::new();
    for row in 0..rows {
        let text = text(row);
        if builder.values_slice().len() + text.as_ref().map_or(0, |text| text.len()) > COMPUTED_BYTES_MAX {
            return Err(too_much_text(rows));
        }
        builder.append_option(text);
    }
    Ok(Arc::new(builder.finish()))
}

/// The texts of columns one after the other, null where one is.
pub(crate) fn joined_texts(args: &[ArrayRef], rows: usize) -> Result<ArrayRef, ExecError> {
    bounded_texts(rows, |row| args.iter().map(|array| text(array, row)).collect::<Option<String>>().map(Cow::Owned))
}

/// The values of an expression, as a column of one type.
pub(crate) fn computed(
    program: &Program,
    ty: &DataType,
    args: &[ArrayRef],
    rows: usize,
) -> Result<ArrayRef, ExecError> {
    let value = |row: usize| program.eval(&|at| args.get(at).map_or(compute::Value::Missing, |array| cell(array, row)));
    Ok(match ty {
        DataType::Float64 => numbers(rows, |row| value(row).as_f64().filter(|number| number.is_finite())),
        DataType::Int64 => Arc::new((0..rows).map(|row| value(row).as_i64()).collect::<Int64Array>()),
        DataType::Boolean => Arc::new(
            (0..rows)
                .map(|row| match value(row) {
                    compute::Value::Missing => None,
                    value => Some(value.holds()),
                })
                .collect::<BooleanArray>(),
        ),
        DataType::Timestamp(..) => {
            let times = (0..rows).map(|row| match value(row) {
                compute::Value::Time(ns) => Some(ns),
                _ => None,
            });
            Arc::new(times.collect::<TimestampNanosecondArray>().with_timezone("UTC"))
        }
        _ => bounded_texts(rows, |row| value(row).into_text())?,
    })
}

/// A function of rows as DataFusion sees it.
struct RowUdf {
    function: RowFunction,
    /// Unique by content: DataFusion takes functions of one name for the same.
    name: String,
    signature: Signature,
}

/// Tells filters and expressions of a process apart.
static NEXT_NAME: AtomicU64 = AtomicU64::new(0);

impl RowUdf {
    fn new(function: RowFunction) -> Self {
        let name = match &function {
            RowFunction::Filter { .. } | RowFunction::Compute { .. } => {
                format!("{}_{}", function.word(), NEXT_NAME.fetch_add(1, Relaxed))
            }
            RowFunction::Bucket(step_ns) => format!("{}_{step_ns}", function.word()),
            other => other.word().to_owned(),
        };
        Self { function, name, signature: Signature::variadic_any(Volatility::Immutable) }
    }
}

impl fmt::Debug for RowUdf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl PartialEq for RowUdf {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for RowUdf {}

impl Hash for RowUdf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl ScalarUDFImpl for RowUdf {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> DfResult<DataType> {
        Ok(self.function.return_type())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> DfResult<ColumnarValue> {
        let rows = args.number_rows;
        let arrays = args.args.iter().map(|arg| arg.to_array(rows)).collect::<DfResult<Vec<_>>>()?;
        Ok(ColumnarValue::Array(self.function.run(&arrays, rows)?))
    }
}
