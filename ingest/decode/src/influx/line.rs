//! One line of the protocol, taken apart.

use std::borrow::Cow;

/// The unit of times on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Nanoseconds.
    #[default]
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Minutes, of version 1.
    Minutes,
    /// Hours, of version 1.
    Hours,
    /// Told from the size of each number, as version 3 does: below 5e9 it is seconds, below 5e12 milliseconds, below 5e15 microseconds.
    Auto,
}

impl Precision {
    /// Reads the parameter `precision` of any version; an empty one is the default.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "" | "ns" | "n" | "nanosecond" => Self::Nanoseconds,
            "us" | "u" | "µ" | "µs" | "microsecond" => Self::Microseconds,
            "ms" | "millisecond" => Self::Milliseconds,
            "s" | "second" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            "auto" => Self::Auto,
            _ => return None,
        })
    }

    /// A time in nanoseconds; `None` when it is beyond what can be counted.
    pub(super) fn nanoseconds(self, time: i64) -> Option<i128> {
        let unit: i128 = match self {
            Self::Nanoseconds => 1,
            Self::Microseconds => 1_000,
            Self::Milliseconds => 1_000_000,
            Self::Seconds => 1_000_000_000,
            Self::Minutes => 60_000_000_000,
            Self::Hours => 3_600_000_000_000,
            Self::Auto => {
                let size = time.unsigned_abs();
                let units =
                    [(5_000_000_000, 1_000_000_000), (5_000_000_000_000, 1_000_000), (5_000_000_000_000_000, 1_000)];
                units.into_iter().find(|(below, _)| size < *below).map_or(1, |(_, unit)| unit)
            }
        };
        i128::from(time).checked_mul(unit)
    }
}

/// A field's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum FieldValue {
    Number(f64),
    Text,
}

/// A line. Times are as they came.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'a> {
    pub(super) measurement: Cow<'a, str>,
    pub(super) tags: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(super) fields: Vec<(Cow<'a, str>, FieldValue)>,
    pub(super) time: Option<i64>,
}

/// Where the first line ends: at a line end that is in no string, or at the end. A string opens behind `=` only, and one that is never
/// closed is none.
pub(super) fn end(body: &[u8]) -> usize {
    let first = memchr::memchr(b'\n', body).unwrap_or(body.len());
    if memchr::memchr(b'"', &body[..first]).is_none() || body.trim_ascii_start().starts_with(b"#") {
        return first;
    }
    let (mut at, mut quoted) = (0, false);
    while at < body.len() {
        match body[at] {
            b'\\' if body.get(at + 1).is_some_and(|next| *next != b'\n') => at += 1,
            b'"' if quoted => quoted = false,
            b'"' => quoted = at > 0 && body[at - 1] == b'=',
            b'\n' if !quoted => return at,
            _ => {}
        }
        at += 1;
    }
    if quoted { first } else { body.len() }
}

impl<'a> Line<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let key_end = unescaped(text, |byte| byte == b' ').unwrap_or(text.len());
        let (key, rest) = text.split_at(key_end);
        let (measurement, tags) = Self::key(key)?;
        let rest = rest.trim_start_matches(' ');
        if rest.is_empty() {
            return Err("missing fields".to_owned());
        }
        let fields_end = end_of_fields(rest);
        let (fields, time) = rest.split_at(fields_end);
        let fields = Self::fields(fields)?;
        let time = match time.trim() {
            "" => None,
            digits => Some(digits.parse().map_err(|_| "bad timestamp".to_owned())?),
        };
        Ok(Self { measurement, tags, fields, time })
    }

    #[allow(clippy::type_complexity, reason = "the two parts of a key")]
    fn key(key: &'a str) -> Result<(Cow<'a, str>, Vec<(Cow<'a, str>, Cow<'a, str>)>), String> {
        let mut parts = split(key, b',');
        let measurement = unescape(parts.next().unwrap_or_default());
        if measurement.is_empty() {
            return Err("missing measurement".to_owned());
        }
        let mut tags = Vec::new();
        for part in parts {
            let equals = unescaped(part, |byte| byte == b'=').ok_or("missing tag value")?;
            let (name, value) = (&part[..equals], &part[equals + 1..]);
            if name.is_empty() {
                return Err("missing tag key".to_owned());
            }
            if value.is_empty() {
                return Err("missing tag value".to_owned());
            }
            tags.push((unescape(name), unescape(value)));
        }
        Ok((measurement, tags))
    }

    fn fields(mut rest: &'a str) -> Result<Vec<(Cow<'a, str>, FieldValue)>, String> {
        let mut fields = Vec::new();
        loop {
            let equals = unescaped(rest, |byte| matches!(byte, b'=' | b','));
            let equals = equals.filter(|at| rest.as_bytes()[*at] == b'=').ok_or("invalid field format")?;
            let (name, value) = (&rest[..equals], &rest[equals + 1..]);
            if name.is_empty() {
                return Err("missing field key".to_owned());
            }
            let (value, after) = match value.strip_prefix('"') {
                Some(text) => {
                    let close = unescaped(text, |byte| byte == b'"').ok_or("unbalanced quotes")?;
                    (FieldValue::Text, &text[close + 1..])
                }
                None => {
                    let end = value.find(',').unwrap_or(value.len());
                    (FieldValue::Number(number(&value[..end])?), &value[end..])
                }
            };
            fields.push((unescape(name), value));
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None if after.is_empty() => return Ok(fields),
                None => return Err("invalid field format".to_owned()),
            }
        }
    }
}

/// Where the fields end: at a space that is in no string.
fn end_of_fields(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut at, mut quoted) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'"' if quoted => quoted = false,
            b'"' => quoted = at > 0 && bytes[at - 1] == b'=',
            b' ' if !quoted => return at,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// A number, a whole number, or a truth.
fn number(text: &str) -> Result<f64, String> {
    let fault = || format!("invalid number {text:?}");
    match text {
        "" => return Err("missing field value".to_owned()),
        "t" | "T" | "true" | "True" | "TRUE" => return Ok(1.0),
        "f" | "F" | "false" | "False" | "FALSE" => return Ok(0.0),
        _ => {}
    }
    if let Some(digits) = text.strip_suffix('i') {
        return digits.parse::<i64>().map(|n| n as f64).map_err(|_| fault());
    }
    if let Some(digits) = text.strip_suffix('u') {
        return digits.parse::<u64>().map(|n| n as f64).map_err(|_| fault());
    }
    // Rust also reads words: `inf`, `nan`.
    let digits = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    text.parse().ok().filter(|number: &f64| digits && number.is_finite()).ok_or_else(fault)
}

/// Where the first byte of a kind is that no backslash stands before.
fn unescaped(text: &str, is: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            byte if is(byte) => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The parts between separators that no backslash stands before.
fn split(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (part, next) = match unescaped(text, |byte| byte == separator) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = next;
        Some(part)
    })
}

/// Takes the backslash away before a comma, an equals sign and a space; before anything else it is one.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match chars.peek() {
            Some(next @ (',' | '=' | ' ')) if c == '\\' => {
                out.push(*next);
                chars.next();
            }
            _ => out.push(c),
        }
    }
    Cow::Owned(out)
}
