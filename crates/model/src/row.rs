//! A row: a record of any table, flattened to named fields.

use std::sync::Arc;

use crate::{RowId, Timestamp, Value, field, stream_text};

/// One record of a table. `fields` holds everything but `_time`, `_id` and `_stream`, in the order in which the record
/// showed it, without nulls and without a name twice; maps are flattened to dotted names.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// `_time`.
    pub time: Timestamp,
    /// `_id`; zero until the store has taken the row.
    pub id: RowId,
    /// `_stream`.
    pub stream: Arc<str>,
    /// All other fields.
    pub fields: Vec<(Arc<str>, Value)>,
}

impl Row {
    /// Starts a row without fields. The stream is set by [`Row::finish`].
    pub fn new(time: Timestamp) -> Self {
        Self { time, id: RowId::default(), stream: "".into(), fields: Vec::new() }
    }

    /// Adds a field, flattening a map to dotted names. A null or an empty name is skipped; a name that is already there gets
    /// the new value.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        match value.into() {
            Value::Null => {}
            Value::Map(entries) => {
                for (key, value) in entries {
                    self.set(&format!("{name}.{key}"), value);
                }
            }
            value if !name.is_empty() => match self.fields.iter_mut().find(|(known, _)| &**known == name) {
                Some((_, old)) => *old = value,
                None => self.fields.push((name.into(), value)),
            },
            _ => {}
        }
    }

    /// Computes the stream from the fields; the last step of building a row.
    pub fn finish(mut self) -> Self {
        self.stream = stream_text(&self.fields).into();
        self
    }

    /// The value of a field other than `_time`, `_id` and `_stream`.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.iter().find(|(known, _)| &**known == name).map(|(_, value)| value)
    }

    /// The text of the body, or the empty text.
    pub fn body(&self) -> &str {
        match self.get(field::BODY) {
            Some(Value::Str(body)) => body,
            _ => "",
        }
    }

    /// The memory that the row takes, roughly, in bytes: what budgets count.
    pub fn size_bytes(&self) -> usize {
        const PER_ROW: usize = 64;
        const PER_FIELD: usize = 56;
        let fields: usize = self.fields.iter().map(|(_, value)| PER_FIELD + value_size_bytes(value)).sum();
        PER_ROW + fields
    }
}

fn value_size_bytes(value: &Value) -> usize {
    match value {
        Value::Str(s) => s.len(),
        Value::Bytes(b) => b.len(),
        Value::Array(items) => items.iter().map(|item| 32 + value_size_bytes(item)).sum(),
        Value::Map(entries) => entries.iter().map(|(key, value)| 56 + key.len() + value_size_bytes(value)).sum(),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_flatten_and_later_values_win() {
        let mut row = Row::new(Timestamp(1));
        row.set(
            "a",
            Value::Map(vec![("b".into(), Value::Int(1)), ("c".into(), Value::Map(vec![("d".into(), "x".into())]))]),
        );
        row.set("a.b", 2i64);
        row.set("none", Value::Null);
        let names: Vec<_> = row.fields.iter().map(|(name, value)| format!("{name}={}", value.text())).collect();
        assert_eq!(names, ["a.b=2", "a.c.d=x"]);
    }
}
