//! One clause: `word`, `"phrase"`, `wi?d*`, `/regex/`, `fuzzy~1`, `field:value`, `field:(...)`, `_exists_:field`.

use std::ops::Range;

use model::field;

use super::{LuceneOperator, date, group, range, warn_about_case};
use crate::filter::{self, bound};
use crate::highlight::TokenKind;
use crate::limits::{FUZZY_CHARS_MAX, FUZZY_CHARS_MIN, FUZZY_CHARS_MIN_FOR_TWO, REGEX_BYTES_MAX};
use crate::parser::{Parser, shorten};
use crate::{Case, Comparison, Diagnostic, FieldName, Filter, Test, WildPart, regex_check};

/// Whether a character can stand in a term without a backslash. More lenient than Lucene about `/` and `=`.
pub(super) fn is_term_char(c: char) -> bool {
    !c.is_whitespace() && !"!():^[]\"{}~*?\\".contains(c)
}

/// Takes a clause. `None` when there is none or it cannot be read, which is reported.
pub(super) fn clause(p: &mut Parser<'_>, operator: LuceneOperator) -> Option<Filter> {
    let start = p.at;
    let name = field_name(p);
    let Some(name) = name else {
        let field = p.default_field.clone();
        return value(p, field, operator, start);
    };
    p.skip_space();
    match name.as_str() {
        "_exists_" => exists(p, true),
        "_missing_" => exists(p, false),
        "*" if p.rest().starts_with('*') => {
            p.eat_here("*");
            p.count_term(start..p.at);
            Some(Filter::All)
        }
        "*" => value(p, FieldName::Any, operator, start),
        name => value(p, mapped(name), operator, start),
    }
}

/// The field that a name of the Elastic Common Schema is here; any other is itself.
fn mapped(name: &str) -> FieldName {
    FieldName::Named(
        match name {
            "@timestamp" => field::TIME,
            "message" => field::BODY,
            "log.level" => field::SEVERITY,
            "trace.id" => field::TRACE_ID,
            "span.id" => field::SPAN_ID,
            other => other,
        }
        .to_owned(),
    )
}

/// Takes `name:` when it is there.
fn field_name(p: &mut Parser<'_>) -> Option<String> {
    let mark = p.mark();
    let start = p.at;
    let name = match p.eat_here("*").is_some() && p.peek_here() == Some(':') {
        true => Some("*".to_owned()),
        false => {
            p.back_to(mark);
            match &term(p, false)[..] {
                [WildPart::Text(name)] => Some(name.clone()),
                _ => None,
            }
        }
    };
    let end = p.at;
    if name.is_some() && p.eat(":").is_some() {
        p.tokens.push((start..end, TokenKind::Field));
        return name;
    }
    p.back_to(mark);
    None
}

/// Takes characters of a term; a backslash takes what it stands before. `*` and `?` are wildcards.
fn term(p: &mut Parser<'_>, signed: bool) -> Vec<WildPart> {
    let mut parts: Vec<WildPart> = Vec::new();
    let start = p.at;
    let mut chars = p.rest().char_indices();
    let mut end = start;
    while let Some((at, c)) = chars.next() {
        let first = at == 0;
        let literal = match c {
            '*' if parts.last() == Some(&WildPart::Run) => None,
            '*' => {
                parts.push(WildPart::Run);
                None
            }
            '?' => {
                parts.push(WildPart::One);
                None
            }
            '\\' => Some(chars.next().map_or('\\', |(_, escaped)| escaped)),
            '+' | '-' if first && !signed => break,
            c if is_term_char(c) => Some(c),
            _ => break,
        };
        end = start + p.rest().len() - chars.as_str().len();
        match (literal, parts.last_mut()) {
            (Some(c), Some(WildPart::Text(text))) => text.push(c),
            (Some(c), _) => parts.push(WildPart::Text(c.to_string())),
            (None, _) => {}
        }
    }
    p.at = end;
    parts
}

/// `_exists_:field`.
fn exists(p: &mut Parser<'_>, there: bool) -> Option<Filter> {
    let start = p.at;
    p.skip_space();
    let quoted = p.quoted_here(TokenKind::Field).map(|(name, _)| name);
    let name = quoted.or_else(|| match &term(p, false)[..] {
        [WildPart::Text(name)] => Some(name.clone()),
        _ => None,
    });
    let Some(name) = name else {
        p.report(Diagnostic::error(start..p.at, "the name of a field is missing").hint("for example _exists_:user.id"));
        return None;
    };
    p.count_term(start..p.at);
    let test = if there { Test::Exists } else { Test::Empty };
    Some(Filter::Field(mapped(&name), test))
}

/// Takes what stands behind `field:`, or a clause without a field.
fn value(p: &mut Parser<'_>, field: FieldName, operator: LuceneOperator, start: usize) -> Option<Filter> {
    let filter = match p.peek_here() {
        Some('(') => {
            let outer = std::mem::replace(&mut p.default_field, field);
            let inner = group(p, operator);
            p.default_field = outer;
            inner
        }
        Some('[' | '{') => range::range(p, field, start),
        Some('>' | '<') => compared(p, field, start),
        Some('"') => phrase(p, field),
        Some('/') if is_regex(p.rest()) => regex(p, field),
        Some(_) => word(p, field, start),
        None => {
            nothing(p, start);
            None
        }
    };
    boost(p);
    filter
}

fn nothing(p: &mut Parser<'_>, start: usize) {
    let written = p.text[start..p.at].trim_end();
    if written.is_empty() {
        return;
    }
    let message = format!("a value is missing after `{}`", shorten(written));
    let span = start..start + written.len();
    p.report(Diagnostic::error(span, message).hint("write a word, \"a phrase\", [1 TO 5] or * (any value)"));
}

/// `^2` orders by relevance, which there is none of here.
fn boost(p: &mut Parser<'_>) {
    let Some(sign) = p.eat_here("^") else { return };
    let more = |c: char| c.is_ascii_digit() || c == '.';
    let number = p.rest().find(|c| !more(c)).unwrap_or(p.rest().len());
    p.at += number;
    let span = sign.start..p.at;
    let diagnostic = match number {
        0 => Diagnostic::error(span, "a number is missing after `^`").hint("remove it, or write \\^ to search for it"),
        _ => Diagnostic::warning(span, "a boost changes nothing: rows come in order of time").hint("remove it"),
    };
    p.report(diagnostic);
}

/// `>=10`, the sign known to follow.
fn compared(p: &mut Parser<'_>, field: FieldName, start: usize) -> Option<Filter> {
    let operators = [Comparison::GreaterOrEqual, Comparison::LessOrEqual, Comparison::Greater, Comparison::Less];
    let comparison = operators.into_iter().find(|op| p.eat_here(op.as_str()).is_some())?;
    p.skip_space();
    let at = p.at;
    let is_time = field == FieldName::Named(field::TIME.to_owned());
    let Some(text) = range::end_text(p) else {
        nothing(p, start);
        return None;
    };
    let span = at..p.at;
    p.count_term(span.clone());
    if is_time {
        let moment = date::moment(p, &text, &span)?;
        return Some(Filter::Time(range::time_side(comparison, &moment)));
    }
    let text = filter::checked_word(p, &field, text, &span);
    Some(Filter::Field(field, Test::Compare(comparison, bound(text))))
}

/// `"a phrase"`, with `~3`.
fn phrase(p: &mut Parser<'_>, field: FieldName) -> Option<Filter> {
    let (text, span) = p.quoted_here(TokenKind::String)?;
    p.count_term(span.clone());
    if let Some(sign) = p.eat_here("~") {
        let digits = p.rest().find(|c: char| !c.is_ascii_digit()).unwrap_or(p.rest().len());
        p.at += digits;
        let message = "nearness of words is not known here: all of them are searched for";
        p.report(Diagnostic::warning(sign.start..p.at, message).hint("remove it for the phrase as it stands"));
        let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        return Some(Filter::Field(field, if words.is_empty() { Test::Empty } else { Test::ContainsAll(words) }));
    }
    plain(p, field, text, &span)
}

/// A text as it is: a time in `_time`, a network of addresses, else a phrase.
fn plain(p: &mut Parser<'_>, field: FieldName, text: String, span: &Range<usize>) -> Option<Filter> {
    if field == FieldName::Named(field::TIME.to_owned()) {
        return date::moment(p, &text, span).map(Filter::Time);
    }
    if text.is_empty() {
        return Some(Filter::Field(field, Test::Empty));
    }
    let named = matches!(&field, FieldName::Named(name) if name != field::BODY);
    if let Some(test) = filter::network(&text).filter(|_| named) {
        return Some(Filter::Field(field, test));
    }
    let test = Test::Phrase { text, prefix: false, case: Case::Insensitive };
    let test = filter::checked(p, &field, test, span);
    Some(Filter::Field(field, test))
}

/// Whether a regular expression in slashes starts here, and not a path.
fn is_regex(rest: &str) -> bool {
    let Some(end) = regex_end(rest) else { return false };
    end > 2 && rest[end..].chars().next().is_none_or(|c| c.is_whitespace() || ")^".contains(c))
}

/// Where the slash that closes a regular expression ends.
fn regex_end(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            '/' if !escaped => return Some(at + 1),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// `/regex/`: of words in the body, of the whole value elsewhere.
fn regex(p: &mut Parser<'_>, field: FieldName) -> Option<Filter> {
    let end = regex_end(p.rest())?;
    let span = p.at..p.at + end;
    let pattern = p.text[span.start + 1..span.end - 1].replace("\\/", "/");
    p.at = span.end;
    p.tokens.push((span.clone(), TokenKind::Regex));
    p.count_term(span.clone());
    let of_words = matches!(&field, FieldName::Any) || field == FieldName::body();
    let anchored = if of_words { format!("(?i)\\b(?:{pattern})\\b") } else { format!("^(?:{pattern})$") };
    match anchored.len() > REGEX_BYTES_MAX {
        true => regex_check::check(p, &anchored, &span),
        false => regex_check::check(p, &pattern, &(span.start + 1..span.end - 1)),
    }
    let pattern = anchored;
    Some(Filter::Field(field, Test::Regex(pattern)))
}

/// A term, with its wildcards, or fuzzy.
fn word(p: &mut Parser<'_>, field: FieldName, start: usize) -> Option<Filter> {
    let at = p.at;
    let parts = term(p, start < at);
    let span = at..p.at;
    if parts.is_empty() {
        unexpected(p, start);
        return None;
    }
    p.tokens.push((span.clone(), TokenKind::String));
    p.count_term(span.clone());
    let [WildPart::Text(text)] = &parts[..] else {
        if field == FieldName::Named(field::TIME.to_owned()) {
            let hint = "for example @timestamp:[now-1h TO now], @timestamp:2026-11-23";
            p.report(Diagnostic::error(span, "a time has no wildcards").hint(hint));
            return None;
        }
        if parts == [WildPart::Run] && start == at {
            return Some(Filter::All);
        }
        let test = filter::wildcard_test(p, parts, Case::Insensitive, &span)?;
        return Some(Filter::Field(field, test));
    };
    if start == at {
        warn_about_case(p, text, &span);
    }
    if let Some(sign) = p.eat_here("~") {
        return fuzzy(p, field, text, span.start..sign.end);
    }
    plain(p, field, text.clone(), &span)
}

fn unexpected(p: &mut Parser<'_>, start: usize) {
    let Some(c) = p.peek_here() else { return nothing(p, start) };
    if c == ')' {
        return nothing(p, start);
    }
    let span = p.at..p.at + c.len_utf8();
    p.at = span.end;
    let hint = format!("write \\{c} to search for it, or put it between quotes");
    p.report(Diagnostic::error(span, format!("`{c}` cannot stand here")).hint(hint));
}

/// `word~`, `word~1`, and the similarity of old, `word~0.8`.
fn fuzzy(p: &mut Parser<'_>, field: FieldName, word: &str, span: Range<usize>) -> Option<Filter> {
    let more = |c: char| c.is_ascii_digit() || c == '.';
    let length = p.rest().find(|c| !more(c)).unwrap_or(p.rest().len());
    let number = &p.rest()[..length];
    let chars = word.chars().count();
    let automatic = if chars > FUZZY_CHARS_MIN_FOR_TWO { 2.0 } else { 1.0 };
    let edits = match number.parse::<f64>() {
        Ok(share) if share > 0.0 && share < 1.0 => ((1.0 - share) * chars as f64).floor().clamp(1.0, 2.0),
        Ok(edits) => edits.floor(),
        Err(_) => automatic,
    };
    p.at += length;
    let span = span.start..p.at;
    let one_word = word.chars().all(|c| (c.is_alphanumeric() || c == '_') && !filter::is_cjk(c));
    let largest = match chars {
        _ if !one_word || chars > FUZZY_CHARS_MAX => 0.0,
        0..FUZZY_CHARS_MIN => 0.0,
        FUZZY_CHARS_MIN..FUZZY_CHARS_MIN_FOR_TWO => 1.0,
        _ => 2.0,
    };
    if edits > largest {
        let message = match largest {
            0.0 => {
                "this is searched for as it stands: a fuzzy word is one word of 3 to 64 letters and digits".to_owned()
            }
            largest => format!("this word is searched for with {largest} edit{}", if largest > 1.0 { "s" } else { "" }),
        };
        let hint = match largest {
            0.0 => "remove the ~ and what is behind it",
            _ => "two edits are the most, and need five characters",
        };
        p.report(Diagnostic::warning(span.clone(), message).hint(hint));
    }
    match edits.min(largest) as u8 {
        0 => plain(p, field, word.to_owned(), &span),
        edits => Some(Filter::Field(field, Test::Fuzzy { word: word.to_owned(), edits })),
    }
}
