//! Carries out actions: one file per kind.
//!
//! **Entry point.** [`Actor`], which implements [`respond::Executor`]. `respond` decides, guards and remembers; this crate only
//! does what it is told, once, within limits. [`Actor::permits`] says whether a call may be made at all: whoever loads playbooks
//! asks it then, and [`Actor::execute`] asks it again when the action fires.
//!
//! **Guarantees.** Nothing is called that is not on an allow-list, and no kind that the settings leave out. No shell, no PATH, no
//! inherited environment, no redirects, no retries. Every action has a time limit that all its parts share; what runs over it is
//! ended and its outcome is Unknown. Succeeded and Failed are certain: whatever broke off after it may have had an effect is
//! Unknown, unless a look at the target tells. Tokens come from the settings, never from a playbook; output is capped and secrets
//! are replaced before anyone stores it.
//!
//! **Not guaranteed.** A program that leaves its process group outlives its time limit. Helm has no precondition either. Argo CD and services of flags have no
//! precondition in their API: what a precheck saw is compared right before the first write, not in it.
//!
//! **Not here.** Whether to act (`respond`), who is told (`notify`).

mod argocd;
mod compose;
mod deadline;
mod exec;
mod fence;
mod flag;
mod git;
mod git_revert;
mod helm;
mod http;
mod permit;
mod program;
mod redact;
mod systemd;
mod web;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use kubernetes::{ClusterOptions, Clusters, ClustersError};
use model::Timestamp;
use reqwest::Url;
use respond::{ActionRequest, ActionResult, ActionState, Call, Executor, Precheck};
use telemetry::{clock, metrics};

pub use web::{ServerOptions, Token};

use crate::web::Server;

/// Most bytes of output or answer that are kept.
pub const OUTPUT_BYTES_MAX: usize = 64 * 1024;

/// What actions may do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActOptions {
    /// Kinds that may happen; when empty, those for which something is allowed.
    pub kinds: Vec<String>,
    /// Programs that `exec` may run, as absolute paths.
    pub exec_allow: Vec<PathBuf>,
    /// Environment given to every program of `exec`, below what its step gives.
    pub exec_env: BTreeMap<String, String>,
    /// Starts of URLs that `http` may call.
    pub http_allow: Vec<String>,
    /// Texts replaced in output.
    pub redact: Vec<String>,
    /// Servers of Argo CD by name.
    pub argocd: BTreeMap<String, ServerOptions>,
    /// Services of feature flags by name.
    pub flags: BTreeMap<String, ServerOptions>,
    /// The program that speaks to systemd, and its first arguments.
    pub systemctl: Vec<String>,
    /// Patterns of units that `systemd` may touch.
    pub systemd_allow: Vec<String>,
    /// Symbolic links that `systemd` may re-point.
    pub systemd_links: Vec<PathBuf>,
    /// The program that speaks Compose, and its first arguments.
    pub compose: Vec<String>,
    /// Folders of Compose projects that `compose` may touch.
    pub compose_allow: Vec<PathBuf>,
    /// Environment given to the Compose program.
    pub compose_env: BTreeMap<String, String>,
    /// The Git program and its first arguments.
    pub git: Vec<String>,
    /// Repositories that `git_revert` may push to.
    pub git_allow: Vec<String>,
    /// Environment given to Git.
    pub git_env: BTreeMap<String, String>,
    /// Clusters of Kubernetes by name.
    pub clusters: BTreeMap<String, ClusterOptions>,
}

/// Why an actor could not be made.
#[derive(Debug, thiserror::Error)]
pub enum ActError {
    /// An allowed start of URLs is no URL.
    #[error("{0:?} in the list of allowed URLs is no URL: write https://host/path/")]
    Url(String),
    /// A file of certificates can not be used.
    #[error("the certificates in {path:?} can not be read: {why}; ca_file names a PEM file")]
    Certificate {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// No threads for clusters.
    #[error(transparent)]
    Clusters(#[from] ClustersError),
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
    argocd: BTreeMap<String, Server>,
    flags: BTreeMap<String, Server>,
    clusters: Arc<Clusters>,
}

impl Actor {
    /// Checks the options.
    pub fn new(options: ActOptions) -> Result<Self, ActError> {
        let allowed: Result<Vec<Url>, ActError> =
            options.http_allow.iter().map(|text| Url::parse(text).map_err(|_| ActError::Url(text.clone()))).collect();
        Ok(Self {
            http_allow: allowed?,
            client: web::client_builder().build()?,
            argocd: web::servers(&options.argocd)?,
            flags: web::servers(&options.flags)?,
            clusters: Arc::new(Clusters::new(options.clusters.clone())?),
            options,
        })
    }

    /// Whether a call may be made, templates filled in or not; the error says what the settings lack. A template in what decides
    /// is only known when the action fires, and is asked about again then.
    pub fn permits(&self, call: &Call) -> Result<(), String> {
        permit::permits(self, call)
    }

    /// The clusters, for whoever watches them.
    pub fn clusters(&self) -> &Arc<Clusters> {
        &self.clusters
    }

    /// Everything to take out of what is recorded.
    fn secrets(&self) -> Vec<String> {
        let servers = self.argocd.values().chain(self.flags.values());
        let mut secrets: Vec<String> = servers.filter_map(Server::secret).collect();
        secrets.extend(self.flags.values().filter_map(flag::secret_url));
        let environments = [&self.options.exec_env, &self.options.compose_env, &self.options.git_env];
        secrets.extend(environments.into_iter().flat_map(redact::secret_values));
        secrets.extend(self.options.redact.iter().cloned());
        secrets
    }

    fn ended(&self, request: &ActionRequest) -> Ended {
        if let Err(why) = self.permits(&request.call) {
            return Ended::failed(why);
        }
        match &request.call {
            Call::Http(call) => http::execute(&self.client, call, request),
            Call::Exec(call) => exec::execute(&self.options, call, request),
            Call::Argocd(call) => match self.argocd.get(&call.server) {
                Some(server) => argocd::execute(server, call, request),
                None => Ended::failed(no_server("argocd", &call.server)),
            },
            Call::Systemd(call) => systemd::execute(&self.options, call, request),
            Call::Compose(call) => compose::execute(&self.options, call, request),
            Call::GitRevert(call) => git_revert::execute(&self.options, call, request),
            Call::Flag(call) => match self.flags.get(&call.server) {
                Some(server) => flag::execute(server, call, request),
                None => Ended::failed(no_server("flags", &call.server)),
            },
            Call::Kubernetes(_) | Call::ArgoRollouts(_) | Call::Flux(_) => {
                let (state, detail) = self.clusters.execute(request);
                Ended::without_output(state, detail)
            }
            Call::Helm(call) => helm::execute(&self.options, &self.clusters, call, request),
            call => Ended::failed(format!("nobody here carries out kind {}", call.kind())),
        }
    }

    fn looked(&self, request: &ActionRequest) -> Precheck {
        if let Err(detail) = self.permits(&request.call) {
            return Precheck::Refused { detail };
        }
        match &request.call {
            Call::Http(call) => match &call.precheck {
                Some(look) => http::precheck(&self.client, look, call, request),
                None => Precheck::NotOffered,
            },
            Call::Exec(call) => exec::precheck(&self.options, call, request),
            Call::Argocd(call) => match self.argocd.get(&call.server) {
                Some(server) => argocd::precheck(server, call, request),
                None => Precheck::Refused { detail: no_server("argocd", &call.server) },
            },
            Call::Systemd(call) => systemd::precheck(&self.options, call, request),
            Call::Compose(call) => compose::precheck(&self.options, call, request),
            Call::GitRevert(call) => git_revert::precheck(&self.options, call, request),
            Call::Flag(call) => match self.flags.get(&call.server) {
                Some(server) => flag::precheck(server, call, request),
                None => Precheck::Refused { detail: no_server("flags", &call.server) },
            },
            Call::Kubernetes(_) | Call::ArgoRollouts(_) | Call::Flux(_) => self.clusters.precheck(request),
            Call::Helm(call) => helm::precheck(&self.options, &self.clusters, call, request),
            _ => Precheck::NotOffered,
        }
    }
}

fn no_server(setting: &str, name: &str) -> String {
    format!("there is no server {name:?}: add it to actions.{setting}")
}

/// How a call ended, before it is redacted.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) state: ActionState,
    pub(crate) detail: String,
    pub(crate) output: Vec<u8>,
}

impl Ended {
    pub(crate) fn without_output(state: ActionState, detail: impl Into<String>) -> Self {
        Self { state, detail: detail.into(), output: Vec::new() }
    }

    /// It certainly did not happen.
    pub(crate) fn failed(detail: impl Into<String>) -> Self {
        Self::without_output(ActionState::Failed, detail)
    }
}

impl Executor for Actor {
    fn precheck(&self, request: &ActionRequest) -> Precheck {
        let secrets = self.secrets();
        let clean = |text: &String| redact::redact(text, &secrets);
        match self.looked(request) {
            Precheck::NotOffered => Precheck::NotOffered,
            Precheck::Ready { detail, revision } => Precheck::Ready { detail: clean(&detail), revision },
            Precheck::Refused { detail } => Precheck::Refused { detail: clean(&detail) },
            Precheck::Unknown { detail } => Precheck::Unknown { detail: clean(&detail) },
        }
    }

    fn execute(&self, request: &ActionRequest) -> ActionResult {
        let ended = self.ended(request);
        metrics::ACTIONS.add(ended.state.as_str(), 1);
        let finished_at: Timestamp = clock::now();
        let text = String::from_utf8_lossy(&ended.output);
        let secrets = self.secrets();
        ActionResult {
            state: ended.state,
            detail: redact::redact(&ended.detail, &secrets),
            output: redact::redact(&text, &secrets),
            finished_at,
        }
    }
}

#[cfg(test)]
mod stub;
#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) use crate::stub::Stub;

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

    #[test]
    fn the_settings_know_every_kind() {
        for kind in Call::KINDS {
            assert!(config::ACTION_KINDS.contains(&kind), "config::ACTION_KINDS lacks {kind}");
        }
    }
}
