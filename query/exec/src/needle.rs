//! Finding words, phrases and prefixes in text, as the index sees words.
//!
//! A word is a run of letters, digits and `_`; CJK characters are words of their own, so a CJK needle is a substring. Case
//! does not matter: both sides are lower-cased character by character, as the tokenizer does. For text without CJK a word or
//! phrase matches exactly where `grep -iw` does, except that an end of the needle that is not a word character (`"code="`)
//! wants no boundary there.

use regex::bytes::{Regex, RegexBuilder};

/// A text to find, and what must stand at its ends.
#[derive(Debug, Clone)]
pub(crate) struct Needle {
    lower: String,
    /// Finds the needle in ASCII text without copying it; absent when the needle is not ASCII, which ASCII text cannot hold.
    ascii: Option<Regex>,
    bounded_start: bool,
    bounded_end: bool,
    prefix: bool,
}

impl Needle {
    /// A word or a phrase: bounded at both ends.
    pub(crate) fn phrase(text: &str) -> Self {
        Self::new(text, true)
    }

    /// The beginning of a word, or a phrase whose last word is a beginning.
    pub(crate) fn prefix(text: &str) -> Self {
        Self::new(text, false)
    }

    fn new(text: &str, whole: bool) -> Self {
        let lower = lower_case(text);
        let pattern = regex::escape(&lower);
        let ascii = lower.is_ascii().then(|| RegexBuilder::new(&pattern).case_insensitive(true).unicode(false).build());
        let bounded_start = lower.chars().next().is_some_and(joins);
        let bounded_end = whole && lower.chars().next_back().is_some_and(joins);
        Self { ascii: ascii.and_then(Result::ok), bounded_start, bounded_end, prefix: !whole, lower }
    }

    /// The needle in lower case.
    pub(crate) fn lower(&self) -> &str {
        &self.lower
    }

    /// Whether the last word may go on.
    pub(crate) fn is_prefix(&self) -> bool {
        self.prefix
    }

    /// Whether the text holds the needle.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.is_in_piece(text, false, false)
    }

    /// Whether a piece of a text holds the needle, by itself; `joined` says that a letter or digit stands before and behind
    /// the piece.
    pub(crate) fn is_in_piece(&self, piece: &str, joined_before: bool, joined_behind: bool) -> bool {
        if self.lower.is_empty() {
            return true;
        }
        let ends = (joined_before, joined_behind);
        if piece.is_ascii() {
            let Some(regex) = &self.ascii else { return false };
            let next = |at| regex.find_at(piece.as_bytes(), at).map(|found| found.start());
            return self.find(piece, 0, ends, next).is_some();
        }
        let lower = lower_case(piece);
        self.find(&lower, 0, ends, |at| self.next_in_lower(&lower, at)).is_some()
    }

    /// Where the first occurrence at or after `from` ends in a text that is in lower case already.
    pub(crate) fn find_in_lower(&self, lower: &str, from: usize) -> Option<usize> {
        self.find(lower, from, (false, false), |at| self.next_in_lower(lower, at))
    }

    fn next_in_lower(&self, lower: &str, at: usize) -> Option<usize> {
        lower.get(at..)?.find(&self.lower).map(|found| at + found)
    }

    /// Goes through the places where the needle's characters are until one has the wanted boundaries.
    fn find(
        &self,
        text: &str,
        mut from: usize,
        joined: (bool, bool),
        next: impl Fn(usize) -> Option<usize>,
    ) -> Option<usize> {
        while let Some(start) = next(from).filter(|_| from <= text.len()) {
            let end = start + self.lower.len();
            if self.is_bounded(text, start, end, joined) {
                return Some(end);
            }
            from = start + text[start..].chars().next().map_or(1, char::len_utf8);
        }
        None
    }

    fn is_bounded(&self, text: &str, start: usize, end: usize, joined: (bool, bool)) -> bool {
        let start_ok = !self.bounded_start || !text[..start].chars().next_back().map_or(joined.0, joins);
        start_ok && (!self.bounded_end || !text[end..].chars().next().map_or(joined.1, joins))
    }
}

/// A word, phrase or prefix with its case.
#[derive(Debug, Clone)]
pub(crate) struct CasedNeedle {
    text: String,
    needle: Needle,
}

impl CasedNeedle {
    pub(crate) fn new(text: &str, needle: Needle) -> Self {
        Self { text: text.to_owned(), needle }
    }

    /// The same needle without its case: what the index knows.
    pub(crate) fn any_case(&self) -> &Needle {
        &self.needle
    }

    /// Whether the text holds the needle.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        self.is_in_piece(text, false, false)
    }

    /// Whether a piece of a text holds the needle; see [`Needle::is_in_piece`].
    pub(crate) fn is_in_piece(&self, text: &str, joined_before: bool, joined_behind: bool) -> bool {
        let mut from = 0;
        while let Some(found) = text.get(from..).and_then(|rest| rest.find(&self.text)) {
            let start = from + found;
            if self.needle.is_bounded(text, start, start + self.text.len(), (joined_before, joined_behind)) {
                return true;
            }
            from = start + text[start..].chars().next().map_or(1, char::len_utf8);
        }
        false
    }
}

/// Lower-cases character by character: `str::to_lowercase` would look at neighbours (final sigma), which a token lacks.
pub(crate) fn lower_case(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.chars().flat_map(char::to_lowercase).collect() }
}

/// Whether a character makes a longer word of the word before it: asked of the tokenizer, so that both agree.
pub(crate) fn joins(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || c == '_';
    }
    let mut buffer = [b'a'; 5];
    let len = 1 + c.encode_utf8(&mut buffer[1..]).len();
    let text = str::from_utf8(&buffer[..len]).unwrap_or_default();
    shape::tokenize(text).next().is_some_and(|token| token.len() > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(needle: &Needle, hits: &[&str], misses: &[&str]) {
        for text in hits {
            assert!(needle.is_in(text), "{needle:?} is not found in {text:?}");
        }
        for text in misses {
            assert!(!needle.is_in(text), "{needle:?} is found in {text:?}");
        }
    }

    #[test]
    fn words_match_as_grep_iw_does() {
        check(
            &Needle::phrase("error"),
            &["error", "ERROR: x", "an Error", "(error)", "errors error", "é error", "error-prone"],
            &["errors", "terror", "error_code", "err", "", "éerror", "error9"],
        );
    }

    #[test]
    fn phrases_and_edges_that_are_not_words() {
        check(&Needle::phrase("user not found"), &["A User Not Found!"], &["user not founded", "user  not found"]);
        check(&Needle::phrase("code="), &["code=500", "x code= "], &["xcode=500"]);
        check(&Needle::phrase("blk_-12"), &["blk_-12 x"], &["blk_-123", "ablk_-12"]);
    }

    #[test]
    fn prefixes_are_open_at_the_end() {
        check(&Needle::prefix("conn"), &["Connection", "x conn"], &["disconn", "con"]);
    }

    #[test]
    fn cjk_is_a_substring_and_a_boundary() {
        check(&Needle::phrase("登录"), &["用户登录失败", "登录"], &["登 录", "登"]);
        check(&Needle::phrase("error"), &["登录error失败"], &["登录errors失败"]);
        check(&Needle::phrase("登录error"), &["用户登录ERROR失败"], &["用户登录errors"]);
    }

    #[test]
    fn case_of_other_alphabets() {
        check(&Needle::phrase("ОШИБКА"), &["случилась ошибка"], &["ошибками"]);
        check(&Needle::phrase("straße"), &["Straße 1"], &["strasse"]);
    }
}
