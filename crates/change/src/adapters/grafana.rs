//! Grafana's annotations, as clients send them to `POST /api/annotations` and `/api/annotations/graphite`.
//!
//! Shape: <https://grafana.com/docs/grafana/latest/developers/http_api/annotations/>. Times are Unix milliseconds. What the change is
//! about comes from tags: `service:checkout` or `service=checkout`, `version:…`, `env:…`, `actor:…`, and a word for the kind. An
//! annotation has no id of its own when it comes: the same contents are the same annotation.

use serde_json::Value as Json;

use super::parts::{Delivered, Draft, digest, text_of};
use super::{Delivery, Item, Items, json_body};
use crate::{ChangeError, ChangeKind};

pub(super) fn items(delivery: &Delivery<'_>) -> Items {
    let body = json_body(delivery)?;
    let arrived_ms = delivery.arrived_at.0 / 1_000_000;
    let tags = tags(&body);
    let text = body.first(&["text", "what"]);
    if text.is_none() && tags.is_empty() {
        return Err(ChangeError::new("text", "there is neither text nor a tag", "say what changed"));
    }
    // Graphite's `when` is in seconds, Grafana's `time` in milliseconds; both are told by their size.
    let begun = body.first_time(&["time", "when"])?;
    let ended = body.time("timeEnd")?.filter(|ended| ended.0 != 0);
    let id = id(&body, &tags, text.as_deref(), begun.map_or(arrived_ms / 60_000, |time| time.0 / 1_000_000));
    let mut draft = Draft::of_any_kind(id.to_string());
    let started_at = begun.unwrap_or(delivery.arrived_at);
    if ended.is_some_and(|ended| ended < started_at) {
        return Err(ChangeError::new("timeEnd", "it is before time", "an annotation ends after it begins"));
    }
    draft.started_at = Some(started_at.to_string());
    draft.finished_at = ended.map(|time| time.to_string());
    draft.reported_at = Some(ended.unwrap_or(started_at).to_string());
    for tag in &tags {
        apply_tag(&mut draft, tag);
    }
    draft.label("message", text);
    draft.label("tags", (!tags.is_empty()).then(|| tags.join(",")));
    draft.label("grafana.dashboard", body.text("dashboardUID"));
    draft.raw = Some(body.0);
    Ok(vec![Ok(Item::Reports(vec![draft]))])
}

fn tags(body: &Delivered) -> Vec<String> {
    match body.at("tags") {
        Some(Json::Array(tags)) => tags.iter().filter_map(text_of).collect(),
        // Graphite takes one text, cut at spaces or commas.
        Some(Json::String(tags)) => tags.split([' ', ',']).filter(|tag| !tag.is_empty()).map(str::to_owned).collect(),
        _ => Vec::new(),
    }
}

fn apply_tag(draft: &mut Draft, tag: &str) {
    let Some((name, value)) = tag.split_once([':', '=']).filter(|(_, value)| !value.is_empty()) else {
        if draft.kind.is_none() {
            draft.kind = kind_word(tag).map(|kind| kind.as_str().to_owned());
        }
        return;
    };
    let value = value.trim().to_owned();
    match name.trim().to_ascii_lowercase().as_str() {
        "service" | "service.name" | "app" | "application" => draft.target.service = Some(value),
        "environment" | "env" | "deployment.environment.name" => draft.target.environment = Some(value),
        "cluster" => draft.target.cluster = Some(value),
        "namespace" => draft.target.namespace = Some(value),
        "version" | "to_version" | "service.version" | "release" => draft.to_version = Some(value),
        "from_version" | "previous_version" => draft.from_version = Some(value),
        "actor" | "author" | "user" => draft.actor = Some(value),
        "kind" | "type" => draft.kind = kind_word(&value).map(|kind| kind.as_str().to_owned()).or(draft.kind.take()),
        name => {
            let name = name.to_owned();
            draft.label(&name, Some(value));
        }
    }
}

/// The kind of change that people mean with a word.
pub(super) fn kind_word(word: &str) -> Option<ChangeKind> {
    let word = word.to_ascii_lowercase();
    let known = ChangeKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    known.or(match word.as_str() {
        "deployment" | "deploys" | "release" | "rollout" | "rollback" => Some(ChangeKind::Deploy),
        "configuration" | "settings" => Some(ChangeKind::Config),
        "feature-flag" | "feature_flag" | "featureflag" | "toggle" => Some(ChangeKind::Flag),
        "migration" | "schema-change" | "ddl" => Some(ChangeKind::Schema),
        "infrastructure" | "maintenance" => Some(ChangeKind::Infra),
        "scaling" | "autoscale" => Some(ChangeKind::Scale),
        "routing" | "traffic" | "failover" => Some(ChangeKind::Route),
        _ => None,
    })
}

/// A number for an annotation, for Grafana's clients want one: the same annotation has the same. It fits the whole numbers that
/// JavaScript has.
fn id(body: &Delivered, tags: &[String], text: Option<&str>, moment: i64) -> u64 {
    let place = [body.text("dashboardUID"), body.text("panelId")].map(Option::unwrap_or_default);
    let moment = moment.to_string();
    let mut parts = vec![text.unwrap_or_default(), &moment, &place[0], &place[1]];
    parts.extend(tags.iter().map(String::as_str));
    let hash = digest(&parts);
    let number = hash[..8].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    number >> 11
}

/// The number of an annotation whose change has this id; nothing for a change that is no annotation.
pub fn annotation_id(id: &str) -> Option<u64> {
    id.parse().ok()
}
