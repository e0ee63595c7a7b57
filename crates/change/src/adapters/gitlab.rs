//! GitLab's deployment webhook.
//!
//! Shape: <https://docs.gitlab.com/user/project/integrations/webhook_events/#deployment-events>. The change is the deployment, by
//! its id. The service is the project's name; the version its `ref` when that looks like a version (a pipeline of a tag), else
//! the commit.

use super::parts::{Delivered, Draft, looks_like_a_version};
use super::{Delivery, Item, Items, json_body};
use crate::{ChangeError, ChangeStatus};

pub(super) fn items(delivery: &Delivery<'_>) -> Items {
    let body = json_body(delivery)?;
    match body.text("object_kind").as_deref() {
        Some("deployment") => Ok(vec![deployment(&body)]),
        Some(other) => Item::ignored(format!("{other}: only deployment tells of changes")),
        None => Err(ChangeError::new("object_kind", "it is missing", "send GitLab's deployment events here")),
    }
}

fn deployment(body: &Delivered) -> Result<Item, ChangeError> {
    let state = body.need("status")?;
    let status = match state.as_str() {
        "running" => ChangeStatus::Running,
        "success" => ChangeStatus::Succeeded,
        "failed" | "canceled" => ChangeStatus::Failed,
        other => {
            return Ok(Item::Ignored(format!("{other}: the deployment has not run, nothing that runs has changed")));
        }
    };
    let at = body.need_time("status_changed_at")?;
    let mut draft = Draft::deploy(body.need("deployment_id")?);
    let commit = body.text("commit_url").and_then(|url| url.rsplit('/').next().map(str::to_owned));
    let commit = commit.or_else(|| body.text("short_sha"));
    let git_ref = body.text("ref");
    draft.target.service = body.text("project.name");
    draft.target.environment = body.text("environment");
    draft.to_version = git_ref.clone().filter(|name| looks_like_a_version(name)).or_else(|| body.text("short_sha"));
    draft.stands(status, at);
    if status == ChangeStatus::Running {
        draft.started_at = Some(at.to_string());
    }
    draft.actor = body.first(&["user.username", "user.name"]);
    draft.link = body.text("deployable_url");
    draft.artifact = body
        .text("project.path_with_namespace")
        .zip(commit.as_ref())
        .map(|(path, commit)| format!("pkg:gitlab/{}@{commit}", path.to_lowercase()));
    draft.label("repository", body.text("project.path_with_namespace"));
    draft.label("commit", commit);
    draft.label("ref", git_ref);
    draft.label("environment_tier", body.text("environment_tier"));
    draft.label("url", body.text("environment_external_url"));
    draft.label("title", body.text("commit_title"));
    draft.label("gitlab.status", Some(state));
    draft.raw = Some(body.without(&["user", "project", "user_url"]));
    Ok(Item::Reports(vec![draft]))
}
