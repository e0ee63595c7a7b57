//! Why a plan could not be executed.

use datafusion::error::DataFusionError;

/// Why a plan could not be executed, or stopped.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExecError {
    /// The plan asks for something that cannot be done.
    #[error("{message}")]
    Unsupported {
        /// What cannot be done.
        message: String,
        /// What to do instead.
        hint: String,
    },
    /// Something else that a plan reads gave an error.
    #[error("{message}")]
    Other {
        /// What happened.
        message: String,
        /// What to do.
        hint: String,
    },
    /// A regular expression is wrong or its compiled form is larger than the limit.
    #[error("the regular expression {pattern:?} cannot be used: {message}")]
    Regex {
        /// The expression.
        pattern: String,
        /// What is wrong.
        message: String,
        /// Whether its size was the reason.
        too_large: bool,
    },
    /// The query's own memory budget, or the one of all queries, is used up.
    #[error("out of query memory: {detail}")]
    Memory {
        /// Whether the budget of all queries was the one that ran out.
        shared: bool,
        /// What was wanted.
        detail: String,
    },
    /// The memory of the whole process is short, and this query held the most.
    #[error("stopped to free memory: {detail}")]
    Pressure {
        /// How much there is and how much was held.
        detail: String,
    },
    /// More disk for spilling was needed than the limit allows.
    #[error("out of disk space for spilling: {detail}")]
    Spill {
        /// What was wanted.
        detail: String,
    },
    /// A segment cannot be read.
    #[error("segment {segment} cannot be read: {message}")]
    Segment {
        /// Its id.
        segment: String,
        /// What was wrong.
        message: String,
        /// Whether its files do not hold what they should, as far as is not known to the store already.
        corrupt: bool,
    },
    /// The query was canceled.
    #[error("the query was canceled")]
    Canceled,
    /// A defect.
    #[error("{message}")]
    Internal {
        /// What happened.
        message: String,
    },
}

impl ExecError {
    /// The error inside one of DataFusion's: ours when an operator of ours raised it.
    pub(crate) fn from_datafusion(error: &DataFusionError) -> ExecError {
        match error.find_root() {
            DataFusionError::External(source) => match source.downcast_ref::<ExecError>() {
                Some(ours) => ours.clone(),
                None => ExecError::Internal { message: source.to_string() },
            },
            DataFusionError::ResourcesExhausted(detail) if detail.contains("disk space") => {
                ExecError::Spill { detail: detail.clone() }
            }
            DataFusionError::ResourcesExhausted(detail) => {
                ExecError::Memory { shared: detail.contains(crate::memory::SHARED_MARK), detail: detail.clone() }
            }
            other => ExecError::Internal { message: other.to_string() },
        }
    }
}

impl ExecError {
    /// The same for a query in SQL, where what can not be computed is the query's mistake.
    pub(crate) fn of_sql(error: &DataFusionError) -> ExecError {
        let message = match error.find_root() {
            DataFusionError::ArrowError(error, _) => error.to_string(),
            DataFusionError::Execution(message)
            | DataFusionError::Plan(message)
            | DataFusionError::NotImplemented(message) => message.clone(),
            _ => return Self::from_datafusion(error),
        };
        let hint = "try_cast(x as type) is null where x is none of the type; nullif(x, 0) keeps from dividing by zero";
        Self::Unsupported { message, hint: hint.to_owned() }
    }

    /// The error as DataFusion's streams carry it.
    pub(crate) fn into_datafusion(self) -> DataFusionError {
        self.into()
    }
}

impl From<DataFusionError> for ExecError {
    fn from(error: DataFusionError) -> Self {
        ExecError::from_datafusion(&error)
    }
}

impl From<ExecError> for DataFusionError {
    fn from(error: ExecError) -> Self {
        DataFusionError::External(Box::new(error))
    }
}

impl From<arrow_schema::ArrowError> for ExecError {
    fn from(error: arrow_schema::ArrowError) -> Self {
        ExecError::Internal { message: error.to_string() }
    }
}
