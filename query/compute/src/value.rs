//! Values, and how one kind of value becomes another.

use std::borrow::Cow;

/// A value of a row, or what an expression is worth. Texts are borrowed from the row or the program where they can be.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value<'a> {
    /// The row has no such value, or it could not be computed.
    #[default]
    Missing,
    /// True or false.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Another number.
    Number(f64),
    /// A time, in nanoseconds since 1970.
    Time(i64),
    /// A text.
    Text(Cow<'a, str>),
    /// A list or an object, in JSON.
    Json(Cow<'a, str>),
}

/// A number: whole ones keep all their digits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Num {
    Int(i64),
    Float(f64),
}

/// 2^63, the first double that no `i64` holds.
const WHOLE_END: f64 = 9_223_372_036_854_775_808.0;

impl Num {
    pub(crate) fn as_f64(self) -> f64 {
        match self {
            Self::Int(n) => n as f64,
            Self::Float(n) => n,
        }
    }

    /// A double as the number it is; whole ones as whole numbers. `None` for infinities and what is no number.
    pub(crate) fn of(n: f64) -> Option<Self> {
        if n.fract() == 0.0 && n.abs() < WHOLE_END {
            return Some(Self::Int(n as i64));
        }
        n.is_finite().then_some(Self::Float(n))
    }

    /// The whole number that it is, its fraction cut off.
    pub(crate) fn truncated(self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(n),
            Self::Float(n) => (n.abs() < WHOLE_END).then_some(n as i64),
        }
    }
}

impl From<Num> for Value<'_> {
    fn from(number: Num) -> Self {
        match number {
            Num::Int(n) => Self::Int(n),
            Num::Float(n) => Self::Number(n),
        }
    }
}

impl<'a> Value<'a> {
    /// A text.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(text.into())
    }

    /// A computed number; missing when it is infinite or none.
    pub(crate) fn of(n: f64) -> Self {
        Num::of(n).map_or(Self::Missing, Self::from)
    }

    /// Whether it is missing or an empty text, which the language takes for the same.
    pub fn is_blank(&self) -> bool {
        match self {
            Self::Missing => true,
            Self::Text(text) | Self::Json(text) => text.is_empty(),
            _ => false,
        }
    }

    /// The number that it is: texts count when all of them is one finite number. A time is its nanoseconds.
    pub(crate) fn number(&self) -> Option<Num> {
        match self {
            Self::Int(n) | Self::Time(n) => Some(Num::Int(*n)),
            Self::Number(n) => (!n.is_nan()).then_some(Num::Float(*n)),
            Self::Text(text) => text_number(text),
            Self::Missing | Self::Bool(_) | Self::Json(_) => None,
        }
    }

    /// The whole number that it is, its fraction cut off.
    pub(crate) fn whole(&self) -> Option<i64> {
        self.number()?.truncated()
    }

    /// The number as a double, as tables of numbers keep it.
    pub fn as_f64(&self) -> Option<f64> {
        self.number().map(Num::as_f64)
    }

    /// The whole number that it is; `None` for fractions and what no `i64` holds.
    pub fn as_i64(&self) -> Option<i64> {
        match self.number()? {
            Num::Int(n) => Some(n),
            Num::Float(n) => match Num::of(n)? {
                Num::Int(n) => Some(n),
                Num::Float(_) => None,
            },
        }
    }

    /// The time that it is, in nanoseconds since 1970, as `to_time` reads it.
    pub fn as_time_ns(&self) -> Option<i64> {
        self.time()
    }

    /// The nanoseconds of a duration: a number, or a text such as `1h30m`.
    pub(crate) fn duration(&self) -> Option<i64> {
        let number = || self.number().and_then(|number| rounded(number.as_f64(), number));
        match self {
            Self::Text(text) => number().or_else(|| signed_duration(text.trim())),
            _ => number(),
        }
    }

    /// The time that it is: a time, a Unix time, or a text that says one.
    pub(crate) fn time(&self) -> Option<i64> {
        match self {
            Self::Time(ns) => Some(*ns),
            Self::Int(n) => Some(unix_ns(*n)),
            Self::Number(n) => unix_fraction_ns(*n),
            Self::Text(text) => text_time(text.trim()),
            Self::Missing | Self::Bool(_) | Self::Json(_) => None,
        }
    }

    /// Whether a condition that is worth this holds. What is missing does not.
    pub fn holds(&self) -> bool {
        match self {
            Self::Bool(value) => *value,
            Self::Int(n) | Self::Time(n) => *n != 0,
            Self::Number(n) => *n != 0.0 && !n.is_nan(),
            Self::Text(text) => {
                text.eq_ignore_ascii_case("true") || text_number(text).is_some_and(|n| n.as_f64() != 0.0)
            }
            Self::Missing | Self::Json(_) => false,
        }
    }

    /// Its text, as queries compare it and results show it; `None` when it is missing.
    pub fn into_text(self) -> Option<Cow<'a, str>> {
        Some(match self {
            Self::Missing => return None,
            Self::Bool(true) => Cow::Borrowed("true"),
            Self::Bool(false) => Cow::Borrowed("false"),
            Self::Int(n) => Cow::Owned(n.to_string()),
            Self::Number(n) => Cow::Owned(model::Value::Double(n).text().into_owned()),
            Self::Time(ns) => Cow::Owned(model::Timestamp(ns).to_string()),
            Self::Text(text) | Self::Json(text) => text,
        })
    }

    /// Its text without taking it.
    pub(crate) fn to_text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) | Self::Json(text) => Some(Cow::Borrowed(text)),
            other => other.borrowed().into_text(),
        }
    }

    /// The same value, borrowed from this one.
    pub(crate) fn borrowed(&self) -> Value<'_> {
        match self {
            Self::Missing => Value::Missing,
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(n) => Value::Int(*n),
            Self::Number(n) => Value::Number(*n),
            Self::Time(ns) => Value::Time(*ns),
            Self::Text(text) => Value::Text(Cow::Borrowed(text)),
            Self::Json(text) => Value::Json(Cow::Borrowed(text)),
        }
    }

    /// The same value, with texts of its own.
    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::Missing => Value::Missing,
            Self::Bool(value) => Value::Bool(value),
            Self::Int(n) => Value::Int(n),
            Self::Number(n) => Value::Number(n),
            Self::Time(ns) => Value::Time(ns),
            Self::Text(text) => Value::Text(Cow::Owned(text.into_owned())),
            Self::Json(text) => Value::Json(Cow::Owned(text.into_owned())),
        }
    }
}

/// The number that a text is.
pub(crate) fn text_number(text: &str) -> Option<Num> {
    let text = text.trim();
    // What starts otherwise is no number that counts: `inf` and `nan` are words.
    if !text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c)) {
        return None;
    }
    if let Ok(whole) = text.parse() {
        return Some(Num::Int(whole));
    }
    text.parse().ok().filter(|n: &f64| n.is_finite()).map(Num::Float)
}

/// A number of nanoseconds as a whole number.
fn rounded(n: f64, number: Num) -> Option<i64> {
    match number {
        Num::Int(ns) => Some(ns),
        Num::Float(_) => (n.abs() < WHOLE_END).then_some(n.round() as i64),
    }
}

fn signed_duration(text: &str) -> Option<i64> {
    match text.strip_prefix('-') {
        Some(rest) => model::parse_duration_ns(rest)?.checked_neg(),
        None => model::parse_duration_ns(text),
    }
}

/// A Unix time in seconds, milliseconds, microseconds or nanoseconds, told apart by its size as in `model::Timestamp::parse`.
fn unix_ns(n: i64) -> i64 {
    let unit = match n.unsigned_abs() {
        0..100_000_000_000 => 1_000_000_000,
        100_000_000_000..100_000_000_000_000 => 1_000_000,
        100_000_000_000_000..100_000_000_000_000_000 => 1_000,
        _ => 1,
    };
    n.saturating_mul(unit)
}

fn unix_fraction_ns(n: f64) -> Option<i64> {
    if !n.is_finite() || n.abs() >= WHOLE_END {
        return None;
    }
    let whole = n.trunc();
    let unit = match whole.abs() {
        size if size < 1e11 => 1e9,
        size if size < 1e14 => 1e6,
        size if size < 1e17 => 1e3,
        _ => 1.0,
    };
    Some(unix_ns(whole as i64).saturating_add((n.fract() * unit).round() as i64))
}

/// The time that a text says by itself: RFC 3339, a date, or a Unix time.
pub(crate) fn text_time(text: &str) -> Option<i64> {
    if let Some(number) = text_number(text) {
        return match number {
            Num::Int(n) => Some(unix_ns(n)),
            Num::Float(n) => unix_fraction_ns(n),
        };
    }
    civil_time(text)
}

/// The time that a text in RFC 3339 says; numbers are none.
pub(crate) fn civil_time(text: &str) -> Option<i64> {
    let text = text.trim();
    // Relative times and words need a clock, and no row means them.
    let year = text.len() >= 10 && text.as_bytes()[..4].iter().all(u8::is_ascii_digit) && text.as_bytes()[4] == b'-';
    if !year {
        return None;
    }
    model::Timestamp::parse(text, model::Timestamp(0)).ok().map(|time| time.0)
}
