//! Which records a rule is about.

use std::borrow::Cow;

use model::Row;
use regex::Regex;

/// A record that rules look at, whatever form it travels in: a row, or a line of a batch of columns.
pub trait View {
    /// The text of a field; `None` when the record has none of that name.
    fn text(&self, name: &str) -> Option<Cow<'_, str>>;

    /// Shows every field with its text, but not `_time`, `_id` and `_stream`.
    fn each(&self, show: &mut dyn FnMut(&str, &str));
}

impl View for Row {
    fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get(name).map(model::Value::text)
    }

    fn each(&self, show: &mut dyn FnMut(&str, &str)) {
        for (name, value) in &self.fields {
            show(name, &value.text());
        }
    }
}

/// What a field must be.
#[derive(Debug)]
pub(super) enum Wants {
    /// One of these texts.
    OneOf(Vec<String>),
    /// Matched by an expression.
    Regex(Regex),
    /// There, or not there.
    Exists(bool),
}

/// All of these must hold; none at all hold for every record.
#[derive(Debug, Default)]
pub(super) struct Match(pub(super) Vec<(String, Wants)>);

impl Match {
    pub(super) fn holds(&self, record: &dyn View) -> bool {
        self.0.iter().all(|(field, wants)| match (record.text(field), wants) {
            (Some(text), Wants::OneOf(texts)) => texts.iter().any(|wanted| *wanted == text),
            (Some(text), Wants::Regex(regex)) => regex.is_match(&text),
            (text, Wants::Exists(wanted)) => text.is_some() == *wanted,
            (None, _) => false,
        })
    }
}
