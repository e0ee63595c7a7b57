//! Time filters: `_time:5m`, `_time:5m offset 1h`, `_time:[a, b)`, `_time:>=a`, `_time:2026-11-23`.
//!
//! A time that names a day, an hour, a minute or a second means all of it: `_time:2026-11-23` is that day, and in
//! `_time:[2026-11-01, 2026-11-23]` the last day is inside.

use std::ops::Range;

use model::{TimeRange, Timestamp, parse_duration_ns};

use crate::highlight::TokenKind;
use crate::parser::{Located, Parser, shorten};
use crate::terminals;
use crate::{Diagnostic, Filter};

const SECOND_NS: i64 = 1_000_000_000;

const HINT: &str = "write _time:5m, _time:2026-11-23, _time:[2026-11-23T09:00:00Z, now) or _time:>=-1h";

/// Takes what stands after `_time:`; the span is the name's.
pub(super) fn test(p: &mut Parser<'_>, name: Range<usize>) -> Option<Filter> {
    p.count_term(name.clone());
    p.skip_space();
    if let Some(filter) = super::day::range(p) {
        return filter;
    }
    let range = match p.peek_here() {
        Some('[' | '(') => bracketed(p, interval),
        Some('>' | '<' | '=') => compared(p),
        Some('*') => p.eat_here("*").map(|_| TimeRange::ALL),
        _ => single(p),
    };
    range.map(Filter::Time)
}

/// A time, quoted or not, as the range of times that it names.
fn moment(p: &mut Parser<'_>) -> Option<TimeRange> {
    let (text, span) = moment_text(p)?;
    moment_of(p, &text, &span)
}

/// A time as the range of times that it names: a second for `09:00:00`, a day for a date, a month for `2026-11`, a
/// nanosecond for a number or a relative time.
pub(crate) fn moment_of(p: &mut Parser<'_>, text: &str, span: &Range<usize>) -> Option<TimeRange> {
    // A zone behind a month, a day, an hour or a minute, as LogsQL writes it.
    let text = text.strip_suffix('Z').filter(|text| [7, 10, 13, 16].contains(&text.len())).unwrap_or(text);
    if let Some(range) = month(text) {
        return Some(range);
    }
    // An hour alone is no civil time to `Timestamp::parse`.
    let hour = text.len() == 13 && text.as_bytes()[10] == b'T' && text[11..].bytes().all(|b| b.is_ascii_digit());
    let whole = if hour { format!("{text}:00") } else { text.to_owned() };
    match Timestamp::parse(&whole, p.now) {
        Ok(start) => {
            let width = if hour { 3600 * SECOND_NS } else { precision_ns(text) };
            Some(TimeRange::new(start, start.saturating_add_ns(width)))
        }
        Err(_) => {
            let message = format!("cannot read `{}` as a time", shorten(text));
            p.report(Diagnostic::error(span.clone(), message).hint(HINT));
            None
        }
    }
}

/// `2026-11`: a month.
fn month(text: &str) -> Option<TimeRange> {
    let (year, month) = text.split_once('-').filter(|(year, month)| year.len() == 4 && month.len() == 2)?;
    let (year, month): (u16, u16) = (year.parse().ok()?, month.parse().ok()?);
    let first = |year: u16, month: u16| Timestamp::parse(&format!("{year:04}-{month:02}-01"), Timestamp(0)).ok();
    let (next_year, next_month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    Some(TimeRange::new(first(year, month)?, first(next_year, next_month)?))
}

fn moment_text(p: &mut Parser<'_>) -> Option<Located<String>> {
    p.skip_space();
    if let Some(quoted) = p.quoted_here(TokenKind::Number) {
        return Some(quoted);
    }
    if let Some((word, span)) = p.take_here(TokenKind::Number, terminals::time_word) {
        return Some((word.to_owned(), span));
    }
    p.expected("a time", HINT);
    None
}

/// How long the unit is that a civil time leaves open.
fn precision_ns(text: &str) -> i64 {
    let civil = text.as_bytes().get(4) == Some(&b'-') && text.len() >= 10 && !text.contains('.');
    if !civil {
        return 1;
    }
    match text.get(10..).map(|time| time.matches(':').count() - zone_colons(time)) {
        Some(0) if text.len() == 10 => 86_400 * SECOND_NS,
        Some(1) => 60 * SECOND_NS,
        Some(2) => SECOND_NS,
        _ => 1,
    }
}

/// Colons that belong to a zone such as `+01:00`.
fn zone_colons(time: &str) -> usize {
    time.find(['+', '-']).map_or(0, |at| time[at..].matches(':').count())
}

/// `5m`, `5m offset 1h`, or a time.
fn single(p: &mut Parser<'_>) -> Option<TimeRange> {
    let before = (p.at, p.tokens.len());
    let word = p.take_here(TokenKind::Number, terminals::time_word);
    let Some(length_ns) = word.and_then(|(word, _)| parse_duration_ns(word)).filter(|ns| *ns > 0) else {
        p.at = before.0;
        p.tokens.truncate(before.1);
        return instant(p);
    };
    let mut end = p.now;
    if p.eat_keyword("offset").is_some() {
        let (text, span) = moment_text(p)?;
        let Some(offset_ns) = parse_duration_ns(&text) else {
            let message = format!("cannot read `{}` as a duration", shorten(&text));
            p.report(Diagnostic::error(span, message).hint("for example _time:5m offset 1h"));
            return None;
        };
        end = end.saturating_add_ns(-offset_ns);
    }
    Some(TimeRange::new(end.saturating_add_ns(-length_ns), end))
}

/// One time. A small number is a time in 1970, which is hardly meant.
fn instant(p: &mut Parser<'_>) -> Option<TimeRange> {
    const DIGITS_MIN: usize = 9;
    p.skip_space();
    let start = p.at;
    let range = moment(p)?;
    let text = &p.text[start..p.at];
    if text.len() < DIGITS_MIN && text.bytes().all(|b| b.is_ascii_digit()) {
        let hint = format!("give it a unit, such as _time:{text}m, or write the year with a month: _time:2026-11");
        let message = format!("this is {text} seconds after the start of 1970");
        p.report(Diagnostic::warning(start..p.at, message).hint(hint));
    }
    Some(range)
}

/// What stands between brackets; passes over the rest of them when it cannot be read.
pub(super) fn bracketed<T>(p: &mut Parser<'_>, inner: fn(&mut Parser<'_>) -> Option<T>) -> Option<T> {
    let out = inner(p);
    if out.is_none() {
        let rest = p.rest();
        let end = rest.find(['|', '[', '(', ']', ')', '"']).unwrap_or(rest.len());
        if rest[end..].starts_with([']', ')']) {
            p.at += end + 1;
        }
    }
    out
}

/// `[a, b)` with either bracket on either side.
fn interval(p: &mut Parser<'_>) -> Option<TimeRange> {
    let open = p.at;
    let with_start = p.eat_here("[").is_some();
    if !with_start {
        p.eat_here("(");
    }
    let start = moment(p)?;
    if p.eat(",").is_none() {
        p.expected("`,`", HINT);
        return None;
    }
    let end = moment(p)?;
    let with_end = p.eat("]").is_some();
    if !with_end && p.eat(")").is_none() {
        p.expected("`)` or `]`", HINT);
    }
    let from = if with_start { start.start } else { start.end };
    let to = if with_end { end.end } else { end.start };
    if to < from {
        let message = "this time range ends before it starts, so it holds nothing";
        p.report(Diagnostic::warning(open..p.at, message).hint("swap the two times"));
    }
    Some(TimeRange::new(from, to))
}

/// `>a`, `>=a`, `<b`, `<=b`, `=a`.
fn compared(p: &mut Parser<'_>) -> Option<TimeRange> {
    let operator = [">=", "<=", ">", "<", "="].into_iter().find(|op| p.eat_here(op).is_some())?;
    let time = moment(p)?;
    Some(match operator {
        ">=" => TimeRange::new(time.start, TimeRange::ALL.end),
        ">" => TimeRange::new(time.end, TimeRange::ALL.end),
        "<" => TimeRange::new(TimeRange::ALL.start, time.start),
        "<=" => TimeRange::new(TimeRange::ALL.start, time.end),
        _ => time,
    })
}
