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
        println!("{name} {passed}/{}", report.total);
        all += report.total;
        all_passed += passed;
        let unexpected =
            report.failures.into_iter().filter(|(line, _)| exceptions.remove(&(name.clone(), *line)).is_none());
        failures.extend(unexpected.map(|(_, why)| format!("{name} {why}")));
    }
    println!("all {all_passed}/{all}");
    assert!(failures.is_empty(), "{} cases fail:\n{}", failures.len(), failures.join("\n"));
    let whole = only.is_none() && std::env::var_os("PROMQLTEST_DIR").is_none();
    assert!(!whole || exceptions.is_empty(), "these pass now, take them off the list: {exceptions:?}");
}
