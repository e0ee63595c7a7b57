//! What adapters share: looking things up in a body, and the draft of a report.

use std::collections::BTreeMap;

use model::Timestamp;
use serde::Serialize;
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};

use crate::{ChangeError, ChangeStatus, Stage};

/// A report in the native shape, being put together. What is absent is not said.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Draft {
    pub(super) id: String,
    pub(super) source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<String>,
    /// The kind when neither the delivery nor the source's configuration says one; empty when the system has no usual kind, for a
    /// wrong kind would make a suspect of what is none.
    #[serde(skip)]
    pub(super) usual_kind: &'static str,
    pub(super) target: DraftTarget,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) from_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) to_version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) artifact: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) started_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) finished_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reported_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<ChangeStatus>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) stages: Vec<Stage>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) actor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reversible: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) labels: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) raw: Option<Json>,
}

/// The target of a draft.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct DraftTarget {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) environment: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cluster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) namespace: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) workload: Option<String>,
}

impl Draft {
    /// The draft of a deployment.
    pub(super) fn deploy(id: impl Into<String>) -> Self {
        Self { id: id.into(), usual_kind: "deploy", ..Self::default() }
    }

    /// The draft of a change of any kind.
    pub(super) fn of_any_kind(id: impl Into<String>) -> Self {
        Self { id: id.into(), ..Self::default() }
    }

    /// Adds a label when there is a value for it.
    pub(super) fn label(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value {
            self.labels.insert(name.to_owned(), cut(value));
        }
    }

    /// Says how it stands at a time: an end when the status is one.
    pub(super) fn stands(&mut self, status: ChangeStatus, at: Timestamp) {
        self.status = Some(status);
        self.reported_at = Some(at.to_string());
        match status {
            ChangeStatus::Succeeded | ChangeStatus::Failed => self.finished_at = Some(at.to_string()),
            ChangeStatus::Running | ChangeStatus::Unknown => {}
        }
    }
}

/// A text that fits into a label.
fn cut(mut text: String) -> String {
    if text.len() > crate::record::LABEL_BYTES_MAX {
        let mut end = crate::record::LABEL_BYTES_MAX;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}

/// A body, and how to look things up in it.
pub(super) struct Delivered(pub(super) Json);

impl Delivered {
    /// The value at a dotted path.
    pub(super) fn at(&self, path: &str) -> Option<&Json> {
        at(&self.0, path)
    }

    /// The text at a dotted path; a number or a boolean as text, nothing for an empty one.
    pub(super) fn text(&self, path: &str) -> Option<String> {
        self.at(path).and_then(text_of)
    }

    /// The first text at one of several paths.
    pub(super) fn first(&self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| self.text(path))
    }

    /// The text at a path that must be there.
    pub(super) fn need(&self, path: &str) -> Result<String, ChangeError> {
        self.text(path).ok_or_else(|| ChangeError::new(path, "it is missing", "send the event as its system makes it"))
    }

    /// The time at a path, if there is one.
    pub(super) fn time(&self, path: &str) -> Result<Option<Timestamp>, ChangeError> {
        self.text(path).map(|text| read_time(path, &text)).transpose()
    }

    /// The first time at one of several paths.
    pub(super) fn first_time(&self, paths: &[&str]) -> Result<Option<Timestamp>, ChangeError> {
        match paths.iter().find(|path| self.text(path).is_some()) {
            Some(path) => self.time(path),
            None => Ok(None),
        }
    }

    /// The time at a path that must be there.
    pub(super) fn need_time(&self, path: &str) -> Result<Timestamp, ChangeError> {
        read_time(path, &self.need(path)?)
    }

    /// The body without some of its fields, to be kept.
    pub(super) fn without(&self, fields: &[&str]) -> Json {
        let mut json = self.0.clone();
        if let Some(object) = json.as_object_mut() {
            object.retain(|name, _| !fields.contains(&name.as_str()));
        }
        json
    }
}

/// The value at a dotted path of names and indices.
pub(super) fn at<'a>(json: &'a Json, path: &str) -> Option<&'a Json> {
    path.split('.').try_fold(json, |json, name| match json {
        Json::Array(items) => items.get(name.parse::<usize>().ok()?),
        json => json.get(name),
    })
}

/// A leaf as text.
pub(super) fn text_of(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => (!text.trim().is_empty()).then(|| text.trim().to_owned()),
        Json::Number(number) => Some(number.to_string()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Null | Json::Array(_) | Json::Object(_) => None,
    }
}

/// An absolute time: RFC 3339, a Unix time, or `2021-04-28 21:50:00 +0200`, as GitLab writes.
pub(super) fn read_time(field: &str, text: &str) -> Result<Timestamp, ChangeError> {
    let refused = || ChangeError::new(field, format!("{text:?} is not a time"), "give RFC 3339 or a Unix time");
    let words: Vec<&str> = text.split(' ').collect();
    let plain = match words.as_slice() {
        [day, time, "UTC"] => format!("{day}T{time}Z"),
        [day, time, zone] if zone.len() == 5 && zone.is_ascii() => {
            format!("{day}T{time}{}:{}", &zone[..3], &zone[3..])
        }
        _ => text.to_owned(),
    };
    if plain.starts_with(['-', '+', 'n']) {
        return Err(refused());
    }
    Timestamp::parse(&plain, Timestamp(0)).map_err(|_| refused())
}

/// A short, stable id for something that has none: 16 hexadecimal digits of a hash.
pub(super) fn hash_id(parts: &[&str]) -> String {
    hex::encode(&digest(parts)[..8])
}

/// The hash of texts; their borders count.
pub(super) fn digest(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

/// Whether a text looks like a version that people give, such as `v1.4.0` or `2026.11.23-1`, and not like a branch or a hash.
pub(super) fn looks_like_a_version(text: &str) -> bool {
    let digits = text.strip_prefix(['v', 'V']).unwrap_or(text);
    digits.starts_with(|c: char| c.is_ascii_digit()) && digits.contains('.') && !text.contains('/')
}

/// The version of an image: its tag, else its digest.
pub(super) fn version_of_image(image: &str) -> Option<String> {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit('/').next().unwrap_or(name);
    let tag = last.split_once(':').map(|(_, tag)| tag);
    tag.or(digest).filter(|text| !text.is_empty()).map(str::to_owned)
}
