//! Terms and their lists. tantivy keeps the dictionary; it may panic on damage, so it is called under guard.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use tantivy::directory::FileSlice;
use tantivy::postings::TermInfo;
use tantivy::termdict::TermDictionary;

use crate::error::panic_text;
use crate::pack::{COARSE, COARSE_ROWS, Packed};
use crate::rows::{self, Union};
use crate::{IndexError, Stop};

/// The terms of an index.
pub(super) struct Terms {
    /// Absent when there is no term at all.
    dictionary: Option<TermDictionary>,
    lists: Bytes,
}

/// A term that was found.
pub(super) struct Found<'a> {
    /// Rows that have it.
    pub(super) count: u64,
    list: &'a [u8],
}

impl Terms {
    pub(super) fn read(packed: &Packed) -> Result<Self, IndexError> {
        let entry = packed.header.terms;
        if entry.dictionary.is_empty() {
            return Ok(Self { dictionary: None, lists: Bytes::new() });
        }
        let bytes = packed.read(entry.dictionary)?.to_vec();
        let dictionary = guarded(|| Ok(TermDictionary::open(FileSlice::from(bytes))?))?;
        Ok(Self { dictionary: Some(dictionary), lists: packed.read(entry.lists)? })
    }

    /// The term of a field, if there is one.
    pub(super) fn find(&self, field: usize, token: &str) -> Result<Option<Found<'_>>, IndexError> {
        let Some(dictionary) = &self.dictionary else { return Ok(None) };
        let found = guarded(|| Ok(dictionary.get(key(field, token))?))?;
        found.map(|info| self.found(&info)).transpose()
    }

    /// Calls `each` with the terms of a field that begin so; false when there are more than `max`.
    pub(super) fn range(
        &self,
        field: usize,
        prefix: &str,
        max: usize,
        each: &mut dyn FnMut(Found<'_>) -> Result<(), IndexError>,
    ) -> Result<bool, IndexError> {
        let Some(dictionary) = &self.dictionary else { return Ok(true) };
        guarded(|| {
            let start = key(field, prefix);
            let mut stream = dictionary.range().ge(&start).into_stream()?;
            let mut count = 0;
            while let Some((term, info)) = stream.next().filter(|(term, _)| term.starts_with(&start)) {
                debug_assert!(term.len() >= start.len());
                count += 1;
                if count > max {
                    return Ok(false);
                }
                each(self.found(info)?)?;
            }
            Ok(true)
        })
    }

    /// Calls `each` with the field and the token of every term, in order.
    pub(super) fn each(
        &self,
        mut each: impl FnMut(&[u8], Found<'_>) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let Some(dictionary) = &self.dictionary else { return Ok(()) };
        guarded(|| {
            let mut stream = dictionary.stream()?;
            while let Some((term, info)) = stream.next() {
                each(term, self.found(info)?)?;
            }
            Ok(())
        })
    }

    fn found(&self, info: &TermInfo) -> Result<Found<'_>, IndexError> {
        let list = self.lists.get(info.postings_range.clone()).filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| IndexError::Corrupt("a term without a list".to_owned()))?;
        Ok(Found { count: info.doc_freq.into(), list })
    }
}

impl Found<'_> {
    /// Whether only blocks of rows are known.
    pub(super) fn is_coarse(&self) -> bool {
        self.list.first().is_some_and(|kind| kind & COARSE != 0)
    }

    /// Adds the rows to those that surely match, or the blocks to those that may.
    pub(super) fn add_to(&self, sure: &mut Union, maybe: &mut Union, stop: Stop<'_>) -> Result<(), IndexError> {
        if self.is_coarse() {
            return maybe.add_blocks(self.list, COARSE_ROWS, stop);
        }
        let found = sure.add(self.list, self.count, stop)?;
        if found != self.count {
            return Err(IndexError::Corrupt(format!("{found} of {} rows of a term", self.count)));
        }
        Ok(())
    }

    /// Decodes the list in an index of `rows` rows.
    pub(super) fn verify(&self, rows: u64) -> Result<(), IndexError> {
        let rows = if self.is_coarse() { rows.div_ceil(COARSE_ROWS.into()) } else { rows };
        let found = rows::decode(self.list, rows, &|| false, |_, _| ())?;
        if found > self.count || (!self.is_coarse() && found < self.count) {
            return Err(IndexError::Corrupt(format!("{found} of {} rows of a term", self.count)));
        }
        Ok(())
    }
}

/// Field number and token; [`crate::FIELDS_MAX`] keeps the number in two bytes.
fn key(field: usize, token: &str) -> Vec<u8> {
    [&(field as u16).to_be_bytes()[..], token.as_bytes()].concat()
}

/// Runs a read of tantivy, which may panic on damaged input.
fn guarded<T>(read: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| Err(IndexError::Corrupt(panic_text(&*payload))))
}
