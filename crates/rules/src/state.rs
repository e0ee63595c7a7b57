//! The state machine of one rule's alerts. The order of the steps is that of Prometheus's `AlertingRule.Eval`
//! (prometheus/rules/alerting.go), with recovery conditions and no-data policies beside it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use catalog::ledger::{canonical_json, sha256_hex};
use model::{FloatHistogram, METRIC_NAME, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use crate::template::{Moment, Surroundings, Template};
use crate::{Alert, AlertState, DataState, Group, Rule, RuleExpr, RuleQuery};

/// How long a resolved alert is kept, in nanoseconds: long enough for every receiver to be told, Prometheus's 15 minutes.
pub const RESOLVED_RETENTION_NS: i64 = 15 * 60 * 1_000_000_000;

/// A pending alert that was saved longer ago than this and its `for` starts over after a restart: nobody measured meanwhile.
/// Prometheus's `rules.alert.for-outage-tolerance`.
pub const OUTAGE_TOLERANCE_NS: i64 = 3600 * 1_000_000_000;

/// One measured label set for which the condition holds.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The labels, with the metric's name if the expression keeps it: templates may say it.
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
    pub(crate) histogram: Option<Arc<FloatHistogram>>,
    pub(crate) columns: BTreeMap<String, Json>,
    pub(crate) data: DataState,
}

impl Sample {
    /// A number that was measured.
    pub(crate) fn measured(labels: BTreeMap<String, String>, value: f64) -> Sample {
        Sample { labels, value, histogram: None, columns: BTreeMap::new(), data: DataState::Measured }
    }
}

/// When and amid what an evaluation is.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) at: Timestamp,
    /// The time that queries are for: earlier by the group's offset.
    pub(crate) asked_at: Timestamp,
    pub(crate) query: &'a dyn RuleQuery,
    pub(crate) surroundings: &'a Surroundings,
}

impl Scene<'_> {
    fn fill(&self, template: &Template, sample: &Sample) -> String {
        let moment = Moment {
            labels: &sample.labels,
            value: sample.value,
            histogram: sample.histogram.as_deref(),
            at: self.asked_at,
            query: Some(self.query),
            surroundings: self.surroundings,
        };
        template.render_at(&moment)
    }
}

/// Which alerts a recovery condition lets go.
pub(crate) enum Recovery {
    /// There is no recovery condition: all.
    All,
    /// Those whose labels include one of these label sets.
    Matching(Vec<BTreeMap<String, String>>),
    /// All but those whose labels include one of these label sets.
    AllBut(Vec<BTreeMap<String, String>>),
}

impl Recovery {
    fn allows(&self, labels: &BTreeMap<String, String>) -> bool {
        let included = |set: &BTreeMap<String, String>| set.iter().all(|(name, value)| labels.get(name) == Some(value));
        match self {
            Self::All => true,
            Self::Matching(sets) => sets.iter().any(included),
            Self::AllBut(sets) => !sets.iter().any(included),
        }
    }
}

/// The rule that an evaluation is of.
#[derive(Clone, Copy)]
pub(crate) struct Origin<'a> {
    pub(crate) key: &'a str,
    pub(crate) group: &'a Group,
    pub(crate) rule: &'a Rule,
}

/// The alerts of one rule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleState {
    /// By fingerprint.
    pub(crate) alerts: BTreeMap<String, Alert>,
}

impl RuleState {
    /// Takes one evaluation's samples at time `at`. An error leaves everything as it was.
    pub(crate) fn step(
        &mut self,
        origin: Origin<'_>,
        samples: Vec<Sample>,
        recovery: &Recovery,
        scene: &Scene<'_>,
    ) -> Result<(), String> {
        let at = scene.at;
        let found = label_samples(origin.rule, samples, scene)?;
        let mut next = self.clone();
        let mut present = BTreeSet::new();
        for (labels, sample) in found {
            present.insert(next.hold(origin, labels, sample, scene));
        }
        next.settle(origin.rule, &present, recovery, at);
        let active = next.alerts.values().filter(|alert| alert.state != AlertState::Resolved).count();
        let limit = origin.group.limit;
        if limit > 0 && active > limit {
            let advice = "raise it or narrow the query";
            return Err(format!("exceeded limit of {limit} with {active} alerts; {advice}"));
        }
        *self = next;
        Ok(())
    }

    /// The condition holds for a label set; returns its fingerprint.
    fn hold(&mut self, origin: Origin<'_>, labels: AlertLabels, sample: Sample, scene: &Scene<'_>) -> String {
        let at = scene.at;
        let Origin { key, group, rule } = origin;
        let fingerprint = fingerprint(key, &labels);
        let annotations = render(rule, &sample, scene);
        let value = sample.value.is_finite().then_some(sample.value);
        let alive = self.alerts.get_mut(&fingerprint).filter(|alert| alert.state != AlertState::Resolved);
        if let Some(alert) = alive {
            alert.value = value;
            alert.annotations = annotations;
            alert.columns = sample.columns;
            alert.data = sample.data;
            alert.evaluated_at = at;
            return fingerprint;
        }
        let window_ns = match rule.expr {
            RuleExpr::Logs { window_ns, .. } => Some(window_ns),
            RuleExpr::Promql { .. } => None,
        };
        let alert = Alert {
            id: sha256_hex(format!("{key}\0{fingerprint}\0{}", at.0).as_bytes())[..32].to_owned(),
            fingerprint: fingerprint.clone(),
            rule: rule.name.clone(),
            group: group.name.clone(),
            labels,
            annotations,
            state: AlertState::Pending,
            active_at: at,
            fired_at: None,
            keep_firing_since: None,
            resolved_at: None,
            value,
            columns: sample.columns,
            data: sample.data,
            evaluated_at: at,
            interval_ns: group.interval_ns,
            query: rule.expr.text().to_owned(),
            window_ns,
            playbook: rule.playbook.clone(),
        };
        self.alerts.insert(fingerprint.clone(), alert);
        fingerprint
    }

    /// Moves every alert on, after the label sets for which the condition holds are known.
    fn settle(&mut self, rule: &Rule, present: &BTreeSet<String>, recovery: &Recovery, at: Timestamp) {
        self.alerts.retain(|fingerprint, alert| {
            if present.contains(fingerprint) {
                alert.keep_firing_since = None;
                if alert.state == AlertState::Pending && at.0 - alert.active_at.0 >= rule.for_ns {
                    alert.state = AlertState::Firing;
                    alert.fired_at = Some(at);
                }
                return true;
            }
            match alert.state {
                AlertState::Pending => false,
                AlertState::Resolved => alert.resolved_at.is_some_and(|since| at.0 - since.0 <= RESOLVED_RETENTION_NS),
                AlertState::Firing => {
                    alert.evaluated_at = at;
                    alert.data = DataState::Measured;
                    release(rule, alert, recovery, at);
                    true
                }
            }
        });
    }

    /// The evaluation measured nothing: everything stays, marked so.
    pub(crate) fn unmeasured(&mut self, at: Timestamp) {
        for alert in self.alerts.values_mut().filter(|alert| alert.state != AlertState::Resolved) {
            alert.data = DataState::Unknown;
            alert.evaluated_at = at;
        }
    }

    /// What a restart needs, without what every evaluation changes: equal texts need no write.
    pub(crate) fn durable(&self) -> Json {
        let mut json = json!(self);
        for alert in json["alerts"].as_object_mut().into_iter().flatten().map(|(_, alert)| alert) {
            if let Some(alert) = alert.as_object_mut() {
                alert.insert("evaluated_at".to_owned(), alert["active_at"].clone());
                alert.insert("value".to_owned(), Json::Null);
                alert.insert("columns".to_owned(), json!({}));
                alert.insert("annotations".to_owned(), json!({}));
            }
        }
        json
    }

    /// The state as loaded at `now`, saved at `saved_at`: pending alerts that nobody measured for too long start over.
    pub(crate) fn restore(mut self, rule: &Rule, saved_at: Timestamp, now: Timestamp) -> RuleState {
        let stale = now.0 - saved_at.0 > OUTAGE_TOLERANCE_NS.saturating_add(rule.for_ns);
        self.alerts.retain(|_, alert| !(stale && alert.state == AlertState::Pending));
        self.unmeasured(now);
        self
    }
}

/// The condition of a firing alert holds no more: it is kept, or resolved.
fn release(rule: &Rule, alert: &mut Alert, recovery: &Recovery, at: Timestamp) {
    if !recovery.allows(&alert.labels) {
        alert.keep_firing_since = None;
        return;
    }
    if rule.keep_firing_for_ns > 0 {
        let since = *alert.keep_firing_since.get_or_insert(at);
        if at.0 - since.0 < rule.keep_firing_for_ns {
            return;
        }
    }
    alert.state = AlertState::Resolved;
    alert.resolved_at = Some(at);
}

/// The labels of an alert, by name.
type AlertLabels = BTreeMap<String, String>;

/// Adds the rule's labels to the samples'; two samples with the same labels afterwards are an error, as in Prometheus.
fn label_samples(rule: &Rule, samples: Vec<Sample>, scene: &Scene<'_>) -> Result<Vec<(AlertLabels, Sample)>, String> {
    let mut seen = BTreeSet::new();
    let mut found = Vec::with_capacity(samples.len());
    for sample in samples {
        let mut labels = sample.labels.clone();
        labels.remove(METRIC_NAME);
        for (name, template) in &rule.labels {
            labels.insert(name.clone(), scene.fill(template, &sample));
        }
        labels.insert("alertname".to_owned(), rule.name.clone());
        labels.retain(|_, value| !value.is_empty());
        if !seen.insert(labels.clone()) {
            let text = "vector contains metrics with the same labelset after applying alert labels";
            return Err(format!("{text}: {labels:?}; group by what tells them apart"));
        }
        found.push((labels, sample));
    }
    Ok(found)
}

fn render(rule: &Rule, sample: &Sample, scene: &Scene<'_>) -> BTreeMap<String, String> {
    let texts = rule.annotations.iter();
    texts.map(|(name, template)| (name.clone(), scene.fill(template, sample))).collect()
}

fn fingerprint(key: &str, labels: &BTreeMap<String, String>) -> String {
    sha256_hex(format!("{key}\0{}", canonical_json(&json!(labels))).as_bytes())[..16].to_owned()
}
