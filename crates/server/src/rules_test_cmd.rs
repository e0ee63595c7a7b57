//! `backstop rules test`: unit tests of rules, with the files on the disk.
#![allow(clippy::print_stdout, reason = "printing is what commands do")]

use std::path::{Path, PathBuf};

use rules::{TestFiles, TestOptions, TestReport};

use crate::cli::RulesTestArgs;
use crate::commands::promql_features;
use crate::exit::Failure;

/// The files around a test file.
struct Disk<'a> {
    directory: &'a Path,
}

impl TestFiles for Disk<'_> {
    fn matching(&self, pattern: &str) -> Result<Vec<String>, String> {
        let absolute = self.directory.join(pattern).display().to_string();
        let failed = |error: &dyn std::fmt::Display| format!("pattern {pattern:?}: {error}");
        let found: Result<Vec<PathBuf>, _> = glob::glob(&absolute).map_err(|error| failed(&error))?.collect();
        let mut found = found.map_err(|error| failed(&error))?;
        found.sort();
        Ok(found.into_iter().map(|path| path.display().to_string()).collect())
    }

    fn read(&self, path: &str) -> Result<String, String> {
        std::fs::read_to_string(path).map_err(|error| format!("cannot read {path}: {error}"))
    }
}

/// Runs the test files; exit code 1 when one of them failed.
pub(crate) fn run(args: &RulesTestArgs) -> Result<(), Failure> {
    let bad = |text: &String| {
        let advice = "write a regular expression, such as --run '^checkout'";
        regex::Regex::new(text).map_err(|error| Failure::usage(format!("--run {text:?}: {error}"), advice))
    };
    let run: Result<Vec<regex::Regex>, Failure> = args.run.iter().map(bad).collect();
    let options = TestOptions { run: run?, diff: args.diff, features: promql_features(&args.enable_feature)? };
    let mut reports = Vec::with_capacity(args.files.len());
    for path in &args.files {
        let report = one(path, &options);
        println!("{report}");
        reports.push(report);
    }
    if let Some(path) = &args.junit {
        std::fs::write(path, rules::junit(&reports)).map_err(|error| {
            Failure::usage(
                format!("cannot write {}: {error}", path.display()),
                "name a file in a directory that exists",
            )
        })?;
    }
    if reports.iter().all(TestReport::is_ok) { Ok(()) } else { Err(Failure::negative("")) }
}

fn one(path: &Path, options: &TestOptions) -> TestReport {
    let name = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let directory = path.parent().unwrap_or(Path::new(""));
            rules::test_rules(&name, &text, &Disk { directory }, options)
        }
        Err(error) => {
            TestReport { file: name, errors: vec![format!("cannot read it: {error}")], ..TestReport::default() }
        }
    }
}
