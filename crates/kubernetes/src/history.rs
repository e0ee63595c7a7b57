//! The revisions of a workload that its controller keeps, and which of them to go back to.

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use respond::WorkloadKind;
use serde_json::Value as Json;

use crate::link::{Link, Stop, resource};
use crate::template::{VERSION_ANNOTATION, hash, is_version, shown_version};

/// The number of a Deployment's revision, on it and on its ReplicaSets.
pub(crate) const DEPLOYMENT_REVISION: &str = "deployment.kubernetes.io/revision";
/// The number of a Rollout's revision, on it and on its ReplicaSets.
pub(crate) const ROLLOUT_REVISION: &str = "rollout.argoproj.io/revision";
/// Why a revision was made, as `kubectl rollout history` shows it.
pub(crate) const CHANGE_CAUSE: &str = "kubernetes.io/change-cause";

/// A revision that can be gone back to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Revision {
    /// Its number; the latest has the highest.
    pub(crate) number: i64,
    /// The name of the object that keeps it.
    pub(crate) name: String,
    /// Its pod template.
    pub(crate) template: Json,
    /// The version that its object is annotated with.
    pub(crate) annotated: Option<String>,
    /// Why it was made, if somebody said.
    pub(crate) cause: Option<String>,
}

impl Revision {
    fn is_version(&self, container: Option<&str>, version: &str) -> bool {
        self.annotated.as_deref() == Some(version) || is_version(&self.template, container, version)
    }

    /// For people.
    pub(crate) fn shown(&self, container: Option<&str>) -> String {
        format!("revision {} ({})", self.number, shown_version(&self.template, container))
    }
}

/// The revisions of a Deployment, StatefulSet or DaemonSet, the latest first.
pub(crate) async fn history(
    link: &Link,
    namespace: &str,
    kind: WorkloadKind,
    owner: &DynamicObject,
) -> Result<Vec<Revision>, Stop> {
    match kind {
        WorkloadKind::Deployment => replica_sets(link, namespace, owner, DEPLOYMENT_REVISION).await,
        WorkloadKind::StatefulSet | WorkloadKind::DaemonSet => {
            let kept = resource("apps", "v1", "ControllerRevision", "controllerrevisions");
            let objects = link.list(namespace, &kept, &selector(owner)).await?;
            Ok(sorted(owned(objects, owner).filter_map(|object| controller_revision(&object)).collect()))
        }
    }
}

/// The revisions that ReplicaSets keep, numbered by an annotation.
pub(crate) async fn replica_sets(
    link: &Link,
    namespace: &str,
    owner: &DynamicObject,
    numbered: &str,
) -> Result<Vec<Revision>, Stop> {
    let kept = resource("apps", "v1", "ReplicaSet", "replicasets");
    let objects = link.list(namespace, &kept, &selector(owner)).await?;
    Ok(sorted(owned(objects, owner).filter_map(|object| replica_set(&object, numbered)).collect()))
}

fn sorted(mut revisions: Vec<Revision>) -> Vec<Revision> {
    revisions.sort_by_key(|revision| std::cmp::Reverse(revision.number));
    revisions
}

fn owned(objects: Vec<DynamicObject>, owner: &DynamicObject) -> impl Iterator<Item = DynamicObject> {
    let uid = owner.uid();
    objects.into_iter().filter(move |object| object.owner_references().iter().any(|by| Some(&by.uid) == uid.as_ref()))
}

/// The labels that every revision has; expressions only narrow, and owners are compared anyway.
fn selector(owner: &DynamicObject) -> String {
    let labels = owner.data.pointer("/spec/selector/matchLabels").and_then(Json::as_object);
    let pairs = labels.into_iter().flatten().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?)));
    pairs.collect::<Vec<_>>().join(",")
}

fn replica_set(object: &DynamicObject, numbered: &str) -> Option<Revision> {
    let annotations = object.annotations();
    let mut template = object.data.pointer("/spec/template")?.clone();
    for label in ["pod-template-hash", "rollouts-pod-template-hash"] {
        if let Some(labels) = template.pointer_mut("/metadata/labels").and_then(Json::as_object_mut) {
            labels.remove(label);
        }
    }
    Some(Revision {
        number: annotations.get(numbered)?.parse().ok()?,
        name: object.name_any(),
        template,
        annotated: annotations.get(VERSION_ANNOTATION).cloned(),
        cause: annotations.get(CHANGE_CAUSE).cloned(),
    })
}

/// A ControllerRevision keeps a strategic merge patch whose template replaces the whole: the template beside its `$patch`.
fn controller_revision(object: &DynamicObject) -> Option<Revision> {
    let mut template = object.data.pointer("/data/spec/template")?.clone();
    template.as_object_mut()?.remove("$patch");
    Some(Revision {
        number: object.data.get("revision")?.as_i64()?,
        name: object.name_any(),
        template,
        annotated: object.annotations().get(VERSION_ANNOTATION).cloned(),
        cause: object.annotations().get(CHANGE_CAUSE).cloned(),
    })
}

/// The latest revision of a version that is not the current one; the latest other one when no version is asked for.
pub(crate) fn choose<'a>(
    history: &'a [Revision],
    current: &Json,
    wanted: &str,
    container: Option<&str>,
) -> Result<&'a Revision, Stop> {
    let now = hash(current);
    let others: Vec<&Revision> = history.iter().filter(|revision| hash(&revision.template) != now).collect();
    let Some(latest) = others.first() else {
        let hint = "look at its revisionHistoryLimit";
        return Err(Stop::Refused(format!("there is no earlier revision to go back to; {hint}")));
    };
    if wanted.is_empty() {
        return Ok(latest);
    }
    if let Some(found) = others.iter().find(|revision| revision.is_version(container, wanted)) {
        return Ok(found);
    }
    if is_version(current, container, wanted) {
        return Err(Stop::Refused(format!("it runs {wanted} already")));
    }
    let kept = others.iter().map(|revision| revision.shown(container)).collect::<Vec<_>>().join(", ");
    Err(Stop::Refused(format!("no revision of version {wanted} is kept; kept are {kept}")))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn template(image: &str, env: &str) -> Json {
        json!({"spec": {"containers": [{"name": "app", "image": image, "env": [{"name": "E", "value": env}]}]}})
    }

    fn check(kept: &[(i64, &str, &str)], current: (&str, &str), wanted: &str, expect: Expect) {
        let history: Vec<Revision> = kept
            .iter()
            .map(|(number, image, env)| Revision {
                number: *number,
                name: format!("rs-{number}"),
                template: template(image, env),
                annotated: None,
                cause: None,
            })
            .collect();
        let chosen = choose(&sorted(history), &template(current.0, current.1), wanted, None).map(|r| r.name.clone());
        expect.assert_eq(&match chosen {
            Ok(name) => name,
            Err(stop) => stop.ended().1,
        });
    }

    #[test]
    fn the_revision_of_a_version_is_found_or_refused() {
        let kept = [(1, "shop:1.3", "a"), (2, "shop:1.4", "a"), (4, "shop:1.5", "a"), (3, "shop:1.4", "b")];
        check(&kept, ("shop:1.5", "a"), "1.4", expect!["rs-3"]);
        check(&kept, ("shop:1.5", "a"), "", expect!["rs-3"]);
        check(&kept, ("shop:1.4", "a"), "1.4", expect!["rs-3"]);
        check(&kept, ("shop:1.4", "a"), "", expect!["rs-4"]);
        check(&kept, ("shop:1.5", "a"), "1.5", expect!["it runs 1.5 already"]);
        check(
            &kept,
            ("shop:1.5", "a"),
            "1.2",
            expect![
                "no revision of version 1.2 is kept; kept are revision 3 (1.4), revision 2 (1.4), revision 1 (1.3)"
            ],
        );
        check(
            &kept[..1],
            ("shop:1.3", "a"),
            "",
            expect!["there is no earlier revision to go back to; look at its revisionHistoryLimit"],
        );
    }
}
