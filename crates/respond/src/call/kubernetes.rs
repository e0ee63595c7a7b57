//! A workload of a Kubernetes cluster.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::{CallProblem, Verb, check_text, check_verb, fill_option, fill_text};
use crate::fill::{FillError, FillUse};

/// Longest name of an object or a namespace, in bytes: a DNS subdomain of RFC 1123, as Kubernetes has it.
pub const OBJECT_NAME_BYTES_MAX: usize = 253;

/// A workload of a Kubernetes cluster.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesCall {
    /// The cluster's name in the configuration; the only one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The workload's namespace.
    pub namespace: String,
    /// `deployment/NAME`, `statefulset/NAME` or `daemonset/NAME`.
    pub workload: String,
    /// The container whose image tells the version; any of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Whether to wait until the change has reached every instance.
    #[serde(default = "yes")]
    pub wait: bool,
    /// Whether scaling to zero instances is allowed.
    #[serde(default)]
    pub allow_zero: bool,
}

pub(super) fn yes() -> bool {
    true
}

/// What runs the pods of a workload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WorkloadKind {
    /// A Deployment; its revisions are ReplicaSets.
    Deployment,
    /// A StatefulSet; its revisions are ControllerRevisions.
    StatefulSet,
    /// A DaemonSet; its revisions are ControllerRevisions.
    DaemonSet,
}

impl WorkloadKind {
    /// Every kind.
    pub const ALL: [WorkloadKind; 3] = [Self::Deployment, Self::StatefulSet, Self::DaemonSet];

    /// The kind as Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
        }
    }
}

/// A workload inside its namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadName {
    /// What runs it.
    pub kind: WorkloadKind,
    /// Its name.
    pub name: String,
}

impl fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str().to_ascii_lowercase(), self.name)
    }
}

impl WorkloadName {
    /// Reads `deployment/checkout`.
    pub fn parse(text: &str) -> Result<WorkloadName, String> {
        let hint = "write deployment/NAME, statefulset/NAME or daemonset/NAME";
        let (kind, name) = text.split_once('/').ok_or_else(|| format!("{text:?} is no workload: {hint}"))?;
        let kind = WorkloadKind::ALL
            .into_iter()
            .find(|known| known.as_str().eq_ignore_ascii_case(kind))
            .ok_or_else(|| format!("{kind:?} is no kind of workload: {hint}"))?;
        check_object_name(name)?;
        Ok(WorkloadName { kind, name: name.to_owned() })
    }
}

/// Whether a text may be the name of an object: nothing else is ever put into a request's path.
pub fn check_object_name(name: &str) -> Result<(), String> {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    let edge = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let bytes = name.as_bytes();
    let valid = edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(|byte| allowed(*byte));
    if valid && bytes.len() <= OBJECT_NAME_BYTES_MAX {
        return Ok(());
    }
    Err(format!(
        "{name:?} is no name of an object: use at most {OBJECT_NAME_BYTES_MAX} lower-case letters, digits, - and ."
    ))
}

impl KubernetesCall {
    pub(super) fn check(&self, verb: Verb, problems: &mut Vec<CallProblem>) {
        check_place(self.cluster.as_deref(), &self.namespace, problems);
        check_name("workload", &self.workload, |text| WorkloadName::parse(text).map(drop), problems);
        if let Some(container) = &self.container {
            check_name("container", container, check_object_name, problems);
        }
        check_verb("kubernetes", verb, &[Verb::Rollback, Verb::Restart, Verb::Scale], problems);
        if verb == Verb::Scale && self.workload.to_ascii_lowercase().starts_with("daemonset/") {
            let hint = "a DaemonSet runs one pod on every node that it selects";
            problems.push(CallProblem::new("workload", "a DaemonSet can not be scaled", hint));
        }
    }

    pub(super) fn fill(&self, values: &BTreeMap<String, String>) -> Result<Self, FillError> {
        Ok(Self {
            cluster: self.cluster.clone(),
            namespace: fill_text(&self.namespace, values, FillUse::Text)?,
            workload: fill_text(&self.workload, values, FillUse::Text)?,
            container: fill_option(self.container.as_ref(), values, FillUse::Text)?,
            wait: self.wait,
            allow_zero: self.allow_zero,
        })
    }
}

/// The cluster is written by people only; the namespace may be filled in.
pub(super) fn check_place(cluster: Option<&str>, namespace: &str, problems: &mut Vec<CallProblem>) {
    if cluster.is_some_and(|cluster| cluster.is_empty() || cluster.contains("{{")) {
        let hint = "name one of kubernetes.clusters of the configuration, without a template";
        problems.push(CallProblem::new("cluster", "the cluster is empty or a template", hint));
    }
    check_name("namespace", namespace, check_object_name, problems);
}

/// Checks the templates of a text, and the text itself when it has none.
pub(super) fn check_name(
    field: &str,
    text: &str,
    check: impl Fn(&str) -> Result<(), String>,
    problems: &mut Vec<CallProblem>,
) {
    if check_text(field, text, problems).is_none() || text.contains("{{") {
        return;
    }
    if let Err(message) = check(text) {
        problems.push(CallProblem::new(field, message, "docs/kubernetes.md shows the targets"));
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::Call;

    fn check(kind: &str, verb: Verb, target: Json, expect: Expect) {
        let Json::Object(keys) = target else { panic!("a target is an object") };
        let text = match Call::read(kind, verb, &keys.into_iter().collect()) {
            Ok(call) => serde_json::to_string(&call).unwrap(),
            Err(problems) => {
                problems.iter().map(|found| format!("{}: {}; {}\n", found.field, found.message, found.hint)).collect()
            }
        };
        expect.assert_eq(&text);
    }

    #[test]
    fn targets_of_a_cluster_are_read_or_refused() {
        let shop = |workload: &str| json!({"namespace": "shop", "workload": workload});
        check(
            "kubernetes",
            Verb::Rollback,
            shop("deployment/{{ service }}"),
            expect![[
                r#"{"kind":"kubernetes","namespace":"shop","workload":"deployment/{{ service }}","wait":true,"allow_zero":false}"#
            ]],
        );
        check(
            "kubernetes",
            Verb::Rollback,
            shop("checkout"),
            expect![[r#"
            workload: "checkout" is no workload: write deployment/NAME, statefulset/NAME or daemonset/NAME; docs/kubernetes.md shows the targets
        "#]],
        );
        check(
            "kubernetes",
            Verb::Rollback,
            shop("deployment/../secrets/x"),
            expect![[r#"
            workload: "../secrets/x" is no name of an object: use at most 253 lower-case letters, digits, - and .; docs/kubernetes.md shows the targets
        "#]],
        );
        check(
            "kubernetes",
            Verb::Scale,
            shop("daemonset/agent"),
            expect![[r#"
            workload: a DaemonSet can not be scaled; a DaemonSet runs one pod on every node that it selects
        "#]],
        );
        check(
            "kubernetes",
            Verb::Act,
            shop("deployment/checkout"),
            expect![[r#"
            kind: kind kubernetes can not act; it can rollback, restart, scale
        "#]],
        );
        check(
            "kubernetes",
            Verb::Restart,
            json!({"cluster": "{{ service }}", "namespace": "", "workload": "pod/x"}),
            expect![[r#"
                cluster: the cluster is empty or a template; name one of kubernetes.clusters of the configuration, without a template
                namespace: "" is no name of an object: use at most 253 lower-case letters, digits, - and .; docs/kubernetes.md shows the targets
                workload: "pod" is no kind of workload: write deployment/NAME, statefulset/NAME or daemonset/NAME; docs/kubernetes.md shows the targets
            "#]],
        );
    }

    #[test]
    fn targets_of_operators_are_read_or_refused() {
        check(
            "argo_rollouts",
            Verb::Rollback,
            json!({"namespace": "shop", "rollout": "checkout", "operation": "promote"}),
            expect![[r#"
                : the target of kind argo_rollouts can not be read: unknown variant `promote`, expected one of `auto`, `abort`, `undo`; docs/actions.md shows the target of kind argo_rollouts
            "#]],
        );
        check(
            "argo_rollouts",
            Verb::Scale,
            json!({"namespace": "shop", "rollout": "checkout"}),
            expect![[r#"
            kind: kind argo_rollouts can not scale; it can rollback
        "#]],
        );
        check(
            "flux",
            Verb::Rollback,
            json!({"namespace": "flux-system", "resource": "kustomization/apps"}),
            expect![[r#"
                workload: a rollback of kind flux undoes a workload; name the workload to undo and leave the operation out: a rollback suspends by itself
            "#]],
        );
        check(
            "flux",
            Verb::Act,
            json!({"namespace": "flux-system", "resource": "gitrepository/apps", "operation": "resume"}),
            expect![[r#"
                resource: "gitrepository" is no kind of Flux's that can be suspended: write kustomization/NAME or helmrelease/NAME; docs/kubernetes.md shows the targets
            "#]],
        );
        check(
            "flux",
            Verb::Act,
            json!({"namespace": "flux-system", "resource": "kustomization/apps", "operation": "resume"}),
            expect![[
                r#"{"kind":"flux","namespace":"flux-system","resource":"kustomization/apps","operation":"resume","wait":true}"#
            ]],
        );
        check(
            "helm",
            Verb::Rollback,
            json!({"program": "helm", "namespace": "shop", "release": "checkout", "revision": "0"}),
            expect![[r#"
                program: the program "helm" is not an absolute path; write it out, without a template; it must be on the allow-list too
                revision: "0" is no revision: give a number above 0; docs/kubernetes.md shows the targets
            "#]],
        );
    }
}
