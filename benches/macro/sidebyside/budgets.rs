//! Budgets: how Backstop's figures may stand to a rival's, and how they may grow.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::measure::EngineResult;
use crate::questions::Question;
use crate::report::{Report, milliseconds};

const OURS: &str = "backstop";

/// The file of budgets.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budgets {
    /// The engine that ratios are to.
    rival: String,
    /// Backstop's figure / the rival's, at most, by name of figure or question.
    ratio: BTreeMap<String, f64>,
    /// Backstop's figure at most, in its unit.
    absolute: BTreeMap<String, f64>,
    /// Backstop's figure in the large run / in the small one, at most.
    growth: BTreeMap<String, f64>,
}

/// One budget held against a run.
struct Check {
    what: String,
    found: f64,
    budget: f64,
    figures: String,
}

impl Budgets {
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Holds ratios and absolute figures against a run; prose, and whether all are met. Empty if there is nothing to compare.
    pub(crate) fn check(&self, report: &Report) -> (String, bool) {
        let mut checks = Vec::new();
        if let Some((ours, theirs)) = report.engine(OURS).zip(report.engine(&self.rival)) {
            checks.extend(self.ratio.iter().filter_map(|(name, budget)| ratio(name, *budget, ours, theirs)));
        }
        if let Some(ours) = report.engine(OURS) {
            let absolute = self.absolute.iter().filter_map(|(name, budget)| {
                let found = figure(name, ours)?;
                Some(Check { what: name.clone(), found, budget: *budget, figures: String::new() })
            });
            checks.extend(absolute);
        }
        told(&format!("{OURS} / {}", self.rival), &checks)
    }

    /// Holds growth against two runs; a figure that one of them lacks is not met.
    pub(crate) fn check_growth(&self, small: &Report, large: &Report) -> (String, bool) {
        let engines = large.engine(OURS).zip(small.engine(OURS));
        let checks: Vec<Check> = engines
            .into_iter()
            .flat_map(|(large, small)| {
                self.growth.iter().filter_map(move |(name, budget)| ratio(name, *budget, large, small))
            })
            .collect();
        let (told, met) = told(&format!("{} lines / {} lines", large.data.lines, small.data.lines), &checks);
        (told, met && checks.len() == self.growth.len())
    }
}

fn ratio(name: &str, budget: f64, over: &EngineResult, under: &EngineResult) -> Option<Check> {
    let (over, under) = (figure(name, over)?, figure(name, under)?);
    let figures = format!("{} / {}", milliseconds(over), milliseconds(under));
    Some(Check { what: name.to_owned(), found: over / under, budget, figures })
}

/// A figure by the name that it has in the file.
fn figure(name: &str, engine: &EngineResult) -> Option<f64> {
    let ingest = engine.ingest.as_ref();
    match name {
        "ingest_cpu" => ingest.map(|ingest| ingest.cpu_seconds),
        "peak_memory" => ingest.map(|ingest| ingest.peak_bytes as f64 / 1024.0 / 1024.0),
        "disk" => Some(engine.disk_bytes as f64 / 1024.0 / 1024.0),
        "restart_ms" => Some(engine.restart_ms),
        _ => {
            let question = Question::ALL.iter().find(|question| question.id() == name)?;
            engine.answered(*question).map(|result| result.median_ms)
        }
    }
}

fn told(title: &str, checks: &[Check]) -> (String, bool) {
    if checks.is_empty() {
        return (String::new(), true);
    }
    let mut out = format!("\n| budget | {title} | found | at most | |\n|---|---|---|---|---|\n");
    for check in checks {
        let verdict = if check.is_met() { "" } else { "MISSED" };
        let (what, found, budget) = (&check.what, check.found, check.budget);
        out.push_str(&format!("| {what} | {} | {found:.2} | {budget} | {verdict} |\n", check.figures));
    }
    (out, checks.iter().all(Check::is_met))
}

impl Check {
    fn is_met(&self) -> bool {
        self.found <= self.budget
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A name that nobody knows would never be missed.
    #[test]
    fn every_budget_names_a_figure() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("budgets.toml");
        let budgets = Budgets::read(&path).expect("budgets");
        let known = ["ingest_cpu", "peak_memory", "disk", "restart_ms"];
        for name in budgets.ratio.keys().chain(budgets.absolute.keys()).chain(budgets.growth.keys()) {
            let question = Question::ALL.iter().any(|question| question.id() == name);
            assert!(question || known.contains(&name.as_str()), "{name} is no figure");
        }
    }
}
