//! The evidence of a decision: who is to blame, and is it bad.

use change::{SplitOutcome, Suspect};
use model::Timestamp;
use verdict::Message;

use crate::attribute::{Attributed, Scene};
use crate::judge::Around;
use crate::{Evidence, RespondError, Responder, Run};

impl Responder {
    /// Collects what a decision rests on, and the verdict.
    pub(crate) fn gather(&self, run: &Run, scene: Scene<'_>, now: Timestamp) -> Result<Evidence, RespondError> {
        let alert = scene.alert;
        let mut found = self.attribute(run, scene, now)?;
        let accused = self.accused(alert)?.map(|watch| watch.change);
        let first = match &accused {
            Some(change) => found.accuse(&change.key()),
            None => found.first.take(),
        };
        let blamed = first.as_ref().map(|first| (first.change.clone(), first.messages.clone()));
        let accused = accused.map(|change| (change, vec![Message::AccusedByWatch {}]));
        let (change, why) = accused.or(blamed).unzip();
        let text = |why: &Vec<Message>| why.iter().map(Message::to_string).collect::<Vec<_>>().join(", ");
        let cleared = found.exonerated.iter().find(|one| is_of(one, &run.service) && one.split == SplitOutcome::Alike);
        let around = Around {
            service: &run.service,
            alert,
            suspect: change.as_ref(),
            cleared: cleared.map(|one| &one.change),
            conflict: found.conflict,
        };
        let (verdict, watch) = self.verdict(&around, now)?;
        Ok(Evidence {
            rule: alert.rule.clone(),
            query: alert.query.clone(),
            window_ns: alert.window_ns,
            labels: alert.labels.clone(),
            value: alert.value,
            columns: alert.columns.clone(),
            data: alert.data,
            active_at: alert.active_at,
            evaluated_at: alert.evaluated_at,
            decided_at: now,
            change,
            attribution: why.as_ref().map(text),
            attribution_messages: why.unwrap_or_default(),
            score: first.as_ref().map(|first| first.parts),
            versions: first.and_then(|first| first.versions),
            concurrent: found.concurrent,
            exonerated: found.exonerated,
            verdict,
            card: watch.map(|watch| watch.card),
            guards: Vec::new(),
        })
    }
}

fn is_of(suspect: &Suspect, service: &str) -> bool {
    suspect.change.target.service == service
}

impl Attributed {
    /// Puts a change that was found bad by itself before all others; what was found of it here, if it was looked at.
    fn accuse(&mut self, key: &str) -> Option<Suspect> {
        self.concurrent.splice(0..0, self.first.take());
        let mut known = None;
        for list in [&mut self.concurrent, &mut self.exonerated] {
            let place = list.iter().position(|suspect| suspect.change.key() == key);
            known = known.or(place.map(|place| list.remove(place)));
        }
        known
    }
}
