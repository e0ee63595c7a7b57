//! Field names of one request, interned: what is known of a name is looked up once, not once a record.

use std::collections::HashMap;
use std::sync::Arc;

use column::{BatchBuilder, Slot};
use model::{STREAM_FIELDS, field};

use crate::wire::{Odd, text};

/// Place of a name in [`Names`].
pub(super) type NameId = usize;

/// What stands for the name before the first attribute of a record, and of a resource. They are names that hardly any attribute
/// has, and what is remembered behind a name is only ever a guess.
pub(super) const BEFORE_RECORD: NameId = 0;
pub(super) const BEFORE_RESOURCE: NameId = 1;

/// Places of the built-in names in [`field::BUILT_IN`], which starts every list, and of the scope's behind them.
pub(super) const OBSERVED_TIME: NameId = 3;
pub(super) const SEVERITY: NameId = 4;
pub(super) const SEVERITY_NUMBER: NameId = 5;
pub(super) const SEVERITY_TEXT: NameId = 6;
pub(super) const BODY: NameId = 7;
pub(super) const TRACE_ID: NameId = 8;
pub(super) const SPAN_ID: NameId = 9;
pub(super) const FLAGS: NameId = 10;
pub(super) const EVENT_NAME: NameId = 11;
pub(super) const DROPPED_ATTRIBUTES: NameId = 12;
pub(super) const SCOPE_NAME: NameId = 13;
pub(super) const SCOPE_VERSION: NameId = 14;

/// What is known of a name.
#[derive(Debug)]
pub(super) struct Name {
    text: Arc<str>,
    /// Its field in the batch being built, once it has a value there.
    slot: Option<Slot>,
    /// The attribute that came after it last time: records of one program carry their attributes in one order.
    next: NameId,
    /// Whether a record has a field of this name by itself.
    pub(super) is_built_in: bool,
    /// Whether it is one of the fields that make the stream.
    pub(super) is_stream: bool,
    /// The last record that had it as an attribute of its own; records are numbered from 1.
    pub(super) record: u64,
    /// The last group whose resource had it, and its place among the resource's fields; groups are numbered from 1.
    pub(super) resource: (u64, usize),
    /// The last group whose scope had it.
    pub(super) scope: u64,
    /// The name that a value goes under when this one is taken, once needed.
    aside: Option<NameId>,
}

/// The names of a request.
#[derive(Debug)]
pub(super) struct Names {
    list: Vec<Name>,
    ids: HashMap<Arc<str>, NameId>,
}

impl Names {
    pub(super) fn new() -> Self {
        let mut names = Self { list: Vec::new(), ids: HashMap::new() };
        for name in field::BUILT_IN.into_iter().chain([field::SCOPE_NAME, field::SCOPE_VERSION]) {
            names.id(name);
        }
        names
    }

    /// The name of an attribute, given the one before it.
    #[inline]
    pub(super) fn attribute(&mut self, before: NameId, key: &[u8]) -> Result<NameId, Odd> {
        let guess = self.list[before].next;
        // What is in the list is UTF-8, so equal bytes are.
        if self.list[guess].text.as_bytes() == key {
            return Ok(guess);
        }
        let id = self.id(text(key)?);
        self.list[before].next = id;
        Ok(id)
    }

    pub(super) fn id(&mut self, text: &str) -> NameId {
        if let Some(id) = self.ids.get(text) {
            return *id;
        }
        let id = self.list.len();
        let shared: Arc<str> = text.into();
        self.list.push(Name {
            text: shared.clone(),
            slot: None,
            next: id,
            is_built_in: field::BUILT_IN.contains(&text),
            is_stream: STREAM_FIELDS.contains(&text),
            record: 0,
            resource: (0, 0),
            scope: 0,
            aside: None,
        });
        self.ids.insert(shared, id);
        id
    }

    /// The name that a value gives way to when it cannot have its own: `attributes.<name>` for an attribute under a built-in
    /// name, `resource.<name>` for the resource's value when the record has another.
    pub(super) fn aside(&mut self, id: NameId) -> NameId {
        if let Some(aside) = self.list[id].aside {
            return aside;
        }
        let name = &self.list[id];
        let prefix = if name.is_built_in { "attributes" } else { "resource" };
        let text = format!("{prefix}.{}", name.text);
        let aside = self.id(&text);
        self.list[id].aside = Some(aside);
        aside
    }

    /// The field of a name in a batch.
    #[inline]
    pub(super) fn slot(&mut self, id: NameId, builder: &mut BatchBuilder) -> Slot {
        let name = &mut self.list[id];
        *name.slot.get_or_insert_with(|| builder.slot(&name.text))
    }

    /// Forgets the fields of the batch: the next one starts.
    pub(super) fn forget_slots(&mut self) {
        self.list.iter_mut().for_each(|name| name.slot = None);
    }

    pub(super) fn len(&self) -> usize {
        self.list.len()
    }

    pub(super) fn text(&self, id: NameId) -> &Arc<str> {
        &self.list[id].text
    }
}

impl std::ops::Index<NameId> for Names {
    type Output = Name;

    fn index(&self, id: NameId) -> &Name {
        &self.list[id]
    }
}

impl std::ops::IndexMut<NameId> for Names {
    fn index_mut(&mut self, id: NameId) -> &mut Name {
        &mut self.list[id]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_names_agree() {
        let names = Names::new();
        let built_in = [
            (OBSERVED_TIME, field::OBSERVED_TIME),
            (SEVERITY, field::SEVERITY),
            (SEVERITY_NUMBER, field::SEVERITY_NUMBER),
            (SEVERITY_TEXT, field::SEVERITY_TEXT),
            (BODY, field::BODY),
            (TRACE_ID, field::TRACE_ID),
            (SPAN_ID, field::SPAN_ID),
            (FLAGS, field::FLAGS),
            (EVENT_NAME, field::EVENT_NAME),
            (DROPPED_ATTRIBUTES, field::DROPPED_ATTRIBUTES),
            (SCOPE_NAME, field::SCOPE_NAME),
            (SCOPE_VERSION, field::SCOPE_VERSION),
        ];
        for (id, name) in built_in {
            assert_eq!(&**names.text(id), name);
        }
    }
}
