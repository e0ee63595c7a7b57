//! Date math: `now-1h/h`, `2026-11-23||+1M/d`. A rounded time names all of its unit, as Elasticsearch counts it: the last hour
//! of `[now-1h/h TO now/h]` is inside.

use std::ops::Range;

use model::{TimeRange, Timestamp};

use crate::Diagnostic;
use crate::filter::moment_of;
use crate::parser::{Parser, shorten};

const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;

/// The range of times that a text names; reports when it is none.
pub(super) fn moment(p: &mut Parser<'_>, text: &str, span: &Range<usize>) -> Option<TimeRange> {
    let (anchor, math) = match text.split_once("||") {
        Some((anchor, math)) => (moment_of(p, anchor, span)?, math),
        None => match text.strip_prefix("now") {
            Some(math) => (TimeRange::new(p.now, p.now.saturating_add_ns(1)), math),
            None => return moment_of(p, text, span),
        },
    };
    let range = apply(anchor, math);
    if range.is_none() {
        let message = format!("cannot read `{}` as a time", shorten(text));
        let hint = "date math is written now-1h, now/d, now-1d/d or 2026-11-23||+1M; units are y M w d h m s";
        p.report(Diagnostic::error(span.clone(), message).hint(hint));
    }
    range
}

/// Applies `+1M`, `-2h` and `/d`, one after the other.
fn apply(anchor: TimeRange, math: &str) -> Option<TimeRange> {
    if math.is_empty() {
        return Some(anchor);
    }
    let mut time = anchor.start;
    let mut rounded = None;
    let mut rest = math;
    while let Some(operator) = rest.chars().next() {
        rest = &rest[operator.len_utf8()..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let number: i64 = match &rest[..digits] {
            "" => 1,
            digits => digits.parse().ok()?,
        };
        let unit = rest[digits..].chars().next()?;
        rest = &rest[digits + unit.len_utf8()..];
        match operator {
            '+' => time = shift(time, number, unit)?,
            '-' => time = shift(time, -number, unit)?,
            '/' if digits == 0 => {
                time = floor(time, unit)?;
                rounded = Some(unit);
                continue;
            }
            _ => return None,
        }
        rounded = None;
    }
    let end = match rounded {
        Some(unit) => shift(time, 1, unit)?,
        None => time.saturating_add_ns(1),
    };
    Some(TimeRange::new(time, end))
}

/// The length of a unit that has always the same one.
fn unit_ns(unit: char) -> Option<i64> {
    Some(match unit {
        'w' => 7 * DAY_NS,
        'd' => DAY_NS,
        'h' | 'H' => 3600 * SECOND_NS,
        'm' => 60 * SECOND_NS,
        's' => SECOND_NS,
        _ => return None,
    })
}

/// A time moved by so many units. A month later than the 31st of January is the last of February.
fn shift(time: Timestamp, number: i64, unit: char) -> Option<Timestamp> {
    let months = match unit {
        'y' => number.checked_mul(12)?,
        'M' => number,
        unit => return Some(time.saturating_add_ns(number.checked_mul(unit_ns(unit)?)?)),
    };
    let (year, month, day) = civil(time.0.div_euclid(DAY_NS));
    let month = year.checked_mul(12)?.checked_add(month - 1)?.checked_add(months)?;
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    let next = if month == 12 { days(year + 1, 1, 1) } else { days(year, month + 1, 1) };
    let last = next - days(year, month, 1);
    let ns = days(year, month, day.min(last)).checked_mul(DAY_NS)?.checked_add(time.0.rem_euclid(DAY_NS))?;
    Some(Timestamp(ns))
}

/// The start of the unit that a time is in; weeks start on Monday.
fn floor(time: Timestamp, unit: char) -> Option<Timestamp> {
    let day = time.0.div_euclid(DAY_NS);
    let (year, month, _) = civil(day);
    let start_of_day = match unit {
        'y' => days(year, 1, 1),
        'M' => days(year, month, 1),
        'w' => day - (day + 3).rem_euclid(7),
        unit => {
            let ns = unit_ns(unit)?;
            return Some(Timestamp(time.0.div_euclid(ns).checked_mul(ns)?));
        }
    };
    Some(Timestamp(start_of_day.checked_mul(DAY_NS)?))
}

/// Year, month and day of a day since 1970, in the proleptic Gregorian calendar. The years that nanoseconds reach, from 1677
/// to 2262, are far from where this could overflow.
fn civil(day: i64) -> (i64, i64, i64) {
    // Never later than the year: days before 1970 are divided by the shorter ones.
    let mut year = 1970 + day.div_euclid(if day < 0 { 365 } else { 366 });
    while days(year + 1, 1, 1) <= day {
        year += 1;
    }
    let mut month = 1;
    while month < 12 && days(year, month + 1, 1) <= day {
        month += 1;
    }
    (year, month, day - days(year, month, 1) + 1)
}

/// Days from 1970 to a date.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let leap_days = before.div_euclid(4) - before.div_euclid(100) + before.div_euclid(400);
    let is_leap = year.rem_euclid(4) == 0 && (year.rem_euclid(100) != 0 || year.rem_euclid(400) == 0);
    let of_months = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let index = usize::try_from(month - 1).unwrap_or(0).min(11);
    let leap_day = i64::from(is_leap && month > 2);
    // The days before 1970 by the same count: 719,162.
    before * 365 + leap_days - 719_162 + of_months[index] + leap_day + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_count_as_the_calendar_does() {
        let mut day = -107_000; // in the year 1677
        let (mut year, mut month, mut of_month) = civil(day);
        while day < 107_000 {
            assert_eq!(civil(day), (year, month, of_month));
            assert_eq!(days(year, month, of_month), day);
            let leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
            let length = match month {
                2 => 28 + i64::from(leap),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            day += 1;
            of_month += 1;
            if of_month > length {
                (month, of_month) = (month + 1, 1);
            }
            if month > 12 {
                (year, month) = (year + 1, 1);
            }
        }
        assert_eq!(civil(0), (1970, 1, 1));
        assert_eq!(days(2026, 11, 23), 20_780);
    }
}
