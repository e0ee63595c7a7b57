//! Prometheus's own test files. All of their cases pass, save those that `conformance-exceptions.txt` lists with a reason; the list
//! may only shrink.
//!
//! The files are not part of the repository: they are sought in `shared/conformance/promqltest` beside it, or under the directory
//! that `BACKSTOP_SHARED` names; `PROMQLTEST_DIR` names a directory of such files itself, and `PROMQLTEST_FILE` one file of it.
//!
//! As Prometheus's own runner does, every instant query is also run as a range, and with all its selectors fixed in time at other
//! times.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, helpers included")]

mod compare;
mod file;
mod pin;
mod storage;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn directory() -> PathBuf {
    if let Some(dir) = std::env::var_os("PROMQLTEST_DIR") {
        return dir.into();
    }
    let shared = match std::env::var_os("BACKSTOP_SHARED") {
        Some(dir) => dir.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    shared.join("conformance/promqltest")
}

/// `file:line reason`, by file and line.
fn exceptions(text: &str) -> BTreeMap<(String, usize), String> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let (place, reason) = line.split_once(' ').expect("a place and a reason");
            let (file, line) = place.split_once(':').expect("a file and a line");
            ((file.to_owned(), line.parse().unwrap()), reason.to_owned())
        })
        .collect()
}

/// Prints past the capture of passing tests, so that the test command shows the counts.
fn show(line: &str) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("promqltest {line}\n").as_bytes()).unwrap();
}

#[test]
fn all_promqltest_cases_pass() {
    let dir = directory();
    if !dir.is_dir() {
        println!("skipped: {} is not there", dir.display());
        return;
    }
    let mut exceptions = exceptions(include_str!("../conformance-exceptions.txt"));
    let only = std::env::var("PROMQLTEST_FILE").ok();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "test"));
    paths.sort();
    assert!(!paths.is_empty(), "no test files in {}", dir.display());
    let (mut all, mut all_passed, mut failures) = (0, 0, Vec::new());
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let report = file::run(&std::fs::read_to_string(&path).unwrap());
        let passed = report.total.saturating_sub(report.failures.len());
        show(&format!("{name} {passed}/{}", report.total));
        all += report.total;
        all_passed += passed;
        let unexpected =
            report.failures.into_iter().filter(|(line, _)| exceptions.remove(&(name.clone(), *line)).is_none());
        failures.extend(unexpected.map(|(_, why)| format!("{name} {why}")));
    }
    show(&format!("all {all_passed}/{all}"));
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
    let whole = only.is_none() && std::env::var_os("PROMQLTEST_DIR").is_none();
    assert!(!whole || exceptions.is_empty(), "these pass now, take them off the list: {exceptions:?}");
}

/// Cases of our own, worked out by hand.
#[test]
fn own_cases_pass() {
    for (name, text) in [
        ("language.test", include_str!("../cases/language.test")),
        ("native_histograms.test", include_str!("../cases/native_histograms.test")),
    ] {
        let report = file::run(text);
        let failures: Vec<&str> = report.failures.iter().map(|(_, why)| why.as_str()).collect();
        assert!(
            failures.is_empty(),
            "{name}: {} of {} cases fail:\n{}",
            failures.len(),
            report.total,
            failures.join("\n")
        );
    }
}

/// Every kind of wrong expectation is noticed, so that passing means something.
#[test]
fn the_runner_notices_what_is_wrong() {
    const LOAD: &str =
        "load 1m\n  x_total{a=\"1\"} 1 2\n  x_total{a=\"2\"} 5 6\n  g 1 3\n  h {{count:2 sum:3 buckets:[2]}}x1\n\n";
    let wrong = [
        "eval instant at 0 g\n  g 2",
        "eval instant at 0 g\n  g{a=\"1\"} 1",
        "eval instant at 0 g",
        "eval instant at 0 x_total\n  x_total{a=\"1\"} 1",
        "eval instant at 0 sort_desc(x_total)\n  expect ordered\n  x_total{a=\"1\"} 1\n  x_total{a=\"2\"} 5",
        "eval_ordered instant at 0 sort_desc(x_total)\n  x_total{a=\"1\"} 1\n  x_total{a=\"2\"} 5",
        "eval instant at 1m rate(g[2m])\n  expect no_info\n  {} 0.016666666",
        "eval instant at 1m rate(x_total[2m])\n  expect info\n  {a=\"1\"} 0.0125\n  {a=\"2\"} 0.0125",
        "eval instant at 1m rate(g[2m])\n  expect info msg:PromQL info: something else (1:6)\n  {} 0.025",
        "eval_warn instant at 0 g\n  g 1",
        "eval instant at 0 g\n  expect fail",
        "eval_fail instant at 0 g",
        "eval instant at 0 g +\n  expect fail msg:another text",
        "eval instant at 0 g +\n  expect fail regex:^nothing$",
        "eval instant at 0 1 + 1\n  3",
        "eval instant at 0 \"a\"\n  expect string \"b\"",
        "eval range from 0 to 1m step 1m g\n  g 1 4",
        "eval range from 0 to 1m step 1m g\n  g 1",
        "eval range from 0 to 1m step 1m g\n  g 1 3 3",
        "eval instant at 1m g[2m]\n  expect range vector from 0 to 1m step 1m\n  g 1 4",
        "eval instant at 0 h\n  h 2",
        "eval instant at 0 h\n  h {{count:3 sum:3 buckets:[2]}}",
        "eval instant at 0 h\n  h {{count:2 sum:3 offset:1 buckets:[2]}}",
        "eval instant at 0 h\n  h {{count:2 sum:3 buckets:[2] counter_reset_hint:gauge}}",
        "eval instant at 0 h\n  h {{count:2 sum:3 buckets:[2] schema:1}}",
        "eval instant at 0 g\n  expect nonsense\n  g 1",
        "evaluate instant at 0 g\n  g 1",
        "load 1m\n  y {{count:x}}",
    ];
    for case in wrong {
        let report = file::run(&format!("{LOAD}{case}\n"));
        assert_eq!(report.failures.len(), 1, "not noticed: {case}");
    }
    let right = "eval instant at 0 h\n  h {{count:2 sum:3 buckets:[2]}}";
    assert!(file::run(&format!("{LOAD}{right}\n")).failures.is_empty());
}
