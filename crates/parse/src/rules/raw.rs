//! Files of parse rules as YAML has them.

use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer};
use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawFile {
    pub(super) join: Vec<RawJoin>,
    pub(super) parse: Vec<RawParse>,
    pub(super) redact: Vec<RawRedact>,
}

pub(super) type RawMatch = BTreeMap<String, Spanned<Scalar<RawTest>>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawParse {
    pub(super) name: Spanned<String>,
    #[serde(default, rename = "match")]
    pub(super) matches: RawMatch,
    pub(super) from: Option<String>,
    pub(super) format: Spanned<Scalar<RawFormat>>,
    #[serde(default)]
    pub(super) prefix: String,
    pub(super) keep: Option<bool>,
    pub(super) on_error: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) set: BTreeMap<String, Spanned<Scalar<RawSet>>>,
    #[serde(default)]
    pub(super) drop: Vec<String>,
    #[serde(default)]
    pub(super) rename: BTreeMap<String, Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawTest {
    pub(super) regex: Option<Spanned<String>>,
    pub(super) exists: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawFormat {
    pub(super) regex: Option<Spanned<String>>,
    pub(super) pattern: Option<Spanned<String>>,
    pub(super) csv: Option<Scalar<RawCsv>>,
    pub(super) kv: Option<RawKv>,
    pub(super) syslog: Option<RawSyslog>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawCsv {
    pub(super) columns: Vec<String>,
    pub(super) delimiter: Option<char>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawKv {
    #[serde(default)]
    pub(super) between: String,
    pub(super) assign: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSyslog {
    pub(super) utc_offset: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawSet {
    pub(super) from: String,
    #[serde(default)]
    pub(super) formats: Vec<Spanned<String>>,
    pub(super) utc_offset: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawJoin {
    pub(super) name: Spanned<String>,
    #[serde(default, rename = "match")]
    pub(super) matches: RawMatch,
    pub(super) kind: Spanned<Scalar<RawKind>>,
    pub(super) max_lines: Option<Spanned<usize>>,
    pub(super) max_bytes: Option<Spanned<usize>>,
    pub(super) timeout: Option<Spanned<String>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RawKind {
    pub(super) start: Option<Spanned<String>>,
    #[serde(rename = "continue")]
    pub(super) continues: Option<Spanned<String>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRedact {
    pub(super) name: Spanned<String>,
    #[serde(default, rename = "match")]
    pub(super) matches: RawMatch,
    pub(super) fields: Option<Vec<String>>,
    pub(super) detect: Spanned<Vec<Spanned<Scalar<RawDetector>>>>,
    #[serde(rename = "with")]
    pub(super) replacement: Option<Spanned<Scalar<RawWith>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawDetector {
    pub(super) regex: Spanned<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawWith {
    pub(super) mask: usize,
}

/// A place where a short and a long form are allowed: a text, a list of texts, or keys. Not serde's `untagged`, which forgets the
/// places of what is inside.
#[derive(Debug)]
pub(super) enum Scalar<T> {
    Text(String),
    List(Vec<String>),
    Keys(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Scalar<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(ScalarVisitor(PhantomData))
    }
}

struct ScalarVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for ScalarVisitor<T> {
    type Value = Scalar<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a list of texts or keys")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Text(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Scalar::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Scalar::Keys)
    }
}
