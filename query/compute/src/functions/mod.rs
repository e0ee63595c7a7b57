//! The functions, a file for each family. Each takes the values of its arguments and what was kept of its constants, and
//! makes a value; `None` is the missing one. Arguments that a function needs are there when it runs.

pub(crate) mod addresses;
pub(crate) mod codes;
mod conditions;
mod hashes;
pub(crate) mod json;
mod numbers;
pub(crate) mod patterns;
pub(crate) mod quantity;
pub(crate) mod template;
mod texts;
pub(crate) mod times;
mod urls;

use std::borrow::Cow;

use lang::ScalarFunction;

use crate::limits::TEXT_BYTES_MAX;
use crate::prepare::Prepared;
use crate::value::Value;

/// A function of values.
pub(crate) type Run = for<'r> fn(&mut [Value<'r>], &'r Prepared) -> Option<Value<'r>>;

const FAMILIES: [fn(ScalarFunction) -> Option<Run>; 9] = [
    texts::pick,
    codes::pick,
    numbers::pick,
    times::pick,
    patterns::pick,
    json::pick,
    addresses::pick,
    urls::pick,
    hashes::pick,
];

/// What computes a function. Those that do not see all of their arguments (`if`, `in`, ...) are no calls to the program.
pub(crate) fn pick(function: ScalarFunction) -> Run {
    FAMILIES.iter().find_map(|family| family(function)).unwrap_or_else(|| conditions::pick(function))
}

/// How many of its first arguments a function cannot do without.
pub(crate) fn needed(function: ScalarFunction, given: usize) -> usize {
    match function {
        ScalarFunction::Concat
        | ScalarFunction::Format
        | ScalarFunction::IsMissing
        | ScalarFunction::Exists
        | ScalarFunction::TypeOf => 0,
        _ => given,
    }
}

/// Takes an argument's text.
pub(crate) fn text<'r>(values: &mut [Value<'r>], at: usize) -> Option<Cow<'r, str>> {
    std::mem::take(values.get_mut(at)?).into_text()
}

/// A text made piece by piece that ends at [`TEXT_BYTES_MAX`], or a quarter of that beyond the longest of its pieces.
pub(crate) struct Bounded {
    text: String,
    bytes_max: usize,
}

impl Bounded {
    /// Made of a text of so many bytes.
    pub(crate) fn of(bytes: usize) -> Self {
        Self { text: String::new(), bytes_max: TEXT_BYTES_MAX.max(bytes + TEXT_BYTES_MAX / 4) }
    }

    /// Adds a piece; `None` when the text would be too long.
    pub(crate) fn push(&mut self, piece: &str) -> Option<()> {
        self.bytes_max = self.bytes_max.max(piece.len() + TEXT_BYTES_MAX / 4);
        if self.text.len() + piece.len() > self.bytes_max {
            return None;
        }
        self.text.push_str(piece);
        Some(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn into_value(self) -> Value<'static> {
        Value::Text(Cow::Owned(self.text))
    }
}

/// A text that a function made at once, unless it is too long.
pub(crate) fn bounded<'r>(text: String) -> Option<Value<'r>> {
    (text.len() <= TEXT_BYTES_MAX).then_some(Value::Text(Cow::Owned(text)))
}

/// A part of a text, borrowed when the text is.
pub(crate) fn part(text: Cow<'_, str>, start: usize, end: usize) -> Value<'_> {
    Value::Text(match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[start..end]),
        Cow::Owned(text) if start == 0 && end == text.len() => Cow::Owned(text),
        Cow::Owned(text) => Cow::Owned(text[start..end].to_owned()),
    })
}
