//! The JSON text of an overflow value, back to the value that it encodes (`column` says how): `{"$bytes":".."}` is bytes,
//! `{"$double":"NaN"}` a double that JSON cannot say, `{"$map":{..}}` a map that would look like one of these.

use std::fmt;

use model::Value;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// The value, or `None` for what cannot be read.
pub(crate) fn decode(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok().map(|Json(value)| resolve(value))
}

/// The text of an encoded string without copying when it has no escape; `None` when it is not such a string.
pub(crate) fn plain_str(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    memchr::memchr2(b'\\', b'"', inner.as_bytes()).is_none().then_some(inner)
}

struct Json(Value);

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json(Value::Bool(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json(Value::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json(i64::try_from(value).map_or(Value::Double(value as f64), Value::Int)))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json(Value::Double(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json(Value::Str(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut out = Vec::new();
        while let Some(Json(item)) = items.next_element()? {
            out.push(item);
        }
        Ok(Json(Value::Array(out)))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut out = Vec::new();
        while let Some((key, Json(value))) = entries.next_entry::<String, Json>()? {
            out.push((key, value));
        }
        Ok(Json(Value::Map(out)))
    }
}

/// Puts what maps with one marked entry stand for in their place. Bytes stay their base64, which is their text.
fn resolve(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(resolve).collect()),
        Value::Map(mut entries) => {
            if let [(key, value)] = &mut entries[..] {
                match (key.as_str(), value) {
                    ("$bytes", value @ Value::Str(_)) => return std::mem::take(value),
                    ("$double", Value::Str(text)) => {
                        if let Ok(n) = text.parse() {
                            return Value::Double(n);
                        }
                    }
                    ("$map", Value::Map(inner)) => return Value::Map(resolve_entries(std::mem::take(inner))),
                    _ => {}
                }
            }
            Value::Map(resolve_entries(entries))
        }
        other => other,
    }
}

fn resolve_entries(entries: Vec<(String, Value)>) -> Vec<(String, Value)> {
    entries.into_iter().map(|(key, value)| (key, resolve(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(json: &str, text: &str) {
        assert_eq!(decode(json).unwrap().text(), text, "{json}");
    }

    #[test]
    fn texts_are_those_of_the_values() {
        check("-5", "-5");
        check("2.0", "2");
        check(r#"{"$double":"NaN"}"#, "NaN");
        check(r#"{"$bytes":"AP8="}"#, "AP8=");
        check(r#""a\"\u00e9""#, "a\"é");
        check(r#"[1,"x",{"$bytes":"AP8="},null]"#, r#"[1,"x","AP8=",null]"#);
        check(r#"[{"b":1,"a":{"$map":{"$double":"1"}},"b":2}]"#, r#"[{"b":1,"a":{"$double":"1"},"b":2}]"#);
        assert_eq!(plain_str(r#""plain""#), Some("plain"));
        assert_eq!((plain_str(r#""a\n""#), plain_str("5"), decode("[1")), (None, None, None));
    }
}
