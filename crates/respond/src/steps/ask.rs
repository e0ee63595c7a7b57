//! `ask`: a question to people; the answer says where to go.

use model::Timestamp;
use serde_json::json;

use super::Cx;
use crate::approval::{Approval, ApprovalKind, ApprovalState, close, find};
use crate::plan::values;
use crate::playbook::Ask;
use crate::result::ResultState;
use crate::writes::Batch;
use crate::{EntryKind, Fill, FillUse, Mode, Outcome, Phase, RespondError, Responder, Run, StepResult};

/// How often a pending question is looked at, in nanoseconds.
pub(super) const ASK_POLL_NS: i64 = 1_000_000_000;

impl Responder {
    pub(super) fn ask(&self, run: Run, ask: &Ask, cx: &mut Cx<'_>) -> Result<Option<Timestamp>, RespondError> {
        let _deciding = self.deciding.lock();
        let (now, mut batch) = (cx.now, Batch::new(cx.now));
        let Phase::Asking { approval } = &run.phase else {
            self.put_question(run, ask, batch, now)?;
            return Ok(None);
        };
        let found = find(&*self.records, approval, now)?;
        let (what, id) = ("approval", approval.clone());
        let approval = found.ok_or_else(|| RespondError::Dangling { run: run.id.clone(), what, id })?;
        if approval.state == ApprovalState::Pending {
            return self.wait_for_answer(run, &approval, batch, now).map(Some);
        }
        close(&*self.records, &approval, &mut batch)?;
        self.answered(run, ask, &approval, batch, now)?;
        Ok(None)
    }

    fn put_question(&self, mut run: Run, ask: &Ask, mut batch: Batch, now: Timestamp) -> Result<(), RespondError> {
        let alert = self.alert_of(&run, None)?;
        let values = values(&run, &alert, run.change.as_ref());
        let question = match Fill::parse(&ask.question).and_then(|fill| fill.render(&values, FillUse::Text)) {
            Ok(question) => question,
            Err(error) => format!("{} ({error})", ask.question),
        };
        if run.playbook.mode == Mode::Observe {
            let text = format!("would have asked: {question}; mode observe: not done");
            batch.timeline(&run.incident, EntryKind::Decision, &text, json!({"outcome": "observed"}));
            return self.finish(run, Some(Outcome::Observed), &text, batch, now);
        }
        let name = run.playbook.step_name(run.step);
        let mut approval =
            Approval::new([&run.id, &name, "ask"], ApprovalKind::Question, question, &ask.approvals, now);
        if !ask.choices.is_empty() {
            approval.choices = ask.choices.iter().map(|choice| choice.name.clone()).collect();
        }
        approval.about(&run);
        if let Some(why) = approval.impossible(&self.options.approvers) {
            let text = format!("nobody can be asked: {why}");
            batch.timeline(&run.incident, EntryKind::Decision, &text, json!({"outcome": "refused"}));
            return self.fail_step(run, Outcome::Held, &text, None, batch, now);
        }
        self.put_approval(&run, &approval, &ask.approvals.notify, None, &mut batch)?;
        run.phase = Phase::Asking { approval: approval.id };
        run.wake_at = now;
        batch.put_run(&run);
        Ok(batch.commit(&*self.records)?)
    }

    fn answered(
        &self,
        mut run: Run,
        ask: &Ask,
        approval: &Approval,
        mut batch: Batch,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        let expired = approval.state == ApprovalState::Expired;
        let state = if expired { ResultState::Unknown } else { ResultState::Ok };
        let (choice, name) = (approval.choice.clone(), run.playbook.step_name(run.step));
        let text = format!("{name}: {}: {}", approval.state.as_str(), approval.story());
        run.results.insert(name, StepResult { choice: choice.clone(), ..StepResult::new("ask", state, &text) });
        batch.timeline(&run.incident, EntryKind::Decision, &text, json!({"approval": approval.id}));
        let chosen = ask.choices.iter().find(|known| Some(&known.name) == choice.as_ref());
        let goto = match (expired, chosen) {
            (true, _) => ask.on_timeout.as_deref(),
            (false, chosen) => chosen.and_then(|chosen| chosen.goto.as_deref()),
        };
        if let Some(step) = goto.and_then(|id| run.playbook.step_by_id(id)) {
            return self.jump(run, step, batch, now);
        }
        match approval.state {
            ApprovalState::Expired => self.fail_step(run, Outcome::Held, &text, None, batch, now),
            ApprovalState::Rejected if chosen.is_none() => self.reject(run, &text, batch, now),
            _ => self.next_step(run, batch, now),
        }
    }

    /// Queues the question, the approval's document and whom to tell.
    pub(super) fn put_approval(
        &self,
        run: &Run,
        approval: &Approval,
        notify: &[String],
        action: Option<&crate::Action>,
        batch: &mut Batch,
    ) -> Result<(), RespondError> {
        let text = format!("asking: {}", approval.question);
        let detail = json!({"approval": approval.id, "need": approval.need, "roles": approval.roles});
        batch.timeline(&run.incident, EntryKind::Decision, text, detail);
        let detail = json!({"question": approval.question, "need": approval.need, "roles": approval.roles, "incident": run.incident});
        batch.audit("approval.asked", &approval.id, detail);
        batch.push(catalog::ledger::Write::Insert(catalog::ledger::LedgerTable::Approvals, approval.document()));
        let receivers = if notify.is_empty() { &self.options.escalation_receivers } else { notify };
        for receiver in receivers {
            let text = format!("{} It {}", approval.question, approval.how());
            self.queue(run, receiver, "approval", &text, action, batch)?;
        }
        Ok(())
    }

    pub(super) fn wait_for_answer(
        &self,
        mut run: Run,
        approval: &Approval,
        mut batch: Batch,
        now: Timestamp,
    ) -> Result<Timestamp, RespondError> {
        let until = now.saturating_add_ns(ASK_POLL_NS).min(approval.expires_at);
        run.wake_at = until;
        batch.put_run(&run);
        batch.commit(&*self.records)?;
        Ok(until)
    }
}
