//! Flagger's event webhook: what its controller says of a canary, each message with the canary's phase.
//!
//! Shape: <https://docs.flagger.app/usage/webhooks#event-webhooks>. The change is one configuration of one canary, by its checksum
//! (and `buildId` where the sender has one); its phases, and the weights that messages name, are stages of it. Flagger gives the
//! same configuration the same checksum for ever: a rollout of a configuration that was rolled out before continues its record.

use model::Timestamp;

use super::parts::{Delivered, Draft};
use super::{Delivery, Item, Items, json_body};
use crate::{ChangeError, ChangeStatus, Stage};

pub(super) fn items(delivery: &Delivery<'_>) -> Items {
    let body = json_body(delivery)?;
    Ok(vec![canary(&body, delivery.arrived_at)])
}

fn canary(body: &Delivered, arrived_at: Timestamp) -> Result<Item, ChangeError> {
    let (name, namespace, phase) = (body.need("name")?, body.need("namespace")?, body.need("phase")?);
    let status = match phase.as_str() {
        "Initializing" | "Initialized" => {
            return Ok(Item::Ignored(format!("{phase}: Flagger sets the canary up, no version is rolled out")));
        }
        "Waiting" | "Progressing" | "WaitingPromotion" | "Promoting" | "Finalising" => ChangeStatus::Running,
        "Succeeded" => ChangeStatus::Succeeded,
        "Failed" => ChangeStatus::Failed,
        other => return Ok(Item::Ignored(format!("{other}: the canary is not rolled out"))),
    };
    let at = body.time("metadata.timestamp")?.unwrap_or(arrived_at);
    let message = body.text("metadata.eventMessage");
    let checksum = body.first(&["checksum", "metadata.checksum"]);
    let build = body.first(&["buildId", "metadata.buildId"]);
    let revision = match (checksum, build) {
        (Some(checksum), Some(build)) => format!("{checksum}-{build}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => {
            let hint = "use a Flagger that sends it, or the generic adapter";
            return Err(ChangeError::new("checksum", "it is missing, so the canary's events can not be joined", hint));
        }
    };
    let mut draft = Draft::deploy(format!("{namespace}.{name}:{revision}"));
    draft.target.service = body.first(&["metadata.service"]).or_else(|| Some(name.clone()));
    draft.target.environment = body.first(&["metadata.environment", "metadata.env"]);
    draft.target.cluster = body.first(&["metadata.cluster", "metadata.cluster_name"]);
    draft.target.namespace = Some(namespace);
    draft.target.workload = Some(name);
    draft.to_version = body.first(&["metadata.version", "metadata.to_version"]);
    draft.stands(status, at);
    let percent = match status {
        ChangeStatus::Succeeded => Some(100.0),
        ChangeStatus::Failed => Some(0.0),
        _ => message.as_deref().and_then(weight),
    };
    draft.stages.push(Stage { percent: None, name: Some(phase.clone()), at });
    if percent.is_some() {
        draft.stages.push(Stage { percent, name: Some(phase.clone()), at });
    }
    draft.label("flagger.phase", Some(phase));
    draft.label("message", message);
    draft.raw = Some(body.0.clone());
    Ok(Item::Reports(vec![draft]))
}

/// The weight that a message such as `Advance podinfo.test canary weight 20` names.
fn weight(message: &str) -> Option<f64> {
    let (_, rest) = message.rsplit_once("canary weight ")?;
    let number: String = rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    number.trim_end_matches('.').parse().ok().filter(|percent| (0.0..=100.0).contains(percent))
}
