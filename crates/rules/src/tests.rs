//! Series in, alert timelines out; mistakes in files with their places; state over a restart.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use catalog::ledger::{Ledger, Records};
use expect_test::{Expect, expect};
use model::{Labels, TimeRange, Timestamp, Value};

use crate::{GroupEvaluator, Health, RuleQuery, RuleQueryError, check, load};

const SECOND_NS: i64 = 1_000_000_000;
/// A multiple of every interval used here.
const START_S: i64 = 1_795_424_400;

/// What a query gives at each second from the start; the last entry goes on. `None` is a failed query.
struct Script(Vec<Option<Vec<f64>>>);

impl Script {
    fn at(&self, time: Timestamp) -> Result<Vec<f64>, RuleQueryError> {
        let second = usize::try_from(time.0 / SECOND_NS - START_S).unwrap_or(0);
        let values = self.0.get(second).or(self.0.last()).cloned().flatten();
        values.ok_or_else(|| RuleQueryError("the store is out of reach".to_owned()))
    }
}

impl RuleQuery for Script {
    fn instant(&self, expr: &str, at: Timestamp) -> Result<Vec<(Labels, f64)>, RuleQueryError> {
        let above =
            |value: &f64| expr.strip_prefix("errors > ").is_none_or(|bound| *value > bound.parse().expect("bound"));
        let labels = |n: usize| [("service", "checkout".to_owned()), ("pod", n.to_string())].into_iter().collect();
        let values = self.at(at)?;
        Ok(values.iter().enumerate().filter(|(_, value)| above(value)).map(|(n, value)| (labels(n), *value)).collect())
    }

    fn logs(&self, _query: &str, range: TimeRange) -> Result<Vec<BTreeMap<String, Value>>, RuleQueryError> {
        let row = |value: f64| {
            BTreeMap::from([("service.version".to_owned(), Value::from("2.0")), ("n".to_owned(), Value::Double(value))])
        };
        Ok(self.at(range.end)?.into_iter().map(row).collect())
    }
}

fn evaluators(rules: &str, ledger: &Arc<Ledger>, now: Timestamp) -> Vec<GroupEvaluator> {
    let loaded = load(&[("rules.yaml".to_owned(), rules.to_owned())], promql::ParserOptions::default());
    assert!(loaded.report.is_ok(), "{}", loaded.report);
    let records = || -> Arc<dyn Records> { Arc::<Ledger>::clone(ledger) };
    loaded.groups.into_iter().map(|group| GroupEvaluator::new(group, records(), now).expect("evaluator")).collect()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_secs(START_S + second)
}

/// The alerts after each second, one line a second: rule{pod}=state.
fn timeline(evaluators: &mut [GroupEvaluator], seconds: std::ops::Range<i64>, script: &Script) -> String {
    let mut out = String::new();
    for second in seconds {
        let mut line = Vec::new();
        for evaluator in evaluators.iter_mut() {
            evaluator.evaluate(at(second), script).expect("the ledger works");
            for alert in evaluator.alerts() {
                let which = alert
                    .labels
                    .get("pod")
                    .or_else(|| alert.labels.get("service.version"))
                    .cloned()
                    .unwrap_or_default();
                line.push(format!("{}{{{which}}} {}", alert.rule, alert.state.as_str()));
            }
            let failed = evaluator.status().iter().any(|status| matches!(status.health, Health::Err(_)));
            line.extend(failed.then(|| "failed".to_owned()));
        }
        let _ = writeln!(out, "{second}s: {}", line.join(", "));
    }
    out
}

fn check_timeline(rules: &str, script: Vec<Option<Vec<f64>>>, seconds: i64, want: Expect) {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    want.assert_eq(&timeline(&mut evaluators(rules, &ledger, at(0)), 0..seconds, &Script(script)));
}

fn rule(more: &str) -> String {
    format!("groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: A\n    expr: errors > 1\n{more}")
}

#[test]
fn pending_then_firing_then_resolved() {
    let script = vec![Some(vec![0.0]), Some(vec![5.0]), Some(vec![5.0]), Some(vec![5.0]), Some(vec![0.0])];
    check_timeline(
        &rule("    for: 2s\n"),
        script,
        6,
        expect![[r#"
            0s: 
            1s: A{0} pending
            2s: A{0} pending
            3s: A{0} firing
            4s: A{0} resolved
            5s: A{0} resolved
        "#]],
    );
}

#[test]
fn a_short_peak_never_fires() {
    let script = vec![Some(vec![5.0]), Some(vec![0.0]), Some(vec![5.0]), Some(vec![0.0])];
    check_timeline(
        &rule("    for: 2s\n"),
        script,
        5,
        expect![[r#"
            0s: A{0} pending
            1s: 
            2s: A{0} pending
            3s: 
            4s: 
        "#]],
    );
}

#[test]
fn it_keeps_firing_for_a_while() {
    let script = vec![Some(vec![5.0]), Some(vec![0.0])];
    check_timeline(
        &rule("    keep_firing_for: 3s\n"),
        script,
        6,
        expect![[r#"
            0s: A{0} firing
            1s: A{0} firing
            2s: A{0} firing
            3s: A{0} firing
            4s: A{0} resolved
            5s: A{0} resolved
        "#]],
    );
}

#[test]
fn a_failed_query_changes_nothing() {
    let script = vec![Some(vec![5.0]), Some(vec![5.0]), None, None, Some(vec![0.0])];
    check_timeline(
        &rule("    for: 1s\n"),
        script,
        6,
        expect![[r#"
            0s: A{0} pending
            1s: A{0} firing
            2s: A{0} firing, failed
            3s: A{0} firing, failed
            4s: A{0} resolved
            5s: A{0} resolved
        "#]],
    );
}

#[test]
fn each_label_set_is_an_alert_of_its_own() {
    let script = vec![Some(vec![5.0, 0.0, 7.0]), Some(vec![0.0, 3.0, 7.0])];
    check_timeline(
        &rule(""),
        script,
        3,
        expect![[r#"
            0s: A{0} firing, A{2} firing
            1s: A{1} firing, A{0} resolved, A{2} firing
            2s: A{1} firing, A{0} resolved, A{2} firing
        "#]],
    );
}

#[test]
fn no_data_does_what_the_rule_says() {
    let script = || vec![Some(vec![5.0]), Some(vec![])];
    check_timeline(
        &rule("    no_data: ok\n"),
        script(),
        3,
        expect![[r#"
            0s: A{0} firing
            1s: A{0} resolved
            2s: A{0} resolved
        "#]],
    );
    check_timeline(
        &rule("    no_data: keep\n"),
        script(),
        3,
        expect![[r#"
            0s: A{0} firing
            1s: A{0} firing
            2s: A{0} firing
        "#]],
    );
    check_timeline(
        &rule("    no_data: alerting\n"),
        script(),
        3,
        expect![[r#"
            0s: A{0} firing
            1s: A{0} resolved, A{} firing
            2s: A{0} resolved, A{} firing
        "#]],
    );
}

#[test]
fn a_log_rule_fires_on_its_rows() {
    let rules = "groups:\n- name: g\n  interval: 1s\n  rules:\n  - alert: Lines\n    logs: 'severity:ERROR | stats by (service.version) count() as n'\n    window: 10s\n    when: n > 20\n    for: 1s\n";
    let script = vec![Some(vec![3.0]), Some(vec![30.0]), Some(vec![30.0]), Some(vec![2.0])];
    check_timeline(
        rules,
        script,
        5,
        expect![[r#"
            0s: 
            1s: Lines{2.0} pending
            2s: Lines{2.0} firing
            3s: Lines{2.0} resolved
            4s: Lines{2.0} resolved
        "#]],
    );
}

#[test]
fn state_survives_a_restart() {
    let rules = rule("    for: 3s\n");
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    let script = Script(vec![Some(vec![5.0])]);
    let before = timeline(&mut evaluators(&rules, &ledger, at(0)), 0..2, &script);
    let after = timeline(&mut evaluators(&rules, &ledger, at(2)), 2..5, &script);
    expect![[r#"
        0s: A{0} pending
        1s: A{0} pending
        restart
        2s: A{0} pending
        3s: A{0} firing
        4s: A{0} firing
    "#]]
    .assert_eq(&format!("{before}restart\n{after}"));
}

#[test]
fn the_interval_decides_when_it_is_evaluated() {
    let rules = rule("").replace("interval: 1s", "interval: 5s");
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    let mut evaluators = evaluators(&rules, &ledger, at(0));
    let script = Script(vec![Some(vec![5.0])]);
    let evaluated: Vec<i64> =
        (0..12).filter(|second| evaluators[0].evaluate(at(*second), &script).expect("ledger").is_some()).collect();
    assert_eq!(evaluated, [0, 5, 10]);
}

fn check_mistakes(text: &str, want: Expect) {
    want.assert_eq(&check(&[("rules.yaml".to_owned(), text.to_owned())], promql::ParserOptions::default()).to_string());
}

#[test]
fn mistakes_have_a_line_and_a_column() {
    check_mistakes(
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n    fro: 5m\n",
        expect![[r#"
        rules.yaml:6:5: unknown field `fro`, expected one of record, alert, expr, logs, window, when, kind, for, keep_firing_for, recover, no_data, labels, annotations, playbook
          hint: check the spelling and the indentation of the key
        1 files, 0 groups, 0 rules, 1 problems"#]],
    );
    check_mistakes(
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum(rate(x[5m])\n",
        expect![[r#"
        rules.yaml:5:26: promql: unclosed left parenthesis
        1 files, 0 groups, 0 rules, 1 problems"#]],
    );
    check_mistakes(
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: |\n      sum by (job) (\n        rate(x[5m)\n      )\n",
        expect![[r#"
        rules.yaml:7:18: promql: unexpected ")" in subquery or range, expected ":" or "]"
        1 files, 0 groups, 0 rules, 1 problems"#]],
    );
    check_mistakes(
        "groups:\n- name: g\n  rules:\n  - alert: A\n    logs: 'error ('\n    window: 1m\n    when: n > 1\n",
        expect![[r#"
        rules.yaml:5:18: this `(` has no closing `)`
          hint: add `)`
        1 files, 0 groups, 0 rules, 1 problems"#]],
    );
    check_mistakes(
        "groups:\n- name: g\n  rules:\n  - alert: A\n    logs: 'error | stats count() as n'\n    window: 1m\n    when: n >\n",
        expect![[r#"
        rules.yaml:7:14: the value to compare with is missing
          hint: write a column, a comparison and a number or a quoted text: n > 20
        1 files, 0 groups, 0 rules, 1 problems"#]],
    );
    check_mistakes(
        "groups:\n- name: g\n  interval: 10ms\n  rules:\n  - alert: A\n    expr: up\n    kind: spike\n",
        expect![[r#"
        rules.yaml:3:13: the interval 10ms is too short
          hint: the shortest is 1s
        rules.yaml:7:11: rules of kind "spike" are not available yet
          hint: write the condition as `expr` or as `logs` with `when`; to come: spike, flatline, new_term, cardinality, percentage, change, burn_rate, anomaly, absent, composite
        1 files, 0 groups, 0 rules, 2 problems"#]],
    );
    check_mistakes(
        "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    annotations: {summary: '{{ nonsense $value }}'}\n",
        expect![[r#"
            rules.yaml:6:32: template: there is no function "nonsense"
              hint: the functions are query, first, label, value, strvalue, args, sortByLabel, humanize, humanize1024, humanizeDuration, humanizePercentage, humanizeTimestamp, toTime, toDuration, parseDuration, now, reReplaceAll, match, title, toUpper, toLower, stripPort, stripDomain, graphLink, tableLink, pathPrefix, externalURL, urlQueryEscape, safeHtml, tmpl, printf, print, println, index, slice, len, html, urlquery, js, eq, ne, lt, le, gt, ge, and, or, not, true, false, nil
            1 files, 0 groups, 0 rules, 1 problems"#]],
    );
}

/// The example of Prometheus's own documentation, unchanged.
#[test]
fn a_prometheus_file_loads_unchanged() {
    let text = r#"
groups:
  - name: example
    labels:
      team: myteam
    rules:
    - record: code:prometheus_http_requests_total:sum
      expr: sum by (code) (prometheus_http_requests_total)
    - alert: HighRequestLatency
      expr: job:request_latency_seconds:mean5m{job="myjob"} > 0.5
      for: 10m
      keep_firing_for: 5m
      labels:
        severity: page
      annotations:
        summary: High request latency
        description: "{{ $labels.instance }} of job {{ $labels.job }} has been down for more than {{ $value | humanizeDuration }}."
"#;
    check_mistakes(text, expect!["1 files, 1 groups, 2 rules, 0 problems"]);
}

/// What a group writes at each second: series, the second that it is written at, value.
fn check_written(rules: &str, script: Vec<Option<Vec<f64>>>, seconds: i64, want: Expect) {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    let mut evaluators = evaluators(rules, &ledger, at(0));
    let script = Script(script);
    let mut out = String::new();
    for second in 0..seconds {
        let evaluation = evaluators[0].evaluate(at(second), &script).expect("ledger").expect("due");
        for series in evaluation.samples.series {
            for sample in series.samples {
                let value =
                    if model::is_stale_nan(sample.value) { "stale".to_owned() } else { sample.value.to_string() };
                let written = sample.time_ms / 1000 - START_S;
                let _ = writeln!(out, "{second}s: {} @{written}s {value}", series.labels);
            }
        }
        for (rule, error) in evaluation.errors {
            let _ = writeln!(out, "{second}s: {rule} failed: {error}");
        }
    }
    want.assert_eq(&out);
}

#[test]
fn alerts_are_series_that_end_with_a_marker() {
    let script = vec![Some(vec![5.0]), Some(vec![5.0]), None, Some(vec![0.0]), Some(vec![0.0])];
    check_written(
        &rule("    for: 1s\n    labels: {severity: page}\n"),
        script,
        5,
        expect![[r#"
        0s: ALERTS{alertname="A", alertstate="pending", pod="0", service="checkout", severity="page"} @0s 1
        0s: ALERTS_FOR_STATE{alertname="A", pod="0", service="checkout", severity="page"} @0s 1795424400
        1s: ALERTS{alertname="A", alertstate="firing", pod="0", service="checkout", severity="page"} @1s 1
        1s: ALERTS_FOR_STATE{alertname="A", pod="0", service="checkout", severity="page"} @1s 1795424400
        1s: ALERTS{alertname="A", alertstate="pending", pod="0", service="checkout", severity="page"} @1s stale
        2s: A failed: the store is out of reach
        3s: ALERTS{alertname="A", alertstate="firing", pod="0", service="checkout", severity="page"} @3s stale
        3s: ALERTS_FOR_STATE{alertname="A", pod="0", service="checkout", severity="page"} @3s stale
    "#]],
    );
}

#[test]
fn recorded_samples_are_as_late_as_what_they_are_of() {
    let rules = "groups:\n- name: g\n  interval: 1s\n  query_offset: 2s\n  limit: 1\n  labels: {team: a}\n  rules:\n  - record: r\n    expr: errors > 1\n    labels: {text: '{{ $value }}'}\n";
    let script = vec![Some(vec![5.0]), Some(vec![5.0]), Some(vec![5.0]), Some(vec![0.0]), Some(vec![5.0, 5.0])];
    check_written(
        rules,
        script,
        7,
        expect![[r#"
            0s: r{pod="0", service="checkout", team="a", text="{{ $value }}"} @-2s 5
            1s: r{pod="0", service="checkout", team="a", text="{{ $value }}"} @-1s 5
            2s: r{pod="0", service="checkout", team="a", text="{{ $value }}"} @0s 5
            3s: r{pod="0", service="checkout", team="a", text="{{ $value }}"} @1s 5
            4s: r{pod="0", service="checkout", team="a", text="{{ $value }}"} @2s 5
            5s: r{pod="0", service="checkout", team="a", text="{{ $value }}"} @3s stale
            6s: r failed: exceeded limit of 1 with 2 series; raise it or narrow the query
        "#]],
    );
}

#[test]
fn a_restart_ends_the_series_of_alerts_that_are_gone() {
    let ledger = Arc::new(Ledger::in_memory().expect("ledger"));
    let script = Script(vec![Some(vec![5.0]), Some(vec![0.0])]);
    timeline(&mut evaluators(&rule(""), &ledger, at(0)), 0..1, &script);
    let evaluation = evaluators(&rule(""), &ledger, at(1))[0].evaluate(at(1), &script).expect("ledger").expect("due");
    let ended = evaluation.samples.series.iter().filter(|series| model::is_stale_nan(series.samples[0].value));
    assert_eq!(ended.count(), 2);
}

/// Each group has a thread of its own.
#[test]
fn an_evaluator_can_go_to_another_thread() {
    fn sent<T: Send>() {}
    sent::<GroupEvaluator>();
}
