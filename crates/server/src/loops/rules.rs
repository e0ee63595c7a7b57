//! One thread for each group of rules: evaluates it when it is due, stores what its rules record and the series of its alerts,
//! publishes how alerts stand, and tells the responder.

use std::sync::Arc;
use std::time::{Duration, Instant};

use api::RuleBoard;
use model::{Batch, BatchData, SeriesBatch, TenantId, Timestamp};
use respond::Responder;
use rules::{Evaluation, GroupEvaluator, RuleQueryError, RuleSamples, SampleSink};
use store::Store;
use telemetry::{clock, metrics};

use super::Stop;
use super::query::EngineQuery;

/// Longest sleep, so that a clock that jumps back does not stop a group for long.
const SLEEP_MAX: Duration = Duration::from_secs(1);

/// What a group's thread needs.
#[derive(Clone)]
pub(crate) struct RuleParts {
    pub(crate) query: EngineQuery,
    pub(crate) board: Arc<RuleBoard>,
    pub(crate) responder: Arc<Responder>,
    pub(crate) store: Arc<Store>,
    pub(crate) stop: Stop,
}

/// Evaluates a group until told to stop.
pub(crate) fn run_group(mut evaluator: GroupEvaluator, parts: &RuleParts) {
    let name = evaluator.group().name.clone();
    loop {
        let now = clock::now();
        let wait = Duration::from_nanos(evaluator.next_due(now).0.saturating_sub(now.0).max(0).unsigned_abs());
        if parts.stop.sleep(wait.min(SLEEP_MAX)) {
            return;
        }
        let (now, start) = (clock::now(), Instant::now());
        let mut sink = StoreSink { store: &parts.store };
        match evaluator.evaluate_into(now, &parts.query, &mut sink) {
            Ok(None) => {}
            Ok(Some(evaluation)) => {
                metrics::RULE_EVALUATION_SECONDS.record(start.elapsed());
                count(&evaluator, &evaluation);
                parts.board.publish(&evaluator, evaluation.at, start.elapsed());
                observe(&evaluator, now, parts);
            }
            Err(error) => tracing::error!(group = name, %error, "the state of rules was not saved"),
        }
    }
}

fn count(evaluator: &GroupEvaluator, evaluation: &Evaluation) {
    for status in evaluator.status() {
        let outcome = match status.health {
            rules::Health::Err(_) => "failed",
            rules::Health::NoData => "no_data",
            _ => "ok",
        };
        metrics::RULE_EVALUATIONS.add(outcome, 1);
    }
    for (rule, error) in &evaluation.errors {
        tracing::warn!(rule, error, "rule failed");
    }
    if evaluation.missed > 0 {
        tracing::warn!(
            group = evaluator.group().name,
            missed = evaluation.missed,
            "evaluations came too late and were skipped"
        );
    }
}

/// Stores what rules write. It is durable, and seen by queries, before the next rule of the group is evaluated.
struct StoreSink<'a> {
    store: &'a Store,
}

impl SampleSink for StoreSink<'_> {
    fn store(&mut self, samples: RuleSamples) -> Result<(), RuleQueryError> {
        if !samples.series.is_empty() {
            let series = SeriesBatch { series: samples.series, ..SeriesBatch::default() };
            let tenant = TenantId::default();
            // The store leaves out what is over a limit; the rule says so.
            let refused = self.store.series().refused(&tenant, &series);
            let batch = Batch { tenant, data: BatchData::Series(series) };
            let stored = self.store.append(vec![batch]).and_then(store::Ack::wait);
            stored.map_err(|error| RuleQueryError(error.to_string()))?;
            if let Some(first) = refused.first() {
                let (count, reason, labels) = (refused.len(), first.reason, &first.labels);
                return Err(RuleQueryError(format!("the store refused {count} series: {reason}: {labels}")));
            }
        }
        Ok(())
    }
}

fn observe(evaluator: &GroupEvaluator, now: Timestamp, parts: &RuleParts) {
    if let Err(error) = parts.responder.observe(&evaluator.alerts(), now) {
        tracing::error!(group = evaluator.group().name, %error, "alerts were not taken in; the next evaluation tries again");
    }
    let firing = parts.board.alerts().iter().filter(|alert| alert.state == rules::AlertState::Firing).count();
    metrics::ALERTS_FIRING.set(firing as f64);
}
