//! Functions of times. A time is kept to the nanosecond. A text in RFC 3339 counts as a time, and so does a Unix time in
//! seconds, milliseconds, microseconds or nanoseconds, told apart by its size. Zones are `UTC` unless given.

use crate::expr::function::ScalarFunction::*;
use crate::expr::function::{FunctionSpec, Kind, Param, maybe, one};

const TIME: Param = one("time", Kind::Time);
const ZONE: Param = maybe("zone", Kind::Zone);

pub(in crate::expr) const FUNCTIONS: &[FunctionSpec] = &[
    FunctionSpec::new(Now, "now", Kind::Time, "When the query was asked.")
        .doc("The same for every row.")
        .examples(&[("now()", "2026-11-23T09:00:00Z"), ("now() - 1h", "2026-11-23T08:00:00Z")]),
    FunctionSpec::new(ToTime, "to_time", Kind::Time, "The time that a text or a number says; missing when it says none.")
        .also(&["to_timestamp", "to_datetime", "todatetime", "strptime"])
        .takes(&[one("value", Kind::Any), maybe("format", Kind::TimeFormat), ZONE])
        .doc("Without a format: RFC 3339, a date, or a Unix time in seconds, milliseconds, microseconds or nanoseconds, told \
              apart by its size. With one: as `strptime` reads it. A text without a zone of its own is read in `zone`.")
        .examples(&[
            ("to_time(1795424400)", "2026-11-23T09:00:00Z"),
            (r#"to_time("23/Nov/2026:10:00:00 +0100", "%d/%b/%Y:%H:%M:%S %z")"#, "2026-11-23T09:00:00Z"),
            (r#"to_time("2026-11-23 10:00", "%Y-%m-%d %H:%M", "Europe/Berlin")"#, "2026-11-23T09:00:00Z"),
        ]),
    FunctionSpec::new(FormatTime, "format_time", Kind::Text, "A time as text in the format of `strftime`.")
        .also(&["strftime", "date_format", "format_datetime"])
        .takes(&[TIME, one("format", Kind::TimeFormat), ZONE])
        .examples(&[
            (r#"format_time(now(), "%Y-%m-%d %H:%M")"#, "2026-11-23 09:00"),
            (r#"format_time(now(), "%H:%M %Z", "Asia/Tokyo")"#, "18:00 JST"),
        ]),
    FunctionSpec::new(TimeBin, "time_bin", Kind::Time, "The start of the step that a time falls in.")
        .also(&["time_bucket", "date_bin", "time_slice"])
        .takes(&[TIME, one("step", Kind::Duration)])
        .doc("Steps start at multiples of their length since 1970, as in `stats by (_time:5m)`.")
        .examples(&[(r#"time_bin(to_time("2026-11-23T09:07:31Z"), 5m)"#, "2026-11-23T09:05:00Z")]),
    FunctionSpec::new(Year, "year", Kind::Integer, "The year of a time.").takes(&[TIME, ZONE]).examples(&[("year(now())", "2026")]),
    FunctionSpec::new(Month, "month", Kind::Integer, "The month of a time, 1 to 12.")
        .takes(&[TIME, ZONE])
        .examples(&[("month(now())", "11")]),
    FunctionSpec::new(Day, "day", Kind::Integer, "The day of the month, 1 to 31.")
        .takes(&[TIME, ZONE])
        .examples(&[("day(now())", "23")]),
    FunctionSpec::new(Hour, "hour", Kind::Integer, "The hour of a time, 0 to 23.")
        .takes(&[TIME, ZONE])
        .examples(&[("hour(now())", "9"), (r#"hour(now(), "America/New_York")"#, "4")]),
    FunctionSpec::new(Minute, "minute", Kind::Integer, "The minute of a time, 0 to 59.")
        .takes(&[TIME, ZONE])
        .examples(&[("minute(now())", "0")]),
    FunctionSpec::new(Second, "second", Kind::Integer, "The second of a time, 0 to 59.")
        .takes(&[TIME, ZONE])
        .examples(&[("second(now())", "0")]),
    FunctionSpec::new(DayOfWeek, "day_of_week", Kind::Integer, "The day of the week, 1 for Monday to 7 for Sunday.")
        .also(&["dayofweek"])
        .takes(&[TIME, ZONE])
        .examples(&[("day_of_week(now())", "1")]),
    FunctionSpec::new(DayOfYear, "day_of_year", Kind::Integer, "The day of the year, 1 to 366.")
        .also(&["dayofyear"])
        .takes(&[TIME, ZONE])
        .examples(&[("day_of_year(now())", "327")]),
    FunctionSpec::new(Unix, "unix", Kind::Number, "The Unix time in seconds, with a fraction when there is one.")
        .also(&["to_unix", "unix_timestamp", "epoch"])
        .takes(&[TIME])
        .examples(&[("unix(now())", "1795424400")]),
    FunctionSpec::new(UnixMillis, "unix_ms", Kind::Integer, "The Unix time in milliseconds.")
        .also(&["to_unix_ms"])
        .takes(&[TIME])
        .examples(&[("unix_ms(now())", "1795424400000")]),
    FunctionSpec::new(Age, "age", Kind::Duration, "How long ago a time was when the query was asked.")
        .takes(&[TIME])
        .doc("`where expr(age(started_at) < 1h)`")
        .examples(&[(r#"format_duration(age(to_time("2026-11-23T08:30:00Z")))"#, "30m")]),
];
