//! What the records of a resource and a scope share, resolved once.

use std::sync::Arc;

use model::{Attributes, LogRecord, Row, Scope, Timestamp, Value, stream_text};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message as _;

use super::any;
use super::given::Given;
use super::names::{self, Names};
use super::record::{Attribute, attribute};
use crate::wire::{Content, Message, Odd, text};

/// A resource or a scope, and the schema beside it.
pub(super) type Part<'a> = (&'a [u8], &'a str);

/// The resource and the scope of the records at hand. What is not plain about them (a name twice, a built-in name, attributes of
/// the scope) is not resolved here: records without anything else are flattened by [`LogRecord::into_row`].
#[derive(Debug, Default)]
pub(super) struct Shared<'a> {
    /// As they came; the neighbour often has the same.
    resource: Option<Part<'a>>,
    scope: Option<Part<'a>>,
    /// Both decoded, for records that are flattened one by one.
    decoded: Option<(Attributes, Scope)>,
    /// What the resource gives a record that has none of these fields itself or from its scope.
    pub(super) resource_fields: Vec<Attribute<'a>>,
    /// What the scope gives every record, whatever else it has.
    pub(super) scope_fields: Vec<Attribute<'a>>,
    /// The stream of a record that has no fields of the stream itself.
    pub(super) stream: String,
    /// How many resources there have been: what marks this one's names.
    pub(super) resource_number: u64,
    /// The same of scopes.
    pub(super) scope_number: u64,
    own_stream: OwnStream<'a>,
}

/// The stream of the last record that brought fields of the stream itself: its neighbours often bring the same.
#[derive(Debug, Default)]
struct OwnStream<'a> {
    resource_number: u64,
    fields: Vec<Attribute<'a>>,
    text: String,
}

impl<'a> Shared<'a> {
    /// Takes on a resource; [`Self::set_scope`] must follow.
    pub(super) fn set_resource(&mut self, part: Part<'a>, names: &mut Names) -> Result<(), Odd> {
        if self.resource == Some(part) {
            return Ok(());
        }
        (self.resource, self.scope, self.decoded) = (Some(part), None, None);
        if self.plain_resource(part, names).is_err() {
            let row = LogRecord { resource: decode_resource(part)?, ..LogRecord::default() };
            self.resource_fields = fields(row, names);
            self.mark_resource(names);
        }
        let is_stream = |field: &&Attribute<'_>| names[field.name].is_stream;
        self.stream = stream_of(self.resource_fields.iter().filter(is_stream), names);
        Ok(())
    }

    fn plain_resource(&mut self, (bytes, schema_url): Part<'a>, names: &mut Names) -> Result<(), Odd> {
        self.resource_fields.clear();
        let mut before = names::BEFORE_RESOURCE;
        let mut message = Message::new(bytes);
        while let Some(field) = message.next()? {
            match field {
                (1, Content::Bytes(bytes)) => before = attribute(bytes, before, names, &mut self.resource_fields)?,
                (2, Content::Varint(_)) => {}
                // References to entities among them: they say nothing that becomes a field.
                (1..=3, _) => return Err(Odd),
                _ => {}
            }
        }
        if !schema_url.is_empty() {
            let name = names.id(any::RESOURCE_SCHEMA_URL);
            self.resource_fields.push(Attribute { name, value: Given::Str(schema_url) });
        }
        if self.mark_resource(names) { Ok(()) } else { Err(Odd) }
    }

    /// Marks the names of the resource; whether each is there once and under its own name.
    fn mark_resource(&mut self, names: &mut Names) -> bool {
        self.resource_number += 1;
        let mut plain = true;
        for (at, field) in self.resource_fields.iter().enumerate() {
            let name = &mut names[field.name];
            plain &= !name.is_built_in && name.resource.0 != self.resource_number;
            name.resource = (self.resource_number, at);
        }
        plain
    }

    /// Takes on a scope beside the resource.
    pub(super) fn set_scope(&mut self, part: Part<'a>, names: &mut Names) -> Result<(), Odd> {
        if self.scope == Some(part) {
            return Ok(());
        }
        (self.scope, self.decoded) = (Some(part), None);
        if self.plain_scope(part).is_err() {
            let row = LogRecord { scope: decode_scope(part)?, ..LogRecord::default() };
            self.scope_fields = fields(row, names);
        }
        self.scope_number += 1;
        for field in &self.scope_fields {
            names[field.name].scope = self.scope_number;
        }
        Ok(())
    }

    fn plain_scope(&mut self, (bytes, schema_url): Part<'a>) -> Result<(), Odd> {
        self.scope_fields.clear();
        let (mut name, mut version) = ("", "");
        let mut message = Message::new(bytes);
        while let Some(field) = message.next()? {
            match field {
                (1, Content::Bytes(bytes)) => name = text(bytes)?,
                (2, Content::Bytes(bytes)) => version = text(bytes)?,
                (4, Content::Varint(_)) => {}
                // Attributes among them: their names are put together.
                (1..=4, _) => return Err(Odd),
                _ => {}
            }
        }
        for (name, text) in [(names::SCOPE_NAME, name), (names::SCOPE_VERSION, version)] {
            if !text.is_empty() {
                self.scope_fields.push(Attribute { name, value: Given::Str(text) });
            }
        }
        if schema_url.is_empty() { Ok(()) } else { Err(Odd) }
    }

    /// The resource and the scope as the rules want them.
    pub(super) fn decoded(&mut self) -> Result<&(Attributes, Scope), Odd> {
        let decoded = match self.decoded.take() {
            Some(decoded) => decoded,
            None => {
                (decode_resource(self.resource.unwrap_or_default())?, decode_scope(self.scope.unwrap_or_default())?)
            }
        };
        Ok(self.decoded.insert(decoded))
    }

    /// Resolves both again, with other names.
    pub(super) fn rename(&mut self, names: &mut Names) -> Result<(), Odd> {
        let (resource, scope) = (self.resource.take(), self.scope.take());
        if let (Some(resource), Some(scope)) = (resource, scope) {
            self.set_resource(resource, names)?;
            self.set_scope(scope, names)?;
        }
        Ok(())
    }

    /// Memory of the fields, roughly.
    pub(super) fn size_bytes(&self) -> usize {
        self.resource.map_or(0, |(bytes, _)| bytes.len()) + self.scope.map_or(0, |(bytes, _)| bytes.len())
    }

    /// The stream of a record that has fields of the stream among its own attributes.
    pub(super) fn own_stream(&mut self, attributes: &[Attribute<'a>], names: &Names) -> &str {
        let own = || attributes.iter().filter(|attribute| names[attribute.name].is_stream);
        let known = &self.own_stream;
        let same = known.resource_number == self.resource_number
            && known.fields.len() == own().count()
            && own().zip(&known.fields).all(|(own, known)| own.name == known.name && own.value.equals(&known.value));
        if !same {
            let fields: Vec<Attribute<'a>> = own().cloned().collect();
            let others = self
                .resource_fields
                .iter()
                .filter(|field| names[field.name].is_stream && !fields.iter().any(|own| own.name == field.name));
            let text = stream_of(others.chain(&fields), names);
            self.own_stream = OwnStream { resource_number: self.resource_number, text, fields };
        }
        &self.own_stream.text
    }
}

fn decode_resource((bytes, schema_url): Part<'_>) -> Result<Attributes, Odd> {
    let resource = Resource::decode(bytes).map_err(|_| Odd)?;
    Ok(any::resource(Some(resource), schema_url.to_owned()))
}

fn decode_scope((bytes, schema_url): Part<'_>) -> Result<Scope, Odd> {
    let scope = InstrumentationScope::decode(bytes).map_err(|_| Odd)?;
    Ok(any::scope(Some(scope), schema_url.to_owned()))
}

/// The fields of a record that has nothing else.
fn fields(record: LogRecord, names: &mut Names) -> Vec<Attribute<'static>> {
    let row: Row = record.into_row(Timestamp::default());
    let named = |(name, value): (Arc<str>, Value)| Attribute { name: names.id(&name), value: Given::from_value(value) };
    row.fields.into_iter().map(named).collect()
}

fn stream_of<'f, 'a: 'f>(fields: impl Iterator<Item = &'f Attribute<'a>>, names: &Names) -> String {
    let fields: Vec<(Arc<str>, Value)> =
        fields.map(|field| (names.text(field.name).clone(), field.value.to_value())).collect();
    stream_text(&fields)
}
