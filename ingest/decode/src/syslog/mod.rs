//! Syslog messages: RFC 5424, and RFC 3164 as devices really write it.
//!
//! [`decode`] never fails on what a message says: what has no header it knows is a record whose body is the whole message, as
//! RFC 3164 (4.3.3) asks. Fields of a record: `service.name` (APP-NAME or tag), `host.name`, `process.pid` (an integer) or
//! `syslog.procid` (any other PROCID), `syslog.msgid`, `syslog.facility` and `syslog.facility_code`, `syslog.version` (RFC
//! 5424 only), a field `<SD-ID>.<PARAM-NAME>` for each parameter of structured data, and `raw_base64` when the message is
//! not UTF-8.

mod rfc3164;
mod rfc5424;

use model::{Attributes, LogRecord, Row, Severity, Timestamp, Value, field};
use nom::Parser as _;
use nom::bytes::complete::take_while_m_n;
use nom::character::complete::char;
use nom::sequence::delimited;

use crate::{MESSAGE_BYTES_MAX, Reject, readable};

/// A parser of this module: text in, the rest and a value out.
type Parsed<'a, T> = nom::IResult<&'a str, T>;

/// What a syslog message does not say about itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyslogOptions {
    /// Seconds east of UTC of the senders' clocks, for timestamps that carry no zone. Zero means UTC.
    pub utc_offset_s: i32,
}

/// The parts of a message, whichever RFC it follows.
#[derive(Debug, Default, PartialEq)]
struct Message<'a> {
    version: Option<i64>,
    time: Option<Timestamp>,
    host: Option<&'a str>,
    app: Option<&'a str>,
    procid: Option<&'a str>,
    msgid: Option<&'a str>,
    /// Fields of structured data, and of dialects that have more to say.
    attributes: Attributes,
    body: &'a str,
}

/// The keywords of RFC 5424's table 1, by number, as syslog.conf writes them.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// The keywords of RFC 5424's table 2, by number.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// Decodes one message, without its framing. Only an empty and an oversize one are rejected.
pub fn decode(message: &[u8], received: Timestamp, options: &SyslogOptions) -> Result<Row, Reject> {
    decode_record(message, received, options).map(|record| record.into_row(received))
}

/// [`decode`], before the record is flattened.
pub(crate) fn decode_record(message: &[u8], received: Timestamp, options: &SyslogOptions) -> Result<LogRecord, Reject> {
    if message.len() > MESSAGE_BYTES_MAX {
        return Err(oversize(message, message.len() as u64));
    }
    let message = message.trim_ascii_end_nul();
    let (text, raw_base64) = readable(message);
    let (rest, priority) = match priority(&text) {
        Ok((rest, priority)) => (rest, Some(priority)),
        Err(_) => (&*text, None),
    };
    if rest.trim().is_empty() {
        let reason = if priority.is_some() { "nothing after the priority" } else { "the message is empty" };
        return Err(Reject::new(reason, message));
    }
    let parsed = match rfc5424::message(rest) {
        Ok((_, parsed)) => parsed,
        Err(_) => rfc3164::message(rest, received, options, priority.is_some()),
    };
    Ok(into_record(parsed, priority, raw_base64))
}

/// Whether a line looks like syslog: a priority, or a timestamp with a host and a tag behind it.
pub(crate) fn is_syslog(line: &str) -> bool {
    if let Ok((rest, _)) = priority(line) {
        return !rest.trim().is_empty();
    }
    let parsed = rfc3164::message(line, Timestamp(i64::MAX / 2), &SyslogOptions::default(), false);
    parsed.time.is_some() && parsed.host.is_some() && parsed.app.is_some()
}

/// The reject of a message that is larger than [`MESSAGE_BYTES_MAX`]; `start` is what is kept of its `bytes`.
pub fn oversize(start: &[u8], bytes: u64) -> Reject {
    let reason = format!("the message has {bytes} bytes, the limit is {MESSAGE_BYTES_MAX}");
    Reject { raw_bytes: bytes, ..Reject::new(reason, start) }
}

/// `<PRI>`: facility and severity. RFC 5424 forbids leading zeros; real senders do not know that.
fn priority(text: &str) -> Parsed<'_, (u8, u8)> {
    let digits = take_while_m_n(1, 3, |c: char| c.is_ascii_digit());
    delimited(char('<'), digits, char('>'))
        .map_opt(|digits: &str| digits.parse::<u8>().ok().filter(|value| *value < 192))
        .map(|value| (value / 8, value % 8))
        .parse(text)
}

fn into_record(message: Message<'_>, priority: Option<(u8, u8)>, raw_base64: Option<String>) -> LogRecord {
    let body = if message.body.is_empty() { Value::Null } else { message.body.into() };
    let mut record = LogRecord { time: message.time, body, ..LogRecord::default() };
    for (name, value) in [(field::HOST_NAME, message.host), (field::SERVICE_NAME, message.app)] {
        if let Some(value) = value {
            record.resource.push((name.to_owned(), value.into()));
        }
    }
    let attributes = &mut record.attributes;
    let mut add = |name: &str, value: Value| attributes.push((name.to_owned(), value));
    match message.procid.map(|procid| (procid, procid.parse::<i64>())) {
        Some((_, Ok(pid))) if pid >= 0 => add("process.pid", pid.into()),
        Some((procid, _)) => add("syslog.procid", procid.into()),
        None => {}
    }
    if let Some(msgid) = message.msgid {
        add("syslog.msgid", msgid.into());
    }
    if let Some((facility, severity)) = priority {
        add("syslog.facility", FACILITIES[usize::from(facility)].into());
        add("syslog.facility_code", i64::from(facility).into());
        (_, record.severity_number) = Severity::from_syslog(severity);
        record.severity_text = SEVERITIES[usize::from(severity)].to_owned();
    }
    if let Some(version) = message.version {
        record.attributes.push(("syslog.version".to_owned(), version.into()));
    }
    record.attributes.extend(message.attributes);
    if let Some(raw_base64) = raw_base64 {
        record.attributes.push(("raw_base64".to_owned(), raw_base64.into()));
    }
    record
}

/// Trims what senders put behind a message: newlines and C's NUL.
trait TrimEnd {
    fn trim_ascii_end_nul(&self) -> &Self;
}

impl TrimEnd for [u8] {
    fn trim_ascii_end_nul(&self) -> &[u8] {
        let end = self.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
        &self[..end]
    }
}

#[cfg(test)]
mod tests;
