//! Rule files: Prometheus's format and its extensions, from YAML to checked rules.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_saphyr::Spanned;

use promql::ParserOptions;

use crate::syntax::{check_logs, check_promql};
use crate::{Mapper, Problem, Problems, QueryProblem, Template, When, yaml_problem};

/// The shortest interval of a group, in nanoseconds.
pub const INTERVAL_NS_MIN: i64 = 1_000_000_000;

/// The interval of a group that names none, in nanoseconds.
pub const INTERVAL_NS_DEFAULT: i64 = 60_000_000_000;

/// Largest rule file, in bytes.
pub const FILE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Kinds of rules of the format that this version does not evaluate.
const KINDS_LATER: [&str; 10] = [
    "spike",
    "flatline",
    "new_term",
    "cardinality",
    "percentage",
    "change",
    "burn_rate",
    "anomaly",
    "absent",
    "composite",
];

/// A group: rules evaluated one after the other at the same times.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The file it comes from.
    pub file: String,
    /// Its name, unique in its file.
    pub name: String,
    /// How often it is evaluated, in nanoseconds.
    pub interval_ns: i64,
    /// How far in the past its queries look, in nanoseconds.
    pub query_offset_ns: i64,
    /// Most alerts or series per rule; 0 for no limit.
    pub limit: usize,
    /// Its rules, in order.
    pub rules: Vec<Rule>,
}

/// A rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The alert's name or the recorded metric's.
    pub name: String,
    /// What it does.
    pub kind: RuleKind,
    /// What it asks.
    pub expr: RuleExpr,
    /// How long the condition must hold before the alert fires, in nanoseconds.
    pub for_ns: i64,
    /// How long the alert fires on after the condition ended, in nanoseconds.
    pub keep_firing_for_ns: i64,
    /// What no data means.
    pub no_data: NoData,
    /// Labels, those of the group included.
    pub labels: BTreeMap<String, Template>,
    /// Annotations.
    pub annotations: BTreeMap<String, Template>,
    /// The playbook for its alerts.
    pub playbook: Option<String>,
    /// The line of the file that it begins in.
    pub line: u64,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RuleKind {
    /// It alerts.
    Alert,
    /// It records a series.
    Record,
}

/// What a rule asks.
#[derive(Clone, Debug, PartialEq)]
pub enum RuleExpr {
    /// PromQL: every sample of the result is an alert.
    Promql {
        /// The expression.
        expr: String,
        /// The part of it whose emptiness means "no data".
        presence: String,
        /// A firing alert is resolved only when this yields a sample with its labels.
        recover: Option<String>,
    },
    /// The native language: every row of the result that meets `when` is an alert.
    Logs {
        /// The query.
        query: String,
        /// How far it looks back, in nanoseconds.
        window_ns: i64,
        /// The fields of a row that become labels.
        by: Vec<String>,
        /// The condition; any row when there is none.
        when: Option<When>,
        /// A firing alert is resolved only when its row meets this, or is gone.
        recover: Option<When>,
    },
}

impl RuleExpr {
    /// The query's text.
    pub fn text(&self) -> &str {
        match self {
            Self::Promql { expr, .. } => expr,
            Self::Logs { query, .. } => query,
        }
    }
}

/// What no data means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NoData {
    /// The condition does not hold.
    #[default]
    Ok,
    /// It is an alert itself.
    Alerting,
    /// Alerts stay as they are.
    Keep,
    /// Alerts stay as they are and are marked as not measured, so that nothing acts on them.
    Unknown,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFile {
    #[serde(default)]
    groups: Vec<RawGroup>,
}

type RawLabels = BTreeMap<String, Spanned<String>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawGroup {
    name: Spanned<String>,
    interval: Option<Spanned<String>>,
    query_offset: Option<Spanned<String>>,
    limit: Option<usize>,
    #[serde(default)]
    labels: RawLabels,
    #[serde(default)]
    rules: Vec<Spanned<RawRule>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRule {
    record: Option<Spanned<String>>,
    alert: Option<Spanned<String>>,
    expr: Option<Spanned<String>>,
    logs: Option<Spanned<String>>,
    window: Option<Spanned<String>>,
    when: Option<Spanned<String>>,
    kind: Option<Spanned<String>>,
    #[serde(rename = "for")]
    hold: Option<Spanned<String>>,
    keep_firing_for: Option<Spanned<String>>,
    recover: Option<Spanned<String>>,
    no_data: Option<Spanned<String>>,
    #[serde(default)]
    labels: RawLabels,
    #[serde(default)]
    annotations: RawLabels,
    playbook: Option<Spanned<String>>,
}

/// A file read for nothing but the kinds of its rules: a kind of the format that is not built yet brings keys of its own, and "unknown
/// key" would be the wrong thing to say about them.
#[derive(Deserialize)]
struct KindsFile {
    #[serde(default)]
    groups: Vec<KindsGroup>,
}

#[derive(Deserialize)]
struct KindsGroup {
    #[serde(default)]
    rules: Vec<KindsRule>,
}

#[derive(Deserialize)]
struct KindsRule {
    kind: Option<Spanned<String>>,
}

/// Reads a rule file whose PromQL may use what `language` says. Groups without a mistake are returned even when others have one.
pub(crate) fn parse(file: &str, text: &str, language: ParserOptions) -> (Vec<Group>, Vec<Problem>) {
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes, {FILE_BYTES_MAX} are allowed", text.len());
        let hint = Some("split it".to_owned());
        return (Vec::new(), vec![Problem { file: file.to_owned(), line: 1, column: 1, message, hint }]);
    }
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return (Vec::new(), Vec::new());
    }
    match serde_saphyr::from_str::<RawFile>(text) {
        Ok(raw) => Reader { problems: Problems::new(file, text), language }.file(raw),
        Err(error) => {
            let kinds = serde_saphyr::from_str::<KindsFile>(text).map(|raw| later_kinds(Mapper { file, text }, &raw));
            let kinds = kinds.unwrap_or_default();
            let problems = if kinds.is_empty() { vec![yaml_problem(file, &error)] } else { kinds };
            (Vec::new(), problems)
        }
    }
}

fn later_kinds(mapper: Mapper<'_>, raw: &KindsFile) -> Vec<Problem> {
    let kinds = raw.groups.iter().flat_map(|group| &group.rules).filter_map(|rule| rule.kind.as_ref());
    kinds.filter_map(|kind| kind_problem(mapper, kind)).collect()
}

fn kind_problem(mapper: Mapper<'_>, kind: &Spanned<String>) -> Option<Problem> {
    let later = KINDS_LATER.join(", ");
    let (message, hint) = match kind.value.as_str() {
        "promql" | "logs" => return None,
        word if KINDS_LATER.contains(&word) => (
            format!("rules of kind {word:?} are not available yet"),
            format!("write the condition as `expr` or as `logs` with `when`; to come: {later}"),
        ),
        word => (format!("there is no kind {word:?}"), format!("leave `kind` out; to come: {later}")),
    };
    Some(mapper.problem(kind, message, Some(hint)))
}

struct Reader<'a> {
    problems: Problems<'a>,
    language: ParserOptions,
}

impl Reader<'_> {
    fn file(mut self, raw: RawFile) -> (Vec<Group>, Vec<Problem>) {
        let mut names = BTreeSet::new();
        let mut groups = Vec::new();
        for group in raw.groups {
            if !names.insert(group.name.value.clone()) {
                let message = format!("the group name {:?} is there twice", group.name.value);
                self.problems.say(&group.name, message, "give every group of a file a name of its own");
            }
            let before = self.problems.found.len();
            let group = self.group(group);
            if self.problems.found.len() == before {
                groups.push(group);
            }
        }
        (groups, self.problems.found)
    }

    fn group(&mut self, raw: RawGroup) -> Group {
        if raw.name.value.is_empty() {
            self.problems.say(&raw.name, "the group has no name", "give it one");
        }
        let interval_ns = self.problems.duration(raw.interval.as_ref()).unwrap_or(INTERVAL_NS_DEFAULT);
        if let Some(interval) = raw.interval.as_ref().filter(|_| interval_ns < INTERVAL_NS_MIN) {
            self.problems.say(interval, format!("the interval {} is too short", interval.value), "the shortest is 1s");
        }
        let query_offset_ns = self.problems.duration(raw.query_offset.as_ref()).unwrap_or(0);
        let group_labels = self.templates(&raw.labels, "label");
        let rules = raw.rules.into_iter().filter_map(|rule| self.rule(rule, &group_labels)).collect();
        Group {
            file: self.problems.mapper.file.to_owned(),
            name: raw.name.value,
            interval_ns,
            query_offset_ns,
            limit: raw.limit.unwrap_or(0),
            rules,
        }
    }

    fn rule(&mut self, spanned: Spanned<RawRule>, group_labels: &BTreeMap<String, Template>) -> Option<Rule> {
        let line = spanned.defined.line();
        let raw = &spanned.value;
        if let Some(kind) = &raw.kind {
            self.problems.found.extend(kind_problem(self.problems.mapper, kind));
        }
        let (kind, name) = match (&raw.alert, &raw.record) {
            (Some(name), None) => (RuleKind::Alert, name),
            (None, Some(name)) => (RuleKind::Record, name),
            (Some(_), Some(record)) => {
                self.problems.say(record, "a rule has both `alert` and `record`", "make two rules of it");
                return None;
            }
            (None, None) => {
                self.problems.say(
                    &spanned,
                    "a rule has neither `alert` nor `record`",
                    "give it a name with one of them",
                );
                return None;
            }
        };
        self.check_name(kind, name);
        let expr = self.expr(&spanned)?;
        if kind == RuleKind::Record {
            self.check_recording(raw);
        }
        let mut labels = group_labels.clone();
        labels.extend(self.templates(&raw.labels, "label"));
        Some(Rule {
            name: name.value.clone(),
            kind,
            expr,
            for_ns: self.problems.duration(raw.hold.as_ref()).unwrap_or(0),
            keep_firing_for_ns: self.problems.duration(raw.keep_firing_for.as_ref()).unwrap_or(0),
            no_data: self.no_data(raw.no_data.as_ref()),
            labels,
            annotations: self.templates(&raw.annotations, "annotation"),
            playbook: raw.playbook.as_ref().map(|playbook| playbook.value.clone()),
            line,
        })
    }

    fn check_name(&mut self, kind: RuleKind, name: &Spanned<String>) {
        if name.value.is_empty() {
            self.problems.say(name, "the rule's name is empty", "give it one");
        } else if kind == RuleKind::Record && name.value.contains(['{', '}']) {
            self.problems.say(name, format!("{:?} is not a metric name", name.value), "labels go under `labels`");
        }
    }

    fn check_recording(&mut self, raw: &RawRule) {
        let alert_only = [
            ("for", &raw.hold),
            ("keep_firing_for", &raw.keep_firing_for),
            ("recover", &raw.recover),
            ("no_data", &raw.no_data),
            ("playbook", &raw.playbook),
            ("when", &raw.when),
        ];
        for (key, value) in alert_only {
            if let Some(value) = value {
                self.problems.say(value, format!("a recording rule has no `{key}`"), "only alerts have it");
            }
        }
        if let Some(annotation) = raw.annotations.values().next() {
            self.problems.say(annotation, "a recording rule has no `annotations`", "only alerts have them");
        }
    }

    fn expr(&mut self, spanned: &Spanned<RawRule>) -> Option<RuleExpr> {
        let raw = &spanned.value;
        match (&raw.expr, &raw.logs) {
            (Some(expr), None) => {
                for (key, value) in [("window", &raw.window), ("when", &raw.when)] {
                    if let Some(value) = value {
                        self.problems.say(
                            value,
                            format!("`{key}` belongs to `logs`"),
                            "PromQL has its own ranges and comparisons",
                        );
                    }
                }
                let presence = self.promql(expr)?;
                if let Some(recover) = &raw.recover {
                    self.promql(recover)?;
                }
                let recover = raw.recover.as_ref().map(|recover| recover.value.clone());
                Some(RuleExpr::Promql { expr: expr.value.clone(), presence, recover })
            }
            (None, Some(logs)) => self.logs(raw, logs),
            (Some(_), Some(logs)) => {
                self.problems.say(logs, "a rule has both `expr` and `logs`", "make two rules of it");
                None
            }
            (None, None) => {
                if raw.kind.is_none() {
                    self.problems.say(
                        spanned,
                        "a rule has neither `expr` nor `logs`",
                        "say what it asks with one of them",
                    );
                }
                None
            }
        }
    }

    fn promql(&mut self, expr: &Spanned<String>) -> Option<String> {
        match check_promql(&expr.value, self.language) {
            Ok(info) => Some(info.presence.unwrap_or_else(|| expr.value.clone())),
            Err(found) => {
                self.problems.say_inside(expr, found);
                None
            }
        }
    }

    fn logs(&mut self, raw: &RawRule, logs: &Spanned<String>) -> Option<RuleExpr> {
        let info = check_logs(&logs.value).map_err(|found| self.problems.say_inside(logs, found)).ok();
        let window_ns = self.problems.duration(raw.window.as_ref());
        if raw.window.is_none() {
            self.problems.say(logs, "a log rule has no `window`", "say how far it looks back, such as window: 1m");
        } else if let Some(window) = raw.window.as_ref().filter(|_| window_ns.is_some_and(|window_ns| window_ns <= 0)) {
            self.problems.say(window, "the window is empty", "say how far the rule looks back, such as window: 1m");
        }
        let when = self.when(raw.when.as_ref());
        let recover = self.when(raw.recover.as_ref());
        Some(RuleExpr::Logs { query: logs.value.clone(), window_ns: window_ns?, by: info?.by, when, recover })
    }

    fn when(&mut self, text: Option<&Spanned<String>>) -> Option<When> {
        let text = text?;
        match When::parse(&text.value) {
            Ok(when) => Some(when),
            Err(error) => {
                let found = QueryProblem { offset: error.offset, message: error.message, hint: Some(error.hint) };
                self.problems.say_inside(text, found);
                None
            }
        }
    }

    fn no_data(&mut self, word: Option<&Spanned<String>>) -> NoData {
        let Some(word) = word else { return NoData::Ok };
        match word.value.as_str() {
            "ok" => NoData::Ok,
            "alerting" => NoData::Alerting,
            "keep" => NoData::Keep,
            "unknown" => NoData::Unknown,
            other => {
                self.problems.say(word, format!("no_data can not be {other:?}"), "it is ok, alerting, keep or unknown");
                NoData::Ok
            }
        }
    }

    fn templates(&mut self, raw: &RawLabels, what: &str) -> BTreeMap<String, Template> {
        let mut templates = BTreeMap::new();
        for (name, text) in raw {
            if name.is_empty() || (what == "label" && name == "__name__") {
                self.problems.say(text, format!("{name:?} can not be the name of a {what}"), "choose another name");
            }
            match Template::parse(&text.value) {
                Ok(template) => {
                    templates.insert(name.clone(), template);
                }
                Err(error) => {
                    let message = format!("template: {}", error.message);
                    let found = QueryProblem { offset: error.offset, message, hint: Some(error.hint) };
                    self.problems.say_inside(text, found);
                }
            }
        }
        templates
    }
}
