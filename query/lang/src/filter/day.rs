//! `_time:day_range[08:00, 18:00)` and `_time:week_range[Mon, Fri]`.

use model::parse_duration_ns;

use crate::highlight::TokenKind;
use crate::parser::{Parser, shorten};
use crate::{DayRange, Diagnostic, Filter, WeekRange, terminals};

const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;
const DAY_HINT: &str = "for example _time:day_range[08:00, 18:00), with offset 2h for a zone";
const WEEK_HINT: &str = "for example _time:week_range[Mon, Fri]";

/// Takes a range of times of day or days of the week when one follows.
#[expect(clippy::option_option, reason = "no such range and one that cannot be read are different things")]
pub(super) fn range(p: &mut Parser<'_>) -> Option<Option<Filter>> {
    let name = p.peek_word().filter(|word| ["day_range", "week_range"].contains(word))?;
    if !p.rest()[name.len()..].starts_with(['[', '(']) {
        return None;
    }
    p.take(TokenKind::Function, terminals::expr_name);
    Some(super::time::bracketed(p, if name == "day_range" { day } else { week }))
}

/// Takes the bracket that opens; whether the start is inside.
fn open(p: &mut Parser<'_>) -> bool {
    p.eat_here("[").is_some() || {
        p.eat_here("(");
        false
    }
}

/// Takes the bracket that closes; whether the end is inside.
fn close(p: &mut Parser<'_>, hint: &str) -> Option<bool> {
    if p.eat("]").is_some() {
        return Some(true);
    }
    if p.eat(")").is_some() {
        return Some(false);
    }
    p.expected("`)` or `]`", hint);
    None
}

fn comma(p: &mut Parser<'_>, hint: &str) -> Option<()> {
    if p.eat(",").is_none() {
        p.expected("`,`", hint);
        return None;
    }
    Some(())
}

fn day(p: &mut Parser<'_>) -> Option<Filter> {
    let start = p.at;
    let with_start = open(p);
    let (first, first_width) = clock(p)?;
    comma(p, DAY_HINT)?;
    let (end, end_width) = clock(p)?;
    let with_end = close(p, DAY_HINT)?;
    let start_ns = if with_start { first } else { first + first_width } % DAY_NS;
    let end_ns = if with_end { end + end_width } else { end };
    let end_ns = if end_ns > DAY_NS { end_ns - DAY_NS } else { end_ns };
    let end_ns = if end_ns == 0 { DAY_NS } else { end_ns };
    if start_ns == end_ns {
        p.report(Diagnostic::error(start..p.at, "this range of times holds nothing").hint(DAY_HINT));
        return None;
    }
    let offset_ns = offset(p)?;
    Some(Filter::DayRange(DayRange { start_ns, end_ns, offset_ns }))
}

/// Takes a time of day, in nanoseconds since midnight, and how long what it names is.
fn clock(p: &mut Parser<'_>) -> Option<(i64, i64)> {
    let Some((word, span)) = p.take(TokenKind::Number, terminals::time_word) else {
        p.expected("a time of day", DAY_HINT);
        return None;
    };
    let time = time_of_day(word);
    if time.is_none() {
        let message = format!("`{}` is not a time of day", shorten(word));
        p.report(Diagnostic::error(span, message).hint(DAY_HINT));
    }
    time
}

fn time_of_day(word: &str) -> Option<(i64, i64)> {
    let digits =
        |text: &str| text.parse::<i64>().ok().filter(|_| text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()));
    let mut parts = word.split(':');
    let hours = digits(parts.next()?)?;
    let minutes = digits(parts.next()?)?;
    let (seconds, fraction, width) = match parts.next() {
        None => (0, 0, 60 * SECOND_NS),
        Some(text) => match text.split_once('.') {
            None => (digits(text)?, 0, SECOND_NS),
            Some((whole, part)) if (1..=9).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()) => {
                (digits(whole)?, format!("{part:0<9}").parse().ok()?, 1)
            }
            Some(_) => return None,
        },
    };
    let ns = ((hours * 60 + minutes) * 60 + seconds) * SECOND_NS + fraction;
    (minutes < 60 && seconds < 60 && ns <= DAY_NS && parts.next().is_none()).then_some((ns, width))
}

fn week(p: &mut Parser<'_>) -> Option<Filter> {
    let start = p.at;
    let with_start = open(p);
    let first = day_of_week(p)?;
    comma(p, WEEK_HINT)?;
    let last = day_of_week(p)?;
    let with_end = close(p, WEEK_HINT)?;
    let length =
        (last + 7 - first) % 7 + 1 - u8::from(!with_start) - u8::from(!with_end && (with_start || first != last));
    let first = if with_start { first } else { (first + 1) % 7 };
    let last = if with_end { last } else { (last + 6) % 7 };
    if length == 0 || length > 7 {
        p.report(Diagnostic::error(start..p.at, "this range of days holds nothing").hint(WEEK_HINT));
        return None;
    }
    let offset_ns = offset(p)?;
    Some(Filter::WeekRange(WeekRange { first, last, offset_ns }))
}

/// Takes the name of a day, whole or its first three letters.
fn day_of_week(p: &mut Parser<'_>) -> Option<u8> {
    const NAMES: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
    let Some((word, span)) = p.take(TokenKind::Number, terminals::time_word) else {
        p.expected("a day of the week", WEEK_HINT);
        return None;
    };
    let lower = word.to_ascii_lowercase();
    let day = NAMES.iter().position(|name| *name == lower || (lower.len() == 3 && name.starts_with(&lower)));
    if day.is_none() {
        let message = format!("`{}` is not a day of the week", shorten(word));
        p.report(Diagnostic::error(span, message).hint(format!("days are {}", WeekRange::DAYS.join(", "))));
    }
    day.map(|day| day as u8)
}

/// Takes `offset 2h`: how far local time is ahead of UTC.
fn offset(p: &mut Parser<'_>) -> Option<i64> {
    if p.eat_keyword("offset").is_none() {
        return Some(0);
    }
    let Some((word, span)) = p.take(TokenKind::Number, terminals::time_word) else {
        p.expected("a duration", "for example offset 2h, or offset -5h30m");
        return None;
    };
    let (sign, digits) = match word.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, word.strip_prefix('+').unwrap_or(word)),
    };
    let ns = parse_duration_ns(digits).filter(|ns| *ns < DAY_NS);
    if ns.is_none() {
        let message = format!("`{}` is not an offset of a time zone", shorten(word));
        p.report(Diagnostic::error(span, message).hint("for example offset 2h, or offset -5h30m"));
    }
    ns.map(|ns| sign * ns)
}

#[cfg(test)]
mod tests {
    use crate::{Filter, parse};
    use model::Timestamp;

    #[test]
    fn ranges_hold_what_they_say() {
        let holds = |text: &str, times: &[&str]| -> Vec<bool> {
            let (query, diagnostics) = parse(text, Timestamp(0));
            assert!(diagnostics.is_empty(), "{diagnostics:?}");
            let of = |time: &&str| Timestamp::parse(time, Timestamp(0)).expect("a time").0;
            let contains = |ns: i64| match &query.filter {
                Filter::DayRange(range) => range.contains(ns),
                Filter::WeekRange(range) => range.contains(ns),
                other => panic!("{other:?}"),
            };
            times.iter().map(|time| contains(of(time))).collect()
        };
        let times = ["2026-11-23T07:59:59Z", "2026-11-23T08:00:00Z", "2026-11-23T18:00:00Z", "2026-11-23T18:01:00Z"];
        assert_eq!(holds("_time:day_range[08:00, 18:00)", &times), [false, true, false, false]);
        assert_eq!(holds("_time:day_range[08:00, 18:00]", &times), [false, true, true, false]);
        assert_eq!(holds("_time:day_range[18:00, 08:00)", &times), [true, false, true, true]);
        assert_eq!(holds("_time:day_range[10:00, 20:00) offset 2h", &times), [false, true, false, false]);
        assert_eq!(holds("_time:day_range[00:00, 24:00)", &times), [true; 4]);
        // 2026-11-23 is a Monday.
        let days = ["2026-11-22T12:00:00Z", "2026-11-23T00:00:00Z", "2026-11-27T23:59:59Z", "2026-11-28T00:00:00Z"];
        assert_eq!(holds("_time:week_range[Mon, Fri]", &days), [false, true, true, false]);
        assert_eq!(holds("_time:week_range(Sunday, Sat)", &days), [false, true, true, false]);
        assert_eq!(holds("_time:week_range[Sat, Sun]", &days), [true, false, false, true]);
        assert_eq!(holds("_time:week_range[Mon, Mon]", &days), [false, true, false, false]);
        assert_eq!(holds("_time:week_range[Mon, Fri] offset 1h", &days), [false, true, false, false]);
    }
}
