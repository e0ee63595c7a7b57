//! Flagger: failed checks are counted, and so many of them route everything back.
//!
//! From `fluxcd/flagger`: `pkg/controller/scheduler.go` (the order of a tick: threshold, analysis, next weight),
//! `scheduler_metrics.go` and `pkg/metrics/providers/prometheus.go` (no value or NaN is a failed check),
//! `pkg/apis/flagger/v1beta1/canary.go` (interval 60 s, threshold 1 when unset), `pkg/metrics/observers/istio.go` (the queries:
//! success rate and 99th percentile over the interval), `docs/gitbook/usage/how-it-works.md` (success rate 99, duration 500 ms,
//! maxWeight 50, stepWeight 5; the examples set a threshold of 5 or 10).

use std::time::Duration;

use model::Timestamp;

use super::{before, fitted_success, history};
use crate::policy::{Policy, PolicyAction};
use crate::telemetry::Version;
use crate::view::TelemetryView;

const INTERVAL_S: u32 = 60;
const SUCCESS_MIN: f64 = 0.99;
const DURATION_MAX_S: f64 = 0.5;
const STEP_WEIGHT: u32 = 5;
const WEIGHT_MAX: u32 = 50;
/// What a fitted duration leaves above the 99th percentile of the history.
const DURATION_ROOM: f64 = 1.5;

/// One canary under Flagger.
#[derive(Debug)]
pub struct Flagger {
    reading: &'static str,
    threshold: u32,
    fits: bool,
    routes: bool,
    success_min: f64,
    duration_max_s: f64,
    started: bool,
    weight: u32,
    failed_checks: u32,
    promoted: bool,
}

impl Flagger {
    fn new(reading: &'static str, threshold: u32) -> Self {
        Self {
            reading,
            threshold,
            fits: false,
            routes: false,
            success_min: SUCCESS_MIN,
            duration_max_s: DURATION_MAX_S,
            started: false,
            weight: 0,
            failed_checks: 0,
            promoted: false,
        }
    }

    /// With what the code does when nothing is set: one failed check is enough.
    pub fn defaults() -> Self {
        Self::new("defaults", 1)
    }

    /// With the threshold of 5 of the documents' examples.
    pub fn documented() -> Self {
        Self::new("documented", 5)
    }

    /// The same with a success rate and a duration that fit the service.
    pub fn fitted() -> Self {
        Self { fits: true, ..Self::new("fitted", 5) }
    }

    /// The same, routing the traffic by its own steps.
    pub fn fitted_own_rollout() -> Self {
        Self { routes: true, fits: true, ..Self::new("fitted, own rollout", 5) }
    }

    fn fit(&mut self, view: &TelemetryView<'_>) {
        self.success_min = fitted_success(view);
        let usual = history(view).quantile_s(0.99).unwrap_or(0.0);
        self.duration_max_s = DURATION_MAX_S.max(usual * DURATION_ROOM);
    }

    fn passes(&self, now: Timestamp, view: &TelemetryView<'_>) -> bool {
        let Some(counts) = view.increase(Version::New, None, before(now, INTERVAL_S), now) else { return false };
        let success = counts.error_rate().map(|errors| 1.0 - errors);
        success.is_some_and(|success| success >= self.success_min)
            && counts.quantile_s(0.99).is_some_and(|duration| duration <= self.duration_max_s)
    }
}

impl Policy for Flagger {
    fn name(&self) -> String {
        format!("Flagger ({})", self.reading)
    }

    fn tick(&mut self, now: Timestamp, view: &TelemetryView<'_>) -> PolicyAction {
        if self.failed_checks >= self.threshold {
            return PolicyAction::Rollback;
        }
        if !self.started {
            // The first tick only starts the canary: nothing is routed to it yet that could be checked.
            if self.fits {
                self.fit(view);
            }
            self.started = true;
            self.weight = STEP_WEIGHT;
            return PolicyAction::Wait;
        }
        if !self.passes(now, view) {
            self.failed_checks += 1;
            return PolicyAction::Wait;
        }
        if self.weight < WEIGHT_MAX {
            self.weight += STEP_WEIGHT;
            return PolicyAction::Wait;
        }
        self.promoted = true;
        PolicyAction::Promote
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(u64::from(INTERVAL_S))
    }

    fn weight(&self) -> Option<f64> {
        self.routes.then(|| if self.promoted { 1.0 } else { f64::from(self.weight) / 100.0 })
    }
}
