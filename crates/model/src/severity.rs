//! Severities: OpenTelemetry's six ranges.

use std::fmt;

/// The severity of a log record, OpenTelemetry's six ranges of the severity number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Severity {
    /// 1 to 4.
    Trace,
    /// 5 to 8.
    Debug,
    /// 9 to 12.
    Info,
    /// 13 to 16.
    Warn,
    /// 17 to 20.
    Error,
    /// 21 to 24.
    Fatal,
}

impl Severity {
    /// All of them, mildest first.
    pub const ALL: [Severity; 6] = [Self::Trace, Self::Debug, Self::Info, Self::Warn, Self::Error, Self::Fatal];

    /// The name that queries and rows use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }

    /// The first number of the range.
    pub fn number(self) -> u8 {
        self as u8 * 4 + 1
    }

    /// The range that a severity number falls in; `None` for 0 (unspecified) and above 24.
    pub fn from_number(number: i32) -> Option<Self> {
        (1..=24).contains(&number).then(|| Self::ALL[(number as usize - 1) / 4])
    }

    /// Reads the words that log libraries write, in any case: `warning`, `err`, `crit`, `notice`, `E`, ...
    pub fn from_text(text: &str) -> Option<Self> {
        let word = text.trim().to_ascii_lowercase();
        Some(match word.as_str() {
            "trace" | "trc" | "t" | "verbose" | "v" | "finest" | "finer" => Self::Trace,
            "debug" | "dbg" | "d" | "fine" => Self::Debug,
            "info" | "inf" | "i" | "information" | "informational" | "notice" | "n" => Self::Info,
            "warn" | "warning" | "wrn" | "w" => Self::Warn,
            "error" | "err" | "e" | "severe" => Self::Error,
            "fatal" | "f" | "critical" | "crit" | "c" | "alert" | "emerg" | "emergency" | "panic" | "failure" => {
                Self::Fatal
            }
            _ => return None,
        })
    }

    /// Syslog's severity (0 emergency to 7 debug) as OpenTelemetry's log data model maps it (its appendix B), with the
    /// number that keeps the syslog levels apart.
    pub fn from_syslog(level: u8) -> (Self, u8) {
        match level {
            0 => (Self::Fatal, 24),
            1 => (Self::Fatal, 22),
            2 => (Self::Fatal, 21),
            3 => (Self::Error, 17),
            4 => (Self::Warn, 13),
            5 => (Self::Info, 10),
            6 => (Self::Info, 9),
            _ => (Self::Debug, 5),
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_agree() {
        for severity in Severity::ALL {
            assert_eq!(Severity::from_number(severity.number().into()), Some(severity));
            assert_eq!(Severity::from_text(severity.as_str()), Some(severity));
        }
        assert_eq!(Severity::from_number(0), None);
        assert_eq!(Severity::from_number(25), None);
        assert_eq!(Severity::from_number(24), Some(Severity::Fatal));
    }
}
