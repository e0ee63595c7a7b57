//! The structure of an expression: groups, flags, repetitions.

use super::class::{NOTHING, before, brackets, escape, fault, perl, unicode};

/// How high a tree Go allows.
pub(super) const HEIGHT_MAX: usize = 1_000;
/// How often something may be repeated, repetitions within it multiplied.
const REPEAT_MAX: usize = 1_000;

/// The flags that an expression begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Plain,
    /// `(?s)`
    DotMatchesNewline,
}

/// An expression as Rust's engine writes it, to be read under the flags that it began with.
pub(super) struct Translated {
    pub(super) pattern: String,
    /// The names of groups; the first is the whole.
    pub(super) names: Vec<Option<String>>,
    /// How deeply it nests.
    pub(super) height: usize,
}

/// `i`, `m`, `s` and `U`.
#[derive(Clone, Copy)]
struct Flags([bool; 4]);

const FLAG_LETTERS: [char; 4] = ['i', 'm', 's', 'U'];

impl Flags {
    /// All flags, as they stand after `(?`.
    fn written(self) -> String {
        let letters =
            |on: bool| FLAG_LETTERS.iter().zip(self.0).filter(move |(_, is)| *is == on).map(|(letter, _)| *letter);
        let off: String = letters(false).collect();
        let on: String = letters(true).collect();
        if off.is_empty() { on } else { format!("{on}-{off}") }
    }
}

/// Something that can be repeated.
#[derive(Clone, Copy)]
struct Atom {
    /// Where it is in what is written.
    start: usize,
    end: usize,
    repeated: bool,
    literal: bool,
    /// How often its innermost part occurs at most.
    copies: usize,
    height: usize,
}

/// A group that is open, or the whole.
struct Frame {
    start: usize,
    captures: bool,
    /// The flags outside.
    flags: Flags,
    copies: usize,
    /// The highest of the finished alternatives and how many they are.
    height: usize,
    alternatives: usize,
    /// The highest part of the alternative at hand, and how many parts it has.
    part_height: usize,
    parts: usize,
}

impl Frame {
    fn new(start: usize, captures: bool, flags: Flags) -> Self {
        Self { start, captures, flags, copies: 1, height: 1, alternatives: 0, part_height: 1, parts: 0 }
    }

    /// Ends an alternative.
    fn close(&mut self) {
        let height = self.part_height + usize::from(self.parts > 1);
        self.height = self.height.max(height);
        self.alternatives += 1;
        (self.part_height, self.parts) = (1, 0);
    }
}

struct Translator<'p> {
    whole: &'p str,
    out: String,
    names: Vec<Option<String>>,
    flags: Flags,
    frames: Vec<Frame>,
    /// What a repetition would apply to.
    atom: Option<Atom>,
    height: usize,
}

/// Reads an expression by Go's rules. The error is Go's.
pub(super) fn translate(pattern: &str, start: Start) -> Result<Translated, String> {
    let flags = Flags([false, false, start == Start::DotMatchesNewline, false]);
    let mut translator = Translator {
        whole: pattern,
        out: String::with_capacity(pattern.len()),
        names: vec![None],
        flags,
        frames: vec![Frame::new(0, false, flags)],
        atom: None,
        height: 1,
    };
    let mut rest = pattern;
    // The repetition that ended here.
    let mut repeat: Option<&str> = None;
    while let Some(c) = rest.chars().next() {
        let at = rest;
        let mut repeats = false;
        (rest, repeats) = match c {
            '*' | '+' | '?' => (translator.repeat(at, &at[1..], None, repeat)?, true),
            '{' => match counted(at) {
                Some((counts, after)) => (translator.repeat(at, after, Some(counts), repeat)?, true),
                None => (translator.token(c, at)?, repeats),
            },
            _ => (translator.token(c, at)?, repeats),
        };
        repeat = repeats.then_some(at);
    }
    translator.finish()
}

/// `{2}`, `{2,}` and `{2,3}`: the counts and what follows. Numbers that are too large become that; `None` if it is no repetition.
fn counted(text: &str) -> Option<((usize, Option<usize>), &str)> {
    let (min, rest) = count(&text[1..])?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some(((min, Some(min)), rest));
    }
    let rest = rest.strip_prefix(',')?;
    if let Some(rest) = rest.strip_prefix('}') {
        return Some(((min, None), rest));
    }
    let (max, rest) = count(rest)?;
    Some(((min, Some(max)), rest.strip_prefix('}')?))
}

fn count(text: &str) -> Option<(usize, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    if digits.is_empty() || (digits.len() > 1 && digits.starts_with('0')) {
        return None;
    }
    Some((digits.parse().unwrap_or(usize::MAX), rest))
}

impl<'p> Translator<'p> {
    /// Reads anything but a repetition; what follows.
    fn token(&mut self, c: char, text: &'p str) -> Result<&'p str, String> {
        let rest = &text[c.len_utf8()..];
        match c {
            '(' if rest.starts_with('?') => self.group_with_flags(text),
            '(' => {
                self.open(None);
                Ok(rest)
            }
            '|' => {
                self.out.push('|');
                self.settle();
                self.frame().close();
                Ok(rest)
            }
            ')' => {
                self.close_group()?;
                Ok(rest)
            }
            '^' | '$' | '.' => {
                self.part(c.encode_utf8(&mut [0; 4]), false)?;
                Ok(rest)
            }
            '[' => {
                let (class, rest) = brackets(text)?;
                self.part(&class, false)?;
                Ok(rest)
            }
            '\\' => self.backslash(text),
            c => {
                self.literal(u32::from(c))?;
                Ok(rest)
            }
        }
    }

    /// The group that is open; the whole never closes.
    fn frame(&mut self) -> &mut Frame {
        let last = self.frames.len() - 1;
        &mut self.frames[last]
    }

    /// Writes something that can be repeated.
    fn part(&mut self, text: &str, literal: bool) -> Result<(), String> {
        let start = self.out.len();
        self.out.push_str(text);
        // Characters that follow each other are one node of Go's tree.
        let joins = literal && self.atom.is_some_and(|atom| atom.literal && !atom.repeated);
        let end = self.out.len();
        self.add(Atom { start, end, repeated: false, literal, copies: 1, height: 1 }, !joins)
    }

    /// Nothing can repeat any more what could be repeated until here.
    fn settle(&mut self) {
        if let Some(atom) = self.atom.take() {
            let frame = self.frame();
            frame.copies = frame.copies.max(atom.copies);
        }
    }

    fn add(&mut self, atom: Atom, is_new: bool) -> Result<(), String> {
        if is_new {
            self.settle();
        }
        self.atom = Some(atom);
        let frame = self.frame();
        frame.part_height = frame.part_height.max(atom.height);
        frame.parts += usize::from(is_new);
        self.check_height(atom.height)
    }

    fn check_height(&mut self, height: usize) -> Result<(), String> {
        self.height = self.height.max(height);
        if self.height > HEIGHT_MAX { fault("expression nests too deeply", self.whole) } else { Ok(()) }
    }

    fn literal(&mut self, code: u32) -> Result<(), String> {
        let Some(c) = char::from_u32(code) else { return self.part(NOTHING, false) };
        if matches!(c, '\\' | '.' | '+' | '*' | '?' | '(' | ')' | '|' | '[' | ']' | '{' | '}' | '^' | '$') {
            return self.part(&format!("\\{c}"), true);
        }
        self.part(c.encode_utf8(&mut [0; 4]), true)
    }

    fn backslash(&mut self, text: &'p str) -> Result<&'p str, String> {
        if let Some(quoted) = text.strip_prefix("\\Q") {
            let (quoted, rest) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            quoted.chars().try_for_each(|c| self.literal(u32::from(c)))?;
            return Ok(rest);
        }
        let assertion = [("\\A", "\\A"), ("\\z", "\\z"), ("\\b", "(?-u:\\b)"), ("\\B", "(?-u:\\B)")];
        if let Some((from, to)) = assertion.iter().find(|(from, _)| text.starts_with(from)) {
            self.part(to, false)?;
            return Ok(&text[from.len()..]);
        }
        if let Some((class, rest)) = unicode(text)? {
            self.part(&class, false)?;
            return Ok(rest);
        }
        if let Some((class, rest)) = perl(text) {
            self.part(class, false)?;
            return Ok(rest);
        }
        let (code, rest) = escape(text)?;
        self.literal(code)?;
        Ok(rest)
    }

    /// Opens a group that captures.
    fn open(&mut self, name: Option<String>) {
        self.settle();
        self.names.push(name);
        self.frames.push(Frame::new(self.out.len(), true, self.flags));
        self.out.push('(');
    }

    fn close_group(&mut self) -> Result<(), String> {
        if self.frames.len() < 2 {
            return fault("unexpected )", self.whole);
        }
        self.settle();
        let Some(mut frame) = self.frames.pop() else { return Ok(()) };
        frame.close();
        self.out.push(')');
        self.flags = frame.flags;
        let height = frame.height + usize::from(frame.alternatives > 1) + usize::from(frame.captures);
        let (start, end) = (frame.start, self.out.len());
        self.add(Atom { start, end, repeated: false, literal: false, copies: frame.copies, height }, true)
    }

    /// `(?P<name>`, `(?<name>`, `(?i)`, `(?i-s:`.
    fn group_with_flags(&mut self, text: &'p str) -> Result<&'p str, String> {
        let named =
            [("(?P<", 4), ("(?<", 3)].into_iter().find(|(open, least)| text.starts_with(open) && text.len() > *least);
        if let Some((_, skip)) = named {
            const BAD: &str = "invalid named capture";
            let Some(end) = text.find('>') else { return fault(BAD, text) };
            let name = &text[skip..end];
            if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
                return fault(BAD, &text[..=end]);
            }
            self.open(Some(name.to_owned()));
            return Ok(&text[end + 1..]);
        }
        let mut flags = self.flags;
        let (mut on, mut seen) = (true, false);
        let mut chars = text[2..].chars();
        while let Some(c) = chars.next() {
            match c {
                ':' | ')' if on || seen => {
                    if c == ':' {
                        self.settle();
                        self.frames.push(Frame::new(self.out.len(), false, self.flags));
                        self.out.push_str(&format!("(?{}:", flags.written()));
                    } else {
                        // What stood before can still be repeated.
                        self.out.push_str(&format!("(?{})", flags.written()));
                    }
                    self.flags = flags;
                    return Ok(chars.as_str());
                }
                '-' if on => (on, seen) = (false, false),
                c => match FLAG_LETTERS.iter().position(|letter| *letter == c) {
                    Some(at) => (flags.0[at], seen) = (on, true),
                    None => break,
                },
            }
        }
        fault("invalid or unsupported Perl syntax", before(text, chars.as_str()))
    }

    /// A repetition at the start of `text`, with what follows it; `counts` if it is one in braces; `last` if another one stands just
    /// before.
    fn repeat(
        &mut self,
        text: &'p str,
        after: &'p str,
        counts: Option<(usize, Option<usize>)>,
        last: Option<&'p str>,
    ) -> Result<&'p str, String> {
        const BAD: &str = "invalid repeat count";
        if let Some((min, max)) = counts
            && (min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX || min > max))
        {
            return fault(BAD, before(text, after));
        }
        let rest = after.strip_prefix('?').unwrap_or(after);
        if let Some(last) = last {
            return fault("invalid nested repetition operator", before(last, rest));
        }
        let Some(mut atom) = self.atom else {
            return fault("missing argument to repetition operator", before(text, rest));
        };
        let written = before(text, rest);
        if atom.repeated {
            // A sign right after another would mean something else.
            self.out.insert(atom.end, ')');
            self.out.insert_str(atom.start, "(?:");
            atom.end += 4;
        }
        self.out.insert_str(atom.end, written);
        atom.end += written.len();
        (atom.repeated, atom.height) = (true, atom.height + 1);
        if let Some((min, max)) = counts {
            atom.copies = match max.unwrap_or(min) {
                0 if max.is_some() => 1,
                times => times.max(1) * atom.copies,
            };
            if (min >= 2 || max.is_some_and(|max| max >= 2)) && atom.copies > REPEAT_MAX {
                return fault(BAD, before(text, rest));
            }
        }
        self.add(atom, false)?;
        Ok(rest)
    }

    fn finish(mut self) -> Result<Translated, String> {
        if self.frames.len() > 1 {
            return fault("missing closing )", self.whole);
        }
        let frame = self.frame();
        frame.close();
        let height = frame.height + usize::from(frame.alternatives > 1);
        self.check_height(height)?;
        Ok(Translated { pattern: self.out, names: self.names, height: self.height })
    }
}
