//! Series lines: a selector-like metric and a sequence of values.

use model::{Labels, stale_nan};
use promql::{Expr, parse, parse_duration_ms};

/// One place of a sequence.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item {
    Missing,
    Float(f64),
    /// A native histogram, which is not evaluated.
    Histogram,
}

/// Splits a line into metric and values: at the first blank outside of braces and quotes.
pub(crate) fn split(line: &str) -> Option<(&str, &str)> {
    let (mut depth, mut quote) = (0, None);
    let mut escaped = false;
    for (at, c) in line.char_indices() {
        match (quote, c) {
            (Some(_), _) if escaped => escaped = false,
            (Some('"' | '\''), '\\') => escaped = true,
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'' | '`') => quote = Some(c),
            (None, '{') => depth += 1,
            (None, '}') => depth -= 1,
            (None, c) if c.is_whitespace() && depth == 0 => return Some((&line[..at], line[at..].trim())),
            _ => {}
        }
    }
    Some((line, ""))
}

/// Reads a metric such as `up{job="a"}` or `{}`.
pub(crate) fn labels(text: &str) -> Option<Labels> {
    let text = text.trim();
    if text == "{}" {
        return Some(Labels::default());
    }
    // An empty metric would be refused as a selector; a matcher that is no equality makes it one.
    let padded = match text.rfind('}') {
        Some(at) if text[..at].trim_end().ends_with(['{', ',']) => format!("{}__pad__=~\".+\"}}", &text[..at]),
        Some(at) => format!("{},__pad__=~\".+\"}}", &text[..at]),
        None => text.to_owned(),
    };
    let Ok(Expr::Vector(selector)) = parse(&padded) else { return None };
    let real = selector.matchers.iter().filter(|matcher| matcher.name != "__pad__");
    Some(real.map(|matcher| (matcher.name.as_str(), matcher.value.as_str())).collect())
}

fn number(text: &str) -> Option<f64> {
    let (negative, plain) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let Ok(Expr::Number(value, _)) = parse(plain) else { return None };
    Some(if negative { -value } else { value })
}

/// Reads the values of a line.
pub(crate) fn items(text: &str) -> Option<Vec<Item>> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let end = if rest.starts_with("{{") {
            histogram_end(rest)
        } else {
            rest.find(char::is_whitespace).unwrap_or(rest.len())
        };
        let (word, after) = rest.split_at(end);
        push(word, &mut out)?;
        rest = after.trim_start();
    }
    Some(out)
}

fn histogram_end(text: &str) -> usize {
    let mut at = 0;
    loop {
        at += text[at..].find("}}").map_or(text.len() - at, |end| end + 2);
        if !text[at..].starts_with("+{{") && !text[at..].starts_with("-{{") {
            return at + text[at..].find(char::is_whitespace).unwrap_or(text.len() - at);
        }
    }
}

fn push(word: &str, out: &mut Vec<Item>) -> Option<()> {
    if word.starts_with("{{") {
        let times = word.rsplit_once("}}x").map_or(Some(0), |(_, n)| n.parse().ok())?;
        out.extend(std::iter::repeat_n(Item::Histogram, times + 1usize));
        return Some(());
    }
    let (body, times) = match word.split_once('x') {
        // No hexadecimal here: `0x5` is six zeros.
        Some((body, n)) => (body, Some(n.parse::<usize>().ok()?)),
        None => (word, None),
    };
    if body == "_" {
        out.extend(std::iter::repeat_n(Item::Missing, times.unwrap_or(1)));
        return Some(());
    }
    if body == "stale" {
        out.extend(std::iter::repeat_n(Item::Float(stale_nan()), times.unwrap_or(0) + 1));
        return Some(());
    }
    let (start, step) = match (times, sign_inside(body)) {
        (Some(_), Some(at)) => (number(&body[..at])?, number(&body[at..])?),
        _ => (number(body)?, 0.0),
    };
    let mut value = start;
    for _ in 0..=times.unwrap_or(0) {
        out.push(Item::Float(value));
        value += step;
    }
    Some(())
}

/// Where the step of `a+b` starts: a sign that is neither first nor an exponent's.
fn sign_inside(body: &str) -> Option<usize> {
    let bytes = body.as_bytes();
    (1..bytes.len())
        .find(|at| matches!(bytes[*at], b'+' | b'-') && !matches!(bytes[*at - 1], b'e' | b'E' | b'+' | b'-'))
}

/// A duration of the test language.
pub(crate) fn duration(text: &str) -> Option<i64> {
    match text.trim().strip_prefix('-') {
        Some(rest) => parse_duration_ms(rest).map(|ms| -ms),
        None => parse_duration_ms(text.trim()),
    }
}
