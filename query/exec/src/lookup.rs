//! A filter answered from a segment's index: a set of rows that holds every match, and whether it holds nothing else.
//!
//! **When a posting list is read.** Reading a list costs time in proportion to the rows in it; it saves the verification of
//! the rows that it rules out. With the rows left so far, a list is worth reading when
//! `document frequency * POSTING_COST < rows left * VERIFY_COST`. There is no fixed percentage: for a lone word the list is
//! always cheaper than the column, for the fourth word of a phrase that has already narrowed to ten rows it is not.

use std::collections::BTreeSet;

use index::{IndexError, IndexReader};
use lang::FieldName;
use roaring::RoaringBitmap;

use crate::control::Control;
use crate::needle::{Needle, joins};
use crate::predicate::{Match, Predicate};

/// Cost of one row of a posting list, in nanoseconds: decoding bit-packed blocks of 128 and adding to a bitmap.
const POSTING_COST: u64 = 4;

/// Cost of verifying one row, in nanoseconds: its share of decompressing the column and a search through about 100 bytes.
const VERIFY_COST: u64 = 150;

/// Most terms that a prefix may stand for before the column is scanned instead.
const PREFIX_TERMS_MAX: usize = 1_024;

/// What lower-casing `İ` leaves behind `i`: a character that ends words in a needle, and did not in the text.
const COMBINING_DOT: char = '\u{307}';

/// Rows of a segment that may match.
#[derive(Debug, Clone)]
pub(crate) struct Candidates {
    /// Ascending row numbers; `None` for every row.
    pub(crate) rows: Option<RoaringBitmap>,
    /// Whether every one of them matches, so that nothing has to be verified.
    pub(crate) exact: bool,
}

impl Candidates {
    fn every(exact: bool) -> Self {
        Self { rows: None, exact }
    }

    fn none() -> Self {
        Self { rows: Some(RoaringBitmap::new()), exact: true }
    }

    /// How many rows of a segment of `total` rows.
    pub(crate) fn len(&self, total: u64) -> u64 {
        self.rows.as_ref().map_or(total, RoaringBitmap::len)
    }
}

/// A segment's index and what is known about its fields.
pub(crate) struct Lookup<'a> {
    pub(crate) index: &'a IndexReader,
    pub(crate) field_names: &'a BTreeSet<String>,
    /// Whether `field_names` lists every field.
    pub(crate) names_complete: bool,
    pub(crate) rows: u64,
    pub(crate) control: &'a Control,
}

impl Lookup<'_> {
    /// The rows that may match.
    pub(crate) fn candidates(&self, predicate: &Predicate) -> Result<Candidates, IndexError> {
        Ok(match predicate {
            Predicate::All => Candidates::every(true),
            Predicate::Nothing => Candidates::none(),
            // The caller knows the segment's times and looks at them itself.
            Predicate::Time(_) => Candidates::every(false),
            Predicate::And(parts) => self.intersection(parts)?,
            Predicate::Or(parts) => self.union(parts)?,
            Predicate::Not(part) => {
                let inner = self.candidates(part)?;
                match (inner.exact, inner.rows) {
                    (true, Some(rows)) => Candidates { rows: Some(self.all_rows() - rows), exact: true },
                    (true, None) => Candidates::none(),
                    (false, _) => Candidates::every(false),
                }
            }
            Predicate::Field(FieldName::Named(name), test) => self.test(name, test)?,
            Predicate::Field(FieldName::Any, test) => self.any_field(test)?,
        })
    }

    fn all_rows(&self) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..u32::try_from(self.rows).unwrap_or(u32::MAX));
        all
    }

    fn intersection(&self, parts: &[Predicate]) -> Result<Candidates, IndexError> {
        let mut left = Candidates::every(true);
        for part in parts {
            if left.rows.as_ref().is_some_and(RoaringBitmap::is_empty) || self.control.is_canceled() {
                break;
            }
            let found = self.candidates(part)?;
            left.exact &= found.exact;
            left.rows = match (left.rows, found.rows) {
                (Some(a), Some(b)) => Some(a & b),
                (a, b) => a.or(b),
            };
        }
        if left.rows.as_ref().is_some_and(RoaringBitmap::is_empty) {
            return Ok(Candidates::none());
        }
        Ok(left)
    }

    fn union(&self, parts: &[Predicate]) -> Result<Candidates, IndexError> {
        let mut all = Candidates::none();
        for part in parts {
            let found = self.candidates(part)?;
            all.exact &= found.exact;
            all.rows = match (all.rows, found.rows) {
                (Some(a), Some(b)) => Some(a | b),
                _ => None,
            };
        }
        Ok(all)
    }

    fn any_field(&self, test: &Match) -> Result<Candidates, IndexError> {
        if !self.names_complete {
            return Ok(Candidates::every(false));
        }
        let mut all = Candidates::none();
        for name in self.field_names {
            let found = self.test(name, test)?;
            all.exact &= found.exact;
            let (Some(sum), Some(rows)) = (all.rows.take(), found.rows) else { return Ok(Candidates::every(false)) };
            all.rows = Some(sum | rows);
        }
        Ok(all)
    }

    fn test(&self, name: &str, test: &Match) -> Result<Candidates, IndexError> {
        let missing = self.names_complete && !self.field_names.contains(name) && !crate::is_built_in(name);
        if missing {
            return Ok(match test {
                Match::Empty => Candidates::every(true),
                Match::Anchored(regex) if regex.is_match("") => Candidates::every(true),
                _ => Candidates::none(),
            });
        }
        if !self.index.is_complete(name) {
            return Ok(Candidates::every(false));
        }
        match test {
            Match::Needle(needle) => self.needle(name, needle),
            Match::CasedNeedle(needle) => Ok(inexact(self.needle(name, needle.any_case())?)),
            Match::Exact(text) | Match::ExactAnyCase(text) => self.text(name, text),
            Match::In(values) => {
                let mut all = Candidates::none();
                for value in values {
                    let found = self.text(name, value)?;
                    let (Some(sum), Some(rows)) = (all.rows.take(), found.rows) else {
                        return Ok(Candidates::every(false));
                    };
                    all.rows = Some(sum | rows);
                }
                Ok(inexact(all))
            }
            Match::Sequence(needles) => {
                let mut left = Candidates::every(true);
                for needle in needles {
                    left = self.narrow(left, name, needle)?;
                }
                Ok(inexact(left))
            }
            Match::StartsWith(start) | Match::StartsWithAnyCase(start) => {
                Ok(inexact(self.needle(name, &Needle::prefix(start))?))
            }
            _ => Ok(Candidates::every(false)),
        }
    }

    fn narrow(&self, left: Candidates, name: &str, needle: &Needle) -> Result<Candidates, IndexError> {
        let found = self.needle(name, needle)?;
        let rows = match (left.rows, found.rows) {
            (Some(a), Some(b)) => Some(a & b),
            (a, b) => a.or(b),
        };
        Ok(Candidates { rows, exact: false })
    }

    /// A whole value: its words are in the row, the rest is for the column.
    fn text(&self, name: &str, text: &str) -> Result<Candidates, IndexError> {
        let words: Vec<String> = index::tokenize(text).map(|word| word.into_owned()).collect();
        self.words(name, &words).map(inexact)
    }

    /// A word, a phrase or a prefix.
    fn needle(&self, name: &str, needle: &Needle) -> Result<Candidates, IndexError> {
        if needle.lower().contains(COMBINING_DOT) {
            return Ok(Candidates::every(false));
        }
        let mut words: Vec<String> = index::tokenize(needle.lower()).map(|word| word.into_owned()).collect();
        let lone = words.len() == 1 && words[0] == needle.lower();
        let open = if needle.is_prefix() { words.pop_if(|last| is_open(needle.lower(), last)) } else { None };
        let Some(last) = open else {
            let found = self.words(name, &words)?;
            return Ok(if lone { found } else { inexact(found) });
        };
        let Some(found) = self.index.prefix(name, &last, PREFIX_TERMS_MAX)? else {
            return self.words(name, &words).map(inexact);
        };
        if lone {
            return Ok(Candidates { rows: Some(found), exact: true });
        }
        let others = self.words(name, &words)?.rows;
        let rows = others.map_or_else(|| found.clone(), |rows| rows & &found);
        Ok(Candidates { rows: Some(rows), exact: false })
    }

    /// Rows that have all the words, the rarest first, as long as a list is cheaper than looking at the rows.
    fn words(&self, name: &str, words: &[String]) -> Result<Candidates, IndexError> {
        let mut ranked = Vec::with_capacity(words.len());
        let mut left = Candidates::every(true);
        for word in words {
            if !is_term(word) {
                left.exact = false;
                continue;
            }
            ranked.push((self.index.doc_freq(name, word)?, word));
        }
        ranked.sort_unstable();
        ranked.dedup();
        for (frequency, word) in ranked {
            if frequency == 0 {
                return Ok(Candidates::none());
            }
            if frequency * POSTING_COST >= left.len(self.rows) * VERIFY_COST {
                left.exact = false;
                continue;
            }
            let rows = self.index.term(name, word)?;
            left.rows = Some(match left.rows {
                Some(known) => known & rows,
                None => rows,
            });
        }
        Ok(left)
    }
}

fn inexact(found: Candidates) -> Candidates {
    // No rows at all is exact by any test that missing values fail.
    let empty = found.rows.as_ref().is_some_and(RoaringBitmap::is_empty);
    Candidates { exact: found.exact && empty, ..found }
}

/// Whether a word of a needle is a whole term of the index wherever the needle is. A single CJK character is not: inside a
/// run it is indexed as half of a pair.
fn is_term(word: &str) -> bool {
    let mut chars = word.chars();
    let lone_cjk = chars.next().is_some_and(|c| !joins(c)) && chars.next().is_none();
    !lone_cjk
}

/// Whether the last word of a prefix needle may go on: the needle ends with it, and it is not CJK.
fn is_open(lower: &str, last: &str) -> bool {
    lower.ends_with(last) && last.chars().next_back().is_some_and(joins)
}
