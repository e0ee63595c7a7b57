//! Events of Flux's notification-controller, sent by a provider of type `generic` or `generic-hmac`.
//!
//! Shape: <https://fluxcd.io/flux/components/notification/events/>. The change is one revision of one Kustomization or HelmRelease.
//! Events of sources (a repository was fetched) are no change: nothing that runs is different yet.

use model::Timestamp;

use super::parts::{Delivered, Draft, looks_like_a_version};
use super::{Delivery, Item, Items, json_body};
use crate::{ChangeError, ChangeStatus};

pub(super) fn items(delivery: &Delivery<'_>) -> Items {
    let body = json_body(delivery)?;
    Ok(vec![event(&body, delivery.arrived_at)])
}

fn event(body: &Delivered, arrived_at: Timestamp) -> Result<Item, ChangeError> {
    let (kind, name) = (body.need("involvedObject.kind")?, body.need("involvedObject.name")?);
    let namespace = body.need("involvedObject.namespace")?;
    let reason = body.need("reason")?;
    if !["Kustomization", "HelmRelease"].contains(&kind.as_str()) {
        return Ok(Item::Ignored(format!("{kind} {reason}: only Kustomization and HelmRelease change what runs")));
    }
    if metadata(body, "commit_status").as_deref() == Some("update") {
        return Ok(Item::Ignored(format!("{reason}: a periodic reconciliation that applied nothing new")));
    }
    let Some(status) = status_of(&reason, body.text("severity").as_deref()) else {
        return Ok(Item::Ignored(format!("{reason}: nothing that runs has changed")));
    };
    let Some(revision) = metadata(body, "revision") else {
        return Ok(Item::Ignored(format!("{reason}: the event names no revision, so it tells of no change")));
    };
    let at = body.time("timestamp")?.unwrap_or(arrived_at);
    // The same chart with other values is another change; Flux tells them apart by a token.
    let token = metadata(body, "token").map(|token| format!(":{token}")).unwrap_or_default();
    let mut draft = Draft::deploy(format!("{}.{namespace}.{name}:{revision}{token}", kind.to_lowercase()));
    draft.target.service = metadata(body, "service").or_else(|| Some(name.clone()));
    draft.target.environment = metadata(body, "environment").or_else(|| metadata(body, "env"));
    draft.target.cluster = metadata(body, "cluster");
    draft.target.namespace = Some(namespace);
    draft.target.workload = Some(format!("{kind}/{name}"));
    draft.to_version =
        metadata(body, "version").or_else(|| metadata(body, "app-version")).or_else(|| Some(short_revision(&revision)));
    draft.stands(status, at);
    draft.label("revision", Some(revision));
    draft.label("flux.reason", Some(reason));
    draft.label("flux.controller", body.text("reportingController"));
    draft.label("message", body.text("message"));
    draft.raw = Some(body.0.clone());
    Ok(Item::Reports(vec![draft]))
}

/// Metadata of an event, whose keys may carry the group of the controller: `kustomize.toolkit.fluxcd.io/revision`.
fn metadata(body: &Delivered, key: &str) -> Option<String> {
    let fields = body.at("metadata")?.as_object()?;
    let named = fields.iter().find(|(name, _)| name.rsplit('/').next() == Some(key));
    named.and_then(|(_, value)| super::parts::text_of(value))
}

/// What a reason says of the rollout; nothing for one that tells of waiting, of tests, or of drift.
fn status_of(reason: &str, severity: Option<&str>) -> Option<ChangeStatus> {
    match reason {
        "Progressing" | "ProgressingWithRetry" => Some(ChangeStatus::Running),
        "DependencyNotReady" | "ArtifactFailed" | "DriftDetected" | "DriftCorrected" | "Suspended"
        | "TestSucceeded" => None,
        reason if reason.ends_with("Succeeded") => Some(ChangeStatus::Succeeded),
        reason if reason.ends_with("Failed") => Some(ChangeStatus::Failed),
        _ if severity == Some("error") => Some(ChangeStatus::Failed),
        _ => None,
    }
}

/// `main@sha1:4fd1…` is the commit, `v1.4.0@sha1:4fd1…` the tag, `6.5.0` itself.
fn short_revision(revision: &str) -> String {
    let Some((name, digest)) = revision.rsplit_once('@') else { return revision.to_owned() };
    let name = name.rsplit('/').next().unwrap_or(name);
    if looks_like_a_version(name) {
        return name.to_owned();
    }
    digest.split_once(':').map_or(digest, |(_, hash)| hash).to_owned()
}
