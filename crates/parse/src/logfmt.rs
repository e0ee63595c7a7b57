//! logfmt: `key=value key="quoted value" flag`.

use std::borrow::Cow;

use crate::{NotMatched, Value, typed};

/// Reads a line pair by pair; an error when it is not logfmt throughout, or has no `key=value` at all. A key without `=` is
/// true. Values without quotes that are numbers, `true` or `false` keep that type ([`typed`]). After an error the pairs that were
/// handed out count for nothing.
pub fn pairs<'t>(
    line: &'t str,
    mut out: impl FnMut(&'t str, Value<'t>) -> Result<(), NotMatched>,
) -> Result<(), NotMatched> {
    const NOT: NotMatched = NotMatched::because("not logfmt: key=value throughout");
    if memchr::memchr(b'=', line.as_bytes()).is_none() {
        return Err(NOT);
    }
    let mut rest = line.trim_start_matches(BLANK);
    while !rest.is_empty() {
        let key_end = rest.find(|c: char| c.is_whitespace() || matches!(c, '=' | '"')).unwrap_or(rest.len());
        let (key, after) = rest.split_at(key_end);
        if key.is_empty() {
            return Err(NOT);
        }
        let value;
        (value, rest) = match after.strip_prefix('=') {
            None => (Value::Bool(true), after),
            Some(after) if after.starts_with('"') => {
                let (text, rest) = quoted(after).ok_or(NOT)?;
                (Value::Str(text), rest)
            }
            Some(after) => {
                let end = after.find([' ', '\t', '\r', '\n', '"']).unwrap_or(after.len());
                (typed(&after[..end]), &after[end..])
            }
        };
        out(key, value)?;
        rest = rest.trim_start_matches(BLANK);
    }
    Ok(())
}

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// A value between double quotes, with the escapes of Go's `%q`, which most writers use, and what is behind it. Borrowed when
/// there are none.
pub(crate) fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let inner = text.strip_prefix('"')?;
    let first = memchr::memchr2(b'"', b'\\', inner.as_bytes())?;
    if inner.as_bytes()[first] == b'"' {
        return Some((Cow::Borrowed(&inner[..first]), &inner[first + 1..]));
    }
    let mut out = String::with_capacity(inner.len().min(4 * first + 64));
    let mut rest = inner;
    loop {
        let at = memchr::memchr2(b'"', b'\\', rest.as_bytes())?;
        out.push_str(&rest[..at]);
        let mut chars = rest[at..].chars();
        if chars.next() == Some('"') {
            return Some((Cow::Owned(out), chars.as_str()));
        }
        out.push(match chars.next()? {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            kind @ ('u' | 'x') => match code(kind, chars.as_str()) {
                Some((stands_for, after)) => {
                    chars = after.chars();
                    stands_for
                }
                None => kind,
            },
            other => other,
        });
        rest = chars.as_str();
    }
}

/// `\u00e9` and `\x41`: what a code behind its letter stands for, and what is behind it. Bytes that are no character have none.
fn code(kind: char, text: &str) -> Option<(char, &str)> {
    let digits = text.get(..if kind == 'u' { 4 } else { 2 })?;
    let rest = &text[digits.len()..];
    let hex = |digits: &str| {
        let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        all.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    };
    let number = hex(digits)?;
    match number {
        // JSON's characters beyond the first plane, in two halves.
        0xd800..0xdc00 => {
            let low = rest.strip_prefix("\\u")?.get(..4).and_then(hex).filter(|low| (0xdc00..0xe000).contains(low))?;
            let both = 0x10000 + ((number - 0xd800) << 10) + (low - 0xdc00);
            Some((char::from_u32(both)?, &rest[6..]))
        }
        0x80.. if kind == 'x' => None,
        _ => Some((char::from_u32(number)?, rest)),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn check(line: &str, expect: Expect) {
        let mut shown = String::new();
        let read = pairs(line, |key, value| {
            shown += &format!("{key}: {:?}\n", model::Value::from(value));
            Ok(())
        });
        let shown = if read.is_ok() { shown } else { "not logfmt\n".to_owned() };
        expect.assert_eq(&shown);
    }

    #[test]
    fn lines() {
        check(
            r#"ts=2026-11-23T09:00:00Z level=info msg="a \"b\"\n\u" n=5 took=1.50 r=0.5 ok=true id=007 empty= quoted="5" flag"#,
            expect![[r#"
                ts: Str("2026-11-23T09:00:00Z")
                level: Str("info")
                msg: Str("a \"b\"\nu")
                n: Int(5)
                took: Str("1.50")
                r: Double(0.5)
                ok: Bool(true)
                id: Str("007")
                empty: Str("")
                quoted: Str("5")
                flag: Bool(true)
            "#]],
        );
        check(
            "a=1 b",
            expect![[r#"
            a: Int(1)
            b: Bool(true)
        "#]],
        );
        check(
            "just words",
            expect![[r#"
            not logfmt
        "#]],
        );
        check(
            r#"a=1 b="unterminated"#,
            expect![[r#"
            not logfmt
        "#]],
        );
        check(
            "=x",
            expect![[r#"
            not logfmt
        "#]],
        );
        check(
            "url=http://x/?a=b&c=d",
            expect![[r#"
            url: Str("http://x/?a=b&c=d")
        "#]],
        );
    }
}
