//! `query`: measures something for later steps. A query that fails is tried again until the step's time is over; then its result
//! is unknown, which is not a number.

use serde_json::json;

use super::{Cx, POLL_NS, measure, secs};
use crate::playbook::Query;
use crate::result::ResultState;
use crate::writes::Batch;
use crate::{EntryKind, Outcome, Phase, RespondError, Responder, Run, StepResult};
use model::Timestamp;

impl Responder {
    pub(super) fn query(
        &self,
        mut run: Run,
        query: &Query,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Timestamp>, RespondError> {
        let since = if let Phase::Waiting { since } = run.phase { since } else { cx.now };
        let measured = measure::number(&query.text, cx.now, cx.effects);
        let _deciding = self.deciding.lock();
        let (now, mut batch) = (cx.now, Batch::new(cx.now));
        let result = match measured {
            Ok(result) => result,
            Err(error) if now.0 - since.0 < query.timeout_ns => {
                run.phase = Phase::Waiting { since };
                return self.hold(run, &format!("the query failed: {error}"), now.saturating_add_ns(POLL_NS), batch);
            }
            Err(error) => {
                let text = format!("could not be measured within {}s: {error}", secs(query.timeout_ns));
                StepResult::new("query", ResultState::Unknown, text)
            }
        };
        let name = run.playbook.step_name(run.step);
        let text = format!("{name}: {}", result.detail);
        batch.timeline(&run.incident, EntryKind::Note, &text, json!({"query": query.text.text(), "result": result}));
        let unknown = result.result == ResultState::Unknown;
        run.results.insert(name, result);
        self.measured(run, unknown, &text, batch, now)?;
        Ok(None)
    }

    /// After a measurement: on, or to the branch for measurements that did not come out well. Without a branch the result speaks.
    pub(super) fn measured(
        &self,
        run: Run,
        bad: bool,
        why: &str,
        batch: Batch,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        let branch = run.playbook.steps.get(run.step).is_some_and(|step| step.on_fail.is_some());
        if bad && branch {
            return self.fail_step(run, Outcome::Held, why, None, batch, now);
        }
        self.next_step(run, batch, now)
    }
}
