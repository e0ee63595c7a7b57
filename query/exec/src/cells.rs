//! Single values of arrays of any type that queries produce.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type, TimestampNanosecondType, UInt64Type};
use arrow_array::{Array as _, ArrayRef};
use arrow_schema::DataType;
use model::{RowId, Timestamp, Value};

/// One value; times become RFC 3339 text, row ids (the only unsigned integers) 16 hexadecimal digits. `None` for null.
pub(crate) fn array_value(array: &ArrayRef, row: usize) -> Option<Value> {
    if array.is_null(row) {
        return None;
    }
    Some(match array.data_type() {
        DataType::Boolean => Value::Bool(array.as_boolean().value(row)),
        DataType::Int64 => Value::Int(array.as_primitive::<Int64Type>().value(row)),
        DataType::Float64 => Value::Double(array.as_primitive::<Float64Type>().value(row)),
        DataType::UInt64 => Value::Str(RowId(array.as_primitive::<UInt64Type>().value(row)).to_string()),
        DataType::Timestamp(..) => {
            Value::Str(Timestamp(array.as_primitive::<TimestampNanosecondType>().value(row)).to_string())
        }
        DataType::Utf8 => Value::Str(array.as_string::<i32>().value(row).to_owned()),
        DataType::Utf8View => Value::Str(array.as_string_view().value(row).to_owned()),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            Value::Array((0..items.len()).map(|at| array_value(&items, at).unwrap_or(Value::Null)).collect())
        }
        _ => return None,
    })
}

/// The number that a value is; NaN, which compares with nothing, is none.
pub(crate) fn array_number(array: &ArrayRef, row: usize) -> Option<f64> {
    if array.is_null(row) {
        return None;
    }
    let number = match array.data_type() {
        DataType::Int64 => Some(array.as_primitive::<Int64Type>().value(row) as f64),
        DataType::Float64 => Some(array.as_primitive::<Float64Type>().value(row)),
        DataType::Timestamp(..) => Some(array.as_primitive::<TimestampNanosecondType>().value(row) as f64),
        DataType::Utf8 => array.as_string::<i32>().value(row).trim().parse().ok(),
        _ => None,
    };
    number.filter(|number| !number.is_nan())
}
