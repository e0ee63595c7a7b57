//! Argo CD's notifications: what its webhook service sends with the template in docs/changes.md, or with one that sends the whole
//! application.
//!
//! An application's last sync is `status.operationState`: <https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/>.
//! The change is one sync operation of one application, by the time at which it began, so a sync back to an older revision is a
//! change of its own. Its beginning, its end, and what its health was later are one record.

use serde_json::Value as Json;

use super::parts::{Delivered, Draft, version_of_image};
use super::{Delivery, Item, Items, json_body};
use crate::{ChangeError, ChangeStatus};

pub(super) fn items(delivery: &Delivery<'_>) -> Items {
    let mut body = json_body(delivery)?;
    // A template may send the whole application, as itself or as `app`.
    if let Some(app) = body.at("app").filter(|app| app.is_object()).cloned() {
        body = Delivered(app);
    }
    Ok(vec![application(&body, delivery)])
}

fn application(body: &Delivered, delivery: &Delivery<'_>) -> Result<Item, ChangeError> {
    let name = body.first(&["app", "application", "appName", "app_name", "metadata.name", "name"]);
    let name = name.ok_or_else(|| ChangeError::new("app", "it is missing", "use the template in docs/changes.md"))?;
    let operation = "status.operationState";
    let phase = body.first(&["phase", "operation_state", "status.operationState.phase", "sync_phase"]);
    let status = match phase.as_deref() {
        Some("Running" | "Terminating") => ChangeStatus::Running,
        Some("Succeeded") => ChangeStatus::Succeeded,
        Some("Failed" | "Error") => ChangeStatus::Failed,
        _ => return Ok(Item::Ignored(format!("{name}: the event tells of no sync, so nothing that runs has changed"))),
    };
    let started_at = body.first_time(&["startedAt", "started_at", "status.operationState.startedAt"])?;
    let finished_at = body.first_time(&["finishedAt", "finished_at", "status.operationState.finishedAt"])?;
    let revision = body.first(&[
        "revision",
        "sync_revision",
        "status.operationState.syncResult.revision",
        "status.operationState.operation.sync.revision",
        "status.sync.revision",
    ]);
    let app_namespace = body.first(&["appNamespace", "app_namespace", "metadata.namespace"]);
    let place = app_namespace.map_or_else(|| name.clone(), |namespace| format!("{namespace}.{name}"));
    let Some(occasion) = started_at.map(|time| time.to_string()).or_else(|| revision.clone()) else {
        let hint = "use the template in docs/changes.md";
        return Err(ChangeError::new("startedAt", "neither it nor a revision is there", hint));
    };
    let mut draft = Draft::deploy(format!("{place}:{occasion}"));
    draft.target.service = body.first(&["service", "metadata.labels.service"]).or_else(|| Some(name.clone()));
    draft.target.environment =
        body.first(&["environment", "env", "metadata.labels.environment", "metadata.labels.env"]);
    draft.target.cluster = body.first(&[
        "destination.name",
        "spec.destination.name",
        "cluster",
        "destination.server",
        "spec.destination.server",
    ]);
    draft.target.namespace = body.first(&["namespace", "destination.namespace", "spec.destination.namespace"]);
    draft.target.workload = Some(name);
    draft.to_version = body.text("version").or_else(|| image_version(body)).or_else(|| revision.clone());
    draft.started_at = started_at.map(|time| time.to_string());
    draft.stands(status, finished_at.unwrap_or(delivery.arrived_at));
    if status == ChangeStatus::Running {
        draft.reported_at = Some(started_at.unwrap_or(delivery.arrived_at).to_string());
    }
    draft.actor =
        body.first(&["actor", "initiatedBy", "status.operationState.operation.initiatedBy.username", "author"]);
    draft.link = body.first(&["link", "url"]);
    draft.label("revision", revision);
    draft.label("project", body.first(&["project", "spec.project"]));
    draft.label("repository", body.first(&["repoURL", "repo_url", "spec.source.repoURL"]));
    draft.label("message", body.first(&["message", &format!("{operation}.message")]));
    draft.raw = Some(body.without(&["metadata"]));
    let mut drafts = vec![draft];
    drafts.extend(health(body, &drafts[0], delivery)?);
    Ok(Item::Reports(drafts))
}

/// The health of an application, said at its own moment: an old message must not hide how it is now.
fn health(body: &Delivered, of: &Draft, delivery: &Delivery<'_>) -> Result<Option<Draft>, ChangeError> {
    let Some(health) = body.first(&["health", "health_status", "status.health.status"]) else { return Ok(None) };
    let at = body.first_time(&["timestamp", "status.health.lastTransitionTime", "status.reconciledAt"])?;
    let mut draft = Draft::deploy(of.id.clone());
    draft.target = of.target.clone();
    draft.reported_at = Some(at.unwrap_or(delivery.arrived_at).to_string());
    draft.label("health", Some(health));
    Ok(Some(draft))
}

/// The version of the application's image when it has exactly one.
fn image_version(body: &Delivered) -> Option<String> {
    let images = ["images", "status.summary.images"].iter().find_map(|path| body.at(path).and_then(Json::as_array))?;
    match images.as_slice() {
        [image] => version_of_image(image.as_str()?),
        _ => None,
    }
}
