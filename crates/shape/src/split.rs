//! A text written as two: its shape with marks for the holes, and what is in the holes.
//!
//! This is how columns keep texts: neighbours share the first and differ in the second. A mark is one of the control
//! characters U+0011 (digits), U+0012 (hexadecimal digits) and U+0013 (anything else); the variables stand in the order of the
//! marks with a space between. A text that is long or has no hole is kept whole, and so is one that holds such a character:
//! U+0010 in front of a shape says that what follows is the text as it is.

use std::ops::Range;

use crate::cut::{Cutter, HOLE_MIN, Looks, is_hole};
use crate::text::stretches;

/// Longest text that is cut, in bytes. Longer ones are stack traces and documents, of which hardly two are alike.
pub const SPLIT_BYTES_MAX: usize = 4096;

/// The first mark; the others follow in the order of the holes.
const MARK_MIN: u8 = 0x11;

/// The last mark.
const MARK_MAX: u8 = 0x13;

/// In front of a whole text that would look like a shape.
const WHOLE: char = '\u{10}';

/// Stands between two variables, and in none.
const SEPARATOR: char = ' ';

fn is_mark(byte: u8) -> bool {
    (MARK_MIN..=MARK_MAX).contains(&byte)
}

/// Writes the marked shape of a text to `shape` and its variables to `variables`, which are cleared before. False when the text
/// is kept whole: then it is its own shape, and there are no variables.
pub fn marked(cutter: &mut Cutter, text: &str, shape: &mut String, variables: &mut String) -> bool {
    shape.clear();
    variables.clear();
    if has_mark(text) || text.starts_with(WHOLE) {
        shape.push(WHOLE);
        shape.push_str(text);
        return false;
    }
    if text.len() <= SPLIT_BYTES_MAX {
        cutter.cut(text);
    }
    if text.len() > SPLIT_BYTES_MAX || cutter.holes.is_empty() {
        shape.push_str(text);
        return false;
    }
    let mut at = 0;
    for (nth, (hole, mark)) in cutter.holes.iter().zip(cutter.shape.iter().filter(|byte| is_hole(**byte))).enumerate() {
        shape.push_str(&text[at..hole.start]);
        shape.push(char::from(mark - HOLE_MIN + MARK_MIN));
        if nth > 0 {
            variables.push(SEPARATOR);
        }
        variables.push_str(&text[hole.clone()]);
        at = hole.end;
    }
    shape.push_str(&text[at..]);
    true
}

fn has_mark(text: &str) -> bool {
    memchr::memchr3(MARK_MIN, MARK_MIN + 1, MARK_MAX, text.as_bytes()).is_some()
}

/// The text when a marked shape is all of it; `None` when it has holes to be filled.
pub fn whole(shape: &str) -> Option<&str> {
    match shape.strip_prefix(WHOLE) {
        Some(text) => Some(text),
        None => (!has_mark(shape)).then_some(shape),
    }
}

/// Appends the text of a marked shape and its variables. Where one is missing nothing stands.
pub fn fill(shape: &str, variables: &str, out: &mut String) {
    if let Some(text) = shape.strip_prefix(WHOLE) {
        return out.push_str(text);
    }
    let mut variables = variables.split(SEPARATOR);
    let mut rest = shape;
    while let Some(at) = memchr::memchr3(MARK_MIN, MARK_MIN + 1, MARK_MAX, rest.as_bytes()) {
        out.push_str(&rest[..at]);
        out.push_str(variables.next().unwrap_or_default());
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
}

/// Writes a marked shape to `out` as [`Cutter`] makes it.
pub fn raw(shape: &str, out: &mut Vec<u8>) {
    out.clear();
    out.extend(shape.bytes().map(|byte| if is_mark(byte) { byte - MARK_MIN + HOLE_MIN } else { byte }));
}

/// The variable words of the texts of one shape: found once, put together row by row.
#[derive(Clone, Debug, Default)]
pub struct Words {
    words: Vec<Word>,
    /// What stands between the holes of the words.
    text: String,
}

#[derive(Clone, Debug)]
struct Word {
    /// What stands before the first hole, between holes and behind the last, as ranges of the text.
    pieces: Vec<Range<usize>>,
    first_hole: usize,
    digits: bool,
}

/// A variable word of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token<'a> {
    /// As it stands in the text.
    pub text: &'a str,
    /// What is known of it.
    pub looks: Looks,
}

impl Words {
    /// The words of a shape as [`Cutter`] makes it.
    pub fn new(raw: &[u8]) -> Self {
        let mut out = Self::default();
        let mut holes = 0;
        for stretch in stretches(raw) {
            let stretch = &raw[stretch];
            let count = stretch.iter().filter(|byte| is_hole(**byte)).count();
            if count == 0 {
                continue;
            }
            let mut pieces = Vec::with_capacity(count + 1);
            for piece in stretch.split(|byte| is_hole(*byte)) {
                let start = out.text.len();
                out.text.push_str(str::from_utf8(piece).unwrap_or_default());
                pieces.push(start..out.text.len());
            }
            let digits = stretch == [HOLE_MIN];
            out.words.push(Word { pieces, first_hole: holes, digits });
            holes += count;
        }
        out
    }

    /// Calls `each` with the words of a row, in order. `places` and `buffer` are used again from row to row.
    pub fn each(
        &self,
        variables: &str,
        places: &mut Vec<Range<usize>>,
        buffer: &mut String,
        mut each: impl FnMut(Token<'_>),
    ) {
        places.clear();
        let mut start = 0;
        for end in memchr::memchr_iter(SEPARATOR as u8, variables.as_bytes()).chain([variables.len()]) {
            places.push(start..end);
            start = end + 1;
        }
        let variable = |nth: usize| places.get(nth).map_or("", |place| &variables[place.clone()]);
        for word in &self.words {
            if word.digits {
                each(Token { text: variable(word.first_hole), looks: Looks::Digits });
                continue;
            }
            buffer.clear();
            for (nth, piece) in word.pieces.iter().enumerate() {
                if nth > 0 {
                    buffer.push_str(variable(word.first_hole + nth - 1));
                }
                buffer.push_str(&self.text[piece.clone()]);
            }
            let is_lower = buffer.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
            each(Token { text: buffer, looks: if is_lower { Looks::Lower } else { Looks::Other } });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn split(text: &str) -> (String, Option<String>) {
        let (mut shape, mut variables) = (String::new(), String::new());
        let cut = marked(&mut Cutter::default(), text, &mut shape, &mut variables);
        (shape, cut.then_some(variables))
    }

    #[track_caller]
    fn check(text: &str, want: Expect) {
        let (shape, variables) = split(text);
        want.assert_eq(&format!("{} | {}", shape.escape_debug(), variables.as_deref().unwrap_or("whole")));
    }

    #[test]
    fn texts_are_split() {
        check("no digits here", expect!["no digits here | whole"]);
        check("port 22 of 10.0.0.7", expect![[r"port \u{11} of \u{11}.\u{11}.\u{11}.\u{11} | 22 10 0 0 7"]]);
        check("id 3f2504E0 0x1f3z é9", expect![[r"id \u{12} \u{13} é\u{11} | 3f2504E0 0x1f3z 9"]]);
        check("a mark \u{11} and 7", expect![[r"\u{10}a mark \u{11} and 7 | whole"]]);
        check("", expect![" | whole"]);
    }

    proptest! {
        #[test]
        fn filling_gives_the_text_again(text in "[ab1é错_ .\u{10}\u{11}-]{0,30}|\\PC{0,30}|[0-9a-fx_ ]{0,40}") {
            let (shape, variables) = split(&text);
            let mut out = String::new();
            fill(&shape, variables.as_deref().unwrap_or_default(), &mut out);
            prop_assert_eq!(&out, &text);
            prop_assert_eq!(whole(&shape), variables.is_none().then_some(text.as_str()));
        }

        #[test]
        fn words_of_a_shape_are_those_of_the_text(text in "[ab1é错_ .-]{0,30}|\\PC{0,30}|[0-9a-fxA_ ]{0,40}") {
            let mut cutter = Cutter::default();
            cutter.cut(&text);
            let want: Vec<(&str, Looks)> =
                cutter.variables.iter().map(|word| (&text[word.at.clone()], word.looks)).collect();
            let (shape, variables) = split(&text);
            let mut bytes = Vec::new();
            raw(&shape, &mut bytes);
            prop_assert_eq!(&bytes, &cutter.shape);
            let mut found = Vec::new();
            if let Some(variables) = variables {
                Words::new(&bytes).each(&variables, &mut Vec::new(), &mut String::new(), |token| {
                    found.push((token.text.to_owned(), token.looks));
                });
            }
            let found: Vec<(&str, Looks)> = found.iter().map(|(text, looks)| (text.as_str(), *looks)).collect();
            prop_assert_eq!(found, want);
        }
    }
}
