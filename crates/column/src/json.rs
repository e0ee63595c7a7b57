//! The JSON text of an overflow value: an exact encoding of [`Value`], readable by any JSON reader.
//!
//! JSON has no bytes, no NaN and one kind of number. So: doubles always carry a point or an exponent (`2.0`), integers
//! never; `{"$bytes":"<base64>"}` is bytes; `{"$double":"NaN"}` is what JSON cannot say; and a map whose first key is one of
//! these markers is wrapped as `{"$map":{..}}`.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use model::Value;

use crate::FieldType;

const BYTES: &str = "$bytes";
const DOUBLE: &str = "$double";
const MAP: &str = "$map";

/// Deepest nesting that is read back. Decoders allow less; a deeper text is not one that was written here.
const DEPTH_MAX: usize = 512;

/// Appends the text of a value.
pub(crate) fn encode(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Int(n) => {
            let _ = write!(out, "{n}");
        }
        Value::Double(n) if n.is_finite() => {
            let _ = write!(out, "{n:?}");
        }
        Value::Double(n) => {
            let _ = write!(out, "{{\"{DOUBLE}\":\"{n}\"}}");
        }
        Value::Str(text) => write_string(out, text),
        Value::Bytes(bytes) => {
            let _ = write!(out, "{{\"{BYTES}\":\"");
            BASE64.encode_string(bytes, out);
            out.push_str("\"}");
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                encode(item, out);
            }
            out.push(']');
        }
        Value::Map(entries) => encode_map(entries, out),
    }
}

fn encode_map(entries: &[(String, Value)], out: &mut String) {
    let wrapped = entries.first().is_some_and(|(key, _)| [BYTES, DOUBLE, MAP].contains(&key.as_str()));
    if wrapped {
        let _ = write!(out, "{{\"{MAP}\":");
    }
    out.push('{');
    for (i, (key, value)) in entries.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        write_string(out, key);
        out.push(':');
        encode(value, out);
    }
    out.push('}');
    if wrapped {
        out.push('}');
    }
}

/// Reads a text that [`encode`] wrote. Anything else is taken as a string: showing it beats hiding it.
pub(crate) fn decode(text: &str) -> Value {
    let mut parser = Parser { text, at: 0 };
    match parser.value(0) {
        Some(value) if parser.at == text.len() => value,
        _ => Value::Str(text.to_owned()),
    }
}

/// The type of an encoded scalar, from its first character where that tells; `None` for what only the overflow holds.
pub(crate) fn scalar_type(text: &str) -> Option<FieldType> {
    match text.as_bytes().first()? {
        b'"' => Some(FieldType::Str),
        b't' | b'f' => Some(FieldType::Bool),
        b'-' | b'0'..=b'9' if text.contains(['.', 'e', 'E']) => Some(FieldType::Double),
        b'-' | b'0'..=b'9' => Some(FieldType::Int),
        b'[' => None,
        _ => FieldType::of(&decode(text)),
    }
}

/// The text of an encoded string without copying when it has no escape; `None` when it is not a string.
pub(crate) fn plain_str(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['\\', '"'])).then_some(inner)
}

/// Appends `text` as a JSON string. Copies the runs between the characters to escape as a whole.
pub(crate) fn write_string(out: &mut String, text: &str) {
    out.push('"');
    let mut done = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            b'\r' => "\\r",
            b'\t' => "\\t",
            0..0x20 => "",
            _ => continue,
        };
        out.push_str(&text[done..at]);
        if escape.is_empty() {
            let _ = write!(out, "\\u{byte:04x}");
        } else {
            out.push_str(escape);
        }
        done = at + 1;
    }
    out.push_str(&text[done..]);
    out.push('"');
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> Option<()> {
        (self.peek()? == byte).then(|| self.at += 1)
    }

    fn word(&mut self, word: &str, value: Value) -> Option<Value> {
        self.text[self.at..].starts_with(word).then(|| {
            self.at += word.len();
            value
        })
    }

    fn value(&mut self, depth: usize) -> Option<Value> {
        if depth > DEPTH_MAX {
            return None;
        }
        match self.peek()? {
            b'n' => self.word("null", Value::Null),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'"' => Some(Value::Str(self.string()?.into_owned())),
            b'[' => self.array(depth),
            b'{' => Some(special(self.map(depth, true)?)),
            _ => self.number(),
        }
    }

    fn number(&mut self) -> Option<Value> {
        let rest = &self.text[self.at..];
        let len = rest.bytes().take_while(|b| b.is_ascii_digit() || b"+-.eE".contains(b)).count();
        let word = &rest[..len];
        self.at += len;
        if word.contains(['.', 'e', 'E']) {
            word.parse().ok().map(Value::Double)
        } else {
            word.parse().ok().map(Value::Int)
        }
    }

    fn string(&mut self) -> Option<Cow<'a, str>> {
        self.eat(b'"')?;
        let start = self.at;
        let rest = &self.text[start..];
        let stop = rest.bytes().position(|b| b == b'"' || b == b'\\')?;
        if rest.as_bytes()[stop] == b'"' {
            self.at = start + stop + 1;
            return Some(Cow::Borrowed(&rest[..stop]));
        }
        let mut out = rest[..stop].to_owned();
        let mut chars = rest[stop..].char_indices();
        while let Some((at, c)) = chars.next() {
            match c {
                '"' => {
                    self.at = start + stop + at + 1;
                    return Some(Cow::Owned(out));
                }
                '\\' => match chars.next()?.1 {
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'u' => {
                        let mut code = 0;
                        for _ in 0..4 {
                            code = code * 16 + chars.next()?.1.to_digit(16)?;
                        }
                        out.push(char::from_u32(code)?);
                    }
                    other => out.push(other),
                },
                c => out.push(c),
            }
        }
        None
    }

    fn array(&mut self, depth: usize) -> Option<Value> {
        self.eat(b'[')?;
        let mut items = Vec::new();
        if self.eat(b']').is_some() {
            return Some(Value::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.eat(b',').is_none() {
                self.eat(b']')?;
                return Some(Value::Array(items));
            }
        }
    }

    /// The entries of a map as they are written. `marked` says that a first key `$map` is the wrapper, whose map is taken
    /// as it stands.
    fn map(&mut self, depth: usize, marked: bool) -> Option<Vec<(String, Value)>> {
        self.eat(b'{')?;
        let mut entries = Vec::new();
        if self.eat(b'}').is_some() {
            return Some(entries);
        }
        loop {
            let key = self.string()?.into_owned();
            self.eat(b':')?;
            let value = match key.as_str() {
                MAP if marked && entries.is_empty() && self.peek() == Some(b'{') => {
                    Value::Map(self.map(depth + 1, false)?)
                }
                _ => self.value(depth + 1)?,
            };
            entries.push((key, value));
            if self.eat(b',').is_none() {
                self.eat(b'}')?;
                return Some(entries);
            }
        }
    }
}

/// What the entries of a map stand for.
fn special(mut entries: Vec<(String, Value)>) -> Value {
    if let [(key, value)] = &mut entries[..] {
        match (key.as_str(), value) {
            (BYTES, Value::Str(text)) => {
                if let Ok(bytes) = BASE64.decode(&*text) {
                    return Value::Bytes(bytes);
                }
            }
            (DOUBLE, Value::Str(text)) => {
                if let Ok(n) = text.parse() {
                    return Value::Double(n);
                }
            }
            (MAP, Value::Map(inner)) => return Value::Map(std::mem::take(inner)),
            _ => {}
        }
    }
    Value::Map(entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: Value, text: &str) {
        let mut out = String::new();
        encode(&value, &mut out);
        assert_eq!(out, text);
        assert_eq!(format!("{:?}", decode(&out)), format!("{value:?}"));
    }

    #[test]
    fn every_type_has_its_own_text() {
        check(Value::Int(2), "2");
        check(Value::Double(2.0), "2.0");
        check(Value::Double(-0.0), "-0.0");
        check(Value::Double(1e300), "1e300");
        check(Value::Double(f64::NAN), r#"{"$double":"NaN"}"#);
        check(Value::Double(f64::NEG_INFINITY), r#"{"$double":"-inf"}"#);
        check(Value::Str("2".into()), r#""2""#);
        check(Value::Str("a\"\\\n\u{1}é".into()), r#""a\"\\\n\u0001é""#);
        check(Value::Bytes(vec![0, 255]), r#"{"$bytes":"AP8="}"#);
        check(Value::Array(vec![Value::Null, Value::Bool(true), Value::Array(vec![])]), "[null,true,[]]");
        check(Value::Map(vec![("a".into(), Value::Int(1)), ("$map".into(), Value::Int(2))]), r#"{"a":1,"$map":2}"#);
    }

    #[test]
    fn a_map_that_looks_special_stays_a_map() {
        let bytes = || Value::Map(vec![("$bytes".into(), "AP8=".into())]);
        check(bytes(), r#"{"$map":{"$bytes":"AP8="}}"#);
        check(Value::Map(vec![("$map".into(), bytes())]), r#"{"$map":{"$map":{"$map":{"$bytes":"AP8="}}}}"#);
        check(
            Value::Map(vec![("$map".into(), Value::Map(vec![])), ("b".into(), Value::Int(1))]),
            r#"{"$map":{"$map":{},"b":1}}"#,
        );
    }

    #[test]
    fn what_was_not_written_here_is_text() {
        for text in ["", "nul", "[1", "{\"a\":}", "1 ", "\"a", "\"\\u12"] {
            assert_eq!(decode(text), Value::Str(text.to_owned()));
        }
        let deep = "[".repeat(100_000);
        assert_eq!(decode(&deep), Value::Str(deep.clone()));
    }
}
