//! CDEvents, in CloudEvents: binary (`ce-*` headers), structured (`application/cloudevents+json`), batched
//! (`application/cloudevents-batch+json`), or a CDEvent as plain JSON.
//!
//! Shapes: <https://cdevents.dev/docs/spec/> 0.3 to 0.5, <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md>.
//! The version at the end of a type is not looked at: what is read here has had the same place in all of them. A CDEvent tells of
//! one moment, so each is a change that begins and ends then, by the event's id.

use serde_json::Value as Json;

use super::parts::{Delivered, Draft};
use super::{BATCH_MAX, Delivery, Item, Items};
use crate::{ChangeError, ChangeStatus};

const PREFIX: &str = "dev.cdevents.";

pub(super) fn items(delivery: &Delivery<'_>) -> Items {
    let body: Json = serde_json::from_slice(delivery.body).map_err(|error| {
        ChangeError::new("body", format!("it is not JSON: {error}"), "send CDEvents as JSON in CloudEvents")
    })?;
    let content_type = delivery.headers.get("content-type").map(String::as_str).unwrap_or_default();
    match body {
        Json::Array(events) if events.len() <= BATCH_MAX => Ok(events.into_iter().map(structured).collect()),
        Json::Array(events) => {
            let message = format!("it holds {} events, {BATCH_MAX} are allowed", events.len());
            Err(ChangeError::new("body", message, "send several batches"))
        }
        _ if content_type.starts_with("application/cloudevents-batch") => {
            Err(ChangeError::new("body", "it is not an array", "a batch of CloudEvents is a JSON array"))
        }
        body if delivery.headers.contains_key("ce-type") => {
            Ok(vec![event(Delivered(body), delivery.headers.get("ce-type"))])
        }
        body if content_type.starts_with("application/cloudevents") || body.get("data").is_some() => {
            Ok(vec![structured(body)])
        }
        body => Ok(vec![event(Delivered(body), None)]),
    }
}

/// An event whose envelope is in the body.
fn structured(mut envelope: Json) -> Result<Item, ChangeError> {
    let kind = envelope.get("type").and_then(Json::as_str).map(str::to_owned);
    let data = match (envelope.get_mut("data").map(Json::take), envelope.get("data_base64").and_then(Json::as_str)) {
        (Some(Json::String(text)), _) => text.into_bytes(),
        (Some(data), _) => return event(Delivered(data), kind.as_ref()),
        (None, Some(encoded)) => {
            use base64::Engine as _;
            base64::engine::general_purpose::STANDARD.decode(encoded).map_err(|error| {
                ChangeError::new("data_base64", format!("it is not base64: {error}"), "send `data` as JSON")
            })?
        }
        (None, None) => return Err(ChangeError::new("data", "it is missing", "send the CDEvent as `data`")),
    };
    let data: Json = serde_json::from_slice(&data)
        .map_err(|error| ChangeError::new("data", format!("it is not JSON: {error}"), "send the CDEvent as `data`"))?;
    event(Delivered(data), kind.as_ref())
}

fn event(body: Delivered, envelope_type: Option<&String>) -> Result<Item, ChangeError> {
    let full_type = body.text("context.type").or_else(|| envelope_type.cloned()).ok_or_else(|| {
        ChangeError::new("context.type", "it is missing", "send a CDEvent: {\"context\": {...}, \"subject\": {...}}")
    })?;
    let Some(rest) = full_type.strip_prefix(PREFIX) else {
        return Ok(Item::Ignored(format!("{full_type}: only types that begin with {PREFIX} are CDEvents")));
    };
    let mut words = rest.split('.');
    let (subject, verb) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let usual_kind = match (subject, verb) {
        ("service", "deployed" | "upgraded" | "rolledback" | "removed") => "deploy",
        ("service", "published") => "route",
        ("environment", "created" | "modified" | "deleted") => "infra",
        ("change", "merged") => "config",
        _ => return Ok(Item::Ignored(format!("{subject}.{verb}: nothing that runs has changed"))),
    };
    let mut draft = draft(&body, subject)?;
    draft.usual_kind = usual_kind;
    if verb == "removed" {
        draft.from_version = draft.to_version.take();
    }
    draft.label("cdevents.type", Some(format!("{subject}.{verb}")));
    draft.label("rollback", (verb == "rolledback").then(|| "true".to_owned()));
    draft.raw = Some(body.0);
    Ok(Item::Reports(vec![draft]))
}

fn draft(body: &Delivered, subject: &str) -> Result<Draft, ChangeError> {
    let at = body.need_time("context.timestamp")?.to_string();
    let mut draft = Draft::deploy(body.need("context.id")?);
    let subject_id = body.need("subject.id")?;
    let last = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
    let environment = body.text("subject.content.environment.id").map(|path| last(&path));
    match subject {
        "service" => {
            draft.target.service = Some(last(&subject_id));
            draft.target.environment = environment;
        }
        "environment" => {
            draft.target.service = Some(last(&subject_id));
            draft.target.environment = Some(last(&subject_id));
        }
        _ => {
            let repository = body.first(&["subject.content.repository.id", "subject.content.repository.name"]);
            draft.target.service = Some(last(&repository.unwrap_or(subject_id.clone())));
        }
    }
    let artifact = body.text("subject.content.artifactId");
    draft.to_version = artifact.as_deref().and_then(version_of_purl);
    draft.artifact = artifact;
    draft.started_at = Some(at.clone());
    draft.finished_at = Some(at.clone());
    draft.reported_at = Some(at);
    draft.status = Some(ChangeStatus::Succeeded);
    draft.link = body.text("context.links.0.target.uri");
    draft.label("chain_id", body.text("context.chainId"));
    draft.label("cdevents.source", body.text("context.source"));
    draft.label("cdevents.subject", Some(subject_id));
    draft.label("cdevents.subject_source", body.text("subject.source"));
    Ok(draft)
}

/// The version of a package URL: its `tag` qualifier, which is what people call an image, else what stands after `@`.
fn version_of_purl(purl: &str) -> Option<String> {
    let rest = purl.strip_prefix("pkg:")?.split('#').next()?;
    let (path, qualifiers) = rest.split_once('?').unwrap_or((rest, ""));
    let tag = qualifiers.split('&').find_map(|qualifier| qualifier.strip_prefix("tag="));
    let version = path.rsplit_once('@').map(|(_, version)| version);
    tag.or(version).filter(|text| !text.is_empty()).map(percent_decoded)
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let hex = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match hex.filter(|_| *byte == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(decoded) => {
                out.push(decoded);
                at += 3;
            }
            None => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
