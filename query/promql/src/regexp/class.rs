//! Escapes and classes of characters, as Go reads them.

use super::names::{perl_class, posix_class, unicode_class};

/// An error in Go's words: what is wrong, and where.
pub(super) fn fault<T>(what: &str, place: &str) -> Result<T, String> {
    Err(format!("error parsing regexp: {what}: `{place}`"))
}

/// What remains of `text` is `rest`: the text before it.
pub(super) fn before<'t>(text: &'t str, rest: &str) -> &'t str {
    &text[..text.len() - rest.len()]
}

fn bad_escape<T>(text: &str, rest: &str) -> Result<T, String> {
    fault("invalid escape sequence", before(text, rest))
}

/// Reads an escape that stands for one code point, which may be a surrogate. The text begins with the backslash.
pub(super) fn escape(text: &str) -> Result<(u32, &str), String> {
    let mut chars = text[1..].chars();
    let Some(c) = chars.next() else { return fault("trailing backslash at end of expression", "") };
    let rest = chars.as_str();
    let is_octal = |text: &str| text.starts_with(|c| ('0'..='7').contains(&c));
    let code = match c {
        '0'..='7' if c == '0' || is_octal(rest) => {
            let after = rest.trim_start_matches(|c| ('0'..='7').contains(&c));
            let digits = (rest.len() - after.len()).min(2);
            let octal = &text[1..2 + digits];
            let value = octal.bytes().fold(0, |value, digit| value * 8 + u32::from(digit - b'0'));
            return Ok((value, &rest[digits..]));
        }
        'x' => return hexadecimal(text, rest),
        'a' => 0x07,
        'f' => 0x0C,
        'n' => 0x0A,
        'r' => 0x0D,
        't' => 0x09,
        'v' => 0x0B,
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => u32::from(c),
        _ => return bad_escape(text, rest),
    };
    Ok((code, rest))
}

/// `\x41` and `\x{1F600}`; `rest` follows the `x`.
fn hexadecimal<'t>(text: &'t str, rest: &'t str) -> Result<(u32, &'t str), String> {
    let mut chars = rest.chars();
    let Some(first) = chars.next() else { return bad_escape(text, rest) };
    if first != '{' {
        let Some(second) = chars.next() else {
            // Go looks for the second digit at the end of the text, where it finds an error of its own.
            return bad_escape(text, chars.as_str());
        };
        return match (first.to_digit(16), second.to_digit(16)) {
            (Some(high), Some(low)) => Ok((high * 16 + low, chars.as_str())),
            _ => bad_escape(text, chars.as_str()),
        };
    }
    let (mut code, mut digits) = (0u32, 0);
    loop {
        match chars.next() {
            Some('}') if digits > 0 => return Ok((code, chars.as_str())),
            Some(c) if c.is_ascii_hexdigit() => {
                code = code * 16 + c.to_digit(16).unwrap_or(0);
                digits += 1;
                if code > u32::from(char::MAX) {
                    return bad_escape(text, chars.as_str());
                }
            }
            _ => return bad_escape(text, chars.as_str()),
        }
    }
}

/// `\p{Greek}`, `\pN`, `\P{^Greek}` as Rust's engine writes it. The text begins with the backslash; `None` if that is no such class.
pub(super) fn unicode(text: &str) -> Result<Option<(String, &str)>, String> {
    const BAD: &str = "invalid character class range";
    let Some(mut negated) = text.strip_prefix("\\p").map(|_| false).or(text.strip_prefix("\\P").map(|_| true)) else {
        return Ok(None);
    };
    let mut chars = text[2..].chars();
    let (name, rest) = match chars.next() {
        None => return fault(BAD, text),
        Some('{') => match text.find('}') {
            None => return fault(BAD, text),
            Some(end) => (&text[3..end], &text[end + 1..]),
        },
        Some(_) => (before(&text[2..], chars.as_str()), chars.as_str()),
    };
    let (name, turned) = name.strip_prefix('^').map_or((name, false), |name| (name, true));
    negated ^= turned;
    let Some(class) = unicode_class(name) else { return fault(BAD, before(text, rest)) };
    let written = match (class.as_str(), negated) {
        // Surrogates, which no text has.
        ("gc=Cs", false) => NOTHING.to_owned(),
        ("gc=Cs", true) => ANYTHING.to_owned(),
        (class, false) => format!("\\p{{{class}}}"),
        (class, true) => format!("\\P{{{class}}}"),
    };
    Ok(Some((written, rest)))
}

/// `\d` and its kin.
pub(super) fn perl(text: &str) -> Option<(&'static str, &str)> {
    let mut chars = text.strip_prefix('\\')?.chars();
    let class = perl_class(chars.next()?)?;
    Some((class, chars.as_str()))
}

/// `[:alpha:]` and `[:^alpha:]`, as a class in brackets; `None` if the text begins with no such thing.
fn posix(text: &str) -> Result<Option<(String, &str)>, String> {
    let Some(inner) = text.strip_prefix("[:") else { return Ok(None) };
    let Some(end) = inner.find(":]") else { return Ok(None) };
    let (name, rest) = (&inner[..end], &inner[end + 2..]);
    let (plain, sign) = name.strip_prefix('^').map_or((name, ""), |plain| (plain, "^"));
    match posix_class(plain) {
        Some(ranges) => Ok(Some((format!("[{sign}{ranges}]"), rest))),
        None => fault("invalid character class range", before(text, rest)),
    }
}

/// A class in brackets, which the text begins with, as Rust's engine writes it.
pub(super) fn brackets(text: &str) -> Result<(String, &str), String> {
    let mut out = String::from("[");
    let mut rest = &text[1..];
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        if let Some((class, after)) = posix(rest)? {
            out.push_str(&class);
            rest = after;
        } else if let Some((class, after)) = unicode(rest)? {
            out.push_str(&class);
            rest = after;
        } else if let Some((class, after)) = perl(rest) {
            out.push_str(class);
            rest = after;
        } else {
            rest = range(text, rest, &mut out)?;
        }
    }
    out.push(']');
    // Nothing but surrogates, which no text has.
    Ok((
        if out == "[]" {
            NOTHING.to_owned()
        } else if out == "[^]" {
            ANYTHING.to_owned()
        } else {
            out
        },
        &rest[1..],
    ))
}

/// A class that no character is in, and one that all are.
pub(super) const NOTHING: &str = r"[^\x{0}-\x{10FFFF}]";
const ANYTHING: &str = r"[\x{0}-\x{10FFFF}]";

/// A character or a range of them; `whole` is the class, for errors.
fn range<'t>(whole: &'t str, text: &'t str, out: &mut String) -> Result<&'t str, String> {
    let (low, mut rest) = class_char(whole, text)?;
    let mut high = low;
    if let Some(after) = rest.strip_prefix('-').filter(|after| !after.is_empty() && !after.starts_with(']')) {
        (high, rest) = class_char(whole, after)?;
        if high < low {
            return fault("invalid character class range", before(text, rest));
        }
    }
    // Surrogates are no characters to Rust.
    for (low, high) in [(low, high.min(0xD7FF)), (low.max(0xE000), high)] {
        if low <= high {
            out.push_str(&format!("\\x{{{low:X}}}-\\x{{{high:X}}}"));
        }
    }
    Ok(rest)
}

fn class_char<'t>(whole: &str, text: &'t str) -> Result<(u32, &'t str), String> {
    let mut chars = text.chars();
    match chars.next() {
        None => fault("missing closing ]", whole),
        Some('\\') => escape(text),
        Some(c) => Ok((u32::from(c), chars.as_str())),
    }
}
