//! Texts to shapes: what a text has in common with its neighbours, and the words in which it differs.
//!
//! A word that holds an ASCII digit is *variable*; all others are *static*. A shape is the text with the variable parts of
//! its variable words replaced by holes. Such a word is cut at `_`; of its parts
//!
//! - one of nothing but digits is a hole for digits: `404`, `0020` of `task_0020`;
//! - one of four or more hexadecimal digits is a hole for those: `31bf3856`, `fe80`;
//! - one that changes between letters and digits at least twice is an opaque hole: `x1f3a`, `i18n`;
//! - in any other the digits are a hole and the letters stay: `node246`, `42nd`, `_v2`.
//!
//! So static words never hold a digit, variable words always do, and no word of a row is both. Holes are bytes that UTF-8
//! never uses.

use std::ops::Range;

use crate::tokenize::is_word;

/// What stands for a part that differs from row to row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hole {
    /// One or more ASCII digits.
    Digits,
    /// Four or more ASCII hexadecimal digits, some letter and some digit among them.
    Hex,
    /// Three or more letters and digits of any alphabet, some letter and some ASCII digit among them.
    Opaque,
}

/// The lowest byte of a hole.
pub(crate) const HOLE_MIN: u8 = 0xf8;

impl Hole {
    pub(crate) fn byte(self) -> u8 {
        HOLE_MIN + self as u8
    }

    /// The hole that a byte of a shape stands for.
    pub fn of(byte: u8) -> Option<Self> {
        match byte.checked_sub(HOLE_MIN)? {
            0 => Some(Self::Digits),
            1 => Some(Self::Hex),
            2 => Some(Self::Opaque),
            _ => None,
        }
    }

    /// Whether the text of the hole, in lower case, can hold the character.
    pub fn can_hold(self, lower: char) -> bool {
        match self {
            Self::Digits => lower.is_ascii_digit(),
            Self::Hex => matches!(lower, '0'..='9' | 'a'..='f'),
            // Lower-casing may bring forth a combining mark.
            Self::Opaque if lower.is_ascii() => lower.is_ascii_alphanumeric(),
            Self::Opaque => true,
        }
    }
}

/// Whether a byte of a shape is a hole.
pub fn is_hole(byte: u8) -> bool {
    byte >= HOLE_MIN
}

/// A variable word of a text.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Where in the text it is.
    pub at: Range<usize>,
    /// What is known of it.
    pub looks: Looks,
}

/// What is known of a variable word without looking again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Looks {
    /// ASCII digits only.
    Digits,
    /// ASCII in lower case.
    Lower,
    /// Anything else.
    Other,
}

/// Cuts texts; its buffers are used again and again.
#[derive(Default)]
pub struct Cutter {
    /// The shape of the last text.
    pub shape: Vec<u8>,
    /// The variable words of the last text, in order.
    pub variables: Vec<Variable>,
    /// What is in the holes of the last text, in order.
    pub holes: Vec<Range<usize>>,
}

impl Cutter {
    /// Cuts a text.
    pub fn cut(&mut self, text: &str) {
        let Self { shape, variables, holes } = self;
        variables.clear();
        holes.clear();
        let bytes = text.as_bytes();
        // No shape is longer than its text, so room for that is room enough.
        shape.resize(bytes.len(), 0);
        let mut out = Out { bytes: shape, len: 0, holes };
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            let start = at;
            match class(byte) {
                Class::Gap => {
                    out.push(byte);
                    at += 1;
                    continue;
                }
                Class::Digit => {
                    at = skip(bytes, at, |byte| byte.is_ascii_digit());
                    if word_end(text, at) == at {
                        out.hole(Hole::Digits, start..at);
                        variables.push(Variable { at: start..at, looks: Looks::Digits });
                        continue;
                    }
                }
                Class::Letter => {
                    at = skip(bytes, at, |byte| class(byte) == Class::Letter);
                    if bytes.get(at).is_none_or(|byte| class(*byte) == Class::Gap) {
                        out.extend(&bytes[start..at]);
                        continue;
                    }
                }
                Class::Other => {}
            }
            at = word_end(text, start);
            if at == start {
                // A character that is in no word, or a word of its own.
                at += text[start..].chars().next().map_or(1, char::len_utf8);
                out.extend(&bytes[start..at]);
                continue;
            }
            let word = &bytes[start..at];
            if word.iter().any(u8::is_ascii_digit) {
                let looks = out.word(word, start);
                variables.push(Variable { at: start..at, looks });
            } else {
                out.extend(word);
            }
        }
        let len = out.len;
        shape.truncate(len);
    }
}

/// A shape being written into a buffer that is long enough.
struct Out<'a> {
    bytes: &'a mut [u8],
    len: usize,
    holes: &'a mut Vec<Range<usize>>,
}

impl Out<'_> {
    fn push(&mut self, byte: u8) {
        if let Some(place) = self.bytes.get_mut(self.len) {
            *place = byte;
            self.len += 1;
        }
    }

    /// Appends a piece. Most are shorter than a call of the library's copy is worth.
    fn extend(&mut self, piece: &[u8]) {
        if let Some(place) = self.bytes.get_mut(self.len..self.len + piece.len()) {
            if piece.len() > 32 {
                place.copy_from_slice(piece);
            } else {
                place.iter_mut().zip(piece).for_each(|(place, byte)| *place = *byte);
            }
            self.len += piece.len();
        }
    }

    fn hole(&mut self, hole: Hole, at: Range<usize>) {
        self.push(hole.byte());
        self.holes.push(at);
    }

    /// Appends the shape of a variable word that is not digits only and begins at `base`.
    fn word(&mut self, word: &[u8], base: usize) -> Looks {
        let mut plain = true;
        let mut at = 0;
        loop {
            let start = at;
            let (mut digits, mut changes, mut hex, mut last) = (0, 0, true, None);
            while let Some(&byte) = word.get(at).filter(|byte| **byte != b'_') {
                let digit = byte.is_ascii_digit();
                digits += usize::from(digit);
                changes += u32::from(last == Some(!digit));
                hex &= byte.is_ascii_hexdigit();
                plain &= byte.is_ascii() && !byte.is_ascii_uppercase();
                last = Some(digit);
                at += 1;
            }
            self.part(&word[start..at], base + start, Part { digits, changes, hex });
            if at == word.len() {
                return if plain { Looks::Lower } else { Looks::Other };
            }
            self.push(b'_');
            at += 1;
        }
    }

    /// Appends the shape of a part of a word that begins at `base`.
    fn part(&mut self, part: &[u8], base: usize, Part { digits, changes, hex }: Part) {
        let whole = base..base + part.len();
        if digits == 0 {
            self.extend(part);
        } else if digits == part.len() {
            self.hole(Hole::Digits, whole);
        } else if part.len() >= HEX_BYTES_MIN && hex {
            self.hole(Hole::Hex, whole);
        } else if changes >= 2 {
            self.hole(Hole::Opaque, whole);
        } else if part[0].is_ascii_digit() {
            self.hole(Hole::Digits, base..base + digits);
            self.extend(&part[digits..]);
        } else {
            let letters = part.len() - digits;
            self.extend(&part[..letters]);
            self.hole(Hole::Digits, base + letters..whole.end);
        }
    }
}

/// What is counted in a part of a word.
#[derive(Clone, Copy)]
struct Part {
    /// How many of its bytes are digits.
    digits: usize,
    /// How often digits and letters change.
    changes: u32,
    /// Whether all are hexadecimal digits.
    hex: bool,
}

/// What a byte can be.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    /// ASCII, in no word.
    Gap,
    /// An ASCII letter or `_`.
    Letter,
    Digit,
    /// A part of a longer character.
    Other,
}

const CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte = 0;
    while byte < 128 {
        classes[byte as usize] = match byte as u8 {
            b'0'..=b'9' => Class::Digit,
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => Class::Letter,
            _ => Class::Gap,
        };
        byte += 1;
    }
    classes
};

fn class(byte: u8) -> Class {
    CLASSES[usize::from(byte)]
}

/// The first place from `at` on whose byte is not one of these.
fn skip(bytes: &[u8], at: usize, is: impl Fn(u8) -> bool) -> usize {
    bytes[at..].iter().position(|byte| !is(*byte)).map_or(bytes.len(), |len| at + len)
}

/// Shortest part that is taken for hexadecimal digits.
const HEX_BYTES_MIN: usize = 4;

/// Where the word that is at `from` ends: at once when none is.
fn word_end(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while let Some(&byte) = bytes.get(at) {
        if byte.is_ascii() {
            if class(byte) == Class::Gap {
                break;
            }
            at += 1;
        } else {
            match text[at..].chars().next().filter(|c| is_word(*c)) {
                Some(c) => at += c.len_utf8(),
                None => break,
            }
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenize;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn check(text: &str, want: Expect) {
        let mut cutter = Cutter::default();
        cutter.cut(text);
        let shape: String = cutter
            .shape
            .chunk_by(|a, b| !is_hole(*a) && !is_hole(*b))
            .map(|piece| match piece {
                [byte] if is_hole(*byte) => ["<D>", "<H>", "<O>"][usize::from(byte - HOLE_MIN)].to_owned(),
                piece => String::from_utf8(piece.to_vec()).unwrap(),
            })
            .collect();
        let words: Vec<&str> = cutter.variables.iter().map(|word| &text[word.at.clone()]).collect();
        want.assert_eq(&format!("{shape} | {}", words.join(" ")));
    }

    #[test]
    fn shapes() {
        check("no digits here", expect!["no digits here | "]);
        check(
            "sshd[24200]: from 10.0.0.1 port 22",
            expect!["sshd[<D>]: from <D>.<D>.<D>.<D> port <D> | 24200 10 0 0 1 22"],
        );
        check("blk_-16089 blk_16089x", expect!["blk_-<D> blk_<D>x | 16089 blk_16089x"]);
        check("attempt_1445_m_000001_0", expect!["attempt_<D>_m_<D>_<D> | attempt_1445_m_000001_0"]);
        check("3F2504E0-4f89-11d3-0305e82c3301", expect!["<H>-<H>-<H>-<H> | 3F2504E0 4f89 11d3 0305e82c3301"]);
        check(
            "0x1f3z i18n utf8 42nd e0 _9_ x86_64",
            expect!["<O> <O> utf<D> <D>nd e<D> _<D>_ x<D>_<D> | 0x1f3z i18n utf8 42nd e0 _9_ x86_64"],
        );
        check("é9 错1误 ٣4", expect!["é<D> 错<D>误 ٣<D> | é9 1 ٣4"]);
        check("1", expect!["<D> | 1"]);
        check("", expect![" | "]);
    }

    proptest! {
        #[test]
        fn variable_words_are_the_words_with_a_digit(text in "[ab1é错_ .-]{0,30}|\\PC{0,30}") {
            let mut cutter = Cutter::default();
            cutter.cut(&text);
            let found: Vec<String> = cutter.variables.iter().map(|word| tokenize(&text[word.at.clone()]).collect()).collect();
            let want: Vec<String> = tokenize(&text)
                .filter(|word| word.bytes().any(|byte| byte.is_ascii_digit()))
                .map(|word| word.into_owned())
                .collect();
            prop_assert_eq!(found, want);
            let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
            prop_assert_eq!(has_digit, cutter.shape.iter().any(|byte| is_hole(*byte)));
            let statics: Vec<_> = crate::text::static_words(&cutter.shape).map(|word| word.into_owned()).collect();
            let want: Vec<_> = tokenize(&text).filter(|word| !word.bytes().any(|byte| byte.is_ascii_digit())).collect();
            prop_assert_eq!(statics, want);
        }
    }
}
