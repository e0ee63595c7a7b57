//! Rule, playbook and service files: found by glob patterns, read, checked. A mistake ends the start with its line and column.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use change::Catalogue;
use respond::Playbook;
use rules::Group;

/// The files that patterns match. A pattern without a match is a mistake: nothing would watch.
pub(crate) fn found(patterns: &[String]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for pattern in patterns {
        let matches: Result<Vec<PathBuf>, _> =
            glob::glob(pattern).with_context(|| format!("pattern {pattern:?}"))?.collect();
        let mut paths = matches.with_context(|| format!("pattern {pattern:?}"))?;
        paths.sort();
        if paths.is_empty() {
            bail!("no file matches {pattern:?}");
        }
        files.extend(paths);
    }
    Ok(files)
}

/// Names and texts of the files that patterns match.
fn read(patterns: &[String]) -> anyhow::Result<Vec<(String, String)>> {
    let text = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        Ok((path.display().to_string(), text))
    };
    found(patterns)?.into_iter().map(text).collect()
}

/// The rule groups of all files. `language` is what their PromQL may use.
pub(crate) fn rule_groups(patterns: &[String], language: promql::ParserOptions) -> anyhow::Result<Vec<Group>> {
    let loaded = rules::load(&read(patterns)?, language);
    if !loaded.report.is_ok() {
        bail!("{}", loaded.report);
    }
    Ok(loaded.groups)
}

/// The playbooks of all files.
pub(crate) fn playbooks(patterns: &[String]) -> anyhow::Result<Vec<Playbook>> {
    let (playbooks, report) = respond::load_playbooks(&read(patterns)?);
    if !report.is_ok() {
        bail!("{report}");
    }
    Ok(playbooks)
}

/// The service catalogue of all files. `receivers` are the names that entries may tell.
pub(crate) fn services(patterns: &[String], receivers: &[String]) -> anyhow::Result<Catalogue> {
    let (catalogue, report) = change::load_services(&read(patterns)?, Some(receivers));
    if !report.is_ok() {
        bail!("{report}");
    }
    report.notes.iter().for_each(|note| tracing::info!(note, "service catalogue"));
    Ok(catalogue)
}
