//! Why a query did not give an answer.

use lang::Diagnostic;

/// Why a query did not give an answer, or did not finish it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueryError {
    /// The text is not a query; the diagnostics say where and why.
    #[error("the query cannot be read: {}", first_message(.0))]
    Parse(Vec<Diagnostic>),
    /// The text is a query that this engine cannot run.
    #[error("{message}")]
    Unsupported {
        /// What cannot be done.
        message: String,
        /// What to do instead.
        hint: String,
    },
    /// A limit stopped it.
    #[error("the query was stopped by {name} = {limit}: {detail}")]
    Limit {
        /// The setting, such as `query.memory_bytes_max`.
        name: &'static str,
        /// Its value.
        limit: u64,
        /// What was wanted.
        detail: String,
    },
    /// The system cannot take more queries now.
    #[error("{running} queries run and {queued} wait, the most that {name} = {limit} allows")]
    Busy {
        /// The setting that was reached.
        name: &'static str,
        /// Its value.
        limit: u64,
        /// Queries running.
        running: usize,
        /// Queries waiting.
        queued: usize,
        /// When to try again, in milliseconds.
        retry_after_ms: u64,
    },
    /// Someone canceled it, or its reader went away.
    #[error("the query was canceled")]
    Canceled,
    /// It ran longer than its time limit.
    #[error("the query ran longer than query.timeout_ms = {timeout_ms}")]
    Timeout {
        /// The limit, in milliseconds.
        timeout_ms: u64,
    },
    /// A segment could not be read, and the request did not allow a partial answer.
    #[error("segment {segment} cannot be read: {message}")]
    Storage {
        /// The segment, or another name for the place.
        segment: String,
        /// What was wrong.
        message: String,
    },
    /// It cannot be computed on this data, such as a match between vectors that is not unique.
    #[error("{message}")]
    Execution {
        /// What stood in the way.
        message: String,
    },
    /// A defect of the engine.
    #[error("the query failed inside the engine: {message}")]
    Internal {
        /// What happened.
        message: String,
    },
}

impl QueryError {
    /// A word for programs; stable.
    pub fn code(&self) -> &'static str {
        match self {
            QueryError::Parse(_) => "bad_query",
            QueryError::Unsupported { .. } => "unsupported",
            QueryError::Limit { .. } => "limit",
            QueryError::Busy { .. } => "busy",
            QueryError::Canceled => "canceled",
            QueryError::Timeout { .. } => "timeout",
            QueryError::Storage { .. } => "storage",
            QueryError::Execution { .. } => "execution",
            QueryError::Internal { .. } => "internal",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            QueryError::Parse(diagnostics) => {
                let hint = diagnostics.iter().find_map(|diagnostic| diagnostic.hint.clone());
                hint.unwrap_or_else(|| "correct the query at the marked place".to_owned())
            }
            QueryError::Unsupported { hint, .. } => hint.clone(),
            QueryError::Limit { name, .. } => {
                format!("narrow the time range or the filter, return fewer rows, or raise {name}")
            }
            QueryError::Busy { retry_after_ms, .. } => format!("try again in {retry_after_ms} ms"),
            QueryError::Canceled => "run it again if that was not meant".to_owned(),
            QueryError::Timeout { .. } => "narrow the time range or the filter, or raise query.timeout_ms".to_owned(),
            QueryError::Storage { .. } => {
                "run `backstop segments verify`; allow a partial answer to search the rest".to_owned()
            }
            QueryError::Execution { .. } => "change the expression to fit the data".to_owned(),
            QueryError::Internal { .. } => "report this query and the server's log line".to_owned(),
        }
    }

    /// The outcome under which the metric of queries counts it.
    pub(crate) fn outcome(&self) -> &'static str {
        match self {
            QueryError::Parse(_) | QueryError::Unsupported { .. } => "bad_query",
            QueryError::Canceled => "canceled",
            QueryError::Timeout { .. } => "timeout",
            QueryError::Limit {
                name: "query.memory_bytes_max" | "query.memory_total_bytes_max" | "query.memory_hard_percent",
                ..
            } => "memory",
            _ => "failed",
        }
    }
}

fn first_message(diagnostics: &[Diagnostic]) -> &str {
    diagnostics.first().map_or("it is empty", |diagnostic| diagnostic.message.as_str())
}
