//! What can go wrong.

use crate::ast::Span;

/// A query that could not be parsed. Displays as Prometheus writes it: `1:5: parse error: unexpected ...`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: parse error: {message}")]
pub struct ParseError {
    /// Where.
    pub span: Span,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What.
    pub message: String,
}

/// Line and column, from 1, of a byte of a text.
pub(crate) fn line_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}

impl ParseError {
    pub(crate) fn new(text: &str, span: Span, message: impl Into<String>) -> Self {
        let (line, column) = line_column(text, span.start);
        Self { span, line, column, message: message.into() }
    }
}

/// The class of an evaluation error: which status an API answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The query can not be run as asked.
    BadData,
    /// The query failed on this data.
    Execution,
    /// The deadline passed.
    Timeout,
    /// Somebody cancelled it.
    Canceled,
    /// The store failed.
    Internal,
}

/// Why an evaluation failed. The texts are Prometheus's where it has one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// More samples than allowed.
    #[error(
        "query processing would load too many samples into memory in query execution (limit samples_max = {max}); \
         narrow the selector or the time range"
    )]
    TooManySamples {
        /// The limit.
        max: usize,
    },
    /// More memory than allowed.
    #[error(
        "query processing would hold too many bytes in memory (limit memory_max_bytes = {max}); \
         narrow the selector or the time range, or take a longer step"
    )]
    OutOfMemory {
        /// The limit.
        max: usize,
    },
    /// All queries together hold as much as they may.
    #[error("query processing found no memory left: {0}")]
    OutOfSharedMemory(String),
    /// More steps than allowed.
    #[error(
        "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
    )]
    TooManySteps,
    /// A range query needs a step.
    #[error("zero or negative query resolution step widths are not accepted. Try a positive integer")]
    BadStep,
    /// The end comes before the start.
    #[error("end timestamp must not be before start time")]
    EndBeforeStart,
    /// A range query yields numbers at every step, which this expression does not.
    #[error("invalid expression type {found:?} for range query, must be Scalar or instant Vector")]
    NotForRanges {
        /// What the expression is.
        found: &'static str,
    },
    /// The deadline passed.
    #[error("query timed out in expression evaluation")]
    TimedOut,
    /// Somebody cancelled it.
    #[error("query was canceled in expression evaluation")]
    Canceled,
    /// It failed on this data.
    #[error("{0}")]
    Execution(String),
    /// The source failed.
    #[error("{0}")]
    Source(String),
}

impl EvalError {
    /// The error's class.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::TooManySteps | Self::BadStep | Self::EndBeforeStart | Self::NotForRanges { .. } => ErrorKind::BadData,
            Self::TooManySamples { .. }
            | Self::OutOfMemory { .. }
            | Self::OutOfSharedMemory(_)
            | Self::Execution(_) => ErrorKind::Execution,
            Self::TimedOut => ErrorKind::Timeout,
            Self::Canceled => ErrorKind::Canceled,
            Self::Source(_) => ErrorKind::Internal,
        }
    }
}
