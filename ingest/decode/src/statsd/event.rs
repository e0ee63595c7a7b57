//! DogStatsD's events, `_e{title bytes,text bytes}:title|text|...`, and service checks, `_sc|name|status|...`, as log records.

use model::{Attributes, LogRecord, Row, Severity, Timestamp};

use super::parse::tags;

/// Reads an event or a service check; nothing when the line is neither.
pub(super) fn read(line: &str, received: Timestamp) -> Option<Result<Row, String>> {
    if let Some(rest) = line.strip_prefix("_e{") {
        return Some(event(rest, received));
    }
    line.strip_prefix("_sc|").map(|rest| check(rest, received))
}

fn event(rest: &str, received: Timestamp) -> Result<Row, String> {
    let fault = || "an event is written _e{title bytes,text bytes}:title|text".to_owned();
    let (lengths, rest) = rest.split_once("}:").ok_or_else(fault)?;
    let (title_bytes, text_bytes) = lengths.split_once(',').ok_or_else(fault)?;
    let length = |text: &str| text.trim().parse::<usize>().ok();
    let (title_bytes, text_bytes) = length(title_bytes).zip(length(text_bytes)).ok_or_else(fault)?;
    let off = || format!("the event's title and text do not have {title_bytes} and {text_bytes} bytes");
    let (title, rest) = split_at(rest, title_bytes).ok_or_else(off)?;
    let (text, rest) = split_at(rest.strip_prefix('|').ok_or_else(off)?, text_bytes).ok_or_else(off)?;
    let extras = match rest.strip_prefix('|') {
        Some(extras) => extras,
        None if rest.is_empty() => "",
        None => return Err(off()),
    };
    let (title, text) = (unescape(title), unescape(text));
    let body = if text.is_empty() { title.clone() } else { format!("{title}\n{text}") };
    let mut record = Record::new("dogstatsd.event", body);
    record.set("event.title", &title);
    for extra in extras.split('|').filter(|extra| !extra.is_empty()) {
        match extra.split_once(':') {
            Some(("k", key)) => record.set("event.aggregation_key", key),
            Some(("p", priority)) => record.set("event.priority", priority),
            Some(("s", source)) => record.set("event.source", source),
            Some(("t", kind)) => {
                record.set("event.alert_type", kind);
                record.severity = match kind {
                    "error" => Severity::Error,
                    "warning" => Severity::Warn,
                    _ => Severity::Info,
                };
            }
            _ => record.extra(extra)?,
        }
    }
    Ok(record.into_row(received))
}

fn check(rest: &str, received: Timestamp) -> Result<Row, String> {
    let mut parts = rest.split('|');
    let (Some(name), Some(status)) = (parts.next().filter(|name| !name.is_empty()), parts.next()) else {
        return Err("a service check is written _sc|name|status".to_owned());
    };
    let (word, severity) = match status {
        "0" => ("ok", Severity::Info),
        "1" => ("warning", Severity::Warn),
        "2" => ("critical", Severity::Error),
        "3" => ("unknown", Severity::Warn),
        _ => return Err(format!("the status {status:?} of the service check is not 0, 1, 2 or 3")),
    };
    let mut record = Record::new("dogstatsd.service_check", format!("{name} is {word}"));
    record.severity = severity;
    record.set("check.name", name);
    record.set("check.status", word);
    while let Some(part) = parts.next() {
        match part.strip_prefix("m:") {
            // The message is the last part, whatever it holds.
            Some(message) => {
                let rest: Vec<&str> = std::iter::once(message).chain(parts.by_ref()).collect();
                record.body = unescape(&rest.join("|").replace("m\\:", "m:"));
            }
            None => record.extra(part)?,
        }
    }
    Ok(record.into_row(received))
}

/// A log record that grows.
struct Record {
    name: &'static str,
    body: String,
    severity: Severity,
    time: Option<Timestamp>,
    attributes: Attributes,
    resource: Attributes,
}

impl Record {
    fn new(name: &'static str, body: String) -> Self {
        let (attributes, resource) = (Attributes::new(), Attributes::new());
        Self { name, body, severity: Severity::Info, time: None, attributes, resource }
    }

    fn set(&mut self, name: &str, value: &str) {
        self.attributes.push((name.to_owned(), value.into()));
    }

    /// What events and service checks have in common.
    fn extra(&mut self, extra: &str) -> Result<(), String> {
        if let Some(list) = extra.strip_prefix('#') {
            for (name, value) in tags(list) {
                match name {
                    "service" => self.resource.push(("service.name".to_owned(), value.into())),
                    "env" => self.resource.push(("deployment.environment.name".to_owned(), value.into())),
                    "version" => self.resource.push(("service.version".to_owned(), value.into())),
                    _ => self.set(name, value),
                }
            }
            return Ok(());
        }
        match extra.split_once(':') {
            Some(("d", seconds)) => {
                let ns = seconds.parse::<i64>().ok().and_then(|seconds| seconds.checked_mul(1_000_000_000));
                self.time =
                    Some(Timestamp(ns.ok_or_else(|| format!("the time {seconds:?} is not a number of seconds"))?));
            }
            Some(("h", host)) => self.resource.push(("host.name".to_owned(), host.into())),
            Some(("c", container)) => self.resource.push(("container.id".to_owned(), container.into())),
            _ => {}
        }
        Ok(())
    }

    fn into_row(self, received: Timestamp) -> Row {
        let record = LogRecord {
            time: self.time,
            severity_text: self.severity.as_str().to_owned(),
            body: self.body.into(),
            attributes: self.attributes,
            resource: self.resource,
            event_name: self.name.to_owned(),
            ..LogRecord::default()
        };
        record.into_row(received)
    }
}

fn split_at(text: &str, bytes: usize) -> Option<(&str, &str)> {
    text.split_at_checked(bytes)
}

/// Line ends are written `\n` on the wire.
fn unescape(text: &str) -> String {
    text.replace("\\n", "\n")
}
