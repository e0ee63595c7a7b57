//! What a regular expression is known to need before it is run: texts of which every match holds one.
//!
//! Found by walking the parsed expression: a literal in a concatenation is needed, a repetition that may be empty is not, an
//! alternation needs one of what each branch needs. Letters in both cases (`(?i)`) become their lower case, and then the
//! texts are looked for without regard to case.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Most texts that an alternation may come to; more are no help.
const TEXTS_MAX: usize = 16;

/// Shortest text that is worth looking for.
const TEXT_BYTES_MIN: usize = 2;

/// What is known of an expression.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Required {
    /// In lower case; every match holds one of them, in any case. Empty when nothing is known.
    pub(crate) texts: Vec<String>,
    /// Whether a match inside a part of a text is a match of the text: no anchor, no word boundary.
    pub(crate) local: bool,
}

/// Looks into an expression; one that cannot be parsed is known nothing of.
pub(crate) fn of(pattern: &str) -> Required {
    let Ok(hir) = regex_syntax::parse(pattern) else { return Required::default() };
    let texts = texts(&hir).unwrap_or_default();
    Required { local: hir.properties().look_set().is_empty(), texts }
}

/// The texts that an expression needs; `None` when it needs none.
fn texts(hir: &Hir) -> Option<Vec<String>> {
    match hir.kind() {
        HirKind::Literal(_) | HirKind::Class(_) => kept(vec![char_text(hir)?]),
        HirKind::Capture(inner) => texts(&inner.sub),
        HirKind::Repetition(inner) if inner.min > 0 => texts(&inner.sub),
        HirKind::Concat(parts) => concat(parts),
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(texts(branch)?);
            }
            kept(all)
        }
        HirKind::Empty | HirKind::Look(_) | HirKind::Repetition(_) => None,
    }
}

/// The longest of the texts that the parts need. Neighbouring literals are one text.
fn concat(parts: &[Hir]) -> Option<Vec<String>> {
    let mut best: Option<Vec<String>> = None;
    let mut offer = |candidate: Option<Vec<String>>| {
        let Some(candidate) = candidate.and_then(kept) else { return };
        if best.as_ref().is_none_or(|best| shortest(best) < shortest(&candidate)) {
            best = Some(candidate);
        }
    };
    let mut run = String::new();
    for part in parts {
        match char_text(part) {
            Some(text) => run.push_str(&text),
            None => {
                offer(Some(vec![std::mem::take(&mut run)]));
                offer(texts(part));
            }
        }
    }
    offer(Some(vec![run]));
    best
}

fn shortest(texts: &[String]) -> usize {
    texts.iter().map(String::len).min().unwrap_or(0)
}

fn kept(mut texts: Vec<String>) -> Option<Vec<String>> {
    texts.sort();
    texts.dedup();
    let useful = texts.len() <= TEXTS_MAX && shortest(&texts) >= TEXT_BYTES_MIN;
    useful.then_some(texts)
}

/// The text that an expression stands for when it is a literal, or one ASCII letter in both cases. Other alphabets are left
/// alone: the lower case of a character may be more than one.
fn char_text(hir: &Hir) -> Option<String> {
    match hir.kind() {
        HirKind::Literal(literal) => {
            let text = str::from_utf8(&literal.0).ok()?;
            text.is_ascii().then(|| text.to_ascii_lowercase())
        }
        HirKind::Class(Class::Unicode(class)) => {
            // `k` and `s` have a third case each (the Kelvin sign, the long s): those are not ASCII, and not looked for.
            let ascii: Vec<char> =
                class.ranges().iter().flat_map(|range| range.start()..=range.end()).take(3).collect();
            match ascii[..] {
                [a, b] if a.is_ascii_uppercase() && b == a.to_ascii_lowercase() => Some(b.to_string()),
                _ => None,
            }
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, texts: &[&str], local: bool) {
        assert_eq!(
            of(pattern),
            Required { texts: texts.iter().map(|t| (*t).to_owned()).collect(), local },
            "{pattern}"
        );
    }

    #[test]
    fn literals_are_found() {
        check("timeout after [0-9]+ms", &["timeout after "], true);
        check("(?i)error", &["error"], true);
        check("acquirer [0-9]+ in 9[0-9] ms", &["acquirer "], true);
        check("(GET|POST) /api", &[" /api"], true);
        check("(?:foo|bar)+", &["bar", "foo"], true);
        check("^Failed", &["failed"], false);
        check(r"\bword\b", &["word"], false);
    }

    #[test]
    fn what_may_be_absent_is_not_needed() {
        check("(?:foo)*", &[], true);
        check("foo|.*", &[], true);
        check("a|bc", &[], true);
        check("[0-9]+", &[], true);
        check("登录.*", &[], true);
        check("(?i)ask", &[], true);
    }
}
