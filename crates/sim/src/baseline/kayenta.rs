//! Kayenta with its judge NetflixACAJudge-v1.0.
//!
//! From `spinnaker/kayenta`: `NetflixACAJudge.scala` (confidence 0.98, tolerance 0.25, effect size meanRatio with an allowed
//! increase of 1), `MannWhitneyClassifier.scala` (high when the interval's lower end is above a quarter of the estimate),
//! `WeightedSumScorer.scala` (a group scores the part of its metrics that pass; a group without data scores 100; any critical
//! metric that does not pass, or half of the metrics without data, scores 0), `ThresholdScoreClassifier.scala`, and
//! `json-formats.md` (pass 75, marginal 50). Spinnaker's best practices ask for 50 points per metric and start with a lifetime of
//! 3 hours; the readings here are faster: a lifetime of 30 minutes, judged every 10, a point every 10 s. An analysis below
//! `marginal` fails at once; the last one must reach `pass`.
//!
//! Best reading of the control: the old version at the same time where it has served enough; where it has not, the same length of
//! time before the release. Errors that are none are 0 (`nanStrategy: replace`), latency without requests is left out.

use std::time::Duration;

use model::Timestamp;

use super::{before, shift};
use crate::counts::Counts;
use crate::policy::{Policy, PolicyAction};
use crate::telemetry::{SCRAPE_S, Version};
use crate::time::{START_S, second, timestamp};
use crate::view::TelemetryView;

const LIFETIME_S: u32 = 1_800;
const TOLERANCE: f64 = 0.25;
/// What an operator allows who has seen harmless releases fail: the default of 1 lets any significant difference fail.
const FITTED_INCREASE: f64 = 1.2;
const PASS: f64 = 75.0;
const MARGINAL: f64 = 50.0;
/// Weight of the group of errors; the group of latencies has the rest.
const ERRORS_WEIGHT: f64 = 50.0;
/// Part of the traffic of the canary when Kayenta's pipeline routes it.
const CANARY_WEIGHT: f64 = 0.1;
/// Part of the points of the window that the old version must have to be the control.
const CONCURRENT_MIN: f64 = 0.9;

/// One analysis under Kayenta.
#[derive(Debug)]
pub struct Kayenta {
    reading: &'static str,
    interval_s: u32,
    errors_are_critical: bool,
    /// Ratio of the means from which a metric may be high.
    allowed_increase: f64,
    routes: bool,
    promoted: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Pass,
    High,
    NoData,
}

impl Kayenta {
    /// No metric critical, judged every 10 minutes.
    pub fn documented() -> Self {
        Self {
            reading: "documented",
            interval_s: 600,
            errors_are_critical: false,
            allowed_increase: 1.0,
            routes: false,
            promoted: false,
        }
    }

    /// Errors critical, judged every 5 minutes.
    pub fn critical() -> Self {
        Self { reading: "errors critical", interval_s: 300, errors_are_critical: true, ..Self::documented() }
    }

    /// The same with a fifth more allowed in each metric.
    pub fn fitted() -> Self {
        Self { reading: "fitted", allowed_increase: FITTED_INCREASE, ..Self::critical() }
    }

    /// The same with a canary of 10 % of the traffic instead of the release's plan.
    pub fn fitted_own_rollout() -> Self {
        Self { reading: "fitted, own rollout", routes: true, ..Self::fitted() }
    }

    /// The score of everything since the release started, from 0 to 100.
    fn score(&self, now: Timestamp, view: &TelemetryView<'_>) -> f64 {
        let length = second(now) - START_S;
        let points = |version, from: Timestamp, to| points(view, version, from, to);
        let experiment = points(Version::New, timestamp(START_S), now);
        let concurrent = points(Version::Old, timestamp(START_S), now);
        let wanted = f64::from(length / SCRAPE_S) * CONCURRENT_MIN;
        let control = if concurrent.len() as f64 >= wanted {
            concurrent
        } else {
            points(Version::Old, timestamp(START_S.saturating_sub(length)), timestamp(START_S))
        };
        let of = |value: &dyn Fn(&Counts) -> Option<f64>| {
            let [experiment, control] =
                [&experiment, &control].map(|all| all.iter().filter_map(value).collect::<Vec<f64>>());
            self.classify(&experiment, &control)
        };
        let errors = of(&|counts| Some(counts.error_rate().unwrap_or(0.0)));
        let latencies =
            [of(&|counts| counts.quantile_s(0.5)), of(&|counts| counts.quantile_s(0.99)), of(&Counts::mean_s)];
        self.weigh(errors, latencies)
    }

    fn classify(&self, experiment: &[f64], control: &[f64]) -> Class {
        if experiment.is_empty() || control.is_empty() {
            return Class::NoData;
        }
        let Some(shift) = shift(experiment, control) else { return Class::Pass };
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let (ours, theirs) = (mean(experiment), mean(control));
        // A ratio with a mean of 0 can not be computed, and then is not looked at.
        let grew = ours == 0.0 || theirs == 0.0 || ours / theirs >= self.allowed_increase;
        if shift.low > TOLERANCE * shift.estimate.abs() && grew { Class::High } else { Class::Pass }
    }

    fn weigh(&self, errors: Class, latencies: [Class; 3]) -> f64 {
        let nodata = latencies.iter().chain([&errors]).filter(|class| **class == Class::NoData).count();
        if self.errors_are_critical && errors != Class::Pass || nodata * 2 > latencies.len() {
            return 0.0;
        }
        let group = |classes: &[Class]| {
            let seen = classes.iter().filter(|class| **class != Class::NoData).count();
            let passed = classes.iter().filter(|class| **class == Class::Pass).count();
            if seen == 0 { 100.0 } else { 100.0 * passed as f64 / seen as f64 }
        };
        (group(&[errors]) * ERRORS_WEIGHT + group(&latencies) * (100.0 - ERRORS_WEIGHT)) / 100.0
    }
}

/// What a version did between each scrape and the one before, where both are there.
fn points(view: &TelemetryView<'_>, version: Version, from: Timestamp, to: Timestamp) -> Vec<Counts> {
    let first = second(from).div_ceil(SCRAPE_S) + 1;
    let steps = (first..=second(to) / SCRAPE_S).map(|number| timestamp(number * SCRAPE_S));
    steps.filter_map(|at| view.increase(version, None, before(at, SCRAPE_S), at)).collect()
}

impl Policy for Kayenta {
    fn name(&self) -> String {
        format!("Kayenta ({})", self.reading)
    }

    fn tick(&mut self, now: Timestamp, view: &TelemetryView<'_>) -> PolicyAction {
        let elapsed = second(now) - START_S;
        if elapsed == 0 {
            return PolicyAction::Wait;
        }
        let score = self.score(now, view);
        let last = elapsed + self.interval_s > LIFETIME_S;
        if score < MARGINAL || last && score < PASS {
            return PolicyAction::Rollback;
        }
        self.promoted = last;
        if last { PolicyAction::Promote } else { PolicyAction::Wait }
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(u64::from(self.interval_s))
    }

    fn weight(&self) -> Option<f64> {
        self.routes.then_some(if self.promoted { 1.0 } else { CANARY_WEIGHT })
    }
}
