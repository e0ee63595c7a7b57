//! JSON lines: an object a line, as log libraries and cloud tools write them.
//!
//! The first of each group of well-known names that is there, and of the right kind, becomes the built-in field and leaves the
//! attributes; everything else stays under its own name, nested objects dotted.

use model::{LogRecord, Severity, SpanId, Timestamp, TraceId, Value, field};
use parse::time;

use crate::Reject;

const TIME_KEYS: [&str; 10] =
    ["_time", "time", "timestamp", "ts", "@timestamp", "datetime", "eventTime", "asctime", "date", "t"];
const LEVEL_KEYS: [&str; 8] =
    ["severity", "level", "lvl", "loglevel", "log_level", "log.level", "levelname", "severity_text"];
const BODY_KEYS: [&str; 6] = ["body", "msg", "message", "log", "MESSAGE", "text"];
const TRACE_KEYS: [&str; 5] = ["trace_id", "traceId", "traceid", "trace.id", "TraceId"];
const SPAN_KEYS: [&str; 5] = ["span_id", "spanId", "spanid", "span.id", "SpanId"];
const SERVICE_KEYS: [&str; 3] = ["service.name", "service", "service_name"];
const HOST_KEYS: [&str; 3] = ["host.name", "hostname", "host"];

/// Reads one line; anything but an object is a reject.
pub(crate) fn parse(line: &str, utc_offset_s: i32) -> Result<LogRecord, Reject> {
    let json: serde_json::Value = serde_json::from_str(line)
        .map_err(|error| Reject::new(format!("the line is not JSON: {error}"), line.as_bytes()))?;
    match Value::from(json) {
        Value::Map(entries) => Ok(from_entries(entries, utc_offset_s)),
        _ => Err(Reject::new("the line is JSON, but not an object", line.as_bytes())),
    }
}

/// Makes a record of named values; logfmt uses it too.
pub(crate) fn from_entries(mut entries: Vec<(String, Value)>, utc_offset_s: i32) -> LogRecord {
    let time = take(&mut entries, &TIME_KEYS, |value| time_of(value, utc_offset_s));
    let mut record = LogRecord { time, ..LogRecord::default() };
    if let Some((number, text)) = take(&mut entries, &LEVEL_KEYS, level_of) {
        (record.severity_number, record.severity_text) = (number, text);
    }
    record.trace_id = take(&mut entries, &TRACE_KEYS, |value| TraceId::from_hex(&value.text()));
    record.span_id = take(&mut entries, &SPAN_KEYS, |value| SpanId::from_hex(&value.text()));
    if let Some(body) = take(&mut entries, &BODY_KEYS, text_of) {
        record.body = body.into();
    }
    for (name, keys) in [(field::SERVICE_NAME, &SERVICE_KEYS), (field::HOST_NAME, &HOST_KEYS)] {
        if let Some(text) = take(&mut entries, keys, text_of) {
            record.attributes.push((name.to_owned(), text.into()));
        }
    }
    record.attributes.extend(entries);
    record
}

/// Removes and returns the first of `keys` whose value `read` understands.
fn take<T>(entries: &mut Vec<(String, Value)>, keys: &[&str], read: impl Fn(&Value) -> Option<T>) -> Option<T> {
    for key in keys {
        let Some(at) = entries.iter().position(|(name, _)| name == key) else { continue };
        if let Some(found) = read(&entries[at].1) {
            entries.remove(at);
            return Some(found);
        }
    }
    None
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Str(text) => Some(text.clone()),
        _ => None,
    }
}

fn time_of(value: &Value, utc_offset_s: i32) -> Option<Timestamp> {
    match value {
        Value::Int(_) | Value::Double(_) => {
            let at = Timestamp::parse(&value.text(), Timestamp(0)).ok()?;
            // Small numbers are durations and counters, not times.
            (at >= PLAUSIBLE_TIME_MIN).then_some(at)
        }
        Value::Str(text) => time::rfc3339(text).or_else(|| time::local_iso(text, utc_offset_s)).or_else(|| {
            let at = text.parse::<f64>().ok().and_then(|_| Timestamp::parse(text, Timestamp(0)).ok())?;
            (at >= PLAUSIBLE_TIME_MIN).then_some(at)
        }),
        _ => None,
    }
}

/// The year 1990: an earlier Unix time in a log is some other number.
const PLAUSIBLE_TIME_MIN: Timestamp = Timestamp(631_152_000_000_000_000);

/// The severity number and the source's word. Bunyan's and pino's numbers are 10 (trace) to 60 (fatal).
fn level_of(value: &Value) -> Option<(u8, String)> {
    match value {
        Value::Str(text) if !text.is_empty() => {
            Some((Severity::from_text(text).map_or(0, Severity::number), text.clone()))
        }
        Value::Int(number @ 10..=69) => {
            let severity = Severity::ALL[*number as usize / 10 - 1];
            Some((severity.number(), number.to_string()))
        }
        _ => None,
    }
}
