//! Functions of JSON. Only what a path leads to is kept; everything else is passed over while it is read.

use std::borrow::Cow;
use std::fmt;

use lang::ScalarFunction;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Bounded, Run, text};
use crate::compare;
use crate::limits::{PATH_STEPS_MAX, TEXT_BYTES_MAX};
use crate::prepare::Prepared;
use crate::value::Value;

type Json = serde_json::Value;

pub(super) fn pick(function: ScalarFunction) -> Option<Run> {
    Some(match function {
        ScalarFunction::JsonGet => get,
        ScalarFunction::JsonKeys => |v, _| keys(&text(v, 0)?),
        ScalarFunction::JsonLen => |v, _| count(&text(v, 0)?).map(Value::Int),
        ScalarFunction::JsonArrayContains => |v, _| {
            let Json::Array(items) = parsed(&text(v, 0)?)? else { return None };
            Some(Value::Bool(items.into_iter().any(|item| compare::equal(&of_json(item), &v[1]))))
        },
        ScalarFunction::ListJoin => |v, _| join(v),
        ScalarFunction::ToJson => |v, _| to_json(std::mem::take(&mut v[0])),
        ScalarFunction::IsJson => |v, _| Some(Value::Bool(serde_json::from_str::<IgnoredAny>(&text(v, 0)?).is_ok())),
        _ => return None,
    })
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The value of a name in an object.
    Name(String),
    /// An item of a list; negative from the end.
    At(i64),
}

/// Reads `a.b[0]["c d"]`, with or without `$` before it.
pub(crate) fn path(text: &str) -> Result<Vec<Step>, String> {
    let bad = |what: &str| format!("bad path \"{text}\": {what}");
    let mut rest = text.trim();
    rest = rest.strip_prefix('$').unwrap_or(rest);
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if steps.len() == PATH_STEPS_MAX {
            return Err(bad(&format!("it has more than {PATH_STEPS_MAX} steps (PATH_STEPS_MAX)")));
        }
        if let Some(inner) = rest.strip_prefix('[') {
            let (step, after) = bracket(inner).ok_or_else(|| bad("`[` needs a number or a name in quotes, and `]`"))?;
            steps.push(step);
            rest = after;
            continue;
        }
        let name = match rest.strip_prefix('.') {
            Some(name) => name,
            None if steps.is_empty() => rest,
            None => return Err(bad("a `.` or a `[` is missing between two steps")),
        };
        let end = name.find(['.', '[']).unwrap_or(name.len());
        if end == 0 {
            return Err(bad("a name is missing after `.`"));
        }
        steps.push(Step::Name(name[..end].to_owned()));
        rest = &name[end..];
    }
    if steps.is_empty() { Err(bad("it is empty")) } else { Ok(steps) }
}

/// What stands in brackets, and what comes after them.
fn bracket(inner: &str) -> Option<(Step, &str)> {
    let Some(quote) = inner.chars().next().filter(|c| *c == '"' || *c == '\'') else {
        let (number, after) = inner.split_once(']')?;
        return Some((Step::At(number.trim().parse().ok()?), after));
    };
    let mut name = String::new();
    let mut chars = inner[1..].char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => name.push(chars.next()?.1),
            c if c == quote => return Some((Step::Name(name), inner[at + 2..].strip_prefix(']')?)),
            c => name.push(c),
        }
    }
    None
}

fn get<'r>(v: &mut [Value<'r>], prepared: &'r Prepared) -> Option<Value<'r>> {
    let json = text(v, 0)?;
    let found = match prepared {
        Prepared::Path(steps) => find(&json, steps),
        _ => find(&json, &path(&v[1].to_text()?).ok()?),
    };
    Some(of_json(found?))
}

/// The value at a path; `None` when there is none or the text is no JSON.
pub(crate) fn find(json: &str, steps: &[Step]) -> Option<Json> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let found = At(steps).deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    found
}

/// Reads a value and keeps what a path leads to in it.
#[derive(Clone, Copy)]
struct At<'p>(&'p [Step]);

impl<'de> DeserializeSeed<'de> for At<'_> {
    type Value = Option<Json>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        match self.0 {
            [] => serde::Deserialize::deserialize(reader).map(Some),
            _ => reader.deserialize_any(self),
        }
    }
}

impl<'de> Visitor<'de> for At<'_> {
    type Value = Option<Json>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        let wanted = match &self.0[0] {
            Step::Name(name) => Some(name.as_str()),
            Step::At(_) => None,
        };
        while let Some(is_wanted) = map.next_key_seed(Is(wanted))? {
            if is_wanted {
                // Of names given twice the last counts, as for most readers.
                found = map.next_value_seed(At(&self.0[1..]))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let Step::At(wanted) = &self.0[0] else {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(None);
        };
        let below = At(&self.0[1..]);
        if *wanted < 0 {
            let mut all = Vec::new();
            while let Some(found) = items.next_element_seed(below)? {
                all.push(found);
            }
            let from_end = usize::try_from(wanted.unsigned_abs()).ok().and_then(|back| all.len().checked_sub(back));
            return Ok(from_end.and_then(|at| all.swap_remove(at)));
        }
        for _ in 0..*wanted {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(None);
            }
        }
        let found = items.next_element_seed(below)?.flatten();
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(found)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_str<E>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Whether a name is this one, without keeping it.
struct Is<'p>(Option<&'p str>);

impl<'de> DeserializeSeed<'de> for Is<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<bool, D::Error> {
        reader.deserialize_str(self)
    }
}

impl Visitor<'_> for Is<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<bool, E> {
        Ok(self.0 == Some(name))
    }
}

fn parsed(json: &str) -> Option<Json> {
    serde_json::from_str(json).ok()
}

/// A value of JSON as a value. A whole number that no `i64` holds stays a text, so that its digits stay.
fn of_json(json: Json) -> Value<'static> {
    match json {
        Json::Null => Value::Missing,
        Json::Bool(value) => Value::Bool(value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), _, _) => Value::Int(n),
            (None, Some(n), _) => Value::text(n.to_string()),
            (None, None, Some(n)) => Value::Number(n),
            (None, None, None) => Value::text(number.to_string()),
        },
        Json::String(text) => Value::text(text),
        Json::Array(_) | Json::Object(_) => Value::Json(Cow::Owned(json.to_string())),
    }
}

fn keys<'r>(json: &str) -> Option<Value<'r>> {
    let Json::Object(map) = parsed(json)? else { return None };
    list(map.keys(), |name, list| list.text(name))
}

fn count(json: &str) -> Option<i64> {
    struct Count;
    impl<'de> Visitor<'de> for Count {
        type Value = i64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list or an object")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<i64, A::Error> {
            let mut count = 0;
            while items.next_element::<IgnoredAny>()?.is_some() {
                count += 1;
            }
            Ok(count)
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<i64, A::Error> {
            let mut count = 0;
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
                count += 1;
            }
            Ok(count)
        }
    }
    let mut reader = serde_json::Deserializer::from_str(json);
    let count = reader.deserialize_any(Count).ok()?;
    reader.end().ok().map(|()| count)
}

fn join<'r>(v: &mut [Value<'r>]) -> Option<Value<'r>> {
    let separator = if v.len() > 1 { text(v, 1)? } else { Cow::Borrowed(",") };
    let Json::Array(items) = parsed(&text(v, 0)?)? else { return None };
    let mut out = Bounded::of(0);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(&separator)?;
        }
        out.push(&of_json(item).into_text().unwrap_or_default())?;
    }
    Some(out.into_value())
}

fn to_json(value: Value<'_>) -> Option<Value<'_>> {
    let plain = match &value {
        Value::Json(_) | Value::Bool(_) | Value::Int(_) => true,
        Value::Number(n) => n.is_finite(),
        _ => false,
    };
    let text = value.into_text()?;
    if plain {
        return Some(Value::Json(text));
    }
    let quoted = quoted(&text);
    (quoted.len() <= TEXT_BYTES_MAX).then_some(Value::Json(Cow::Owned(quoted)))
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    Json::from(text).to_string()
}

/// A list as it is made.
pub(crate) struct List(Vec<u8>);

impl List {
    /// Adds a text; `None` when the list would be too long.
    pub(crate) fn text(&mut self, item: &str) -> Option<()> {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        if self.0.len() + item.len() > TEXT_BYTES_MAX {
            return None;
        }
        serde_json::to_writer(&mut self.0, item).ok()
    }
}

/// The list of what is made of items.
pub(crate) fn list<'r, T>(
    items: impl Iterator<Item = T>,
    mut add: impl FnMut(T, &mut List) -> Option<()>,
) -> Option<Value<'r>> {
    let mut list = List(vec![b'[']);
    for item in items {
        add(item, &mut list)?;
    }
    list.0.push(b']');
    Some(Value::Json(Cow::Owned(String::from_utf8(list.0).ok()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_in_every_spelling() {
        let name = |name: &str| Step::Name(name.to_owned());
        let cases = [
            ("a", vec![name("a")]),
            ("$.a.b", vec![name("a"), name("b")]),
            (".a", vec![name("a")]),
            ("a[0][-1]", vec![name("a"), Step::At(0), Step::At(-1)]),
            (r#"["a.b"]['c"d'].e"#, vec![name("a.b"), name("c\"d"), name("e")]),
            (r#"["a\"b"]"#, vec![name("a\"b")]),
            ("[2].größe", vec![Step::At(2), name("größe")]),
        ];
        for (text, steps) in cases {
            assert_eq!(path(text), Ok(steps), "{text}");
        }
        for text in ["", "$", "a..b", "a[", "a[x]", "a[\"b]", "a[0]b", "a.", &"a.".repeat(99)] {
            assert!(path(text).is_err(), "{text}");
        }
    }
}
