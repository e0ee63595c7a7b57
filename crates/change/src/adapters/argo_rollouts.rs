//! Argo Rollouts' notifications: what its webhook service sends with the template in docs/changes.md, or with one that sends the
//! whole rollout.
//!
//! A rollout's state is its `status`: <https://argo-rollouts.readthedocs.io/en/stable/features/notifications/>. The change is one
//! revision of one rollout (or, without a revision, one pod template hash); its steps are the stages.

use serde_json::Value as Json;

use super::parts::{Delivered, Draft, at, version_of_image};
use super::{Delivery, Item, Items, json_body};
use crate::{ChangeError, ChangeStatus, Stage};

pub(super) fn items(delivery: &Delivery<'_>) -> Items {
    let mut body = json_body(delivery)?;
    if let Some(rollout) = body.at("rollout").filter(|rollout| rollout.is_object()).cloned() {
        let event = body.first(&["event", "trigger"]);
        let timestamp = body.text("timestamp");
        body = Delivered(rollout);
        for (name, value) in [("event", event), ("timestamp", timestamp)] {
            if let (Some(object), Some(value)) = (body.0.as_object_mut(), value) {
                object.insert(name.to_owned(), Json::String(value));
            }
        }
    }
    Ok(vec![rollout(&body, delivery)])
}

fn rollout(body: &Delivered, delivery: &Delivery<'_>) -> Result<Item, ChangeError> {
    let name = body.first(&["rollout", "rollout_name", "metadata.name", "name"]);
    let name =
        name.ok_or_else(|| ChangeError::new("rollout", "it is missing", "use the template in docs/changes.md"))?;
    let namespace = body.first(&["namespace", "rollout_namespace", "metadata.namespace"]);
    let event = body.first(&["event", "trigger"]);
    let Some(status) = status_of(body, event.as_deref()) else {
        return Ok(Item::Ignored(format!("{name}: the event does not say how the rollout stands")));
    };
    let Some(revision) = revision(body) else {
        let hint = "use the template in docs/changes.md";
        return Err(ChangeError::new("revision", "neither it nor a pod template hash is there", hint));
    };
    let at = body.first_time(&["timestamp", "time"])?.unwrap_or(delivery.arrived_at);
    let place = namespace.as_ref().map_or_else(|| name.clone(), |namespace| format!("{namespace}.{name}"));
    let mut draft = Draft::deploy(format!("{place}:{revision}"));
    draft.target.service = body.first(&["service", "metadata.labels.service"]).or_else(|| Some(name.clone()));
    draft.target.environment =
        body.first(&["environment", "env", "metadata.labels.environment", "metadata.labels.env"]);
    draft.target.cluster = body.text("cluster");
    draft.target.namespace = namespace;
    draft.target.workload = Some(format!("Rollout/{name}"));
    draft.to_version = body.text("version").or_else(|| image(body).and_then(|image| version_of_image(&image)));
    draft.stands(status, at);
    draft.stages.extend(stage(body, status, at));
    draft.link = body.first(&["link", "url"]);
    draft.label("revision", Some(revision));
    draft.label("image", image(body));
    draft.label("rollouts.event", event);
    draft.label("message", body.first(&["message", "status.message"]));
    draft.raw = Some(body.without(&["metadata", "spec"]));
    Ok(Item::Reports(vec![draft]))
}

/// What the phase, the abort flag, or else the name of the trigger says.
fn status_of(body: &Delivered, event: Option<&str>) -> Option<ChangeStatus> {
    if body.first(&["abort", "aborted", "status.abort"]).as_deref() == Some("true") {
        return Some(ChangeStatus::Failed);
    }
    match body.first(&["phase", "status.phase"]).as_deref() {
        Some("Healthy" | "Completed") => return Some(ChangeStatus::Succeeded),
        Some("Degraded" | "Error" | "Failed") => return Some(ChangeStatus::Failed),
        Some("Progressing" | "Paused") => return Some(ChangeStatus::Running),
        _ => {}
    }
    match event?.trim_start_matches("on-") {
        "rollout-completed" => Some(ChangeStatus::Succeeded),
        "rollout-aborted" | "analysis-run-failed" | "analysis-run-error" => Some(ChangeStatus::Failed),
        "rollout-updated" | "rollout-step-completed" | "rollout-paused" | "scaling-replica-set" => {
            Some(ChangeStatus::Running)
        }
        _ => None,
    }
}

fn revision(body: &Delivered) -> Option<String> {
    let annotated = body.at("metadata.annotations").and_then(|fields| fields.get("rollout.argoproj.io/revision"));
    body.first(&["revision", "rollout_revision"])
        .or_else(|| annotated.and_then(Json::as_str).map(str::to_owned))
        .or_else(|| body.first(&["podHash", "currentPodHash", "status.currentPodHash"]))
}

fn image(body: &Delivered) -> Option<String> {
    let of_template = || at(&body.0, "spec.template.spec.containers.0.image").and_then(super::parts::text_of);
    body.first(&["image", "images.0"]).or_else(of_template)
}

/// The share of traffic that the new revision has now.
fn stage(body: &Delivered, status: ChangeStatus, at: model::Timestamp) -> Option<Stage> {
    let said = body.first(&["weight", "status.canary.weights.canary.weight"]).and_then(|text| text.parse().ok());
    let percent = match status {
        ChangeStatus::Succeeded => Some(100.0),
        ChangeStatus::Failed => Some(0.0),
        _ => said.filter(|percent| (0.0..=100.0).contains(percent)),
    };
    let step = body.first(&["step", "currentStepIndex", "status.currentStepIndex"]).map(|step| format!("step {step}"));
    percent.map(|percent| Stage { percent: Some(percent), name: step, at })
}
