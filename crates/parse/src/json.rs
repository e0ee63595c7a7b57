//! A JSON object, flattened as it is read: no tree is built for it.

use std::borrow::Cow;
use std::fmt;

use serde::Deserialize as _;
use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor, value};

use crate::sink::Sink;
use crate::{NotMatched, Value};

pub(crate) fn extract(text: &str, sink: &mut Sink<'_>) -> Result<(), NotMatched> {
    // The common case of a line that is none costs nothing.
    if !text.trim_start().starts_with('{') {
        return Err(NotMatched::because("not a JSON object"));
    }
    let mut path = String::new();
    let mut stopped = None;
    let mut reader = serde_json::Deserializer::from_str(text);
    let node = Node { path: &mut path, depth: 0, sink, stopped: &mut stopped };
    let read = node.deserialize(&mut reader).and_then(|()| reader.end());
    read.map_err(|error| stopped.unwrap_or_else(|| NotMatched(format!("not JSON: {error}").into())))
}

/// A value at a path.
struct Node<'n, 's> {
    path: &'n mut String,
    depth: usize,
    sink: &'n mut Sink<'s>,
    /// Why the sink took no more; serde's errors can not carry it.
    stopped: &'n mut Option<NotMatched>,
}

impl Node<'_, '_> {
    fn put<E: serde::de::Error>(self, value: Value<'_>) -> Result<(), E> {
        self.sink.put(self.path, value).map_err(|error| {
            let told = E::custom(&error);
            *self.stopped = Some(error);
            told
        })
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.put(Value::Bool(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.put(Value::Int(value))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.put(i64::try_from(value).map_or(Value::Double(value as f64), Value::Int))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.put(Value::Double(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.put(Value::str(value))
    }

    /// A null is no value.
    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<(), A::Error> {
        match serde_json::Value::deserialize(value::SeqAccessDeserializer::new(items))? {
            serde_json::Value::Array(items) => {
                self.put(Value::List(items.into_iter().map(model::Value::from).collect()))
            }
            _ => Err(A::Error::custom("a list is a list")),
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        if self.depth == self.sink.limits().depth_max {
            let whole = serde_json::Value::deserialize(value::MapAccessDeserializer::new(entries))?;
            return self.put(Value::Str(model::Value::from(whole).to_json().into()));
        }
        let outer = self.path.len();
        while let Some(Key(key)) = entries.next_key()? {
            if outer > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            let Node { depth, .. } = self;
            entries.next_value_seed(Node {
                path: &mut *self.path,
                depth: depth + 1,
                sink: &mut *self.sink,
                stopped: &mut *self.stopped,
            })?;
            self.path.truncate(outer);
        }
        Ok(())
    }
}

/// A key, borrowed unless it has escapes.
#[derive(serde::Deserialize)]
struct Key<'k>(#[serde(borrow)] Cow<'k, str>);
