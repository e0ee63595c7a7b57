//! PagerDuty's change events, as its clients send them to `POST /v2/change/enqueue`.
//!
//! Shape: <https://developer.pagerduty.com/docs/send-change-event>. A change event has no id: the same contents at the same time are
//! the same change. What is not in PagerDuty's shape (service, version, environment) is read from `custom_details`.

use super::parts::{Draft, hash_id};
use super::{Delivery, Item, Items, json_body};
use crate::ChangeError;

/// Longest summary that PagerDuty takes, in characters.
const SUMMARY_CHARS_MAX: usize = 1024;

pub(super) fn items(delivery: &Delivery<'_>) -> Items {
    let body = json_body(delivery)?;
    let summary = body.need("payload.summary")?;
    if summary.chars().count() > SUMMARY_CHARS_MAX {
        let message = format!("it is longer than {SUMMARY_CHARS_MAX} characters");
        return Err(ChangeError::new("payload.summary", message, "shorten it"));
    }
    let details = |names: &[&str]| {
        let paths: Vec<String> = names.iter().map(|name| format!("payload.custom_details.{name}")).collect();
        body.first(&paths.iter().map(String::as_str).collect::<Vec<_>>())
    };
    // Without a time the minute of arrival stands for it: a sender that tries again at once is not heard twice.
    let said = body.time("payload.timestamp")?;
    let minute = delivery.arrived_at.0 / 60_000_000_000;
    let moment = said.map_or_else(|| minute.to_string(), |time| time.to_string());
    let contents = body.at("payload.custom_details").map(ToString::to_string).unwrap_or_default();
    let source = body.text("payload.source");
    let id = hash_id(&[&summary, &moment, source.as_deref().unwrap_or_default(), &contents]);
    let mut draft = Draft::deploy(id);
    draft.kind = details(&["kind", "change_type"]).filter(|word| super::grafana::kind_word(word).is_some());
    draft.kind = draft.kind.and_then(|word| super::grafana::kind_word(&word)).map(|kind| kind.as_str().to_owned());
    draft.target.service = details(&["service", "service_name", "app", "application"]).or_else(|| source.clone());
    draft.target.environment = details(&["environment", "env"]);
    draft.target.cluster = details(&["cluster"]);
    draft.target.namespace = details(&["namespace"]);
    draft.from_version = details(&["from_version", "previous_version"]);
    draft.to_version = details(&["to_version", "version", "tag", "revision", "sha", "commit"]);
    draft.actor = details(&["actor", "author", "user", "deployed_by"]);
    let at = said.unwrap_or(delivery.arrived_at).to_string();
    draft.started_at = Some(at.clone());
    draft.finished_at = Some(at);
    draft.link = body.text("links.0.href");
    draft.label("message", Some(summary));
    draft.label("pagerduty.source", source);
    draft.raw = Some(body.without(&["routing_key"]));
    Ok(vec![Ok(Item::Reports(vec![draft]))])
}
