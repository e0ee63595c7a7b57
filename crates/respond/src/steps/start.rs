//! The last moments before an action, and the action itself.
//!
//! planned -> a look at the target -> still bad? -> approvals, then all of this again -> lease and `started`, committed together ->
//! the side effect -> its outcome and the release of the lease, committed together.

use catalog::ledger::{LedgerError, LedgerTable};
use model::Timestamp;
use rules::AlertState;
use serde_json::json;

use super::act::{not_done, outcome_of};
use super::{Cx, measure};
use crate::approval::{Approval, ApprovalKind, ApprovalState, close, find, withdraw};
use crate::attribute::Scene;
use crate::guards::{Frozen, frozen};
use crate::lease::Lease;
use crate::plan::{Allowed, forbidden};
use crate::playbook::Act;
use crate::switches::KillState;
use crate::writes::{Batch, read};
use crate::{
    Action, ActionRequest, ActionResult, ActionState, Effects, EntryKind, Mode, Outcome, Precheck, RespondError,
    Responder, Run, StepKind,
};

/// What a look at the target allows.
enum Look {
    Ready,
    /// It could not be told, and may be in a moment.
    NotYet(String),
    No(String),
}

impl Responder {
    pub(super) fn before_start(
        &self,
        mut run: Run,
        act: &Act,
        mut action: Action,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Timestamp>, RespondError> {
        let approval = match &action.approval {
            Some(id) => find(&*self.records, id, cx.now)?,
            None => None,
        };
        if let Some(approval) = approval.as_ref().filter(|approval| approval.state != ApprovalState::Approved) {
            return self.unapproved(run, action, approval, cx.now);
        }
        if run.baselines.is_empty() && !action.undo {
            measure_baselines(&mut run, cx);
        }
        let look = self.look(&mut action, approval.as_ref(), cx);
        let seen = self.deciding.lock();
        let alert = self.alert_of(&run, seen.live.get(&run.alert))?;
        let still = match look {
            Look::Ready => {
                self.still(&run, act, &action, approval.as_ref(), Scene { alert: &alert, live: &seen.live }, cx.now)?
            }
            Look::NotYet(why) => Allowed::NotYet(why),
            Look::No(why) => Allowed::No(why),
        };
        match still {
            Allowed::Yes => {}
            Allowed::NotYet(why) => {
                let until = cx.now.saturating_add_ns(self.options.decision_poll_ns);
                return self.hold(run, &why, until, Batch::new(cx.now));
            }
            Allowed::No(why) => {
                self.refuse_planned(run, action, &why, approval.as_ref(), cx.now)?;
                return Ok(None);
            }
        }
        if approval.is_none()
            && let Some(approval) = self.approval_for(&run, &action, cx.now)?
        {
            self.ask_for(run, action, approval, cx.now)?;
            return Ok(None);
        }
        let started = self.start(&mut run, &mut action, approval.as_ref(), cx.now)?;
        drop(seen);
        if let Some(until) = started {
            return Ok(Some(until));
        }
        let result = carry_out(action.request.as_ref(), cx.effects, cx.now);
        self.end_action(run, action, result, cx)
    }

    /// Looks at the target. The revision that is seen first must be there until the end.
    fn look(&self, action: &mut Action, approval: Option<&Approval>, cx: &Cx<'_>) -> Look {
        let Some(request) = &mut action.request else { return Look::No("the action has no request".to_owned()) };
        match cx.effects.executor.precheck(request) {
            Precheck::NotOffered => Look::Ready,
            Precheck::Refused { detail } => Look::No(format!("precheck: {detail}")),
            Precheck::Ready { revision, .. } => match (&request.revision, &revision) {
                (Some(before), after) if after.as_ref() != Some(before) => {
                    let after = after.as_deref().unwrap_or("nothing");
                    Look::No(format!(
                        "precheck: the target was at {before} when this was decided and is at {after} now"
                    ))
                }
                _ => {
                    request.revision = revision;
                    Look::Ready
                }
            },
            Precheck::Unknown { detail } => {
                let since = decided_at(action, approval);
                if cx.now.0 - since.0 < self.options.decision_patience_ns {
                    Look::NotYet(format!("the target can not be looked at: {detail}"))
                } else {
                    Look::No(format!("the target can not be looked at: {detail}"))
                }
            }
        }
    }

    /// Whether what was decided is still right. A planned action may be old: the process may have been down, people may have taken
    /// their time.
    fn still(
        &self,
        run: &Run,
        act: &Act,
        action: &Action,
        approval: Option<&Approval>,
        scene: Scene<'_>,
        now: Timestamp,
    ) -> Result<Allowed, RespondError> {
        let alert = scene.alert;
        let no = |why: String| Ok(Allowed::No(why));
        if let Some(reason) = self.killed()? {
            return no(format!("the kill switch is engaged: {reason}"));
        }
        if self.mode_now(run)? == Mode::Observe {
            return no("the playbook is in mode observe by now".to_owned());
        }
        if !action.undo && alert.state != AlertState::Firing {
            return no("the alert does not fire any more".to_owned());
        }
        let age_ns = now.0 - decided_at(action, approval).0;
        if age_ns > self.options.decision_patience_ns {
            let age = super::secs(age_ns);
            return no(format!("it was decided {age}s ago and not started; the evidence is stale"));
        }
        let mut again = action.clone();
        if !action.undo {
            again.evidence = self.gather(run, scene, now)?;
            match self.allowed(run, act, alert, &again.evidence, age_ns) {
                Allowed::Yes => {}
                other => return Ok(other),
            }
            let key = |action: &Action| action.evidence.change.as_ref().map(change::Change::key);
            if key(&again) != key(action) {
                let now = key(&again).unwrap_or_else(|| "no change".to_owned());
                return no(format!("another change is blamed by now: {now}"));
            }
        }
        self.ask_guards(run, &mut again, now)?;
        if let Some(why) = forbidden(&again) {
            return no(why);
        }
        if let (Some(Frozen { reason, except }), Some(approval)) = (self.frozen(run, now), approval) {
            let named = |answer: &crate::Answer| {
                crate::Principal { name: answer.by.clone(), roles: answer.roles.clone() }.is_one_of(&except)
            };
            if !approval.given.iter().any(named) {
                return no(format!("{reason}, and nobody of {} approved", except.join(" or ")));
            }
        }
        Ok(Allowed::Yes)
    }

    fn frozen(&self, run: &Run, now: Timestamp) -> Option<Frozen> {
        frozen(run.playbook.guards.freeze.iter().chain(&self.options.freeze), now)
    }

    /// The mode of a run: that of its beginning, or a lower one that people have set since.
    fn mode_now(&self, run: &Run) -> Result<Mode, RespondError> {
        let loaded = self.playbooks.iter().find(|playbook| playbook.name == run.playbook.name);
        let now = loaded.map(|playbook| self.mode_of(playbook)).transpose()?;
        Ok(now.map_or(run.playbook.mode, |now| now.min(run.playbook.mode)))
    }

    /// The approval that an action needs before it may start.
    fn approval_for(&self, run: &Run, action: &Action, now: Timestamp) -> Result<Option<Approval>, RespondError> {
        if action.undo {
            return Ok(None);
        }
        let mode = self.mode_now(run)?;
        let mut rules = run.playbook.guards.approvals.clone();
        let lifted_by = self.frozen(run, now).map(|frozen| frozen.except).unwrap_or_default();
        if mode == Mode::Auto && rules.need == 0 && lifted_by.is_empty() {
            return Ok(None);
        }
        rules.need = rules.need.max(1);
        let kind = if mode == Mode::Suggest { ApprovalKind::Suggestion } else { ApprovalKind::Action };
        let change = action.evidence.change.as_ref();
        let because = match change {
            Some(change) => format!("verdict {} on {}", action.evidence.verdict.text(), change.summary()),
            None => format!("{} fires", action.evidence.rule),
        };
        let order = action.order();
        let mut letters = order.chars();
        let order: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
        let question = format!("{order}? ({because})");
        let mut approval = Approval::new([&run.id, &action.key, "act"], kind, question, &rules, now);
        approval.about(run);
        approval.action = Some(action.key.clone());
        approval.one_of = lifted_by;
        approval.not_by = change.and_then(|change| change.actor.clone()).filter(|_| rules.not_actor);
        Ok(Some(approval))
    }

    fn ask_for(
        &self,
        mut run: Run,
        mut action: Action,
        approval: Approval,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        if let Some(why) = approval.impossible(&self.options.approvers) {
            return self.refuse_planned(run, action, &why, None, now);
        }
        action.approval = Some(approval.id.clone());
        let mut batch = Batch::new(now);
        let planned = ActionState::Planned.as_str();
        batch.move_action(planned, &action);
        let notify = run.playbook.guards.approvals.notify.clone();
        self.put_approval(&run, &approval, &notify, Some(&action), &mut batch)?;
        run.wake_at = now;
        batch.put_run(&run);
        Ok(batch.commit(&*self.records)?)
    }

    /// The approval is pending, or will not come.
    fn unapproved(
        &self,
        run: Run,
        action: Action,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, RespondError> {
        let seen = self.deciding.lock();
        if approval.state == ApprovalState::Pending {
            let alert = self.alert_of(&run, seen.live.get(&run.alert))?;
            let why = match self.killed()? {
                Some(reason) => Some(format!("the kill switch is engaged: {reason}")),
                None if alert.state != AlertState::Firing => Some("the alert does not fire any more".to_owned()),
                None => None,
            };
            return match why {
                None => self.wait_for_answer(run, approval, Batch::new(now), now).map(Some),
                Some(why) => {
                    self.refuse_planned(run, action, &why, Some(approval), now)?;
                    Ok(None)
                }
            };
        }
        let why = format!("{}: {}", approval.state.as_str(), approval.story());
        self.refuse_planned(run, action, &why, Some(approval), now)?;
        Ok(None)
    }

    /// Decides against an action that was planned.
    fn refuse_planned(
        &self,
        run: Run,
        mut action: Action,
        why: &str,
        approval: Option<&Approval>,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        action.state = ActionState::Refused;
        action.detail = why.to_owned();
        let mut batch = Batch::new(now);
        batch.move_action(ActionState::Planned.as_str(), &action);
        let text = format!("{} after all: {why}", not_done(&action));
        batch.timeline(&run.incident, EntryKind::Decision, &text, json!({"outcome": "refused"}));
        if let Some(approval) = approval {
            withdraw(&*self.records, &approval.id, why, &mut batch)?;
        }
        match approval.map(|approval| (approval.state, approval.kind)) {
            Some((ApprovalState::Rejected, _)) => self.reject(run, &text, batch, now),
            Some((ApprovalState::Expired, ApprovalKind::Suggestion)) => {
                self.finish(run, Some(Outcome::Observed), &text, batch, now)
            }
            _ => self.after_action(run, Some(Outcome::Held), &text, &action, batch, now),
        }
    }

    /// Takes the lease and commits `started` with it; gives until when to wait when the lease is not to be had.
    fn start(
        &self,
        run: &mut Run,
        action: &mut Action,
        approval: Option<&Approval>,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, RespondError> {
        let poll = now.saturating_add_ns(self.options.decision_poll_ns);
        let lease = Lease::of(&*self.records, &action.target)?;
        let lease = match lease.taken(&self.options.holder, &action.key, self.options.lease_ttl_ns, now) {
            Ok(lease) => lease,
            Err(held) => {
                let why = format!("{} acts on {} until {}", held.by, action.target, held.until);
                return self.hold(run.clone(), &why, held.until.min(poll), Batch::new(now));
            }
        };
        let mut batch = Batch::new(now);
        if let Some(request) = &mut action.request {
            request.fence = lease.fence;
        }
        action.state = ActionState::Started;
        action.started_at = Some(now);
        batch.push(KillState::expect_released());
        lease.writes(now).into_iter().for_each(|write| batch.push(write));
        batch.move_action(ActionState::Planned.as_str(), action);
        if let Some(approval) = approval {
            close(&*self.records, approval, &mut batch)?;
        }
        let detail = json!({"request": action.request, "fence": lease.fence});
        batch.timeline(&run.incident, EntryKind::Action, action.summary(), detail);
        batch.put_run(run);
        match batch.commit(&*self.records) {
            Ok(()) => {}
            // Somebody else was faster with the action, the lease, the run or the kill switch: look again.
            Err(LedgerError::Conflict { .. }) => return Ok(Some(poll)),
            Err(error) => return Err(error.into()),
        }
        run.version += 1;
        self.leases.lock().insert(action.target.clone(), lease);
        Ok(None)
    }

    fn end_action(
        &self,
        run: Run,
        mut action: Action,
        result: ActionResult,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Timestamp>, RespondError> {
        let _deciding = self.deciding.lock();
        cx.now = result.finished_at.max(cx.now);
        self.leases.lock().remove(&action.target);
        action.state = result.state;
        action.finished_at = Some(cx.now);
        action.detail = result.detail;
        action.output = result.output;
        // The lease may be lost to another process between the look at it and the commit; the outcome must be kept all the same.
        for release in [true, false] {
            let ended = self.commit_end(&run, &action, release, cx.now);
            let Err(RespondError::Ledger(LedgerError::Conflict { .. })) = ended else {
                ended?;
                return Ok(None);
            };
        }
        self.late(&action, cx.now)?;
        Ok(Some(cx.now.saturating_add_ns(self.options.decision_poll_ns)))
    }

    fn commit_end(&self, run: &Run, action: &Action, release: bool, now: Timestamp) -> Result<(), RespondError> {
        let mut batch = Batch::new(now);
        batch.move_action(ActionState::Started.as_str(), action);
        if release {
            self.release_lease(action, &mut batch)?;
        }
        let detail = json!({"outcome": action.state.as_str(), "detail": action.detail, "output": action.output});
        batch.timeline(&run.incident, EntryKind::Action, format!("{} ({})", action.summary(), action.detail), detail);
        let (outcome, why) = (outcome_of(action.state), action.detail.clone());
        self.after_action(run.clone(), outcome, &why, action, batch, now)
    }

    /// Lets go of the lease under which an action ran, if it still is that action's.
    pub(crate) fn release_lease(&self, action: &Action, batch: &mut Batch) -> Result<(), RespondError> {
        let lease = Lease::of(&*self.records, &action.target)?;
        if lease.action == action.key {
            lease.released().writes(batch.now()).into_iter().for_each(|write| batch.push(write));
        }
        Ok(())
    }

    /// The action ended after others had given it up. What they concluded stands; that it did end is written down.
    fn late(&self, action: &Action, now: Timestamp) -> Result<(), RespondError> {
        let known: Option<Action> = read(&*self.records, LedgerTable::Actions, &action.key)?;
        let known = known.map_or("gone", |known| known.state.as_str());
        let mut batch = Batch::new(now);
        let text = format!("{} ({}) after it had been taken for {known}", action.summary(), action.detail);
        let detail = json!({"outcome": action.state.as_str(), "output": action.output});
        batch.timeline(&action.incident, EntryKind::Action, text, detail);
        batch.audit("action.late", &action.key, json!({"ended": action.state.as_str(), "detail": action.detail}));
        Ok(batch.commit(&*self.records)?)
    }

    /// Renews the leases of actions that are being carried out. Called every few seconds by a thread that carries out none.
    pub fn renew_leases(&self, now: Timestamp) -> Result<(), RespondError> {
        let _deciding = self.deciding.lock();
        let mut leases = self.leases.lock();
        let mut lost = Vec::new();
        for (target, lease) in leases.iter_mut() {
            let Some(renewed) = lease.renewed(self.options.lease_ttl_ns, now) else { continue };
            let mut batch = Batch::new(now);
            renewed.writes(now).into_iter().for_each(|write| batch.push(write));
            match batch.commit(&*self.records) {
                Ok(()) => *lease = renewed,
                Err(LedgerError::Conflict { .. }) => lost.push(target.clone()),
                Err(error) => return Err(error.into()),
            }
        }
        for target in lost {
            leases.remove(&target);
            let mut batch = Batch::new(now);
            batch.audit("lease.lost", &target, json!({"holder": self.options.holder}));
            batch.commit(&*self.records)?;
        }
        Ok(())
    }
}

/// Since when an action could have been started.
fn decided_at(action: &Action, approval: Option<&Approval>) -> Timestamp {
    approval.and_then(|approval| approval.settled_at).unwrap_or(action.planned_at)
}

/// Measures what later verifications compare with, before anything is done.
fn measure_baselines(run: &mut Run, cx: &Cx<'_>) {
    for (place, step) in run.playbook.steps.iter().enumerate().skip(run.step + 1) {
        let StepKind::Verify(verify) = &step.kind else { continue };
        let Some(compare) = &verify.compare else { continue };
        if let Some(value) = measure::worst(compare, cx.now, cx.effects) {
            run.baselines.insert(run.playbook.step_name(place), value);
        }
    }
}

fn carry_out(request: Option<&ActionRequest>, effects: &Effects<'_>, now: Timestamp) -> ActionResult {
    match request {
        Some(request) => effects.executor.execute(request),
        None => ActionResult {
            state: ActionState::Failed,
            detail: "the action has no request; nothing was done".to_owned(),
            output: String::new(),
            finished_at: now,
        },
    }
}
