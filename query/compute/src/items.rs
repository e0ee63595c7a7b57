//! The constant items of `x in (...)` as a table.

use std::collections::HashSet;

use crate::compare;
use crate::value::{Num, Value};

/// Items that are all constant. Lookup says the same as comparing with each.
#[derive(Debug)]
pub(crate) struct Items {
    texts: HashSet<Box<str>>,
    /// Items that are numbers.
    numbers: HashSet<Key>,
    /// Texts that are numbers: the same as a number, and not as another text.
    text_numbers: HashSet<Key>,
    /// Truths, times, lists and the missing value: few, compared one by one.
    others: Vec<Value<'static>>,
}

/// A number that can be looked up; equal numbers have equal keys.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Key {
    Int(i64),
    Bits(u64),
}

fn key(number: Num) -> Option<Key> {
    match number {
        Num::Int(n) => Some(Key::Int(n)),
        Num::Float(n) => Some(match Num::of(n) {
            Some(Num::Int(n)) => Key::Int(n),
            _ => Key::Bits(n.to_bits()),
        }),
    }
}

impl Items {
    pub(crate) fn new(items: Vec<Value<'static>>) -> Self {
        let mut out =
            Self { texts: HashSet::new(), numbers: HashSet::new(), text_numbers: HashSet::new(), others: Vec::new() };
        for item in items {
            match item {
                Value::Text(_) => {
                    out.text_numbers.extend(item.number().and_then(key));
                    out.texts.extend(item.into_text().map(Box::from));
                }
                Value::Int(_) | Value::Number(_) => out.numbers.extend(item.number().and_then(key)),
                Value::Missing | Value::Bool(_) | Value::Time(_) | Value::Json(_) => out.others.push(item),
            }
        }
        out
    }

    pub(crate) fn contains(&self, value: &Value<'_>) -> bool {
        let found = match value {
            Value::Text(text) | Value::Json(text) => {
                let number = || value.number().and_then(key).is_some_and(|key| self.numbers.contains(&key));
                self.texts.contains(text.as_ref()) || (!self.numbers.is_empty() && number())
            }
            Value::Int(_) | Value::Number(_) => value
                .number()
                .and_then(key)
                .is_some_and(|key| self.numbers.contains(&key) || self.text_numbers.contains(&key)),
            // Kinds that are equal to texts in ways of their own.
            Value::Missing => self.texts.contains(""),
            Value::Bool(_) | Value::Time(_) => {
                self.texts.iter().any(|text| compare::equal(value, &Value::text(text.as_ref())))
                    || self.numbers.iter().any(|key| compare::equal(value, &of_key(key)))
            }
        };
        found || self.others.iter().any(|item| compare::equal(value, item))
    }
}

fn of_key(key: &Key) -> Value<'static> {
    match key {
        Key::Int(n) => Value::Int(*n),
        Key::Bits(bits) => Value::Number(f64::from_bits(*bits)),
    }
}
