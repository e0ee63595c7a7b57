//! A `LogRecord` message on the wire, taken apart in place.

use super::given::{Given, pair};
use super::names::{self, NameId, Names};
use crate::wire::{Content, Message, Odd, text};

/// The fields of a log record but for its attributes. What the sender left out is as protobuf has it: zero or empty.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) time_unix_nano: u64,
    pub(super) observed_time_unix_nano: u64,
    pub(super) severity_number: i32,
    pub(super) severity_text: &'a str,
    pub(super) body: Given<'a>,
    pub(super) dropped_attributes_count: u32,
    pub(super) flags: u32,
    pub(super) trace_id: &'a [u8],
    pub(super) span_id: &'a [u8],
    pub(super) event_name: &'a str,
}

/// An attribute: a name and its value.
#[derive(Clone, Debug)]
pub(super) struct Attribute<'a> {
    pub(super) name: NameId,
    pub(super) value: Given<'a>,
}

impl<'a> Record<'a> {
    /// Reads a record, its attributes into `attributes`: flattened, without nulls, without empty names.
    pub(super) fn read(bytes: &'a [u8], names: &mut Names, attributes: &mut Vec<Attribute<'a>>) -> Result<Self, Odd> {
        let mut record = Self {
            time_unix_nano: 0,
            observed_time_unix_nano: 0,
            severity_number: 0,
            severity_text: "",
            body: Given::Null,
            dropped_attributes_count: 0,
            flags: 0,
            trace_id: &[],
            span_id: &[],
            event_name: "",
        };
        let mut bodies = 0;
        let mut before = names::BEFORE_RECORD;
        let mut message = Message::new(bytes);
        while let Some(field) = message.next()? {
            match field {
                (1, Content::Fixed64(time)) => record.time_unix_nano = time,
                (2, Content::Varint(number)) => record.severity_number = number as i32,
                (3, Content::Bytes(bytes)) => record.severity_text = text(bytes)?,
                (5, Content::Bytes(bytes)) => {
                    record.body = Given::read(bytes)?;
                    bodies += 1;
                }
                (6, Content::Bytes(bytes)) => before = attribute(bytes, before, names, attributes)?,
                (7, Content::Varint(count)) => record.dropped_attributes_count = count as u32,
                (8, Content::Fixed32(flags)) => record.flags = flags,
                (9, Content::Bytes(id)) => record.trace_id = id,
                (10, Content::Bytes(id)) => record.span_id = id,
                (11, Content::Fixed64(time)) => record.observed_time_unix_nano = time,
                (12, Content::Bytes(bytes)) => record.event_name = text(bytes)?,
                (1..=3 | 5..=12, _) => return Err(Odd),
                _ => {}
            }
        }
        // Protobuf merges a message that comes twice.
        if bodies > 1 { Err(Odd) } else { Ok(record) }
    }
}

/// Reads a `KeyValue` into `attributes`: flattened, a null and an empty name left out. `before` is the name of the one before it.
#[inline]
pub(super) fn attribute<'a>(
    bytes: &'a [u8],
    before: NameId,
    names: &mut Names,
    attributes: &mut Vec<Attribute<'a>>,
) -> Result<NameId, Odd> {
    let (key, value) = pair(bytes)?;
    let name = names.attribute(before, key)?;
    let value = value.map_or(Ok(Given::Null), Given::read)?;
    flatten(name, value, names, attributes);
    Ok(name)
}

fn flatten<'a>(name: NameId, value: Given<'a>, names: &mut Names, attributes: &mut Vec<Attribute<'a>>) {
    match value {
        Given::Null => {}
        Given::Other(model::Value::Map(entries)) => {
            for (key, value) in entries {
                let name = names.id(&format!("{}.{key}", names.text(name)));
                flatten(name, Given::from_value(value), names, attributes);
            }
        }
        _ if names.text(name).is_empty() => {}
        value => attributes.push(Attribute { name, value }),
    }
}
