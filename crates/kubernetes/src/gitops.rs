//! Who else writes an object: a reconciler that would undo what an action does.
//!
//! A rollback or a scale that Argo CD, Flux or an autoscaler takes back minutes later is worse than none, since everybody
//! believes in it. So such an action is refused, and the refusal names the kind of action that works. A restart is left alone by
//! all of them: none owns the annotation that it sets.

use kube::ResourceExt as _;
use kube::api::DynamicObject;
use respond::{Verb, WorkloadKind};
use serde_json::Value as Json;

use crate::link::{Link, Stop, resource, workload_resource};
use crate::template::text;

/// Where Argo CD keeps its Applications unless the tracking id says otherwise.
const ARGO_CD_NAMESPACE: &str = "argocd";

/// Who keeps an object as it is written elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manager {
    /// An Application of Argo CD: namespace and name.
    ArgoCd(String, String),
    /// A Kustomization of Flux: namespace and name.
    Kustomization(String, String),
    /// A HelmRelease of Flux: namespace and name.
    HelmRelease(String, String),
    /// A release of Helm; nothing reconciles it, the next upgrade replaces what differs.
    Helm(String),
}

/// Who manages an object, by what they leave on it.
pub(crate) fn managers(namespace: &str, object: &DynamicObject) -> Vec<Manager> {
    let (labels, annotations) = (object.labels(), object.annotations());
    let mut found = Vec::new();
    if let Some(tracking) = annotations.get("argocd.argoproj.io/tracking-id") {
        // "app:apps/Deployment:shop/checkout", where the application may be "namespace_app".
        let app = tracking.split(':').next().unwrap_or_default();
        let (at, app) = app.split_once('_').unwrap_or((ARGO_CD_NAMESPACE, app));
        found.push(Manager::ArgoCd(at.to_owned(), app.to_owned()));
    } else if let Some(app) = labels.get("argocd.argoproj.io/instance") {
        found.push(Manager::ArgoCd(ARGO_CD_NAMESPACE.to_owned(), app.clone()));
    }
    let flux = |prefix: &str| {
        let name = labels.get(&format!("{prefix}/name"))?;
        let at = labels.get(&format!("{prefix}/namespace")).map_or(namespace, String::as_str);
        Some((at.to_owned(), name.clone()))
    };
    let left_alone =
        annotations.get("kustomize.toolkit.fluxcd.io/reconcile").is_some_and(|reconcile| reconcile == "disabled");
    if let (Some((at, name)), false) = (flux("kustomize.toolkit.fluxcd.io"), left_alone) {
        found.push(Manager::Kustomization(at, name));
    }
    if let Some((at, name)) = flux("helm.toolkit.fluxcd.io") {
        found.push(Manager::HelmRelease(at, name));
    } else if let Some(release) = annotations.get("meta.helm.sh/release-name") {
        found.push(Manager::Helm(release.clone()));
    }
    found
}

/// Refuses what would be undone; otherwise says what is worth knowing. `silenced` is suspended before the action.
pub(crate) async fn check(
    link: &Link,
    namespace: &str,
    object: &DynamicObject,
    verb: Verb,
    silenced: Option<&Manager>,
) -> Result<Vec<String>, Stop> {
    let mut notes = Vec::new();
    if verb == Verb::Restart {
        return Ok(notes);
    }
    for manager in managers(namespace, object).into_iter().filter(|manager| Some(manager) != silenced) {
        match manager {
            Manager::ArgoCd(at, app) => notes.push(argo_cd(link, &at, &app).await?),
            Manager::Kustomization(at, name) => notes.push(flux(link, "Kustomization", &at, &name).await?),
            Manager::HelmRelease(at, name) => notes.push(flux(link, "HelmRelease", &at, &name).await?),
            Manager::Helm(release) => {
                notes.push(format!("it belongs to helm release {release}: kind helm rolls back all of the release"));
            }
        }
    }
    Ok(notes)
}

/// An Application that can not be read may sync by itself: that is not "it does not".
async fn argo_cd(link: &Link, namespace: &str, app: &str) -> Result<String, Stop> {
    let kind = resource("argoproj.io", "v1alpha1", "Application", "applications");
    let refuse = |why: String| {
        let hint = "use kind argocd, or kind git_revert for the commit";
        Stop::Refused(format!("Argo CD would undo it: {why}; {hint}"))
    };
    let found = link.find(namespace, &kind, app).await;
    match found {
        Ok(Some(found)) if !syncs_by_itself(&found) => {
            Ok(format!("Application {app} does not sync by itself; its next sync undoes this"))
        }
        Ok(Some(_)) => Err(refuse(format!("Application {namespace}/{app} syncs by itself"))),
        Ok(None) => Err(refuse(format!("it is tracked by Application {app}, which is not in namespace {namespace}"))),
        Err(stop) => Err(refuse(format!("Application {namespace}/{app} can not be read ({})", stop.ended().1))),
    }
}

fn syncs_by_itself(application: &DynamicObject) -> bool {
    let skipped = application.annotations().get("argocd.argoproj.io/skip-reconcile");
    let automated = application.data.pointer("/spec/syncPolicy/automated").filter(|automated| !automated.is_null());
    let enabled = automated.is_some_and(|automated| automated.get("enabled") != Some(&Json::Bool(false)));
    enabled && skipped.is_none_or(|skip| skip != "true")
}

async fn flux(link: &Link, kind: &str, namespace: &str, name: &str) -> Result<String, Stop> {
    let api = if kind == "Kustomization" { flux_kustomization() } else { flux_helm_release() };
    let refuse = |why: String| {
        let hint = "use kind flux, which suspends it first, or kind git_revert for the commit";
        Stop::Refused(format!("Flux would undo it: {why}; {hint}"))
    };
    match link.find(namespace, &api, name).await {
        Ok(Some(found)) if is_suspended(&found) => {
            Ok(format!("{kind} {namespace}/{name} is suspended; resuming it undoes this"))
        }
        Ok(Some(_)) => Err(refuse(format!("{kind} {namespace}/{name} reconciles it"))),
        Ok(None) => Err(refuse(format!("it is labelled with {kind} {namespace}/{name}, which is not there"))),
        Err(stop) => Err(refuse(format!("{kind} {namespace}/{name} can not be read ({})", stop.ended().1))),
    }
}

/// Flux's Kustomization.
pub(crate) fn flux_kustomization() -> kube::core::ApiResource {
    resource("kustomize.toolkit.fluxcd.io", "v1", "Kustomization", "kustomizations")
}

/// Flux's HelmRelease.
pub(crate) fn flux_helm_release() -> kube::core::ApiResource {
    resource("helm.toolkit.fluxcd.io", "v2", "HelmRelease", "helmreleases")
}

/// Whether Flux leaves an object's manifests alone.
pub(crate) fn is_suspended(object: &DynamicObject) -> bool {
    object.data.pointer("/spec/suspend") == Some(&Json::Bool(true))
}

/// Refuses a number of instances that an autoscaler would set otherwise.
pub(crate) async fn check_autoscaler(link: &Link, namespace: &str, kind: &str, name: &str) -> Result<(), Stop> {
    let api = resource("autoscaling", "v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers");
    let scales = |hpa: &&DynamicObject| {
        let target = |field| text(&hpa.data, &["spec", "scaleTargetRef", field]);
        target("kind") == Some(kind) && target("name") == Some(name)
    };
    match link.list(namespace, &api, "").await?.iter().find(scales) {
        None => Ok(()),
        Some(hpa) => {
            let hint = "change its minReplicas and maxReplicas instead";
            let hpa = hpa.name_any();
            Err(Stop::Refused(format!("HorizontalPodAutoscaler {hpa} scales it and would undo it; {hint}")))
        }
    }
}

/// Refuses to roll a release of Helm back whose workloads a reconciler keeps.
pub(crate) async fn check_release(link: &Link, namespace: &str, release: &str) -> Result<Vec<String>, Stop> {
    let mut notes = Vec::new();
    for kind in WorkloadKind::ALL {
        for object in link.list(namespace, &workload_resource(kind), "").await? {
            if object.annotations().get("meta.helm.sh/release-name").is_some_and(|name| name == release) {
                notes.extend(check(link, namespace, &object, Verb::Rollback, None).await?);
            }
        }
    }
    // What the workloads say of helm itself is known here.
    notes.retain(|note| !note.contains("kind helm"));
    notes.sort_unstable();
    notes.dedup();
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(labels: Json, annotations: Json, expect: Expect) {
        let object = json!({"metadata": {"name": "checkout", "labels": labels, "annotations": annotations}});
        let object: DynamicObject = serde_json::from_value(object).unwrap();
        expect.assert_eq(&format!("{:?}", managers("shop", &object)));
    }

    #[test]
    fn managers_are_known_by_their_labels() {
        check(json!({"app.kubernetes.io/instance": "x"}), json!({}), expect!["[]"]);
        check(
            json!({}),
            json!({"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/checkout"}),
            expect![[r#"[ArgoCd("argocd", "shop")]"#]],
        );
        check(
            json!({"argocd.argoproj.io/instance": "old"}),
            json!({"argocd.argoproj.io/tracking-id": "team_shop:apps/Deployment:shop/checkout"}),
            expect![[r#"[ArgoCd("team", "shop")]"#]],
        );
        check(
            json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}),
            json!({}),
            expect![[r#"[Kustomization("flux-system", "apps")]"#]],
        );
        check(
            json!({"kustomize.toolkit.fluxcd.io/name": "apps"}),
            json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}),
            expect!["[]"],
        );
        check(
            json!({"helm.toolkit.fluxcd.io/name": "checkout"}),
            json!({"meta.helm.sh/release-name": "checkout"}),
            expect![[r#"[HelmRelease("shop", "checkout")]"#]],
        );
        check(json!({}), json!({"meta.helm.sh/release-name": "checkout"}), expect![[r#"[Helm("checkout")]"#]]);
    }

    #[test]
    fn an_application_syncs_by_itself_unless_it_says_not() {
        let application = |spec: Json, annotations: Json| {
            let object = json!({"metadata": {"name": "a", "annotations": annotations}, "spec": spec});
            syncs_by_itself(&serde_json::from_value(object).unwrap())
        };
        assert!(application(json!({"syncPolicy": {"automated": {}}}), json!({})));
        assert!(!application(json!({"syncPolicy": {"automated": {"enabled": false}}}), json!({})));
        assert!(!application(json!({"syncPolicy": {"automated": null}}), json!({})));
        assert!(!application(json!({}), json!({})));
        let skipped = json!({"argocd.argoproj.io/skip-reconcile": "true"});
        assert!(!application(json!({"syncPolicy": {"automated": {}}}), skipped));
    }
}
