//! A line cut into tokens: what is surely a value, what is a word, what stands between.
//!
//! It works on shapes ([`shape::Cutter`]), in which digits are holes already, so a line and its stored shape give the same
//! tokens. What is told here of a token holds for logs of any program: numbers, addresses, paths, what stands behind `=`, what
//! stands in quotes. Whether a *word* is a value is not seen in one line; that is for [`crate::cluster`].

use std::ops::Range;

use shape::{Hole, is_hole};

use crate::lists::lists;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A run of one character of punctuation.
    Mark,
    /// A word that may be text or a value.
    Word,
    /// A word of letters only in a place for values: behind `=` or in quotes. A value, or a name of a state or a kind.
    Named,
    /// Surely a value.
    Value(Class),
}

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// Digits, with sign, point and unit.
    Number,
    /// An address of the internet protocol, with or without a port.
    Ip,
    /// Letters and digits mixed, hexadecimal or otherwise opaque.
    Id,
    /// A path of files or an address of the web.
    Path,
    /// A name of a day or month, or digits with colons.
    Time,
    /// Anything else.
    Any,
}

/// A token of a shape.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Where in the shape it is.
    pub(crate) at: Range<usize>,
    /// Whether a space stands before it.
    pub(crate) space: bool,
}

/// Longest text in quotes that may be one value, in bytes.
const QUOTED_BYTES_MAX: usize = 200;
/// Most spaces in quotes for them to hold one value: more is a sentence.
const QUOTED_SPACES_MAX: usize = 2;
/// Longest group of hexadecimal digits of an address, in bytes of the shape.
const HEX_GROUP_BYTES_MAX: usize = 4;
/// Longest ending of the name of a file, in bytes.
const ENDING_BYTES_MAX: usize = 4;
/// Longest last label of the name of a host, in bytes.
const LABEL_BYTES_MAX: usize = 10;
/// Units that may stand behind a number and its space.
const UNITS: &[&[u8]] = &[
    b"B", b"KB", b"MB", b"GB", b"TB", b"KiB", b"MiB", b"GiB", b"TiB", b"byte", b"bytes", b"ns", b"us", b"ms", b"s",
    b"sec", b"secs", b"second", b"seconds", b"min", b"mins", b"minute", b"minutes", b"h", b"hour", b"hours", b"day",
    b"days",
];
/// Longest unit behind a number, in bytes.
const UNIT_BYTES_MAX: usize = 3;

/// Cuts a shape into `max` tokens or a few more; what is behind them is one value.
pub(crate) fn scan(shape: &[u8], max: usize, out: &mut Vec<Token>) {
    out.clear();
    let mut scan = Scan { bytes: shape, at: 0, space: false, close: None, out };
    while scan.skip_spaces() {
        if scan.out.len() >= max {
            scan.push(Kind::Value(Class::Any), shape.len());
            break;
        }
        scan.next();
    }
    lists(shape, out);
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    space: bool,
    /// Where the quotes end that are open.
    close: Option<usize>,
    out: &'a mut Vec<Token>,
}

fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || (0x80..0xf8).contains(&byte)
}

fn is_atom(byte: u8) -> bool {
    is_letter(byte) || is_hole(byte) || byte.is_ascii_digit()
}

/// A hole, or a digit that a hole does not stand for.
fn is_hex(byte: u8) -> bool {
    is_hole(byte) || byte.is_ascii_hexdigit()
}

fn is_space(byte: u8) -> bool {
    byte <= b' ' || byte == 0x7f
}

fn is_open(byte: u8) -> bool {
    matches!(byte, b'(' | b'[' | b'{' | b'<')
}

fn is_close(byte: u8) -> bool {
    matches!(byte, b')' | b']' | b'}' | b'>')
}

impl Scan<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(b' ')
    }

    /// Goes to the next token; false at the end.
    fn skip_spaces(&mut self) -> bool {
        self.space = false;
        while self.at < self.bytes.len() && is_space(self.bytes[self.at]) {
            self.at += 1;
            self.space = true;
        }
        self.space &= !self.out.is_empty();
        self.at < self.bytes.len()
    }

    fn push(&mut self, kind: Kind, end: usize) {
        self.out.push(Token { kind, at: self.at..end, space: self.space });
        self.at = end;
        self.space = false;
    }

    /// Whether the last token is this mark and touches what comes.
    fn after(&self, mark: u8) -> bool {
        let last = self.out.last().filter(|token| token.kind == Kind::Mark && !self.space);
        last.is_some_and(|token| self.bytes[token.at.clone()] == [mark])
    }

    fn next(&mut self) {
        let byte = self.byte(self.at);
        if self.after(b'=') && self.assigned() {
            return;
        }
        match byte {
            _ if self.close == Some(self.at) => self.push(Kind::Mark, self.at + 1),
            b'"' | b'\'' | b'`' if self.quoted(byte) => {}
            b'/' | b'\\' | b'~' | b'.' if self.path() => {}
            b'-' | b'+' if is_hole(self.byte(self.at + 1)) && self.may_sign() => self.atom(self.at + 1),
            b'<' | b'>' | b'~' if is_hole(self.byte(self.at + 1)) && self.bound() => self.atom(self.at + 1),
            _ if is_atom(byte) && self.hex_groups() => {}
            _ if is_atom(byte) => self.atom(self.at),
            _ => self.mark(byte),
        }
    }

    fn touches_atom(&self) -> bool {
        !self.space && self.out.last().is_some_and(|token| token.kind != Kind::Mark)
    }

    /// Whether `-` here is a sign.
    fn may_sign(&self) -> bool {
        let before = self.at.checked_sub(1).map_or(b' ', |at| self.bytes[at]);
        !is_atom(before) && !is_close(before)
    }

    /// Whether `<` or the like here belongs to the number behind it, as in `<1 sec`.
    fn bound(&self) -> bool {
        let end = self.bytes[self.at + 1..].iter().position(|byte| is_space(*byte) || is_close(*byte));
        self.space && end.is_none_or(|end| !is_close(self.bytes[self.at + 1 + end]))
    }

    /// Groups of hexadecimal digits with colons between: an address of a network card or of IPv6.
    fn hex_groups(&mut self) -> bool {
        let (mut at, mut groups, mut holes, mut letters) = (self.at, 0, 0, 0);
        loop {
            let from = at;
            while is_hex(self.byte(at)) {
                holes += usize::from(is_hole(self.byte(at)));
                letters += usize::from(!is_hole(self.byte(at)));
                at += 1;
            }
            if at == from || at - from > HEX_GROUP_BYTES_MAX {
                return false;
            }
            groups += 1;
            let colons = if self.byte(at) != b':' { 0 } else { 1 + usize::from(self.byte(at + 1) == b':') };
            let next = self.byte(at + colons);
            if colons == 0 || !is_hex(next) {
                break;
            }
            at += colons;
        }
        if groups < 3 || holes == 0 || letters == 0 && !self.has_hex(at) || self.at_atom(at) {
            return false;
        }
        self.push(Kind::Value(Class::Id), at);
        true
    }

    /// Whether what is up to `end` holds a hole for hexadecimal digits.
    fn has_hex(&self, end: usize) -> bool {
        self.bytes[self.at..end].iter().any(|byte| Hole::of(*byte) == Some(Hole::Hex))
    }

    /// A run of one mark. Empty brackets that stand for themselves hold a value that is empty.
    fn mark(&mut self, byte: u8) {
        let run = self.bytes[self.at..].iter().take_while(|next| **next == byte).count();
        let apart = self.space || self.out.is_empty() || self.after(b'=') || self.after(b':');
        let run = if is_open(byte) || is_close(byte) { 1 } else { run };
        self.push(Kind::Mark, self.at + run);
        let next = self.byte(self.at);
        if apart && is_open(byte) && is_close(next) && self.at < self.bytes.len() && byte != b'<' {
            self.push(Kind::Value(Class::Any), self.at);
        }
    }

    /// What stands behind `=` without a space: one value up to the next separator, brackets included.
    fn assigned(&mut self) -> bool {
        let start = self.at;
        let first = self.byte(start);
        if matches!(first, b'"' | b'\'' | b'`' | b'=' | b'>' | b'~') {
            return false;
        }
        let mut at = start;
        while let Some(&byte) = self.bytes.get(at) {
            if is_open(byte) {
                match self.bracket(at) {
                    Some(end) => {
                        at = end;
                        continue;
                    }
                    None => break,
                }
            }
            if is_space(byte) || is_close(byte) || b",;\"'&|=".contains(&byte) {
                break;
            }
            at += 1;
        }
        while at > start && matches!(self.bytes[at - 1], b'.' | b':') {
            at -= 1;
        }
        if at == start {
            return false;
        }
        self.push(named(&self.bytes[start..at]), at);
        true
    }

    /// The end of a pair of brackets that holds no space.
    fn bracket(&self, from: usize) -> Option<usize> {
        let mut depth = 0usize;
        for (offset, &byte) in self.bytes[from..].iter().enumerate() {
            if is_space(byte) {
                return None;
            }
            if is_open(byte) {
                depth += 1;
            } else if is_close(byte) {
                depth -= 1;
                if depth == 0 {
                    return Some(from + offset + 1);
                }
            }
        }
        None
    }

    /// What stands in quotes is one value when it is short; the name of a member of JSON is a word.
    fn quoted(&mut self, quote: u8) -> bool {
        let start = self.at + 1;
        if quote != b'"' && self.touches_atom() {
            return false;
        }
        let rest = &self.bytes[start..];
        let closes = |at: &usize| {
            let escaped = *at > 0 && rest[at - 1] == b'\\';
            !escaped && (quote == b'"' || !is_atom(self.byte(start + at + 1)))
        };
        let Some(len) = (0..rest.len()).filter(|at| rest[*at] == quote).find(closes) else {
            return false;
        };
        let text = &rest[..len];
        let spaces = text.iter().filter(|byte| is_space(**byte)).count();
        let phrase = text.iter().all(|byte| is_letter(*byte) || *byte == b' ');
        let member = quote == b'"'
            && self.byte(start + len + 1) == b':'
            && !text.is_empty()
            && text.iter().all(|byte| is_atom(*byte));
        self.push(Kind::Mark, start);
        self.close = Some(start + len);
        if member {
            self.push(class_of(text).map_or(Kind::Word, Kind::Value), start + len);
        } else if len <= QUOTED_BYTES_MAX && spaces <= QUOTED_SPACES_MAX && (spaces == 0 || phrase) {
            self.push(named(text), start + len);
        }
        true
    }

    /// A path that begins at the root, at home or with a backslash.
    fn path(&mut self) -> bool {
        let next = self.byte(self.at + 1);
        let start = match self.byte(self.at) {
            b'/' => is_atom(next) || next == b'.',
            b'\\' => is_atom(next) || next == b'\\',
            b'~' => next == b'/',
            _ => next == b'/' || (next == b'.' && self.byte(self.at + 2) == b'/'),
        };
        if !start || self.touches_atom() {
            return false;
        }
        self.push(Kind::Value(Class::Path), self.path_end(self.at));
        true
    }

    fn path_end(&self, from: usize) -> usize {
        let ends = |byte: u8| is_space(byte) || is_open(byte) || is_close(byte) || b"\"'`|,;=".contains(&byte);
        let (mut at, mut query) = (from, false);
        while at < self.bytes.len() {
            let byte = self.bytes[at];
            query |= byte == b'?';
            match is_open(byte).then(|| self.bracket(at)).flatten() {
                Some(end) => at = end,
                None if ends(byte) && !(query && matches!(byte, b'=' | b',' | b';')) => break,
                None => at += 1,
            }
        }
        while at > from + 1 && matches!(self.bytes[at - 1], b'.' | b':' | b'!' | b'?' | b',' | b';') {
            at -= 1;
        }
        at
    }

    /// A word with what is glued to it, from `body` on (a sign may stand before).
    fn atom(&mut self, body: usize) {
        let start = self.at;
        let mut at = body;
        loop {
            while self.at_atom(at) {
                at += 1;
            }
            match self.glue(start, at) {
                Some(next) => at = next,
                None => break,
            }
        }
        if self.bytes[at..].starts_with(b"://") || self.bytes[start..].get(1..3) == Some(b":\\") {
            return self.push(Kind::Value(Class::Path), self.path_end(at));
        }
        if self.byte(at) == b'%' && is_hole(self.byte(at - 1)) {
            at += 1;
        }
        let text = &self.bytes[start..at];
        let class = class_of(text).or_else(|| day(text, self.bytes.get(at..).unwrap_or_default()));
        if class.is_none() && self.unit(at) {
            return;
        }
        match class {
            Some(class) => self.push(Kind::Value(class), at),
            None => self.push(Kind::Word, at),
        }
    }

    /// Whether the word up to `end` is the unit of the number before it; then it belongs to that.
    fn unit(&mut self, end: usize) -> bool {
        let unit = self.space && UNITS.contains(&&self.bytes[self.at..end]);
        let number = self.out.last_mut().filter(|last| unit && last.kind == Kind::Value(Class::Number));
        let Some(number) = number else { return false };
        number.at.end = end;
        self.at = end;
        true
    }

    fn at_atom(&self, at: usize) -> bool {
        self.bytes.get(at).is_some_and(|byte| is_atom(*byte))
    }

    /// Where a word goes on behind a mark that belongs to it.
    fn glue(&self, start: usize, at: usize) -> Option<usize> {
        let mark = *self.bytes.get(at)?;
        let next = self.byte(at + 1);
        let word = &self.bytes[start..at];
        let glued = match mark {
            b'/' if next == b'.' => return self.at_atom(at + 2).then_some(at + 2),
            b'.' | b'-' | b'/' | b'@' | b'+' | b'$' | b'\\' | b'~' | b'#' | b'&' => self.at_atom(at + 1),
            b'\'' => is_letter(next) && word.last().is_some_and(|byte| is_letter(*byte)),
            b':' => {
                let ends = !self.at_atom(at + 2) && self.byte(at + 2) != b':';
                is_hole(next)
                    && (!word.iter().any(|byte| is_letter(*byte)) || ends && ends_in_label(word, LABEL_BYTES_MAX))
            }
            _ => false,
        };
        glued.then_some(at + 1)
    }
}

/// The class of a word that is surely a value.
fn class_of(word: &[u8]) -> Option<Class> {
    let letters = word.iter().filter(|byte| is_letter(**byte) && **byte != b'_').count();
    let holes = word.iter().filter(|byte| is_hole(**byte)).count();
    if holes == 0 {
        return class_of_letters(word);
    }
    let all_digits = word.iter().filter(|byte| is_hole(**byte)).all(|byte| Hole::of(*byte) == Some(Hole::Digits));
    let dots = word.iter().filter(|byte| **byte == b'.').count();
    let colons = word.iter().filter(|byte| **byte == b':').count();
    if letters == 0 && all_digits {
        let address = dots == 3 && holes >= 4 && colons <= 1;
        return Some(if address {
            Class::Ip
        } else if colons > 0 {
            Class::Time
        } else {
            Class::Number
        });
    }
    if word.len() > 2 && is_hole(word[0]) && word[1] == b'x' && word[2..].iter().all(|byte| is_hex(*byte)) {
        return Some(Class::Id);
    }
    if product(word) {
        return None;
    }
    if word.contains(&b'/') || word.contains(&b'\\') {
        return Some(Class::Path);
    }
    if ends_in_label(word, ENDING_BYTES_MAX) {
        return Some(Class::Path);
    }
    let tail = word.iter().rev().take_while(|byte| is_letter(**byte)).count();
    let unit = tail == letters && letters <= UNIT_BYTES_MAX && all_digits;
    if unit {
        return Some(Class::Number);
    }
    if !all_digits || holes >= 2 || word.contains(&b'@') {
        return Some(Class::Id);
    }
    None
}

/// Whether it is a name with a version, as `HTTP/1.1`.
fn product(word: &[u8]) -> bool {
    let name = word.iter().take_while(|byte| is_letter(**byte)).count();
    let version = word.get(name + 1..).unwrap_or_default();
    name > 0 && word.get(name) == Some(&b'/') && version.iter().all(|byte| is_hole(*byte) || *byte == b'.')
}

/// Whether a word ends like the name of a file or of a host: in a point and a few small letters.
fn ends_in_label(word: &[u8], bytes_max: usize) -> bool {
    let label = word.iter().rev().take_while(|byte| byte.is_ascii_lowercase()).count();
    (2..=bytes_max).contains(&label) && word.len() > label + 1 && word[word.len() - label - 1] == b'.'
}

fn class_of_letters(word: &[u8]) -> Option<Class> {
    let slashes = word.iter().filter(|byte| **byte == b'/').count();
    if word.contains(&b'\\') || slashes >= 2 {
        return Some(Class::Path);
    }
    if word.contains(&b'@') {
        return Some(Class::Id);
    }
    let truth = [b"true".as_slice(), b"false", b"null"].iter().any(|name| word.eq_ignore_ascii_case(name));
    truth.then_some(Class::Any)
}

/// What stands in a place for values.
fn named(text: &[u8]) -> Kind {
    let word = text.iter().all(|byte| is_letter(*byte) || matches!(byte, b'-' | b' '));
    match class_of(text) {
        Some(class) => Kind::Value(class),
        None if word && !text.is_empty() => Kind::Named,
        None => Kind::Value(Class::Any),
    }
}

/// A name of a day or a month before digits or another such name.
fn day(word: &[u8], rest: &[u8]) -> Option<Class> {
    const NAMES: &[u8] = b"MonTueWedThuFriSatSunJanFebMarAprMayJunJulAugSepOctNovDec";
    let named = |word: &[u8]| word.len() == 3 && NAMES.chunks(3).any(|name| name == word);
    if !named(word) {
        return None;
    }
    let rest = rest.trim_ascii_start();
    let next = rest.first().is_some_and(|byte| is_hole(*byte)) || rest.get(..3).is_some_and(named);
    next.then_some(Class::Time)
}
