//! Carries out actions: one file per kind.
//!
//! **Entry point.** [`Actor`], which implements [`respond::Executor`]. `respond` decides, guards and remembers; this crate only
//! does what it is told, once, within limits.
//!
//! **Guarantees.** Nothing is called that is not on an allow-list: `http` only URLs under an allowed start, `exec` only listed
//! absolute paths. No shell, no PATH, no inherited environment, no redirects, no retries. Every call has a time limit; what runs
//! over it is ended and its outcome is Unknown. Output is capped and secrets are replaced before anyone stores it.
//!
//! **Not guaranteed.** A program that leaves its process group outlives its time limit.
//!
//! **Not here.** Whether to act (`respond`), who is told (`notify`).

mod exec;
mod http;
mod redact;

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::Timestamp;
use reqwest::Url;
use respond::{ActionRequest, ActionResult, ActionState, Call, Executor};
use telemetry::{clock, metrics};

/// Most bytes of output or answer that are kept.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// What actions may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActOptions {
    /// Programs that `exec` may run, as absolute paths.
    pub exec_allow: Vec<PathBuf>,
    /// Environment given to every program, below what its step gives.
    pub exec_env: BTreeMap<String, String>,
    /// Starts of URLs that `http` may call.
    pub http_allow: Vec<String>,
    /// Texts replaced in output.
    pub redact: Vec<String>,
}

/// Why an actor could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// An allowed start of URLs is no URL.
    #[error("{0:?} in the list of allowed URLs is no URL: write https://host/path/")]
    Url(String),
    /// No HTTP client.
    #[error("cannot make an HTTP client: {0}")]
    Client(#[from] reqwest::Error),
}

/// Carries out actions within its options.
#[derive(Debug)]
pub struct Actor {
    options: ActOptions,
    http_allow: Vec<Url>,
    client: reqwest::blocking::Client,
}

impl Actor {
    /// Checks the options.
    pub fn new(options: ActOptions) -> Result<Self, ActError> {
        let allowed: Result<Vec<Url>, ActError> =
            options.http_allow.iter().map(|text| Url::parse(text).map_err(|_| ActError::Url(text.clone()))).collect();
        Ok(Self { http_allow: allowed?, client: http::client()?, options })
    }
}

/// How a call ended, before it is redacted.
pub(crate) struct Ended {
    pub(crate) state: ActionState,
    pub(crate) detail: String,
    pub(crate) output: Vec<u8>,
}

impl Ended {
    pub(crate) fn without_output(state: ActionState, detail: impl Into<String>) -> Self {
        Self { state, detail: detail.into(), output: Vec::new() }
    }
}

impl Executor for Actor {
    fn execute(&self, request: &ActionRequest) -> ActionResult {
        let ended = match &request.call {
            Call::Http(call) => http::execute(&self.client, &self.http_allow, call, request),
            Call::Exec(call) => exec::execute(&self.options, &call.argv, &call.env, request),
        };
        metrics::ACTIONS.add(ended.state.as_str(), 1);
        let finished_at: Timestamp = clock::now();
        let text = String::from_utf8_lossy(&ended.output);
        ActionResult {
            state: ended.state,
            detail: redact::redact(&ended.detail, &self.options.redact),
            output: redact::redact(&text, &self.options.redact),
            finished_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A request to roll back from 2 to 1.
    pub(crate) fn request(call: Call, timeout_ms: i64) -> ActionRequest {
        ActionRequest {
            key: "key-1".to_owned(),
            fence: 0,
            timeout_ns: timeout_ms * 1_000_000,
            verb: respond::Verb::Rollback,
            from_version: "2".to_owned(),
            to_version: "1".to_owned(),
            replicas: None,
            revision: None,
            call,
        }
    }
}
