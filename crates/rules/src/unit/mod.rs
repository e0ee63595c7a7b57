//! Unit tests of rules: promtool's files, run by the evaluator that the server runs, in virtual time over samples in memory.
//!
//! A file names rule files, and holds groups of tests: input series, and what alerts and expressions must be at some times. The
//! groups of rules are evaluated at every `evaluation_interval`, whatever their own interval is; what they record and their
//! `ALERTS` go to the same memory, and no evaluation sees samples that are later than itself. Format and texts are promtool's
//! (prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules).

mod file;
mod outcome;
mod run;
mod storage;
#[cfg(test)]
mod tests;

use crate::check::load;
use crate::{Group, RuleExpr};

pub use outcome::{CaseReport, TestReport, junit};

/// Most evaluations of groups in one group of tests.
pub const TEST_STEPS_MAX: i64 = 5_000_000;

/// Most samples that the input series of one group of tests stand for.
pub const TEST_SAMPLES_MAX: usize = 20_000_000;

/// How tests reach files. The command line reads the disk.
pub trait TestFiles {
    /// The files that a pattern of `rule_files` stands for; a relative one is relative to the test file.
    fn matching(&self, pattern: &str) -> Result<Vec<String>, String>;
    /// A file's text.
    fn read(&self, path: &str) -> Result<String, String>;
}

/// What is run, and how differences are shown.
#[derive(Clone, Debug, Default)]
pub struct TestOptions {
    /// Only groups of tests whose name one of these finds something in; all when there are none.
    pub run: Vec<regex::Regex>,
    /// Differences line by line, and not both sides whole.
    pub diff: bool,
    /// What of PromQL is switched on, in rules and in tests.
    pub features: promql::Features,
}

/// Runs a test file.
pub fn test_rules(path: &str, text: &str, files: &dyn TestFiles, options: &TestOptions) -> TestReport {
    let mut report = TestReport { file: path.to_owned(), ..TestReport::default() };
    let raw = match file::parse(path, text) {
        Ok(raw) => raw,
        Err(error) => {
            report.errors.push(error);
            return report;
        }
    };
    let groups = match rule_groups(&raw, files, options, &mut report) {
        Ok(groups) => groups,
        Err(error) => {
            report.errors.push(error);
            return report;
        }
    };
    let wanted = |name: &str| options.run.is_empty() || options.run.iter().any(|run| run.is_match(name));
    for (at, test) in raw.tests.iter().enumerate() {
        let named = test.name.clone().unwrap_or_default();
        if !wanted(&named) {
            continue;
        }
        let name = if named.is_empty() { format!("unnamed#{at}") } else { named };
        let failures = run::run(&raw, test, &groups, options).unwrap_or_else(|error| vec![format!("    {error}")]);
        report.cases.push(CaseReport { name, failures });
    }
    report
}

/// The groups of the rule files, in the order of their evaluation.
fn rule_groups(
    raw: &file::TestFile,
    files: &dyn TestFiles,
    options: &TestOptions,
    report: &mut TestReport,
) -> Result<Vec<Group>, String> {
    let mut texts: Vec<(String, String)> = Vec::new();
    for pattern in &raw.rule_files {
        let found = files.matching(pattern)?;
        if found.is_empty() {
            report.warnings.push(format!("no file match pattern {pattern}"));
        }
        for path in found {
            if !texts.iter().any(|(known, _)| *known == path) {
                let text = files.read(&path)?;
                texts.push((path, text));
            }
        }
    }
    let loaded = load(&texts, options.features.parser);
    if !loaded.report.is_ok() {
        return Err(loaded.report.to_string());
    }
    let mut groups = loaded.groups;
    for (at, name) in raw.group_eval_order.iter().enumerate() {
        if raw.group_eval_order[..at].contains(name) {
            return Err(format!("group name repeated in evaluation order: {name}"));
        }
    }
    // Groups that the order does not name are first, as in promtool.
    groups.sort_by_key(|group| raw.group_eval_order.iter().position(|name| *name == group.name).unwrap_or(0));
    for group in &mut groups {
        let (file, name) = (group.file.clone(), group.name.clone());
        group.rules.retain(|rule| {
            let asks_logs = matches!(rule.expr, RuleExpr::Logs { .. });
            if asks_logs {
                let text =
                    format!("{file}: {name}: {} asks logs, and tests have only series: it is left out", rule.name);
                report.warnings.push(text);
            }
            !asks_logs
        });
    }
    Ok(groups)
}
