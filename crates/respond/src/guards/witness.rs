//! Guards that ask who else has a say: independent witnesses against the change, and later changes that depend on it.

use std::collections::BTreeSet;
use std::fmt;

use catalog::ledger::{Filter, LedgerError, LedgerTable, Records};
use change::Change;
use model::{TimeRange, Timestamp};
use rules::{Alert, AlertState, DataState};
use watch::{CHANGE_VERDICT, record_of};

use super::{Plan, result};
use crate::result::ResultState;
use crate::writes::{parse, read};
use crate::{GuardResult, Incident, Verdict};

/// Most changes after the blamed one that are looked at for dependencies.
pub const DEPENDENTS_MAX: usize = 10_000;

/// What can speak against a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WitnessKind {
    /// An alert over metrics.
    MetricAlert,
    /// An alert over logs.
    LogAlert,
    /// A watch that found the change bad.
    Watch,
    /// A probe that failed.
    Probe,
}

impl fmt::Display for WitnessKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MetricAlert => "metric alert",
            Self::LogAlert => "log alert",
            Self::Watch => "watch",
            Self::Probe => "probe",
        })
    }
}

/// Counts kinds, not witnesses: two alerts over the same metrics say the same thing twice.
pub(super) fn witnesses(plan: &Plan<'_>, records: &dyn Records) -> Result<GuardResult, LedgerError> {
    let mut kinds = BTreeSet::from([kind_of(&plan.evidence.rule, plan.evidence.window_ns)]);
    let incident: Option<Incident> = read(records, LedgerTable::Incidents, &plan.run.incident)?;
    for id in incident.map(|incident| incident.firing).unwrap_or_default() {
        let alert: Option<Alert> = read(records, LedgerTable::Alerts, &id)?;
        let fires = |alert: &Alert| alert.state == AlertState::Firing && alert.data == DataState::Measured;
        kinds.extend(alert.filter(fires).map(|alert| kind_of(&alert.rule, alert.window_ns)));
    }
    if plan.run.results.values().any(|found| found.kind == "probe" && found.result == ResultState::Failed) {
        kinds.insert(WitnessKind::Probe);
    }
    let watch = plan.change.map(|change| record_of(records, &change.key())).transpose()?.flatten();
    if watch.is_some_and(|watch| watch.comparable && watch.card.verdict == Verdict::Bad) {
        kinds.insert(WitnessKind::Watch);
    }
    let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
    let wanted = plan.playbook.requires.witnesses.max(1);
    let detail = format!("{} of {wanted} kinds of witnesses: {}", kinds.len(), names.join(", "));
    Ok(result("witnesses", kinds.len() >= wanted, detail))
}

fn kind_of(rule: &str, window_ns: Option<i64>) -> WitnessKind {
    match window_ns {
        _ if rule == CHANGE_VERDICT => WitnessKind::Watch,
        Some(_) => WitnessKind::LogAlert,
        None => WitnessKind::MetricAlert,
    }
}

/// Undoing a change on which a later one rests breaks the later one.
pub(super) fn depends_on(plan: &Plan<'_>, records: &dyn Records) -> Result<GuardResult, LedgerError> {
    let Some(change) = plan.change else { return Ok(result("depends_on", true, "no change is undone")) };
    let filter = Filter {
        range: TimeRange::new(change.started_at, Timestamp(i64::MAX)),
        latest_first: true,
        limit: DEPENDENTS_MAX,
        ..Filter::default()
    };
    let key = change.key();
    let mut names = Vec::new();
    let found = records.list(LedgerTable::Changes, &filter)?;
    let looked_at = found.len();
    for document in found {
        let later: Change = parse(LedgerTable::Changes, document)?;
        if later.key() != key && later.depends_on.contains(&key) {
            names.push(format!("{} ({})", later.key(), later.summary()));
        }
    }
    if !names.is_empty() {
        return Ok(result(
            "depends_on",
            false,
            format!("{key} can not go while later changes rest on it: {}", names.join(", ")),
        ));
    }
    // A listing that was cut off could hide one.
    let detail =
        if looked_at < DEPENDENTS_MAX { "no later change depends on it" } else { "too many later changes to look at" };
    Ok(result("depends_on", looked_at < DEPENDENTS_MAX, detail))
}
