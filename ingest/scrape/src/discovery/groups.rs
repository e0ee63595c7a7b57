//! Groups of targets as files and services write them: a list of `targets` and `labels`.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::config::TargetGroup;
use crate::labels::LabelSet;
use crate::target::ADDRESS;

/// A group as it is written. An unknown key is an error.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// Groups with their source, which is also a label of all.
pub(crate) fn named(written: Vec<Option<Written>>, source: &str, label: &str) -> Result<Vec<TargetGroup>, String> {
    let mut groups = Vec::with_capacity(written.len());
    for (number, written) in written.into_iter().enumerate() {
        let Some(written) = written else { return Err(format!("item {number} of the list is null")) };
        let mut labels: LabelSet = written.labels.unwrap_or_default().into_iter().collect();
        labels.set(label, source);
        let targets = written.targets.into_iter().map(|target| LabelSet::from_iter([(ADDRESS, target)])).collect();
        groups.push(TargetGroup { source: format!("{source}:{number}"), labels, targets });
    }
    Ok(groups)
}
