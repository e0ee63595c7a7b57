//! Budgets: how Backstop's figures may stand to a rival's, and how they may grow.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::measure::EngineResult;
use crate::report::{Report, milliseconds};
use crate::workload::{Question, Workload};

const OURS: &str = "backstop";

/// Instead of a rival: whichever of the rivals has the lower figure.
const FASTEST: &str = "fastest";

/// The file of budgets: a section for each kind of data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    logs: Budgets,
    metrics: Budgets,
}

/// The budgets of one kind of data.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Budgets {
    /// By rival, Backstop's figure / the rival's, at most, by name of figure or question.
    #[serde(default)]
    ratio: BTreeMap<String, BTreeMap<String, f64>>,
    /// Backstop's figure at most, in its unit.
    #[serde(default)]
    absolute: BTreeMap<String, f64>,
    /// Backstop's figure in the large run / in the small one, at most.
    #[serde(default)]
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
    /// Those of logs.
    pub(crate) fn of_logs(path: &Path) -> Result<Self> {
        Ok(File::read(path)?.logs)
    }

    /// Those of metrics.
    pub(crate) fn of_metrics(path: &Path) -> Result<Self> {
        Ok(File::read(path)?.metrics)
    }

    /// Holds ratios and absolute figures against a run; prose, and whether all are met. Empty if there is nothing to compare.
    pub(crate) fn check<W: Workload>(&self, report: &Report<W>) -> (String, bool) {
        let Some(ours) = report.engine(OURS) else { return (String::new(), true) };
        let mut checks = Vec::new();
        for (rival, budgets) in &self.ratio {
            let theirs = |name: &str| match rival.as_str() {
                FASTEST => {
                    let rivals = report.engines.iter().filter(|engine| engine.name != OURS);
                    rivals.filter_map(|engine| figure::<W>(name, engine)).reduce(f64::min)
                }
                _ => figure::<W>(name, report.engine(rival)?),
            };
            checks.extend(budgets.iter().filter_map(|(name, budget)| {
                ratio(format!("{name} / {rival}"), *budget, figure::<W>(name, ours)?, theirs(name)?)
            }));
        }
        checks.extend(self.absolute.iter().filter_map(|(name, budget)| {
            let found = figure::<W>(name, ours)?;
            Some(Check { what: name.clone(), found, budget: *budget, figures: String::new() })
        }));
        told(OURS, &checks)
    }

    /// Holds growth against two runs; a figure that one of them lacks is not met.
    pub(crate) fn check_growth<W: Workload>(&self, small: &Report<W>, large: &Report<W>) -> (String, bool) {
        let engines = large.engine(OURS).zip(small.engine(OURS));
        let checks: Vec<Check> = engines
            .into_iter()
            .flat_map(|(large, small)| {
                self.growth.iter().filter_map(move |(name, budget)| {
                    ratio(name.clone(), *budget, figure::<W>(name, large)?, figure::<W>(name, small)?)
                })
            })
            .collect();
        let (large, small) = (large.data.units(), small.data.units());
        let (told, met) = told(&format!("{large} {unit} / {small} {unit}", unit = W::UNIT), &checks);
        (told, met && checks.len() == self.growth.len())
    }
}

impl File {
    fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        toml::from_str(&text).with_context(|| path.display().to_string())
    }
}

fn ratio(what: String, budget: f64, over: f64, under: f64) -> Option<Check> {
    let figures = format!("{} / {}", milliseconds(over), milliseconds(under));
    Some(Check { what, found: over / under, budget, figures })
}

/// A figure by the name that it has in the file.
fn figure<W: Workload>(name: &str, engine: &EngineResult) -> Option<f64> {
    let ingest = engine.ingest.as_ref();
    match name {
        "ingest_cpu" => ingest.map(|ingest| ingest.cpu_seconds),
        "peak_memory" => ingest.map(|ingest| ingest.peak_bytes as f64 / 1024.0 / 1024.0),
        "disk" => Some(engine.disk_bytes as f64 / 1024.0 / 1024.0),
        "restart_ms" => Some(engine.restart_ms),
        _ => {
            let question = W::Question::ALL.iter().find(|question| question.id() == name)?;
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
        check::<benches::Manifest>(&Budgets::of_logs(&path).expect("budgets"), &["victorialogs"]);
        check::<benches::FleetManifest>(
            &Budgets::of_metrics(&path).expect("budgets"),
            &["victoriametrics", "prometheus", FASTEST],
        );
    }

    fn check<W: Workload>(budgets: &Budgets, rivals: &[&str]) {
        let known = ["ingest_cpu", "peak_memory", "disk", "restart_ms"];
        for rival in budgets.ratio.keys() {
            assert!(rivals.contains(&rival.as_str()), "{rival} is no rival");
        }
        let ratios = budgets.ratio.values().flat_map(BTreeMap::keys);
        for name in ratios.chain(budgets.absolute.keys()).chain(budgets.growth.keys()) {
            let question = W::Question::ALL.iter().any(|question| question.id() == name);
            assert!(question || known.contains(&name.as_str()), "{name} is no figure");
        }
    }
}
