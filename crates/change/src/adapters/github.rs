//! GitHub's webhooks `deployment` and `deployment_status`.
//!
//! Shapes: <https://docs.github.com/en/webhooks/webhook-events-and-payloads#deployment_status>. The change is the deployment, by its
//! id; each status shows the deployment too, so a status that comes first, or alone, gives the same record. The version is
//! `payload.version` of the deployment, else its `ref` when that looks like a version, else its commit.

use serde_json::json;

use super::parts::{Delivered, Draft, looks_like_a_version};
use super::{Delivery, Item, Items, json_body};
use crate::{ChangeError, ChangeStatus};

pub(super) fn items(delivery: &Delivery<'_>) -> Items {
    let body = json_body(delivery)?;
    let event = delivery.headers.get("x-github-event").map(String::as_str);
    let event =
        event.unwrap_or(if body.at("deployment_status").is_some() { "deployment_status" } else { "deployment" });
    match event {
        "deployment" => Ok(vec![Ok(Item::Reports(vec![deployment(&body)?]))]),
        "deployment_status" => Ok(vec![status(&body)]),
        "ping" => Item::ignored("ping: the webhook is set up"),
        "push" => Item::ignored("push: code was pushed, nothing that runs has changed"),
        other => Item::ignored(format!("{other}: only deployment and deployment_status tell of changes")),
    }
}

fn deployment(body: &Delivered) -> Result<Draft, ChangeError> {
    let mut draft = Draft::deploy(body.need("deployment.id")?);
    let repository = body.text("repository.full_name");
    let sha = body.text("deployment.sha");
    let git_ref = body.text("deployment.ref");
    let created_at = body.need_time("deployment.created_at")?.to_string();
    draft.target.service = body.first(&["deployment.payload.service", "repository.name"]);
    draft.target.environment = body.text("deployment.environment");
    draft.to_version = body
        .text("deployment.payload.version")
        .or_else(|| git_ref.clone().filter(|name| looks_like_a_version(name)))
        .or_else(|| sha.clone());
    draft.artifact =
        repository.as_ref().zip(sha.as_ref()).map(|(name, sha)| format!("pkg:github/{}@{sha}", name.to_lowercase()));
    draft.started_at = Some(created_at.clone());
    draft.reported_at = Some(created_at);
    draft.actor = body.first(&["deployment.creator.login", "sender.login"]);
    draft.link = body.text("repository.html_url").map(|url| format!("{url}/deployments"));
    draft.label("repository", repository);
    draft.label("commit", sha);
    draft.label("ref", git_ref);
    draft.label("task", body.text("deployment.task"));
    draft.label("description", body.text("deployment.description"));
    draft.raw = Some(json!({"deployment": body.at("deployment")}));
    Ok(draft)
}

fn status(body: &Delivered) -> Result<Item, ChangeError> {
    let state = body.need("deployment_status.state")?;
    let status = match state.as_str() {
        "success" => ChangeStatus::Succeeded,
        "failure" | "error" => ChangeStatus::Failed,
        "in_progress" => ChangeStatus::Running,
        "inactive" => {
            return Ok(Item::Ignored(
                "inactive: a later deployment took this one's place, which tells of itself".into(),
            ));
        }
        other => return Ok(Item::Ignored(format!("{other}: the deployment waits, nothing that runs has changed"))),
    };
    let begun = deployment(body)?;
    let at = body.need_time("deployment_status.created_at")?;
    let mut draft = Draft::deploy(begun.id.clone());
    draft.target = begun.target.clone();
    draft.stands(status, at);
    if status == ChangeStatus::Running {
        draft.started_at = Some(at.to_string());
    }
    draft.link = body.first(&["deployment_status.log_url", "deployment_status.target_url"]);
    draft.label("url", body.text("deployment_status.environment_url"));
    draft.label("github.state", Some(state));
    draft.label("message", body.text("deployment_status.description"));
    draft.raw = Some(json!({"deployment_status": body.at("deployment_status")}));
    Ok(Item::Reports(vec![begun, draft]))
}
