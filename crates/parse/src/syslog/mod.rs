//! Syslog messages as text: RFC 5424, and RFC 3164 as devices really write it.

mod rfc3164;
mod rfc5424;

use model::{Attributes, Severity, Timestamp};
use nom::Parser as _;
use nom::bytes::complete::take_while_m_n;
use nom::character::complete::char;
use nom::sequence::delimited;

use crate::sink::Sink;
use crate::{NotMatched, Value};

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
pub struct Message<'a> {
    /// Where it says so, at its beginning.
    pub priority: Option<Priority>,
    /// RFC 5424's version.
    pub version: Option<i64>,
    /// TIMESTAMP.
    pub time: Option<Timestamp>,
    /// HOSTNAME.
    pub host: Option<&'a str>,
    /// APP-NAME, or the tag.
    pub app: Option<&'a str>,
    /// PROCID, or what is between the tag's brackets.
    pub procid: Option<&'a str>,
    /// MSGID, or a Cisco mnemonic.
    pub msgid: Option<&'a str>,
    /// Fields of structured data, and of dialects that have more to say.
    pub attributes: Attributes,
    /// The text.
    pub body: &'a str,
}

/// Facility and severity of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// 0 (kern) to 23 (local7).
    pub facility: u8,
    /// 0 (emergency) to 7 (debug).
    pub severity: u8,
}

impl Priority {
    /// The facility as syslog.conf writes it.
    pub fn facility_name(self) -> &'static str {
        FACILITIES[usize::from(self.facility) % FACILITIES.len()]
    }

    /// The severity as syslog.conf writes it.
    pub fn severity_name(self) -> &'static str {
        SEVERITIES[usize::from(self.severity) % SEVERITIES.len()]
    }
}

/// The keywords of RFC 5424's table 1, by number, as syslog.conf writes them.
const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp",
    "audit", "alert", "clock", "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];

/// The keywords of RFC 5424's table 2, by number.
const SEVERITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// A message that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Nothing {
    /// Not even a priority.
    #[error("the message is empty")]
    Empty,
    /// A priority and no more.
    #[error("nothing after the priority")]
    OnlyPriority,
}

/// Reads one message, without its framing. What has no header that is known is a message whose body is the whole text, as RFC
/// 3164 (4.3.3) asks. `received` tells the year where the message does not.
pub fn read<'a>(text: &'a str, received: Timestamp, options: &SyslogOptions) -> Result<Message<'a>, Nothing> {
    let (rest, priority) = match priority(text) {
        Ok((rest, priority)) => (rest, Some(priority)),
        Err(_) => (text, None),
    };
    if rest.trim().is_empty() {
        return Err(if priority.is_some() { Nothing::OnlyPriority } else { Nothing::Empty });
    }
    let message = match rfc5424::message(rest) {
        Ok((_, message)) => message,
        Err(_) => rfc3164::message(rest, received, options, priority.is_some()),
    };
    Ok(Message { priority, ..message })
}

/// Whether a line looks like syslog: a priority, or a timestamp with a host and a tag behind it.
pub fn is_syslog(line: &str) -> bool {
    if let Ok((rest, _)) = priority(line) {
        return !rest.trim().is_empty();
    }
    let parsed = rfc3164::message(line, Timestamp(i64::MAX / 2), &SyslogOptions::default(), false);
    parsed.time.is_some() && parsed.host.is_some() && parsed.app.is_some()
}

/// `<PRI>`: facility and severity. RFC 5424 forbids leading zeros; real senders do not know that.
fn priority(text: &str) -> Parsed<'_, Priority> {
    let digits = take_while_m_n(1, 3, |c: char| c.is_ascii_digit());
    delimited(char('<'), digits, char('>'))
        .map_opt(|digits: &str| digits.parse::<u8>().ok().filter(|value| *value < 192))
        .map(|value| Priority { facility: value / 8, severity: value % 8 })
        .parse(text)
}

/// The fields of a message, under the names that the syslog listener gives them; its time is `timestamp`, its text `message`. A
/// text without a priority must have the time of RFC 3164, or another time with a host and a tag: most logs begin with a time.
pub(crate) fn extract(
    text: &str,
    at: Timestamp,
    options: &SyslogOptions,
    sink: &mut Sink<'_>,
) -> Result<(), NotMatched> {
    let text = text.trim_end_matches(['\n', '\r', '\0']);
    let message = read(text, at, options).map_err(|nothing| NotMatched(nothing.to_string().into()))?;
    let bsd_time = message.time.is_some() && text.starts_with(|c: char| c.is_ascii_alphabetic());
    let known = message.time.is_some() && message.host.is_some() && message.app.is_some();
    if message.priority.is_none() && !bsd_time && !known {
        return Err(NotMatched::because("not syslog: no priority, and no time with a host and a tag"));
    }
    if let Some(time) = message.time {
        sink.put("timestamp", Value::Time(time))?;
    }
    if let Some(priority) = message.priority {
        let (severity, number) = Severity::from_syslog(priority.severity);
        sink.put("severity", Value::str(severity.as_str()))?;
        sink.put("severity_number", Value::Int(number.into()))?;
        sink.put("severity_text", Value::str(priority.severity_name()))?;
        sink.put("syslog.facility", Value::str(priority.facility_name()))?;
        sink.put("syslog.facility_code", Value::Int(priority.facility.into()))?;
    }
    let words = [(model::field::HOST_NAME, message.host), (model::field::SERVICE_NAME, message.app)];
    for (name, word) in words.into_iter().filter_map(|(name, word)| Some((name, word?))) {
        sink.put(name, Value::str(word))?;
    }
    match message.procid.map(|procid| (procid, procid.parse::<i64>())) {
        Some((_, Ok(pid))) if pid >= 0 => sink.put("process.pid", Value::Int(pid))?,
        Some((procid, _)) => sink.put("syslog.procid", Value::str(procid))?,
        None => {}
    }
    if let Some(msgid) = message.msgid {
        sink.put("syslog.msgid", Value::str(msgid))?;
    }
    if let Some(version) = message.version {
        sink.put("syslog.version", Value::Int(version))?;
    }
    for (name, value) in message.attributes {
        sink.put(&name, value.into())?;
    }
    sink.put("message", Value::str(message.body))
}
