//! A release of Helm.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::exec::check_program;
use super::kubernetes::{check_name, check_object_name, check_place, yes};
use super::{CallProblem, Verb, check_verb, fill_option, fill_text};
use crate::fill::{FillError, FillUse};

/// A release of Helm, rolled back by the helm program.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HelmCall {
    /// The absolute path of helm; it must be on the allow-list.
    pub program: String,
    /// The cluster's name in the configuration; the only one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The release's namespace.
    pub namespace: String,
    /// The release's name.
    pub release: String,
    /// The release's revision to go to; found by the version when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// Whether helm waits until the resources are ready.
    #[serde(default = "yes")]
    pub wait: bool,
}

impl HelmCall {
    pub(super) fn check(&self, verb: Verb, problems: &mut Vec<CallProblem>) {
        check_program("program", &self.program, problems);
        check_place(self.cluster.as_deref(), &self.namespace, problems);
        check_name("release", &self.release, check_object_name, problems);
        if let Some(revision) = &self.revision {
            check_name("revision", revision, |text| check_revision(text).map(drop), problems);
        }
        check_verb("helm", verb, &[Verb::Rollback], problems);
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        Ok(Self {
            program: self.program.clone(),
            cluster: self.cluster.clone(),
            namespace: fill_text(&self.namespace, values, FillUse::Argument)?,
            release: fill_text(&self.release, values, FillUse::Argument)?,
            revision: fill_option(self.revision.as_ref(), values, FillUse::Argument)?,
            wait: self.wait,
        })
    }
}

/// The number of a release's revision.
pub fn check_revision(text: &str) -> Result<u64, String> {
    text.parse()
        .ok()
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("{text:?} is no revision: give a number above 0"))
}
