//! Reading all of an index.

use roaring::RoaringBitmap;

use super::{Field, IndexReader, terms};
use crate::pack::Span;
use crate::{FIELDS_MAX, IndexError, rows};
use shape::static_words;

impl IndexReader {
    /// Reads everything once: that every list decodes to as many rows as are noted, that no row is in two groups, that the
    /// words are those of the texts, and that terms, rare words and filters belong to fields. For `segments verify`.
    pub fn verify(&self) -> Result<(), IndexError> {
        let header = &self.packed.header;
        if header.fields.len() > FIELDS_MAX || self.slots.len() != header.fields.len() {
            return Err(IndexError::Corrupt(format!("{} fields of {} names", header.fields.len(), self.slots.len())));
        }
        for name in header.fields.iter().map(|field| &field.name) {
            if let Some(field) = self.field(name) {
                self.verify_field(field)?;
            }
        }
        self.terms()?.each(&self.packed, |found| found.verify(self.rows()))?;
        let fields = header.fields.len();
        self.rares()?.range(&self.packed, &[], &mut |key, _| match terms::field_of(key) {
            field if field < fields => Ok(true),
            field => Err(IndexError::Corrupt(format!("a rare word of field {field} of {fields}"))),
        })?;
        self.packed.read(header.filters[1])?;
        self.filters().map(drop)
    }

    fn verify_field(&self, field: Field<'_>) -> Result<(), IndexError> {
        let groups = field.reader.groups(&self.packed, field.entry)?;
        let texts = field.reader.texts(&self.packed, field.entry)?;
        let words = field.reader.words(&self.packed, field.entry)?;
        let mut all = RoaringBitmap::new();
        let mut add = |more: RoaringBitmap| {
            let disjoint = all.is_disjoint(&more);
            all |= more;
            if disjoint { Ok(()) } else { Err(corrupt(field, "a row is in two groups")) }
        };
        let mut found: Vec<Vec<usize>> = vec![Vec::new(); words.len()];
        for group in 0..groups.len() {
            let rows = rows::bitmap(groups.list(group)?, self.rows(), &|| false)?;
            let text = texts.get(group, groups);
            if rows.len() != text.rows() {
                return Err(corrupt(field, "a group has other rows than it should"));
            }
            if field.entry.is_values && !text.is_whole() {
                return Err(corrupt(field, "a value has a hole"));
            }
            add(rows)?;
            for word in static_words(text.raw()) {
                let at = words.first_from(&word);
                if at == words.len() || words.word(at) != word.as_bytes() {
                    return Err(corrupt(field, "a word is not listed"));
                }
                if found[at].last() != Some(&group) {
                    found[at].push(group);
                }
            }
        }
        for (at, found) in found.iter().enumerate() {
            if words.groups(at)? != *found {
                return Err(corrupt(field, "a word has other groups than it should"));
            }
        }
        let loose = self.list(field.entry.loose, &|| false)?;
        let hidden = self.list(field.entry.hidden, &|| false)?;
        if !hidden.is_subset(&loose) {
            return Err(corrupt(field, "a row in a group is hidden"));
        }
        add(loose)?;
        let numbers = field.numbers(|_| true).map_or(Span::default(), |numbers| numbers.rows);
        add(self.list(numbers, &|| false)?)
    }
}

fn corrupt(field: Field<'_>, what: &str) -> IndexError {
    IndexError::Corrupt(format!("field {}: {what}", field.entry.name))
}
