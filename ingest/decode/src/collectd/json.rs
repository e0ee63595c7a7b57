//! The JSON form: an array of value lists, or of notifications in the shape of Alertmanager's alerts. Read one by one, so that memory is
//! bounded by the largest.

use std::fmt;

use model::{Attributes, LogRecord, Row, Severity, Timestamp, Value as Field, field};
use serde::Deserialize;
use serde::de::{DeserializeSeed, Error as _, SeqAccess, Visitor};
use serde_json::{Deserializer, Map, Value};

use super::types::Kind;
use super::{Reader, TooManyValues, ValueList, time_ms};

/// A value list as it is written. What more there is (`interval`, `meta`) has no place in a sample.
#[derive(Debug, Deserialize)]
struct Written {
    values: Vec<Option<f64>>,
    dstypes: Vec<String>,
    dsnames: Vec<String>,
    time: f64,
    host: Option<String>,
    plugin: String,
    plugin_instance: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    type_instance: Option<String>,
}

/// Reads what there is up to the first byte that is no JSON; that is one reject.
pub(super) fn read(body: &[u8], reader: &mut Reader) -> Result<(), TooManyValues> {
    let mut deserializer = Deserializer::from_slice(body);
    let mut overflow = None;
    let read = Items { reader: &mut *reader, overflow: &mut overflow }.deserialize(&mut deserializer);
    if let Some(overflow) = overflow {
        return Err(overflow);
    }
    if let Err(error) = read.and_then(|()| deserializer.end()) {
        reader.collector.reject(format!("the body is not JSON that collectd writes: {error}"), body, "");
    }
    Ok(())
}

struct Items<'a> {
    reader: &'a mut Reader,
    overflow: &'a mut Option<TooManyValues>,
}

impl<'de> DeserializeSeed<'de> for Items<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Items<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of value lists or notifications")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while let Some(item) = items.next_element::<Value>()? {
            if let Err(reason) = read_item(&item, self.reader) {
                self.reader.collector.reject(reason, item.to_string().as_bytes(), "");
            }
            if let Err(overflow) = self.reader.check_room() {
                *self.overflow = Some(overflow);
                return Err(A::Error::custom(overflow));
            }
        }
        Ok(())
    }
}

fn read_item(item: &Value, reader: &mut Reader) -> Result<(), String> {
    if let (Some(labels), Some(annotations)) = (item["labels"].as_object(), item["annotations"].as_object()) {
        reader.logs.push(notification(labels, annotations, item["startsAt"].as_str(), reader.received));
        return Ok(());
    }
    let written = Written::deserialize(item).map_err(|error| format!("this is no value list: {error}"))?;
    let count = written.values.len();
    if written.dstypes.len() != count || written.dsnames.len() != count {
        let (kinds, names) = (written.dstypes.len(), written.dsnames.len());
        return Err(format!("the value list has {count} values, {kinds} dstypes and {names} dsnames"));
    }
    let mut values = Vec::with_capacity(count);
    for ((name, kind), value) in written.dsnames.iter().zip(&written.dstypes).zip(&written.values) {
        let known = Kind::parse(kind);
        let kind = known.ok_or_else(|| format!("the dstype {kind:?} is not gauge, derive, counter or absolute"))?;
        values.push((name.as_str(), kind, *value));
    }
    let text = |text: &'_ Option<String>| text.as_deref().unwrap_or_default().to_owned();
    let [host, plugin_instance, type_instance] =
        [&written.host, &written.plugin_instance, &written.type_instance].map(text);
    reader.value_list(&ValueList {
        host: &host,
        plugin: &written.plugin,
        plugin_instance: &plugin_instance,
        kind: &written.kind,
        type_instance: &type_instance,
        time_ms: time_ms(written.time)?,
        values,
    })
}

/// A notification as a log record.
fn notification(
    labels: &Map<String, Value>,
    annotations: &Map<String, Value>,
    starts_at: Option<&str>,
    received: Timestamp,
) -> Row {
    let (mut attributes, mut resource) = (Attributes::new(), Attributes::new());
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut severity = Severity::Info;
    for (name, value) in labels {
        match (name.as_str(), text(value)) {
            ("severity", word) => {
                severity = match word.as_str() {
                    "FAILURE" => Severity::Error,
                    "WARNING" => Severity::Warn,
                    _ => Severity::Info,
                }
            }
            ("service", _) => {}
            ("instance", host) => resource.push((field::HOST_NAME.to_owned(), host.into())),
            (name, value) => attributes.push((name.to_owned(), value.into())),
        }
    }
    let more = annotations.iter().filter(|(name, _)| *name != "summary");
    attributes.extend(more.map(|(name, value)| (name.clone(), Field::from(text(value)))));
    let record = LogRecord {
        time: starts_at.and_then(parse::time::rfc3339),
        severity_text: severity.as_str().to_owned(),
        body: annotations.get("summary").map(text).unwrap_or_default().into(),
        attributes,
        resource,
        event_name: "collectd.notification".to_owned(),
        ..LogRecord::default()
    };
    record.into_row(received)
}
