//! Text to words.

use std::borrow::Cow;

/// Cuts a text into the words that are searched: runs of letters, digits and `_` (Unicode's alphanumerics), lower-cased;
/// runs of Chinese, Japanese and Korean characters as overlapping pairs, a single such character as itself. The index is
/// built with it and queries are cut with it, so that both agree by construction.
pub fn tokenize(text: &str) -> Tokens<'_> {
    Tokens { text, at: 0, pair_open: false }
}

/// The words of a text; see [`tokenize`].
#[derive(Clone, Debug)]
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
    /// The character at `at` already was the second of a pair.
    pair_open: bool,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Cow<'a, str>;

    fn next(&mut self) -> Option<Cow<'a, str>> {
        let bytes = self.text.as_bytes();
        loop {
            while bytes.get(self.at).is_some_and(|b| b.is_ascii() && !is_ascii_word(*b)) {
                self.at += 1;
                self.pair_open = false;
            }
            if is_ascii_word(*bytes.get(self.at)?) {
                return Some(self.word());
            }
            let c = self.text[self.at..].chars().next()?;
            if is_cjk(c) {
                if let Some(token) = self.pair(c) {
                    return Some(token);
                }
            } else if c.is_alphanumeric() {
                return Some(self.word());
            } else {
                self.at += c.len_utf8();
                self.pair_open = false;
            }
        }
    }
}

impl<'a> Tokens<'a> {
    /// The word that starts here.
    fn word(&mut self) -> Cow<'a, str> {
        self.pair_open = false;
        let rest = &self.text[self.at..];
        let bytes = rest.as_bytes();
        let mut end = 0;
        let mut upper = false;
        while let Some(byte) = bytes.get(end).filter(|b| is_ascii_word(**b)) {
            upper |= byte.is_ascii_uppercase();
            end += 1;
        }
        let ascii = bytes.get(end).is_none_or(u8::is_ascii);
        if !ascii {
            let more = rest[end..].char_indices().find(|(_, c)| !is_word(*c));
            end = more.map_or(rest.len(), |(at, _)| end + at);
        }
        self.at += end;
        let word = &rest[..end];
        if ascii {
            if upper { Cow::Owned(word.to_ascii_lowercase()) } else { Cow::Borrowed(word) }
        } else if word.chars().any(|c| !c.to_lowercase().eq([c])) {
            Cow::Owned(word.chars().flat_map(char::to_lowercase).collect())
        } else {
            Cow::Borrowed(word)
        }
    }

    /// The pair that starts at the character `c`, or `c` alone when it belongs to no pair.
    fn pair(&mut self, c: char) -> Option<Cow<'a, str>> {
        let start = self.at;
        let second = start + c.len_utf8();
        self.at = second;
        match self.text[second..].chars().next().filter(|next| is_cjk(*next)) {
            Some(next) => {
                self.pair_open = true;
                Some(Cow::Borrowed(&self.text[start..second + next.len_utf8()]))
            }
            None if std::mem::take(&mut self.pair_open) => None,
            None => Some(Cow::Borrowed(&self.text[start..second])),
        }
    }
}

fn is_ascii_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

pub(crate) fn is_word(c: char) -> bool {
    (c.is_alphanumeric() || c == '_') && !is_cjk(c)
}

/// Characters of scripts written without spaces between words, and Hangul, whose words carry endings: Hiragana, Katakana,
/// Bopomofo, Hangul, and the Han ideographs with their extensions. Punctuation of those blocks is not among them.
pub(crate) fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x11FF | 0x3005..=0x3007 | 0x3031..=0x3035 | 0x3041..=0x3096 | 0x309D..=0x309F | 0x30A1..=0x30FA
        | 0x30FC..=0x30FF | 0x3105..=0x312F | 0x3131..=0x318E | 0x31A0..=0x31BF | 0x31F0..=0x31FF | 0x3400..=0x4DBF
        | 0x4E00..=0x9FFF | 0xA960..=0xA97C | 0xAC00..=0xD7A3 | 0xF900..=0xFAFF | 0xFF66..=0xFF9F | 0x20000..=0x3FFFF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    fn check(text: &str, want: Expect) {
        want.assert_eq(&tokenize(text).collect::<Vec<_>>().join(" | "));
    }

    #[test]
    fn words_are_runs_of_letters_digits_and_underscores() {
        check("", expect![""]);
        check("  ,;- ", expect![""]);
        check("GET /api/v1/users?id=42 HTTP/1.1", expect!["get | api | v1 | users | id | 42 | http | 1 | 1"]);
        check("user_id=__x__ camelCase", expect!["user_id | __x__ | camelcase"]);
        check("10.0.0.1:8080 fe80::1", expect!["10 | 0 | 0 | 1 | 8080 | fe80 | 1"]);
        check("3F2504E0-4f89-11d3-9a0c-0305e82c3301", expect!["3f2504e0 | 4f89 | 11d3 | 9a0c | 0305e82c3301"]);
        check("blk_-1608999687919862906", expect!["blk_ | 1608999687919862906"]);
        check("a\u{1f}b\0c\u{fffd}d", expect!["a | b | c | d"]);
    }

    #[test]
    fn other_alphabets_are_lower_cased_too() {
        check("Größe ÉTÉ été", expect!["größe | été | été"]);
        check("Ошибка СЕТИ", expect!["ошибка | сети"]);
        check("İstanbul straße", expect!["i\u{307}stanbul | straße"]);
        check("x²y ٣٤", expect!["x²y | ٣٤"]);
    }

    #[test]
    fn cjk_runs_are_pairs() {
        check("数据库连接失败", expect!["数据 | 据库 | 库连 | 连接 | 接失 | 失败"]);
        check("错", expect!["错"]);
        check("error错误code", expect!["error | 错误 | code"]);
        check("接続エラー、終了。", expect!["接続 | 続エ | エラ | ラー | 終了"]);
        check("로그인 실패", expect!["로그 | 그인 | 실패"]);
        check("数 据", expect!["数 | 据"]);
        check("数据 库", expect!["数据 | 库"]);
        check("数据a库", expect!["数据 | a | 库"]);
    }

    proptest! {
        #[test]
        fn a_token_is_lower_case_and_cuts_into_itself(text in "\\PC{0,40}") {
            for token in tokenize(&text) {
                prop_assert!(!token.is_empty());
                let again: Vec<_> = tokenize(&token).collect();
                // Lower-casing may bring forth a combining mark, which ends a word.
                if token.chars().all(|c| is_word(c) || is_cjk(c)) {
                    prop_assert_eq!(again, vec![token.clone()]);
                }
            }
        }
    }
}
