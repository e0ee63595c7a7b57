//! Freeze windows: times in which nothing acts.

use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Timestamp as Instant, ToSpan as _};
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// A time in which nothing acts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "RawFreeze", into = "RawFreeze")]
pub struct Freeze {
    window: Window,
    raw: RawFreeze,
}

/// How a window is written.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct RawFreeze {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    days: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timezone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    end: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    except: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Window {
    Weekly { days: Vec<Weekday>, from: Time, to: Time, zone: TimeZone },
    Once { start: Timestamp, end: Timestamp },
}

/// A window that can not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}; {hint}")]
pub struct FreezeError {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl FreezeError {
    fn new(message: impl Into<String>, hint: &str) -> Self {
        Self { message: message.into(), hint: hint.to_owned() }
    }
}

/// A window that is open now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frozen {
    /// Why nothing is done, and until when.
    pub(crate) reason: String,
    /// Whose approval lifts it; nobody's when empty.
    pub(crate) except: Vec<String>,
}

/// The first window that is open. One that nobody's approval lifts comes first.
pub(crate) fn frozen<'a>(windows: impl IntoIterator<Item = &'a Freeze>, now: Timestamp) -> Option<Frozen> {
    let mut open: Vec<Frozen> = windows.into_iter().filter_map(|window| window.open_at(now)).collect();
    open.sort_by_key(|frozen| !frozen.except.is_empty());
    open.into_iter().next()
}

impl Freeze {
    /// Reads a window: `{days: [sat, sun], from: "22:00", to: "06:00", timezone: Europe/Berlin, except: [role], reason: ...}` or
    /// `{start: TIME, end: TIME, except: [role], reason: ...}`.
    pub fn read(json: &Json) -> Result<Freeze, FreezeError> {
        let raw: RawFreeze = serde_json::from_value(json.clone()).map_err(|error| {
            let hint = "write {days: [sat], from: \"22:00\", to: \"06:00\", timezone: UTC} or {start: ..., end: ...}";
            FreezeError::new(format!("the freeze window can not be read: {error}"), hint)
        })?;
        Freeze::try_from(raw)
    }

    fn open_at(&self, now: Timestamp) -> Option<Frozen> {
        let until = match &self.window {
            Window::Once { start, end } => (*start <= now && now < *end).then(|| end.to_string()),
            Window::Weekly { days, from, to, zone } => weekly_until(days, *from, *to, zone, now),
        }?;
        let why = self.raw.reason.as_deref().map_or(String::new(), |reason| format!(" ({reason})"));
        Some(Frozen { reason: format!("frozen until {until}{why}"), except: self.raw.except.clone() })
    }
}

/// When a weekly window that is open now ends. It begins on its days and may run into the next one; without times it is the whole
/// day. It is reckoned on the clock of its zone, so that it begins at the same hour in summer and in winter.
fn weekly_until(days: &[Weekday], from: Time, to: Time, zone: &TimeZone, now: Timestamp) -> Option<String> {
    let Ok(instant) = Instant::from_nanosecond(i128::from(now.0)) else {
        // A time that no calendar has is not one to act at.
        return Some("the clock shows a sensible time".to_owned());
    };
    let local = instant.to_zoned(zone.clone()).datetime();
    for ago in [0, 1] {
        let Ok(date) = local.date().checked_sub(ago.days()) else { continue };
        if !days.contains(&date.weekday()) {
            continue;
        }
        let last_day = if to <= from { date.checked_add(1.day()) } else { Ok(date) };
        let Ok(last_day) = last_day else { continue };
        let (start, end) = (date.to_datetime(from), last_day.to_datetime(to));
        if start <= local && local < end {
            let name = zone.iana_name().unwrap_or("UTC");
            return Some(format!("{} {name}", end.strftime("%a %Y-%m-%d %H:%M")));
        }
    }
    None
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl TryFrom<RawFreeze> for Freeze {
    type Error = FreezeError;

    fn try_from(raw: RawFreeze) -> Result<Self, FreezeError> {
        let window = match (&raw.start, &raw.end) {
            (Some(start), Some(end)) => once(&raw, start, end)?,
            (None, None) => weekly(&raw)?,
            _ => {
                let hint = "a window that never ends is the kill switch: `backstop kill on`";
                return Err(FreezeError::new("a freeze window has only one of start and end", hint));
            }
        };
        Ok(Freeze { window, raw })
    }
}

impl From<Freeze> for RawFreeze {
    fn from(freeze: Freeze) -> Self {
        freeze.raw
    }
}

fn once(raw: &RawFreeze, start: &str, end: &str) -> Result<Window, FreezeError> {
    if !raw.days.is_empty() || raw.from.is_some() || raw.to.is_some() || raw.timezone.is_some() {
        let hint = "give start and end, or days, from, to and timezone";
        return Err(FreezeError::new("a freeze window is both weekly and once", hint));
    }
    let time = |text: &str| {
        let parsed = text.parse::<Instant>().ok().and_then(|time| i64::try_from(time.as_nanosecond()).ok());
        let hint = "write it with its offset, such as 2026-12-24T12:00:00+01:00";
        parsed.map(Timestamp).ok_or_else(|| FreezeError::new(format!("{text:?} is not a time"), hint))
    };
    let (start, end) = (time(start)?, time(end)?);
    if end <= start {
        return Err(FreezeError::new("the freeze window ends before it begins", "swap start and end"));
    }
    Ok(Window::Once { start, end })
}

fn weekly(raw: &RawFreeze) -> Result<Window, FreezeError> {
    let days: Result<Vec<Weekday>, FreezeError> = raw.days.iter().map(|day| weekday(day)).collect();
    let mut days = days?;
    if days.is_empty() {
        days = DAYS.map(|(_, day)| day).to_vec();
    }
    let name = raw.timezone.as_deref().unwrap_or("UTC");
    let zone = TimeZone::get(name).map_err(|_| {
        let hint = "write a name of the time zone database that this machine has, such as Europe/Berlin";
        FreezeError::new(format!("there is no time zone {name:?} here"), hint)
    })?;
    let (from, to) = match (&raw.from, &raw.to) {
        (None, None) if raw.days.is_empty() => {
            let hint = "give days, times, or start and end; to stop everything use `backstop kill on`";
            return Err(FreezeError::new("a freeze window without days and times is always open", hint));
        }
        (None, None) => (Time::midnight(), Time::midnight()),
        (from, to) => (
            from.as_deref().map_or(Ok(Time::midnight()), clock_time)?,
            to.as_deref().map_or(Ok(Time::midnight()), clock_time)?,
        ),
    };
    Ok(Window::Weekly { days, from, to, zone })
}

fn weekday(word: &str) -> Result<Weekday, FreezeError> {
    let known = DAYS.iter().find(|(name, _)| word.to_ascii_lowercase().starts_with(name) && word.len() <= 9);
    let hint = "the days are mon, tue, wed, thu, fri, sat and sun";
    known.map(|(_, day)| *day).ok_or_else(|| FreezeError::new(format!("there is no day {word:?}"), hint))
}

fn clock_time(text: &str) -> Result<Time, FreezeError> {
    let parsed = if text == "24:00" { Ok(Time::midnight()) } else { Time::strptime("%H:%M", text) };
    parsed.map_err(|_| FreezeError::new(format!("{text:?} is not a time of day"), "write it as \"22:00\""))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(window: Json, now: &str, want: Expect) {
        let now = Timestamp(i64::try_from(now.parse::<Instant>().expect("time").as_nanosecond()).expect("in range"));
        let said = match Freeze::read(&window) {
            Err(error) => error.to_string(),
            Ok(freeze) => match frozen([&freeze], now) {
                Some(Frozen { reason, except }) if except.is_empty() => reason,
                Some(Frozen { reason, except }) => format!("{reason}, except {except:?}"),
                None => "open".to_owned(),
            },
        };
        want.assert_eq(&said);
    }

    #[test]
    fn windows_open_and_close_on_the_clock_of_their_zone() {
        let night = || json!({"days": ["fri"], "from": "22:00", "to": "06:00", "timezone": "Europe/Berlin"});
        // 21:30, 22:30 and, on the next day, 05:59 and 06:00 in Berlin in winter.
        check(night(), "2026-11-27T20:30:00Z", expect!["open"]);
        check(night(), "2026-11-27T21:30:00Z", expect!["frozen until Sat 2026-11-28 06:00 Europe/Berlin"]);
        check(night(), "2026-11-28T04:59:00Z", expect!["frozen until Sat 2026-11-28 06:00 Europe/Berlin"]);
        check(night(), "2026-11-28T05:00:00Z", expect!["open"]);
        // The same hour in summer is another instant.
        check(night(), "2026-07-03T20:00:00Z", expect!["frozen until Sat 2026-07-04 06:00 Europe/Berlin"]);
        let weekend = json!({"days": ["sat", "sunday"], "except": ["sre"], "reason": "nobody is here"});
        check(
            weekend,
            "2026-11-29T23:59:59Z",
            expect![[r#"frozen until Mon 2026-11-30 00:00 UTC (nobody is here), except ["sre"]"#]],
        );
        let once =
            || json!({"start": "2026-12-24T12:00:00+01:00", "end": "2026-12-27T00:00:00Z", "reason": "holidays"});
        check(once(), "2026-12-24T10:59:59Z", expect!["open"]);
        check(once(), "2026-12-24T11:00:00Z", expect!["frozen until 2026-12-27T00:00:00Z (holidays)"]);
    }

    #[test]
    fn what_is_no_window_is_an_error() {
        let now = "2026-11-27T20:30:00Z";
        check(
            json!({}),
            now,
            expect![
                "a freeze window without days and times is always open; give days, times, or start and end; to stop everything use `backstop kill on`"
            ],
        );
        check(
            json!({"days": ["someday"]}),
            now,
            expect![[r#"there is no day "someday"; the days are mon, tue, wed, thu, fri, sat and sun"#]],
        );
        check(
            json!({"days": ["sat"], "from": "25:00"}),
            now,
            expect![[r#""25:00" is not a time of day; write it as "22:00""#]],
        );
        check(
            json!({"days": ["sat"], "timezone": "Mars/Olympus"}),
            now,
            expect![[
                r#"there is no time zone "Mars/Olympus" here; write a name of the time zone database that this machine has, such as Europe/Berlin"#
            ]],
        );
        check(
            json!({"start": "2026-12-24T12:00:00Z"}),
            now,
            expect![
                "a freeze window has only one of start and end; a window that never ends is the kill switch: `backstop kill on`"
            ],
        );
    }
}
