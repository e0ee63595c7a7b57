//! The board: how rules and alerts stand now, published by the threads that evaluate them and read by the API.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Timestamp;
use parking_lot::Mutex;
use rules::{Alert, AlertState, GroupEvaluator, Health, RuleExpr, RuleKind, RuleStatus};
use serde_json::{Map, Value, json};

/// How many of its intervals may pass without an evaluation of a group before it is late.
const LATE_INTERVALS: i64 = 3;
/// What is added to that, in nanoseconds: evaluations take time.
const LATE_SLACK_NS: i64 = 10_000_000_000;

/// Every group as it was after its last evaluation.
#[derive(Debug, Default)]
pub struct RuleBoard {
    groups: Mutex<BTreeMap<(String, String), GroupState>>,
}

#[derive(Clone, Debug)]
struct GroupState {
    interval_ns: i64,
    evaluated_at: Timestamp,
    took: Duration,
    rules: Vec<RuleState>,
}

#[derive(Clone, Debug)]
struct RuleState {
    name: String,
    recording: bool,
    query: String,
    language: &'static str,
    for_ns: i64,
    keep_firing_for_ns: i64,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    health: &'static str,
    error: Option<String>,
    evaluated_at: Option<Timestamp>,
    alerts: Vec<Alert>,
}

impl RuleBoard {
    /// Replaces what is known of a group.
    pub fn publish(&self, evaluator: &GroupEvaluator, at: Timestamp, took: Duration) {
        let group = evaluator.group();
        let rules = evaluator.status().iter().map(rule_state).collect();
        let state = GroupState { interval_ns: group.interval_ns, evaluated_at: at, took, rules };
        self.groups.lock().insert((group.file.clone(), group.name.clone()), state);
    }

    /// Every alert of every group.
    pub fn alerts(&self) -> Vec<Alert> {
        let groups = self.groups.lock();
        groups.values().flat_map(|group| &group.rules).flat_map(|rule| rule.alerts.iter().cloned()).collect()
    }

    /// Which group is evaluated far too late, if any is: then what alerts say is old, whatever they say.
    pub fn late(&self, now: Timestamp) -> Option<String> {
        let groups = self.groups.lock();
        groups.iter().find_map(|((_, name), group)| {
            let late_ns = now.0 - group.evaluated_at.0;
            let allowed_ns = group.interval_ns.saturating_mul(LATE_INTERVALS).saturating_add(LATE_SLACK_NS);
            let late = late_ns > allowed_ns;
            late.then(|| format!("the rules of group {name:?} were last evaluated {}s ago", late_ns / 1_000_000_000))
        })
    }

    /// The native shape of all groups.
    pub(crate) fn to_json(&self) -> Value {
        let groups = self.groups.lock();
        let groups: Vec<Value> = groups
            .iter()
            .map(|((file, name), group)| {
                json!({
                    "name": name,
                    "file": file,
                    "interval_ms": group.interval_ns / 1_000_000,
                    "last_evaluation": group.evaluated_at.to_string(),
                    "evaluation_ms": group.took.as_secs_f64() * 1e3,
                    "rules": group.rules.iter().map(RuleState::to_json).collect::<Vec<_>>(),
                })
            })
            .collect();
        json!({"groups": groups})
    }

    /// The shape of Prometheus's `/api/v1/rules`. `kind` keeps only `alert` or `record` rules.
    pub(crate) fn to_prometheus(&self, kind: Option<&str>) -> Value {
        let groups = self.groups.lock();
        let wanted = |rule: &&RuleState| kind.is_none_or(|kind| (kind == "record") == rule.recording);
        let groups: Vec<Value> = groups
            .iter()
            .map(|((file, name), group)| {
                json!({
                    "name": name,
                    "file": file,
                    "interval": seconds(group.interval_ns),
                    "limit": 0,
                    "rules": group.rules.iter().filter(wanted).map(RuleState::to_prometheus).collect::<Vec<_>>(),
                    "evaluationTime": group.took.as_secs_f64(),
                    "lastEvaluation": group.evaluated_at.to_string(),
                })
            })
            .collect();
        json!({"groups": groups})
    }
}

fn seconds(ns: i64) -> f64 {
    ns as f64 / 1e9
}

fn rule_state(status: &RuleStatus<'_>) -> RuleState {
    let rule = status.rule;
    let (query, language) = match &rule.expr {
        RuleExpr::Promql { expr, .. } => (expr.clone(), "promql"),
        RuleExpr::Logs { query, .. } => (query.clone(), "native"),
    };
    let (health, error) = match status.health {
        Health::Unknown => ("unknown", None),
        Health::Ok | Health::NoData => ("ok", None),
        Health::Err(error) => ("err", Some(error.clone())),
    };
    RuleState {
        name: rule.name.clone(),
        recording: rule.kind == RuleKind::Record,
        query,
        language,
        for_ns: rule.for_ns,
        keep_firing_for_ns: rule.keep_firing_for_ns,
        labels: rule.labels.iter().map(|(name, text)| (name.clone(), text.text().to_owned())).collect(),
        annotations: rule.annotations.iter().map(|(name, text)| (name.clone(), text.text().to_owned())).collect(),
        health,
        error,
        evaluated_at: status.evaluated_at,
        alerts: status.alerts.iter().map(|alert| (*alert).clone()).collect(),
    }
}

impl RuleState {
    /// `firing` when any alert fires, else `pending`, else `inactive`.
    fn state(&self) -> &'static str {
        let any = |state: AlertState| self.alerts.iter().any(|alert| alert.state == state);
        if any(AlertState::Firing) {
            "firing"
        } else if any(AlertState::Pending) {
            "pending"
        } else {
            "inactive"
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "name": self.name,
            "kind": if self.recording { "record" } else { "alert" },
            "query": self.query,
            "language": self.language,
            "for_ms": self.for_ns / 1_000_000,
            "labels": self.labels,
            "annotations": self.annotations,
            "health": self.health,
            "last_error": self.error,
            "last_evaluation": self.evaluated_at.map(|at| at.to_string()),
            "state": self.state(),
            "alerts": self.alerts.iter().filter(|alert| alert.state != AlertState::Resolved).count(),
        })
    }

    fn to_prometheus(&self) -> Value {
        let mut shown = json!({
            "type": if self.recording { "recording" } else { "alerting" },
            "name": self.name,
            "query": self.query,
            "labels": self.labels,
            "health": self.health,
            "lastError": self.error.clone().unwrap_or_default(),
            "lastEvaluation": self.evaluated_at.map(|at| at.to_string()),
            "evaluationTime": 0.0,
        });
        if let (false, Some(shown)) = (self.recording, shown.as_object_mut()) {
            self.add_alerting(shown);
        }
        shown
    }

    fn add_alerting(&self, shown: &mut Map<String, Value>) {
        let active = self.alerts.iter().filter(|alert| alert.state != AlertState::Resolved);
        shown.insert("state".to_owned(), self.state().into());
        shown.insert("duration".to_owned(), seconds(self.for_ns).into());
        shown.insert("keepFiringFor".to_owned(), seconds(self.keep_firing_for_ns).into());
        shown.insert("annotations".to_owned(), json!(self.annotations));
        shown.insert("alerts".to_owned(), active.map(prometheus_alert).collect());
    }
}

/// An alert in the shape of Prometheus's `/api/v1/alerts`.
pub(crate) fn prometheus_alert(alert: &Alert) -> Value {
    json!({
        "labels": alert.labels,
        "annotations": alert.annotations,
        "state": alert.state,
        "activeAt": alert.active_at.to_string(),
        "value": alert.value.map_or_else(|| "NaN".to_owned(), |value| format!("{value:e}")),
    })
}
