//! What an action calls: one file per kind. The same types hold templates in a playbook and plain text in a request.
//!
//! **A new kind** is a struct with serde's shape of the playbook's `target`, a `check` that says what is wrong before anything
//! runs, a `fill` that puts values into its templates, and a line in each `match` of this file. Who carries it out is `act`.

mod argo_rollouts;
mod argocd;
mod compose;
mod exec;
mod flag;
mod flux;
mod git_revert;
mod helm;
mod http;
mod kubernetes;
mod systemd;

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use argo_rollouts::{ArgoRolloutsCall, RolloutOperation};
pub use argocd::{ArgocdCall, ArgocdEntry, ArgocdOperation};
pub use compose::{ComposeCall, ComposePin};
pub use exec::ExecCall;
pub use flag::{FlagCall, FlagProvider, FlagRead, FlagState, FlagWrite};
pub use flux::{FluxCall, FluxKind, FluxOperation};
pub use git_revert::GitRevertCall;
pub use helm::{HelmCall, check_revision};
pub(crate) use http::check_url;
pub use http::{HttpCall, HttpPrecheck};
pub use kubernetes::{KubernetesCall, OBJECT_NAME_BYTES_MAX, WorkloadKind, WorkloadName, check_object_name};
pub use systemd::SystemdCall;

use crate::fill::{Fill, FillError, FillUse};

/// What is asked of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Go back to a version.
    Rollback,
    /// Start again, the same version.
    Restart,
    /// Another number of instances.
    Scale,
    /// What the target itself says, and nothing that Backstop knows about.
    Act,
}

impl Verb {
    /// The word in files.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Restart => "restart",
            Self::Scale => "scale",
            Self::Act => "act",
        }
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What to call. Kinds are added, and no executor knows all of them: whoever matches says what becomes of the rest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
#[non_exhaustive]
pub enum Call {
    /// An HTTP request.
    Http(HttpCall),
    /// A program.
    Exec(ExecCall),
    /// An application of Argo CD.
    Argocd(ArgocdCall),
    /// A unit of systemd.
    Systemd(SystemdCall),
    /// Services of a Compose project.
    Compose(Box<ComposeCall>),
    /// A commit that is reverted.
    GitRevert(GitRevertCall),
    /// A feature flag.
    Flag(Box<FlagCall>),
    /// A workload of a Kubernetes cluster.
    Kubernetes(KubernetesCall),
    /// A release of Helm.
    Helm(HelmCall),
    /// A Rollout of Argo Rollouts.
    ArgoRollouts(ArgoRolloutsCall),
    /// A Kustomization or HelmRelease of Flux.
    Flux(FluxCall),
}

/// What is wrong with the target of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallProblem {
    /// The key of the target at fault; empty for the whole.
    pub field: String,
    /// Where in its text, in bytes; `None` when that is not known.
    pub offset: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl CallProblem {
    pub(crate) fn new(field: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { field: field.to_owned(), offset: None, message: message.into(), hint: hint.into() }
    }
}

impl Call {
    /// Every kind, in the order that hints name them.
    pub const KINDS: [&str; 11] = [
        "http",
        "exec",
        "argocd",
        "systemd",
        "compose",
        "git_revert",
        "flag",
        "kubernetes",
        "helm",
        "argo_rollouts",
        "flux",
    ];

    /// Reads the target of a step of one kind and checks it, templates unfilled.
    pub fn read(kind: &str, verb: Verb, target: &BTreeMap<String, Json>) -> Result<Call, Vec<CallProblem>> {
        if !Self::KINDS.contains(&kind) {
            let hint = format!("the kinds are {}", Self::KINDS.join(", "));
            return Err(vec![CallProblem::new("kind", format!("there is no kind of {verb} {kind:?}"), hint)]);
        }
        let mut tagged: serde_json::Map<String, Json> = target.clone().into_iter().collect();
        tagged.insert("kind".to_owned(), Json::String(kind.to_owned()));
        let call: Call = serde_json::from_value(Json::Object(tagged)).map_err(|error| {
            let hint = format!("docs/actions.md shows the target of kind {kind}");
            vec![CallProblem::new("", format!("the target of kind {kind} can not be read: {error}"), hint)]
        })?;
        let mut problems = Vec::new();
        match &call {
            Call::Http(call) => call.check(&mut problems),
            Call::Exec(call) => call.check(&mut problems),
            Call::Argocd(call) => call.check(verb, &mut problems),
            Call::Systemd(call) => call.check(verb, &mut problems),
            Call::Compose(call) => call.check(verb, &mut problems),
            Call::GitRevert(call) => call.check(verb, &mut problems),
            Call::Flag(call) => call.check(verb, &mut problems),
            Call::Kubernetes(call) => call.check(verb, &mut problems),
            Call::Helm(call) => call.check(verb, &mut problems),
            Call::ArgoRollouts(call) => call.check(verb, &mut problems),
            Call::Flux(call) => call.check(verb, &mut problems),
        }
        if problems.is_empty() { Ok(call) } else { Err(problems) }
    }

    /// The word in files.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Exec(_) => "exec",
            Self::Argocd(_) => "argocd",
            Self::Systemd(_) => "systemd",
            Self::Compose(_) => "compose",
            Self::GitRevert(_) => "git_revert",
            Self::Flag(_) => "flag",
            Self::Kubernetes(_) => "kubernetes",
            Self::Helm(_) => "helm",
            Self::ArgoRollouts(_) => "argo_rollouts",
            Self::Flux(_) => "flux",
        }
    }

    /// The call with its templates filled in.
    pub fn fill(&self, values: &BTreeMap<String, String>) -> Result<Call, FillError> {
        Ok(match self {
            Self::Http(call) => Self::Http(call.fill(values)?),
            Self::Exec(call) => Self::Exec(call.fill(values)?),
            Self::Argocd(call) => Self::Argocd(call.fill(values)?),
            Self::Systemd(call) => Self::Systemd(call.fill(values)?),
            Self::Compose(call) => Self::Compose(Box::new(call.fill(values)?)),
            Self::GitRevert(call) => Self::GitRevert(call.fill(values)?),
            Self::Flag(call) => Self::Flag(Box::new(call.fill(values)?)),
            Self::Kubernetes(call) => Self::Kubernetes(call.fill(values)?),
            Self::Helm(call) => Self::Helm(call.fill(values)?),
            Self::ArgoRollouts(call) => Self::ArgoRollouts(call.fill(values)?),
            Self::Flux(call) => Self::Flux(call.fill(values)?),
        })
    }
}

/// Whether a kind can do what the step asks of it.
pub(crate) fn check_verb(kind: &str, verb: Verb, can: &[Verb], problems: &mut Vec<CallProblem>) {
    if !can.contains(&verb) {
        let words: Vec<&str> = can.iter().map(|verb| verb.as_str()).collect();
        let hint = format!("it can {}", words.join(", "));
        problems.push(CallProblem::new("kind", format!("kind {kind} can not {verb}"), hint));
    }
}

/// A text that says something; its templates are checked.
pub(crate) fn check_given(field: &str, text: &str, problems: &mut Vec<CallProblem>) {
    if text.trim().is_empty() {
        return problems.push(CallProblem::new(field, format!("{field} is empty"), "an empty one never means all"));
    }
    check_text(field, text, problems);
}

/// A text that people wrote out: what decides where an action goes has no template.
pub(crate) fn check_plain(field: &str, text: &str, problems: &mut Vec<CallProblem>) {
    if text.trim().is_empty() {
        problems.push(CallProblem::new(field, format!("{field} is empty"), "write it out"));
    } else if text.contains("{{") {
        let hint = "write it out: it decides where the action goes";
        problems.push(CallProblem::new(field, format!("{field} has a template"), hint));
    }
}

/// An absolute path without a template and without steps up.
pub(crate) fn check_path(field: &str, path: &str, problems: &mut Vec<CallProblem>) {
    if !path.starts_with('/') || path.contains("{{") || path.split('/').any(|part| part == "..") {
        let message = format!("{field} {path:?} is not an absolute path");
        let hint = "write it out, without a template and without `..`; it must be allowed in the settings too";
        problems.push(CallProblem::new(field, message, hint));
    }
}

/// A JSON pointer (RFC 6901).
pub(crate) fn check_pointer(field: &str, pointer: &str, problems: &mut Vec<CallProblem>) {
    if !pointer.is_empty() && !pointer.starts_with('/') {
        let message = format!("the pointer {pointer:?} does not begin with /");
        problems.push(CallProblem::new(field, message, "write it as in /status/version"));
    }
}

/// Checks the templates of a text.
pub(crate) fn check_text(field: &str, text: &str, problems: &mut Vec<CallProblem>) -> Option<Fill> {
    Fill::parse(text)
        .map_err(|error| {
            let (offset, message) = (Some(error.offset), format!("template: {}", error.message));
            problems.push(CallProblem { field: field.to_owned(), offset, message, hint: error.hint });
        })
        .ok()
}

/// Checks the templates in the texts of a JSON value.
pub(crate) fn check_json(field: &str, json: &Json, problems: &mut Vec<CallProblem>) {
    match json {
        Json::String(text) => {
            if let Err(error) = Fill::parse(text) {
                let message = format!("template {text:?}: {}", error.message);
                problems.push(CallProblem::new(field, message, error.hint));
            }
        }
        Json::Array(items) => items.iter().for_each(|item| check_json(field, item, problems)),
        Json::Object(fields) => fields.values().for_each(|value| check_json(field, value, problems)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

/// A text with its values put in.
pub(crate) fn fill_text(text: &str, values: &BTreeMap<String, String>, usage: FillUse) -> Result<String, FillError> {
    Fill::parse(text)?.render(values, usage)
}

/// A text that may be absent, with its values put in.
pub(crate) fn fill_option(
    text: Option<&String>,
    values: &BTreeMap<String, String>,
    usage: FillUse,
) -> Result<Option<String>, FillError> {
    text.map(|text| fill_text(text, values, usage)).transpose()
}

/// A map of texts with their values put in.
pub(crate) fn fill_map(
    texts: &BTreeMap<String, String>,
    values: &BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, FillError> {
    texts.iter().map(|(name, text)| Ok((name.clone(), fill_text(text, values, FillUse::Text)?))).collect()
}

/// A JSON value with the values put into its texts.
pub(crate) fn fill_json(json: &Json, values: &BTreeMap<String, String>) -> Result<Json, FillError> {
    Ok(match json {
        Json::String(text) => Json::String(fill_text(text, values, FillUse::Text)?),
        Json::Array(items) => Json::Array(items.iter().map(|item| fill_json(item, values)).collect::<Result<_, _>>()?),
        Json::Object(fields) => Json::Object(
            fields
                .iter()
                .map(|(name, field)| Ok((name.clone(), fill_json(field, values)?)))
                .collect::<Result<_, FillError>>()?,
        ),
        other => other.clone(),
    })
}

#[cfg(test)]
mod tests;
