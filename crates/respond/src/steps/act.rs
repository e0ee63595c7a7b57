//! Steps that act: from the decision to the end of the action. What happens right before it is in `start`.

use catalog::ledger::LedgerTable;
use model::Timestamp;
use serde_json::json;

use super::Cx;
use crate::attribute::Scene;
use crate::lease::Lease;
use crate::plan::Decision;
use crate::playbook::Act;
use crate::writes::{Batch, read};
use crate::{Action, ActionState, EntryKind, Outcome, Phase, RespondError, Responder, Run, Verb, Verdict};

impl Responder {
    pub(super) fn act(&self, run: Run, act: &Act, cx: &mut Cx<'_>) -> Result<Option<Timestamp>, RespondError> {
        let Phase::Acting { action } = &run.phase else {
            return self.decide_and_plan(run, act, cx.now);
        };
        let found: Option<Action> = read(&*self.records, LedgerTable::Actions, action)?;
        let (what, id) = ("action", action.clone());
        let action = found.ok_or_else(|| RespondError::Dangling { run: run.id.clone(), what, id })?;
        match action.state {
            ActionState::Planned => self.before_start(run, act, action, cx),
            ActionState::Started => self.orphan(action, cx.now),
            _ => {
                let _deciding = self.deciding.lock();
                let outcome = outcome_of(action.state);
                let detail = action.detail.clone();
                self.after_action(run, outcome, &detail, &action, Batch::new(cx.now), cx.now)?;
                Ok(None)
            }
        }
    }

    /// Takes the effect of a step back.
    pub(super) fn undo(&self, run: Run, cx: &mut Cx<'_>) -> Result<Option<Timestamp>, RespondError> {
        let step = run.undoing.last().and_then(|step| run.playbook.steps.get(*step));
        if let Some(act) = step.and_then(|step| step.undo.clone()) {
            return self.act(run, &act, cx);
        }
        let _deciding = self.deciding.lock();
        self.undone(run, false, "there is no way back", Batch::new(cx.now), cx.now)?;
        Ok(None)
    }

    fn decide_and_plan(&self, mut run: Run, act: &Act, now: Timestamp) -> Result<Option<Timestamp>, RespondError> {
        let seen = self.deciding.lock();
        let alert = self.alert_of(&run, seen.live.get(&run.alert))?;
        let decision = self.decide(&run, act, Scene { alert: &alert, live: &seen.live }, now)?;
        let mut batch = Batch::new(now);
        match decision {
            Decision::Wait(why) => {
                let until = now.saturating_add_ns(self.options.decision_poll_ns);
                return self.hold(run, &why, until, batch);
            }
            Decision::Refuse(action) => {
                let text = format!("{}: {}", not_done(&action), action.detail);
                let detail = json!({"outcome": "refused", "evidence": action.evidence});
                batch.timeline(&run.incident, EntryKind::Decision, &text, detail);
                batch.insert_action(&action);
                if action.undo {
                    self.undone(run, false, &text, batch, now)?;
                } else {
                    self.fail_step(run, Outcome::Held, &text, Some(&action), batch, now)?;
                }
            }
            Decision::Observe(action) => {
                let (target, from, to) = (&action.target, &action.from_version, &action.to_version);
                let order = match action.verb {
                    Verb::Rollback => format!("rolled {target} back from {from} to {to}"),
                    _ => format!("done: {}", action.order()),
                };
                let text = format!("would have {order}; {}", action.detail);
                let detail = json!({"outcome": "observed", "evidence": action.evidence});
                batch.timeline(&run.incident, EntryKind::Decision, &text, detail);
                batch.insert_action(&action);
                run.change = action.evidence.change.clone();
                run.action = Some(action.key.clone());
                self.finish(run, Some(Outcome::Observed), &text, batch, now)?;
            }
            Decision::Act(action) => self.plan(run, *action, batch)?,
        }
        Ok(None)
    }

    /// Commits the decision to act, with its evidence. An action of the same key that is already there means that this very
    /// action was decided before: by another process, which goes on with it. The insert fails then, and it happens once.
    fn plan(&self, mut run: Run, action: Action, mut batch: Batch) -> Result<(), RespondError> {
        let bad = action.evidence.verdict == Verdict::Bad && !action.undo;
        if let (Some(change), true) = (&action.evidence.change, bad) {
            let text =
                format!("suspect: {} ({})", change.summary(), action.evidence.attribution.as_deref().unwrap_or(""));
            batch.timeline(&run.incident, EntryKind::Change, text, json!(change));
            run.change = action.evidence.change.clone();
        }
        let verdict = action.evidence.verdict.text();
        let text = match action.undo {
            true => format!("{}: all guards passed", action.order()),
            false => format!("{}: verdict {verdict}, all guards passed", action.order()),
        };
        batch.timeline(&run.incident, EntryKind::Decision, text, json!({"evidence": action.evidence}));
        run.phase = Phase::Acting { action: action.key.clone() };
        run.action = Some(action.key.clone());
        run.hold_reason = None;
        let mut incident = self.incident_of(&run)?;
        incident.change = run.change.as_ref().map(change::Change::key).or(incident.change);
        batch.put_incident(&incident);
        batch.insert_action(&action);
        batch.put_run(&run);
        Ok(batch.commit(&*self.records)?)
    }

    /// An action is `started`, and this thread, the only one here that may advance its run, does not carry it out. While another
    /// process holds its lease it may be at it; otherwise its end was never recorded.
    fn orphan(&self, action: Action, now: Timestamp) -> Result<Option<Timestamp>, RespondError> {
        let _deciding = self.deciding.lock();
        if let Some(until) = self.carried_out_elsewhere(&action, now)? {
            return Ok(Some(until.min(now.saturating_add_ns(self.options.decision_poll_ns))));
        }
        self.give_up(action, now)?;
        Ok(None)
    }

    /// Until when another process may be carrying out an action.
    pub(crate) fn carried_out_elsewhere(
        &self,
        action: &Action,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, RespondError> {
        let lease = Lease::of(&*self.records, &action.target)?;
        let elsewhere = lease.action == action.key && lease.holder != self.options.holder && lease.is_held(now);
        Ok(lease.expires_at.filter(|_| elsewhere))
    }

    pub(super) fn after_action(
        &self,
        mut run: Run,
        failure: Option<Outcome>,
        why: &str,
        action: &Action,
        batch: Batch,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        if action.undo {
            return self.undone(run, failure.is_none(), &format!("{} ({why})", action.summary()), batch, now);
        }
        match failure {
            None => {
                run.acted = true;
                if run.playbook.steps.get(run.step).is_some_and(|step| step.undo.is_some()) {
                    run.undoable.push(run.step);
                }
                self.next_step(run, batch, now)
            }
            Some(outcome) => self.fail_step(run, outcome, why, Some(action), batch, now),
        }
    }

    /// An effect was taken back, or could not be: then those before it stay, because they may rest on it. At the end people are told:
    /// things are worse than before.
    fn undone(
        &self,
        mut run: Run,
        went_well: bool,
        why: &str,
        mut batch: Batch,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        run.undoing.pop();
        if went_well && !run.undoing.is_empty() {
            run.phase = Phase::Begin;
            run.wake_at = now;
            batch.put_run(&run);
            return Ok(batch.commit(&*self.records)?);
        }
        let text = format!("{}; {why}", run.summary);
        self.fail_step(run, Outcome::Worse, &text, None, batch, now)
    }
}

/// How a refusal begins.
pub(super) fn not_done(action: &Action) -> String {
    match (action.undo, action.verb) {
        (true, _) => "not taken back".to_owned(),
        (false, Verb::Rollback) => "not rolled back".to_owned(),
        (false, verb) => format!("no {verb}"),
    }
}

/// The outcome that an action's state makes a step fail with; `None` when it went well.
pub(super) fn outcome_of(state: ActionState) -> Option<Outcome> {
    match state {
        ActionState::Succeeded => None,
        ActionState::Failed => Some(Outcome::Failed),
        ActionState::Refused => Some(Outcome::Held),
        ActionState::Observed => Some(Outcome::Observed),
        ActionState::Planned | ActionState::Started | ActionState::Unknown => Some(Outcome::Unknown),
    }
}
