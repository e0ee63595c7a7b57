//! Tests of words that are not found as they are written: parts of words, wildcards, and words with slips.

use lang::limits::FUZZY_PREFIX_CHARS;
use lang::{Case, WildPart};

use crate::needle::{joins, lower_case};

/// What is part of a longer word: letters, marks, digits and `_`, but no character of the scripts that are written without spaces.
const WORD: &str =
    r"[\p{L}\p{M}\p{N}_--[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Hangul}\p{Script=Bopomofo}]]";

fn case_flag(case: Case) -> &'static str {
    match case {
        Case::Insensitive => "(?i)",
        Case::Sensitive => "",
    }
}

fn end_of_word(last: char) -> String {
    if joins(last) { format!("(?:$|[^{WORD}])") } else { String::new() }
}

fn start_of_word(first: char) -> String {
    if joins(first) { format!("(?:^|[^{WORD}])") } else { String::new() }
}

/// The expression of a text that may start inside a word, and ends where a word ends.
pub(crate) fn suffix_pattern(text: &str, case: Case) -> String {
    let end = text.chars().next_back().map_or(String::new(), end_of_word);
    format!("{}{}{end}", case_flag(case), regex::escape(text))
}

/// The expression of a text that may stand anywhere.
pub(crate) fn substring_pattern(text: &str, case: Case) -> String {
    format!("{}{}", case_flag(case), regex::escape(text))
}

/// The expression of a pattern with wildcards, between the boundaries of words.
pub(crate) fn wildcard_pattern(parts: &[WildPart], case: Case) -> String {
    let mut pattern = case_flag(case).to_owned();
    match parts.first() {
        Some(WildPart::Text(text)) => pattern.extend(text.chars().next().map(start_of_word)),
        // A character that any may be: it starts a word where none stands before.
        Some(WildPart::One) => pattern.push_str(&format!("(?:^|[^{WORD}])")),
        Some(WildPart::Run) | None => {}
    }
    let inner = &parts[usize::from(matches!(parts.first(), Some(WildPart::Run)))..];
    let inner = &inner[..inner.len() - usize::from(matches!(inner.last(), Some(WildPart::Run)))];
    for part in inner {
        match part {
            WildPart::Text(text) => pattern.push_str(&regex::escape(text)),
            WildPart::Run => pattern.push_str(r"\S*"),
            WildPart::One => pattern.push_str(r"\S"),
        }
    }
    match parts.last() {
        Some(WildPart::Text(text)) => pattern.extend(text.chars().next_back().map(end_of_word)),
        Some(WildPart::One) => pattern.push_str(&format!("(?:$|[^{WORD}])")),
        Some(WildPart::Run) | None => {}
    }
    pattern
}

/// A word that may be written with slips.
#[derive(Debug, Clone)]
pub(crate) struct FuzzyWord {
    chars: Vec<char>,
    edits: usize,
}

impl FuzzyWord {
    pub(crate) fn new(word: &str, edits: u8) -> Self {
        Self { chars: lower_case(word).chars().collect(), edits: usize::from(edits) }
    }

    /// What every word that counts begins with.
    pub(crate) fn prefix(&self) -> String {
        self.chars[..FUZZY_PREFIX_CHARS.min(self.chars.len())].iter().collect()
    }

    /// Whether some word of a text is near enough.
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let lower = lower_case(text);
        shape::tokenize(&lower).any(|word| self.is_near(&word))
    }

    fn is_near(&self, word: &str) -> bool {
        let chars: Vec<char> = word.chars().collect();
        let same_start = FUZZY_PREFIX_CHARS.min(self.chars.len());
        if chars.len().abs_diff(self.chars.len()) > self.edits
            || chars.get(..same_start) != self.chars.get(..same_start)
        {
            return false;
        }
        distance(&self.chars, &chars, self.edits) <= self.edits
    }
}

/// The edits between two words, neighbours swapped counting as one (optimal string alignment); more than `most` is as good as any.
fn distance(a: &[char], b: &[char], most: usize) -> usize {
    let (mut before, mut last): (Vec<usize>, Vec<usize>) = (vec![0; b.len() + 1], (0..=b.len()).collect());
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        if row.iter().all(|edits| *edits > most) {
            return most + 1;
        }
        before = last;
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, hits: &[&str], misses: &[&str]) {
        let regex = regex::Regex::new(pattern).unwrap();
        for text in hits {
            assert!(regex.is_match(text), "{pattern} does not match {text:?}");
        }
        for text in misses {
            assert!(!regex.is_match(text), "{pattern} matches {text:?}");
        }
    }

    #[test]
    fn parts_of_words() {
        check(&suffix_pattern("out", Case::Insensitive), &["timeout", "a TIMEOUT.", "out"], &["outage", "timeouts"]);
        check(&substring_pattern("meo", Case::Insensitive), &["timeout", "TIMEOUT"], &["time out"]);
        check(&substring_pattern("meo", Case::Sensitive), &["timeout"], &["TIMEOUT"]);
        check(&suffix_pattern("失败", Case::Insensitive), &["登录失败", "登录失败了"], &["失 败"]);
        let text = |text: &str| WildPart::Text(text.to_owned());
        let parts = [text("conn"), WildPart::Run, text("ed")];
        check(
            &wildcard_pattern(&parts, Case::Insensitive),
            &["connected", "is Conn.Refused x"],
            &["disconnected", "connect ed", "connectedness"],
        );
        let parts = [text("log"), WildPart::One, text("n"), WildPart::Run];
        check(&wildcard_pattern(&parts, Case::Insensitive), &["login", "logon", "logins"], &["logn", "blogin"]);
    }

    #[test]
    fn words_with_slips() {
        let near = FuzzyWord::new("timeout", 1);
        for hit in ["timeout", "a TIMOUT here", "timeoutt", "timeuot"] {
            assert!(near.is_in(hit), "{hit}");
        }
        for miss in ["timut", "imeout", "time out", ""] {
            assert!(!near.is_in(miss), "{miss}");
        }
        assert!(FuzzyWord::new("connection", 2).is_in("conecton"));
        assert!(!FuzzyWord::new("connection", 2).is_in("conexion"));
    }
}
