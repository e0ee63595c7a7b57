//! What several tests need: where things are, and data that lies beside the repository.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// The folder of research data beside the repository, when it is there: `BACKSTOP_SHARED` or `../shared`.
pub(crate) fn shared(below: &str) -> Option<PathBuf> {
    let root = std::env::var_os("BACKSTOP_SHARED").map_or_else(|| repository().join("../shared"), PathBuf::from);
    let path = root.join(below);
    if path.exists() {
        return Some(path);
    }
    println!("skipped: {} is not here", path.display());
    None
}

/// The binary under test.
pub(crate) fn binary() -> PathBuf {
    built("backstop")
}

/// A binary of the workspace: beside the test binary's own folder.
pub(crate) fn built(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("own path");
    let path = test.parent().and_then(Path::parent).expect("target/debug").join(name);
    assert!(path.exists(), "{} is missing: run `cargo build --bins` first", path.display());
    path
}

/// A program of this machine, or a printed reason to skip.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let dirs = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin:/sbin";
    let found = dirs.split(':').map(|dir| Path::new(dir).join(name)).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: {name} is not installed (.ci/tools test installs it)");
    }
    found
}

/// The Python of the environment with the clients, or a printed reason to skip.
pub(crate) fn python() -> Option<PathBuf> {
    let cache = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".cache/backstop/venv");
    let python = std::env::var_os("BACKSTOP_TEST_VENV").map_or_else(cache, PathBuf::from).join("bin/python");
    if python.exists() {
        return Some(python);
    }
    println!("skipped: {} is not there (.ci/tools test makes it)", python.display());
    None
}

/// Runs a command to its end and gives its standard output; a failure shows everything it wrote.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{command:?} ended with {}\n{text}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    text
}
