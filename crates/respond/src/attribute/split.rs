//! Version splits of the changes around an alert: who failed more, the new version or the old one beside it. They come from counts that
//! somebody made exactly: the watch over a change, or a log rule that counts by version.

use change::{Change, SplitCounts, SplitOutcome, VersionSplit};
use rules::{Alert, AlertState, DataState};
use verdict::{Compare, SignalKind};
use watch::{WatchRecord, record_of};

use super::{Scene, version_of};
use crate::{RespondError, Responder, Verdict};

/// Most changes whose watches are asked, the latest of the service first.
const SPLITS_MAX: usize = 50;
/// The columns of a log rule with the number of requests and of those that failed: the same as those of a check.
const COLUMNS: (&str, &str) = ("n", "bad");

impl Responder {
    /// The splits of the changes that have one. What the alert itself counts comes before what a watch counts.
    pub(super) fn splits(&self, changes: &[Change], scene: Scene<'_>) -> Result<Vec<VersionSplit>, RespondError> {
        let mut splits = Vec::new();
        for change in changes.iter().filter(|change| change.to_version.is_some()).take(SPLITS_MAX) {
            if let Some(split) = of_alerts(change, scene) {
                splits.push(split);
                continue;
            }
            let watch = record_of(&*self.records, &change.key())?;
            splits.extend(watch.and_then(|watch| of_watch(&watch, scene.alert)));
        }
        Ok(splits)
    }
}

/// By the watch over a change: what both versions did at the same times, if both still ran when the alert became active.
///
/// A watch counts failures, and the alert may be about something else. So they clear the change only when the old version clearly fails
/// more often than before the change, and never when the watch found the new version bad by another measure.
fn of_watch(watch: &WatchRecord, alert: &Alert) -> Option<VersionSplit> {
    let beside = watch.beside.as_ref().filter(|beside| beside.until >= alert.active_at)?;
    let split = VersionSplit { change: watch.id.clone(), new: beside.new, old: beside.old };
    if split.outcome() != SplitOutcome::Alike {
        return Some(split);
    }
    let before = watch.card.signals.iter().find(|signal| {
        signal.kind == SignalKind::Errors && signal.compare == Compare::BeforeAfter && signal.old.n > 0.0
    })?;
    let usual = SplitCounts { n: before.old.n as u64, bad: before.old.bad.unwrap_or(0.0) as u64 };
    let since = VersionSplit { change: String::new(), new: beside.old, old: usual };
    let cleared = watch.card.verdict != Verdict::Bad && since.outcome() == SplitOutcome::Worse;
    cleared.then_some(split)
}

/// By alerts of one log rule for several versions, measured at the same time: the rule counts requests and failures of each.
fn of_alerts(change: &Change, scene: Scene<'_>) -> Option<VersionSplit> {
    let alert = scene.alert;
    let (label, _) = version_of(alert).filter(|_| alert.service() == Some(&change.target.service))?;
    let to_version = change.to_version.as_deref()?;
    let alike = |other: &&Alert| {
        let labels = |alert: &Alert| alert.labels.iter().filter(|(name, _)| *name != label).count();
        let same = |(name, value): (&String, &String)| name == label || other.labels.get(name) == Some(value);
        other.rule == alert.rule
            && other.group == alert.group
            && other.state == AlertState::Firing
            && other.data == DataState::Measured
            && other.evaluated_at == alert.evaluated_at
            && labels(other) == labels(alert)
            && alert.labels.iter().all(same)
    };
    let (mut new, mut old) = (SplitCounts::default(), SplitCounts::default());
    for other in scene.live.values().filter(alike) {
        let version = other.labels.get(label)?;
        let side = if version == to_version { &mut new } else { &mut old };
        let number = |column: &str| other.columns.get(column)?.as_f64().filter(|n| n.is_finite() && *n >= 0.0);
        let (n, bad) = (number(COLUMNS.0)?, number(COLUMNS.1)?);
        (side.n, side.bad) = (side.n + n as u64, side.bad + bad.min(n) as u64);
    }
    (new.n > 0 && old.n > 0).then(|| VersionSplit { change: change.key(), new, old })
}
