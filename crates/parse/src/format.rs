//! What texts may look like.

use std::ops::Range;

use crate::syslog::SyslogOptions;

/// How a text is written.
#[derive(Clone, Debug, PartialEq)]
pub enum Format {
    /// A JSON object; nested ones become dotted names.
    Json,
    /// `key=value key="quoted value" flag`, throughout.
    Logfmt,
    /// A regular expression; its named groups are the fields.
    Regex(String),
    /// `<ip> <_> "<method> <path>" <status>`: literal text with places to fill, as in LogsQL's `extract`.
    Pattern(String),
    /// Columns, quoted as in RFC 4180.
    Csv {
        /// The names of the columns; one that is empty or `_` is skipped.
        columns: Vec<String>,
        /// What stands between them; a comma unless said otherwise.
        delimiter: char,
    },
    /// Pairs anywhere in a text. Other words are skipped.
    Kv {
        /// What stands between pairs; white space when empty.
        between: String,
        /// What stands between a key and its value: `=`, `:`.
        assign: String,
    },
    /// RFC 5424, or RFC 3164 as devices write it, with or without a priority.
    Syslog(SyslogOptions),
    /// A line of a web server: Common and Combined Log Format of Apache and nginx, with a virtual host before it or more behind.
    AccessLog,
    /// The text of a `User-Agent` header.
    UserAgent,
}

impl Format {
    /// The names that queries and files of rules use.
    pub const NAMES: [&str; 9] =
        ["json", "logfmt", "regex", "pattern", "csv", "kv", "syslog", "access_log", "user_agent"];

    /// The formats that need nothing but their name, and `kv` as it is mostly written.
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "json" => Format::Json,
            "logfmt" => Format::Logfmt,
            "kv" => Format::Kv { between: String::new(), assign: "=".to_owned() },
            "syslog" => Format::Syslog(SyslogOptions::default()),
            "access_log" => Format::AccessLog,
            "user_agent" => Format::UserAgent,
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Format::Json => "json",
            Format::Logfmt => "logfmt",
            Format::Regex(_) => "regex",
            Format::Pattern(_) => "pattern",
            Format::Csv { .. } => "csv",
            Format::Kv { .. } => "kv",
            Format::Syslog(_) => "syslog",
            Format::AccessLog => "access_log",
            Format::UserAgent => "user_agent",
        }
    }
}

/// A format that can not be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct FormatError {
    /// Where in the regular expression or pattern, in bytes; empty when it is about the whole.
    pub at: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl FormatError {
    pub(crate) fn new(at: Range<usize>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { at, message: message.into(), hint: hint.into() }
    }
}
