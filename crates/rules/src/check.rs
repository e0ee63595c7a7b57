//! Reads rule files as a set and reports every mistake.

use std::fmt;

use promql::ParserOptions;
use serde::Serialize;

use crate::{Group, Problem, file};

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The mistakes, by file and place.
    pub problems: Vec<Problem>,
    /// How many files were read.
    pub files: usize,
    /// How many groups are right.
    pub groups: usize,
    /// How many rules they hold.
    pub rules: usize,
}

impl Report {
    /// Whether there is no mistake.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }
}

/// One problem per line, its hint on the next, and a line of totals.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        let (files, groups, rules, problems) = (self.files, self.groups, self.rules, self.problems.len());
        write!(f, "{files} files, {groups} groups, {rules} rules, {problems} problems")
    }
}

/// The groups of some files, and what is wrong with the rest.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The groups without a mistake.
    pub groups: Vec<Group>,
    /// What was found.
    pub report: Report,
}

/// Reads files, given as name and text. `language` is what their PromQL may use.
pub fn load(files: &[(String, String)], language: ParserOptions) -> Loaded {
    let mut loaded = Loaded { report: Report { files: files.len(), ..Report::default() }, ..Loaded::default() };
    for (name, text) in files {
        let (groups, problems) = file::parse(name, text, language);
        loaded.groups.extend(groups);
        loaded.report.problems.extend(problems);
    }
    loaded.report.problems.sort();
    loaded.report.groups = loaded.groups.len();
    loaded.report.rules = loaded.groups.iter().map(|group| group.rules.len()).sum();
    loaded
}

/// Checks files as [`load`] does.
pub fn check(files: &[(String, String)], language: ParserOptions) -> Report {
    load(files, language).report
}
