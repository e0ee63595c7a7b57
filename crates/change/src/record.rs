//! The canonical record of a change, its validation, and how deliveries of one change merge.

use std::collections::BTreeMap;

use catalog::ledger::time_text;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// Longest id, source or service name, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Largest `raw` that is kept, in bytes of JSON; a larger one is replaced by a note.
pub const RAW_BYTES_MAX: usize = 64 * 1024;

/// What kind of thing changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeKind {
    /// A new version of a service.
    Deploy,
    /// Configuration.
    Config,
    /// A feature flag.
    Flag,
    /// A database schema.
    Schema,
    /// Machines, networks, clusters.
    Infra,
    /// Capacity.
    Scale,
    /// A credential.
    Secret,
    /// Where traffic goes.
    Route,
    /// Data.
    Data,
}

impl ChangeKind {
    /// Every kind, in the order of the manual.
    pub const ALL: [ChangeKind; 9] = [
        Self::Deploy,
        Self::Config,
        Self::Flag,
        Self::Schema,
        Self::Infra,
        Self::Scale,
        Self::Secret,
        Self::Route,
        Self::Data,
    ];

    /// The word in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Config => "config",
            Self::Flag => "flag",
            Self::Schema => "schema",
            Self::Infra => "infra",
            Self::Scale => "scale",
            Self::Secret => "secret",
            Self::Route => "route",
            Self::Data => "data",
        }
    }
}

/// Whether a change can be undone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reversible {
    /// It can.
    Yes,
    /// It can not: never roll it back.
    No,
    /// Nobody said.
    #[default]
    Unknown,
}

/// What was changed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The service.
    #[serde(default)]
    pub service: String,
    /// Its environment, such as `production`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Its cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Its namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// Its workload, such as a deployment's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
}

/// A step of a progressive rollout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stage {
    /// The share of traffic or instances that has the change, 0 to 100.
    pub percent: f64,
    /// Since when.
    #[serde(with = "time_text")]
    pub at: Timestamp,
}

/// A change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Its id in its source.
    pub id: String,
    /// What kind of thing changed.
    pub kind: ChangeKind,
    /// What was changed.
    pub target: Target,
    /// The version before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_version: Option<String>,
    /// The version after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_version: Option<String>,
    /// What was installed: a purl or a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact: Option<String>,
    /// When it began.
    #[serde(with = "time_text")]
    pub started_at: Timestamp,
    /// When it ended; absent while it runs.
    #[serde(default, with = "time_text::option", skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Timestamp>,
    /// The steps of a progressive rollout.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Stage>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// The system that reported it.
    pub source: String,
    /// Where people read more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Whether it can be undone.
    #[serde(default)]
    pub reversible: Reversible,
    /// How its source says it is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<Json>,
    /// Changes, as `source/id`, that must stay for this one to work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Anything else worth matching.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The delivery as it came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Json>,
}

impl Change {
    /// Its key in the ledger: `source/id`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.source, self.id)
    }

    /// One line for people: `deploy of checkout 1.4.0 -> 1.5.0 by ci`.
    pub fn summary(&self) -> String {
        let mut text = format!("{} of {}", self.kind.as_str(), self.target.service);
        match (&self.from_version, &self.to_version) {
            (Some(from), Some(to)) => text.push_str(&format!(" {from} -> {to}")),
            (None, Some(to)) => text.push_str(&format!(" to {to}")),
            (Some(from), None) => text.push_str(&format!(" from {from}")),
            (None, None) => {}
        }
        if let Some(actor) = &self.actor {
            text.push_str(&format!(" by {actor}"));
        }
        text
    }

    /// The last time at which it is known to have had an effect begin: its end, or its beginning while it runs.
    pub fn settled_at(&self) -> Timestamp {
        self.finished_at.unwrap_or(self.started_at)
    }
}

/// Why a report of a change is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("change refused: {field}: {message}; {hint}")]
pub struct ChangeError {
    /// The field at fault, dotted; `body` for the whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

impl ChangeError {
    fn new(field: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into(), hint: hint.into() }
    }
}

/// One delivery about a change, in the native shape. Only `id`, `kind` and `target.service` must be there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangeReport {
    /// Its id in its source.
    #[serde(default)]
    pub id: String,
    kind: String,
    target: Target,
    #[serde(default)]
    from_version: Option<String>,
    #[serde(default)]
    to_version: Option<String>,
    #[serde(default)]
    artifact: Option<String>,
    #[serde(default)]
    started_at: Option<Json>,
    #[serde(default)]
    finished_at: Option<Json>,
    #[serde(default)]
    stages: Option<Vec<Stage>>,
    #[serde(default)]
    actor: Option<String>,
    /// The system that reports it; `api` when it does not say.
    #[serde(default = "default_source")]
    pub source: String,
    #[serde(default)]
    link: Option<String>,
    #[serde(default)]
    reversible: Option<Reversible>,
    #[serde(default)]
    rollback: Option<Json>,
    #[serde(default)]
    depends_on: Option<Vec<String>>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    #[serde(default)]
    raw: Option<Json>,
}

fn default_source() -> String {
    "api".to_owned()
}

impl ChangeReport {
    /// Reads a report from JSON and checks what can be checked without the record that may be there.
    pub fn from_json(json: &Json) -> Result<ChangeReport, ChangeError> {
        let hint =
            "the fields are id, kind, target {service, ...}, from_version, to_version, started_at, finished_at, ...";
        let report: ChangeReport =
            ChangeReport::deserialize(json).map_err(|error| ChangeError::new("body", error.to_string(), hint))?;
        for (field, text) in
            [("id", &report.id), ("source", &report.source), ("target.service", &report.target.service)]
        {
            check_name(field, text)?;
        }
        Ok(report)
    }

    /// The record after this delivery. `now` is when it arrived: the beginning of a change that says none and is not known yet, and
    /// what relative times are relative to.
    pub fn merge_over(self, known: Option<&Change>, now: Timestamp) -> Result<Change, ChangeError> {
        let finished_at = read_time("finished_at", self.finished_at.as_ref(), now)?;
        let finished_at = finished_at.or(known.and_then(|known| known.finished_at));
        let begun = read_time("started_at", self.started_at.as_ref(), now)?;
        let started_at =
            begun.or(known.map(|known| known.started_at)).unwrap_or_else(|| finished_at.unwrap_or(now).min(now));
        if finished_at.is_some_and(|finished| finished < started_at) {
            let message = format!("{} is before started_at, {started_at}", finished_at.unwrap_or_default());
            return Err(ChangeError::new("finished_at", message, "a change ends after it begins"));
        }
        let change = Change {
            kind: read_kind(&self.kind)?,
            target: merge_target(self.target, known.map(|known| &known.target)),
            from_version: self.from_version.or(known.and_then(|known| known.from_version.clone())),
            to_version: self.to_version.or(known.and_then(|known| known.to_version.clone())),
            artifact: self.artifact.or(known.and_then(|known| known.artifact.clone())),
            started_at,
            finished_at,
            stages: self.stages.or(known.map(|known| known.stages.clone())).unwrap_or_default(),
            actor: self.actor.or(known.and_then(|known| known.actor.clone())),
            link: self.link.or(known.and_then(|known| known.link.clone())),
            reversible: self.reversible.or(known.map(|known| known.reversible)).unwrap_or_default(),
            rollback: self.rollback.or(known.and_then(|known| known.rollback.clone())),
            depends_on: self.depends_on.or(known.map(|known| known.depends_on.clone())).unwrap_or_default(),
            labels: known
                .map(|known| known.labels.clone())
                .unwrap_or_default()
                .into_iter()
                .chain(self.labels)
                .collect(),
            raw: self.raw.map(cap_raw).or(known.and_then(|known| known.raw.clone())),
            id: self.id,
            source: self.source,
        };
        check_stages(&change.stages)?;
        Ok(change)
    }
}

fn check_name(field: &str, text: &str) -> Result<(), ChangeError> {
    if text.is_empty() {
        return Err(ChangeError::new(field, "it is empty", "every change has an id, a source and a target service"));
    }
    if text.len() > NAME_BYTES_MAX {
        let message = format!("it has {} bytes, {NAME_BYTES_MAX} are allowed", text.len());
        return Err(ChangeError::new(field, message, "shorten it"));
    }
    if text.chars().any(char::is_control) {
        return Err(ChangeError::new(field, "it holds a control character", "send printable text"));
    }
    Ok(())
}

fn read_kind(word: &str) -> Result<ChangeKind, ChangeError> {
    ChangeKind::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or_else(|| {
        let kinds = ChangeKind::ALL.map(ChangeKind::as_str).join(", ");
        ChangeError::new("kind", format!("{word:?} is not a kind of change"), format!("the kinds are {kinds}"))
    })
}

fn read_time(field: &str, json: Option<&Json>, now: Timestamp) -> Result<Option<Timestamp>, ChangeError> {
    let text = match json {
        None | Some(Json::Null) => return Ok(None),
        Some(Json::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    Timestamp::parse(&text, now)
        .map(Some)
        .map_err(|_| ChangeError::new(field, format!("{text:?} is not a time"), "give RFC 3339 or a Unix time"))
}

fn merge_target(new: Target, known: Option<&Target>) -> Target {
    let Some(known) = known else { return new };
    Target {
        service: new.service,
        environment: new.environment.or_else(|| known.environment.clone()),
        cluster: new.cluster.or_else(|| known.cluster.clone()),
        namespace: new.namespace.or_else(|| known.namespace.clone()),
        workload: new.workload.or_else(|| known.workload.clone()),
    }
}

fn check_stages(stages: &[Stage]) -> Result<(), ChangeError> {
    match stages.iter().find(|stage| !(0.0..=100.0).contains(&stage.percent)) {
        Some(stage) => {
            let message = format!("a stage has percent {}", stage.percent);
            Err(ChangeError::new("stages", message, "give 0 to 100"))
        }
        None => Ok(()),
    }
}

fn cap_raw(raw: Json) -> Json {
    let bytes = raw.to_string().len();
    if bytes <= RAW_BYTES_MAX {
        return raw;
    }
    Json::String(format!("left out: {bytes} bytes, {RAW_BYTES_MAX} are kept"))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use serde_json::json;

    use super::*;

    fn check(json: Json, expect: Expect) {
        let now = Timestamp::from_secs(1_795_424_400);
        let merged = ChangeReport::from_json(&json).and_then(|report| report.merge_over(None, now));
        expect.assert_eq(&match merged {
            Ok(change) => serde_json::to_string(&change).unwrap(),
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn reports_are_read_or_refused_with_a_reason() {
        check(
            json!({"id": "42", "kind": "deploy", "target": {"service": "checkout"}, "to_version": "2"}),
            expect![[
                r#"{"id":"42","kind":"deploy","target":{"service":"checkout"},"to_version":"2","started_at":"2026-11-23T09:00:00Z","source":"api","reversible":"unknown"}"#
            ]],
        );
        check(
            json!({"id": "42", "kind": "deploy", "target": {"service": "checkout"}, "started_at": 1_795_424_000, "finished_at": "-1m"}),
            expect![[
                r#"{"id":"42","kind":"deploy","target":{"service":"checkout"},"started_at":"2026-11-23T08:53:20Z","finished_at":"2026-11-23T08:59:00Z","source":"api","reversible":"unknown"}"#
            ]],
        );
        check(
            json!({"id": "42", "kind": "deploi", "target": {"service": "checkout"}}),
            expect![[
                r#"change refused: kind: "deploi" is not a kind of change; the kinds are deploy, config, flag, schema, infra, scale, secret, route, data"#
            ]],
        );
        check(
            json!({"kind": "deploy", "target": {"service": "checkout"}}),
            expect!["change refused: id: it is empty; every change has an id, a source and a target service"],
        );
        check(
            json!({"id": "1", "kind": "deploy", "target": {"service": "a\nb"}}),
            expect!["change refused: target.service: it holds a control character; send printable text"],
        );
        check(
            json!({"id": "1", "kind": "deploy", "target": {"service": "a"}, "started_at": "soon"}),
            expect![[r#"change refused: started_at: "soon" is not a time; give RFC 3339 or a Unix time"#]],
        );
        check(
            json!({"id": "1", "kind": "deploy", "target": {"service": "a"}, "finished_at": 5, "started_at": 6}),
            expect![
                "change refused: finished_at: 1970-01-01T00:00:05Z is before started_at, 1970-01-01T00:00:06Z; a change ends after it begins"
            ],
        );
        check(
            json!({"id": "1", "kind": "deploy", "target": {"service": "a"}, "version": "7"}),
            expect![
                "change refused: body: unknown field `version`, expected one of `id`, `kind`, `target`, `from_version`, `to_version`, `artifact`, `started_at`, `finished_at`, `stages`, `actor`, `source`, `link`, `reversible`, `rollback`, `depends_on`, `labels`, `raw`; the fields are id, kind, target {service, ...}, from_version, to_version, started_at, finished_at, ..."
            ],
        );
    }
}
