//! The state machine of a run. Every arrow is one commit; between two commits a process may end and another go on.

use catalog::ledger::{LedgerTable, sha256_hex};
use model::{TimeRange, Timestamp};
use rules::{Alert, AlertState, DataState};
use serde_json::json;

use crate::decide::Decision;
use crate::incident::current;
use crate::observe::resolve_if_over;
use crate::writes::{Batch, read};
use crate::{
    Action, ActionRequest, ActionResult, ActionState, Effects, EntryKind, Incident, Next, Notification, NotifyStep,
    Outcome, Phase, RespondError, Responder, Rollback, Run, RunState, StepKind, Verify, VerifyQuery,
};

/// How often a verification measures, in nanoseconds.
const VERIFY_POLL_NS: i64 = 1_000_000_000;

/// How a verification's measurement came out.
enum Measured {
    Holds(String),
    Not(String),
    /// It could not be measured; this is not "it does not hold".
    Unknown(String),
}

impl Responder {
    pub(crate) fn go_on(&self, id: &str, now: Timestamp, effects: &Effects<'_>) -> Result<Next, RespondError> {
        let mut now = now;
        loop {
            let run: Option<Run> = read(&*self.records, LedgerTable::Runs, id)?;
            let run = run.ok_or_else(|| RespondError::NoRun(id.to_owned()))?;
            if run.state == RunState::Done {
                return Ok(Next::Done(run.outcome.unwrap_or(Outcome::Unknown)));
            }
            let Some(step) = run.playbook.steps.get(run.step).cloned() else {
                let _deciding = self.deciding.lock();
                self.finish(run, None, "no step is left", Batch::new(now), now)?;
                continue;
            };
            let wait = match step.kind {
                StepKind::Rollback(rollback) => self.rollback(run, &rollback, &mut now, effects)?,
                StepKind::Verify(verify) => self.verify(run, &verify, now, effects)?,
                StepKind::Notify(notify) => self.notify(run, &notify, now)?,
            };
            if let Some(until) = wait {
                return Ok(Next::Wait(until));
            }
        }
    }

    fn rollback(
        &self,
        run: Run,
        rollback: &Rollback,
        now: &mut Timestamp,
        effects: &Effects<'_>,
    ) -> Result<Option<Timestamp>, RespondError> {
        let Phase::Acting { action } = &run.phase else {
            return self.decide_and_plan(run, rollback, *now);
        };
        let found: Option<Action> = read(&*self.records, LedgerTable::Actions, action)?;
        let action =
            found.ok_or_else(|| RespondError::Dangling { run: run.id.clone(), what: "action", id: action.clone() })?;
        match action.state {
            ActionState::Planned => return self.start(run, action, now, effects),
            // Only this thread may have started it, and it is here now: the end was never recorded.
            ActionState::Started => {
                let _deciding = self.deciding.lock();
                self.give_up(action, *now)?;
            }
            _ => {
                let _deciding = self.deciding.lock();
                let outcome = outcome_of(action.state);
                let detail = action.detail.clone();
                self.after_action(run, outcome, &detail, &action, Batch::new(*now), *now)?;
            }
        }
        Ok(None)
    }

    fn decide_and_plan(
        &self,
        mut run: Run,
        rollback: &Rollback,
        now: Timestamp,
    ) -> Result<Option<Timestamp>, RespondError> {
        let seen = self.deciding.lock();
        let alert = self.alert_of(&run, seen.live.get(&run.alert))?;
        let decision = self.decide(&run, rollback, &alert, now)?;
        let mut batch = Batch::new(now);
        match decision {
            Decision::Wait(why) => {
                let until = now.saturating_add_ns(self.options.decision_poll_ns);
                if run.hold_reason.as_deref() != Some(&why) {
                    batch.timeline(
                        &run.incident,
                        EntryKind::Decision,
                        format!("waiting: {why}"),
                        json!({"run": run.id}),
                    );
                    run.hold_reason = Some(why);
                }
                run.wake_at = until;
                batch.put_run(&run);
                batch.commit(&*self.records)?;
                return Ok(Some(until));
            }
            Decision::Refuse(action) => {
                let text = format!("not rolled back: {}", action.detail);
                let detail = json!({"outcome": "refused", "evidence": action.evidence});
                batch.timeline(&run.incident, EntryKind::Decision, &text, detail);
                batch.insert_action(&action);
                self.fail_step(run, Outcome::Held, &text, Some(&action), batch, now)?;
            }
            Decision::Observe(action) => {
                let (target, from, to) = (&action.target, &action.from_version, &action.to_version);
                let text = format!("would have rolled {target} back from {from} to {to}; {}", action.detail);
                let detail = json!({"outcome": "observed", "evidence": action.evidence});
                batch.timeline(&run.incident, EntryKind::Decision, &text, detail);
                batch.insert_action(&action);
                run.change = action.evidence.change.clone();
                run.action = Some(action.key.clone());
                self.finish(run, Some(Outcome::Observed), &text, batch, now)?;
            }
            Decision::Act(action) => {
                self.plan(run, *action, batch)?;
            }
        }
        Ok(None)
    }

    /// Commits the decision to act, with its evidence. An action of the same key that is already there means that this very
    /// rollback was decided before; the insert fails, and the run never acts.
    fn plan(&self, mut run: Run, action: Action, mut batch: Batch) -> Result<(), RespondError> {
        if let Some(change) = &action.evidence.change {
            let text =
                format!("suspect: {} ({})", change.summary(), action.evidence.attribution.as_deref().unwrap_or(""));
            batch.timeline(&run.incident, EntryKind::Change, text, json!(change));
        }
        let (target, from, to) = (&action.target, &action.from_version, &action.to_version);
        let text = format!("roll {target} back from {from} to {to}: verdict bad, all guards passed");
        batch.timeline(&run.incident, EntryKind::Decision, text, json!({"evidence": action.evidence}));
        run.phase = Phase::Acting { action: action.key.clone() };
        run.action = Some(action.key.clone());
        run.change = action.evidence.change.clone();
        let mut incident = self.incident_of(&run)?;
        incident.change = run.change.as_ref().map(change::Change::key);
        batch.put_incident(&incident);
        batch.insert_action(&action);
        batch.put_run(&run);
        Ok(batch.commit(&*self.records)?)
    }

    /// Checks once more, commits `started`, and only then acts.
    fn start(
        &self,
        mut run: Run,
        mut action: Action,
        now: &mut Timestamp,
        effects: &Effects<'_>,
    ) -> Result<Option<Timestamp>, RespondError> {
        let request = {
            let seen = self.deciding.lock();
            let alert = self.alert_of(&run, seen.live.get(&run.alert))?;
            let mut batch = Batch::new(*now);
            if let Some(why) = self.objection(&alert, &action, *now) {
                action.state = ActionState::Refused;
                action.detail = why;
                batch.move_action(ActionState::Planned.as_str(), &action);
                let text = format!("not rolled back after all: {}", action.detail);
                batch.timeline(&run.incident, EntryKind::Decision, &text, json!(null));
                self.fail_step(run, Outcome::Held, &text, Some(&action), batch, *now)?;
                return Ok(None);
            }
            if alert.data != DataState::Measured {
                // Planned before a restart, and nothing was measured since: what was bad may be good by now.
                let until = now.saturating_add_ns(self.options.decision_poll_ns);
                run.wake_at = until;
                batch.put_run(&run);
                batch.commit(&*self.records)?;
                return Ok(Some(until));
            }
            action.state = ActionState::Started;
            action.started_at = Some(*now);
            batch.move_action(ActionState::Planned.as_str(), &action);
            batch.timeline(&run.incident, EntryKind::Action, action.summary(), json!({"request": action.request}));
            batch.commit(&*self.records)?;
            action.request.clone()
        };
        let result = carry_out(request.as_ref(), effects, *now);
        let _deciding = self.deciding.lock();
        *now = result.finished_at.max(*now);
        action.state = result.state;
        action.finished_at = Some(*now);
        action.detail = result.detail;
        action.output = result.output;
        let mut batch = Batch::new(*now);
        batch.move_action(ActionState::Started.as_str(), &action);
        let detail = json!({"outcome": action.state.as_str(), "detail": action.detail, "output": action.output});
        batch.timeline(&run.incident, EntryKind::Action, format!("{} ({})", action.summary(), action.detail), detail);
        let (outcome, why) = (outcome_of(action.state), action.detail.clone());
        self.after_action(run, outcome, &why, &action, batch, *now)?;
        Ok(None)
    }

    /// What speaks against starting a planned action now. A planned action may be old: the process may have been down.
    fn objection(&self, alert: &Alert, action: &Action, now: Timestamp) -> Option<String> {
        if let Some(reason) = self.kill_switch.engaged() {
            return Some(format!("the kill switch is engaged: {reason}"));
        }
        if alert.state != AlertState::Firing {
            return Some("the alert does not fire any more".to_owned());
        }
        if now.0 - action.planned_at.0 > self.options.decision_patience_ns {
            let age = (now.0 - action.planned_at.0) / 1_000_000_000;
            return Some(format!("it was decided {age}s ago and not started; the evidence is stale"));
        }
        None
    }

    fn after_action(
        &self,
        mut run: Run,
        failure: Option<Outcome>,
        why: &str,
        action: &Action,
        batch: Batch,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        match failure {
            None => {
                run.acted = true;
                self.next_step(run, batch, now)
            }
            Some(outcome) => self.fail_step(run, outcome, why, Some(action), batch, now),
        }
    }

    fn verify(
        &self,
        mut run: Run,
        verify: &Verify,
        now: Timestamp,
        effects: &Effects<'_>,
    ) -> Result<Option<Timestamp>, RespondError> {
        let Phase::Verifying { since, holding_since } = run.phase else {
            run.phase = Phase::Verifying { since: now, holding_since: None };
            let mut batch = Batch::new(now);
            let text = format!("verifying for {}s within {}s", secs(verify.for_ns), secs(verify.within_ns));
            batch.timeline(&run.incident, EntryKind::Verify, text, json!({"query": verify.query.text()}));
            batch.put_run(&run);
            batch.commit(&*self.records)?;
            return Ok(None);
        };
        let measured = measure(&verify.query, now, effects);
        let _deciding = self.deciding.lock();
        let deadline = since.saturating_add_ns(verify.within_ns);
        let holding = match &measured {
            Measured::Holds(_) => Some(holding_since.unwrap_or(now)),
            Measured::Not(_) | Measured::Unknown(_) => None,
        };
        let mut batch = Batch::new(now);
        match (&measured, holding) {
            (Measured::Holds(what), Some(held)) if now.0 - held.0 >= verify.for_ns => {
                let text = format!("verified: {what}");
                batch.timeline(
                    &run.incident,
                    EntryKind::Verify,
                    text,
                    json!({"outcome": "ok", "query": verify.query.text(), "held_since": held.to_string()}),
                );
                batch.audit("verify.passed", &run.id, json!({"query": verify.query.text(), "measured": what}));
                run.verified = true;
                self.next_step(run, batch, now)?;
                return Ok(None);
            }
            (Measured::Holds(what) | Measured::Not(what) | Measured::Unknown(what), _) if now >= deadline => {
                let unknown = matches!(measured, Measured::Unknown(_));
                let outcome = if unknown { Outcome::Unknown } else { Outcome::NotHelped };
                let text = format!("not verified within {}s: {what}", secs(verify.within_ns));
                let detail = json!({"outcome": "failed", "query": verify.query.text()});
                batch.timeline(&run.incident, EntryKind::Verify, &text, detail);
                batch.audit("verify.failed", &run.id, json!({"query": verify.query.text(), "measured": what}));
                self.fail_step(run, outcome, &text, None, batch, now)?;
                return Ok(None);
            }
            _ => {}
        }
        let until = now.saturating_add_ns(VERIFY_POLL_NS).min(deadline);
        run.phase = Phase::Verifying { since, holding_since: holding };
        run.wake_at = until;
        batch.put_run(&run);
        batch.commit(&*self.records)?;
        Ok(Some(until))
    }

    fn notify(&self, run: Run, notify: &NotifyStep, now: Timestamp) -> Result<Option<Timestamp>, RespondError> {
        let _deciding = self.deciding.lock();
        let mut batch = Batch::new(now);
        let template = notify.template.as_deref().unwrap_or("default");
        self.queue(&run, &notify.receiver, template, &self.story(&run), None, &mut batch)?;
        self.next_step(run, batch, now)?;
        Ok(None)
    }

    /// What a run has to say so far.
    fn story(&self, run: &Run) -> String {
        let what = match (run.outcome, run.verified, run.acted) {
            (Some(outcome), ..) => format!("playbook {}: {}: {}", run.playbook.name, outcome.as_str(), run.summary),
            (None, true, _) => format!("playbook {} rolled it back, and it helped", run.playbook.name),
            (None, false, true) => format!("playbook {} rolled it back", run.playbook.name),
            (None, false, false) => format!("playbook {} tells you", run.playbook.name),
        };
        match &run.change {
            Some(change) => format!("{what}; suspect: {}", change.summary()),
            None => what,
        }
    }

    fn queue(
        &self,
        run: &Run,
        receiver: &str,
        template: &str,
        text: &str,
        action: Option<&Action>,
        batch: &mut Batch,
    ) -> Result<(), RespondError> {
        let incident = self.incident_of(run)?;
        let live = &incident.alerts;
        let alerts = live.iter().filter_map(|id| read(&*self.records, LedgerTable::Alerts, id).transpose());
        let alerts = alerts.collect::<Result<Vec<Alert>, _>>()?;
        let action = match (action, &run.action) {
            (Some(action), _) => Some(action.clone()),
            (None, Some(key)) => read(&*self.records, LedgerTable::Actions, key)?,
            (None, None) => None,
        };
        let outcome = match (run.outcome, run.verified) {
            (Some(outcome), _) => outcome.as_str(),
            (None, true) => Outcome::Helped.as_str(),
            (None, false) => "running",
        };
        let parts = json!([run.id, run.step, template, receiver]);
        let notification = Notification {
            id: format!("ntf-{}", &sha256_hex(parts.to_string().as_bytes())[..16]),
            receiver: receiver.to_owned(),
            template: template.to_owned(),
            text: format!("{}: {text}", incident.title),
            at: batch.now(),
            alerts,
            change: run.change.clone(),
            action,
            outcome: outcome.to_owned(),
            incident,
        };
        batch.timeline(
            &run.incident,
            EntryKind::Notify,
            format!("telling {receiver}: {text}"),
            json!({"id": notification.id}),
        );
        batch.queue(&notification);
        Ok(())
    }

    /// The step went well: on to the next, or to the end when there is none or the next is a branch that was not taken.
    fn next_step(&self, mut run: Run, mut batch: Batch, now: Timestamp) -> Result<(), RespondError> {
        let next = run.step + 1;
        if next >= run.playbook.steps.len() || (!run.jumped && run.playbook.is_branch(next)) {
            return self.finish(run, None, "all steps done", batch, now);
        }
        run.step = next;
        run.phase = Phase::Begin;
        run.wake_at = now;
        batch.put_run(&run);
        Ok(batch.commit(&*self.records)?)
    }

    /// The step failed: on to its branch, or people are paged and the run ends. Whoever is configured is paged for an unknown
    /// outcome in any case.
    pub(crate) fn fail_step(
        &self,
        mut run: Run,
        outcome: Outcome,
        why: &str,
        action: Option<&Action>,
        mut batch: Batch,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        run.summary = why.to_owned();
        let step = run.playbook.steps.get(run.step);
        let branch = step.and_then(|step| step.on_fail.as_deref()).and_then(|id| run.playbook.step_by_id(id));
        run.outcome = Some(outcome);
        if let Some(action) = action {
            run.change = run.change.or_else(|| action.evidence.change.clone());
        }
        if branch.is_none() || outcome == Outcome::Unknown {
            for receiver in &self.options.escalation_receivers {
                self.queue(&run, receiver, "escalation", &self.story(&run), action, &mut batch)?;
            }
        }
        match branch {
            Some(step) if step > run.step => {
                run.step = step;
                run.jumped = true;
                run.phase = Phase::Begin;
                run.wake_at = now;
                batch.put_run(&run);
                Ok(batch.commit(&*self.records)?)
            }
            _ => self.finish(run, Some(outcome), why, batch, now),
        }
    }

    /// The run ends, and with it perhaps the incident.
    fn finish(
        &self,
        mut run: Run,
        outcome: Option<Outcome>,
        why: &str,
        mut batch: Batch,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        let outcome = outcome.or(run.outcome).unwrap_or(match (run.verified && run.acted, run.acted) {
            (true, _) => Outcome::Helped,
            (false, true) => Outcome::Acted,
            (false, false) => Outcome::Notified,
        });
        run.state = RunState::Done;
        run.outcome = Some(outcome);
        if run.summary.is_empty() {
            run.summary = why.to_owned();
        }
        let mut incident = self.incident_of(&run)?;
        incident.active_runs.retain(|id| *id != run.id);
        incident.outcome = Some(outcome.as_str().to_owned());
        incident.change = incident.change.or(run.change.as_ref().map(change::Change::key));
        let text = format!("playbook {} ended: {} ({})", run.playbook.name, outcome.as_str(), run.summary);
        batch.timeline(&run.incident, EntryKind::Decision, text, json!({"run": run.id, "outcome": outcome.as_str()}));
        batch.audit(
            "run.ended",
            &run.id,
            json!({"outcome": outcome.as_str(), "why": run.summary, "incident": run.incident}),
        );
        resolve_if_over(&mut incident, &mut batch, now);
        batch.put_incident(&incident);
        batch.put_run(&run);
        Ok(batch.commit(&*self.records)?)
    }

    fn incident_of(&self, run: &Run) -> Result<Incident, RespondError> {
        let found = current(&*self.records, &run.incident)?;
        let (what, id) = ("incident", run.incident.clone());
        found.ok_or_else(|| RespondError::Dangling { run: run.id.clone(), what, id })
    }

    fn alert_of(&self, run: &Run, live: Option<&Alert>) -> Result<Alert, RespondError> {
        if let Some(alert) = live {
            return Ok(alert.clone());
        }
        let found: Option<Alert> = read(&*self.records, LedgerTable::Alerts, &run.alert)?;
        let (what, id) = ("alert", run.alert.clone());
        found.ok_or_else(|| RespondError::Dangling { run: run.id.clone(), what, id })
    }
}

/// The outcome that an action's state makes a step fail with; `None` when it went well.
fn outcome_of(state: ActionState) -> Option<Outcome> {
    match state {
        ActionState::Succeeded => None,
        ActionState::Failed => Some(Outcome::Failed),
        ActionState::Refused => Some(Outcome::Held),
        ActionState::Observed => Some(Outcome::Observed),
        ActionState::Planned | ActionState::Started | ActionState::Unknown => Some(Outcome::Unknown),
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

/// Measures a verification's condition. An empty answer never holds: absence of data is not recovery.
fn measure(query: &VerifyQuery, now: Timestamp, effects: &Effects<'_>) -> Measured {
    match query {
        VerifyQuery::Expr(expr) => match effects.query.instant(expr, now) {
            Err(error) => Measured::Unknown(format!("the query failed: {error}")),
            Ok(samples) if samples.is_empty() => Measured::Not("the expression yields nothing".to_owned()),
            Ok(samples) => {
                let values: Vec<String> =
                    samples.iter().take(5).map(|(labels, value)| format!("{labels} {value}")).collect();
                Measured::Holds(values.join(", "))
            }
        },
        VerifyQuery::Logs { query: text, window_ns, when } => {
            let Some(condition) = query.condition() else {
                return Measured::Unknown(format!("the condition {when:?} can not be read"));
            };
            let range = TimeRange::new(now.saturating_add_ns(-window_ns), now);
            match effects.query.logs(text, range) {
                Err(error) => Measured::Unknown(format!("the query failed: {error}")),
                Ok(rows) if rows.is_empty() => Measured::Unknown("the query yields no rows".to_owned()),
                Ok(rows) => {
                    let held = rows.iter().filter(|row| condition.holds(row)).count();
                    let what = format!("{when} holds for {held} of {} rows", rows.len());
                    if held == rows.len() { Measured::Holds(what) } else { Measured::Not(what) }
                }
            }
        }
    }
}

fn secs(ns: i64) -> i64 {
    ns / 1_000_000_000
}
