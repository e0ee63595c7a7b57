//! A logs request on the wire to columns: no message structs, no row structs, no allocation for each record.
//!
//! What a record becomes is decided by `logs` and by [`model::LogRecord::into_row`]; the walk is a short cut for records on
//! which all of their rules agree at a glance. A record with anything more to it (a name twice, a name of the scope's, a time
//! past the year 2262, a message that comes twice) is decoded and flattened by them, and put into the same batch. A request
//! that is broken somewhere is [`Odd`] as a whole: the caller reads it again item by item.

use arrow_array::RecordBatch;
use column::BatchBuilder;
use model::{Severity, SpanId, Timestamp, TraceId};
use opentelemetry_proto::tonic::logs::v1::LogRecord as Item;
use prost::Message as _;

use super::given::Given;
use super::names::{self, NameId, Names};
use super::record::{Attribute, Record};
use super::shared::{Part, Shared};
use super::{any, logs};
use crate::wire::{Content, Message, Odd, text};
use crate::{Decoded, Reject};

/// Memory of a batch at which the next one starts: far below the 2 GiB of text that a column holds, and below an append of the
/// store, so that ordinary requests are one batch.
const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Names of a batch at which the next one starts. A name costs some hundred bytes while its batch is built.
const BATCH_NAMES_MAX: usize = 16 * 1024;

/// After how many bytes of records the batch is measured, which costs a step for each of its names.
const MEASURE_BYTES: usize = 256 * 1024;

/// Severity words of a request that are remembered.
const WORDS_MAX: usize = 16;

const _: () = assert!(MEASURE_BYTES < BATCH_BYTES_MAX);

/// Decodes the body of a request.
pub(super) fn decode(body: &[u8], received: Timestamp) -> Result<Decoded, Odd> {
    let mut walk = Walk::new(received);
    let mut request = Message::new(body);
    while let Some(field) = request.next()? {
        match field {
            (1, Content::Bytes(part)) => walk.resource_logs(part)?,
            (1, _) => return Err(Odd),
            _ => {}
        }
    }
    walk.cut();
    Ok(Decoded { log_batches: walk.batches, rejects: walk.rejects, ..Decoded::default() })
}

struct Walk<'a> {
    received: Timestamp,
    names: Names,
    shared: Shared<'a>,
    words: Vec<(&'a str, Option<Severity>)>,
    /// Of the record at hand, and its number.
    attributes: Vec<Attribute<'a>>,
    asides: Vec<(NameId, Aside)>,
    record: u64,
    builder: BatchBuilder,
    unmeasured_bytes: usize,
    batches: Vec<RecordBatch>,
    rejects: Vec<Reject>,
}

/// A value that goes under another name than its own.
#[derive(Clone, Copy, Debug)]
enum Aside {
    /// The record's attribute at this place.
    Attribute(usize),
    /// The resource's field at this place.
    Resource(usize),
}

impl<'a> Walk<'a> {
    fn new(received: Timestamp) -> Self {
        Self {
            received,
            names: Names::new(),
            shared: Shared::default(),
            words: Vec::new(),
            attributes: Vec::new(),
            asides: Vec::new(),
            record: 0,
            builder: BatchBuilder::new(),
            unmeasured_bytes: 0,
            batches: Vec::new(),
            rejects: Vec::new(),
        }
    }

    fn resource_logs(&mut self, bytes: &'a [u8]) -> Result<(), Odd> {
        self.shared.set_resource(group(bytes)?, &mut self.names)?;
        let mut message = Message::new(bytes);
        while let Some(field) = message.next()? {
            if let (2, Content::Bytes(bytes)) = field {
                self.scope_logs(bytes)?;
            }
        }
        Ok(())
    }

    fn scope_logs(&mut self, bytes: &'a [u8]) -> Result<(), Odd> {
        self.shared.set_scope(group(bytes)?, &mut self.names)?;
        let mut message = Message::new(bytes);
        while let Some(field) = message.next()? {
            if let (2, Content::Bytes(bytes)) = field {
                self.log_record(bytes)?;
            }
        }
        Ok(())
    }

    fn log_record(&mut self, bytes: &'a [u8]) -> Result<(), Odd> {
        // A record of the size of a batch is one, so that it does not make its neighbours too large for the store.
        if bytes.len() >= BATCH_BYTES_MAX {
            self.cut();
        }
        self.short_cut(bytes).or_else(|Odd| self.long_way(bytes))?;
        self.unmeasured_bytes += bytes.len() + self.shared.size_bytes();
        if self.unmeasured_bytes >= MEASURE_BYTES {
            self.unmeasured_bytes = 0;
            self.measure()?;
        }
        Ok(())
    }

    /// Puts a record into the batch, or changes nothing of the batch.
    fn short_cut(&mut self, bytes: &'a [u8]) -> Result<(), Odd> {
        self.attributes.clear();
        self.record += 1;
        let record = Record::read(bytes, &mut self.names, &mut self.attributes)?;
        let time = any::time(record.time_unix_nano).map_err(|_| Odd)?;
        let observed_time = any::time(record.observed_time_unix_nano).map_err(|_| Odd)?;
        self.set_aside()?;

        self.builder.begin(time.or(observed_time).unwrap_or(self.received));
        if let Some(observed) = observed_time {
            self.put(names::OBSERVED_TIME, &Given::Int(observed.0));
        }
        self.put_severity(logs::severity_number(record.severity_number), record.severity_text);
        self.put_built_in(&record);
        self.put_attributes();
        let is_own = |attribute: &Attribute<'_>| self.names[attribute.name].is_stream;
        if self.attributes.iter().any(is_own) {
            self.builder.stream(self.shared.own_stream(&self.attributes, &self.names));
        } else {
            self.builder.stream(&self.shared.stream);
        }
        self.builder.end();
        Ok(())
    }

    /// Finds the values that cannot go under their own names. Names that meet in more than one place are for the long way.
    fn set_aside(&mut self) -> Result<(), Odd> {
        self.asides.clear();
        for attribute in &self.attributes {
            let name = &mut self.names[attribute.name];
            let twice = std::mem::replace(&mut name.record, self.record) == self.record;
            if twice || name.scope == self.shared.scope_number {
                return Err(Odd);
            }
        }
        for (at, attribute) in self.attributes.iter().enumerate() {
            let name = &self.names[attribute.name];
            let (number, place) = name.resource;
            let aside = if name.is_built_in {
                Aside::Attribute(at)
            } else if number == self.shared.resource_number
                && !attribute.value.equals(&self.shared.resource_fields[place].value)
            {
                Aside::Resource(place)
            } else {
                continue;
            };
            let id = self.names.aside(attribute.name);
            let taken = &self.names[id];
            if taken.record == self.record
                || taken.resource.0 == self.shared.resource_number
                || taken.scope == self.shared.scope_number
            {
                return Err(Odd);
            }
            self.asides.push((id, aside));
        }
        Ok(())
    }

    #[inline]
    fn put(&mut self, name: NameId, value: &Given<'_>) {
        let slot = self.names.slot(name, &mut self.builder);
        value.put(&mut self.builder, slot);
    }

    fn put_severity(&mut self, number: u8, text: &'a str) {
        let severity = Severity::from_number(number.into()).or_else(|| self.word(text));
        if let Some(severity) = severity {
            self.put(names::SEVERITY, &Given::Str(severity.as_str()));
        }
        if number != 0 {
            self.put(names::SEVERITY_NUMBER, &Given::Int(number.into()));
        }
        if !text.is_empty() && severity.is_none_or(|severity| severity.as_str() != text) {
            self.put(names::SEVERITY_TEXT, &Given::Str(text));
        }
    }

    fn word(&mut self, text: &'a str) -> Option<Severity> {
        if let Some((_, severity)) = self.words.iter().find(|(word, _)| *word == text) {
            return *severity;
        }
        let severity = Severity::from_text(text);
        if self.words.len() < WORDS_MAX {
            self.words.push((text, severity));
        }
        severity
    }

    fn put_built_in(&mut self, record: &Record<'a>) {
        match &record.body {
            Given::Null => {}
            Given::Str(body) => self.put(names::BODY, &Given::Str(body)),
            other => self.put(names::BODY, &Given::Str(&other.to_value().text())),
        }
        if let Some(id) = TraceId::from_bytes(record.trace_id) {
            self.put_id::<32>(names::TRACE_ID, &id.0);
        }
        if let Some(id) = SpanId::from_bytes(record.span_id) {
            self.put_id::<16>(names::SPAN_ID, &id.0);
        }
        if record.flags != 0 {
            self.put(names::FLAGS, &Given::Int(record.flags.into()));
        }
        if !record.event_name.is_empty() {
            self.put(names::EVENT_NAME, &Given::Str(record.event_name));
        }
        if record.dropped_attributes_count != 0 {
            self.put(names::DROPPED_ATTRIBUTES, &Given::Int(record.dropped_attributes_count.into()));
        }
    }

    /// Puts an id of half as many bytes as `DIGITS`.
    fn put_id<const DIGITS: usize>(&mut self, name: NameId, id: &[u8]) {
        let mut digits = [0; DIGITS];
        if hex::encode_to_slice(id, &mut digits).is_ok()
            && let Ok(digits) = std::str::from_utf8(&digits)
        {
            self.put(name, &Given::Str(digits));
        }
    }

    fn put_attributes(&mut self) {
        let (names, builder) = (&mut self.names, &mut self.builder);
        let scope_number = self.shared.scope_number;
        let put = |builder: &mut BatchBuilder, names: &mut Names, name, value: &Given<'_>| {
            let slot = names.slot(name, builder);
            value.put(builder, slot);
        };
        for field in &self.shared.resource_fields {
            let name = &names[field.name];
            if name.record != self.record && name.scope != scope_number {
                put(builder, names, field.name, &field.value);
            }
        }
        for field in &self.shared.scope_fields {
            put(builder, names, field.name, &field.value);
        }
        for attribute in &self.attributes {
            if !names[attribute.name].is_built_in {
                put(builder, names, attribute.name, &attribute.value);
            }
        }
        for (id, aside) in &self.asides {
            let value = match aside {
                Aside::Attribute(at) => &self.attributes[*at].value,
                Aside::Resource(at) => &self.shared.resource_fields[*at].value,
            };
            put(builder, names, *id, value);
        }
    }

    /// A record by the rules themselves.
    fn long_way(&mut self, bytes: &[u8]) -> Result<(), Odd> {
        let item = Item::decode(bytes).map_err(|_| Odd)?;
        let (resource, scope) = self.shared.decoded()?;
        match logs::row(item, resource, scope, self.received) {
            Ok(row) => {
                self.builder.begin(row.time);
                for (name, value) in &row.fields {
                    let id = self.names.id(name);
                    let slot = self.names.slot(id, &mut self.builder);
                    self.builder.put_other(slot, value);
                }
                self.builder.stream(&row.stream);
                self.builder.end();
            }
            Err(reject) => self.rejects.push(reject),
        }
        Ok(())
    }

    /// Ends a batch that is large enough.
    fn measure(&mut self) -> Result<(), Odd> {
        let many_names = self.names.len() > BATCH_NAMES_MAX;
        // What the records share is there once, twice with the room to grow; a batch for each record would hold it each time.
        let bytes_max = BATCH_BYTES_MAX + 2 * self.shared.size_bytes();
        if !many_names && self.builder.size_bytes() < bytes_max {
            return Ok(());
        }
        self.cut();
        if many_names {
            self.names = Names::new();
            self.shared.rename(&mut self.names)?;
        }
        Ok(())
    }

    fn cut(&mut self) {
        let builder = std::mem::take(&mut self.builder);
        if builder.rows() > 0 {
            self.batches.push(builder.finish());
            self.names.forget_slots();
        }
    }
}

/// The resource of a `ResourceLogs` or the scope of a `ScopeLogs`, and the schema: they have the same tags. What is in the
/// middle is left for a second look, since both may come behind it.
fn group(bytes: &[u8]) -> Result<Part<'_>, Odd> {
    let mut message = Message::new(bytes);
    let (mut head, mut schema_url) = (None, "");
    while let Some(field) = message.next()? {
        match field {
            // Protobuf merges a message that comes twice.
            (1, Content::Bytes(_)) if head.is_some() => return Err(Odd),
            (1, Content::Bytes(bytes)) => head = Some(bytes),
            (2, Content::Bytes(_)) => {}
            (3, Content::Bytes(bytes)) => schema_url = text(bytes)?,
            (1..=3, _) => return Err(Odd),
            _ => {}
        }
    }
    Ok((head.unwrap_or_default(), schema_url))
}

#[cfg(test)]
mod tests;
