//! The guards of an action: each says whether it may happen, and why, with the numbers.

use std::collections::BTreeSet;

use catalog::ledger::{Filter, LedgerError, LedgerTable, Records};
use change::{Change, Reversible};
use model::{TimeRange, Timestamp};

use crate::action::ActionState;
use crate::writes::parse;
use crate::{Action, GuardResult, Playbook};

/// When more targets than this want action within [`BREAKER_WINDOW_NS`], a common cause is likelier than as many bad changes:
/// monitoring, DNS, the network. Nothing acts then.
pub const BREAKER_TARGETS_MAX: usize = 3;

/// The window of the breaker, in nanoseconds.
pub const BREAKER_WINDOW_NS: i64 = 10 * 60 * 1_000_000_000;

/// How far back it is remembered that a version was rolled back from, in nanoseconds: 90 days.
pub const REVISION_MEMORY_NS: i64 = 90 * 86_400 * 1_000_000_000;

/// What an action would do.
pub(crate) struct Plan<'a> {
    pub(crate) playbook: &'a Playbook,
    pub(crate) incident: &'a str,
    pub(crate) target: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) change: &'a Change,
    pub(crate) kill_switch: Option<String>,
}

/// Asks every guard. The action may happen when all passed.
pub(crate) fn ask_all(plan: &Plan<'_>, records: &dyn Records, now: Timestamp) -> Result<Vec<GuardResult>, LedgerError> {
    let memory = actions(records, Some(plan.target), now, REVISION_MEMORY_NS)?;
    Ok(vec![
        kill_switch(plan),
        versions(plan),
        reversible(plan),
        revision_memory(plan, &memory),
        cooldown(plan, &memory, now),
        max_per(plan, records, now)?,
        max_targets(plan, records, now)?,
        breaker(plan, records, now)?,
    ])
}

fn result(guard: &str, passed: bool, detail: impl Into<String>) -> GuardResult {
    GuardResult { guard: guard.to_owned(), passed, detail: detail.into() }
}

/// The actions of the past that happened or may have.
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
    found.into_iter().map(|document| parse(LedgerTable::Actions, document)).collect()
}

fn kill_switch(plan: &Plan<'_>) -> GuardResult {
    match &plan.kill_switch {
        Some(reason) => result("kill_switch", false, format!("engaged: {reason}")),
        None => result("kill_switch", true, "not engaged"),
    }
}

fn versions(plan: &Plan<'_>) -> GuardResult {
    let (target, from, to) = (plan.target, plan.from, plan.to);
    if target.is_empty() {
        return result("target", false, "the target is empty; an empty selector never means everything");
    }
    if to.is_empty() || from.is_empty() {
        return result(
            "target",
            false,
            format!("the change of {target} does not say both versions ({from:?} -> {to:?})"),
        );
    }
    result("target", from != to, format!("{target} {from} -> {to}"))
}

fn reversible(plan: &Plan<'_>) -> GuardResult {
    let passed = plan.change.reversible != Reversible::No;
    let word = if passed { "the change is not marked irreversible" } else { "the change is marked irreversible" };
    result("reversible", passed, word)
}

fn revision_memory(plan: &Plan<'_>, memory: &[Action]) -> GuardResult {
    match memory.iter().find(|action| action.from_version == plan.to) {
        Some(action) => {
            let detail = format!("{} was itself rolled back from, by action {}", plan.to, action.key);
            result("revision_memory", false, detail)
        }
        None => result("revision_memory", true, format!("{} was never rolled back from", plan.to)),
    }
}

fn cooldown(plan: &Plan<'_>, memory: &[Action], now: Timestamp) -> GuardResult {
    let cooldown_ns = plan.playbook.guards.cooldown_ns;
    let last = memory.iter().filter_map(|action| action.started_at).max();
    match last.map(|last| now.0 - last.0) {
        Some(age_ns) if age_ns < cooldown_ns => {
            let detail = format!(
                "the last action on {} was {}s ago, less than {}s",
                plan.target,
                secs(age_ns),
                secs(cooldown_ns)
            );
            result("cooldown", false, detail)
        }
        Some(age_ns) => result("cooldown", true, format!("the last action was {}s ago", secs(age_ns))),
        None => result("cooldown", true, format!("no action on {} before", plan.target)),
    }
}

fn max_per(plan: &Plan<'_>, records: &dyn Records, now: Timestamp) -> Result<GuardResult, LedgerError> {
    let mut details = Vec::new();
    for (window_ns, max) in &plan.playbook.guards.max_per {
        let found = actions(records, None, now, *window_ns)?;
        let count = found.iter().filter(|action| action.playbook == plan.playbook.name).count();
        let detail = format!("{count} of {max} actions in {}s", secs(*window_ns));
        if count >= *max as usize {
            return Ok(result("max_per", false, detail));
        }
        details.push(detail);
    }
    Ok(result("max_per", true, details.join(", ")))
}

fn max_targets(plan: &Plan<'_>, records: &dyn Records, now: Timestamp) -> Result<GuardResult, LedgerError> {
    let found = actions(records, None, now, REVISION_MEMORY_NS)?;
    let of_incident =
        found.iter().filter(|action| action.incident == plan.incident).map(|action| action.target.as_str());
    let targets: BTreeSet<&str> = of_incident.chain([plan.target]).collect();
    let max = plan.playbook.guards.max_targets;
    Ok(result("max_targets", targets.len() <= max, format!("{} of {max} targets in this incident", targets.len())))
}

fn breaker(plan: &Plan<'_>, records: &dyn Records, now: Timestamp) -> Result<GuardResult, LedgerError> {
    let found = actions(records, None, now, BREAKER_WINDOW_NS)?;
    let targets: BTreeSet<&str> = found.iter().map(|action| action.target.as_str()).chain([plan.target]).collect();
    let window = secs(BREAKER_WINDOW_NS);
    let detail = format!("{} of {BREAKER_TARGETS_MAX} targets want action within {window}s", targets.len());
    Ok(result("breaker", targets.len() <= BREAKER_TARGETS_MAX, detail))
}

fn secs(ns: i64) -> i64 {
    ns / 1_000_000_000
}
