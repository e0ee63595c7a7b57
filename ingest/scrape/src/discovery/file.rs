//! Files of targets, YAML and JSON, read again when they change.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use telemetry::metrics::DISCOVERY_FAILURES;

use super::groups::{Written, named};
use crate::config::{FileConfig, TargetGroup};
use crate::limits::FILE_BYTES_MAX;
use crate::manager::Updates;

/// How often files are looked at. It costs a system call for each; what a notification would cost is a watch for each directory.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

const PATH_LABEL: &str = "__meta_filepath";

/// What tells one state of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified_ns: (i64, i64),
    bytes: u64,
    inode: u64,
}

#[derive(Default)]
struct Files {
    known: BTreeMap<PathBuf, (Stamp, Vec<TargetGroup>)>,
}

pub(super) async fn run(config: FileConfig, updates: Updates) {
    let mut files = Files::default();
    let mut ticker = tokio::time::interval(LOOK_INTERVAL.min(config.refresh));
    ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut sent, mut read_all) = (None, Instant::now());
    loop {
        ticker.tick().await;
        let everything = sent.is_none() || read_all.elapsed() >= config.refresh;
        if everything {
            read_all = Instant::now();
        }
        let groups = files.look(&config.files, everything);
        if sent.as_ref() != Some(&groups) {
            sent = Some(groups.clone());
            updates.send(groups).await;
        }
    }
}

impl Files {
    /// Reads what changed. A file that can not be read keeps its targets until it is gone.
    fn look(&mut self, patterns: &[PathBuf], everything: bool) -> Vec<TargetGroup> {
        let mut there = BTreeSet::new();
        for pattern in patterns {
            let found = glob::glob(&pattern.to_string_lossy()).map(|paths| paths.flatten().collect::<Vec<_>>());
            there.extend(found.unwrap_or_default());
        }
        self.known.retain(|path, _| there.contains(path));
        for path in there {
            let Some(stamp) = stamp(&path) else { continue };
            let changed = self.known.get(&path).is_none_or(|(known, _)| *known != stamp);
            if !changed && !everything {
                continue;
            }
            match read_groups(&path) {
                Ok(groups) => {
                    self.known.insert(path, (stamp, groups));
                }
                Err(error) => {
                    DISCOVERY_FAILURES.add("file", 1);
                    tracing::warn!(path = %path.display(), error, "a file of targets can not be read; its old targets stay");
                    let known = self.known.entry(path).or_insert((stamp, Vec::new()));
                    known.0 = stamp;
                }
            }
        }
        self.known.values().flat_map(|(_, groups)| groups.clone()).collect()
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = std::fs::metadata(path).ok()?;
    let modified_ns = (metadata.mtime(), metadata.mtime_nsec());
    Some(Stamp { modified_ns, bytes: metadata.len(), inode: metadata.ino() })
}

/// The groups of one file.
pub(crate) fn read_groups(path: &Path) -> Result<Vec<TargetGroup>, String> {
    let bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    if bytes > FILE_BYTES_MAX {
        return Err(format!("the file has {bytes} bytes, {FILE_BYTES_MAX} are allowed"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let json = path.extension().is_some_and(|extension| extension == "json");
    let written: Vec<Option<Written>> = if json {
        serde_json::from_str(&text).map_err(|error| error.to_string())?
    } else if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        Vec::new()
    } else {
        serde_saphyr::from_str(&text).map_err(|error| error.without_snippet().to_string())?
    };
    named(written, &path.display().to_string(), PATH_LABEL)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(groups: &[TargetGroup]) -> Vec<String> {
        groups
            .iter()
            .flat_map(|group| {
                group.targets.iter().map(|target| format!("{}{}", target.get("__address__"), group.labels))
            })
            .collect()
    }

    #[test]
    fn files_are_followed() {
        let dir = tempfile::tempdir().expect("directory");
        let path = |name: &str| dir.path().join(name);
        let pattern = [path("*.json"), path("more.yml")];
        let mut files = Files::default();
        assert_eq!(files.look(&pattern, true), Vec::new());

        std::fs::write(path("a.json"), r#"[{"targets": ["a:1", "b:2"], "labels": {"env": "x"}}]"#).expect("written");
        std::fs::write(path("more.yml"), "- targets: ['c:3']\n- labels: {only: labels}\n").expect("written");
        let shown =
            addresses(&files.look(&pattern, false)).join("\n").replace(&dir.path().display().to_string(), "DIR");
        expect_test::expect![[r#"
            a:1{__meta_filepath="DIR/a.json", env="x"}
            b:2{__meta_filepath="DIR/a.json", env="x"}
            c:3{__meta_filepath="DIR/more.yml"}"#]]
        .assert_eq(&shown);

        // A mistake keeps what was there, the end of the file does not.
        std::fs::write(path("a.json"), "[{\"targets\": [\"a:1\"], \"tragets\": []}]").expect("written");
        assert_eq!(files.look(&pattern, false).iter().map(|group| group.targets.len()).sum::<usize>(), 3);
        std::fs::remove_file(path("a.json")).expect("removed");
        assert_eq!(files.look(&pattern, false).iter().map(|group| group.targets.len()).sum::<usize>(), 1);
    }

    #[tokio::test]
    async fn a_change_is_sent() {
        let dir = tempfile::tempdir().expect("directory");
        let path = dir.path().join("t.yaml");
        std::fs::write(&path, "- targets: ['a:1']\n").expect("written");
        let (updates, mut found) = Updates::for_test();
        let config = FileConfig { files: vec![path.clone()], refresh: Duration::from_millis(50) };
        let task = telemetry::spawn("test", run(config, updates));
        assert_eq!(found.next().await[0].targets.len(), 1);
        std::fs::write(&path, "- targets: ['a:1', 'b:1']\n").expect("written");
        assert_eq!(found.next().await[0].targets.len(), 2);
        task.abort();
    }
}
