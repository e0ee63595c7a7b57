//! The house rules that no compiler checks, as a ratchet: the lists of exceptions may shrink and never grow.

use std::path::{Path, PathBuf};

use crate::shared::repository;

/// Longest function.
const FUNCTION_LINES_MAX: usize = 70;
/// Longest Rust file.
const FILE_LINES_MAX: usize = 800;
/// Longest file of the UI.
const WEB_FILE_LINES_MAX: usize = 300;

/// Functions over [`FUNCTION_LINES_MAX`], as `path:function`. May shrink, never grow.
const LONG_FUNCTIONS: &[&str] = &[];
/// Files over their limit. May shrink, never grow.
const LONG_FILES: &[&str] = &[];

fn source_files(roots: &[&str], endings: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut dirs: Vec<PathBuf> = roots.iter().map(|root| repository().join(root)).collect();
    while let Some(dir) = dirs.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.expect("entry").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() && !["node_modules", "dist", "target", "test-results"].contains(&name.as_str()) {
                dirs.push(path);
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

fn shown(path: &Path) -> String {
    path.strip_prefix(repository()).unwrap_or(path).to_string_lossy().into_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn rust_files() -> Vec<PathBuf> {
    source_files(&["crates", "ingest", "query", "tests", "benches"], &[".rs"])
}

/// Name and length of every function: from its `fn` to the line that closes it at the same indentation.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let indent = line.len() - line.trim_start().len();
        let mut words = line
            .split_whitespace()
            .skip_while(|word| word.starts_with("pub") || ["async", "const", "unsafe", "extern"].contains(word));
        if words.next() != Some("fn") {
            continue;
        }
        let name: String =
            words.next().unwrap_or_default().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        let closes = |line: &&str| {
            line.starts_with(&format!("{}}}", " ".repeat(indent))) && line.len() - line.trim_start().len() == indent
        };
        if let Some(length) = lines[start..].iter().position(closes) {
            found.push((name, length + 1));
        }
    }
    found
}

/// Compares what was found with what is excepted, both ways, so that a mended exception leaves the list.
fn ratchet(what: &str, found: Vec<String>, excepted: &[&str]) {
    let new: Vec<&String> = found.iter().filter(|entry| !excepted.contains(&entry.as_str())).collect();
    let mended: Vec<&&str> = excepted.iter().filter(|entry| !found.iter().any(|found| found == **entry)).collect();
    assert!(new.is_empty(), "{what}:\n{new:#?}");
    assert!(mended.is_empty(), "mended, take them off the list of {what}:\n{mended:#?}");
}

#[test]
fn functions_are_short() {
    let mut found = Vec::new();
    // Functions of tests that hold tables of cases are data, and may be as long as the data is.
    let is_test = |path: &PathBuf| path.ends_with("src/tests.rs") || shown(path).contains("/tests");
    for path in rust_files().into_iter().filter(|path| !is_test(path)) {
        let long = functions(&read(&path)).into_iter().filter(|(_, lines)| *lines > FUNCTION_LINES_MAX);
        found.extend(long.map(|(name, lines)| {
            println!("{}:{name} has {lines} lines", shown(&path));
            format!("{}:{name}", shown(&path))
        }));
    }
    ratchet("functions over 70 lines", found, LONG_FUNCTIONS);
}

#[test]
fn files_are_short() {
    let long = |files: Vec<PathBuf>, max: usize| {
        files
            .into_iter()
            .filter(move |path| read(path).lines().count() > max)
            .map(|path| shown(&path))
            .collect::<Vec<_>>()
    };
    let mut found = long(rust_files(), FILE_LINES_MAX);
    found.extend(long(source_files(&["web"], &[".ts", ".tsx", ".css"]), WEB_FILE_LINES_MAX));
    ratchet("files that are too long", found, LONG_FILES);
}

#[test]
fn every_crate_root_explains_itself() {
    for path in rust_files().iter().filter(|path| path.ends_with("src/lib.rs") || path.ends_with("src/main.rs")) {
        let text = read(path);
        let prose = text.lines().take_while(|line| line.starts_with("//!")).count();
        let holds_nothing = text.starts_with("//! Holds nothing");
        assert!(prose >= 5 || holds_nothing, "{} says too little about itself", shown(path));
    }
}

#[test]
fn nothing_waits_for_better_times() {
    for path in rust_files().iter().filter(|path| !path.ends_with("it/tidy.rs")) {
        for (number, line) in read(path).lines().enumerate() {
            let waits =
                ["todo!(", "unimplemented!(", "TODO", "FIXME", "XXX", "dbg!("].iter().any(|word| line.contains(word));
            assert!(!waits, "{}:{}: {line}", shown(path), number + 1);
        }
    }
}

#[test]
fn unsafe_code_is_in_blob_only() {
    for path in rust_files().iter().filter(|path| !path.ends_with("it/tidy.rs")) {
        let uses =
            read(path).lines().any(|line| line.contains("allow(unsafe_code") || line.contains("expect(unsafe_code"));
        assert!(!uses || shown(path).starts_with("crates/blob/"), "{} allows unsafe code", shown(path));
    }
}
