//! How a run goes from step to step and ends, and whom it tells.

use catalog::ledger::{LedgerTable, sha256_hex};
use model::Timestamp;
use rules::Alert;
use serde_json::json;

use crate::incident::current;
use crate::observe::resolve_if_over;
use crate::writes::{Batch, read};
use crate::{Action, EntryKind, Incident, Notification, Outcome, RespondError, Responder, Run, RunState, StepKind};

impl Responder {
    /// What a run has to say so far.
    pub(super) fn story(&self, run: &Run) -> String {
        let what = match (run.outcome, run.verified, run.acted) {
            (Some(outcome), ..) => format!("playbook {}: {}: {}", run.playbook.name, outcome.as_str(), run.summary),
            (None, true, _) => format!("playbook {} {}, and it helped", run.playbook.name, did(run)),
            (None, false, true) => format!("playbook {} {}", run.playbook.name, did(run)),
            (None, false, false) => format!("playbook {} tells you", run.playbook.name),
        };
        match &run.change {
            Some(change) => format!("{what}; suspect: {}", change.summary()),
            None => what,
        }
    }

    pub(super) fn queue(
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

    /// The step went well: on to the next, or to the end when there is none or a branch begins there.
    pub(super) fn next_step(&self, run: Run, batch: Batch, now: Timestamp) -> Result<(), RespondError> {
        match run.playbook.after(run.step) {
            Some(next) => self.jump(run, next, batch, now),
            None => self.finish(run, None, "all steps done", batch, now),
        }
    }

    /// On to a step. It only goes forward, so that a run ends, whatever a document says.
    pub(super) fn jump(&self, mut run: Run, step: usize, mut batch: Batch, now: Timestamp) -> Result<(), RespondError> {
        if step <= run.step {
            return self.finish(run, None, "a `goto` goes back", batch, now);
        }
        run.go_to(step, now);
        batch.put_run(&run);
        Ok(batch.commit(&*self.records)?)
    }

    /// The step failed: on to its branch, or people are paged and the run ends. Whoever is configured is paged in any case when an
    /// outcome is unknown or things are worse.
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
        run.undoing.clear();
        if let Some(action) = action {
            run.change = run.change.or_else(|| action.evidence.change.clone());
        }
        if branch.is_none() || matches!(outcome, Outcome::Unknown | Outcome::Worse) {
            for receiver in &self.options.escalation_receivers {
                self.queue(&run, receiver, "escalation", &self.story(&run), action, &mut batch)?;
            }
        }
        match branch {
            Some(step) if step > run.step => self.jump(run, step, batch, now),
            _ => self.finish(run, Some(outcome), why, batch, now),
        }
    }

    /// People said no: the run ends.
    pub(super) fn reject(&self, mut run: Run, why: &str, batch: Batch, now: Timestamp) -> Result<(), RespondError> {
        run.summary = why.to_owned();
        self.finish(run, Some(Outcome::Rejected), why, batch, now)
    }

    /// The run ends, and with it perhaps the incident.
    pub(crate) fn finish(
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
        // A change of another service is suspected; only the verdict of its own watch blames it.
        let own = run.change.as_ref().filter(|change| change.target.service == run.service);
        incident.change = incident.change.or(own.map(change::Change::key));
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

    pub(crate) fn incident_of(&self, run: &Run) -> Result<Incident, RespondError> {
        let found = current(&*self.records, &run.incident)?;
        let (what, id) = ("incident", run.incident.clone());
        found.ok_or_else(|| RespondError::Dangling { run: run.id.clone(), what, id })
    }

    pub(crate) fn alert_of(&self, run: &Run, live: Option<&Alert>) -> Result<Alert, RespondError> {
        if let Some(alert) = live {
            return Ok(alert.clone());
        }
        let found: Option<Alert> = read(&*self.records, LedgerTable::Alerts, &run.alert)?;
        let (what, id) = ("alert", run.alert.clone());
        found.ok_or_else(|| RespondError::Dangling { run: run.id.clone(), what, id })
    }
}

/// What a run did, for people.
fn did(run: &Run) -> &'static str {
    match run.playbook.steps.iter().find_map(|step| step.kind.acting().map(|_| &step.kind)) {
        Some(StepKind::Rollback(_)) | None => "rolled it back",
        Some(_) => "acted",
    }
}
