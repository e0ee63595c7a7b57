//! An index file's answers.

mod field;
mod file;
mod terms;
mod verify;

use std::collections::HashMap;
use std::sync::OnceLock;

use model::Value;
use roaring::RoaringBitmap;

use self::field::FieldReader;
pub use self::file::{FileBytes, IndexFile};
use self::terms::Terms;
use crate::filter::Filters;
use crate::pack::{FieldEntry, NumbersEntry, Packed, Span};
use crate::rare::{RareRows, Rares};
use crate::rows::{self, Union};
use crate::write::{is_indexed, key};
use crate::{Hits, IndexError, Stop, TierBytes};
use shape::{GroupText, Probe};

/// Bytes of the longest text of a number.
const NUMBER_BYTES_MAX: usize = 32;

/// An open index; cheap to share. Tokens and prefixes must be as [`shape::tokenize`] makes them: lower case.
pub struct IndexReader {
    packed: Packed,
    slots: HashMap<String, usize>,
    fields: Vec<FieldReader>,
    terms: OnceLock<Terms>,
    rares: OnceLock<Rares>,
    filters: OnceLock<Filters>,
}

/// A value that rows of a segment have.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupValue {
    /// The value.
    pub value: Value,
    /// How many rows have it.
    pub rows: u64,
}

/// Rows by the tier that names them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TierRows {
    /// Rows of values and shapes with the token.
    pub groups: u64,
    /// Rows in the term dictionary's lists.
    pub terms: u64,
    /// Rows of stretches of which a filter says maybe.
    pub filters: u64,
}

impl std::fmt::Debug for IndexReader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IndexReader").field("rows", &self.rows()).finish_non_exhaustive()
    }
}

/// A field that an index has.
#[derive(Clone, Copy)]
struct Field<'a> {
    slot: usize,
    entry: &'a FieldEntry,
    reader: &'a FieldReader,
}

impl IndexReader {
    /// Opens an index: reads its header and nothing else.
    pub fn open(file: IndexFile) -> Result<Self, IndexError> {
        let packed = Packed::open(file)?;
        let names = packed.header.fields.iter().map(|field| field.name.clone());
        let slots = names.enumerate().map(|(slot, name)| (name, slot)).collect();
        let fields = packed.header.fields.iter().map(|_| FieldReader::default()).collect();
        let (terms, rares, filters) = Default::default();
        Ok(Self { packed, slots, fields, terms, rares, filters })
    }

    /// Rows of the segment.
    pub fn rows(&self) -> u64 {
        self.packed.header.rows.into()
    }

    /// Bytes of the file by tier.
    pub fn tiers(&self) -> TierBytes {
        self.packed.header.tiers
    }

    /// Whether the index knows every token of the field. When not (`_time`, `_id`, `_stream`, or a field that could not be
    /// indexed), its answers are only part of the rows and the column must be scanned.
    pub fn is_complete(&self, field: &str) -> bool {
        let header = &self.packed.header;
        let known = !header.truncated || self.slots.contains_key(field);
        is_indexed(field) && known && !header.incomplete_fields.contains(field)
    }

    /// The rows whose field has the token.
    pub fn word(&self, field: &str, token: &str, stop: Stop<'_>) -> Result<Hits, IndexError> {
        let Some(field) = self.field(field) else { return Ok(Hits::none()) };
        let (mut sure, mut maybe) = (Union::new(self.rows()), Union::new(self.rows()));
        let groups = field.reader.groups(&self.packed, field.entry)?;
        for group in field.reader.words(&self.packed, field.entry)?.find(token)? {
            groups.add_to(&mut sure, group, stop)?;
        }
        if let Some(found) = self.terms()?.find(&self.packed, field.slot, token)? {
            found.add_to(&mut sure, &mut maybe, stop)?;
        } else if let Some(rows) = self.rare(field, token)? {
            rows.iter().for_each(|row| sure.add_range(row..row + 1));
        }
        if let Some(numbers) = field.numbers(|numbers| numbers_may_be(numbers, token)) {
            maybe.add(&self.packed.read(numbers.rows)?, self.rows(), stop)?;
        }
        let mut filtered = Union::new(self.rows());
        self.filtered(field, token, stop, |rows| filtered.add_range(rows))?;
        let mut filtered = filtered.finish();
        if !filtered.is_empty() && !has_digit(token) {
            // A word without a digit is in a filter only if it is in a loose row, and that row is hidden.
            filtered &= self.list(field.entry.hidden, stop)?;
        }
        Ok(Hits::new(sure.finish(), maybe.finish() | filtered))
    }

    /// The rows whose field has a token that begins with `prefix`. Past `max_terms` such tokens in the term dictionary the rows
    /// that it would have named are maybe.
    pub fn prefix(&self, field: &str, prefix: &str, max_terms: usize, stop: Stop<'_>) -> Result<Hits, IndexError> {
        let Some(field) = self.field(field) else { return Ok(Hits::none()) };
        let (mut sure, mut maybe) = (Union::new(self.rows()), Union::new(self.rows()));
        let groups = field.reader.groups(&self.packed, field.entry)?;
        let mut seen = vec![false; groups.len()];
        let words = field.reader.words(&self.packed, field.entry)?;
        let mut nth = words.first_from(prefix);
        while nth < words.len() && words.word(nth).starts_with(prefix.as_bytes()) {
            for group in words.groups(nth)? {
                if seen.get_mut(group).is_some_and(|seen| !std::mem::replace(seen, true)) {
                    groups.add_to(&mut sure, group, stop)?;
                }
            }
            nth += 1;
        }
        let texts = field.reader.texts(&self.packed, field.entry)?;
        for (group, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
            let text = texts.get(group, groups);
            match if text.is_whole() { Probe::No } else { text.prefix(prefix) } {
                Probe::Sure => groups.add_to(&mut sure, group, stop)?,
                Probe::Maybe => groups.add_to(&mut maybe, group, stop)?,
                Probe::No => {}
            }
        }
        let all = self.terms()?.range(&self.packed, field.slot, prefix, max_terms, &mut |found| {
            found.add_to(&mut sure, &mut maybe, stop)
        })?;
        let all = all && self.rare_range(field, prefix, max_terms, &mut sure)?;
        let rest = if all { field.entry.hidden } else { field.entry.loose };
        let mut maybe = maybe.finish() | self.list(rest, stop)?;
        if let Some(numbers) = field.numbers(|_| looks_like_number(prefix)) {
            maybe |= self.list(numbers.rows, stop)?;
        }
        Ok(Hits::new(sure.finish(), maybe))
    }

    /// The rows whose field has the tokens one after the other, with no token between them.
    pub fn phrase(&self, field: &str, tokens: &[String], stop: Stop<'_>) -> Result<Hits, IndexError> {
        if let [token] = tokens {
            return self.word(field, token, stop);
        }
        let Some(own) = self.field(field) else { return Ok(Hits::none()) };
        let words: Vec<&str> = tokens.iter().map(String::as_str).collect();
        // A word without a digit is no variable word, so only the groups that list it come into question.
        let listed = own.reader.words(&self.packed, own.entry)?;
        let mut groups: Option<Vec<usize>> = None;
        for word in words.iter().filter(|word| !has_digit(word)) {
            let found = listed.find(word)?;
            groups = Some(match groups {
                Some(mut left) => {
                    left.retain(|group| found.binary_search(group).is_ok());
                    left
                }
                None => found,
            });
        }
        let Hits { sure, mut maybe } = self.probed(own, groups, &mut |text| text.phrase(&words), stop)?;
        for token in tokens {
            if maybe.is_empty() {
                break;
            }
            let hits = self.word(field, token, stop)?;
            maybe &= hits.rows();
        }
        Ok(Hits { sure, maybe })
    }

    /// How many rows have the token, without reading lists; `None` when only the rows can tell.
    pub fn count(&self, field: &str, token: &str) -> Result<Option<u64>, IndexError> {
        if !self.is_complete(field) {
            return Ok(None);
        }
        let Some(field) = self.field(field) else { return Ok(Some(0)) };
        if field.numbers(|numbers| numbers_may_be(numbers, token)).is_some() {
            return Ok(None);
        }
        let mut filtered = false;
        self.filtered(field, token, &|| false, |_| filtered = true)?;
        // A row is in one group or in none; the words of groups have no digit but in whole values, and terms are of other rows
        // or have one. So no row is counted twice.
        Ok(if filtered { None } else { Some(self.counted(field, token)?) })
    }

    /// How many rows each tier names for a token, for showing. Filters name stretches of rows that may have it.
    pub fn tiers_of(&self, field: &str, token: &str) -> Result<TierRows, IndexError> {
        let Some(field) = self.field(field) else { return Ok(TierRows::default()) };
        let groups = field.reader.groups(&self.packed, field.entry)?;
        let found = field.reader.words(&self.packed, field.entry)?.find(token)?;
        let groups: u64 = found.into_iter().map(|group| u64::from(groups.count(group))).sum();
        let terms = self.counted(field, token)? - groups;
        let mut filters = 0;
        self.filtered(field, token, &|| false, |rows| filters += u64::from(rows.end - rows.start))?;
        Ok(TierRows { groups, terms, filters })
    }

    /// How many groups a field has, and how many rows are in none, for showing.
    pub fn groups_of(&self, field: &str) -> Result<(u64, u64), IndexError> {
        let Some(field) = self.field(field) else { return Ok((0, 0)) };
        Ok((field.entry.groups.into(), self.list(field.entry.loose, &|| false)?.len()))
    }

    /// At most how many rows have the token, give or take nothing: an upper bound without reading lists.
    pub fn estimate(&self, field: &str, token: &str) -> Result<u64, IndexError> {
        let Some(field) = self.field(field) else { return Ok(0) };
        let mut total = self.counted(field, token)?;
        let mut filtered = 0;
        self.filtered(field, token, &|| false, |rows| filtered += u64::from(rows.end - rows.start))?;
        total += filtered;
        if let Some(numbers) = field.numbers(|numbers| numbers_may_be(numbers, token)) {
            total += self.list(numbers.rows, &|| false)?.len();
        }
        Ok(total.min(self.rows()))
    }

    /// Tests each group of the field: rows of groups that are [`Probe::Sure`] are sure; rows of those that are
    /// [`Probe::Maybe`], and rows in no group, are maybe. Rows without the field are neither. `None` when the field has no
    /// groups at all.
    pub fn probe(
        &self,
        field: &str,
        probe: &mut dyn FnMut(&GroupText<'_>) -> Probe,
        stop: Stop<'_>,
    ) -> Result<Option<Hits>, IndexError> {
        match self.field(field) {
            None => Ok(Some(Hits::none())),
            Some(field) if field.entry.groups == 0 => Ok(None),
            Some(field) => self.probed(field, None, probe, stop).map(Some),
        }
    }

    /// All values of a field with the number of their rows, in no particular order, when the index has every one of them as a
    /// group; rows without the field are in none. `None` for a field with too many values or with text.
    pub fn values(&self, field: &str) -> Result<Option<Vec<GroupValue>>, IndexError> {
        if !self.is_complete(field) {
            return Ok(None);
        }
        let Some(field) = self.field(field) else { return Ok(Some(Vec::new())) };
        if !field.entry.is_values {
            return Ok(None);
        }
        let groups = field.reader.groups(&self.packed, field.entry)?;
        let texts = field.reader.texts(&self.packed, field.entry)?;
        let value = |group| {
            let value = texts.value(group, groups.kind(group))?;
            Ok(GroupValue { value, rows: groups.count(group).into() })
        };
        (0..groups.len()).map(value).collect::<Result<_, _>>().map(Some)
    }

    /// The rows of the n-th value of [`Self::values`].
    pub fn rows_of(&self, field: &str, nth: usize, stop: Stop<'_>) -> Result<RoaringBitmap, IndexError> {
        let Some(field) = self.field(field) else { return Ok(RoaringBitmap::new()) };
        rows::bitmap(field.reader.groups(&self.packed, field.entry)?.list(nth)?, self.rows(), stop)
    }

    fn field(&self, name: &str) -> Option<Field<'_>> {
        let slot = *self.slots.get(name)?;
        Some(Field { slot, entry: self.packed.header.fields.get(slot)?, reader: self.fields.get(slot)? })
    }

    fn terms(&self) -> Result<&Terms, IndexError> {
        match self.terms.get() {
            Some(terms) => Ok(terms),
            None => {
                let terms = Terms::read(&self.packed)?;
                Ok(self.terms.get_or_init(|| terms))
            }
        }
    }

    fn rares(&self) -> Result<&Rares, IndexError> {
        match self.rares.get() {
            Some(rares) => Ok(rares),
            None => {
                let (directory, blocks) = self.packed.header.rares;
                let rares = Rares::read(&self.packed, directory, blocks)?;
                Ok(self.rares.get_or_init(|| rares))
            }
        }
    }

    /// The rows of a word that is no term and in one row or two; only words without a digit are kept so.
    fn rare(&self, field: Field<'_>, token: &str) -> Result<Option<RareRows>, IndexError> {
        if has_digit(token) {
            return Ok(None);
        }
        self.rares()?.find(&self.packed, &terms::key(field.slot, token))
    }

    /// Adds the rows of the rare words that begin so; false when there are more than `max`.
    fn rare_range(&self, field: Field<'_>, prefix: &str, max: usize, sure: &mut Union) -> Result<bool, IndexError> {
        let mut count = 0;
        self.rares()?.range(&self.packed, &terms::key(field.slot, prefix), &mut |_, rows| {
            count += 1;
            if count <= max {
                rows.iter().for_each(|row| sure.add_range(row..row + 1));
            }
            Ok(count <= max)
        })?;
        Ok(count <= max)
    }

    fn filters(&self) -> Result<&Filters, IndexError> {
        match self.filters.get() {
            Some(filters) => Ok(filters),
            None => {
                let [directory, cells] = self.packed.header.filters;
                let filters = Filters::read(&self.packed.read(directory)?, cells.1, self.rows())?;
                Ok(self.filters.get_or_init(|| filters))
            }
        }
    }

    /// A list that is absent when it would be empty.
    fn list(&self, span: Span, stop: Stop<'_>) -> Result<RoaringBitmap, IndexError> {
        if span.is_empty() {
            return Ok(RoaringBitmap::new());
        }
        rows::bitmap(&self.packed.read(span)?, self.rows(), stop)
    }

    /// Calls `each` with the rows of pages that may have the token.
    fn filtered(
        &self,
        field: Field<'_>,
        token: &str,
        stop: Stop<'_>,
        each: impl FnMut(std::ops::Range<u32>),
    ) -> Result<(), IndexError> {
        if !has_digit(token) && !field.entry.words_filtered {
            return Ok(());
        }
        let cells = self.packed.header.filters[1];
        let read = |range| self.packed.read_in(cells, range);
        self.filters()?.lookup(field.slot as u32, key(field.slot as u32, token.as_bytes()), stop, read, each)
    }

    /// Rows that groups and terms say have the token.
    fn counted(&self, field: Field<'_>, token: &str) -> Result<u64, IndexError> {
        let groups = field.reader.groups(&self.packed, field.entry)?;
        let found = field.reader.words(&self.packed, field.entry)?.find(token)?;
        let grouped: u64 = found.into_iter().map(|group| u64::from(groups.count(group))).sum();
        let listed = match self.terms()?.find(&self.packed, field.slot, token)? {
            Some(found) => found.count,
            None => self.rare(field, token)?.map_or(0, RareRows::len),
        };
        Ok(grouped + listed)
    }

    /// Tests the groups of a field, or only some of them.
    fn probed(
        &self,
        field: Field<'_>,
        some: Option<Vec<usize>>,
        probe: &mut dyn FnMut(&GroupText<'_>) -> Probe,
        stop: Stop<'_>,
    ) -> Result<Hits, IndexError> {
        let groups = field.reader.groups(&self.packed, field.entry)?;
        let texts = field.reader.texts(&self.packed, field.entry)?;
        let (mut sure, mut maybe) = (Union::new(self.rows()), Union::new(self.rows()));
        let mut test = |group| match probe(&texts.get(group, groups)) {
            Probe::Sure => groups.add_to(&mut sure, group, stop),
            Probe::Maybe => groups.add_to(&mut maybe, group, stop),
            Probe::No if group % GROUPS_PER_CHECK == 0 && stop() => Err(IndexError::Stopped),
            Probe::No => Ok(()),
        };
        match some {
            Some(some) => some.into_iter().filter(|group| *group < groups.len()).try_for_each(&mut test)?,
            None => (0..groups.len()).try_for_each(&mut test)?,
        }
        let mut maybe = maybe.finish() | self.list(field.entry.loose, stop)?;
        if let Some(numbers) = field.numbers(|_| true) {
            maybe |= self.list(numbers.rows, stop)?;
        }
        Ok(Hits::new(sure.finish(), maybe))
    }
}

/// Groups between two looks at the order to stop.
const GROUPS_PER_CHECK: usize = 256;

impl<'a> Field<'a> {
    /// The numbers in no group, if there are any that `may` affirms.
    fn numbers(&self, may: impl Fn(&NumbersEntry) -> bool) -> Option<&'a NumbersEntry> {
        self.entry.numbers.as_ref().filter(|numbers| may(numbers))
    }
}

fn has_digit(token: &str) -> bool {
    token.bytes().any(|byte| byte.is_ascii_digit())
}

/// Whether the text of one of the numbers may have the token.
fn numbers_may_be(numbers: &NumbersEntry, token: &str) -> bool {
    let is_int = |(min, max): (u64, u64)| token.parse::<u64>().is_ok_and(|n| (min..=max).contains(&n));
    numbers.ints.is_some_and(is_int) || (numbers.doubles && looks_like_number(token))
}

/// Whether a token may begin one of the text of a double or a boolean.
fn looks_like_number(token: &str) -> bool {
    let digits = token.len() <= NUMBER_BYTES_MAX && token.bytes().all(|byte| byte.is_ascii_digit() || byte == b'e');
    digits || ["nan", "inf", "true", "false"].iter().any(|word| word.starts_with(token))
}

#[cfg(test)]
mod tests;
