//! A filter answered from a part's index: which rows surely match, and which must be verified on the columns.
//!
//! Three kinds of questions, cheapest first. A field of few distinct values is asked value by value, with the same code that
//! verifies rows, so the answer is exact for every test. A word is a lookup. Phrases, expressions and whole values of texts
//! are tried on the index's groups (module `probe`), and what that leaves open is narrowed by the words that the text must
//! hold.
//!
//! The parts of an `and` go by how many rows they leave, the fewest first, and the rest is not asked once the rows that are
//! left cost less to verify than the next question.

use std::collections::BTreeSet;

use index::{IndexError, IndexReader, TierRows};
use lang::FieldName;
use roaring::RoaringBitmap;

use crate::control::Control;
use crate::needle::{Needle, joins};
use crate::predicate::{Match, Predicate};
use crate::probe::Prober;
use crate::set::Set;

/// Cost of one row of a posting list, in nanoseconds.
const POSTING_NS: u64 = 4;

/// Cost of trying a text on all groups of a field, in nanoseconds: some thousand groups of some hundred bytes.
const PROBE_NS: u64 = 2_000_000;

/// Cost of verifying one row among few, in nanoseconds: nearly every one is on a page of its own.
const VERIFY_NS: u64 = 50_000;

/// Most terms that a prefix may stand for before the column is scanned instead.
const PREFIX_TERMS_MAX: usize = 1_024;

/// Shortest beginning of a word that is looked up: shorter ones begin too many words.
const OPEN_WORD_BYTES_MIN: usize = 4;

/// What lower-casing `İ` leaves behind `i`: a character that ends words in a needle, and did not in the text.
const COMBINING_DOT: char = '\u{307}';

/// A part's index and what is known about its fields.
pub(crate) struct Lookup<'a> {
    pub(crate) index: &'a IndexReader,
    pub(crate) field_names: &'a BTreeSet<String>,
    /// Whether `field_names` lists every field.
    pub(crate) names_complete: bool,
    pub(crate) rows: u64,
    pub(crate) control: &'a Control,
}

impl Lookup<'_> {
    /// The rows that match, as far as the index knows.
    pub(crate) fn set(&self, predicate: &Predicate) -> Result<Set, IndexError> {
        Ok(match predicate {
            Predicate::All => Set::All,
            Predicate::Nothing => Set::none(),
            // The caller knows the part's times and looks at them itself.
            Predicate::Time(_) | Predicate::Day(_) | Predicate::Week(_) => Set::Unknown,
            Predicate::Fields(..) | Predicate::Expr(..) => Set::Unknown,
            Predicate::And(parts) => self.intersection(parts)?,
            Predicate::Or(parts) => self.union(parts)?,
            Predicate::Not(part) => self.set(part)?.not(self.rows),
            Predicate::Field(FieldName::Named(name), test) => self.test(name, test)?,
            Predicate::Field(FieldName::Any, test) => self.any_field(test)?,
        })
    }

    /// How many rows match, when that is known without postings; the filter is one word.
    pub(crate) fn count(&self, predicate: &Predicate) -> Result<Option<u64>, IndexError> {
        let Predicate::Field(FieldName::Named(name), Match::Needle(needle)) = predicate else { return Ok(None) };
        if self.lacks(name) || !self.index.is_complete(name) {
            return Ok(None);
        }
        match lone_word(needle) {
            Some(word) if !needle.is_prefix() => self.index.count(name, &word),
            _ => Ok(None),
        }
    }

    /// What each tier of the index names for the tests of a filter, a line each, for showing.
    pub(crate) fn tiers(&self, predicate: &Predicate, out: &mut Vec<String>) -> Result<(), IndexError> {
        match predicate {
            Predicate::And(parts) | Predicate::Or(parts) => parts.iter().try_for_each(|part| self.tiers(part, out)),
            Predicate::Not(part) => self.tiers(part, out),
            Predicate::Field(FieldName::Named(name), test) if !self.lacks(name) && !crate::is_built_in(name) => {
                let words = words_in(test);
                if words.is_empty() {
                    let (groups, loose) = self.index.groups_of(name)?;
                    out.push(format!("{name}: {groups} groups to try, {loose} rows in none"));
                }
                for word in words {
                    let TierRows { groups, terms, filters } = self.index.tiers_of(name, &word)?;
                    out.push(format!(
                        "{name} {word:?}: {groups} rows by groups, {terms} by terms, {filters} where filters say maybe"
                    ));
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn intersection(&self, parts: &[Predicate]) -> Result<Set, IndexError> {
        let mut ranked = Vec::with_capacity(parts.len());
        for part in parts {
            ranked.push((self.estimate(part)?, part));
        }
        ranked.sort_by_key(|(rows, _)| *rows);
        let mut left = Set::All;
        for (rows, part) in ranked {
            if left.is_none() || self.control.is_canceled() {
                break;
            }
            let worth = self.step_ns(part, rows) < left.possible_len(self.rows).saturating_mul(VERIFY_NS);
            left = left.and(if worth { self.set(part)? } else { Set::Unknown });
        }
        Ok(left)
    }

    fn union(&self, parts: &[Predicate]) -> Result<Set, IndexError> {
        let mut all = Set::none();
        for part in parts {
            all = all.or(self.set(part)?, self.rows);
            if matches!(all, Set::All) {
                break;
            }
        }
        Ok(all)
    }

    fn any_field(&self, test: &Match) -> Result<Set, IndexError> {
        if !self.names_complete || matches!(test, Match::Empty | Match::Anchored(..)) {
            return Ok(Set::Unknown);
        }
        let mut all = Set::none();
        for name in self.field_names {
            all = all.or(self.test(name, test)?, self.rows);
            if matches!(all, Set::Unknown) {
                break;
            }
        }
        Ok(all)
    }

    /// At most so many rows match; cheap.
    fn estimate(&self, predicate: &Predicate) -> Result<u64, IndexError> {
        Ok(match predicate {
            Predicate::Nothing => 0,
            Predicate::And(parts) => {
                let mut least = self.rows;
                for part in parts {
                    least = least.min(self.estimate(part)?);
                }
                least
            }
            Predicate::Or(parts) => {
                let mut sum = 0u64;
                for part in parts {
                    sum = sum.saturating_add(self.estimate(part)?);
                }
                sum.min(self.rows)
            }
            Predicate::Field(FieldName::Named(name), test) => self.estimate_test(name, test)?,
            _ => self.rows,
        })
    }

    fn estimate_test(&self, name: &str, test: &Match) -> Result<u64, IndexError> {
        if self.lacks(name) {
            return Ok(if test.holds_for_value(None) { self.rows } else { 0 });
        }
        if !self.index.is_complete(name) {
            return Ok(self.rows);
        }
        let mut least = self.rows;
        for word in words_in(test) {
            least = least.min(self.index.estimate(name, &word)?);
        }
        Ok(least)
    }

    /// What a question costs, in nanoseconds, when at most so many rows are its answer.
    fn step_ns(&self, predicate: &Predicate, rows: u64) -> u64 {
        match predicate {
            Predicate::And(parts) | Predicate::Or(parts) => {
                parts.iter().map(|part| self.step_ns(part, rows)).fold(0, u64::saturating_add)
            }
            Predicate::Not(part) => self.step_ns(part, rows),
            Predicate::Field(_, Match::Regex(..) | Match::Anchored(..) | Match::Sequence(_)) => PROBE_NS,
            _ => rows.saturating_mul(POSTING_NS),
        }
    }

    /// Whether no row has the field.
    fn lacks(&self, name: &str) -> bool {
        self.names_complete && !self.field_names.contains(name) && !crate::is_built_in(name)
    }

    fn test(&self, name: &str, test: &Match) -> Result<Set, IndexError> {
        if self.lacks(name) {
            return Ok(if test.holds_for_value(None) { Set::All } else { Set::none() });
        }
        if crate::is_built_in(name) {
            return Ok(Set::Unknown);
        }
        if let Some(set) = self.by_values(name, test)? {
            return Ok(set);
        }
        if test.holds_for_value(None) {
            // Rows without the field match, and the index does not list those: the opposite is asked.
            return Ok(match test {
                Match::Empty => self.test(name, &Match::Exists)?.not(self.rows),
                _ => Set::Unknown,
            });
        }
        match test {
            Match::Needle(needle) => self.needle(name, needle, test),
            Match::CasedNeedle(needle) => {
                let words = self.words(name, &words_of(needle.any_case()))?;
                self.probed(name, test, words)
            }
            Match::Exact(text) | Match::ExactAnyCase(text) => {
                let words = self.words(name, &tokens(text))?;
                self.probed(name, test, words)
            }
            Match::In(values) => {
                let mut any = Set::none();
                for value in values {
                    any = any.or(self.words(name, &tokens(value))?, self.rows);
                }
                self.probed(name, test, any)
            }
            Match::Sequence(needles) => {
                let words: Vec<String> = needles.iter().flat_map(words_of).collect();
                let words = self.words(name, &words)?;
                self.probed(name, test, words)
            }
            Match::StartsWith(start) | Match::StartsWithAnyCase(start) => {
                let words = self.words(name, &words_of(&Needle::prefix(start)))?;
                self.probed(name, test, words)
            }
            Match::Regex(_, required, _) | Match::Anchored(_, required, _) => {
                let mut any = if required.texts.is_empty() { Set::Unknown } else { Set::none() };
                for text in &required.texts {
                    any = any.or(self.inside(name, text)?, self.rows);
                }
                self.probed(name, test, any)
            }
            Match::Fuzzy(word) if self.index.is_complete(name) => {
                let stop = || self.control.is_canceled();
                let near = Set::Rows(self.index.prefix(name, &word.prefix(), PREFIX_TERMS_MAX, &stop)?);
                Ok(Set::Unknown.narrowed(&near))
            }
            Match::Compare(..)
            | Match::Exists
            | Match::Empty
            | Match::Ipv4Range(..)
            | Match::Ipv6Range(..)
            | Match::LenRange(..)
            | Match::StringRange(..)
            | Match::Fuzzy(_) => self.probed(name, test, Set::Unknown),
        }
    }

    /// The rows that may have a text inside of their own: those with its whole words, and with a word that begins as its last
    /// one does.
    fn inside(&self, name: &str, text: &str) -> Result<Set, IndexError> {
        let words = self.words(name, &inner_words(text))?;
        let Some(open) = open_word(text).filter(|_| self.index.is_complete(name)) else { return Ok(words) };
        if words.is_on_few_pages() {
            return Ok(words);
        }
        let stop = || self.control.is_canceled();
        Ok(words.and(Set::Rows(self.index.prefix(name, &open, PREFIX_TERMS_MAX, &stop)?)))
    }

    /// Exact, when the field has few distinct values and every row that has it is listed under one.
    fn by_values(&self, name: &str, test: &Match) -> Result<Option<Set>, IndexError> {
        let Some(values) = self.index.values(name)? else { return Ok(None) };
        let with_missing = test.holds_for_value(None);
        let mut found = RoaringBitmap::new();
        for (nth, value) in values.iter().enumerate() {
            // Rows without the field are in no list: when those match, the lists of what does not are read.
            if test.holds_for_value(Some(&value.value)) != with_missing {
                found |= self.index.rows_of(name, nth, &|| self.control.is_canceled())?;
            }
        }
        let set = Set::sure(found);
        Ok(Some(if with_missing { set.not(self.rows) } else { set }))
    }

    /// A word, a phrase or a prefix.
    fn needle(&self, name: &str, needle: &Needle, test: &Match) -> Result<Set, IndexError> {
        let stop = || self.control.is_canceled();
        if self.index.is_complete(name)
            && let Some(word) = lone_word(needle)
        {
            let open = needle.is_prefix() && is_open(needle.lower(), &word);
            let hits = if open {
                self.index.prefix(name, &word, PREFIX_TERMS_MAX, &stop)?
            } else {
                self.index.word(name, &word, &stop)?
            };
            return Ok(Set::Rows(hits));
        }
        let words = self.words(name, &words_of(needle))?;
        self.probed(name, test, words)
    }

    /// What trying the groups says, among the rows that may match by their words.
    fn probed(&self, name: &str, test: &Match, words: Set) -> Result<Set, IndexError> {
        if words.is_on_few_pages() {
            return Ok(Set::Unknown.narrowed(&words));
        }
        let stop = || self.control.is_canceled();
        let prober = Prober::new(test);
        let found = self.index.probe(name, &mut |group| prober.probe(group), &stop)?;
        let found = found.map_or(Set::Unknown, Set::Rows);
        Ok(found.narrowed(&match words {
            Set::All => Set::Unknown,
            words => words,
        }))
    }

    /// Rows that have all the words, the rarest first, as long as a list is cheaper than looking at the rows.
    fn words(&self, name: &str, words: &[String]) -> Result<Set, IndexError> {
        if words.is_empty() || !self.index.is_complete(name) {
            return Ok(Set::Unknown);
        }
        let stop = || self.control.is_canceled();
        let mut ranked = Vec::with_capacity(words.len());
        for word in words {
            ranked.push((self.index.estimate(name, word)?, word));
        }
        ranked.sort_unstable();
        ranked.dedup();
        let mut left = Set::Unknown;
        for (rows, word) in ranked {
            // Common words do not narrow: the groups tell them for nothing.
            let common = rows > self.rows / 8 && !matches!(left, Set::Rows(_));
            let worth = rows.saturating_mul(POSTING_NS) < left.possible_len(self.rows).saturating_mul(VERIFY_NS);
            if common || !worth {
                break;
            }
            left = left.and(Set::Rows(self.index.word(name, word, &stop)?));
            if left.is_none() {
                break;
            }
        }
        Ok(left)
    }
}

/// The one word that a needle is, when the rows with the word are exactly those that match.
fn lone_word(needle: &Needle) -> Option<String> {
    if needle.lower().contains(COMBINING_DOT) {
        return None;
    }
    let words = tokens(needle.lower());
    match &words[..] {
        [word] if word == needle.lower() && is_term(word) => words.into_iter().next(),
        _ => None,
    }
}

/// The words that a text with the needle has, whole ones only.
fn words_of(needle: &Needle) -> Vec<String> {
    let mut words = tokens(needle.lower());
    if needle.is_prefix() {
        words.pop_if(|last| is_open(needle.lower(), last));
    }
    words
}

/// The words that a value which passes the test has.
fn words_in(test: &Match) -> Vec<String> {
    match test {
        Match::Needle(needle) => words_of(needle),
        Match::CasedNeedle(needle) => words_of(needle.any_case()),
        Match::Exact(text) | Match::ExactAnyCase(text) => tokens(text),
        Match::Sequence(needles) => needles.iter().flat_map(words_of).collect(),
        _ => Vec::new(),
    }
}

/// The words of a text that are whole terms wherever the text is.
fn tokens(text: &str) -> Vec<String> {
    let lower = crate::needle::lower_case(text);
    if lower.contains(COMBINING_DOT) {
        return Vec::new();
    }
    shape::tokenize(&lower).map(|word| word.into_owned()).filter(|word| is_term(word)).collect()
}

/// The words of a text that may stand inside of a longer one: without the first and the last when those may go on.
fn inner_words(text: &str) -> Vec<String> {
    let start = text.char_indices().find(|(_, c)| !joins(*c)).map_or(text.len(), |(at, _)| at);
    let end = text.char_indices().rev().find(|(_, c)| !joins(*c)).map_or(0, |(at, c)| at + c.len_utf8());
    text.get(start..end).map(tokens).unwrap_or_default()
}

/// The last word of a text that may stand inside of a longer one, when its beginning is sure and it may go on.
fn open_word(text: &str) -> Option<String> {
    let (before, last) = text.char_indices().rev().find(|(_, c)| !joins(*c))?;
    let word = tokens(text.get(before + last.len_utf8()..)?).pop()?;
    (word.len() >= OPEN_WORD_BYTES_MIN && text.is_ascii()).then_some(word)
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

#[cfg(test)]
mod tests;
