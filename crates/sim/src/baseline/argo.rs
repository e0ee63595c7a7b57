//! Argo Rollouts: a background analysis of one success rate.
//!
//! From `argoproj/argo-rollouts`: `docs/features/analysis.md` (the example of a background analysis: `result[0] >= 0.95`, interval
//! 5 m, failureLimit 3, `irate` over 5 m, steps of 20, 40, 60 and 80 % with pauses of 10 minutes; an interval of 60 s in the example
//! after it), `analysis/analysis.go` (more failures than the limit fail, more consecutive errors than the limit are an error; an
//! error is tried again after 10 s), `utils/defaults/defaults.go` (failureLimit 0, consecutiveErrorLimit 4),
//! `rollout/analysis.go` (error and failure abort alike). An empty result is an error of `result[0]`; no traffic is NaN, and NaN is
//! not `>=`. Best reading: an initial delay of a minute, so that the first measurement finds a series; the documents' example
//! has none. The analysis lasts as long as the example's steps.

use std::time::Duration;

use model::Timestamp;

use super::{before, fitted_success};
use crate::policy::{Policy, PolicyAction};
use crate::telemetry::Version;
use crate::time::{START_S, second};
use crate::view::TelemetryView;

const INITIAL_DELAY_S: u32 = 60;
const ERROR_RETRY_S: u32 = 10;
const CONSECUTIVE_ERROR_LIMIT: u32 = 4;
const WINDOW_S: u32 = 300;
const SUCCESS_MIN: f64 = 0.95;
/// The steps of the example: each so many seconds at so many percent, then everything.
const STEPS: [u32; 4] = [20, 40, 60, 80];
const STEP_S: u32 = 600;

/// One rollout under Argo Rollouts.
#[derive(Debug)]
pub struct Argo {
    reading: &'static str,
    interval_s: u32,
    failure_limit: u32,
    instant: bool,
    fits: bool,
    routes: bool,
    success_min: f64,
    elapsed_s: u32,
    failed: u32,
    errors: u32,
    ticks: u32,
}

impl Argo {
    fn new(reading: &'static str, interval_s: u32, failure_limit: u32) -> Self {
        Self {
            reading,
            interval_s,
            failure_limit,
            instant: true,
            fits: false,
            routes: false,
            success_min: SUCCESS_MIN,
            elapsed_s: 0,
            failed: 0,
            errors: 0,
            ticks: 0,
        }
    }

    /// The example of the documents.
    pub fn documented() -> Self {
        Self::new("documented", 300, 3)
    }

    /// An interval of 60 s and the default failureLimit of 0.
    pub fn fast() -> Self {
        Self::new("fast", 60, 0)
    }

    /// An interval of 60 s, a failureLimit of 2, a success rate that fits the service, measured over a minute.
    pub fn fitted() -> Self {
        Self { fits: true, instant: false, ..Self::new("fitted", 60, 2) }
    }

    /// The same, routing the traffic by the example's steps.
    pub fn fitted_own_rollout() -> Self {
        Self { routes: true, fits: true, instant: false, ..Self::new("fitted, own rollout", 60, 2) }
    }

    fn measure(&mut self, now: Timestamp, view: &TelemetryView<'_>) {
        let counts = if self.instant {
            view.instant_increase(Version::New, before(now, WINDOW_S), now)
        } else {
            view.increase(Version::New, None, before(now, self.interval_s), now)
        };
        let Some(counts) = counts else {
            self.errors += 1;
            return;
        };
        self.errors = 0;
        let success = counts.error_rate().map(|errors| 1.0 - errors);
        if !success.is_some_and(|success| success >= self.success_min) {
            self.failed += 1;
        }
    }
}

impl Policy for Argo {
    fn name(&self) -> String {
        format!("Argo Rollouts ({})", self.reading)
    }

    fn tick(&mut self, now: Timestamp, view: &TelemetryView<'_>) -> PolicyAction {
        self.elapsed_s = second(now) - START_S;
        self.ticks += 1;
        if self.ticks == 1 {
            if self.fits {
                self.success_min = fitted_success(view);
            }
            return PolicyAction::Wait;
        }
        self.measure(now, view);
        if self.failed > self.failure_limit || self.errors > CONSECUTIVE_ERROR_LIMIT {
            return PolicyAction::Rollback;
        }
        if self.elapsed_s >= STEP_S * STEPS.len() as u32 { PolicyAction::Promote } else { PolicyAction::Wait }
    }

    fn interval(&self) -> Duration {
        let seconds = match (self.ticks, self.errors) {
            (0 | 1, _) => INITIAL_DELAY_S,
            (_, 0) => self.interval_s,
            _ => ERROR_RETRY_S,
        };
        Duration::from_secs(u64::from(seconds))
    }

    /// A step of the example; it is changed at the measurements, a few seconds late at most.
    fn weight(&self) -> Option<f64> {
        let step = STEPS.get((self.elapsed_s / STEP_S) as usize).copied().unwrap_or(100);
        self.routes.then(|| f64::from(step) / 100.0)
    }
}
