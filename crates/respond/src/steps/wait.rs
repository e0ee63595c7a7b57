//! `wait`: lets time pass, or waits for a condition.

use model::Timestamp;
use serde_json::json;

use super::measure::{Measured, condition};
use super::{Cx, POLL_NS, secs};
use crate::playbook::Wait;
use crate::writes::Batch;
use crate::{EntryKind, Outcome, Phase, RespondError, Responder, Run};

impl Responder {
    pub(super) fn wait(&self, mut run: Run, wait: &Wait, cx: &mut Cx<'_>) -> Result<Option<Timestamp>, RespondError> {
        let now = cx.now;
        let mut batch = Batch::new(now);
        let Phase::Waiting { since } = run.phase else {
            let text = match (wait.for_ns, &wait.until) {
                (Some(for_ns), _) => format!("waiting {}s", secs(for_ns)),
                (None, until) => {
                    let until = until.as_ref().map_or(String::new(), crate::VerifyQuery::text);
                    format!("waiting up to {}s for {until}", secs(wait.within_ns))
                }
            };
            batch.timeline(&run.incident, EntryKind::Note, text, json!({"run": run.id}));
            run.phase = Phase::Waiting { since: now };
            run.wake_at = now;
            batch.put_run(&run);
            batch.commit(&*self.records)?;
            return Ok(None);
        };
        let deadline = since.saturating_add_ns(wait.for_ns.unwrap_or(wait.within_ns));
        let measured = wait.until.as_ref().map(|until| condition(until, now, cx.effects));
        let _deciding = self.deciding.lock();
        match measured {
            None if now >= deadline => self.next_step(run, batch, now)?,
            Some(Measured::Holds(what)) => {
                batch.timeline(&run.incident, EntryKind::Note, format!("waited: {what}"), json!({"run": run.id}));
                self.next_step(run, batch, now)?;
            }
            Some(Measured::Not(what) | Measured::Unknown(what)) if now >= deadline => {
                let text = format!("waited {}s in vain: {what}", secs(wait.within_ns));
                batch.timeline(&run.incident, EntryKind::Note, &text, json!({"outcome": "failed"}));
                self.fail_step(run, Outcome::Held, &text, None, batch, now)?;
            }
            None | Some(_) => {
                let poll = if wait.until.is_some() { now.saturating_add_ns(POLL_NS) } else { deadline };
                let until = poll.min(deadline);
                run.wake_at = until;
                batch.put_run(&run);
                batch.commit(&*self.records)?;
                return Ok(Some(until));
            }
        }
        Ok(None)
    }
}
