//! The canonical record of a change, one report about it, and what of a report can be refused without knowing the record.

use std::collections::BTreeMap;

use catalog::ledger::time_text;
use model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use verdict::Message;

use crate::merge::Record;
use crate::redact;

/// Longest id, source or service name, in bytes.
pub const NAME_BYTES_MAX: usize = 256;

/// Largest `raw` that is kept, in bytes of JSON; a larger one is replaced by a note.
pub const RAW_BYTES_MAX: usize = 64 * 1024;

/// Longest version, artifact, actor, link or name of a stage, in bytes.
pub const TEXT_BYTES_MAX: usize = 2048;

/// Most labels of one delivery.
pub const LABELS_MAX: usize = 100;

/// Longest name or value of a label, in bytes.
pub const LABEL_BYTES_MAX: usize = 4096;

/// Most stages of one delivery, and of the record.
pub const STAGES_MAX: usize = 200;

/// How far after its arrival a time of a delivery may be, in nanoseconds: two clocks may differ by that much, and a change that is
/// further away has not happened. 5 minutes.
pub const CLOCK_SKEW_MAX_NS: i64 = 300 * 1_000_000_000;

/// The label of a record whose `from_version` no delivery said: it is the version that the last finished change of the same target
/// left there.
pub const INFERRED_LABEL: &str = "from_version_inferred";

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

/// How a change went, as its source says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChangeStatus {
    /// Nobody said.
    #[default]
    Unknown,
    /// It has begun and not ended.
    Running,
    /// It ended, and what it brought is in place.
    Succeeded,
    /// It ended without success; what it brought may be in place in part.
    Failed,
}

impl ChangeStatus {
    /// The word in records.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
        }
    }

    fn is_unknown(&self) -> bool {
        *self == Self::Unknown
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
    /// The share of traffic or instances that has the change, 0 to 100; absent when the source names a phase without a share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// What the source calls it, such as `Promoting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
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
    /// How it went; absent when nobody said.
    #[serde(default, skip_serializing_if = "ChangeStatus::is_unknown")]
    pub status: ChangeStatus,
    /// The steps of a progressive rollout, by time.
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
    /// What its source sent, with secrets replaced.
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
        self.message().to_string()
    }

    /// The same for readers of any language.
    pub fn message(&self) -> Message {
        let (kind, service) = (self.kind.as_str().to_owned(), self.target.service.clone());
        let that = Box::new(Message::Change { kind, service });
        let message = match (self.from_version.clone(), self.to_version.clone()) {
            (Some(from), Some(to)) => Message::ChangeFromTo { that, from, to },
            (None, Some(to)) => Message::ChangeTo { that, to },
            (Some(from), None) => Message::ChangeFrom { that, from },
            (None, None) => *that,
        };
        match self.actor.clone() {
            Some(actor) => Message::ChangeBy { that: Box::new(message), actor },
            None => message,
        }
    }

    /// The last time at which it is known to have had an effect begin: its end, or its beginning while it runs.
    pub fn settled_at(&self) -> Timestamp {
        self.finished_at.unwrap_or(self.started_at)
    }
}

/// Why a report of a change is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
    pub(crate) fn new(field: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
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
    pub(crate) kind: String,
    pub(crate) target: Target,
    #[serde(default)]
    pub(crate) from_version: Option<String>,
    #[serde(default)]
    pub(crate) to_version: Option<String>,
    #[serde(default)]
    pub(crate) artifact: Option<String>,
    #[serde(default)]
    pub(crate) started_at: Option<Json>,
    #[serde(default)]
    pub(crate) finished_at: Option<Json>,
    /// When its source said this: of two reports that contradict each other the later one holds.
    #[serde(default)]
    pub(crate) reported_at: Option<Json>,
    #[serde(default)]
    pub(crate) status: Option<ChangeStatus>,
    #[serde(default)]
    pub(crate) stages: Option<Vec<Stage>>,
    #[serde(default)]
    pub(crate) actor: Option<String>,
    /// The system that reports it; `api` when it does not say.
    #[serde(default = "default_source")]
    pub source: String,
    #[serde(default)]
    pub(crate) link: Option<String>,
    #[serde(default)]
    pub(crate) reversible: Option<Reversible>,
    #[serde(default)]
    pub(crate) rollback: Option<Json>,
    #[serde(default)]
    pub(crate) depends_on: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) raw: Option<Json>,
}

/// The times of a report, read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    /// When it was said: `reported_at`, else the latest time that the report names, else its arrival.
    pub(crate) said_at: Timestamp,
}

fn default_source() -> String {
    "api".to_owned()
}

impl ChangeReport {
    /// Reads a report from JSON and checks what can be checked without the record that may be there.
    pub fn from_json(json: &Json) -> Result<ChangeReport, ChangeError> {
        let hint =
            "the fields are id, kind, target {service, ...}, from_version, to_version, started_at, finished_at, ...";
        let mut report: ChangeReport =
            ChangeReport::deserialize(json).map_err(|error| ChangeError::new("body", error.to_string(), hint))?;
        for (field, text) in
            [("id", &report.id), ("source", &report.source), ("target.service", &report.target.service)]
        {
            check_name(field, text)?;
        }
        report.check_texts()?;
        check_stages(report.stages.as_deref().unwrap_or_default())?;
        report.labels.remove(INFERRED_LABEL);
        report.raw = report.raw.map(|raw| cap_raw(redact::document(raw)));
        Ok(report)
    }

    fn check_texts(&self) -> Result<(), ChangeError> {
        let target = &self.target;
        for (field, text) in [
            ("target.environment", &target.environment),
            ("target.cluster", &target.cluster),
            ("target.namespace", &target.namespace),
            ("target.workload", &target.workload),
            ("from_version", &self.from_version),
            ("to_version", &self.to_version),
            ("artifact", &self.artifact),
            ("actor", &self.actor),
            ("link", &self.link),
        ] {
            check_bytes(field, text.as_deref().unwrap_or_default(), TEXT_BYTES_MAX)?;
        }
        if self.labels.len() > LABELS_MAX {
            let message = format!("there are {}, {LABELS_MAX} are allowed", self.labels.len());
            return Err(ChangeError::new("labels", message, "send those that someone will match"));
        }
        for text in self.labels.iter().flat_map(|(name, value)| [name, value]) {
            check_bytes("labels", text, LABEL_BYTES_MAX)?;
        }
        Ok(())
    }

    /// Refuses a report with a time that is further after `now` than clocks differ.
    pub fn check_not_future(&self, now: Timestamp) -> Result<(), ChangeError> {
        let latest = now.saturating_add_ns(CLOCK_SKEW_MAX_NS);
        let stages = self.stages.iter().flatten().map(|stage| ("stages", Some(stage.at)));
        let reported_at = read_time("reported_at", self.reported_at.as_ref(), now)?;
        let times = self.times(now)?;
        let named =
            [("started_at", times.started_at), ("finished_at", times.finished_at), ("reported_at", reported_at)];
        for (field, time) in named.into_iter().chain(stages) {
            if let Some(time) = time.filter(|time| *time > latest) {
                let message = format!(
                    "{time} is in the future: it is {now} here, and {} s of difference between clocks are allowed",
                    CLOCK_SKEW_MAX_NS / 1_000_000_000
                );
                return Err(ChangeError::new(
                    field,
                    message,
                    "set the sender's clock, and report a change when it begins",
                ));
            }
        }
        Ok(())
    }

    /// Its times; `now` is when it arrived, and what relative times are relative to.
    pub(crate) fn times(&self, now: Timestamp) -> Result<Times, ChangeError> {
        let started_at = read_time("started_at", self.started_at.as_ref(), now)?;
        let finished_at = read_time("finished_at", self.finished_at.as_ref(), now)?;
        let reported_at = read_time("reported_at", self.reported_at.as_ref(), now)?;
        if let (Some(started), Some(finished)) = (started_at, finished_at)
            && finished < started
        {
            let message = format!("{finished} is before started_at, {started}");
            return Err(ChangeError::new("finished_at", message, "a change ends after it begins"));
        }
        let stages = self.stages.iter().flatten().map(|stage| stage.at);
        let latest = started_at.into_iter().chain(finished_at).chain(stages).max();
        Ok(Times { started_at, finished_at, said_at: reported_at.or(latest).unwrap_or(now) })
    }

    /// Its kind.
    pub(crate) fn kind(&self) -> Result<ChangeKind, ChangeError> {
        read_kind(&self.kind)
    }

    /// The record after this delivery. `now` is when it arrived: the beginning of a change that says none and is not known yet, and
    /// what relative times are relative to.
    pub fn merge_over(self, known: Option<&Change>, now: Timestamp) -> Result<Change, ChangeError> {
        let record = match known {
            Some(known) => Record::of_change(known.clone()).absorb(self, now)?,
            None => Record::begin(self, now)?,
        };
        Ok(record.change)
    }
}

fn check_name(field: &str, text: &str) -> Result<(), ChangeError> {
    if text.is_empty() {
        return Err(ChangeError::new(field, "it is empty", "every change has an id, a source and a target service"));
    }
    check_bytes(field, text, NAME_BYTES_MAX)?;
    if text.chars().any(char::is_control) {
        return Err(ChangeError::new(field, "it holds a control character", "send printable text"));
    }
    Ok(())
}

fn check_bytes(field: &str, text: &str, max: usize) -> Result<(), ChangeError> {
    if text.len() > max {
        let message = format!("it has {} bytes, {max} are allowed", text.len());
        return Err(ChangeError::new(field, message, "shorten it"));
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

fn check_stages(stages: &[Stage]) -> Result<(), ChangeError> {
    if stages.len() > STAGES_MAX {
        let message = format!("there are {}, {STAGES_MAX} are allowed", stages.len());
        return Err(ChangeError::new("stages", message, "report the steps that change the share of traffic"));
    }
    for stage in stages {
        if let Some(percent) = stage.percent.filter(|percent| !(0.0..=100.0).contains(percent)) {
            return Err(ChangeError::new("stages", format!("a stage has percent {percent}"), "give 0 to 100"));
        }
        let name = stage.name.as_deref().unwrap_or_default();
        check_bytes("stages", name, TEXT_BYTES_MAX)?;
        if stage.percent.is_none() && name.is_empty() {
            return Err(ChangeError::new("stages", "a stage has neither percent nor name", "give one of them"));
        }
    }
    Ok(())
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
                "change refused: body: unknown field `version`, expected one of `id`, `kind`, `target`, `from_version`, `to_version`, `artifact`, `started_at`, `finished_at`, `reported_at`, `status`, `stages`, `actor`, `source`, `link`, `reversible`, `rollback`, `depends_on`, `labels`, `raw`; the fields are id, kind, target {service, ...}, from_version, to_version, started_at, finished_at, ..."
            ],
        );
    }
    #[test]
    fn a_change_from_the_future_is_refused() {
        let now = Timestamp::from_secs(1000);
        let refusal = |field: &str, at: i64| {
            let mut json = json!({"id": "1", "kind": "deploy", "target": {"service": "a"}});
            json[field] = at.into();
            let refused = ChangeReport::from_json(&json).unwrap().check_not_future(now);
            refused.err().map(|error| error.to_string()).unwrap_or_default()
        };
        expect![
            "change refused: started_at: 1970-01-01T00:21:41Z is in the future: it is 1970-01-01T00:16:40Z here, and 300 s of difference between clocks are allowed; set the sender's clock, and report a change when it begins"
        ]
        .assert_eq(&refusal("started_at", 1301));
        assert_eq!(refusal("started_at", 1300), "");
        assert!(refusal("finished_at", 1301).contains("finished_at"));
        assert!(refusal("reported_at", 1301).contains("reported_at"));
    }
}
