//! The evidence of a decision: who is to blame, and is it bad.

use change::{AttributionInput, Target, rank_with};
use model::Timestamp;
use rules::Alert;

use crate::judge::Around;
use crate::{Evidence, RespondError, Responder, Run};

impl Responder {
    /// Collects what a decision rests on, and the verdict.
    pub(crate) fn gather(&self, run: &Run, alert: &Alert, now: Timestamp) -> Result<Evidence, RespondError> {
        let within_ns = run.playbook.requires.change_within_ns;
        // Changes up to now are looked at, not only up to the alert: one that came later is cleared by name.
        let lookback_ns = within_ns.saturating_add(now.0 - alert.active_at.0);
        let changes = match run.service.as_str() {
            "" => Vec::new(),
            service => self.changes.recent(service, now, lookback_ns)?,
        };
        let suspects = rank_with(&AttributionInput {
            changes: &changes,
            affected: &Target { service: run.service.clone(), ..Target::default() },
            active_at: alert.active_at,
            within_ns,
            graph: None,
            splits: &[],
            now,
        });
        let later = changes.iter().any(|change| change.started_at > alert.active_at);
        let conflict = !suspects.concurrent.is_empty() || later;
        let accused = self.accused(alert)?.map(|watch| (watch.change, "the verdict of the watch over it".to_owned()));
        let first = suspects.first.map(|first| (first.change, first.reason));
        let (change, attribution) = accused.or(first).unzip();
        let around = Around { service: &run.service, alert, suspect: change.as_ref(), conflict };
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
            attribution,
            concurrent: suspects.concurrent,
            exonerated: suspects.exonerated,
            verdict,
            card: watch.map(|watch| watch.card),
            guards: Vec::new(),
        })
    }
}
