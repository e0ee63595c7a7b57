//! Text files and text bodies: one record a line, in one of four formats, which [`detect`] tells apart.

use model::{Attributes, LogRecord, Timestamp, Value, field};
use parse::logfmt;
use parse::syslog::is_syslog;

use crate::syslog::{self, SyslogOptions};
use crate::{Decoded, MESSAGE_BYTES_MAX, Reject, json, readable};

/// How a line is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object.
    Json,
    /// `key=value` pairs.
    Logfmt,
    /// RFC 5424 or RFC 3164, with or without a priority.
    Syslog,
    /// Text: the line is the body.
    Raw,
}

impl Format {
    /// The names that the command line and the native API accept, besides `auto`.
    pub const NAMES: [&str; 4] = ["json", "logfmt", "syslog", "raw"];

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Json, Self::Logfmt, Self::Syslog, Self::Raw].into_iter().find(|format| format.as_str() == name)
    }

    /// The name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Logfmt => "logfmt",
            Self::Syslog => "syslog",
            Self::Raw => "raw",
        }
    }
}

/// What lines do not say about themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LineOptions {
    /// The service that the records belong to, unless they name one.
    pub service: Option<String>,
    /// The file that they come from, as `log.file.path`.
    pub file_path: Option<String>,
    /// For lines of syslog and for times without a zone.
    pub syslog: SyslogOptions,
}

/// Most lines that [`detect`] looks at.
pub const DETECT_LINES_MAX: usize = 100;

/// Tells the format of a text by its first lines: the one that nine of ten lines follow, else raw. A last line that the
/// sample may have cut does not count when there are others.
pub fn detect(sample: &[u8]) -> Format {
    let text = String::from_utf8_lossy(sample);
    let whole = text.rfind('\n').map_or(&*text, |end| &text[..end]);
    let lines: Vec<&str> =
        whole.lines().map(str::trim_end).filter(|line| !line.is_empty()).take(DETECT_LINES_MAX).collect();
    let most = |follows: &dyn Fn(&str) -> bool| {
        let count = lines.iter().filter(|line| follows(line)).count();
        count > 0 && count * 10 >= lines.len() * 9
    };
    if most(&|line| line.starts_with('{') && serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok()) {
        Format::Json
    } else if most(&is_syslog) {
        Format::Syslog
    } else if most(&is_typical_logfmt) {
        Format::Logfmt
    } else {
        Format::Raw
    }
}

/// Decodes every line of a text; empty lines are no records.
pub fn decode_lines(format: Format, text: &[u8], received: Timestamp, options: &LineOptions) -> Decoded {
    let mut decoded = Decoded::default();
    for line in text.split(|byte| *byte == b'\n') {
        decode_line(format, line, received, options, &mut decoded);
    }
    decoded
}

/// Decodes one line, its end included or not, into `decoded`. An empty line is no record.
pub fn decode_line(format: Format, line: &[u8], received: Timestamp, options: &LineOptions, decoded: &mut Decoded) {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r')).map_or(0, |last| last + 1);
    let line = &line[..end];
    if line.iter().all(u8::is_ascii_whitespace) {
        return;
    }
    match decode_record(format, line, received, options) {
        Ok(mut record) => {
            add_origin(&mut record, options);
            decoded.logs.push(record.into_row(received));
        }
        Err(reject) => decoded.rejects.push(reject),
    }
}

fn decode_record(format: Format, line: &[u8], received: Timestamp, options: &LineOptions) -> Result<LogRecord, Reject> {
    if line.len() > MESSAGE_BYTES_MAX {
        return Err(syslog::oversize(line, line.len() as u64));
    }
    if format == Format::Syslog {
        return syslog::decode_record(line, received, &options.syslog);
    }
    let (text, raw_base64) = readable(line);
    let whole = || LogRecord { body: Value::from(&*text), ..LogRecord::default() };
    let utc_offset_s = options.syslog.utc_offset_s;
    let mut record = match format {
        Format::Json => json::parse(&text, utc_offset_s)?,
        // A line that is not logfmt is text: programs print both.
        Format::Logfmt => logfmt_pairs(&text).map_or_else(whole, |pairs| json::from_entries(pairs, utc_offset_s)),
        Format::Raw | Format::Syslog => whole(),
    };
    if let Some(raw_base64) = raw_base64 {
        record.attributes.push(("raw_base64".to_owned(), raw_base64.into()));
    }
    Ok(record)
}

/// The pairs of a line that is logfmt throughout.
fn logfmt_pairs(line: &str) -> Option<Attributes> {
    let mut pairs = Vec::new();
    let read = logfmt::pairs(line, |key, value| {
        pairs.push((key.to_owned(), value.into()));
        Ok(())
    });
    read.ok().map(|()| pairs)
}

/// Whether a line is likely logfmt, rather than text with an `=` in it: two pairs or more, and more of them than bare words.
fn is_typical_logfmt(line: &str) -> bool {
    let (mut valued, mut all) = (0, 0);
    let read = logfmt::pairs(line, |_, value| {
        valued += usize::from(value != parse::Value::Bool(true));
        all += 1;
        Ok(())
    });
    read.is_ok() && valued >= 2 && valued * 2 > all
}

/// Adds the service and the file where the record does not name its own.
fn add_origin(record: &mut LogRecord, options: &LineOptions) {
    for (name, value) in [(field::SERVICE_NAME, &options.service), ("log.file.path", &options.file_path)] {
        if let Some(value) = value
            && !has(&record.resource, name)
            && !has(&record.attributes, name)
        {
            record.resource.push((name.to_owned(), value.as_str().into()));
        }
    }
}

/// Whether a list has a dotted name, nested objects (`{"service":{"name":"x"}}`) included.
fn has(attributes: &[(String, Value)], name: &str) -> bool {
    attributes.iter().any(|(key, value)| match (name.strip_prefix(key.as_str()), value) {
        (Some(""), _) => true,
        (Some(rest), Value::Map(entries)) => rest.strip_prefix('.').is_some_and(|rest| has(entries, rest)),
        _ => false,
    })
}

#[cfg(test)]
mod tests;
