//! Guards that count what was done before.

use std::collections::BTreeSet;

use catalog::ledger::{Filter, LedgerError, LedgerTable, Records};
use model::{TimeRange, Timestamp};

use super::{Plan, result, secs};
use crate::action::ActionState;
use crate::writes::parse;
use crate::{Action, GuardResult, Verb};

/// When more targets than this want action within [`BREAKER_WINDOW_NS`], a common cause is likelier than as many bad changes:
/// monitoring, DNS, the network. Nothing acts then.
pub const BREAKER_TARGETS_MAX: usize = 3;

/// The window of the breaker, in nanoseconds.
pub const BREAKER_WINDOW_NS: i64 = 10 * 60 * 1_000_000_000;

/// How far back it is remembered that a version was rolled back from, in nanoseconds: 90 days.
pub const REVISION_MEMORY_NS: i64 = 90 * 86_400 * 1_000_000_000;

/// The actions of the past that happened or may have. What took an effect back is not counted: it belongs to its action.
pub(crate) fn actions(
    records: &dyn Records,
    target: Option<&str>,
    now: Timestamp,
    window_ns: i64,
) -> Result<Vec<Action>, LedgerError> {
    let filter = Filter {
        service: target.map(str::to_owned),
        states: ActionState::acted(),
        range: TimeRange::new(now.saturating_add_ns(-window_ns), Timestamp(i64::MAX)),
        latest_first: true,
        ..Filter::default()
    };
    let found = records.list(LedgerTable::Actions, &filter)?;
    let found = found.into_iter().map(|document| parse(LedgerTable::Actions, document));
    found.filter(|action: &Result<Action, _>| action.as_ref().map_or(true, |action| !action.undo)).collect()
}

/// What was done to the target.
pub(super) fn of_target(plan: &Plan<'_>, records: &dyn Records, now: Timestamp) -> Result<Vec<Action>, LedgerError> {
    actions(records, Some(plan.target), now, REVISION_MEMORY_NS)
}

pub(super) fn revision_memory(plan: &Plan<'_>, memory: &[Action]) -> GuardResult {
    let left = |action: &&Action| action.verb == Verb::Rollback && action.from_version == plan.to;
    match memory.iter().find(left) {
        Some(action) => {
            let detail = format!("{} was itself rolled back from, by action {}", plan.to, action.key);
            result("revision_memory", false, detail)
        }
        None => result("revision_memory", true, format!("{} was never rolled back from", plan.to)),
    }
}

/// The least time between two actions of the same verb on a target, by different runs: the steps of one run belong together.
pub(super) fn cooldown(plan: &Plan<'_>, memory: &[Action], now: Timestamp) -> GuardResult {
    let cooldown_ns = plan.playbook.guards.cooldown_ns;
    let others = memory.iter().filter(|action| action.run != plan.run.id || action.verb == plan.verb);
    match others.filter_map(|action| action.started_at).max().map(|last| now.0 - last.0) {
        Some(age_ns) if age_ns < cooldown_ns => {
            let (age, least) = (secs(age_ns), secs(cooldown_ns));
            let detail = format!("the last action on {} was {age}s ago, less than {least}s", plan.target);
            result("cooldown", false, detail)
        }
        Some(age_ns) => result("cooldown", true, format!("the last action was {}s ago", secs(age_ns))),
        None => result("cooldown", true, format!("no action on {} before", plan.target)),
    }
}

pub(super) fn max_per(plan: &Plan<'_>, records: &dyn Records, now: Timestamp) -> Result<GuardResult, LedgerError> {
    let of_playbook = |action: &Action| action.playbook == plan.playbook.name;
    counted("max_per", "actions", &plan.playbook.guards.max_per, records, now, of_playbook)
}

pub(super) fn group(plan: &Plan<'_>, records: &dyn Records, now: Timestamp) -> Result<GuardResult, LedgerError> {
    let what = format!("actions on group {:?}", plan.group);
    counted("group", &what, &plan.playbook.guards.group_per, records, now, |action| action.group == plan.group)
}

fn counted(
    guard: &str,
    what: &str,
    limits: &[(i64, u32)],
    records: &dyn Records,
    now: Timestamp,
    wanted: impl Fn(&Action) -> bool,
) -> Result<GuardResult, LedgerError> {
    let mut details = Vec::new();
    for (window_ns, max) in limits {
        let count = actions(records, None, now, *window_ns)?.iter().filter(|action| wanted(action)).count();
        let detail = format!("{count} of {max} {what} in {}s", secs(*window_ns));
        if count >= *max as usize {
            return Ok(result(guard, false, detail));
        }
        details.push(detail);
    }
    Ok(result(guard, true, details.join(", ")))
}

pub(super) fn max_targets(plan: &Plan<'_>, records: &dyn Records, now: Timestamp) -> Result<GuardResult, LedgerError> {
    let found = actions(records, None, now, REVISION_MEMORY_NS)?;
    let of_incident =
        found.iter().filter(|action| action.incident == plan.run.incident).map(|action| action.target.as_str());
    let targets: BTreeSet<&str> = of_incident.chain([plan.target]).collect();
    let max = plan.playbook.guards.max_targets;
    Ok(result("max_targets", targets.len() <= max, format!("{} of {max} targets in this incident", targets.len())))
}

pub(super) fn breaker(plan: &Plan<'_>, records: &dyn Records, now: Timestamp) -> Result<GuardResult, LedgerError> {
    let found = actions(records, None, now, BREAKER_WINDOW_NS)?;
    let targets: BTreeSet<&str> = found.iter().map(|action| action.target.as_str()).chain([plan.target]).collect();
    let window = secs(BREAKER_WINDOW_NS);
    let detail = format!("{} of {BREAKER_TARGETS_MAX} targets want action within {window}s", targets.len());
    Ok(result("breaker", targets.len() <= BREAKER_TARGETS_MAX, detail))
}
