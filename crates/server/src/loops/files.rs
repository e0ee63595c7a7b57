//! Rule, playbook and service files: found by glob patterns, read, checked. A mistake ends the start with its line and column.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use change::Catalogue;
use parse::rules::Rules;
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

/// The parse rules of all files. What is hashed is hashed with a key of this server's own, which is made when there is none.
pub(crate) fn parse_rules(patterns: &[String], data_dir: &Path) -> anyhow::Result<Rules> {
    if patterns.is_empty() {
        return Ok(Rules::default());
    }
    let path = data_dir.join("redaction.key");
    let key = match std::fs::read(&path) {
        Ok(key) => key,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| anyhow::anyhow!("no random key: {error}"))?;
            write_secret(&path, &key).with_context(|| format!("cannot write {}", path.display()))?;
            key.to_vec()
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    Rules::load(&read(patterns)?, &key).map_err(|problems| {
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", shown.join("\n"))
    })
}

/// Writes a file that only its owner reads, durably.
fn write_secret(path: &Path, secret: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret)?;
    file.sync_all()
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
