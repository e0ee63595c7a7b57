//! A Rollout of Argo Rollouts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kubernetes::{check_name, check_object_name, check_place, yes};
use super::{CallProblem, Verb, check_verb, fill_text};
use crate::fill::{FillError, FillUse};

/// A Rollout of Argo Rollouts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArgoRolloutsCall {
    /// The cluster's name in the configuration; the only one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The Rollout's namespace.
    pub namespace: String,
    /// The Rollout's name.
    pub rollout: String,
    /// What a rollback does.
    #[serde(default)]
    pub operation: RolloutOperation,
    /// Whether to wait until the controller has done it.
    #[serde(default = "yes")]
    pub wait: bool,
}

/// How a Rollout is rolled back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutOperation {
    /// Abort while the new version is still being rolled out, undo when it is the stable one.
    #[default]
    Auto,
    /// Send all traffic back to the stable version.
    Abort,
    /// Put an earlier revision's pod template back.
    Undo,
}

impl ArgoRolloutsCall {
    pub(super) fn check(&self, verb: Verb, problems: &mut Vec<CallProblem>) {
        check_place(self.cluster.as_deref(), &self.namespace, problems);
        check_name("rollout", &self.rollout, check_object_name, problems);
        check_verb("argo_rollouts", verb, &[Verb::Rollback], problems);
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        Ok(Self {
            cluster: self.cluster.clone(),
            namespace: fill_text(&self.namespace, values, FillUse::Text)?,
            rollout: fill_text(&self.rollout, values, FillUse::Text)?,
            operation: self.operation,
            wait: self.wait,
        })
    }
}
