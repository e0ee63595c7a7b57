//! `verify`: checks that it helped. Three ends: it helped, it did not help, or things are worse than before.

use model::Timestamp;
use serde_json::json;

use super::measure::{Measured, condition, worst};
use super::{Cx, POLL_NS, secs};
use crate::playbook::Verify;
use crate::writes::Batch;
use crate::{EntryKind, Outcome, Phase, RespondError, Responder, Run};

/// What a verification compares must be so many times as bad as before the action for things to be worse.
pub const WORSE_RATIO: f64 = 1.5;

/// How many measurements in a row must find that things are worse.
pub const WORSE_TIMES: u32 = 3;

impl Responder {
    pub(super) fn verify(
        &self,
        mut run: Run,
        verify: &Verify,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Timestamp>, RespondError> {
        let now = cx.now;
        let Phase::Verifying { since, holding_since, worse } = run.phase else {
            run.phase = Phase::Verifying { since: now, holding_since: None, worse: 0 };
            let mut batch = Batch::new(now);
            let text = format!("verifying for {}s within {}s", secs(verify.for_ns), secs(verify.within_ns));
            batch.timeline(&run.incident, EntryKind::Verify, text, json!({"query": verify.query.text()}));
            run.wake_at = now;
            batch.put_run(&run);
            batch.commit(&*self.records)?;
            return Ok(None);
        };
        let measured = condition(&verify.query, now, cx.effects);
        let is_worse = if run.acted { worse_than_before(&run, verify, &measured, cx) } else { None };
        let _deciding = self.deciding.lock();
        let worse = is_worse.as_ref().map_or(0, |_| worse + 1);
        if let Some(why) = is_worse.filter(|_| worse >= WORSE_TIMES) {
            self.worse(run, verify, &why, now)?;
            return Ok(None);
        }
        let deadline = since.saturating_add_ns(verify.within_ns);
        let holding_since = match &measured {
            Measured::Holds(_) => Some(holding_since.unwrap_or(now)),
            Measured::Not(_) | Measured::Unknown(_) => None,
        };
        match (&measured, holding_since) {
            (Measured::Holds(what), Some(held)) if now.0 - held.0 >= verify.for_ns => {
                self.passed(run, verify, what, held, now)?;
                return Ok(None);
            }
            _ if now >= deadline => {
                self.not_passed(run, verify, &measured, now)?;
                return Ok(None);
            }
            _ => {}
        }
        let until = now.saturating_add_ns(POLL_NS).min(deadline);
        run.phase = Phase::Verifying { since, holding_since, worse };
        run.wake_at = until;
        let mut batch = Batch::new(now);
        batch.put_run(&run);
        batch.commit(&*self.records)?;
        Ok(Some(until))
    }

    fn passed(
        &self,
        mut run: Run,
        verify: &Verify,
        what: &str,
        held: Timestamp,
        now: Timestamp,
    ) -> Result<(), RespondError> {
        let mut batch = Batch::new(now);
        let detail = json!({"outcome": "ok", "query": verify.query.text(), "held_since": held.to_string()});
        batch.timeline(&run.incident, EntryKind::Verify, format!("verified: {what}"), detail);
        batch.audit("verify.passed", &run.id, json!({"query": verify.query.text(), "measured": what}));
        run.verified = true;
        self.next_step(run, batch, now)
    }

    fn not_passed(&self, run: Run, verify: &Verify, measured: &Measured, now: Timestamp) -> Result<(), RespondError> {
        let (Measured::Holds(what) | Measured::Not(what) | Measured::Unknown(what)) = measured;
        let unknown = matches!(measured, Measured::Unknown(_));
        let outcome = if unknown { Outcome::Unknown } else { Outcome::NotHelped };
        let text = format!("not verified within {}s: {what}", secs(verify.within_ns));
        let mut batch = Batch::new(now);
        let detail = json!({"outcome": "failed", "query": verify.query.text()});
        batch.timeline(&run.incident, EntryKind::Verify, &text, detail);
        batch.audit("verify.failed", &run.id, json!({"query": verify.query.text(), "measured": what}));
        self.fail_step(run, outcome, &text, None, batch, now)
    }

    /// Things are worse than before: what was done is taken back where a step says how, once, and people are told.
    fn worse(&self, mut run: Run, verify: &Verify, why: &str, now: Timestamp) -> Result<(), RespondError> {
        let mut batch = Batch::new(now);
        let text = format!("worse than before: {why}");
        let detail = json!({"outcome": "failed", "query": verify.query.text()});
        batch.timeline(&run.incident, EntryKind::Verify, &text, detail);
        batch.audit("verify.worse", &run.id, json!({"query": verify.query.text(), "measured": why}));
        if run.undoable.is_empty() {
            return self.fail_step(run, Outcome::Worse, &text, None, batch, now);
        }
        run.undoing = std::mem::take(&mut run.undoable);
        run.summary = text;
        run.phase = Phase::Begin;
        run.wake_at = now;
        batch.put_run(&run);
        Ok(batch.commit(&*self.records)?)
    }
}

/// Why things are worse than before the action, if they are. Where the file says what is worse, it is believed; otherwise what the
/// condition compares is compared with itself, and only while the condition does not hold.
fn worse_than_before(run: &Run, verify: &Verify, measured: &Measured, cx: &Cx<'_>) -> Option<String> {
    if let Some(expr) = &verify.worse {
        let samples = cx.effects.query.instant(expr, cx.now).ok()?;
        let (labels, value) = samples.first()?;
        return Some(format!("{expr} yields {labels} {value}"));
    }
    let compare = verify.compare.as_ref()?;
    let before = *run.baselines.get(&run.playbook.step_name(run.step))?;
    if !matches!(measured, Measured::Not(_)) {
        return None;
    }
    let after = worst(compare, cx.now, cx.effects)?;
    let worse = if compare.more_is_worse { after > before * WORSE_RATIO } else { after * WORSE_RATIO < before };
    worse.then(|| format!("{} was {before} before and is {after}", compare.expr))
}
