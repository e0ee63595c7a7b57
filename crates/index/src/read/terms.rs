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
    /// Of each field where its lists begin among all.
    starts: Vec<u64>,
}

/// A term that was found.
pub(super) struct Found {
    /// Rows that have it.
    pub(super) count: u64,
    list: Bytes,
}

impl Terms {
    pub(super) fn read(packed: &Packed) -> Result<Self, IndexError> {
        let starts = packed.header.fields.iter().scan(0u64, |end, field| {
            let start = *end;
            *end = end.saturating_add(field.term_lists.1);
            Some(start)
        });
        let starts = starts.collect();
        if packed.header.terms.is_empty() {
            return Ok(Self { dictionary: None, starts });
        }
        let bytes = packed.read(packed.header.terms)?.to_vec();
        let dictionary = guarded(|| Ok(TermDictionary::open(FileSlice::from(bytes))?))?;
        Ok(Self { dictionary: Some(dictionary), starts })
    }

    /// The term of a field, if there is one.
    pub(super) fn find(&self, packed: &Packed, field: usize, token: &str) -> Result<Option<Found>, IndexError> {
        let Some(dictionary) = &self.dictionary else { return Ok(None) };
        let found = guarded(|| Ok(dictionary.get(key(field, token))?))?;
        found.map(|info| self.found(packed, field, &info)).transpose()
    }

    /// Calls `each` with the terms of a field that begin so; false when there are more than `max`.
    pub(super) fn range(
        &self,
        packed: &Packed,
        field: usize,
        prefix: &str,
        max: usize,
        each: &mut dyn FnMut(Found) -> Result<(), IndexError>,
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
                each(self.found(packed, field, info)?)?;
            }
            Ok(true)
        })
    }

    /// Calls `each` with every term, in order.
    pub(super) fn each(
        &self,
        packed: &Packed,
        mut each: impl FnMut(Found) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let Some(dictionary) = &self.dictionary else { return Ok(()) };
        guarded(|| {
            let mut stream = dictionary.stream()?;
            while let Some((term, info)) = stream.next() {
                each(self.found(packed, field_of(term), info)?)?;
            }
            Ok(())
        })
    }

    /// A term of a field. Its list is read and nothing else of the file.
    fn found(&self, packed: &Packed, field: usize, info: &TermInfo) -> Result<Found, IndexError> {
        let (Some(entry), Some(start)) = (packed.header.fields.get(field), self.starts.get(field)) else {
            return Err(IndexError::Corrupt(format!("a term of field {field} of {}", self.starts.len())));
        };
        let range = [info.postings_range.start, info.postings_range.end].map(|at| (at as u64).checked_sub(*start));
        let [Some(from), Some(to)] = range else {
            return Err(IndexError::Corrupt("a term with the list of another field".to_owned()));
        };
        let list = packed.read_in(entry.term_lists, from..to)?;
        if list.is_empty() {
            return Err(IndexError::Corrupt("a term without a list".to_owned()));
        }
        Ok(Found { count: info.doc_freq.into(), list })
    }
}

impl Found {
    /// Whether only blocks of rows are known.
    pub(super) fn is_coarse(&self) -> bool {
        self.list.first().is_some_and(|kind| kind & COARSE != 0)
    }

    /// Adds the rows to those that surely match, or the blocks to those that may.
    pub(super) fn add_to(&self, sure: &mut Union, maybe: &mut Union, stop: Stop<'_>) -> Result<(), IndexError> {
        if self.is_coarse() {
            return maybe.add_blocks(&self.list, COARSE_ROWS, stop);
        }
        let found = sure.add(&self.list, self.count, stop)?;
        if found != self.count {
            return Err(IndexError::Corrupt(format!("{found} of {} rows of a term", self.count)));
        }
        Ok(())
    }

    /// Decodes the list in an index of `rows` rows.
    pub(super) fn verify(&self, rows: u64) -> Result<(), IndexError> {
        let rows = if self.is_coarse() { rows.div_ceil(COARSE_ROWS.into()) } else { rows };
        let found = rows::decode(&self.list, rows, &|| false, |_, _| ())?;
        if found > self.count || (!self.is_coarse() && found < self.count) {
            return Err(IndexError::Corrupt(format!("{found} of {} rows of a term", self.count)));
        }
        Ok(())
    }
}

/// Field number and token; [`crate::FIELDS_MAX`] keeps the number in two bytes.
pub(super) fn key(field: usize, token: &str) -> Vec<u8> {
    [&(field as u16).to_be_bytes()[..], token.as_bytes()].concat()
}

/// The field of a term or rare word.
pub(super) fn field_of(key: &[u8]) -> usize {
    key.first_chunk().map_or(usize::MAX, |id| u16::from_be_bytes(*id).into())
}

/// Runs a read of tantivy, which may panic on damaged input.
fn guarded<T>(read: impl FnOnce() -> Result<T, IndexError>) -> Result<T, IndexError> {
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|payload| Err(IndexError::Corrupt(panic_text(&*payload))))
}
