//! An application of Argo CD.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CallProblem, check_given, check_plain, check_verb, fill_option, fill_text};
use crate::Verb;
use crate::fill::{FillError, FillUse};

/// An application of Argo CD: rolled back to an entry of its history, or its automated sync suspended and resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgocdCall {
    /// The name of the server in `actions.argocd`, which knows its URL and its token; no template.
    pub server: String,
    /// The application's name.
    pub application: String,
    /// The namespace of the application, where it is not the server's own.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Its project; with one, an application that is gone can be told from one that is forbidden.
    #[serde(default)]
    pub project: Option<String>,
    /// Which entry of the history is gone back to.
    #[serde(default)]
    pub entry: ArgocdEntry,
    /// Whether what the old revision does not have is deleted.
    #[serde(default)]
    pub prune: bool,
    /// The operator's word that whoever generates the application (an ApplicationSet, a parent application) leaves its sync policy
    /// alone. Without it a generated application with automated sync is refused: its parent would turn sync on again.
    #[serde(default)]
    pub parent_ignores_sync_policy: bool,
    /// What an `act` step does.
    #[serde(default, rename = "do", skip_serializing_if = "Option::is_none")]
    pub operation: Option<ArgocdOperation>,
}

/// How the entry of the history is found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArgocdEntry {
    /// The newest whose revision, target revision, image or Helm parameter is the version to go to.
    #[default]
    Match,
    /// The one before the current.
    Previous,
}

/// What an `act` step does to an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArgocdOperation {
    /// Turns automated sync off and remembers how it was.
    SuspendSync,
    /// Turns automated sync on again, as it was remembered.
    ResumeSync,
}

impl ArgocdCall {
    pub(super) fn check(&self, verb: Verb, problems: &mut Vec<CallProblem>) {
        check_verb("argocd", verb, &[Verb::Rollback, Verb::Act], problems);
        check_plain("server", &self.server, problems);
        check_given("application", &self.application, problems);
        for (field, text) in [("namespace", &self.namespace), ("project", &self.project)] {
            text.iter().for_each(|text| check_given(field, text, problems));
        }
        match (verb, self.operation) {
            (Verb::Act, None) => {
                let hint = "write do: suspend_sync or do: resume_sync";
                problems.push(CallProblem::new("do", "an act step does not say what it does", hint));
            }
            (Verb::Rollback, Some(_)) => {
                let hint = "leave it out, or make the step an act step";
                problems.push(CallProblem::new("do", "a rollback has a `do`", hint));
            }
            _ => {}
        }
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        let fill = |text: &Option<String>| fill_option(text.as_ref(), values, FillUse::Text);
        Ok(Self {
            application: fill_text(&self.application, values, FillUse::Text)?,
            namespace: fill(&self.namespace)?,
            project: fill(&self.project)?,
            ..self.clone()
        })
    }
}
