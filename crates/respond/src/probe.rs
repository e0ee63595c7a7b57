//! How steps try whether something answers.

use crate::playbook::ProbeKind;
use crate::result::ResultState;

/// What is tried. All templates are filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeRequest {
    /// What.
    pub kind: ProbeKind,
    /// How long it may take, in nanoseconds.
    pub timeout_ns: i64,
}

/// What came back.
#[derive(Clone, Debug, PartialEq)]
pub struct ProbeAnswer {
    /// Ok, Failed (it was tried and did not answer well) or Unknown (it could not be tried).
    pub state: ResultState,
    /// How long the answer took, in milliseconds.
    pub latency_ms: Option<f64>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// What happened, with the numbers.
    pub detail: String,
}

impl ProbeAnswer {
    /// It could not be tried.
    pub fn unknown(detail: impl Into<String>) -> Self {
        Self { state: ResultState::Unknown, latency_ms: None, status: None, detail: detail.into() }
    }
}

/// Tries whether something answers. Implementations block, change nothing and only reach what is on an allow-list.
pub trait Prober: Send + Sync {
    /// Tries one.
    fn probe(&self, request: &ProbeRequest) -> ProbeAnswer;
}

/// Tries nothing: every answer is unknown.
pub(crate) struct NoProber;

impl Prober for NoProber {
    fn probe(&self, _request: &ProbeRequest) -> ProbeAnswer {
        ProbeAnswer::unknown("there is nothing here that can probe")
    }
}
