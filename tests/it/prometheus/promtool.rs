//! promtool against Backstop: what it checks, what it asks, and the unit tests of rules that both run.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use super::daemon::{Api, Prometheus, debian, newest, seconds};
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

/// The newest promtool and the folder of its sources beside it, or a printed reason to skip.
fn upstream() -> Option<(PathBuf, PathBuf)> {
    let folder = newest()?.parent()?.to_owned();
    let promtool = folder.join("promtool");
    if promtool.exists() {
        return Some((promtool, folder));
    }
    println!("skipped: no promtool in {} (benches/rivals.sh prometheus builds it)", folder.display());
    None
}

/// The files of a folder with a suffix of their names, sorted.
fn files(folder: &Path, suffixes: &[&str]) -> Vec<String> {
    let found = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = found.map(|name| name.to_string_lossy().into_owned()).collect();
    names.retain(|name| suffixes.iter().any(|suffix| name.ends_with(suffix)));
    names.sort();
    names
}

/// Files of promtool's own tests where the words differ, though the outcome is the same: it prints the sides of a match in no certain
/// order, and we say of a rule file and of an input series where the mistake is.
const WORDS_DIFFER: [&str; 4] =
    ["bad-promql.yml", "bad-rules-error-test.yml", "bad-rules-syntax-test.yml", "bad-input-series.yml"];

#[test]
fn unit_tests_of_prometheus_itself_come_out_as_promtools_do() {
    let Some((promtool, folder)) = upstream() else { return };
    let folder = folder.join("cmd/promtool/testdata");
    let features = ["--enable-feature=promql-experimental-functions"];
    let mut passed = 0;
    for file in files(
        &folder,
        &[
            "test.yml",
            "long-period.yml",
            "no-test-group-interval.yml",
            "failing.yml",
            "bad-promql.yml",
            "bad-input-series.yml",
            "rules_run_fuzzy.yml",
            "rules_run_no_fuzzy.yml",
        ],
    ) {
        let run = |program: &Path, args: [&str; 3]| {
            Command::new(program).args(args).arg(&file).current_dir(&folder).output().expect("it runs")
        };
        let theirs = run(&promtool, [features[0], "test", "rules"]);
        let ours = run(Path::new(&binary()), ["rules", "test", features[0]]);
        assert_eq!(ours.status.code(), theirs.status.code(), "{file}: {:?}\n{:?}", lines(&ours), lines(&theirs));
        if !WORDS_DIFFER.contains(&&*file) {
            // The newest words the line about the file in another way than Debian's, which ours follows.
            let about =
                |line: &String| !["Unit Testing:", "Processing test file:"].iter().any(|start| line.starts_with(start));
            let said = |output: &Output| lines(output).into_iter().filter(about).collect::<Vec<_>>();
            assert_eq!(said(&ours), said(&theirs), "{file}");
        }
        passed += usize::from(ours.status.success());
    }
    assert!(passed >= 6, "only {passed} files passed");
}

/// One document is what Prometheus reads of a file, and it warns of the others; here they are an error, for what is left out would be
/// rules that never fire.
const SECOND_DOCUMENT: &str = "rules_multi_doc.yaml";

#[test]
fn rule_files_of_prometheus_itself_are_taken_as_promtool_takes_them() {
    let Some((promtool, root)) = upstream() else { return };
    let mut taken = 0;
    for folder in ["cmd/promtool/testdata", "rules/fixtures"] {
        let folder = root.join(folder);
        for file in files(&folder, &[".yml", ".yaml"]) {
            let text = std::fs::read_to_string(folder.join(&file)).expect("a text");
            if !text.lines().any(|line| line == "groups:") || file == SECOND_DOCUMENT {
                continue;
            }
            let run = |program: &Path, args: [&str; 2]| {
                Command::new(program).args(args).arg(&file).current_dir(&folder).output().expect("it runs")
            };
            let (theirs, ours) = (run(&promtool, ["check", "rules"]), run(Path::new(&binary()), ["rules", "check"]));
            assert_eq!(ours.status.code(), theirs.status.code(), "{file}: {:?}\n{:?}", lines(&ours), lines(&theirs));
            taken += usize::from(ours.status.success());
        }
    }
    assert!(taken >= 15, "only {taken} files were taken");
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
