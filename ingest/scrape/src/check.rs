//! What a person asks before scraping: are the files right, and which targets come of them.
//!
//! Targets that are written down and those in files are listed; services that tell of targets are named and not asked, since a check
//! runs where they may not be reachable.

use std::fmt;
use std::path::PathBuf;

use config::Problem;

use crate::config::{DiscoveryConfig, ScrapeConfig, TargetGroup};
use crate::labels::LabelSet;
use crate::target::{Outcome, targets_of};

/// What was found in files.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckReport {
    /// Mistakes, with their places. With one nothing is scraped.
    pub problems: Vec<Problem>,
    /// What is wrong with targets and their files, or likely not meant.
    pub warnings: Vec<String>,
    /// The jobs.
    pub jobs: Vec<CheckedJob>,
}

/// A job and its targets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CheckedJob {
    /// Its name.
    pub name: String,
    /// Targets after relabelling: what is asked, and the labels of its series.
    pub targets: Vec<(String, LabelSet)>,
    /// What a rule dropped, before relabelling.
    pub dropped: Vec<LabelSet>,
    /// What can not be scraped, and why.
    pub failed: Vec<(LabelSet, String)>,
    /// Where more targets come from, which were not asked.
    pub not_asked: Vec<&'static str>,
}

impl CheckReport {
    /// Whether the files can be used.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty() && self.jobs.iter().all(|job| job.failed.is_empty())
    }
}

/// Reads files and lists the targets that they give.
pub fn check(files: &[PathBuf]) -> CheckReport {
    let config = match ScrapeConfig::load(files) {
        Ok(config) => config,
        Err(problems) => return CheckReport { problems, ..CheckReport::default() },
    };
    let mut report = CheckReport { warnings: config.notes.clone(), ..CheckReport::default() };
    for job in &config.jobs {
        let mut checked = CheckedJob { name: job.name.clone(), ..CheckedJob::default() };
        if job.discovery.is_empty() {
            report
                .warnings
                .push(format!("job {:?} has no targets: give it static_configs or another discovery", job.name));
        }
        for discovery in &job.discovery {
            for group in groups(discovery, &mut checked, &mut report.warnings) {
                for outcome in targets_of(job, &group) {
                    match outcome {
                        Outcome::Target(target) => checked.targets.push((target.url.to_string(), target.labels)),
                        Outcome::Dropped(labels) => checked.dropped.push(labels),
                        Outcome::Failed { discovered, reason } => checked.failed.push((discovered, reason)),
                    }
                }
            }
        }
        report.jobs.push(checked);
    }
    report
}

/// The groups that can be known without asking anybody.
fn groups(discovery: &DiscoveryConfig, checked: &mut CheckedJob, warnings: &mut Vec<String>) -> Vec<TargetGroup> {
    let not_asked = match discovery {
        DiscoveryConfig::Static(groups) => return groups.clone(),
        DiscoveryConfig::File(config) => {
            let mut found = Vec::new();
            for pattern in &config.files {
                let paths = glob::glob(&pattern.to_string_lossy()).map(|paths| paths.flatten().collect::<Vec<_>>());
                let paths = paths.unwrap_or_default();
                if paths.is_empty() {
                    warnings.push(format!("no file matches {}", pattern.display()));
                }
                for path in paths {
                    match crate::discovery::read_groups(&path) {
                        Ok(groups) => found.extend(groups),
                        Err(error) => warnings.push(format!("{}: {error}", path.display())),
                    }
                }
            }
            return found;
        }
        DiscoveryConfig::Http(_) => "http",
        DiscoveryConfig::Dns(_) => "dns",
        DiscoveryConfig::Consul(_) => "consul",
        DiscoveryConfig::Docker(_) => "docker",
        DiscoveryConfig::Kubernetes(_) => "kubernetes",
    };
    checked.not_asked.push(not_asked);
    Vec::new()
}

/// As the command line shows it.
impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for problem in &self.problems {
            writeln!(f, "{problem}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "warning: {warning}")?;
        }
        for job in &self.jobs {
            writeln!(f, "job {}: {} targets, {} dropped", job.name, job.targets.len(), job.dropped.len())?;
            for (url, labels) in &job.targets {
                writeln!(f, "  {url} {labels}")?;
            }
            for labels in &job.dropped {
                writeln!(f, "  dropped: {labels}")?;
            }
            for (labels, reason) in &job.failed {
                writeln!(f, "  can not be scraped: {labels}: {reason}")?;
            }
            if !job.not_asked.is_empty() {
                writeln!(f, "  and what {} tells, which was not asked", job.not_asked.join(", "))?;
            }
        }
        Ok(())
    }
}
