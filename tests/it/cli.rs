//! The command line as a user meets it: exit codes, formats, places of mistakes.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::server::Server;
use crate::shared::binary;

fn backstop(args: &[&str]) -> Output {
    Command::new(binary()).args(args).output().expect("the binary runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn err(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("write");
    path.display().to_string()
}

#[test]
fn rows_come_in_the_format_asked_for_with_and_without_a_server() {
    let mut server = Server::start();
    let file = server.path("in.json");
    std::fs::write(&file, "{\"msg\":\"a, \\\"b\\\"\",\"n\":1}\n{\"msg\":\"=cmd()\",\"n\":2}\n").expect("write");
    server.cli(&["ingest", &file.display().to_string(), "--service", "cli", "--url", &server.url]);
    let query = "service.name:cli | sort by (n) | fields n, body";
    let data = server.data().display().to_string();
    let ask = |output: &str| backstop(&["query", query, "--output", output, "--data", &data]);
    let check = || {
        assert_eq!(out(&ask("ndjson")), "{\"n\":1,\"body\":\"a, \\\"b\\\"\"}\n{\"n\":2,\"body\":\"=cmd()\"}\n");
        let whole: Value = serde_json::from_str(&out(&ask("json"))).expect("JSON");
        assert_eq!(whole["rows"][1]["body"], "=cmd()");
        assert_eq!(whole["limit_reached"], false);
        assert!(out(&ask("csv")).starts_with("n,body"), "{}", out(&ask("csv")));
        assert!(out(&ask("table")).starts_with("n  body\n1  a, \"b\"\n"), "{}", out(&ask("table")));
    };
    check();
    assert!(server.stop().success());
    check();
    let bad = backstop(&["query", "a | nonsense", "--data", &data]);
    assert_eq!(bad.status.code(), Some(2));
    assert!(err(&bad).contains("^^^^^^^^"), "{}", err(&bad));
}

#[test]
fn mistakes_in_files_have_a_line_and_a_column_and_exit_with_1() {
    let dir = tempfile::tempdir().expect("directory");
    let rules = write(dir.path(), "rules.yaml", "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: sum(\n");
    let checked = backstop(&["rules", "check", &rules]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(out(&checked).starts_with(&format!("{rules}:5:")), "{}", out(&checked));
    let playbook = write(dir.path(), "playbook.yaml", "playbook: p\nmode: autoo\nsteps:\n- notify: {receiver: r}\n");
    let checked = backstop(&["playbooks", "check", &playbook]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(out(&checked).starts_with(&format!("{playbook}:2:7:")), "{}", out(&checked));
    let services = write(dir.path(), "services.yaml", "services:\n- service: a\n  tier: 9\n  receivers: [nobody]\n");
    let checked = backstop(&["services", "check", &services]);
    assert_eq!(checked.status.code(), Some(1));
    assert!(out(&checked).starts_with(&format!("{services}:3:9: tier is 9")), "{}", out(&checked));
    let data = dir.path().join("data").display().to_string();
    let served =
        backstop(&["serve", "--data", &data, "--listen", "127.0.0.1:0", "--no-receivers", "--services", &services]);
    assert_eq!(served.status.code(), Some(2), "{}", err(&served));
    assert!(err(&served).contains(&format!("{services}:4:15: there is no receiver \"nobody\"")), "{}", err(&served));
    let config = write(dir.path(), "backstop.yaml", "listen: nowhere\n");
    let checked = backstop(&["config", "check", &config]);
    assert_eq!(checked.status.code(), Some(2));
    assert!(err(&checked).contains("listen is \"nowhere\""), "{}", err(&checked));
    let served =
        backstop(&["serve", "--data", &dir.path().join("data").display().to_string(), "--listen", "0.0.0.0:0"]);
    assert_eq!(served.status.code(), Some(2), "{}", err(&served));
    assert!(err(&served).contains("no authentication"), "{}", err(&served));
}

#[test]
fn features_of_promql_have_a_switch_everywhere() {
    let dir = tempfile::tempdir().expect("directory");
    let unknown = "there is no PromQL feature \"promql-at-modifier\"; there are promql-experimental-functions";
    let config = write(dir.path(), "backstop.yaml", "query: {promql_features: [promql-at-modifier]}\n");
    let data = dir.path().join("data").display().to_string();
    for args in [
        &["config", "check", &config][..],
        &["serve", "--config", &config, "--data", &data],
        &["serve", "--enable-feature", "promql-at-modifier", "--data", &data],
    ] {
        let refused = backstop(args);
        assert_eq!(refused.status.code(), Some(2), "{args:?}: {}", err(&refused));
        assert!(err(&refused).contains(unknown), "{args:?}: {}", err(&refused));
    }
    let rules = "groups:\n- name: g\n  rules:\n  - {record: a, expr: 'mad_over_time(x[1m])'}\n";
    let rules = write(dir.path(), "rules.yaml", rules);
    let off = "function \"mad_over_time\" is not enabled";
    let tests = "evaluation_interval: 10s\nrule_files: [rules.yaml]\ntests:\n- interval: 10s\n  input_series: [{series: x, values: '1 2 4'}]\n  promql_expr_test:\n  - {expr: 'a + limitk(1, a)', eval_time: 20s, exp_samples: [{labels: '{}', value: 2}]}\n";
    let tests = write(dir.path(), "tests.yaml", tests);
    let served = backstop(&["serve", "--rules", &rules, "--data", &data, "--listen", "127.0.0.1:0", "--no-receivers"]);
    assert!(!served.status.success() && err(&served).contains(off), "{}", err(&served));
    for command in ["check", "test"] {
        let file = if command == "check" { &rules } else { &tests };
        let refused = backstop(&["rules", command, file]);
        assert_eq!(refused.status.code(), Some(1), "{}", out(&refused));
        assert!(out(&refused).contains(off), "{}", out(&refused));
        let taken = backstop(&["rules", command, "--enable-feature", "promql-experimental-functions", file]);
        assert!(taken.status.success(), "{}{}", out(&taken), err(&taken));
    }
}

#[test]
fn unit_tests_of_rules_run_and_say_what_differs() {
    let dir = tempfile::tempdir().expect("directory");
    let rules = "groups:\n- name: g\n  rules:\n  - {alert: Down, expr: up == 0, for: 2m}\n";
    std::fs::create_dir(dir.path().join("rules")).expect("directory");
    write(dir.path(), "rules/a.yaml", rules);
    let head = "rule_files: [rules/*.yaml]\ntests:\n- name: t\n  interval: 1m\n";
    let input = "  input_series: [{series: up, values: 0x9}]\n";
    let alerts =
        "  alert_rule_test: [{eval_time: 1m, alertname: Down}, {eval_time: 2m, alertname: Down, exp_alerts: [{}]}]\n";
    let right = write(dir.path(), "right.yaml", &format!("{head}{input}{alerts}"));
    let wrong = write(dir.path(), "wrong.yaml", &format!("{head}{input}{}", alerts.replace("1m", "3m")));
    let well = backstop(&["rules", "test", &right]);
    assert_eq!(out(&well), format!("Unit Testing:  {right}\n  SUCCESS\n\n"));
    assert_eq!(well.status.code(), Some(0));
    let junit = dir.path().join("out.xml");
    let bad = backstop(&["rules", "test", "--junit", &junit.display().to_string(), &right, &wrong]);
    assert_eq!(bad.status.code(), Some(1));
    assert!(out(&bad).contains("    alertname: Down, time: 3m, \n        exp:[], \n        got:["), "{}", out(&bad));
    let xml = std::fs::read_to_string(&junit).expect("the report");
    assert!(xml.contains("<testcase name=\"t\"><failure>"), "{xml}");
    let none = backstop(&["rules", "test", "--run", "other", &wrong]);
    assert_eq!(none.status.code(), Some(0), "{}", out(&none));
    assert_eq!(backstop(&["rules", "test", "--run", "(", &wrong]).status.code(), Some(2));
}
