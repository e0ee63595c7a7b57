//! promtool against Backstop: what it checks, what it asks, and the unit tests of rules that both run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::daemon::{Api, Prometheus, debian, seconds};
use super::settled;
use crate::server::Server;
use crate::shared::{binary, repository, run};

/// Everything that a command printed, line by line, without the empty ones.
fn lines(output: &Output) -> Vec<String> {
    let text = [&output.stdout[..], &output.stderr[..]].map(String::from_utf8_lossy).concat();
    text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// Runs a file of unit tests with both, and holds their words and their exit codes against each other.
fn assert_agree(promtool: &Path, file: &str, success: bool) {
    let theirs = Command::new(promtool).args(["test", "rules", file]).output().expect("promtool runs");
    let ours = Command::new(binary()).args(["rules", "test", file]).output().expect("the binary runs");
    assert_eq!(lines(&ours), lines(&theirs), "{file}");
    assert_eq!(ours.status.code(), theirs.status.code(), "{file}");
    assert_eq!(ours.status.success(), success, "{file}: {:?}", lines(&ours));
}

#[test]
fn unit_tests_of_rules_come_out_as_promtools_do() {
    let Some(promtool) = debian("promtool") else { return };
    let tests = repository().join("examples/rule-tests");
    let shop = std::fs::read_to_string(tests.join("shop.yaml")).expect("the example");
    assert_agree(&promtool, &tests.join("shop.yaml").display().to_string(), true);
    let dir = tempfile::tempdir().expect("temporary directory");
    let rules = std::fs::canonicalize(repository().join("examples/rules")).expect("rules").display().to_string();
    for (name, from, to) in [
        ("value", "value: 6.667", "value: 7"),
        ("label", "severity: page", "severity: ticket"),
        ("annotation", "summary: 20%", "summary: 21%"),
        ("time", "eval_time: 2m\n", "eval_time: 1m15s\n"),
        ("missing", "a.example:9100\"}', values: '1x4 0x7", "a.example:9100\"}', values: '1x4 1x7"),
        ("extra", "values: '1x22'", "values: '1 0x21'"),
    ] {
        assert!(shop.contains(from), "{from} is not in the example");
        let file = dir.path().join(format!("{name}.yaml"));
        std::fs::write(&file, shop.replace("../rules", &rules).replace(from, to)).expect("write");
        assert_agree(&promtool, &file.display().to_string(), false);
    }
}

#[test]
fn rules_that_promtool_takes_are_taken() {
    let Some(promtool) = debian("promtool") else { return };
    let file = repository().join("examples/rules/shop.yaml").display().to_string();
    let theirs = run(Command::new(&promtool).args(["check", "rules", &file]));
    let ours = run(Command::new(binary()).args(["rules", "check", &file]));
    assert!(theirs.contains("SUCCESS: 4 rules found"), "{theirs}");
    assert!(ours.contains("4 rules"), "{ours}");
}

/// promtool's answer, sorted: the order of a vector means nothing.
fn asked(promtool: &PathBuf, url: &str, args: &[&str]) -> Vec<String> {
    let mut args: Vec<&str> = args.to_vec();
    let at = args.iter().position(|arg| *arg == "URL").expect("where the server stands");
    args[at] = url;
    let text = run(Command::new(promtool).arg("query").args(args));
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
fn promtool_query_says_the_same_of_both() {
    let (Some(program), Some(promtool)) = (debian("prometheus"), debian("promtool")) else { return };
    let server = Server::start();
    let prometheus = Prometheus::start(&program, &format!("{}/api/v1/write", server.url), &[], "", "");
    let times = settled(&Api::new(&prometheus.url), &Api::new(&server.url));
    let (start, end) = (seconds(times.start_ms), seconds(times.end_ms));
    let (time, from, to) = (format!("--time={end}"), format!("--start={start}"), format!("--end={end}"));
    for args in [
        &["instant", &time, "URL", "shop_requests_total"][..],
        &["instant", &time, "URL", "sum by (code) (shop_requests_total)"],
        &["instant", &time, "URL", "shop_odd"],
        &["instant", &time, "URL", "shop_queue_depth[2s]"],
        &["instant", &time, "URL", "scalar(shop_untyped)"],
        &["range", &from, &to, "--step=2s", "URL", "shop_requests_total{service=\"cart\"}"],
        &["range", &from, &to, "--step=1s", "--header=X-Ignored=1", "URL", "max(shop_queue_depth)"],
        &["series", "--match=shop_requests_total{code=\"200\"}", &from, &to, "URL"],
        &["series", "--match=shop_odd", "--match=shop_untyped", &from, &to, "URL"],
        &["labels", "--match={job=\"shop\"}", &from, &to, "URL", "service"],
        &["labels", "--match={job=\"shop\"}", "URL", "__name__"],
    ] {
        let want = asked(&promtool, &prometheus.url, args);
        assert_eq!(asked(&promtool, &server.url, args), want, "{args:?}");
        assert!(!want.is_empty(), "{args:?} has no answer");
    }
    let refused = Command::new(&promtool).args(["query", "instant", &server.url, "sum("]).output().expect("promtool");
    let text = lines(&refused).join("\n");
    assert!(!refused.status.success() && text.contains("parse error"), "{text}");
}
