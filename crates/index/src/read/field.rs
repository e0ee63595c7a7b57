//! The groups of one field, as far as they have been wanted.

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use model::Value;

use crate::pack::{FieldEntry, Packed};
use crate::varint::Input;
use crate::write::Kind;
use crate::{IndexError, Stop, rows};
use shape::is_hole;
use shape::{GroupText, lower};

/// A field of an open index.
#[derive(Debug, Default)]
pub(super) struct FieldReader {
    groups: OnceLock<GroupTable>,
    texts: OnceLock<Texts>,
    words: OnceLock<WordList>,
}

/// How many rows each group has, and where their lists are.
#[derive(Debug)]
pub(super) struct GroupTable {
    counts: Vec<u32>,
    kinds: Vec<Kind>,
    /// Where the lists end, each beginning where the one before ends.
    ends: Vec<u64>,
    lists: Bytes,
}

/// The texts of the groups.
#[derive(Debug)]
pub(super) struct Texts {
    raw: Vec<u8>,
    raw_ends: Vec<usize>,
    lower: Vec<u8>,
    lower_ends: Vec<usize>,
}

/// The static words of all groups, sorted.
#[derive(Debug)]
pub(super) struct WordList {
    bytes: Vec<u8>,
    ends: Vec<usize>,
    /// Encoded group numbers of each word, in `raw`.
    raw: Vec<u8>,
    groups: Vec<Range<usize>>,
}

impl FieldReader {
    pub(super) fn groups(&self, packed: &Packed, entry: &FieldEntry) -> Result<&GroupTable, IndexError> {
        match self.groups.get() {
            Some(groups) => Ok(groups),
            None => {
                let groups = GroupTable::read(packed, entry)?;
                Ok(self.groups.get_or_init(|| groups))
            }
        }
    }

    pub(super) fn texts(&self, packed: &Packed, entry: &FieldEntry) -> Result<&Texts, IndexError> {
        match self.texts.get() {
            Some(texts) => Ok(texts),
            None => {
                let texts = Texts::read(packed, entry)?;
                Ok(self.texts.get_or_init(|| texts))
            }
        }
    }

    pub(super) fn words(&self, packed: &Packed, entry: &FieldEntry) -> Result<&WordList, IndexError> {
        match self.words.get() {
            Some(words) => Ok(words),
            None => {
                let words = WordList::read(packed, entry)?;
                Ok(self.words.get_or_init(|| words))
            }
        }
    }
}

impl GroupTable {
    fn read(packed: &Packed, entry: &FieldEntry) -> Result<Self, IndexError> {
        let bytes = packed.read(entry.table)?;
        let lists = packed.read(entry.lists)?;
        let mut input = Input(&bytes);
        let mut out = Self { counts: Vec::new(), kinds: Vec::new(), ends: Vec::new(), lists };
        let mut end = 0u64;
        for _ in 0..entry.groups {
            let head = input.number()?;
            out.counts.push(u32::try_from(head >> 2).map_err(IndexError::reading)?);
            out.kinds.push(Kind::ALL[head as usize & 3]);
            end = end.saturating_add(input.number()?);
            out.ends.push(end);
        }
        if !input.is_empty() || end != out.lists.len() as u64 {
            return Err(IndexError::Corrupt(format!("lists of {end} bytes and not of {}", out.lists.len())));
        }
        Ok(out)
    }

    pub(super) fn len(&self) -> usize {
        self.counts.len()
    }

    /// Rows of a group; none when there is no such group.
    pub(super) fn count(&self, group: usize) -> u32 {
        self.counts.get(group).copied().unwrap_or(0)
    }

    pub(super) fn kind(&self, group: usize) -> Kind {
        self.kinds.get(group).copied().unwrap_or(Kind::Str)
    }

    /// The encoded rows of a group.
    pub(super) fn list(&self, group: usize) -> Result<&[u8], IndexError> {
        let start = group.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied());
        let range = start.zip(self.ends.get(group)).map(|(start, end)| start as usize..*end as usize);
        let list = range.and_then(|range| self.lists.get(range));
        list.ok_or_else(|| IndexError::Corrupt(format!("no group {group} of {}", self.len())))
    }

    /// Adds the rows of a group to a union.
    pub(super) fn add_to(&self, union: &mut rows::Union, group: usize, stop: Stop<'_>) -> Result<(), IndexError> {
        let (wanted, list) = (u64::from(self.count(group)), self.list(group)?);
        let found = union.add(list, wanted, stop)?;
        if found != wanted {
            return Err(IndexError::Corrupt(format!("{found} of {wanted} rows of a group")));
        }
        Ok(())
    }
}

impl Texts {
    fn read(packed: &Packed, entry: &FieldEntry) -> Result<Self, IndexError> {
        let mut raw = packed.decompress(entry.texts)?;
        let mut input = Input(&raw);
        let mut raw_ends = Vec::new();
        let mut end = 0usize;
        for _ in 0..entry.groups {
            end = end.saturating_add(usize::try_from(input.number()?).map_err(IndexError::reading)?);
            raw_ends.push(end);
        }
        let head = raw.len() - input.0.len();
        raw.drain(..head);
        if end != raw.len() {
            return Err(IndexError::Corrupt(format!("texts of {end} bytes and not of {}", raw.len())));
        }
        let mut out = Self { raw, raw_ends, lower: Vec::new(), lower_ends: Vec::new() };
        for group in 0..out.raw_ends.len() {
            let text = part(&out.raw, &out.raw_ends, group);
            // Looked at once, so that nobody has to doubt it later.
            let is_text = text.split(|byte| is_hole(*byte)).all(|piece| str::from_utf8(piece).is_ok());
            if !is_text {
                return Err(IndexError::Corrupt("a group whose text is none".to_owned()));
            }
            let lower = lower(text);
            out.lower.extend_from_slice(&lower);
            out.lower_ends.push(out.lower.len());
        }
        Ok(out)
    }

    pub(super) fn get(&self, group: usize, groups: &GroupTable) -> GroupText<'_> {
        let (raw, lower) = (part(&self.raw, &self.raw_ends, group), part(&self.lower, &self.lower_ends, group));
        GroupText::new(raw, lower, groups.count(group))
    }

    /// The value of a group of whole values.
    pub(super) fn value(&self, group: usize, kind: Kind) -> Result<Value, IndexError> {
        let text = str::from_utf8(part(&self.raw, &self.raw_ends, group)).map_err(IndexError::reading)?;
        Ok(match kind {
            Kind::Str => Value::Str(text.to_owned()),
            Kind::Int => Value::Int(text.parse().map_err(IndexError::reading)?),
            Kind::Double => Value::Double(text.parse().map_err(IndexError::reading)?),
            Kind::Bool => Value::Bool(text.parse().map_err(IndexError::reading)?),
        })
    }
}

/// The part of a number in bytes that are cut at `ends`.
fn part<'a>(bytes: &'a [u8], ends: &[usize], nth: usize) -> &'a [u8] {
    let start = nth.checked_sub(1).and_then(|before| ends.get(before)).copied().unwrap_or(0);
    let end = ends.get(nth).copied().unwrap_or(start);
    bytes.get(start..end).unwrap_or_default()
}

impl WordList {
    fn read(packed: &Packed, entry: &FieldEntry) -> Result<Self, IndexError> {
        let raw = packed.decompress(entry.words)?;
        let mut out = Self { bytes: Vec::new(), ends: Vec::new(), raw: Vec::new(), groups: Vec::new() };
        let mut input = Input(&raw);
        let mut before = 0..0;
        while !input.is_empty() {
            let shared = input.number()? as usize;
            let more = input.count()?;
            let Some(shared) = out.bytes.get(before.start..before.end).and_then(|word| word.get(..shared)) else {
                return Err(IndexError::Corrupt("a word shares more than there is".to_owned()));
            };
            let (start, shared) = (out.bytes.len(), shared.to_vec());
            out.bytes.extend_from_slice(&shared);
            out.bytes.extend_from_slice(input.bytes(more)?);
            before = start..out.bytes.len();
            out.ends.push(before.end);
            let count = input.count()?;
            let from = raw.len() - input.0.len();
            for _ in 0..count {
                input.number()?;
            }
            out.groups.push(from..raw.len() - input.0.len());
        }
        if !(1..out.ends.len()).all(|nth| out.word(nth - 1) < out.word(nth)) {
            return Err(IndexError::Corrupt("words out of order".to_owned()));
        }
        out.raw = raw;
        Ok(out)
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn word(&self, nth: usize) -> &[u8] {
        part(&self.bytes, &self.ends, nth)
    }

    /// The groups that have the word, ascending.
    pub(super) fn find(&self, word: &str) -> Result<Vec<usize>, IndexError> {
        let at = self.first_from(word);
        if at < self.len() && self.word(at) == word.as_bytes() { self.groups(at) } else { Ok(Vec::new()) }
    }

    /// The first word that is not before `word`.
    pub(super) fn first_from(&self, word: &str) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.word(middle) < word.as_bytes() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The groups that have the n-th word, ascending.
    pub(super) fn groups(&self, nth: usize) -> Result<Vec<usize>, IndexError> {
        let range = self.groups.get(nth).cloned().unwrap_or_default();
        let mut input = Input(self.raw.get(range).unwrap_or_default());
        let mut out = Vec::new();
        let mut next = 0usize;
        while !input.is_empty() {
            next = next.saturating_add(usize::try_from(input.number()?).map_err(IndexError::reading)?);
            out.push(next);
            next = next.saturating_add(1);
        }
        Ok(out)
    }
}
