//! A Kustomization or HelmRelease of Flux.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kubernetes::{WorkloadName, check_name, check_object_name, check_place, yes};
use super::{CallProblem, Verb, fill_option, fill_text};
use crate::fill::{FillError, FillUse};

/// A Kustomization or HelmRelease of Flux.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FluxCall {
    /// The cluster's name in the configuration; the only one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The namespace of the Kustomization or HelmRelease.
    pub namespace: String,
    /// `kustomization/NAME` or `helmrelease/NAME`.
    pub resource: String,
    /// What an `act` step does. A `rollback` step suspends, then undoes the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<FluxOperation>,
    /// The workload that a rollback undoes, such as `deployment/checkout`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// The workload's namespace; that of the resource when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload_namespace: Option<String>,
    /// The container whose image tells the version; any of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Whether a rollback waits until it has reached every instance.
    #[serde(default = "yes")]
    pub wait: bool,
}

/// What is done to a Kustomization or HelmRelease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FluxOperation {
    /// Flux leaves its objects alone.
    Suspend,
    /// Flux takes up what Backstop suspended; what a person suspended stays.
    Resume,
}

/// A kind of object that Flux reconciles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FluxKind {
    /// Manifests of a source.
    Kustomization,
    /// A Helm chart.
    HelmRelease,
}

impl FluxCall {
    /// The resource's kind and name.
    pub fn parse_resource(text: &str) -> Result<(FluxKind, &str), String> {
        let hint = "write kustomization/NAME or helmrelease/NAME";
        let (kind, name) = text.split_once('/').ok_or_else(|| format!("{text:?} is no resource of Flux: {hint}"))?;
        let kind = match kind.to_ascii_lowercase().as_str() {
            "kustomization" => FluxKind::Kustomization,
            "helmrelease" => FluxKind::HelmRelease,
            other => return Err(format!("{other:?} is no kind of Flux's that can be suspended: {hint}")),
        };
        check_object_name(name)?;
        Ok((kind, name))
    }

    pub(super) fn check(&self, verb: Verb, problems: &mut Vec<CallProblem>) {
        check_place(self.cluster.as_deref(), &self.namespace, problems);
        check_name("resource", &self.resource, |text| Self::parse_resource(text).map(drop), problems);
        if let Some(workload) = &self.workload {
            check_name("workload", workload, |text| WorkloadName::parse(text).map(drop), problems);
        }
        for (field, text) in [("workload_namespace", &self.workload_namespace), ("container", &self.container)] {
            if let Some(text) = text {
                check_name(field, text, check_object_name, problems);
            }
        }
        match (verb, self.operation, &self.workload) {
            (Verb::Rollback, None, Some(_)) | (Verb::Act, Some(_), None) => {}
            (Verb::Rollback, _, _) => {
                let hint = "name the workload to undo and leave the operation out: a rollback suspends by itself";
                problems.push(CallProblem::new("workload", "a rollback of kind flux undoes a workload", hint));
            }
            (Verb::Act, _, _) => {
                let hint = "give operation: suspend or resume, and no workload";
                problems.push(CallProblem::new("operation", "act of kind flux suspends or resumes", hint));
            }
            (Verb::Restart | Verb::Scale, _, _) => {
                let message = format!("kind flux can not {verb}");
                problems.push(CallProblem::new("kind", message, "use kind kubernetes for the workload"));
            }
        }
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        let option = |text: &Option<String>| fill_option(text.as_ref(), values, FillUse::Text);
        Ok(Self {
            cluster: self.cluster.clone(),
            namespace: fill_text(&self.namespace, values, FillUse::Text)?,
            resource: fill_text(&self.resource, values, FillUse::Text)?,
            operation: self.operation,
            workload: option(&self.workload)?,
            workload_namespace: option(&self.workload_namespace)?,
            container: option(&self.container)?,
            wait: self.wait,
        })
    }
}
