//! The value of a field.

use std::borrow::Cow;
use std::fmt::Write as _;

/// A field's value: OpenTelemetry's `AnyValue`, with JSON's null.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// No value. A row does not carry nulls at the top level; they occur inside arrays and maps.
    #[default]
    Null,
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Text.
    Str(String),
    /// Bytes; shown as standard base64, as OTLP's JSON does.
    Bytes(Vec<u8>),
    /// A list.
    Array(Vec<Value>),
    /// A map in the sender's order. Flattened to dotted fields when a record becomes a row; stays a map inside an array.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// The text that a query compares with and that `body` shows: strings as they are, numbers in their shortest form,
    /// arrays and maps as JSON. A null is the empty text.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Value::Null => Cow::Borrowed(""),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            Value::Int(n) => Cow::Owned(n.to_string()),
            Value::Double(n) => Cow::Owned(double_text(*n)),
            Value::Str(s) => Cow::Borrowed(s),
            Value::Bytes(_) | Value::Array(_) | Value::Map(_) => {
                let mut out = String::new();
                self.write_json(&mut out);
                if let Value::Bytes(_) = self {
                    out = out[1..out.len() - 1].to_owned();
                }
                Cow::Owned(out)
            }
        }
    }

    /// The number that a query computes with; text counts when all of it is one number.
    pub fn number(&self) -> Option<f64> {
        match self {
            Value::Int(n) => Some(*n as f64),
            Value::Double(n) => Some(*n),
            Value::Str(s) => s.trim().parse().ok(),
            _ => None,
        }
    }

    /// Appends the value as JSON. A double that JSON cannot say (NaN, infinities) becomes a string, as in OTLP's JSON.
    pub fn write_json(&self, out: &mut String) {
        match self {
            Value::Null => out.push_str("null"),
            Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
            Value::Int(n) => {
                let _ = write!(out, "{n}");
            }
            Value::Double(n) if n.is_finite() => out.push_str(&double_text(*n)),
            Value::Double(n) => write_json_string(out, &double_text(*n)),
            Value::Str(s) => write_json_string(out, s),
            Value::Bytes(b) => {
                out.push('"');
                write_base64(out, b);
                out.push('"');
            }
            Value::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write_json(out);
                }
                out.push(']');
            }
            Value::Map(entries) => write_json_object(out, entries),
        }
    }

    /// The value as JSON text.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        self.write_json(&mut out);
        out
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Value::Str(s.to_owned())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Value::Str(s)
    }
}

impl From<i64> for Value {
    fn from(n: i64) -> Self {
        Value::Int(n)
    }
}

impl From<f64> for Value {
    fn from(n: f64) -> Self {
        Value::Double(n)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Value::Bool(b)
    }
}

impl From<serde_json::Value> for Value {
    fn from(json: serde_json::Value) -> Self {
        match json {
            serde_json::Value::Null => Value::Null,
            serde_json::Value::Bool(b) => Value::Bool(b),
            serde_json::Value::Number(n) => match n.as_i64() {
                Some(i) => Value::Int(i),
                None => Value::Double(n.as_f64().unwrap_or(f64::NAN)),
            },
            serde_json::Value::String(s) => Value::Str(s),
            serde_json::Value::Array(items) => Value::Array(items.into_iter().map(Value::from).collect()),
            serde_json::Value::Object(map) => Value::Map(map.into_iter().map(|(k, v)| (k, Value::from(v))).collect()),
        }
    }
}

/// Appends `text` as a JSON string, escaping what JSON wants escaped.
pub(crate) fn write_json_string(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

fn write_json_object(out: &mut String, entries: &[(String, Value)]) {
    out.push('{');
    for (i, (key, value)) in entries.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_json_string(out, key);
        out.push(':');
        value.write_json(out);
    }
    out.push('}');
}

/// Shortest text that reads back as the same double; whole numbers keep `.0` off, infinities are spelled as Prometheus does.
fn double_text(n: f64) -> String {
    if n.is_nan() {
        "NaN".to_owned()
    } else if n.is_infinite() {
        if n > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else if n != 0.0 && !(1e-7..1e21).contains(&n.abs()) {
        format!("{n:e}")
    } else {
        n.to_string()
    }
}

fn write_base64(out: &mut String, bytes: &[u8]) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let word = u32::from(chunk[0]) << 16
            | u32::from(*chunk.get(1).unwrap_or(&0)) << 8
            | u32::from(*chunk.get(2).unwrap_or(&0));
        for i in 0..4 {
            let digit = ALPHABET[(word >> (18 - 6 * i)) as usize & 63] as char;
            out.push(if i <= chunk.len() { digit } else { '=' });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_what_a_query_compares_with() {
        assert_eq!(Value::Int(-5).text(), "-5");
        assert_eq!(Value::Double(2.0).text(), "2");
        assert_eq!(Value::Double(f64::INFINITY).text(), "+Inf");
        assert_eq!(Value::Bytes(b"hello".to_vec()).text(), "aGVsbG8=");
        assert_eq!(Value::Array(vec![Value::Int(1), "a\"b".into(), Value::Null]).text(), r#"[1,"a\"b",null]"#);
    }

    #[test]
    fn json_round_trips_through_serde() {
        let json = r#"{"a":1,"b":[true,null,2.5],"c":"x\n\u0001"}"#;
        let value = Value::from(serde_json::from_str::<serde_json::Value>(json).unwrap());
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&value.to_json()).unwrap(),
            serde_json::from_str::<serde_json::Value>(json).unwrap()
        );
    }

    #[test]
    fn base64_pads_as_the_standard_says() {
        for (input, want) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            assert_eq!(Value::Bytes(input.as_bytes().to_vec()).text(), want);
        }
    }
}
