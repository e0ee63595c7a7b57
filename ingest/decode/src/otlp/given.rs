//! `AnyValue` on the wire: scalars in place, the rest as a [`Value`].

use column::{BatchBuilder, Slot};
use model::Value;

use crate::wire::{Content, Message, Odd, text};

/// Deepest nesting of arrays and maps that is read here; prost reads deeper ones, to its own limit.
const DEPTH_MAX: usize = 16;

/// A value as a request gives it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Given<'a> {
    /// None.
    Null,
    /// Text in the request's own bytes.
    Str(&'a str),
    Int(i64),
    Double(f64),
    Bool(bool),
    /// Bytes, arrays, maps, and what was in maps.
    Other(Value),
}

impl<'a> Given<'a> {
    /// Reads an `AnyValue`. A second value in it is [`Odd`]: what it means depends on the kinds of both.
    #[inline]
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, Odd> {
        Self::read_nested(bytes, 0)
    }

    fn read_nested(bytes: &'a [u8], depth: usize) -> Result<Self, Odd> {
        let mut message = Message::new(bytes);
        let mut found = None;
        while let Some(field) = message.next()? {
            let value = match field {
                (1, Content::Bytes(bytes)) => Self::Str(text(bytes)?),
                (2, Content::Varint(number)) => Self::Bool(number != 0),
                (3, Content::Varint(number)) => Self::Int(number as i64),
                (4, Content::Fixed64(bits)) => Self::Double(f64::from_bits(bits)),
                (5, Content::Bytes(bytes)) => Self::Other(Value::Array(array(bytes, depth + 1)?)),
                (6, Content::Bytes(bytes)) => Self::Other(Value::Map(map(bytes, depth + 1)?)),
                (7, Content::Bytes(bytes)) => Self::Other(Value::Bytes(bytes.to_vec())),
                // An index into a string table, which only profiles have.
                (8, Content::Varint(_)) => Self::Null,
                (1..=8, _) => return Err(Odd),
                _ => continue,
            };
            if found.replace(value).is_some() {
                return Err(Odd);
            }
        }
        Ok(found.unwrap_or(Self::Null))
    }

    pub(super) fn from_value(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Int(n) => Self::Int(n),
            Value::Double(n) => Self::Double(n),
            Value::Bool(b) => Self::Bool(b),
            other => Self::Other(other),
        }
    }

    pub(super) fn to_value(&self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Str(text) => Value::from(*text),
            Self::Int(n) => Value::Int(*n),
            Self::Double(n) => Value::Double(*n),
            Self::Bool(b) => Value::Bool(*b),
            Self::Other(value) => value.clone(),
        }
    }

    /// Whether both are the same value; a NaN is not the same as itself.
    pub(super) fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Str(text), Self::Other(Value::Str(other))) | (Self::Other(Value::Str(other)), Self::Str(text)) => {
                text == other
            }
            _ => self == other,
        }
    }

    /// Puts it into a row being built; a null is no value.
    #[inline]
    pub(super) fn put(&self, builder: &mut BatchBuilder, slot: Slot) {
        match self {
            Self::Null => {}
            Self::Str(text) => builder.put_str(slot, text),
            Self::Int(n) => builder.put_int(slot, *n),
            Self::Double(n) => builder.put_double(slot, *n),
            Self::Bool(b) => builder.put_bool(slot, *b),
            Self::Other(value) => builder.put_other(slot, value),
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Other(value) => value,
            other => other.to_value(),
        }
    }
}

fn array(bytes: &[u8], depth: usize) -> Result<Vec<Value>, Odd> {
    let mut values = Vec::new();
    items(bytes, depth, |item| {
        values.push(Given::read_nested(item, depth)?.into_value());
        Ok(())
    })?;
    Ok(values)
}

fn map(bytes: &[u8], depth: usize) -> Result<Vec<(String, Value)>, Odd> {
    let mut entries = Vec::new();
    items(bytes, depth, |item| {
        let (key, value) = pair(item)?;
        let value = value.map_or(Ok(Given::Null), |value| Given::read_nested(value, depth))?;
        entries.push((text(key)?.to_owned(), value.into_value()));
        Ok(())
    })?;
    Ok(entries)
}

/// The items of an `ArrayValue` or a `KeyValueList`: both have them under 1.
fn items<'a>(bytes: &'a [u8], depth: usize, mut item: impl FnMut(&'a [u8]) -> Result<(), Odd>) -> Result<(), Odd> {
    if depth > DEPTH_MAX {
        return Err(Odd);
    }
    let mut message = Message::new(bytes);
    while let Some(field) = message.next()? {
        match field {
            (1, Content::Bytes(bytes)) => item(bytes)?,
            (1, _) => return Err(Odd),
            _ => {}
        }
    }
    Ok(())
}

/// Key and value of a `KeyValue`. The key is not yet known to be UTF-8.
#[inline]
pub(super) fn pair(bytes: &[u8]) -> Result<(&[u8], Option<&[u8]>), Odd> {
    let mut message = Message::new(bytes);
    let (mut key, mut value) = (None, None);
    while let Some(field) = message.next()? {
        let again = match field {
            (1, Content::Bytes(bytes)) => key.replace(bytes).is_some(),
            (2, Content::Bytes(bytes)) => value.replace(bytes).is_some(),
            (3, Content::Varint(_)) => false,
            (1..=3, _) => true,
            _ => false,
        };
        if again {
            return Err(Odd);
        }
    }
    Ok((key.unwrap_or_default(), value))
}
