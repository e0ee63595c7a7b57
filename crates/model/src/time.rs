//! Timestamps and ranges of time.

use std::fmt;

use jiff::tz::TimeZone;

/// Nanoseconds since the Unix epoch. Covers the years 1677 to 2262.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Timestamp(pub i64);

/// A time that could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read {text:?} as a time: give RFC 3339, Unix seconds, ms, us or ns, `now` or a relative time such as `-15m`"
)]
pub struct TimeError {
    /// What was given.
    pub text: String,
}

impl Timestamp {
    /// The time of a whole number of seconds.
    pub fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// The time of a whole number of milliseconds.
    pub fn from_millis(millis: i64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Milliseconds, rounded towards the past.
    pub fn millis(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Seconds with a fraction.
    pub fn secs_f64(self) -> f64 {
        self.0 as f64 / 1e9
    }

    /// The day it falls on, UTC, in days since the Unix epoch: the store's partition.
    pub fn day(self) -> i64 {
        self.0.div_euclid(86_400_000_000_000)
    }

    /// This time moved by some nanoseconds.
    pub fn saturating_add_ns(self, ns: i64) -> Self {
        Self(self.0.saturating_add(ns))
    }

    /// Reads what the native API and the command line accept: RFC 3339 (a date alone is its midnight UTC), a Unix time in
    /// seconds, milliseconds, microseconds or nanoseconds told apart by size, `now`, and a time relative to `now` such as
    /// `-15m` or `now-1h`.
    pub fn parse(text: &str, now: Timestamp) -> Result<Self, TimeError> {
        let error = || TimeError { text: text.to_owned() };
        let word = text.trim();
        if word == "now" {
            return Ok(now);
        }
        if let Some(number) = unix_number(word) {
            return Ok(number);
        }
        let relative = word.strip_prefix("now").unwrap_or(word);
        if let Some(rest) = relative.strip_prefix('-') {
            return parse_duration_ns(rest).map(|ns| now.saturating_add_ns(-ns)).ok_or_else(error);
        }
        if let Some(rest) = relative.strip_prefix('+') {
            return parse_duration_ns(rest).map(|ns| now.saturating_add_ns(ns)).ok_or_else(error);
        }
        parse_civil(word).ok_or_else(error)
    }
}

/// A Unix time, its unit told by its size: below 10^11 seconds, below 10^14 milliseconds, below 10^17 microseconds.
fn unix_number(word: &str) -> Option<Timestamp> {
    if let Ok(n) = word.parse::<i64>() {
        return Some(match n.unsigned_abs() {
            0..100_000_000_000 => Timestamp::from_secs(n),
            100_000_000_000..100_000_000_000_000 => Timestamp::from_millis(n),
            100_000_000_000_000..100_000_000_000_000_000 => Timestamp(n.saturating_mul(1_000)),
            _ => Timestamp(n),
        });
    }
    let number_like =
        word.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b)) && !word.get(1..)?.contains('-');
    let secs: f64 = number_like.then(|| word.parse().ok()).flatten()?;
    let whole_ns = Timestamp::from_secs(secs.trunc() as i64);
    secs.is_finite().then_some(whole_ns.saturating_add_ns((secs.fract() * 1e9).round() as i64))
}

fn parse_civil(word: &str) -> Option<Timestamp> {
    let ns = |t: jiff::Timestamp| i64::try_from(t.as_nanosecond()).ok().map(Timestamp);
    if let Ok(instant) = word.parse::<jiff::Timestamp>() {
        return ns(instant);
    }
    let civil: jiff::civil::DateTime = word.parse().ok()?;
    ns(civil.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

/// RFC 3339 in UTC with as many digits of the second as it needs.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(self.0.into()) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => write!(f, "{}ns", self.0),
        }
    }
}

/// Reads a duration of the query languages: `500ms`, `1h30m`, `1d`, `1.5h`; units ns, us, ms, s, m, h, d, w, y (365 days).
/// `None` for anything else, nothing included.
pub fn parse_duration_ns(text: &str) -> Option<i64> {
    let mut rest = text;
    let mut total = 0i64;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|at| *at > 0)?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let unit_len = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let unit_ns = match &rest[..unit_len] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            "d" => 86_400e9,
            "w" => 604_800e9,
            "y" => 31_536_000e9,
            _ => return None,
        };
        rest = &rest[unit_len..];
        total = total.checked_add((number * unit_ns).round() as i64)?;
    }
    (!text.is_empty()).then_some(total)
}

/// The times from `start` to before `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// First time inside.
    pub start: Timestamp,
    /// First time after.
    pub end: Timestamp,
}

impl TimeRange {
    /// All of time.
    pub const ALL: TimeRange = TimeRange { start: Timestamp(i64::MIN), end: Timestamp(i64::MAX) };

    /// The range from `start` to before `end`; empty when they are the wrong way round.
    pub fn new(start: Timestamp, end: Timestamp) -> Self {
        Self { start, end: end.max(start) }
    }

    /// Whether a time is inside.
    pub fn contains(&self, time: Timestamp) -> bool {
        self.start <= time && time < self.end
    }

    /// Whether some time between `min` and `max`, both included, is inside.
    pub fn overlaps(&self, min: Timestamp, max: Timestamp) -> bool {
        self.start <= max && min < self.end
    }

    /// The times in both ranges.
    pub fn intersect(&self, other: &TimeRange) -> TimeRange {
        TimeRange::new(self.start.max(other.start), self.end.min(other.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_in_every_accepted_form() {
        let now = Timestamp::from_secs(1_000_000);
        let cases = [
            ("now", 1_000_000_000_000_000),
            ("-15m", 999_100_000_000_000),
            ("now-1h30m", 994_600_000_000_000),
            ("2026-11-23T09:00:00Z", 1_795_424_400_000_000_000),
            ("2026-11-23T10:00:00.5+01:00", 1_795_424_400_500_000_000),
            ("2026-11-23", 1_795_392_000_000_000_000),
            ("1795424400", 1_795_424_400_000_000_000),
            ("1795424400.25", 1_795_424_400_250_000_000),
            ("1795424400123", 1_795_424_400_123_000_000),
            ("1795424400123456", 1_795_424_400_123_456_000),
            ("1795424400123456789", 1_795_424_400_123_456_789),
        ];
        for (text, want) in cases {
            assert_eq!(Timestamp::parse(text, now), Ok(Timestamp(want)), "{text}");
        }
        for text in ["", "soon", "-", "-5 parsecs", "2026-13-01"] {
            assert!(Timestamp::parse(text, now).is_err(), "{text}");
        }
    }

    #[test]
    fn durations_add_up() {
        assert_eq!(parse_duration_ns("1h30m"), Some(5_400_000_000_000));
        assert_eq!(parse_duration_ns("1.5s"), Some(1_500_000_000));
        assert_eq!(parse_duration_ns(""), None);
        assert_eq!(parse_duration_ns("5"), None);
        assert_eq!(parse_duration_ns("5x"), None);
    }

    #[test]
    fn display_is_rfc_3339() {
        assert_eq!(Timestamp(1_795_424_400_500_000_000).to_string(), "2026-11-23T09:00:00.5Z");
    }

    #[test]
    fn ranges_exclude_their_end() {
        let range = TimeRange::new(Timestamp(10), Timestamp(20));
        assert!(range.contains(Timestamp(10)) && !range.contains(Timestamp(20)));
        assert!(range.overlaps(Timestamp(0), Timestamp(10)) && !range.overlaps(Timestamp(20), Timestamp(30)));
    }
}
