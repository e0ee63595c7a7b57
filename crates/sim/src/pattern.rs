//! The log lines of a simulated service, as templates.

use serde::Serialize;

/// How bad a line says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Nothing to see.
    Info,
    /// Something to look at.
    Warn,
    /// Something failed.
    Error,
}

/// A template of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pattern {
    /// Its severity.
    pub severity: Severity,
    /// Its text, `<*>` where lines differ.
    pub text: &'static str,
}

const fn pattern(severity: Severity, text: &'static str) -> Pattern {
    Pattern { severity, text }
}

/// Every template. A policy sees the number of lines of each, by version; it learns which are new from the counts alone.
pub const PATTERNS: [Pattern; 12] = [
    pattern(Severity::Info, "request <*> done in <*> ms"),
    pattern(Severity::Error, "request <*> failed: <*>"),
    pattern(Severity::Error, "validation of <*> failed"),
    pattern(Severity::Warn, "cache miss for <*>, reading <*>"),
    pattern(Severity::Error, "connection to <*> reset by peer"),
    pattern(Severity::Error, "lease <*> was lost, trying again"),
    pattern(Severity::Error, "checkpoint <*> took <*> s"),
    pattern(Severity::Warn, "started instance <*> with deprecated option <*>"),
    pattern(Severity::Info, "handled <*> by the new path"),
    pattern(Severity::Error, "unexpected value <*> in <*> at <*>"),
    pattern(Severity::Error, "upstream <*> timed out after <*> ms"),
    pattern(Severity::Error, "rejected: limit <*> reached"),
];

/// One line for each request.
pub(crate) const ACCESS: usize = 0;
/// What errors of a quiet day log, the first of two.
pub(crate) const KNOWN_ERRORS: usize = 1;
/// One of a hundred requests.
pub(crate) const KNOWN_WARNING: usize = 3;
/// Three errors that any version logs now and then, from no request.
pub(crate) const RARE: usize = 4;
/// One line for each instance that starts, one as bad as the other.
pub(crate) const STARTUP: usize = 7;
/// A line that only the new version has, and that means nothing.
pub(crate) const HARMLESS: usize = 8;
/// The line of the release's own fault.
pub(crate) const FAULT: usize = 9;
/// The line of a dependency that fails.
pub(crate) const UPSTREAM: usize = 10;
/// The line of overload, or of a configuration that is wrong.
pub(crate) const REJECTED: usize = 11;
