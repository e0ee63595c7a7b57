//! The state machine of a run. Every arrow is one commit; between two commits a process may end and another go on.
//!
//! One file for each kind of step, `act` and `start` for all that act; `path` is how a run goes from step to step and ends.

mod act;
mod ask;
mod decide;
mod measure;
mod notify;
mod path;
mod probe;
mod query;
mod start;
mod verify;
mod wait;

use catalog::ledger::LedgerTable;
use model::Timestamp;

use crate::plan::is_undo;
use crate::writes::{Batch, read};
use crate::{Effects, EntryKind, Next, Outcome, RespondError, Responder, Run, RunState, StepKind};

pub use verify::{WORSE_RATIO, WORSE_TIMES};

/// How often something that is waited for is looked at, in nanoseconds.
const POLL_NS: i64 = 1_000_000_000;

/// What a step may use.
pub(crate) struct Cx<'a> {
    /// The time; it moves on while an action runs.
    pub(crate) now: Timestamp,
    pub(crate) effects: &'a Effects<'a>,
}

impl Responder {
    pub(crate) fn go_on(&self, id: &str, now: Timestamp, effects: &Effects<'_>) -> Result<Next, RespondError> {
        let mut cx = Cx { now, effects };
        loop {
            let run: Option<Run> = read(&*self.records, LedgerTable::Runs, id)?;
            let run = run.ok_or_else(|| RespondError::NoRun(id.to_owned()))?;
            if run.state == RunState::Done {
                self.trip_if_poor(cx.now)?;
                return Ok(Next::Done(run.outcome.unwrap_or(Outcome::Unknown)));
            }
            if let Some(until) = self.take_step(run, &mut cx)? {
                return Ok(Next::Wait(until));
            }
        }
    }

    /// Takes a run one commit further; gives until when it waits.
    fn take_step(&self, run: Run, cx: &mut Cx<'_>) -> Result<Option<Timestamp>, RespondError> {
        let Some(step) = run.playbook.steps.get(run.step).cloned() else {
            let _deciding = self.deciding.lock();
            self.finish(run, None, "no step is left", Batch::new(cx.now), cx.now)?;
            return Ok(None);
        };
        if is_undo(&run) {
            return self.undo(run, cx);
        }
        match step.kind {
            StepKind::Query(query) => self.query(run, &query, cx),
            StepKind::Probe(probe) => self.probe(run, &probe, cx),
            StepKind::Decide(decide) => self.choose(run, &decide, cx),
            StepKind::Ask(ask) => self.ask(run, &ask, cx),
            StepKind::Act(act) | StepKind::Rollback(act) | StepKind::Restart(act) | StepKind::Scale(act) => {
                self.act(run, &act, cx)
            }
            StepKind::Wait(wait) => self.wait(run, &wait, cx),
            StepKind::Verify(verify) => self.verify(run, &verify, cx),
            StepKind::Notify(notify) => self.notify(run, &notify, cx),
        }
    }

    /// Waits, saying why once.
    fn hold(
        &self,
        mut run: Run,
        why: &str,
        until: Timestamp,
        mut batch: Batch,
    ) -> Result<Option<Timestamp>, RespondError> {
        if run.hold_reason.as_deref() != Some(why) {
            let detail = serde_json::json!({"run": run.id});
            batch.timeline(&run.incident, EntryKind::Decision, format!("waiting: {why}"), detail);
            run.hold_reason = Some(why.to_owned());
        }
        run.wake_at = until;
        batch.put_run(&run);
        batch.commit(&*self.records)?;
        Ok(Some(until))
    }
}

fn secs(ns: i64) -> i64 {
    ns / 1_000_000_000
}
