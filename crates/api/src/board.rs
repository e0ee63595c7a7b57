//! The board: how rules and alerts stand now, published by the threads that evaluate them and read by the API.

use std::collections::BTreeMap;
use std::time::Duration;

use model::Timestamp;
use parking_lot::Mutex;
use rules::{Alert, AlertState, GroupEvaluator, Health, RuleExpr, RuleKind, RuleStatus};
use serde_json::{Map, Value, json};

use crate::prometheus::rule_filter::{RuleFilter, token};

/// How many of its intervals may pass without an evaluation of a group before it is late.
const LATE_INTERVALS: i64 = 3;
/// What is added to that, in nanoseconds: evaluations take time.
const LATE_SLACK_NS: i64 = 10_000_000_000;

/// Go's zero time, which Prometheus shows for what has not been yet.
const NEVER: &str = "0001-01-01T00:00:00Z";

/// Every group as it was after its last evaluation.
#[derive(Debug, Default)]
pub struct RuleBoard {
    groups: Mutex<BTreeMap<(String, String), GroupState>>,
}

#[derive(Clone, Debug)]
struct GroupState {
    interval_ns: i64,
    query_offset_ns: i64,
    limit: usize,
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
        let state = GroupState {
            interval_ns: group.interval_ns,
            query_offset_ns: group.query_offset_ns,
            limit: group.limit,
            evaluated_at: at,
            took,
            rules,
        };
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

    /// The shape of Prometheus's `/api/v1/rules`: groups in order, without those of which no rule is wanted. The error says that a
    /// token is of no group.
    pub(crate) fn to_prometheus(&self, filter: &RuleFilter) -> Result<Value, String> {
        let groups = self.groups.lock();
        let mut shown = Vec::new();
        let mut next_token = None;
        let mut begun = filter.next_token.is_none();
        for ((file, name), group) in groups.iter() {
            begun = begun || filter.next_token.as_ref().is_some_and(|wanted| *wanted == token(file, name));
            if !begun || !filter.wants_group(file, name) {
                continue;
            }
            let wanted = |rule: &&RuleState| filter.wants_rule(&rule.name, rule.recording, &rule.labels);
            let rules: Vec<Value> =
                group.rules.iter().filter(wanted).map(|rule| rule.to_prometheus(filter.exclude_alerts)).collect();
            if rules.is_empty() {
                continue;
            }
            if filter.groups_max.is_some_and(|most| shown.len() == most) {
                next_token = Some(token(file, name));
                break;
            }
            shown.push(json!({
                "name": name,
                "file": file,
                "interval": seconds(group.interval_ns),
                "queryOffset": seconds(group.query_offset_ns),
                "limit": group.limit,
                "rules": rules,
                "evaluationTime": group.took.as_secs_f64(),
                "lastEvaluation": group.evaluated_at.to_string(),
            }));
        }
        if let Some(wanted) = filter.next_token.as_ref().filter(|_| !begun) {
            return Err(format!("invalid group_next_token '{wanted}'. were rule groups changed?"));
        }
        let mut answer = json!({"groups": shown});
        if let Some(token) = next_token {
            answer["groupNextToken"] = token.into();
        }
        Ok(answer)
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

    fn to_prometheus(&self, exclude_alerts: bool) -> Value {
        let mut shown = json!({
            "type": if self.recording { "recording" } else { "alerting" },
            "name": self.name,
            "query": self.query,
            "labels": self.labels,
            "health": self.health,
            "lastError": self.error.clone().unwrap_or_default(),
            "lastEvaluation": self.evaluated_at.map_or_else(|| NEVER.to_owned(), |at| at.to_string()),
            "evaluationTime": 0.0,
        });
        if let (false, Some(shown)) = (self.recording, shown.as_object_mut()) {
            self.add_alerting(shown, exclude_alerts);
        }
        shown
    }

    fn add_alerting(&self, shown: &mut Map<String, Value>, exclude_alerts: bool) {
        let active = self.alerts.iter().filter(|alert| !exclude_alerts && alert.state != AlertState::Resolved);
        shown.insert("state".to_owned(), self.state().into());
        shown.insert("duration".to_owned(), seconds(self.for_ns).into());
        shown.insert("keepFiringFor".to_owned(), seconds(self.keep_firing_for_ns).into());
        shown.insert("annotations".to_owned(), json!(self.annotations));
        shown.insert("alerts".to_owned(), active.map(prometheus_alert).collect());
    }
}

/// An alert in the shape of Prometheus's `/api/v1/alerts`.
pub(crate) fn prometheus_alert(alert: &Alert) -> Value {
    let mut shown = json!({
        "labels": alert.labels,
        "annotations": alert.annotations,
        "state": alert.state,
        "activeAt": alert.active_at.to_string(),
        "value": alert.value.map_or_else(|| "NaN".to_owned(), exponent_form),
    });
    if let Some(since) = alert.keep_firing_since {
        shown["keepFiringSince"] = since.to_string().into();
    }
    shown
}

/// A number as Go's `strconv.FormatFloat(value, 'e', -1, 64)` prints it, which clients of Prometheus get: `1e+00`.
fn exponent_form(value: f64) -> String {
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |rest| ('-', rest));
    format!("{digits}e{sign}{exponent:0>2}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_go_exponents() {
        let cases = [(1.0, "1e+00"), (0.0, "0e+00"), (-12.5, "-1.25e+01"), (3e-7, "3e-07"), (1e120, "1e+120")];
        for (value, want) in cases {
            assert_eq!(exponent_form(value), want);
        }
    }
}
