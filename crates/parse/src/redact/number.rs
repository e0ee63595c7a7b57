//! Addresses of networks.

use std::net::Ipv6Addr;

use super::digits::{count, ends, is_word};

/// `10.0.0.1`, and not `v1.2.3.4`, `version 1.2.3.4`, `Chrome/120.0.0.0` or a part of `1.2.3.4.5`.
pub(super) fn ipv4(text: &str, start: usize) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut at = start;
    for part in 0..4 {
        if part > 0 {
            at += usize::from(bytes.get(at) == Some(&b'.'));
            if bytes[at - 1] != b'.' {
                return None;
            }
        }
        let digits = count(bytes, at);
        let fits = match digits {
            1 => true,
            2 => bytes[at] != b'0',
            3 => bytes[at] != b'0' && text[at..at + 3].parse::<u8>().is_ok(),
            _ => false,
        };
        if !fits {
            return None;
        }
        at += digits;
    }
    let goes_on = match bytes.get(at) {
        Some(byte) if is_word(*byte) => true,
        Some(b'.' | b'-') => bytes.get(at + 1).is_some_and(|next| next.is_ascii_alphanumeric()),
        _ => false,
    };
    let before = start.checked_sub(1).map(|before| bytes[before]);
    let joined = matches!(before, Some(b'.' | b'~'))
        || matches!(before, Some(b'-' | b'+')) && start > 1 && is_word(bytes[start - 2]);
    (!goes_on && !joined && !is_version(text, start, at)).then_some((start, at))
}

/// Whether four numbers are a version: behind a word that says so, or `name/` and three zeros as browsers write them.
fn is_version(text: &str, start: usize, end: usize) -> bool {
    const WORDS: [&str; 6] = ["version", "ver", "v", "release", "build", "rev"];
    let before = &text[..start];
    if before.ends_with('/') && !before.ends_with("//") && text[start..end].ends_with(".0.0.0") {
        return true;
    }
    let before = before.trim_end_matches([' ', '=', ':', '"', '\'', '(']);
    let word_start = before
        .rfind(|c: char| !c.is_ascii_alphabetic())
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    WORDS.iter().any(|word| before[word_start..].eq_ignore_ascii_case(word))
}

/// Every address of version 6. `::` alone, paths such as `a::b` and times are none.
pub(super) fn ipv6s(text: &str, mut found: impl FnMut(usize, usize)) {
    let bytes = text.as_bytes();
    let belongs = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let mut from = 0;
    while let Some(colon) = memchr::memchr(b':', &bytes[from..]).map(|colon| from + colon) {
        let start =
            bytes[from..colon].iter().rposition(|byte| !belongs(*byte)).map_or(from, |before| from + before + 1);
        let end = bytes[colon..].iter().position(|byte| !belongs(*byte)).map_or(bytes.len(), |end| colon + end);
        from = end;
        let token = text[start..end].trim_end_matches('.');
        // `fe80::1:` of a sentence, but not `fe80::`.
        let token = if token.ends_with("::") { token } else { token.trim_end_matches(':') };
        let colons = memchr::memchr_iter(b':', token.as_bytes()).count();
        let apart = (start == 0 || !is_word(bytes[start - 1])) && ends(bytes, start + token.len());
        let likely = colons >= 2 && apart && token.bytes().any(|byte| byte.is_ascii_digit());
        if likely && token.parse::<Ipv6Addr>().is_ok() {
            found(start, start + token.len());
        }
    }
}
