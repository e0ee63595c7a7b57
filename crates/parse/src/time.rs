//! Timestamps as logs write them.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use model::Timestamp;

/// Reads RFC 3339, with up to nine digits of the second, and nothing else: a date alone is not a time of an event.
pub fn rfc3339(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() >= 20 && bytes[4] == b'-' && bytes[7] == b'-' && bytes[13] == b':';
    if !shaped || !matches!(bytes[10], b'T' | b't' | b' ') {
        return None;
    }
    let instant: jiff::Timestamp = text.parse().ok()?;
    i64::try_from(instant.as_nanosecond()).ok().map(Timestamp)
}

/// Reads a date and a time without a zone as that of a clock `utc_offset_s` east of UTC.
pub fn local(civil: DateTime, utc_offset_s: i32) -> Option<Timestamp> {
    let zone = TimeZone::fixed(Offset::from_seconds(utc_offset_s).ok()?);
    let instant = civil.to_zoned(zone).ok()?.timestamp();
    i64::try_from(instant.as_nanosecond()).ok().map(Timestamp)
}

/// Reads `2026-11-23 09:00:00` with `T` or a space, a fraction after `.` or `,`, and no zone.
pub fn local_iso(text: &str, utc_offset_s: i32) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() >= 19 && bytes[4] == b'-' && matches!(bytes[10], b'T' | b' ') && bytes[13] == b':';
    if !shaped {
        return None;
    }
    let civil: DateTime = text.replacen(',', ".", 1).parse().ok()?;
    local(civil, utc_offset_s)
}

/// Seconds east of UTC of `+02:00`, `-0700` or `Z`.
pub fn utc_offset(text: &str) -> Option<i32> {
    if matches!(text, "Z" | "UTC") {
        return Some(0);
    }
    let sign = match text.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let digits = text[1..].replacen(':', "", 1);
    let shaped = digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number: i32 = shaped.then(|| digits.parse().ok()).flatten()?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours <= 18 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// The number of a three-letter English month, in any case.
pub fn month(word: &str) -> Option<i8> {
    MONTHS.iter().position(|name| word.eq_ignore_ascii_case(name)).map(|at| at as i8 + 1)
}

/// How far in the future a timestamp without a year may lie before it is taken for last year's: clocks and zones differ.
const FUTURE_NS_MAX: i64 = 24 * 3600 * 1_000_000_000;

/// How many years back a date is looked for; eight, since two leap days lie that far apart around 2100.
const YEARS_BACK_MAX: i16 = 8;

/// Finds the year of a date that does not say it: the latest that is not more than a day after `received`.
pub fn without_year(month: i8, day: i8, time: Time, received: Timestamp, utc_offset_s: i32) -> Option<Timestamp> {
    let now = jiff::Timestamp::from_nanosecond(received.0.into()).ok()?.to_zoned(TimeZone::UTC);
    let latest = received.saturating_add_ns(FUTURE_NS_MAX);
    (0..=YEARS_BACK_MAX).find_map(|back| {
        let date = Date::new(now.year() + 1 - back, month, day).ok()?;
        local(date.to_datetime(time), utc_offset_s).filter(|at| *at <= latest)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        rfc3339(text).unwrap()
    }

    #[test]
    fn the_year_is_the_latest_that_is_not_in_the_future() {
        let time = Time::new(10, 0, 0, 0).unwrap();
        for (received, month, day, want) in [
            ("2026-11-23T09:00:00Z", 11, 23, "2026-11-23T10:00:00Z"),
            ("2026-11-23T09:00:00Z", 11, 25, "2025-11-25T10:00:00Z"),
            ("2027-01-01T00:00:30Z", 12, 31, "2026-12-31T10:00:00Z"),
            ("2026-12-31T23:00:00Z", 1, 1, "2027-01-01T10:00:00Z"),
            ("2026-11-23T09:00:00Z", 2, 29, "2024-02-29T10:00:00Z"),
        ] {
            assert_eq!(without_year(month, day, time, at(received), 0), Some(at(want)), "{received} {month} {day}");
        }
        assert_eq!(without_year(2, 30, time, at("2026-11-23T09:00:00Z"), 0), None);
        let east = without_year(11, 23, time, at("2026-11-23T09:00:00Z"), 2 * 3600);
        assert_eq!(east, Some(at("2026-11-23T08:00:00Z")));
    }

    #[test]
    fn only_whole_timestamps_are_read() {
        assert_eq!(rfc3339("1985-04-12T23:20:50.123456789Z").map(|t| t.0 % 1000), Some(789));
        assert_eq!(rfc3339("2003-08-24T05:14:15.000003-07:00"), Some(at("2003-08-24T12:14:15.000003Z")));
        for bad in ["2026-11-23", "2026-13-01T00:00:00Z", "20261123T090000Z", "x", "2026-11-23T09:00:00"] {
            assert_eq!(rfc3339(bad), None, "{bad}");
        }
        assert_eq!(local_iso("2026-11-23 09:00:00,250", 3600), Some(at("2026-11-23T08:00:00.25Z")));
    }
}
