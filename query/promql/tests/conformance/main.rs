//! Prometheus's own test files, with a floor per file that may only rise.
//!
//! The files are not part of the repository: they are sought in `shared/conformance/promqltest` beside it, or under the
//! directory that `BACKSTOP_SHARED` names. Histogram samples of the native kind are skipped, so cases that need them fail.

#![allow(clippy::unwrap_used, reason = "a panic is how a test fails, helpers included")]

mod compare;
mod file;
mod series;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn shared() -> PathBuf {
    match std::env::var_os("BACKSTOP_SHARED") {
        Some(dir) => dir.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    }
}

fn floors(text: &str) -> BTreeMap<String, usize> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(' '))
        .map(|(name, n)| (name.to_owned(), n.trim().parse().unwrap()))
        .collect()
}

#[test]
fn promql_conformance_counts_do_not_fall() {
    let dir = shared().join("conformance/promqltest");
    if !dir.is_dir() {
        println!("skipped: {} is not there", dir.display());
        return;
    }
    let floors = floors(include_str!("../conformance.txt"));
    let only = std::env::var("PROMQLTEST_FILE").ok();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "test"));
    paths.sort();
    assert!(!paths.is_empty(), "no test files in {}", dir.display());
    let (mut all, mut all_passed, mut fallen) = (0, 0, Vec::new());
    for path in paths {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if only.as_ref().is_some_and(|only| *only != name) {
            continue;
        }
        let report = file::run(&std::fs::read_to_string(&path).unwrap());
        let passed = report.total - report.failures.len();
        if only.is_some() {
            report.failures.iter().for_each(|failure| println!("{failure}\n"));
        }
        let floor = floors.get(&name).copied().unwrap_or(0);
        let note = match passed.cmp(&floor) {
            std::cmp::Ordering::Less => "  FELL",
            std::cmp::Ordering::Equal => "",
            std::cmp::Ordering::Greater => "  rose: raise the floor in tests/conformance.txt",
        };
        println!("{name} {passed}/{} (floor {floor}){note}", report.total);
        if passed < floor {
            fallen.push(format!("{name}: {passed} < {floor}\n{}", report.failures.join("\n")));
        }
        all += report.total;
        all_passed += passed;
    }
    println!("all {all_passed}/{all}");
    assert!(fallen.is_empty(), "{}", fallen.join("\n"));
}
