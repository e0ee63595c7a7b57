//! Looking at the text of a group instead of the texts of its rows.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use crate::cut::{Hole, is_hole};
use crate::tokenize;
use crate::tokenize::is_word;

/// What the text of a group says about its rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// Every row of the group matches.
    Sure,
    /// The rows have to be looked at.
    Maybe,
    /// No row of the group matches.
    No,
}

/// The text that the rows of a group share: a whole value, or a shape with holes where rows differ.
#[derive(Clone, Copy, Debug)]
pub struct GroupText<'a> {
    raw: &'a [u8],
    lower: &'a [u8],
    rows: u32,
}

/// A text in lower case that is looked for in many groups.
#[derive(Clone, Debug)]
pub struct Literal {
    finder: memmem::Finder<'static>,
    /// Whether a hole of each kind can hold one of its bytes.
    fits: [bool; 3],
}

impl Literal {
    /// Prepares a text that is in lower case.
    pub fn new(lower: &str) -> Self {
        let fits =
            [Hole::Digits, Hole::Hex, Hole::Opaque].map(|hole| lower.bytes().any(|want| accepts(hole.byte(), want)));
        Self { finder: memmem::Finder::new(lower.as_bytes()).into_owned(), fits }
    }

    fn text(&self) -> &[u8] {
        self.finder.needle()
    }
}

/// A part of a [`GroupText`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Text that all rows have, in their case.
    Text(&'a str),
    /// A part that differs from row to row and is never empty. `joins_left` and `joins_right` say that a letter, digit, `_`
    /// or another hole touches it there, so that the word goes on.
    Hole {
        /// What it can be.
        hole: Hole,
        /// Whether the word began before it.
        joins_left: bool,
        /// Whether the word goes on behind it.
        joins_right: bool,
    },
}

impl<'a> GroupText<'a> {
    /// The text of `rows` rows. `raw` is a text or a shape, UTF-8 between its holes; `lower` is [`lower`] of it.
    pub fn new(raw: &'a [u8], lower: &'a [u8], rows: u32) -> Self {
        Self { raw, lower, rows }
    }

    /// The text or shape as [`crate::Cutter`] makes it.
    pub fn raw(&self) -> &'a [u8] {
        self.raw
    }

    /// The text when it has no hole: the value of each row.
    pub fn whole(&self) -> Option<&'a str> {
        if self.is_whole() { str::from_utf8(self.raw).ok() } else { None }
    }

    /// Whether the text has no hole.
    pub fn is_whole(&self) -> bool {
        !self.raw.iter().any(|byte| is_hole(*byte))
    }

    /// How many rows share it.
    pub fn rows(&self) -> u64 {
        self.rows.into()
    }

    /// Texts and holes in order.
    pub fn pieces(&self) -> impl Iterator<Item = Piece<'a>> + use<'a> {
        let raw = self.raw;
        let mut at = 0;
        std::iter::from_fn(move || {
            let byte = *raw.get(at)?;
            let start = at;
            if let Some(hole) = Hole::of(byte) {
                at += 1;
                let (before, after) = (&raw[..start], &raw[at..]);
                return Some(Piece::Hole { hole, joins_left: joins_back(before), joins_right: joins_on(after) });
            }
            at = start + text_len(&raw[start..]);
            Some(Piece::Text(text(&raw[start..at])))
        })
    }

    /// Whether the rows' texts, in lower case, contain a literal.
    pub fn could_contain(&self, literal: &Literal) -> Probe {
        if literal.finder.find(self.lower).is_some() {
            return Probe::Sure;
        }
        // A place that was not found in the texts between the holes takes something of a hole.
        if !self.lower.iter().any(|byte| Hole::of(*byte).is_some_and(|hole| literal.fits[hole as usize])) {
            return Probe::No;
        }
        if runs_through(self.lower, literal.text(), false) { Probe::Maybe } else { Probe::No }
    }

    /// Whether the rows have the words one after the other.
    pub fn phrase(&self, words: &[&str]) -> Probe {
        if words.is_empty() {
            return Probe::Sure;
        }
        let mut found = Probe::No;
        let own: Vec<Word<'_>> = words_of(self.raw).collect();
        for window in own.windows(words.len()) {
            let mut all = Probe::Sure;
            for (own, want) in window.iter().zip(words) {
                match own {
                    Word::Static(text) if text == want => {}
                    Word::Variable(pattern) if is_match(pattern, want) => all = Probe::Maybe,
                    _ => {
                        all = Probe::No;
                        break;
                    }
                }
            }
            match all {
                Probe::Sure => return Probe::Sure,
                Probe::Maybe => found = Probe::Maybe,
                Probe::No => {}
            }
        }
        found
    }

    /// Whether the rows have a variable word that begins so.
    pub fn prefix(&self, prefix: &str) -> Probe {
        let mut found = Probe::No;
        let mut look = |pattern: &[u8]| {
            if pattern.starts_with(prefix.as_bytes()) {
                found = Probe::Sure;
            } else if found == Probe::No && runs_through(pattern, prefix.as_bytes(), true) {
                found = Probe::Maybe;
            }
        };
        if self.lower.iter().any(|byte| !byte.is_ascii() && !is_hole(*byte)) {
            // Lower-casing may bring forth a mark that ends words, so that they must be cut before.
            for word in words_of(self.raw) {
                if let Word::Variable(pattern) = word {
                    look(&pattern);
                }
            }
            return found;
        }
        let joins = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || is_hole(*byte);
        let mut at = 0;
        while let Some(hole) = self.lower[at..].iter().position(|byte| is_hole(*byte)) {
            let hole = at + hole;
            let start = self.lower[at..hole].iter().rposition(|byte| !joins(byte)).map_or(at, |before| at + before + 1);
            at = self.lower[hole..].iter().position(|byte| !joins(byte)).map_or(self.lower.len(), |end| hole + end);
            look(&self.lower[start..at]);
        }
        found
    }
}

/// A word of a shape.
pub(crate) enum Word<'a> {
    /// One that all rows have, in lower case.
    Static(Cow<'a, str>),
    /// One with holes, in lower case.
    Variable(Vec<u8>),
}

/// The words of a shape or text, in order.
pub(crate) fn words_of(raw: &[u8]) -> impl Iterator<Item = Word<'_>> {
    stretches(raw).flat_map(|stretch| {
        let (variable, piece) = match &raw[stretch] {
            piece if piece.iter().any(|byte| is_hole(*byte)) => (Some(Word::Variable(lower(piece))), ""),
            piece => (None, text(piece)),
        };
        variable.into_iter().chain(tokenize(piece).map(Word::Static))
    })
}

/// The words that every row of the group has, in order.
pub fn static_words(raw: &[u8]) -> impl Iterator<Item = Cow<'_, str>> {
    let is_plain = raw.iter().all(|byte| byte.is_ascii() || is_hole(*byte));
    let plain = if is_plain { raw } else { &[] };
    let other = if is_plain { &[] } else { raw };
    let joins = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || is_hole(*byte);
    let words = plain.split(move |byte| !joins(byte)).filter(|word| !word.iter().any(|byte| is_hole(*byte)));
    let words = words.flat_map(|word| tokenize(text(word)));
    words.chain(words_of(other).filter_map(|word| match word {
        Word::Static(text) => Some(text),
        Word::Variable(_) => None,
    }))
}

/// A shape in lower case, character by character.
pub fn lower(raw: &[u8]) -> Vec<u8> {
    if raw.iter().all(|byte| byte.is_ascii() || is_hole(*byte)) {
        return raw.to_ascii_lowercase();
    }
    let mut out = String::with_capacity(raw.len());
    let mut bytes = Vec::with_capacity(raw.len());
    for piece in raw.chunk_by(|a, b| !is_hole(*a) && !is_hole(*b)) {
        if is_hole(piece[0]) {
            bytes.extend_from_slice(piece);
        } else {
            out.clear();
            out.extend(text(piece).chars().flat_map(char::to_lowercase));
            bytes.extend_from_slice(out.as_bytes());
        }
    }
    bytes
}

/// Cuts a shape into words with holes and what is between them.
pub(crate) fn stretches(raw: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        if at == raw.len() {
            return None;
        }
        let start = at;
        let Some(hole) = raw[start..].iter().position(|byte| is_hole(*byte)).map(|found| start + found) else {
            at = raw.len();
            return Some(start..at);
        };
        let word = hole - joined_back(&raw[start..hole]);
        if word > start {
            at = word;
            return Some(start..at);
        }
        at = hole;
        while at < raw.len() {
            let step = if is_hole(raw[at]) { 1 } else { joined_on(&raw[at..]) };
            if step == 0 {
                break;
            }
            at += step;
        }
        Some(start..at)
    })
}

/// Bytes before the first hole.
fn text_len(raw: &[u8]) -> usize {
    raw.iter().position(|byte| is_hole(*byte)).unwrap_or(raw.len())
}

/// Bytes at the end, back to a hole, that belong to a word.
fn joined_back(raw: &[u8]) -> usize {
    let from = raw.iter().rposition(|byte| is_hole(*byte)).map_or(0, |at| at + 1);
    let piece = text(&raw[from..]);
    piece.len() - piece.trim_end_matches(is_word).len()
}

/// Bytes at the start, up to a hole, that belong to a word.
fn joined_on(raw: &[u8]) -> usize {
    let piece = text(&raw[..text_len(raw)]);
    piece.len() - piece.trim_start_matches(is_word).len()
}

fn joins_back(raw: &[u8]) -> bool {
    raw.last().is_some_and(|byte| is_hole(*byte)) || joined_back(raw) > 0
}

fn joins_on(raw: &[u8]) -> bool {
    raw.first().is_some_and(|byte| is_hole(*byte)) || joined_on(raw) > 0
}

/// A piece without holes. The reader has checked that it is UTF-8.
fn text(piece: &[u8]) -> &str {
    str::from_utf8(piece).unwrap_or_default()
}

/// Whether a byte of a pattern can stand for a byte of a text in lower case.
fn accepts(pattern: u8, byte: u8) -> bool {
    match Hole::of(pattern) {
        None => pattern == byte,
        // A character of several bytes is a letter of an opaque word at most.
        Some(hole) => {
            if byte.is_ascii() {
                hole.can_hold(byte.into())
            } else {
                hole == Hole::Opaque
            }
        }
    }
}

/// Whether the literal runs through a part of the pattern: from its first byte on when `anchored`, from anywhere if not. A
/// hole takes one byte or more.
fn runs_through(pattern: &[u8], literal: &[u8], anchored: bool) -> bool {
    !states(pattern, literal, anchored).is_empty() || literal.is_empty()
}

/// Whether the literal is one of the words that the pattern stands for.
fn is_match(pattern: &[u8], literal: &str) -> bool {
    // A variable word holds a digit.
    literal.bytes().any(|byte| byte.is_ascii_digit())
        && states(pattern, literal.as_bytes(), true).last().is_some_and(|last| last + 1 == pattern.len())
}

/// The places of the pattern that the last byte of the literal can have, ascending.
fn states(pattern: &[u8], literal: &[u8], anchored: bool) -> Vec<usize> {
    let Some((&first, rest)) = literal.split_first() else { return Vec::new() };
    let starts = if anchored { 1.min(pattern.len()) } else { pattern.len() };
    let mut now: Vec<usize> = (0..starts).filter(|at| accepts(pattern[*at], first)).collect();
    let mut next = Vec::with_capacity(now.len());
    for &byte in rest {
        next.clear();
        for &at in &now {
            if is_hole(pattern[at]) && accepts(pattern[at], byte) && next.last() != Some(&at) {
                next.push(at);
            }
            if pattern.get(at + 1).is_some_and(|pattern| accepts(*pattern, byte)) {
                next.push(at + 1);
            }
        }
        std::mem::swap(&mut now, &mut next);
        if now.is_empty() {
            break;
        }
    }
    now
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::Cutter;

    /// Checks what the shape of `text` says of literals, prefixes and phrases.
    #[track_caller]
    fn check(text: &str, contain: &[(&str, Probe)], prefix: &[(&str, Probe)], phrase: &[(&[&str], Probe)]) {
        let mut cutter = Cutter::default();
        cutter.cut(text);
        let low = lower(&cutter.shape);
        let group = GroupText { raw: &cutter.shape, lower: &low, rows: 1 };
        for (literal, want) in contain {
            assert_eq!(group.could_contain(&Literal::new(literal)), *want, "{literal} in {text}");
        }
        for (start, want) in prefix {
            assert_eq!(group.prefix(start), *want, "{start}* in {text}");
        }
        for (words, want) in phrase {
            assert_eq!(group.phrase(words), *want, "{words:?} in {text}");
        }
    }

    #[test]
    fn groups_answer_for_their_rows() {
        use Probe::{Maybe, No, Sure};
        check(
            "Failed password for user12 from 10.0.0.7 port 4242 ssh2",
            &[
                ("failed pass", Sure),
                ("rejected", No),
                ("user99 from", Maybe),
                ("userx", No),
                ("7 port", Maybe),
                ("7 part", No),
            ],
            &[("fai", No), ("use", Sure), ("user1", Maybe), ("userx", No), ("1", Maybe), ("x", No)],
            &[
                (&["failed", "password"], Sure),
                (&["password", "failed"], No),
                (&["for", "user77", "from"], Maybe),
                (&["for", "user", "from"], No),
                (&["1", "2", "3", "4"], Maybe),
                (&["port", "x1"], No),
            ],
        );
        check(
            "id 3f2504e0 of blk_-77",
            &[("deadbeef", Maybe), ("xyz", No), ("blk_-", Sure), ("beef of blk", Maybe)],
            &[("blk", No), ("blk_1", No), ("bad", Maybe), ("id", No)],
            &[(&["of", "blk_", "5"], Maybe), (&["id", "cafe1"], Maybe), (&["id", "xyz1"], No)],
        );
    }

    #[test]
    fn prefixes_of_words_in_other_alphabets() {
        use Probe::{Maybe, No, Sure};
        check("é İx7 错a9", &[], &[("i\u{307}x", Sure), ("i\u{307}x3", Maybe), ("x", No), ("a", Sure), ("é", No)], &[]);
    }

    #[test]
    fn pieces_say_where_words_go_on() {
        let mut cutter = Cutter::default();
        cutter.cut("node7_x: 错5");
        let low = lower(&cutter.shape);
        let group = GroupText { raw: &cutter.shape, lower: &low, rows: 3 };
        let hole = |joins_left, joins_right| Piece::Hole { hole: Hole::Digits, joins_left, joins_right };
        let want = [Piece::Text("node"), hole(true, true), Piece::Text("_x: 错"), hole(false, false)];
        assert_eq!(group.pieces().collect::<Vec<_>>(), want);
        assert_eq!((group.whole(), group.rows()), (None, 3));
        assert_eq!(static_words(group.raw()).collect::<Vec<_>>(), ["错"]);
    }
}
