//! Labels while they are worked on.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use model::{Labels, LabelsBuilder};
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::Xxh3Builder;

/// Labels that change: of a target while it is relabelled, of a series once, when it is first seen. No value is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LabelSet(BTreeMap<String, String>);

impl LabelSet {
    /// The value of a label, or the empty text.
    pub fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Sets a label; an empty value removes it.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        let value = value.into();
        if value.is_empty() {
            self.0.remove(name);
        } else {
            self.0.insert(name.to_owned(), value);
        }
    }

    /// Sets a label that has no value yet.
    pub fn set_default(&mut self, name: &str, value: impl Into<String>) {
        if self.get(name).is_empty() {
            self.set(name, value);
        }
    }

    /// Keeps labels by their names.
    pub fn retain(&mut self, mut keep: impl FnMut(&str) -> bool) {
        self.0.retain(|name, _| keep(name));
    }

    /// The labels, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// As a series has them.
    pub fn to_labels(&self) -> Labels {
        self.to_labels_of(&mut Texts::default())
    }

    /// The same, made of texts that other series have too.
    pub(crate) fn to_labels_of(&self, texts: &mut Texts) -> Labels {
        let mut builder = LabelsBuilder::default();
        for (name, value) in self.iter() {
            builder.set(texts.get(name), texts.get(value));
        }
        builder.build()
    }
}

/// Texts of labels, each in memory once: most series of a target have most of them in common.
#[derive(Debug, Default)]
pub(crate) struct Texts(HashSet<Arc<str>, Xxh3Builder>);

impl Texts {
    fn get(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let text: Arc<str> = text.into();
        self.0.insert(Arc::clone(&text));
        text
    }

    /// Gives up texts that no series has any more.
    pub(crate) fn forget(&mut self) {
        self.0.retain(|text| Arc::strong_count(text) > 1);
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for LabelSet {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut labels = Self::default();
        for (name, value) in pairs {
            labels.set(&name.into(), value);
        }
        labels
    }
}

impl fmt::Display for LabelSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
        write!(f, "{{{}}}", pairs.join(", "))
    }
}

/// A text as part of a label's name: what may not be in one becomes an underscore.
pub(crate) fn sanitize(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}
