//! The guards of an action: each says whether it may happen, and why, with the numbers.
//!
//! One that says no holds the action and people are told; none can be switched off by the playbook, only set.

mod freeze;
mod history;
mod witness;

pub(crate) use history::actions;

use catalog::ledger::{LedgerError, Records};
use change::{Change, Reversible};
use model::Timestamp;

pub use freeze::{Freeze, FreezeError};
pub(crate) use freeze::{Frozen, frozen};
pub use history::{BREAKER_TARGETS_MAX, BREAKER_WINDOW_NS, REVISION_MEMORY_NS};
pub use witness::{DEPENDENTS_MAX, WitnessKind};

use crate::{Evidence, GuardResult, Playbook, Run, Verb};

/// What an action would do, and what guards need to know about it.
pub(crate) struct Plan<'a> {
    pub(crate) playbook: &'a Playbook,
    pub(crate) run: &'a Run,
    pub(crate) verb: Verb,
    /// It takes back the effect of a step: what counts actions does not count it, and it may go back to a version that was left.
    pub(crate) undo: bool,
    pub(crate) target: &'a str,
    pub(crate) group: &'a str,
    pub(crate) from: &'a str,
    pub(crate) to: &'a str,
    pub(crate) change: Option<&'a Change>,
    pub(crate) evidence: &'a Evidence,
    pub(crate) kill_switch: Option<String>,
    pub(crate) suspect: Option<String>,
    pub(crate) frozen: Option<Frozen>,
}

/// Asks every guard. The action may happen when all passed.
pub(crate) fn ask_all(plan: &Plan<'_>, records: &dyn Records, now: Timestamp) -> Result<Vec<GuardResult>, LedgerError> {
    let mut results = vec![kill_switch(plan), target(plan), self_suspect(plan), freeze_window(plan)];
    if plan.undo {
        return Ok(results);
    }
    let memory = history::of_target(plan, records, now)?;
    results.push(reversible(plan));
    if plan.verb == Verb::Rollback {
        results.push(history::revision_memory(plan, &memory));
        results.push(witness::depends_on(plan, records)?);
    }
    results.extend([
        history::cooldown(plan, &memory, now),
        history::max_per(plan, records, now)?,
        history::group(plan, records, now)?,
        history::max_targets(plan, records, now)?,
        history::breaker(plan, records, now)?,
        witness::witnesses(plan, records)?,
    ]);
    Ok(results)
}

fn result(guard: &str, passed: bool, detail: impl Into<String>) -> GuardResult {
    GuardResult { guard: guard.to_owned(), passed, detail: detail.into() }
}

fn kill_switch(plan: &Plan<'_>) -> GuardResult {
    match &plan.kill_switch {
        Some(reason) => result("kill_switch", false, format!("engaged: {reason}")),
        None => result("kill_switch", true, "not engaged"),
    }
}

fn target(plan: &Plan<'_>) -> GuardResult {
    let (target, from, to) = (plan.target, plan.from, plan.to);
    if target.is_empty() {
        return result("target", false, "the target is empty; an empty selector never means everything");
    }
    if plan.verb != Verb::Rollback {
        return result("target", true, target);
    }
    if to.is_empty() || from.is_empty() {
        let detail = format!("the change of {target} does not say both versions ({from:?} -> {to:?})");
        return result("target", false, detail);
    }
    result("target", from != to, format!("{target} {from} -> {to}"))
}

fn self_suspect(plan: &Plan<'_>) -> GuardResult {
    match &plan.suspect {
        Some(why) => result("self_suspect", false, format!("what is measured can not be trusted now: {why}")),
        None => result("self_suspect", true, "nothing speaks against the measuring itself"),
    }
}

fn freeze_window(plan: &Plan<'_>) -> GuardResult {
    match &plan.frozen {
        None => result("freeze", true, "no freeze"),
        Some(frozen) if frozen.except.is_empty() => result("freeze", false, &frozen.reason),
        Some(frozen) => {
            let detail = format!("{}; only with the approval of {}", frozen.reason, frozen.except.join(" or "));
            result("freeze", true, detail)
        }
    }
}

/// What can not be undone is never rolled back. Restarting or scaling it undoes nothing.
fn reversible(plan: &Plan<'_>) -> GuardResult {
    let marked = plan.change.is_some_and(|change| change.reversible == Reversible::No);
    let passed = !(marked && plan.verb == Verb::Rollback);
    let word = if marked { "the change is marked irreversible" } else { "the change is not marked irreversible" };
    result("reversible", passed, word)
}

fn secs(ns: i64) -> i64 {
    ns / 1_000_000_000
}
