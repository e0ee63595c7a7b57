//! Test files in, promtool's reports out.

use std::collections::BTreeMap;

use expect_test::{Expect, expect};

use super::{TestFiles, TestOptions, junit, test_rules};

/// Files in memory; a pattern is a name, or all files with `*`.
struct Memory(BTreeMap<String, String>);

impl TestFiles for Memory {
    fn matching(&self, pattern: &str) -> Result<Vec<String>, String> {
        Ok(self.0.keys().filter(|name| pattern == "*" || *name == pattern).cloned().collect())
    }

    fn read(&self, path: &str) -> Result<String, String> {
        self.0.get(path).cloned().ok_or_else(|| format!("{path} is not there"))
    }
}

const RULES: &str = r#"
groups:
- name: record
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
    labels: {kind: sum}
  - record: job:up:double
    expr: job:up:sum * 2
  - record: h:sum
    expr: sum(latency)
- name: alert
  labels: {team: core}
  rules:
  - alert: Down
    expr: up == 0
    for: 5m
    labels: {severity: page}
    annotations:
      summary: "{{ $labels.instance }} in {{ $externalLabels.cluster }} is {{ $value }}: {{ externalURL }}"
  - alert: NoneUp
    expr: absent(up)
"#;

const HISTOGRAMS: &str = r#"
groups:
- name: histograms
  rules:
  - {alert: Any, expr: latency, for: 1m, annotations: {is: "{{ $value }}"}}
  - {alert: Slow, expr: histogram_avg(latency) > 1, annotations: {is: "{{ $value }}"}}
  - {alert: Compared, expr: latency > 1}
"#;

fn report(test: &str, options: &TestOptions) -> super::TestReport {
    let rules = [("rules.yml".to_owned(), RULES.to_owned()), ("histograms.yml".to_owned(), HISTOGRAMS.to_owned())];
    let files = Memory(rules.into());
    test_rules("test.yml", test, &files, options)
}

fn check(test: &str, want: Expect) {
    want.assert_eq(&report(test, &TestOptions::default()).to_string());
}

const RIGHT: &str = r#"
rule_files: [rules.yml]
evaluation_interval: 1m
group_eval_order: [record, alert]
tests:
- name: right
  interval: 1m
  external_labels: {cluster: eu}
  external_url: http://prom.example/x
  input_series:
  - {series: 'up{job="a", instance="1"}', values: '1 0x12'}
  - {series: 'up{job="a", instance="2"}', values: '1x4 _x3 stale 1x5'}
  - {series: 'latency', values: '{{schema:1 count:3 sum:4 buckets:[1 2]}}x4'}
  alert_rule_test:
  - {eval_time: 5m, alertname: Down}
  - eval_time: 7m30s
    alertname: Down
    exp_alerts:
    - exp_labels: {instance: "1", job: a, severity: page, team: core}
      exp_annotations: {summary: "1 in eu is 0: http://prom.example/x"}
  - {eval_time: 20m, alertname: NoneUp, exp_alerts: [{exp_labels: {team: core}}]}
  promql_expr_test:
  - expr: job:up:sum
    eval_time: 4m
    exp_samples: [{labels: 'job:up:sum{job="a", kind="sum"}', value: 1}]
  - expr: job:up:double
    eval_time: 0
    exp_samples: [{labels: 'job:up:double{job="a", kind="sum"}', value: 4}]
  - expr: ALERTS{alertname="Down"}
    eval_time: 6m
    exp_samples:
    - labels: 'ALERTS{alertname="Down", alertstate="firing", instance="1", job="a", severity="page", team="core"}'
      value: 1
  - expr: ALERTS_FOR_STATE
    eval_time: 3m
    exp_samples:
    - labels: 'ALERTS_FOR_STATE{alertname="Down", instance="1", job="a", severity="page", team="core"}'
      value: 60
  - expr: count_over_time(ALERTS{alertstate="pending"}[1h])
    eval_time: 10m
    exp_samples:
    - labels: '{alertname="Down", alertstate="pending", instance="1", job="a", severity="page", team="core"}'
      value: 5
  - expr: h:sum
    eval_time: 2m
    exp_samples: [{labels: 'h:sum', histogram: '{{schema:1 count:3 sum:4 buckets:[1 2] counter_reset_hint:not_reset}}'}]
  - expr: time()
    eval_time: 1m
    exp_samples: [{value: 60}]
"#;

/// A native histogram is an element of a vector like any other; no comparison with a number keeps it.
#[test]
fn alerts_of_native_histograms() {
    let test = r#"
rule_files: [histograms.yml]
evaluation_interval: 1m
tests:
- interval: 1m
  input_series:
  - {series: 'latency{job="a"}', values: '{{schema:1 count:3 sum:6 buckets:[1 2]}}x2 stale'}
  alert_rule_test:
  - {eval_time: 0, alertname: Any}
  - eval_time: 1m
    alertname: Any
    exp_alerts: [{exp_labels: {job: a}, exp_annotations: {is: "{count:3, sum:6, (0.7071067811865475,1]:1, (1,1.414213562373095]:2}"}}]
  - {eval_time: 1m, alertname: Slow, exp_alerts: [{exp_labels: {job: a}, exp_annotations: {is: "2"}}]}
  - {eval_time: 1m, alertname: Compared}
  - {eval_time: 3m, alertname: Any}
  promql_expr_test:
  - expr: ALERTS
    eval_time: 1m
    exp_samples:
    - {labels: 'ALERTS{alertname="Any", alertstate="firing", job="a"}', value: 1}
    - {labels: 'ALERTS{alertname="Slow", alertstate="firing", job="a"}', value: 1}
"#;
    check(
        test,
        expect![[r#"
        Unit Testing:  test.yml
          SUCCESS
    "#]],
    );
}

#[test]
fn what_is_right_succeeds() {
    check(
        RIGHT,
        expect![[r#"
        Unit Testing:  test.yml
          SUCCESS
    "#]],
    );
    // The same, begun at another time.
    let moved = RIGHT.replace("- name: right", "- name: right\n  start_timestamp: 2026-01-01T00:00:00Z");
    let moved = moved.replace("value: 60}", "value: 1767225660}").replace("value: 60", "value: 1767225660");
    check(
        &moved,
        expect![[r#"
        Unit Testing:  test.yml
          SUCCESS
    "#]],
    );
}

#[test]
fn what_is_wrong_says_what_was_expected_and_what_came() {
    let wrong = RIGHT
        .replace("{severity: page, team: core}", "")
        .replace("severity: page, team: core", "severity: warn, team: core")
        .replace("value: 4}", "value: 5}")
        .replace("count:3 sum:4 buckets:[1 2] counter", "count:3 sum:5 buckets:[1 2] counter");
    check(
        &wrong,
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
            name: right,
            alertname: Down, time: 7m30s, 
                exp:[
                    0:
                      Labels:{alertname="Down", instance="1", job="a", severity="warn", team="core"}
                      Annotations:{summary="1 in eu is 0: http://prom.example/x"}
                    ], 
                got:[
                    0:
                      Labels:{alertname="Down", instance="1", job="a", severity="page", team="core"}
                      Annotations:{summary="1 in eu is 0: http://prom.example/x"}
                    ]
            expr: "job:up:double", time: 0s,
                exp: {__name__="job:up:double", job="a", kind="sum"} 5E+00
                got: {__name__="job:up:double", job="a", kind="sum"} 4E+00
            expr: "h:sum", time: 2m,
                exp: {__name__="h:sum"} {{schema:1 count:3 sum:5 counter_reset_hint:not_reset buckets:[1 2]}}
                got: {__name__="h:sum"} {{schema:1 count:3 sum:4 counter_reset_hint:not_reset buckets:[1 2]}}
    "#]],
    );
    let diff = TestOptions { diff: true, ..TestOptions::default() };
    expect![[r#"
        Unit Testing:  test.yml
          FAILED:
            name: right,
            alertname: Down, time: 7m30s, 
                diff:
                      [
                      0:
                    -   Labels:{alertname="Down", instance="1", job="a", severity="warn", team="core"}
                    +   Labels:{alertname="Down", instance="1", job="a", severity="page", team="core"}
                        Annotations:{summary="1 in eu is 0: http://prom.example/x"}
                      ]

            expr: "job:up:double", time: 0s,
                diff:
                    - {__name__="job:up:double", job="a", kind="sum"} 5E+00
                    + {__name__="job:up:double", job="a", kind="sum"} 4E+00

            expr: "h:sum", time: 2m,
                diff:
                    - {__name__="h:sum"} {{schema:1 count:3 sum:5 counter_reset_hint:not_reset buckets:[1 2]}}
                    + {__name__="h:sum"} {{schema:1 count:3 sum:4 counter_reset_hint:not_reset buckets:[1 2]}}

    "#]]
    .assert_eq(&report(&wrong, &diff).to_string());
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites>
          <testsuite name="test.yml" tests="1" failures="1" errors="0">
            <testcase name="right"><failure>    name: right,
            alertname: Down, time: 7m30s, 
                exp:[
                    0:
                      Labels:{alertname=&quot;Down&quot;, instance=&quot;1&quot;, job=&quot;a&quot;, severity=&quot;warn&quot;, team=&quot;core&quot;}
                      Annotations:{summary=&quot;1 in eu is 0: http://prom.example/x&quot;}
                    ], 
                got:[
                    0:
                      Labels:{alertname=&quot;Down&quot;, instance=&quot;1&quot;, job=&quot;a&quot;, severity=&quot;page&quot;, team=&quot;core&quot;}
                      Annotations:{summary=&quot;1 in eu is 0: http://prom.example/x&quot;}
                    ]</failure><failure>    expr: &quot;job:up:double&quot;, time: 0s,
                exp: {__name__=&quot;job:up:double&quot;, job=&quot;a&quot;, kind=&quot;sum&quot;} 5E+00
                got: {__name__=&quot;job:up:double&quot;, job=&quot;a&quot;, kind=&quot;sum&quot;} 4E+00</failure><failure>    expr: &quot;h:sum&quot;, time: 2m,
                exp: {__name__=&quot;h:sum&quot;} {{schema:1 count:3 sum:5 counter_reset_hint:not_reset buckets:[1 2]}}
                got: {__name__=&quot;h:sum&quot;} {{schema:1 count:3 sum:4 counter_reset_hint:not_reset buckets:[1 2]}}</failure></testcase>
          </testsuite>
        </testsuites>
    "#]].assert_eq(&junit(&[report(&wrong, &TestOptions::default())]));
    let run = |text: &str| TestOptions { run: vec![regex::Regex::new(text).expect("regex")], ..TestOptions::default() };
    assert_eq!(report(&wrong, &run("^ri")).cases.len(), 1);
    assert!(report(&wrong, &run("left")).cases.is_empty());
}

#[test]
fn files_that_make_no_sense_say_so() {
    check(
        "",
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
        test.yml: the file is empty
    "#]],
    );
    check(
        "rule_files: [rules.yml]\ntest: []\n",
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
        test.yml:2:1: unknown field `test`, expected one of rule_files, evaluation_interval, group_eval_order, fuzzy_compare, tests
          hint: check the spelling and the indentation of the key
    "#]],
    );
    check(
        "rule_files: [other.yml]\ntests: []\n",
        expect![[r#"
        Unit Testing:  test.yml
          WARNING: no file match pattern other.yml
          SUCCESS
    "#]],
    );
    check(
        "evaluation_interval: often\n",
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
        test.yml:1:22: not a valid duration string: "often"
    "#]],
    );
    check(
        "group_eval_order: [a, a]\n",
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
        group name repeated in evaluation order: a
    "#]],
    );
    check(
        "tests: [{input_series: [{series: 'a{', values: '1'}]}]\n",
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
            input series "a{": 1:3: parse error: unexpected end of input inside braces
    "#]],
    );
    check(
        "tests: [{input_series: [{series: a, values: '1 b'}]}]\n",
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
            input series "a": "b" is not a number
    "#]],
    );
    check(
        "tests: [{promql_expr_test: [{expr: 'sum(', eval_time: 1m}]}]\n",
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
            expr: "sum(", time: 1m, err: 1:5: parse error: unclosed left parenthesis
    "#]],
    );
    check(
        "tests: [{promql_expr_test: [{expr: '1', exp_samples: [{labels: 'a{b!=\"c\"}'}]}]}]\n",
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
            expr: "1", time: 0s, err: labels "a{b!=\"c\"}": b!="c" is a condition, and a metric has only labels with values: write = there
    "#]],
    );
    check(
        "evaluation_interval: 1ms\ntests: [{promql_expr_test: [{expr: '1', eval_time: 1y}]}]\n",
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
            the test has 31536000000 evaluations, 5000000 are allowed; raise evaluation_interval
    "#]],
    );
}

#[test]
fn a_rule_that_fails_ends_the_test() {
    let rules = "groups: [{name: g, limit: 1, rules: [{record: r, expr: up}, {alert: Many, expr: up}]}]";
    let files = Memory([("rules.yml".to_owned(), rules.to_owned())].into());
    let test = "rule_files: ['*']\ntests:\n- input_series: [{series: 'up{a=\"1\"}', values: 1}, {series: 'up{a=\"2\"}', values: 1}]\n  promql_expr_test: [{expr: r, eval_time: 5m}]\n";
    expect![[r#"
        Unit Testing:  test.yml
          FAILED:
            rule: r, time: 0s, err: exceeded limit of 1 with 2 series; raise it or narrow the query
            rule: Many, time: 0s, err: exceeded limit of 1 with 2 alerts; raise it or narrow the query
    "#]]
    .assert_eq(&test_rules("test.yml", test, &files, &TestOptions::default()).to_string());
}

#[test]
fn fuzzy_comparison_forgives_the_last_bit() {
    let test = "tests: [{promql_expr_test: [{expr: '0.1 + 0.2', exp_samples: [{labels: '{}', value: 0.3}]}]}]\n";
    check(
        test,
        expect![[r#"
        Unit Testing:  test.yml
          FAILED:
            expr: "0.1 + 0.2", time: 0s,
                exp: {} 3E-01
                got: {} 3.0000000000000004E-01
    "#]],
    );
    check(
        &format!("fuzzy_compare: true\n{test}"),
        expect![[r#"
        Unit Testing:  test.yml
          SUCCESS
    "#]],
    );
}
