//! What a parse rule does with what it read: fields of the record, built-in ones by their meaning.

use jiff::fmt::strtime;
use model::{Row, Severity, SpanId, Timestamp, TraceId, Value, field, stream_text};

use super::ParseRule;
use crate::{NotMatched, access_log, time};

/// Where a field's value comes from.
#[derive(Debug)]
pub(super) enum Source {
    /// The file itself.
    Static(Value),
    /// Another field, which is taken away.
    Field(From),
}

/// A field to take, and how to read it when it is a time.
#[derive(Debug, Default)]
pub(super) struct From {
    pub(super) name: String,
    pub(super) formats: Vec<String>,
    pub(super) utc_offset_s: i32,
}

/// A field to set.
#[derive(Debug)]
pub(super) struct Set {
    pub(super) target: String,
    pub(super) source: Source,
}

/// A change of a record.
enum Change {
    Time(Timestamp),
    Severity { number: u8, text: String },
    Field(String, Value),
}

impl ParseRule {
    /// Reads the record's field and changes the record; on an error it is as it was. `None` when it has no such field.
    pub(super) fn apply(&self, row: &mut Row, received: Timestamp) -> Option<Result<(), NotMatched>> {
        let text = row.get(&self.from)?.text();
        let mut fields: Vec<(String, Value)> = Vec::new();
        let read = self.extractor.extract(&text, row.time, &mut |name, value| {
            fields.push((name.to_owned(), value.into()));
        });
        drop(text);
        Some(read.and_then(|()| self.change(row, fields, received)))
    }

    fn change(&self, row: &mut Row, mut fields: Vec<(String, Value)>, received: Timestamp) -> Result<(), NotMatched> {
        let mut changes = Vec::new();
        let mut taken: Vec<&str> = Vec::new();
        for set in &self.sets {
            match &set.source {
                Source::Static(value) => changes.push(Change::Field(set.target.clone(), value.clone())),
                Source::Field(from) => {
                    let value = fields.iter().rev().find(|(name, _)| *name == from.name).map(|(_, value)| value);
                    let Some(value) = value.or_else(|| row.get(&from.name)) else { continue };
                    changes.push(change(&set.target, value, from, received)?);
                    taken.push(&from.name);
                }
            }
        }
        fields.retain(|(name, _)| !taken.contains(&name.as_str()) && !is_listed(name, &self.drop));
        for (name, value) in fields {
            changes.push(self.place(name, value, received)?);
        }
        let is_set = |name: &str| self.sets.iter().any(|set| set.target == name);
        row.fields.retain(|(name, _)| {
            let consumed = taken.contains(&&**name) && **name != *self.from;
            !consumed && (self.keep || **name != *self.from) && (!is_listed(name, &self.drop) || is_set(name))
        });
        for change in changes {
            make(row, change);
        }
        row.stream = stream_text(&row.fields).into();
        Ok(())
    }

    /// Where an extracted field goes that no `set` took: under its new name, or behind the prefix. A built-in name that the rule's own
    /// format gives (a group `severity`) means the built-in field; one that the text brings can not pass for it.
    fn place(&self, name: String, value: Value, received: Timestamp) -> Result<Change, NotMatched> {
        if let Some((_, new)) = self.rename.iter().find(|(old, _)| *old == name) {
            return Ok(Change::Field(new.clone(), value));
        }
        if !field::BUILT_IN.contains(&name.as_str()) {
            return Ok(Change::Field(if self.prefix.is_empty() { name } else { self.prefix.clone() + &name }, value));
        }
        if self.names_are_ours && ![field::ID, field::STREAM].contains(&name.as_str()) {
            return change(&name, &value, &From::default(), received);
        }
        Ok(Change::Field(format!("attributes.{name}"), value))
    }
}

/// Whether a list has a name; one that ends in `*` stands for all that begin so.
pub(super) fn is_listed(name: &str, list: &[String]) -> bool {
    list.iter().any(|listed| match listed.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => listed == name,
    })
}

fn make(row: &mut Row, change: Change) {
    match change {
        Change::Time(at) => row.time = at,
        Change::Field(name, value) => row.set(&name, value),
        Change::Severity { number, text } => {
            let severity = Severity::from_number(number.into());
            row.fields.retain(|(name, _)| {
                ![field::SEVERITY, field::SEVERITY_NUMBER, field::SEVERITY_TEXT].contains(&&**name)
            });
            if let Some(severity) = severity {
                row.set(field::SEVERITY, severity.as_str());
                row.set(field::SEVERITY_NUMBER, i64::from(number));
            }
            if severity.is_none_or(|severity| severity.as_str() != text) {
                row.set(field::SEVERITY_TEXT, text);
            }
        }
    }
}

fn change(target: &str, value: &Value, from: &From, received: Timestamp) -> Result<Change, NotMatched> {
    let text = value.text();
    let not = |what: &str| NotMatched(format!("{target}: can not read {:?} as {what}", shortened(&text)).into());
    match target {
        field::TIME => read_time(&text, from, received).map(Change::Time).ok_or_else(|| not("a time")),
        field::SEVERITY => {
            let number = match value {
                // Bunyan's and pino's numbers are 10 (trace) to 60 (fatal).
                Value::Int(number @ 10..=69) => Severity::ALL[*number as usize / 10 - 1].number(),
                _ => Severity::from_text(&text).map_or(0, Severity::number),
            };
            Ok(Change::Severity { number, text: text.into_owned() })
        }
        field::TRACE_ID => {
            let id = TraceId::from_hex(&text).ok_or_else(|| not("a trace's id"))?;
            Ok(Change::Field(target.to_owned(), id.to_string().into()))
        }
        field::SPAN_ID => {
            let id = SpanId::from_hex(&text).ok_or_else(|| not("a span's id"))?;
            Ok(Change::Field(target.to_owned(), id.to_string().into()))
        }
        field::BODY => Ok(Change::Field(target.to_owned(), text.into_owned().into())),
        _ => Ok(Change::Field(target.to_owned(), value.clone())),
    }
}

/// Longest part of a value that a reason quotes, in characters.
const QUOTED_CHARS_MAX: usize = 60;

fn shortened(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).collect()
}

/// Reads a time by the given formats, or else by those that logs mostly have.
fn read_time(text: &str, from: &From, received: Timestamp) -> Option<Timestamp> {
    if !from.formats.is_empty() {
        return from.formats.iter().find_map(|format| by_format(text, format, from.utc_offset_s, received));
    }
    let unix = || text.parse::<f64>().ok().and_then(|_| Timestamp::parse(text, received).ok());
    time::rfc3339(text)
        .or_else(|| time::local_iso(text, from.utc_offset_s))
        .or_else(|| access_log::clf_time(text))
        .or_else(unix)
}

fn by_format(text: &str, format: &str, utc_offset_s: i32, received: Timestamp) -> Option<Timestamp> {
    let parsed = strtime::parse(format, text).ok()?;
    if let Ok(instant) = parsed.to_timestamp() {
        return i64::try_from(instant.as_nanosecond()).ok().map(Timestamp);
    }
    if let Ok(civil) = parsed.to_datetime() {
        return time::local(civil, utc_offset_s);
    }
    time::without_year(parsed.month()?, parsed.day()?, parsed.to_time().ok()?, received, utc_offset_s)
}
