//! The value of an extracted field: borrowed from the text where that is possible.

use std::borrow::Cow;

use model::Timestamp;

/// A value in a text.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// True or false.
    Bool(bool),
    /// A signed 64-bit integer.
    Int(i64),
    /// A double.
    Double(f64),
    /// Text.
    Str(Cow<'a, str>),
    /// A time that the format itself defines: syslog's, an access log's.
    Time(Timestamp),
    /// A list, of JSON or of repeated parameters.
    List(Vec<model::Value>),
}

impl<'a> Value<'a> {
    /// Borrowed text.
    pub fn str(text: &'a str) -> Self {
        Value::Str(Cow::Borrowed(text))
    }

    /// The text that a query shows; a time is RFC 3339.
    pub fn text(&self) -> Cow<'_, str> {
        match self {
            Value::Str(text) => Cow::Borrowed(text),
            Value::Bool(true) => Cow::Borrowed("true"),
            Value::Bool(false) => Cow::Borrowed("false"),
            other => Cow::Owned(model::Value::from(other.clone()).text().into_owned()),
        }
    }
}

impl From<Value<'_>> for model::Value {
    fn from(value: Value<'_>) -> Self {
        match value {
            Value::Bool(value) => model::Value::Bool(value),
            Value::Int(value) => model::Value::Int(value),
            Value::Double(value) => model::Value::Double(value),
            Value::Str(text) => model::Value::Str(text.into_owned()),
            Value::Time(at) => model::Value::Str(at.to_string()),
            Value::List(items) => model::Value::Array(items),
        }
    }
}

impl From<model::Value> for Value<'static> {
    /// A null is the empty text, and a map its JSON.
    fn from(value: model::Value) -> Self {
        match value {
            model::Value::Bool(value) => Value::Bool(value),
            model::Value::Int(value) => Value::Int(value),
            model::Value::Double(value) => Value::Double(value),
            model::Value::Str(text) => Value::Str(text.into()),
            model::Value::Array(items) => Value::List(items),
            other => Value::Str(other.text().into_owned().into()),
        }
    }
}

/// Most digits of a decimal that a double surely keeps (IEEE 754's binary64).
const EXACT_DIGITS_MAX: usize = 15;

/// Text without quotes as the type that it shows: `true` and `false`, integers, plain decimals. Only what reads back as the very
/// same text changes its type: `007`, `1e5`, `nan`, `0x1` and `1.50` are as likely ids and versions, and stay text.
pub fn typed(text: &str) -> Value<'_> {
    let bytes = text.as_bytes();
    match bytes {
        b"true" => return Value::Bool(true),
        b"false" => return Value::Bool(false),
        [b'0'..=b'9' | b'-', ..] => {}
        _ => return Value::str(text),
    }
    number(text).unwrap_or(Value::str(text))
}

fn number(text: &str) -> Option<Value<'static>> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = match memchr::memchr(b'.', digits.as_bytes()) {
        Some(dot) => (&digits[..dot], Some(&digits[dot + 1..])),
        None => (digits, None),
    };
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !all_digits(whole) || (whole.len() > 1 && whole.starts_with('0')) {
        return None;
    }
    let Some(fraction) = fraction else {
        return text.parse().ok().filter(|_| text != "-0").map(Value::Int);
    };
    if !all_digits(fraction) || fraction.ends_with('0') {
        return None;
    }
    let number: f64 = text.parse().ok()?;
    let exact = whole.len() + fraction.len() <= EXACT_DIGITS_MAX || number.to_string() == text;
    exact.then_some(Value::Double(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rule in one line: a number is what prints as the same text.
    fn by_printing(text: &str) -> Value<'_> {
        match text.parse::<i64>() {
            Ok(number) if number.to_string() == text => return Value::Int(number),
            _ => {}
        }
        match text.parse::<f64>() {
            Ok(number) if text.contains('.') && number.to_string() == text => Value::Double(number),
            _ => Value::str(text),
        }
    }

    #[test]
    fn only_what_reads_back_changes_its_type() {
        for text in [
            "0",
            "-0",
            "-1",
            "007",
            "1.5",
            "1.50",
            "-0.5",
            ".5",
            "5.",
            "1.",
            "-",
            "--1",
            "1e5",
            "nan",
            "inf",
            "1.2.3",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "0.1",
            "00.1",
            "0.0",
            "-0.0",
            "0.30000000000000004",
            "0.300000000000000041",
            "123456789012345678.5",
            "1_000",
            "+1",
            "٣",
            "",
            "-.5",
            "1234567890.12345",
        ] {
            assert_eq!(typed(text), by_printing(text), "{text}");
        }
        assert_eq!((typed("true"), typed("True")), (Value::Bool(true), Value::str("True")));
    }

    proptest::proptest! {
        #[test]
        fn typed_is_what_printing_says(text in "-?[0-9]{0,20}\\.?[0-9]{0,20}") {
            proptest::prop_assert_eq!(typed(&text), by_printing(&text));
        }
    }
}
