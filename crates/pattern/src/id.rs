//! The name of a pattern.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use xxhash_rust::xxh3::xxh3_64;

/// A pattern, for good: it keeps its id while it grows more general, and an id that was replaced in a merge leads to what it
/// became. Shown, parsed and serialized as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PatternId(pub u64);

impl PatternId {
    /// Lines that the limits left without a pattern of their own.
    pub const OVERFLOW: Self = Self(0);

    /// The id of a template, the same wherever it is first seen.
    pub(crate) fn of(key: &str) -> Self {
        Self(xxh3_64(key.as_bytes()).max(1))
    }

    /// The next id to try when one is taken.
    pub(crate) fn next(self) -> Self {
        Self(xxh3_64(&self.0.to_le_bytes()).max(1))
    }
}

impl fmt::Display for PatternId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What is wrong with the text of an id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no pattern id: one is 16 hexadecimal digits, as in `_pattern` of a row")]
pub struct BadId {
    /// What stands there.
    pub text: String,
}

impl FromStr for PatternId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let digits = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = digits.then(|| u64::from_str_radix(text, 16).ok()).flatten();
        id.map(Self).ok_or_else(|| BadId { text: text.to_owned() })
    }
}

impl Serialize for PatternId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PatternId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}
