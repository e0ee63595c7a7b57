//! Regular expressions and templates of relabelling, which are Go's.
//!
//! Rust's engine reads nearly the same language. Where it would read something else (`\d` is ten digits to Go, `[a&&b]` three
//! characters, `\Q...\E` literal), the pattern is written down again. Templates are expanded as Go's `Expand` does.

use std::borrow::Cow;

use model::prometheus::{Group, expand_template};
use regex::{Captures, Regex, RegexBuilder};

use crate::limits::REGEX_COMPILED_BYTES_MAX;

/// A regular expression that must match a whole text.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    source: String,
    regex: Regex,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Pattern {
    /// Compiles; the error says what is wrong with the pattern.
    pub(crate) fn new(source: &str) -> Result<Self, String> {
        let text = format!("^(?s:{})$", as_rust(source)?);
        let regex = RegexBuilder::new(&text).size_limit(REGEX_COMPILED_BYTES_MAX).build();
        let regex = regex.map_err(|error| {
            let text = error.to_string();
            let last = text.lines().last().unwrap_or_default();
            format!("{source:?} is not a regular expression: {}", last.trim_start_matches("error: "))
        })?;
        Ok(Self { source: source.to_owned(), regex })
    }

    /// The pattern as it was written.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// What groups matched; `None` where the whole text does not match.
    pub(crate) fn captures<'t>(&self, text: &'t str) -> Option<Captures<'t>> {
        self.regex.captures(text)
    }

    /// A template with what groups matched: `$1`, `$name`, `${name}`, `$$`.
    pub(crate) fn expand<'a>(&self, template: &'a str, captures: &Captures<'_>) -> Cow<'a, str> {
        if !template.contains('$') {
            return Cow::Borrowed(template);
        }
        Cow::Owned(expand_template(template, |group| {
            let found = match group {
                Group::Number(number) => captures.get(number),
                Group::Name(name) => captures.name(name),
            };
            found.map(|found| found.as_str())
        }))
    }
}

/// What an escape stands for, outside and inside of a class.
fn class_of(letter: char, inside: bool) -> Option<&'static str> {
    Some(match (letter, inside) {
        ('d', true) => "0-9",
        ('d', false) => "[0-9]",
        ('D', _) => "[^0-9]",
        ('w', true) => "0-9A-Za-z_",
        ('w', false) => "[0-9A-Za-z_]",
        ('W', _) => "[^0-9A-Za-z_]",
        ('s', true) => "\\t\\n\\f\\r ",
        ('s', false) => "[\\t\\n\\f\\r ]",
        ('S', _) => "[^\\t\\n\\f\\r ]",
        ('b', false) => "(?-u:\\b)",
        _ => return None,
    })
}

fn as_rust(pattern: &str) -> Result<String, String> {
    let mut out = String::with_capacity(pattern.len());
    let mut rest = pattern;
    let mut in_class = false;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' => {
                let Some(letter) = rest.chars().next() else {
                    return Err(format!("{pattern:?} is not a regular expression: trailing backslash at end"));
                };
                rest = &rest[letter.len_utf8()..];
                if letter == 'Q' && !in_class {
                    let (literal, after) = rest.split_once("\\E").unwrap_or((rest, ""));
                    out.push_str(&regex::escape(literal));
                    rest = after;
                } else if let Some(class) = class_of(letter, in_class) {
                    out.push_str(class);
                } else if letter.is_ascii_alphanumeric() {
                    out.push('\\');
                    out.push(letter);
                } else {
                    // Go takes an escape of any sign, Rust only of some.
                    out.push_str(&regex::escape(letter.encode_utf8(&mut [0; 4])));
                }
            }
            '[' if !in_class => {
                in_class = true;
                out.push('[');
                if let Some(after) = rest.strip_prefix('^') {
                    out.push('^');
                    rest = after;
                }
                // A closing bracket at the beginning is one of the class.
                if let Some(after) = rest.strip_prefix(']') {
                    out.push_str("\\]");
                    rest = after;
                }
            }
            '[' => match rest.find(":]").filter(|_| rest.starts_with(':')) {
                Some(end) => {
                    out.push('[');
                    out.push_str(&rest[..end + 2]);
                    rest = &rest[end + 2..];
                }
                None => out.push_str("\\["),
            },
            ']' if in_class => {
                in_class = false;
                out.push(']');
            }
            // Two of them are an operation on classes to Rust.
            '&' | '~' if in_class => {
                out.push('\\');
                out.push(c);
            }
            '-' if in_class && rest.starts_with('-') => out.push_str("\\-"),
            _ => out.push(c),
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(pattern: &str, text: &str, template: &str) -> Option<String> {
        let pattern = Pattern::new(pattern).expect(pattern);
        let captures = pattern.captures(text)?;
        Some(pattern.expand(template, &captures).into_owned())
    }

    #[test]
    fn templates_are_gos() {
        for (template, wanted) in [
            ("${1}x", "ax"),
            ("$1_$2", "b"),
            ("$name", "b"),
            ("$0", "a-b"),
            ("$3", ""),
            ("$01", ""),
            ("plain", "plain"),
        ] {
            assert_eq!(expand("(.*)-(?P<name>.*)", "a-b", template).as_deref(), Some(wanted), "{template}");
        }
        assert_eq!(expand("(.*)", "line\nline", "$1").as_deref(), Some("line\nline"));
        assert_eq!(expand("b", "abc", "x"), None, "the whole text must match");
    }

    #[test]
    fn patterns_are_gos() {
        for (pattern, yes, no) in [
            (r"\d+", "123", "١٢٣"),
            (r"[\d&&a]+", "1&a", "b"),
            (r"[a--z]", "b", "!"),
            (r"\Qa.b\E+", "a.bb", "axb"),
            (r"[[:alpha:]_]+", "ab_", "a1"),
            (r"[]a]+", "]a", "b"),
            (r"[[a]+", "[a", "b"),
            (r"a\-b\/", "a-b/", "ab"),
            (r"\w\W\s\S", "a. b", "aa b"),
            (r"a|bc", "bc", "abc"),
            (r"(?i)ABC", "abc", "ab"),
            (r"a\b.b", "a b", "aab"),
        ] {
            let compiled = Pattern::new(pattern).expect(pattern);
            assert!(compiled.is_match(yes), "{pattern} {yes}");
            assert!(!compiled.is_match(no), "{pattern} {no}");
        }
        for pattern in ["(", "[z-a]", "\\", "(?=a)", "a{2,1}"] {
            assert!(Pattern::new(pattern).is_err(), "{pattern}");
        }
    }
}
