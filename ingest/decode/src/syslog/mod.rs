//! Syslog messages: RFC 5424, and RFC 3164 as devices really write it. The grammar is [`parse::syslog`]; here are bytes, limits, and
//! what becomes a built-in field.
//!
//! [`decode`] never fails on what a message says: what has no header it knows is a record whose body is the whole message, as
//! RFC 3164 (4.3.3) asks. Fields of a record: `service.name` (APP-NAME or tag), `host.name`, `process.pid` (an integer) or
//! `syslog.procid` (any other PROCID), `syslog.msgid`, `syslog.facility` and `syslog.facility_code`, `syslog.version` (RFC
//! 5424 only), a field `<SD-ID>.<PARAM-NAME>` for each parameter of structured data, and `raw_base64` when the message is
//! not UTF-8.

use model::{LogRecord, Row, Severity, Timestamp, Value, field};
use parse::syslog::{Message, read};

pub use parse::syslog::SyslogOptions;

use crate::{MESSAGE_BYTES_MAX, Reject, readable};

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
    match read(&text, received, options) {
        Ok(parsed) => Ok(into_record(parsed, raw_base64)),
        Err(nothing) => Err(Reject::new(nothing.to_string(), message)),
    }
}

/// The reject of a message that is larger than [`MESSAGE_BYTES_MAX`]; `start` is what is kept of its `bytes`.
pub fn oversize(start: &[u8], bytes: u64) -> Reject {
    let reason = format!("the message has {bytes} bytes, the limit is {MESSAGE_BYTES_MAX}");
    Reject { raw_bytes: bytes, ..Reject::new(reason, start) }
}

fn into_record(message: Message<'_>, raw_base64: Option<String>) -> LogRecord {
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
    if let Some(priority) = message.priority {
        add("syslog.facility", priority.facility_name().into());
        add("syslog.facility_code", i64::from(priority.facility).into());
        (_, record.severity_number) = Severity::from_syslog(priority.severity);
        record.severity_text = priority.severity_name().to_owned();
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
