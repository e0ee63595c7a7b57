//! A format, compiled once and used for many texts.

use model::Timestamp;

use crate::csv::Csv;
use crate::kv::Kv;
use crate::named::Named;
use crate::pattern::Pattern;
use crate::sink::Sink;
use crate::syslog::SyslogOptions;
use crate::{Format, FormatError, Limits, NotMatched, Value, access_log, json, logfmt, syslog, user_agent};

/// Reads the fields of texts that are written in one format.
#[derive(Debug)]
pub struct Extractor {
    kind: Kind,
    limits: Limits,
}

#[derive(Debug)]
enum Kind {
    Json,
    Logfmt,
    Regex(Named),
    Pattern(Pattern),
    Csv(Csv),
    Kv(Kv),
    Syslog(SyslogOptions),
    AccessLog,
    UserAgent,
}

impl Extractor {
    /// Compiles a format.
    pub fn new(format: &Format, limits: &Limits) -> Result<Self, FormatError> {
        let kind = match format {
            Format::Json => Kind::Json,
            Format::Logfmt => Kind::Logfmt,
            Format::Regex(regex) => Kind::Regex(Named::new(regex)?),
            Format::Pattern(pattern) => Kind::Pattern(Pattern::new(pattern)?),
            Format::Csv { columns, delimiter } => Kind::Csv(Csv::new(columns, *delimiter)?),
            Format::Kv { between, assign } => Kind::Kv(Kv::new(between, assign)?),
            Format::Syslog(options) => Kind::Syslog(*options),
            Format::AccessLog => Kind::AccessLog,
            Format::UserAgent => Kind::UserAgent,
        };
        Ok(Self { kind, limits: *limits })
    }

    /// Hands out the fields of a text in the order in which it shows them; a name may come twice. `at` is about when it was
    /// written (the row's time, or the time of receipt), and counts only for a time that does not say its year. After an error
    /// the fields that were handed out count for nothing.
    pub fn extract(&self, text: &str, at: Timestamp, out: &mut dyn FnMut(&str, Value<'_>)) -> Result<(), NotMatched> {
        if text.len() > self.limits.text_bytes_max {
            let (bytes, max) = (text.len(), self.limits.text_bytes_max);
            return Err(NotMatched(format!("the text has {bytes} bytes, the limit is {max}").into()));
        }
        let sink = &mut Sink::new(&self.limits, out);
        match &self.kind {
            Kind::Json => json::extract(text, sink),
            Kind::Logfmt => logfmt::pairs(text, |key, value| sink.put(key, value)),
            Kind::Regex(regex) => regex.extract(text, sink),
            Kind::Pattern(pattern) => pattern.extract(text, sink),
            Kind::Csv(csv) => csv.extract(text, sink),
            Kind::Kv(kv) => kv.extract(text, sink),
            Kind::Syslog(options) => syslog::extract(text, at, options, sink),
            Kind::AccessLog => access_log::extract(text, sink),
            Kind::UserAgent => user_agent::extract(text, sink),
        }
    }

    /// The names that the format itself gives to its fields: those of a regular expression, a pattern or a list of columns. Empty
    /// when the texts bring them.
    pub fn names(&self) -> Vec<&str> {
        match &self.kind {
            Kind::Regex(regex) => regex.names().collect(),
            Kind::Pattern(pattern) => pattern.names().collect(),
            Kind::Csv(csv) => csv.names().collect(),
            Kind::AccessLog => access_log::NAMES.to_vec(),
            Kind::UserAgent => user_agent::NAMES.to_vec(),
            Kind::Json | Kind::Logfmt | Kind::Kv(_) | Kind::Syslog(_) => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests;
