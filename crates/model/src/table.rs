//! The tables that the store keeps.

use std::fmt;

/// A table of rows in the store. The loop's own records (changes, alerts, incidents, actions, audit) are tables of the same
/// query language, but live in the catalog, because they change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// Log records.
    Logs,
    /// Trace spans.
    Spans,
    /// Items that could not be decoded, kept with the reason.
    Quarantine,
}

impl Table {
    /// Every table of the store.
    pub const ALL: [Table; 3] = [Self::Logs, Self::Spans, Self::Quarantine];

    /// The name in queries, file paths and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Logs => "logs",
            Self::Spans => "spans",
            Self::Quarantine => "quarantine",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.as_str() == name)
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
