//! Words and phrases, with `*` before, inside and behind them, and fuzzy words.

use std::ops::Range;

use super::severity;
use crate::highlight::TokenKind;
use crate::limits::{FUZZY_CHARS_MAX, FUZZY_CHARS_MIN, FUZZY_CHARS_MIN_FOR_TWO, FUZZY_EDITS_MAX, WILDCARDS_MAX};
use crate::parser::{Located, Parser, shorten};
use crate::{Case, Diagnostic, FieldName, Filter, Test, WildPart, terminals};

/// Whether words stand where a filter may, or behind `field:`, where they may hold `:` and the like.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Filter,
    Value,
}

/// Takes the rest of a text that is searched for: `first` is what is taken already; without it a `*` follows.
pub(super) fn words(
    p: &mut Parser<'_>,
    field: FieldName,
    first: Option<Located<String>>,
    place: Place,
) -> Option<Filter> {
    let start = first.as_ref().map_or(p.at, |(_, span)| span.start);
    let quoted = p.text[start..].starts_with(['"', '\'', '`']);
    if let Some((text, span)) = &first
        && let Some(filter) = fuzzy(p, &field, (text, span.clone()), place, quoted)
    {
        return filter;
    }
    let parts = pieces(p, first, place);
    let span = start..p.at;
    p.count_term(span.clone());
    warn(p, &parts, &span, place, quoted);
    let test = test(p, parts, Case::Insensitive, &span)?;
    Some(Filter::Field(field.clone(), checked(p, &field, test, &span)))
}

/// Takes texts and the `*` between them.
pub(super) fn pieces(p: &mut Parser<'_>, first: Option<Located<String>>, place: Place) -> Vec<WildPart> {
    let mut parts: Vec<WildPart> = Vec::new();
    let push = |parts: &mut Vec<WildPart>, text: String| {
        if !text.is_empty() {
            parts.push(WildPart::Text(text));
        }
    };
    push(&mut parts, first.map(|(text, _)| text).unwrap_or_default());
    let more = |c: char| if place == Place::Value { terminals::is_value_char(c) } else { terminals::is_word_char(c) };
    while p.eat_here("*").is_some() {
        if parts.last() != Some(&WildPart::Run) {
            parts.push(WildPart::Run);
        }
        let quoted = p.quoted_here(TokenKind::String).map(|(text, _)| text);
        let text = quoted.or_else(|| {
            let bare = p.take_here(TokenKind::String, |input| terminals::run_of(more, input));
            bare.map(|(text, _)| text.to_owned())
        });
        push(&mut parts, text.unwrap_or_default());
    }
    parts
}

/// The test that a text with wildcards is; `None` when there is no text in it, or too many wildcards, which is reported.
pub(crate) fn test(p: &mut Parser<'_>, parts: Vec<WildPart>, case: Case, span: &Range<usize>) -> Option<Test> {
    let phrase = |text: &String, prefix: bool| Test::Phrase { text: text.clone(), prefix, case };
    Some(match &parts[..] {
        [] => Test::Empty,
        [WildPart::Run] => Test::Exists,
        [WildPart::Text(text)] => phrase(text, false),
        [WildPart::Text(text), WildPart::Run] => phrase(text, true),
        [WildPart::Run, WildPart::Text(text)] => Test::Suffix { text: text.clone(), case },
        [WildPart::Run, WildPart::Text(text), WildPart::Run] => Test::Substring { text: text.clone(), case },
        _ => {
            let wildcards = parts.iter().filter(|part| !matches!(part, WildPart::Text(_))).count();
            if wildcards > WILDCARDS_MAX {
                let message =
                    format!("the pattern has {wildcards} wildcards, the limit is {WILDCARDS_MAX} (WILDCARDS_MAX)");
                p.report(Diagnostic::error(span.clone(), message).hint("write a regular expression: ~\"...\""));
                return None;
            }
            if wildcards == parts.len() {
                p.report(
                    Diagnostic::error(span.clone(), "this pattern has no text in it")
                        .hint("any value is f:*, a length is f:len_range(1, 5)"),
                );
                return None;
            }
            Test::Wildcard { parts, case }
        }
    })
}

/// Reads the pattern of `wild(...)`: `*`, `?`, and a backslash before those that are meant.
pub(super) fn pattern(text: &str) -> Vec<WildPart> {
    let mut parts: Vec<WildPart> = Vec::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let literal = match c {
            '*' if parts.last() == Some(&WildPart::Run) => continue,
            '*' => {
                parts.push(WildPart::Run);
                continue;
            }
            '?' => {
                parts.push(WildPart::One);
                continue;
            }
            '\\' => chars.next().unwrap_or('\\'),
            c => c,
        };
        match parts.last_mut() {
            Some(WildPart::Text(text)) => text.push(literal),
            _ => parts.push(WildPart::Text(literal.to_string())),
        }
    }
    parts
}

/// Looks at the words of severities.
pub(crate) fn checked(p: &mut Parser<'_>, field: &FieldName, test: Test, span: &Range<usize>) -> Test {
    match test {
        Test::Phrase { text, prefix: false, case: Case::Insensitive } => {
            let text = severity::checked(p, field, text, span);
            Test::Phrase { text, prefix: false, case: Case::Insensitive }
        }
        other => other,
    }
}

/// Signs of other languages that are searched for as they are here.
fn warn(p: &mut Parser<'_>, parts: &[WildPart], span: &Range<usize>, place: Place, quoted: bool) {
    let [WildPart::Text(text), ..] = parts else { return };
    if quoted || place == Place::Value {
        return;
    }
    if let Some(word) = text.strip_prefix('+').filter(|word| word.starts_with(char::is_alphabetic)) {
        let hint = format!("every word must be found anyway: write {word}, or \"{text}\" if the + is meant");
        p.report(Diagnostic::warning(span.clone(), "this searches for a + too").hint(hint));
    }
    let foreign = ["contains", "like", "matches", "startswith", "endswith", "regexp"];
    if foreign.contains(&text.to_ascii_lowercase().as_str()) && p.peek().is_some_and(|c| "\"'".contains(c)) {
        let message = format!("this searches for the word `{text}`");
        let hint = "write field:\"text\", field:*\"text\"* inside of words too, field:~\"regex\"";
        p.report(Diagnostic::warning(span.clone(), message).hint(hint));
    }
    let inside = text.find('?').is_some_and(|at| at > 0 && at + 1 < text.len());
    if inside && !text.contains(['/', '=', '&']) {
        let hint = format!("for any one character write wild({})", terminals::quote(text));
        p.report(Diagnostic::warning(span.clone(), "this searches for a ? as it is").hint(hint));
    }
}

/// What stands behind a `~` that makes a word fuzzy: nothing, or the number of edits.
fn edits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix('~')?;
    (digits.len() <= 3 && digits.bytes().all(|b| b.is_ascii_digit())).then_some(digits)
}

/// The word and the edits of a text that is a fuzzy word: `word~1`, `word~`.
pub(crate) fn fuzzy_parts(text: &str) -> Option<(&str, &str)> {
    let (word, tail) = text.split_at(text.rfind('~')?);
    let plain = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || c == '_');
    edits(tail).filter(|_| plain).map(|edits| (word, edits))
}

/// `word~1`, `word~`; the outer `None` when the word is not fuzzy, the inner one when it cannot be searched for.
#[expect(clippy::option_option, reason = "no fuzzy word and one that cannot be searched for are different things")]
fn fuzzy(
    p: &mut Parser<'_>,
    field: &FieldName,
    (text, span): (&str, Range<usize>),
    place: Place,
    quoted: bool,
) -> Option<Option<Filter>> {
    let start = p.mark();
    if quoted || place == Place::Filter {
        // The `~` stands behind the word, and nothing may follow its number.
        let tail =
            p.take_here(TokenKind::Operator, |input| terminals::run_of(|c| c == '~' || c.is_ascii_digit(), input));
        let ends = p.peek_here().is_none_or(|c| c.is_whitespace() || "|)".contains(c));
        let Some(digits) = tail.and_then(|(tail, _)| edits(tail)).filter(|_| ends) else {
            p.back_to(start);
            return None;
        };
        let span = span.start..p.at;
        if quoted {
            let message = "words that are near each other are not known here";
            let hint = "write seq(\"first\", \"then\") for an order, or the words alone for all of them";
            p.report(Diagnostic::error(span, message).hint(hint));
            return Some(None);
        }
        return Some(fuzzy_word(p, field, (text, digits), span));
    }
    let (word, digits) = fuzzy_parts(text)?;
    Some(fuzzy_word(p, field, (word, digits), span))
}

fn fuzzy_word(
    p: &mut Parser<'_>,
    field: &FieldName,
    (word, digits): (&str, &str),
    span: Range<usize>,
) -> Option<Filter> {
    p.count_term(span.clone());
    let chars = word.chars().count();
    let wanted = match digits {
        "" => 1 + u64::from(chars > FUZZY_CHARS_MIN_FOR_TWO),
        digits => digits.parse().unwrap_or(u64::MAX),
    };
    let plain = word.chars().all(|c| c.is_alphanumeric() || c == '_');
    let (message, hint) = if wanted == 0 {
        let test = Test::Phrase { text: word.to_owned(), prefix: false, case: Case::Insensitive };
        return Some(Filter::Field(field.clone(), test));
    } else if !plain || word.chars().any(is_cjk) {
        let hint = format!("write the words one by one, or \"{}~{digits}\" to search for the text", shorten(word));
        ("a fuzzy search takes one word of letters and digits".to_owned(), hint)
    } else if wanted > u64::from(FUZZY_EDITS_MAX) {
        let message = format!("a fuzzy word may have at most {FUZZY_EDITS_MAX} edits (FUZZY_EDITS_MAX)");
        (message, format!("write {}~{FUZZY_EDITS_MAX}", shorten(word)))
    } else if chars > FUZZY_CHARS_MAX {
        let message = format!("a fuzzy word has at most {FUZZY_CHARS_MAX} characters (FUZZY_CHARS_MAX)");
        (message, "write a prefix: abc*".to_owned())
    } else if chars < FUZZY_CHARS_MIN {
        let message = format!("a fuzzy word has at least {FUZZY_CHARS_MIN} characters (FUZZY_CHARS_MIN)");
        (message, "a shorter one would find half of all words".to_owned())
    } else if wanted == 2 && chars < FUZZY_CHARS_MIN_FOR_TWO {
        let message = format!(
            "a word with two edits has at least {FUZZY_CHARS_MIN_FOR_TWO} characters (FUZZY_CHARS_MIN_FOR_TWO)"
        );
        (message, format!("write {word}~1"))
    } else {
        let test = Test::Fuzzy { word: word.to_owned(), edits: wanted as u8 };
        return Some(Filter::Field(field.clone(), test));
    };
    p.report(Diagnostic::error(span, message).hint(hint));
    None
}

/// Whether a character is of a script that is written without spaces: a word by itself.
pub fn is_cjk(c: char) -> bool {
    matches!(u32::from(c),
        0x1100..=0x11FF | 0x2E80..=0x2FDF | 0x3005..=0x3007 | 0x3021..=0x3029 | 0x3031..=0x3035 | 0x3038..=0x303B
        | 0x3040..=0x318F | 0x31A0..=0x31BF | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xA960..=0xA97F
        | 0xAC00..=0xD7FF | 0xF900..=0xFAFF | 0xFF66..=0xFFDC | 0x1B000..=0x1B16F | 0x20000..=0x323AF)
}
