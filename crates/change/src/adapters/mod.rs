//! What other systems send when something changes, as reports of our own: one file per system.
//!
//! An adapter is a function from headers and a body to [`Translated`]: reports in the native shape, events that are no change with
//! the reason, and items at fault. It knows no clock, no ledger and no configuration but the [`Source`] that it is given. All events of
//! one rollout get the same id, and each report says when its source said it (`reported_at`), so that the order in which they
//! arrive does not matter. An event that tells of two moments (a status that also shows when its deployment was made) becomes
//! two reports.

mod amend;
mod argo_rollouts;
mod argocd;
mod cdevents;
mod flagger;
mod flux;
mod generic;
mod github;
mod gitlab;
mod grafana;
mod honeycomb;
mod pagerduty;
mod parts;
mod signature;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use model::Timestamp;
use serde_json::Value as Json;

pub use amend::amend;
pub use generic::Mapping;
pub use grafana::annotation_id;
pub use signature::{SIGNATURE_AGE_MAX_S, Secret};

use crate::ChangeError;
use parts::{Delivered, Draft};

/// Largest body of a delivery, in bytes.
pub const DELIVERY_BYTES_MAX: usize = 1024 * 1024;

/// Most changes in one delivery.
pub const BATCH_MAX: usize = 1_000;

/// A system whose deliveries are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adapter {
    /// CDEvents in CloudEvents: binary, structured or batched.
    CdEvents,
    /// GitHub's webhooks `deployment` and `deployment_status`.
    GitHub,
    /// GitLab's deployment webhook.
    GitLab,
    /// Argo CD's notifications.
    ArgoCd,
    /// Argo Rollouts' notifications.
    ArgoRollouts,
    /// Events of Flux's notification-controller.
    Flux,
    /// Flagger's event webhook.
    Flagger,
    /// PagerDuty's change events.
    PagerDuty,
    /// Grafana's annotations.
    Grafana,
    /// Honeycomb's markers.
    Honeycomb,
    /// Any JSON, through a mapping.
    Generic,
}

impl Adapter {
    /// Every adapter.
    pub const ALL: [Adapter; 11] = [
        Self::CdEvents,
        Self::GitHub,
        Self::GitLab,
        Self::ArgoCd,
        Self::ArgoRollouts,
        Self::Flux,
        Self::Flagger,
        Self::PagerDuty,
        Self::Grafana,
        Self::Honeycomb,
        Self::Generic,
    ];

    /// Its name in paths, in the configuration, and as the source of its changes.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CdEvents => "cdevents",
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
            Self::ArgoCd => "argocd",
            Self::ArgoRollouts => "argo-rollouts",
            Self::Flux => "flux",
            Self::Flagger => "flagger",
            Self::PagerDuty => "pagerduty",
            Self::Grafana => "grafana",
            Self::Honeycomb => "honeycomb",
            Self::Generic => "generic",
        }
    }

    /// The adapter of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|adapter| adapter.as_str() == name)
    }

    /// How a sender makes this adapter see the kind, for the error of a delivery that says none.
    fn kind_hint(self) -> &'static str {
        match self {
            Self::Grafana => "add a tag such as deploy or config, or set `kind` of the source in the configuration",
            Self::Honeycomb => "send a type such as deploy or config, or set `kind` of the source in the configuration",
            _ => "map `kind`, or set `kind` of the source in the configuration",
        }
    }

    /// How a sender makes this adapter see the service, for the error of a delivery that names none.
    fn service_hint(self) -> &'static str {
        match self {
            Self::Grafana => "add a tag service:NAME, or set `service` of the source in the configuration",
            Self::Honeycomb => {
                "send the marker to the service's dataset, or set `service` of the source in the configuration"
            }
            Self::PagerDuty => {
                "send payload.custom_details.service, or set `service` of the source in the configuration"
            }
            Self::Generic => "map `service`, or set `service` of the source in the configuration",
            _ => "set `service` of the source in the configuration",
        }
    }
}

/// A delivery as it came.
#[derive(Clone, Copy, Debug)]
pub struct Delivery<'a> {
    /// Its headers, names in lower case.
    pub headers: &'a BTreeMap<String, String>,
    /// Its body.
    pub body: &'a [u8],
    /// When it arrived.
    pub arrived_at: Timestamp,
    /// The last part of the path that it was sent to, where the system puts something there: Honeycomb's dataset.
    pub path: Option<&'a str>,
}

/// Who sends deliveries: a name, what stands in for what they do not say, and what they must prove.
#[derive(Clone, Debug)]
pub struct Source {
    /// The source of the changes.
    pub name: String,
    /// How its deliveries are read.
    pub adapter: Adapter,
    /// What a delivery must prove to know one of; none asks for no proof.
    pub secrets: Vec<Secret>,
    /// What stands in for what a delivery does not say.
    pub defaults: Defaults,
    /// How the generic adapter reads.
    pub mapping: Option<Mapping>,
}

impl Source {
    /// The source of an adapter that nothing is configured for: its name is the adapter's, and it asks for no proof.
    pub fn open(adapter: Adapter) -> Self {
        let name = adapter.as_str().to_owned();
        Self { name, adapter, secrets: Vec::new(), defaults: Defaults::default(), mapping: None }
    }
}

/// What stands in for what a delivery does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Defaults {
    /// The service.
    pub service: Option<String>,
    /// The environment.
    pub environment: Option<String>,
    /// The cluster.
    pub cluster: Option<String>,
    /// The namespace.
    pub namespace: Option<String>,
    /// The kind of change.
    pub kind: Option<String>,
}

/// What a delivery says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Translated {
    /// Reports in the native shape, for [`crate::ChangeBook::record`].
    pub reports: Vec<Json>,
    /// Events that are no change, each with the reason.
    pub ignored: Vec<String>,
    /// Items that can not be understood; their neighbours are not affected.
    pub refused: Vec<ChangeError>,
}

/// One item of a delivery, read: reports, or the reason why it is none.
enum Item {
    Reports(Vec<Draft>),
    Ignored(String),
}

impl Item {
    fn ignored(reason: impl Into<String>) -> Result<Vec<Result<Item, ChangeError>>, ChangeError> {
        Ok(vec![Ok(Item::Ignored(reason.into()))])
    }
}

/// The items of a delivery.
type Items = Result<Vec<Result<Item, ChangeError>>, ChangeError>;

/// Reads a delivery of a source. The error is about the whole of it.
pub fn translate(source: &Source, delivery: &Delivery<'_>) -> Result<Translated, ChangeError> {
    if delivery.body.len() > DELIVERY_BYTES_MAX {
        let message = format!("it has {} bytes, {DELIVERY_BYTES_MAX} are allowed", delivery.body.len());
        return Err(ChangeError::new("body", message, "send the change without what it is made of"));
    }
    let items = items(source, delivery)?;
    if items.len() > BATCH_MAX {
        let message = format!("it holds {} items, {BATCH_MAX} are allowed", items.len());
        return Err(ChangeError::new("body", message, "send several deliveries"));
    }
    let mut translated = Translated::default();
    for item in items {
        match item {
            Ok(Item::Ignored(reason)) => translated.ignored.push(reason),
            Ok(Item::Reports(drafts)) => match drafts.into_iter().map(|draft| report(source, draft)).collect() {
                Ok(Reports(reports)) => translated.reports.extend(reports),
                Err(error) => translated.refused.push(error),
            },
            Err(error) => translated.refused.push(error),
        }
    }
    Ok(translated)
}

fn items(source: &Source, delivery: &Delivery<'_>) -> Items {
    match source.adapter {
        Adapter::CdEvents => cdevents::items(delivery),
        Adapter::GitHub => github::items(delivery),
        Adapter::GitLab => gitlab::items(delivery),
        Adapter::ArgoCd => argocd::items(delivery),
        Adapter::ArgoRollouts => argo_rollouts::items(delivery),
        Adapter::Flux => flux::items(delivery),
        Adapter::Flagger => flagger::items(delivery),
        Adapter::PagerDuty => pagerduty::items(delivery),
        Adapter::Grafana => grafana::items(delivery),
        Adapter::Honeycomb => honeycomb::items(delivery),
        Adapter::Generic => match &source.mapping {
            Some(mapping) => generic::items(mapping, delivery),
            None => Err(ChangeError::new("source", format!("{:?} has no mapping", source.name), "configure one")),
        },
    }
}

/// The reports of one item.
struct Reports(Vec<Json>);

impl FromIterator<Json> for Reports {
    fn from_iter<I: IntoIterator<Item = Json>>(reports: I) -> Self {
        Self(reports.into_iter().collect())
    }
}

/// A draft with the source's defaults, checked as a report.
fn report(source: &Source, mut draft: Draft) -> Result<Json, ChangeError> {
    let defaults = &source.defaults;
    let target = &mut draft.target;
    for (field, default) in [
        (&mut target.service, &defaults.service),
        (&mut target.environment, &defaults.environment),
        (&mut target.cluster, &defaults.cluster),
        (&mut target.namespace, &defaults.namespace),
        (&mut draft.kind, &defaults.kind),
    ] {
        if field.is_none() {
            field.clone_from(default);
        }
    }
    if target.service.is_none() {
        let hint = source.adapter.service_hint();
        return Err(ChangeError::new("target.service", "the delivery names no service", hint));
    }
    if draft.kind.is_none() && draft.usual_kind.is_empty() {
        let hint = source.adapter.kind_hint();
        return Err(ChangeError::new("kind", "the delivery does not say what kind of change it is", hint));
    }
    draft.kind.get_or_insert_with(|| draft.usual_kind.to_owned());
    draft.source.clone_from(&source.name);
    let json =
        serde_json::to_value(&draft).map_err(|error| ChangeError::new("body", error.to_string(), "report this"))?;
    crate::ChangeReport::from_json(&json)?.kind()?;
    Ok(json)
}

/// A body of JSON.
fn json_body<'a>(delivery: &Delivery<'a>) -> Result<Delivered, ChangeError> {
    let parsed: Result<Json, _> = serde_json::from_slice(delivery.body);
    match parsed {
        Ok(json) if json.is_object() => Ok(Delivered(json)),
        Ok(_) => Err(ChangeError::new("body", "it is not a JSON object", "send what the system's documentation shows")),
        Err(error) => Err(ChangeError::new("body", format!("it is not JSON: {error}"), "set the content type to JSON")),
    }
}
